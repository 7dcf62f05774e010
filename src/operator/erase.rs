//! Erasing a person who has left: what names them goes, what proves that they left stays.
//!
//! Bodies of the log are rewritten to the same fact without the person (id, state, times and role slugs stay), and the
//! digests that stand for them are moved along, so the log folds to the same tombstone, `rebuild` finds no difference,
//! and a late event is as late as before. The trail keeps commitments where names were, so its chain holds (lesson 42).

use std::collections::BTreeSet;

use serde_json::json;

use crate::{
    apply::{
        ApplyError,
        consequences::Consequences,
        users::{Derivation, again},
    },
    audit::{self, Actor, AuditEntry, kinds, row_entries::ChangeCause},
    broker::Source,
    db::{Conn, Database, DbError, Serialized},
    decide::{
        Rules,
        access::Access,
        content_hash::digest,
        fact::{Fact, Observation, Reading, User},
        guard::Extent,
    },
    inbox::{self, queue},
    operator::{explain::examined, manual_roles::OperatorAt},
    outbox,
    tables::{
        claims, facts, manual_grants, mappings, refused,
        user_lookup::{self, LookupError},
    },
};

#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    #[error("{tenant} has no user {user}: give an id, as `rosterd users list --tenant {tenant}` shows them")]
    Unknown { tenant: String, user: String },
    #[error(
        "{tenant} has several users {user}: give an id, as `rosterd users list --tenant {tenant}` shows them"
    )]
    Several { tenant: String, user: String },
    #[error(
        "{user} is not deprovisioned: the directory still says that this person is there. Remove them in the directory, wait for its event, then erase"
    )]
    StillThere { user: String },
    #[error(
        "delivery {inbox_id} about {user} waits to be applied: try again when `rosterd serve` has applied it"
    )]
    Waits { user: String, inbox_id: i64 },
    #[error("{0}")]
    Lookup(#[from] LookupError),
    #[error("{0}")]
    Database(#[from] DbError),
    #[error("{0}")]
    Apply(#[from] ApplyError),
}

impl From<diesel::result::Error> for EraseError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Database(error.into())
    }
}

/// What was rewritten.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// All the broker's ids of this person.
    pub user_ids: Vec<String>,
    pub deliveries: usize,
    pub entries: usize,
    pub notices: usize,
    /// Deliveries that name the person, by id or address, in the data of somebody else, or that cannot be read.
    pub left: Vec<i64>,
}

/// Deliveries looked through in one statement.
const PAGE: i64 = 20_000;

/// How JSON begins to write a character by its number.
const ESCAPE: &str = "\\u";

