//! Makes facts from a stored body. One function for each family of events. The file is pure.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    json::{Text, parsed},
    lenient_json::{Mended, mended},
    membership,
    user_fields::{Snapshot, Whole},
};
use crate::{
    broker::NotUnderstood,
    decide::fact::{Directory, Fact, Group, Observation, Organization, Reading, Scope, User, Version},
    runtime::clock::Timestamp,
};

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, default)]
    id: Text<'a>,
    #[serde(borrow, default)]
    event: Text<'a>,
    #[serde(borrow, default)]
    created_at: Text<'a>,
    /// Only entries of a list have it (`super::api::observed`).
    #[serde(borrow, default)]
    not_before: Text<'a>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

/// The common part of organizations, directories and groups.
#[derive(Deserialize)]
pub(super) struct Thing<'a> {
    #[serde(borrow, default)]
    id: Text<'a>,
    #[serde(borrow, default)]
    pub(super) directory_id: Text<'a>,
    #[serde(borrow, default)]
    pub(super) organization_id: Text<'a>,
    #[serde(borrow, default)]
    idp_id: Text<'a>,
    #[serde(borrow, default)]
    name: Text<'a>,
    #[serde(borrow, default, rename = "type")]
    provider: Text<'a>,
    #[serde(borrow, default)]
    state: Text<'a>,
    #[serde(borrow, default)]
    created_at: Text<'a>,
    #[serde(borrow, default)]
    updated_at: Text<'a>,
}

/// Reads a correct body in one pass. An incorrect one is read again without the values that cannot be read.
pub(in crate::broker) fn read(body: &[u8]) -> Result<Reading, NotUnderstood> {
    read_from(body, false)
}

/// Reads an entry of a list in the form of an event.
pub(in crate::broker) fn read_list(body: &[u8]) -> Result<Reading, NotUnderstood> {
    read_from(body, true)
}

fn read_from(body: &[u8], list: bool) -> Result<Reading, NotUnderstood> {
    let text = std::str::from_utf8(body).map_err(|error| NotUnderstood::Shape(error.to_string()));
    let error = match text.and_then(|text| read_text(text, list, Vec::new())) {
        Err(error @ NotUnderstood::Shape(_)) => error,
        outcome => return outcome,
    };
    let Some(Mended { value, left_out }) = mended(body) else { return Err(error) };
    read_text(&value.to_string(), list, left_out)
}

fn read_text(text: &str, list: bool, mut left_out: Vec<String>) -> Result<Reading, NotUnderstood> {
    let event: Event<'_> = parsed(text)?;
    let (id, kind) = (event.id.id("id")?, event.event.id("event")?);
    let kind = kind.as_str();
    let Some((family, what)) = kind.rsplit_once('.').filter(|_| super::envelope::HANDLED.contains(&kind))
    else {
        return Ok(Reading::Nothing);
    };
    let data = event.data.ok_or_else(|| NotUnderstood::Shape("it has no data".to_owned()))?;
    let deleted = what == "deleted";
    let not_before = if list { event.not_before.time() } else { None };
    let stamp = Stamp { id, emitted: event.created_at.time(), not_before };
    let observation = match family {
        "organization" => Observation::Organization(organization(&parsed(data.get())?, &stamp, deleted)?),
        "dsync.user" => user(data.get(), &stamp, deleted, &mut left_out)?,
        "dsync.group" if what.starts_with("user_") => {
            membership::read(data.get(), &stamp, what == "user_added", &mut left_out)?
        }
        "dsync.group" => {
            let thing = parsed(data.get())?;
            Observation::Group { scope: scope(&thing)?, fact: group(&thing, &stamp, !deleted, deleted)? }
        }
        _ => directory(&parsed(data.get())?, &stamp, deleted)?,
    };
    Ok(Reading::Fact(Box::new(observation), left_out))
}

/// The parts of the envelope that every version needs.
pub(super) struct Stamp {
    pub(super) id: String,
    pub(super) emitted: Option<Timestamp>,
    /// A list counts as newer than every fact from before it was read, also than one with a later `updated_at`.
    pub(super) not_before: Option<Timestamp>,
}

impl Stamp {
    /// A missing time is taken from the other one (old deliveries lack `created_at`, docs/broker-workos.md 1.1). A
    /// fact is never newer than its event. Otherwise a time after its event would win over every later removal.
    fn version(&self, updated_at: Option<Timestamp>, deleted: bool) -> Result<Version, NotUnderstood> {
        let emitted = self.emitted.or(updated_at).ok_or(NotUnderstood::NoTime)?;
        let updated_at = updated_at.unwrap_or(emitted);
        let at = if deleted {
            emitted
        } else {
            self.not_before.unwrap_or(updated_at).max(updated_at).min(emitted)
        };
        Ok(Version { at, emitted, event: self.id.clone() })
    }
}

