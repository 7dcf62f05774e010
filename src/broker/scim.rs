//! Writes by SCIM (`provision`): the body of a delivery has the state of a resource after a request, and the request.
//!
//! The identity provider has no broker here. A write is stored in the same log as a broker's events and becomes the same
//! facts. Its time is rosterd's own and grows with each change of a resource.

mod mention;
mod user;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Disposition, LONGEST_ID, Label, NotUnderstood};
use crate::{
    decide::fact::{Directory, Fact, Group, Membership, Observation, Reading, Scope, Version},
    runtime::clock::Timestamp,
};

pub(super) use mention::{mention, redact};

/// The types of deliveries.
pub mod kinds {
    /// A directory was created.
    pub const DIRECTORY: &str = "scim.directory.created";
    /// A user was created or changed.
    pub const USER: &str = "scim.user.changed";
    /// A user was deleted.
    pub const USER_DELETED: &str = "scim.user.deleted";
    /// A group was created or changed, or its members were.
    pub const GROUP: &str = "scim.group.changed";
    /// A group was deleted.
    pub const GROUP_DELETED: &str = "scim.group.deleted";
}

/// The kind of provider in table `directories`, by the name that an operator writes. A customer who had a broker between
/// keeps the kind, and with it the ids of persons.
pub fn provider(name: &str) -> String {
    let known = match name.trim().to_ascii_lowercase().as_str() {
        "okta" => "okta scim v2.0",
        "entra" | "azure" => "azure scim v2.0",
        "onelogin" => "onelogin scim v2.0",
        "jumpcloud" => "jump cloud scim v2.0",
        "ping" | "pingfederate" => "ping federate scim v2.0",
        "google" => "google scim v2.0",
        _ => return name.trim().to_owned(),
    };
    known.to_owned()
}

#[derive(Deserialize)]
struct Body {
    id: String,
    event: String,
    created_at: String,
    directory_id: String,
    #[serde(default)]
    organization_id: Option<String>,
    #[serde(default)]
    resource: Option<Resource>,
    #[serde(default)]
    members: Members,
    #[serde(default)]
    erased_by_rosterd: bool,
}

#[derive(Deserialize)]
struct Resource {
    id: String,
    created_at: String,
    /// `None` if only members changed.
    #[serde(default)]
    document: Option<Map<String, Value>>,
}

#[derive(Default, Deserialize)]
struct Members {
    #[serde(default)]
    added: Vec<String>,
    #[serde(default)]
    removed: Vec<String>,
}

/// The label. rosterd has written the body, so its envelope is readable.
pub(super) fn label(body: &[u8]) -> Label {
    #[derive(Deserialize)]
    struct Envelope {
        id: String,
        event: String,
    }
    let envelope = is_object(body).then(|| serde_json::from_slice::<Envelope>(body).ok()).flatten();
    let envelope = envelope.filter(|of| is_id(&of.id) && is_id(&of.event));
    match envelope {
        Some(Envelope { id, event }) => Label { key: id, kind: event, disposition: Disposition::Apply },
        None => Label::not_understood(body, "the body is not a write by SCIM"),
    }
}