pub fn erase(
    database: &Database,
    rules: &Rules,
    tenant: &str,
    user: &str,
    by: OperatorAt<'_>,
) -> Result<Erased, EraseError> {
    // Searching the whole log takes long. Most of it is searched before the serialized transaction, the rest inside.
    let (ids, names, newest) = database.read::<_, EraseError>(|conn| {
        let ids = person(conn, tenant, user)?;
        let names = names(conn, tenant, &ids)?;
        Ok((ids, names, inbox::erase::newest(conn)?))
    })?;
    let mut found = BTreeSet::new();
    for after in (0..newest).step_by(PAGE as usize) {
        database.read::<_, EraseError>(|conn| {
            look(conn, &names, (after, newest.min(after + PAGE)), &mut found)
        })?;
    }
    database.write_serialized(|conn| {
        if person(conn, tenant, user)? != ids || names != self::names(conn, tenant, &ids)? {
            // Somebody's kind of provider or address has become known in between.
            return Err(EraseError::Several { tenant: tenant.to_owned(), user: user.to_owned() });
        }
        look(conn, &names, (newest, i64::MAX), &mut found)?;
        let mapping = mappings::in_force(conn).map_err(ApplyError::from)?;
        let rules = Rules { mapping: mapping.into(), ..rules.clone() };
        expect_gone(conn, &rules, tenant, user, &ids)?;
        let found: Vec<i64> = std::mem::take(&mut found).into_iter().collect();
        if let Some(inbox_id) = inbox::erase::waiting(conn, &found)?.first() {
            return Err(EraseError::Waits { user: user.to_owned(), inbox_id: *inbox_id });
        }
        let mut erased = rewrite(conn, tenant, &ids, &names, &found)?;
        facts::forget_bearers(conn, tenant, &ids)?;
        facts::unshow(conn, tenant, &ids)?;
        for person_id in user_lookup::persons(conn, tenant, &ids)? {
            manual_grants::revoke_all(conn, tenant, &person_id)?;
        }
        erased.user_ids = ids.iter().cloned().collect();
        erased.entries = audit::log::erase(conn, tenant, &erased.user_ids)?;
        erased.notices = outbox::erase(conn, tenant, &erased.user_ids, &found)?;
        refused::erase(conn, &erased.user_ids)?;
        // Nobody is notified of an erasure.
        let (cause, extent) = (ChangeCause::Erasure, Extent::ByHand);
        let derivation = Derivation { rules: &rules, cause, now: by.now, extent };
        let mut consequences = Consequences::default();
        again(conn, ids.clone(), &derivation, &mut consequences)?;
        let change =
            json!({"deliveries": erased.deliveries, "entries": erased.entries, "notices": erased.notices});
        let entry = |id| AuditEntry::new(tenant, kinds::USER_ERASED, id, &change, Actor::operator(by.name));
        consequences.notices.clear();
        consequences.entries.extend(ids.iter().map(entry));
        consequences.write(conn, by.now)?;
        Ok(erased)
    })
}

/// All ids of the one person who is meant.
fn person(conn: &mut Conn, tenant: &str, user: &str) -> Result<BTreeSet<String>, EraseError> {
    let named = user_lookup::named(conn, tenant, user)?;
    let persons = user_lookup::persons(conn, tenant, &named)?;
    match (persons.len(), persons.first()) {
        (1, Some(person_id)) => Ok(user_lookup::of_person(conn, tenant, person_id)?),
        (0, _) => Err(EraseError::Unknown { tenant: tenant.to_owned(), user: user.to_owned() }),
        _ => Err(EraseError::Several { tenant: tenant.to_owned(), user: user.to_owned() }),
    }
}

/// The texts by which events name the person: ids, and the addresses that are shown.
fn names(conn: &mut Conn, tenant: &str, ids: &BTreeSet<String>) -> Result<BTreeSet<String>, DbError> {
    let mut names = user_lookup::addresses(conn, tenant, ids)?;
    names.extend(ids.iter().cloned());
    Ok(names)
}

fn look(
    conn: &mut Conn,
    names: &BTreeSet<String>,
    (after, until): (i64, i64),
    found: &mut BTreeSet<i64>,
) -> Result<(), EraseError> {
    for name in names {
        found.extend(inbox::erase::naming(conn, name, after, until)?);
    }
    // JSON may write any character of an id as an escape: those bodies are read.
    let escaping = inbox::erase::naming(conn, ESCAPE, after, until)?;
    let escaping: Vec<i64> = escaping.into_iter().filter(|inbox_id| !found.contains(inbox_id)).collect();
    for some in escaping.chunks(500) {
        for (inbox_id, source, body) in queue::bodies(conn, some)? {
            let mention = Source::named(&source).map(|source| source.mention(&body, names));
            if mention.is_some_and(|mention| mention.in_data || mention.body.is_some()) {
                found.insert(inbox_id);
            }
        }
    }
    Ok(())
}

