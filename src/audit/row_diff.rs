//! Derives the entry for a change from the row before and after it. The file is pure. There is no entry without a
//! change: neither for a newer fact with the same content, nor for a row that a recompute visits.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::value::RawValue;

use super::{Actor, AuditEntry, kinds};
use crate::{
    decide::{
        access::{Access, AccessCause},
        fact,
        groups::{GroupChange, GroupRow},
        roles::{Because, PASS_THROUGH},
        users::{UserAccess, UserChange, UserRow},
    },
    runtime::clock::Timestamp,
};

/// An entry without its place, actor and times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    pub kind: &'static str,
    pub change: String,
    pub personal: Option<String>,
}

impl Changed {
    /// The entry for a change without a known fact.
    pub fn entry(self, tenant_id: &str, subject: &str, actor: Actor) -> AuditEntry {
        AuditEntry {
            tenant_id: tenant_id.to_owned(),
            kind: self.kind,
            subject: subject.to_owned(),
            change: self.change,
            personal: self.personal,
            actor,
            stated_at: None,
        }
    }
}

/// (old value, new value).
type Move<T> = Option<(Option<T>, Option<T>)>;

#[derive(Default, Serialize)]
struct Facets<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Move<&'a str>,
    /// `mapping`: no rule grants a role, and the mapping gives no access without a role.
    #[serde(skip_serializing_if = "Option::is_none")]
    shut_out_by: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deprovisioned_at: Move<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_epoch: Option<(i64, i64)>,
    /// Role and short reason. The whole reason may contain attributes, so it is personal data.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    gained: BTreeMap<&'a str, String>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    lost: BTreeSet<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    directory_id: Move<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    person_id: Move<&'a str>,
    /// Names of changed profile fields.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fields: Vec<String>,
}

/// The entry for a change of a user. `row` is the row of the same tenant before the change.
pub fn of_user(row: Option<&UserRow>, change: &UserChange) -> Option<Changed> {
    match change {
        UserChange::Put { user, directory_id, content, .. } => match row {
            None => Some(created(user, directory_id, content)),
            Some(row) => changed(row, user, Some(directory_id), Some(content)),
        },
        UserChange::Restate(user) => changed(row?, user, None, None),
        UserChange::Remove { roles, .. } => {
            let row = row?;
            let facets = Facets {
                status: Some((Some(status(row.active)), None)),
                lost: roles.iter().map(String::as_str).collect(),
                ..Facets::default()
            };
            Some(entry(kinds::USER_REMOVED, &facets, Personal::default()))
        }
    }
}

fn created(user: &UserAccess, directory_id: &str, content: &fact::User) -> Changed {
    let mut personal = Personal::default();
    for (name, to) in content.profile.texts() {
        if to.is_some() {
            personal.fields.push((name.to_owned(), Side::None, to.into()));
        }
    }
    if content.custom_attributes != "{}" {
        let to = serde_json::from_str(&content.custom_attributes).map_or(Side::None, Side::Json);
        personal.fields.push(("custom_attributes".to_owned(), Side::None, to));
    }
    let facets = Facets {
        status: Some((None, Some(user.access.status()))),
        shut_out_by: shut_out_by(user.access),
        deprovisioned_at: user.access.since().map(|since| (None, Some(since.to_string()))),
        access_epoch: Some((0, 1)),
        gained: gained(None, user, &mut personal),
        directory_id: Some((None, Some(directory_id))),
        person_id: Some((None, Some(&user.person_id))),
        ..Facets::default()
    };
    entry(kinds::USER_CREATED, &facets, personal)
}

fn changed(
    row: &UserRow,
    user: &UserAccess,
    directory_id: Option<&str>,
    content: Option<&fact::User>,
) -> Option<Changed> {
    let mut personal = Personal::default();
    if let Some(content) = content {
        compare(row, content, &mut personal);
    }
    let since = user.access.since();
    let facets = Facets {
        status: moved(status(row.active), user.access.status()),
        shut_out_by: shut_out_by(user.access).filter(|_| row.active),
        deprovisioned_at: (row.deprovisioned_at != since).then(|| {
            (row.deprovisioned_at.as_ref().map(Timestamp::to_string), since.map(|at| at.to_string()))
        }),
        access_epoch: user.changed.then(|| (row.access_epoch, row.access_epoch.saturating_add(1))),
        fields: personal.fields.iter().map(|(name, ..)| name.clone()).collect(),
        gained: gained(Some(row), user, &mut personal),
        lost: user.lost.iter().map(String::as_str).collect(),
        directory_id: directory_id.and_then(|now| moved(row.directory_id.as_str(), now)),
        person_id: moved(row.person_id.as_str(), user.person_id.as_str()),
    };
    let kind = match (row.active, user.access.is_active()) {
        // The row is about a former bearer: nobody has returned, and the former bearer has left.
        (true, active) if user.succeeds || !active => kinds::ACCESS_LOST,
        (false, true) if !user.succeeds => kinds::ACCESS_RETURNED,
        _ if !facets.gained.is_empty() || !facets.lost.is_empty() => kinds::ROLES_CHANGED,
        _ if facets.is_empty() => return None,
        _ => kinds::USER_CHANGED,
    };
    Some(entry(kind, &facets, personal))
}

impl Facets<'_> {
    /// An entry for a change of the row without a change of access or roles.
    fn is_empty(&self) -> bool {
        self.fields.is_empty()
            && self.deprovisioned_at.is_none()
            && self.access_epoch.is_none()
            && self.directory_id.is_none()
            && self.person_id.is_none()
    }
}