fn organization(
    thing: &Thing<'_>,
    stamp: &Stamp,
    deleted: bool,
) -> Result<Fact<Organization>, NotUnderstood> {
    let version = stamp.version(thing.updated_at.time(), deleted)?;
    let id = thing.id.id("data.id")?;
    let (created_at, updated_at) = times(thing, &version);
    let content =
        Organization { name: thing.name.get().unwrap_or_else(|| id.clone()), created_at, updated_at };
    Ok(Fact { id, version, reveals: !deleted, live: !deleted, content })
}

fn directory(thing: &Thing<'_>, stamp: &Stamp, deleted: bool) -> Result<Observation, NotUnderstood> {
    let version = stamp.version(thing.updated_at.time(), deleted)?;
    let id = thing.id.id("data.id")?;
    let (created_at, updated_at) = times(thing, &version);
    // WorkOS has two names for each state (docs/broker-workos.md 1.2). A deletion contains the state before it.
    let state = match thing.state.raw() {
        _ if deleted => "deleted".to_owned(),
        Some("linked") => "active".to_owned(),
        Some("unlinked") => "inactive".to_owned(),
        _ => thing.state.get().unwrap_or_else(|| "unknown".to_owned()),
    };
    let content =
        Directory { name: thing.name.get(), provider: thing.provider.get(), state, created_at, updated_at };
    let scope = Scope { directory_id: id.clone(), organization_id: organization_id(&thing.organization_id)? };
    Ok(Observation::Directory {
        scope,
        fact: Fact { id, version, reveals: !deleted, live: !deleted, content },
    })
}

fn user(
    data: &str,
    stamp: &Stamp,
    deleted: bool,
    left_out: &mut Vec<String>,
) -> Result<Observation, NotUnderstood> {
    let snapshot = Snapshot::from(parsed::<Whole<'_>>(data)?);
    let scope = Scope {
        directory_id: snapshot.identity.directory_id.id("data.directory_id")?,
        organization_id: organization_id(&snapshot.identity.organization_id)?,
    };
    Ok(Observation::User { scope, fact: user_fact(snapshot, stamp, !deleted, deleted, left_out)? })
}

pub(super) fn user_fact(
    snapshot: Snapshot<'_>,
    stamp: &Stamp,
    reveals: bool,
    deleted: bool,
    left_out: &mut Vec<String>,
) -> Result<Fact<User>, NotUnderstood> {
    let identity = &snapshot.identity;
    let version = stamp.version(identity.updated_at.time(), deleted)?;
    let live = identity.active() && !deleted;
    let id = identity.id.id("user id")?;
    let mut content = snapshot.content(version.at, left_out);
    if deleted {
        content.state = "deleted".to_owned();
    }
    Ok(Fact { id, version, reveals, live, content })
}

pub(super) fn group(
    thing: &Thing<'_>,
    stamp: &Stamp,
    reveals: bool,
    deleted: bool,
) -> Result<Fact<Group>, NotUnderstood> {
    let version = stamp.version(thing.updated_at.time(), deleted)?;
    let id = thing.id.id("group id")?;
    let (created_at, updated_at) = times(thing, &version);
    let content = Group {
        idp_id: thing.idp_id.id("idp_id").ok(),
        name: thing.name.get().unwrap_or_else(|| id.clone()),
        created_at,
        updated_at,
    };
    Ok(Fact { id, version, reveals, live: !deleted, content })
}

fn scope(thing: &Thing<'_>) -> Result<Scope, NotUnderstood> {
    Ok(Scope {
        directory_id: thing.directory_id.id("data.directory_id")?,
        organization_id: organization_id(&thing.organization_id)?,
    })
}

/// An absent or null id is no claim. An id that cannot be a key is an error.
pub(super) fn organization_id(text: &Text<'_>) -> Result<Option<String>, NotUnderstood> {
    match text.raw() {
        None | Some("") => Ok(None),
        Some(_) => text.id("organization_id").map(Some),
    }
}

fn times(thing: &Thing<'_>, version: &Version) -> (Timestamp, Timestamp) {
    let updated_at = thing.updated_at.time().unwrap_or(version.at);
    (thing.created_at.time().unwrap_or(updated_at), updated_at)
}