/// A list would be read as the fields of an object in their order.
fn is_object(body: &[u8]) -> bool {
    body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{')
}

fn is_id(text: &str) -> bool {
    (1..=LONGEST_ID).contains(&text.len()) && !text.contains('\0')
}

fn expect_id(text: &str, field: &'static str) -> Result<(), NotUnderstood> {
    if is_id(text) { Ok(()) } else { Err(NotUnderstood::Id { field }) }
}

/// The facts of a write.
pub(super) fn read(body: &[u8]) -> Result<Reading, NotUnderstood> {
    if !is_object(body) {
        return Err(NotUnderstood::Shape("it is not an object".to_owned()));
    }
    let body: Body = serde_json::from_slice(body).map_err(|error| NotUnderstood::Shape(error.to_string()))?;
    expect_id(&body.id, "id")?;
    expect_id(&body.directory_id, "directory_id")?;
    let named = body.resource.iter().map(|resource| &resource.id);
    let mut named =
        named.chain(&body.organization_id).chain(&body.members.added).chain(&body.members.removed);
    named.try_for_each(|id| expect_id(id, "an id of the resource"))?;
    let at = Timestamp::parse(&body.created_at).ok_or(NotUnderstood::NoTime)?;
    let version = Version { at, emitted: at, event: body.id.clone() };
    let scope =
        Scope { directory_id: body.directory_id.clone(), organization_id: body.organization_id.clone() };
    let deleted = matches!(body.event.as_str(), kinds::USER_DELETED | kinds::GROUP_DELETED);
    let missing = || NotUnderstood::Shape("it has no resource".to_owned());
    let mut left_out = Vec::new();
    let observation = match body.event.as_str() {
        kinds::DIRECTORY => {
            let document = body.resource.and_then(|resource| resource.document).unwrap_or_default();
            Observation::Directory { fact: directory(&document, scope.directory_id.clone(), version), scope }
        }
        kinds::USER | kinds::USER_DELETED => {
            let Resource { id, created_at, document } = body.resource.ok_or_else(missing)?;
            let created_at = Timestamp::parse(&created_at).unwrap_or(at);
            let document = document.unwrap_or_default();
            let (mut content, active) = user::content(document, (created_at, at), &mut left_out);
            content.erased = body.erased_by_rosterd;
            if deleted {
                "deleted".clone_into(&mut content.state);
            }
            let fact = Fact { id, version, reveals: !deleted, live: active && !deleted, content };
            Observation::User { scope, fact }
        }
        kinds::GROUP | kinds::GROUP_DELETED => {
            let Resource { id, created_at, document } = body.resource.ok_or_else(missing)?;
            let created_at = Timestamp::parse(&created_at).unwrap_or(at);
            let group = document.map(|document| {
                let text = |key| document.get(key).and_then(Value::as_str).map(user::cleaned);
                let content = Group {
                    idp_id: text("externalId"),
                    name: text("displayName").unwrap_or_else(|| id.clone()),
                    created_at,
                    updated_at: at,
                };
                Fact { id: id.clone(), version: version.clone(), reveals: !deleted, live: !deleted, content }
            });
            let change = |user_id: String, added| Membership {
                group_id: id.clone(),
                user_id,
                version: version.clone(),
                added,
            };
            let Members { added, removed } = body.members;
            let added = added.into_iter().map(|user_id| change(user_id, true));
            let changes: Vec<Membership> =
                added.chain(removed.into_iter().map(|user_id| change(user_id, false))).collect();
            match group {
                Some(fact) if changes.is_empty() => Observation::Group { scope, fact },
                group => Observation::Members { scope, group, changes },
            }
        }
        _ => return Ok(Reading::Nothing),
    };
    Ok(Reading::Fact(Box::new(observation), left_out))
}

fn directory(document: &Map<String, Value>, id: String, version: Version) -> Fact<Directory> {
    let text = |key| document.get(key).and_then(Value::as_str).map(user::cleaned);
    let (created_at, updated_at) = (version.at, version.at);
    let (name, provider) = (text("name"), text("provider"));
    let content = Directory { name, provider, state: "active".to_owned(), created_at, updated_at };
    Fact { id, version, reveals: true, live: true, content }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn observation(body: &Value) -> Observation {
        match read(body.to_string().as_bytes()).unwrap() {
            Reading::Fact(observation, _) => *observation,
            Reading::Nothing => panic!("no fact in {body}"),
        }
    }

    #[test]
    fn a_user_has_the_texts_of_the_profile_and_everything_else_as_attributes() {
        let body = json!({
            "id": "e1", "event": kinds::USER, "created_at": "2026-01-01T00:00:00Z", "directory_id": "d",
            "resource": {"id": "u", "created_at": "2026-01-01T00:00:00Z", "document": {
                "userName": "noor", "externalId": "x", "active": true, "title": "Pilot",
                "name": {"givenName": "Noor", "familyName": "Vale"},
                "emails": [{"value": "h@x"}, {"value": "w@x", "primary": true}],
                "roles": [{"value": "admin"}, {"value": "{\"value\":\"crew\"}"}],
                "urn:acme:User": {"badge": 7},
            }},
        });
        let Observation::User { fact, .. } = observation(&body) else { panic!() };
        assert!(fact.live && fact.reveals);
        let profile = fact.content.profile;
        assert_eq!(
            [profile.idp_id, profile.email, profile.username, profile.name, profile.job_title]
                .map(Option::unwrap),
            ["x", "w@x", "noor", "Noor Vale", "Pilot"]
        );
        assert_eq!(fact.content.roles, ["admin", "crew"]);
        let attributes: Value = serde_json::from_str(&fact.content.custom_attributes).unwrap();
        assert_eq!(attributes["urn:acme:User"]["badge"], 7);
        assert!(attributes.get("userName").is_none());
    }

    #[test]
    fn a_change_of_members_alone_is_no_fact_about_the_group() {
        let body = json!({
            "id": "e1", "event": kinds::GROUP, "created_at": "2026-01-01T00:00:00Z", "directory_id": "d",
            "resource": {"id": "g", "created_at": "2026-01-01T00:00:00Z"}, "members": {"added": ["a"], "removed": ["b"]},
        });
        let Observation::Members { group: None, changes, .. } = observation(&body) else { panic!() };
        assert_eq!(
            changes.iter().map(|change| (change.user_id.as_str(), change.added)).collect::<Vec<_>>(),
            [("a", true), ("b", false)]
        );
    }
}
