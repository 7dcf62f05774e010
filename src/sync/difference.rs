//! The difference between an object as the API lists it and the latest fact about it, with the delivery that repairs it.

use serde_json::Value;

use super::{
    lists::Item,
    report::{Difference, Done},
};
use crate::{
    broker::{
        Source,
        api::{self, ListStatement},
    },
    db::Conn,
    decide::{
        content_hash::digest,
        fact::{self, Observation, Reading},
        state::{LatestFact, OwnershipClaim},
    },
    inbox::{Delivery, queue},
    runtime::clock::Timestamp,
};

/// A difference with the delivery that repairs it. Many of them take access away.
pub struct Loss {
    pub difference: Difference,
    pub body: String,
    /// The user who loses access or a role.
    pub user_id: Option<String>,
    pub is_access: bool,
    /// The object is absent from the list, so the list does not state the loss itself.
    pub by_absence: bool,
    /// The membership of a deleted user. It is in no row, so it is not reported as a difference. It ends, so that it
    /// does not return with the user.
    pub is_hidden: bool,
}

pub(super) fn delivery(body: &str, now: Timestamp) -> Delivery {
    Delivery::new(Source::LISTS, body.as_bytes().to_vec().into(), now)
}

/// The object from its last delivery, or the minimum that a removal needs.
pub(super) fn known(
    conn: &mut Conn,
    fact: &LatestFact,
    id: &str,
    directory_id: &str,
    claims: &[OwnershipClaim],
) -> diesel::QueryResult<Value> {
    let body = queue::bodies(conn, &[fact.inbox_id])?.into_iter().next();
    if let Some(object) = body.and_then(|(_, _, body)| api::object(&body, id)) {
        return Ok(object);
    }
    let organization =
        claims.iter().find(|claim| claim.id == fact.claim_id).map(|claim| &claim.organization_id);
    let organization = organization.filter(|organization| !organization.is_empty());
    Ok(serde_json::json!({ "id": id, "directory_id": directory_id, "organization_id": organization }))
}

/// The statement of an observation about one entity, without its kind.
struct ListedFact {
    version: fact::Version,
    live: bool,
    digest: i64,
    organization_id: String,
    roles: Vec<String>,
}

/// Computes the digest with the version of `latest`, so that only contents are compared.
fn listed_fact(observation: Observation, latest: Option<&LatestFact>) -> Option<ListedFact> {
    fn of<T: serde::Serialize>(
        mut fact: fact::Fact<T>,
        scope: Option<fact::Scope>,
        latest: Option<&LatestFact>,
        roles: impl Fn(&T) -> Vec<String>,
    ) -> ListedFact {
        let version = fact.version.clone();
        if let Some(latest) = latest {
            fact.version = latest.version.clone();
        }
        ListedFact {
            version,
            live: fact.live,
            digest: digest(&fact),
            organization_id: scope.and_then(|scope| scope.organization_id).unwrap_or_default(),
            roles: roles(&fact.content),
        }
    }
    match observation {
        Observation::Organization(fact) => Some(of(fact, None, latest, |_| Vec::new())),
        Observation::Directory { scope, fact } => Some(of(fact, Some(scope), latest, |_| Vec::new())),
        Observation::User { scope, fact } => Some(of(fact, Some(scope), latest, |user| user.roles.clone())),
        Observation::Group { scope, fact } => Some(of(fact, Some(scope), latest, |_| Vec::new())),
        Observation::Membership { .. } | Observation::Members { .. } => None,
    }
}

fn read(body: &str) -> Option<Observation> {
    match Source::LISTS.read(body.as_bytes()) {
        Ok(Reading::Fact(observation, _)) => Some(*observation),
        _ => None,
    }
}

/// The difference between a listed object and the stored fact, and whether it takes something away.
pub(super) fn against(
    conn: &mut Conn,
    claims: &[OwnershipClaim],
    facts: &[LatestFact],
    statement: ListStatement,
    directory_id: &str,
    at: Timestamp,
    item: &Item,
) -> diesel::QueryResult<Option<(Loss, bool)>> {
    let (id, raw) = (&item.listed.id, item.raw.get());
    let body = api::observed(statement, directory_id, id, at, None, raw);
    let new = || read(&body);
    let Some(fresh) = new().and_then(|observation| listed_fact(observation, None)) else { return Ok(None) };
    let is_claim = |fact: &&LatestFact| {
        claims.iter().any(|claim| claim.id == fact.claim_id && claim.organization_id == fresh.organization_id)
            || (fact.claim_id == crate::decide::state::NO_CLAIM && statement == ListStatement::Organization)
    };
    let name = match statement {
        ListStatement::Organization => "organization",
        ListStatement::Directory => "directory",
        ListStatement::Group => "group",
        _ => "user",
    };
    let shown = |live: bool| match (name, live) {
        ("user", true) => "active",
        ("user", false) => "inactive",
        (_, true) => "exists",
        (_, false) => "deleted",
    };
    let missed = item.listed.updated_at.as_deref().unwrap_or("unknown time");
    let is_user = name == "user";
    let loss = |tables: String, cause: String, body: String, is_access: bool| Loss {
        difference: Difference {
            kind: name,
            id: id.clone(),
            tables,
            broker: shown(fresh.live).to_owned(),
            cause,
            done: Done::None,
        },
        body,
        user_id: is_user.then(|| id.clone()),
        is_access,
        by_absence: false,
        is_hidden: false,
    };
    let Some(latest) = facts.iter().find(is_claim) else {
        let cause = format!("unknown here; the event of {missed} was missed, or is older than this service");
        return Ok(Some((loss("unknown".to_owned(), cause, body.clone(), false), false)));
    };
    if latest.version.emitted > at {
        return Ok(None);
    }
    let Some(listed_now) = new().and_then(|observation| listed_fact(observation, Some(latest))) else {
        return Ok(None);
    };
    if latest.live == listed_now.live && latest.digest == listed_now.digest && latest.revealed_by.is_some() {
        return Ok(None);
    }
    let not_before = (latest.version.at > fresh.version.at).then_some(latest.version.at);
    let body = api::observed(statement, directory_id, id, at, not_before, raw);
    let ends = latest.live && !listed_now.live;
    let before = queue::bodies(conn, &[latest.inbox_id])?.into_iter().next();
    let before = before.and_then(|(_, source, body)| roles_of(&source, &body, id)).unwrap_or_default();
    let loses_role = listed_now.live && before.iter().any(|role| !listed_now.roles.contains(role));
    let tables = match (latest.live == listed_now.live, loses_role || before != listed_now.roles) {
        (true, true) => format!("roles {}", before.join(", ")),
        (true, false) => format!("{}, with different content", shown(latest.live)),
        (false, _) => shown(latest.live).to_owned(),
    };
    let cause = format!("the event of {missed} was missed; last event at {}", latest.version.emitted);
    let mut found = loss(tables, cause, body, ends);
    if loses_role || before != listed_now.roles {
        found.difference.broker =
            format!("{}, roles {}", found.difference.broker, listed_now.roles.join(", "));
    }
    Ok(Some((found, is_user && (ends || loses_role))))
}

/// The roles of a user in a stored delivery.
fn roles_of(source: &str, body: &[u8], id: &str) -> Option<Vec<String>> {
    let Ok(Reading::Fact(observation, _)) = Source::named(source)?.read(body) else { return None };
    let user = match *observation {
        Observation::User { fact, .. } | Observation::Membership { user: fact, .. } => fact,
        _ => return None,
    };
    (user.id == id).then_some(user.content.roles)
}