fn shut_out_by(access: Access) -> Option<&'static str> {
    matches!(access, Access::Inactive(_, AccessCause::Mapping)).then_some("mapping")
}

fn status(active: bool) -> &'static str {
    if active { "active" } else { "inactive" }
}

fn moved<'a>(from: &'a str, to: &'a str) -> Move<&'a str> {
    (from != to).then_some((Some(from), Some(to)))
}

fn gained<'a>(
    row: Option<&UserRow>,
    user: &'a UserAccess,
    personal: &mut Personal<'a>,
) -> BTreeMap<&'a str, String> {
    let new = user.held.iter().filter(|(role, _)| !row.is_some_and(|row| row.held.contains(*role)));
    let mut gained = BTreeMap::new();
    for (role, because) in new {
        let (short, whole) = (in_short(because), because.to_string());
        if whole != short {
            personal.because.insert(role, whole);
        }
        gained.insert(role.as_str(), short);
    }
    gained
}

/// The short reason of a role that an operator granted.
pub(super) const MANUAL: &str = "manual grant";

/// The reason without its evidence, which may be personal data.
fn in_short(because: &Because) -> String {
    match because {
        Because::Rule { name, .. } => format!("rule {name}"),
        Because::BrokerRole(_) => PASS_THROUGH.to_owned(),
        Because::Unmapped => "default role".to_owned(),
        Because::Manual(_) => MANUAL.to_owned(),
        Because::Retained(_) => "retained by the last holder".to_owned(),
    }
}

fn entry(kind: &'static str, facets: &Facets<'_>, personal: Personal<'_>) -> Changed {
    let personal = (!personal.is_empty()).then(|| serde_json::to_string(&personal).unwrap_or_default());
    // Structs of texts and numbers: writing them cannot fail.
    Changed { kind, change: serde_json::to_string(facets).unwrap_or_default(), personal }
}

enum Side<'a> {
    None,
    Text(&'a str),
    Json(&'a RawValue),
}

impl<'a> From<Option<&'a str>> for Side<'a> {
    fn from(text: Option<&'a str>) -> Self {
        text.map_or(Self::None, Self::Text)
    }
}

impl Serialize for Side<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None => serializer.serialize_none(),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Json(json) => json.serialize(serializer),
        }
    }
}

/// Personal data of a change: old and new profile fields, and the whole reasons of roles.
#[derive(Default)]
struct Personal<'a> {
    fields: Vec<(String, Side<'a>, Side<'a>)>,
    because: BTreeMap<&'a str, String>,
}

impl Personal<'_> {
    fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.because.is_empty()
    }
}

impl Serialize for Personal<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, from, to) in &self.fields {
            map.serialize_entry(name, &(from, to))?;
        }
        if !self.because.is_empty() {
            map.serialize_entry("because", &self.because)?;
        }
        map.end()
    }
}

fn compare<'a>(row: &'a UserRow, content: &'a fact::User, personal: &mut Personal<'a>) {
    for ((name, from), (_, to)) in row.profile.texts().zip(content.profile.texts()) {
        if from != to {
            personal.fields.push((name.to_owned(), from.into(), to.into()));
        }
    }
    if row.custom_attributes != content.custom_attributes {
        attributes(&row.custom_attributes, &content.custom_attributes, personal);
    }
}

/// PostgreSQL changes the text of JSON, so different texts may have the same value.
fn attributes<'a>(from: &'a str, to: &'a str, personal: &mut Personal<'a>) {
    let read =
        |text: &'a str| -> BTreeMap<String, &'a RawValue> { serde_json::from_str(text).unwrap_or_default() };
    let (mut from, to) = (read(from), read(to));
    let value = |json: &RawValue| serde_json::from_str::<serde_json::Value>(json.get()).ok();
    for (name, to) in to {
        let was = from.remove(&name);
        if was.is_some_and(|was| was.get() == to.get() || value(was) == value(to)) {
            continue;
        }
        let was = was.map_or(Side::None, Side::Json);
        personal.fields.push((format!("custom_attributes.{name}"), was, Side::Json(to)));
    }
    for (name, was) in from {
        personal.fields.push((format!("custom_attributes.{name}"), Side::Json(was), Side::None));
    }
}

#[derive(Serialize)]
struct GroupFacets<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Move<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    directory_id: Move<&'a str>,
}

/// The entry for a change of a group. `row` is the row of the same tenant before the change.
pub fn of_group(row: Option<&GroupRow>, change: &GroupChange) -> Option<Changed> {
    let was = |of: fn(&GroupRow) -> &str| row.map(of);
    let (name, directory_id) = (was(|row| &row.name), was(|row| &row.directory_id));
    let differ = |from: Option<_>, to: Option<_>| (from != to).then_some((from, to));
    let (now, kind) = match change {
        GroupChange::Put { directory_id, content, .. } => {
            let kind = if row.is_some() { kinds::GROUP_CHANGED } else { kinds::GROUP_CREATED };
            ((Some(content.name.as_str()), Some(directory_id.as_str())), kind)
        }
        GroupChange::Remove { .. } => ((None, None), kinds::GROUP_REMOVED),
    };
    let facets = GroupFacets { name: differ(name, now.0), directory_id: differ(directory_id, now.1) };
    if facets.name.is_none() && facets.directory_id.is_none() {
        return None;
    }
    Some(Changed { kind, change: serde_json::to_string(&facets).unwrap_or_default(), personal: None })
}

#[cfg(test)]
mod tests;