/// OperatorAt the directory's own fact, and in the tables: what an erasure takes from a rule must not let anybody in again.
fn expect_gone(
    conn: &mut Conn,
    rules: &Rules,
    tenant: &str,
    user: &str,
    ids: &BTreeSet<String>,
) -> Result<(), EraseError> {
    let still_there = || Err(EraseError::StillThere { user: user.to_owned() });
    let examined = examined(conn, rules, ids)?;
    if examined.iter().any(|user| user.tenant_id == tenant && user.access == Access::Active) {
        return still_there();
    }
    if user_lookup::any_active(conn, tenant, ids)? {
        return still_there();
    }
    Ok(())
}

fn rewrite(
    conn: &mut Serialized<'_>,
    tenant: &str,
    ids: &BTreeSet<String>,
    names: &BTreeSet<String>,
    found: &[i64],
) -> Result<Erased, EraseError> {
    let directories: BTreeSet<String> =
        claims::homes(conn, Some(tenant))?.into_iter().map(|(_, directory_id)| directory_id).collect();
    let (mut erased, mut left) = (Erased::default(), BTreeSet::new());
    for some in found.chunks(500) {
        let (mut bodies, mut digests) = (Vec::new(), Vec::new());
        for (inbox_id, source, body) in queue::bodies(conn, some)? {
            match ids.iter().find_map(|id| redacted(&source, &body, id, &directories)) {
                Some((user_id, body, digest)) => {
                    bodies.push((inbox_id, body));
                    digests.push((user_id, inbox_id, digest));
                }
                None => {
                    let mention = Source::named(&source).map(|source| source.mention(&body, names));
                    let said = read(&source, &body);
                    match mention.as_ref().and_then(|mention| mention.body.clone()) {
                        // It says the same of the other.
                        Some(other) if said.is_some() && read(&source, &other) == said => {
                            bodies.push((inbox_id, other));
                        }
                        Some(_) => drop(left.insert(inbox_id)),
                        None => {}
                    }
                    let in_data = mention.is_some_and(|mention| mention.in_data);
                    // Another tenant's user of the same id is not the person.
                    let is_anothers = said.as_ref().and_then(user_of).is_some_and(|id| ids.contains(id));
                    if said.is_none() || (in_data && !is_anothers) {
                        left.insert(inbox_id);
                    }
                }
            }
        }
        erased.deliveries += bodies.len();
        inbox::erase::rewrite(conn, &bodies)?;
        facts::move_digests(conn, &digests)?;
    }
    erased.left = left.into_iter().collect();
    Ok(erased)
}

/// The same fact without the person: (user, body, digest).
fn redacted(
    source: &str,
    body: &[u8],
    user_id: &str,
    directories: &BTreeSet<String>,
) -> Option<(String, Vec<u8>, i64)> {
    let said = read(source, body)?;
    let was = about(&said, user_id, directories)?;
    // Slugs that could not be read before must not become readable.
    [true, false].into_iter().find_map(|with_roles| {
        let body = Source::named(source)?.redact(body, user_id, with_roles)?;
        let says = read(source, &body)?;
        let now = about(&says, user_id, directories)?;
        let same = (&now.version, now.live, now.reveals, &now.content.roles)
            == (&was.version, was.live, was.reveals, &was.content.roles);
        same.then(|| (user_id.to_owned(), body, digest(now)))
    })
}

fn read(source: &str, body: &[u8]) -> Option<Observation> {
    match Source::named(source)?.read(body).ok()? {
        Reading::Fact(observation, _) => Some(*observation),
        Reading::Nothing => None,
    }
}

/// The id of the user whom it is about.
fn user_of(observation: &Observation) -> Option<&str> {
    match observation {
        Observation::User { fact, .. } | Observation::Membership { user: fact, .. } => Some(&fact.id),
        _ => None,
    }
}

fn about<'a>(
    observation: &'a Observation,
    user_id: &str,
    directories: &BTreeSet<String>,
) -> Option<&'a Fact<User>> {
    let (Observation::User { scope, fact } | Observation::Membership { scope, user: fact, .. }) = observation
    else {
        return None;
    };
    (fact.id == user_id && directories.contains(&scope.directory_id)).then_some(fact)
}
