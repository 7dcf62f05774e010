//! Erasing a person who has left: what names them goes, what proves that they left stays.
//!
//! Bodies of the log are rewritten to the same fact without the person (id, state, times and role slugs stay), and the
//! digests that stand for them are moved along, so the log folds to the same tombstone, `rebuild` finds no difference,
//! and a late event is as late as before. The trail keeps commitments where names were, so its chain holds (lesson 42).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::{
    apply::{
        ApplyError,
        erased::{ErasedBody, body_without, read, user},
        guard::Derivation,
        people::again,
    },
    audit::{self, Actor, AuditEntry, kinds, people::ChangeCause},
    broker::{Mention, PersonNames, Source},
    db::{Conn, Database, DbError, Serialized},
    decide::{
        Rules, access::Access, bearers, content_hash::digest, fact::Observation, fold::claim_of,
        guard::Extent, state::Bearer,
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
    /// Deliveries in which the person's full name stands and may be another's.
    pub unclear: Vec<i64>,
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
        facts::unshow(conn, tenant, &ids)?;
        for person_id in user_lookup::persons(conn, tenant, &ids)? {
            manual_grants::revoke_all(conn, tenant, &person_id)?;
        }
        erased.user_ids = ids.iter().cloned().collect();
        erased.entries = audit::log::erase(conn, tenant, &erased.user_ids)?;
        erased.notices = outbox::erase(conn, tenant, &erased.user_ids, &found)?;
        refused::erase(conn, &erased.user_ids)?;
        again(conn, ids.clone(), &rules, ChangeCause::Erasure, Derivation::of(by.now, Extent::ByHand))?;
        let change =
            json!({"deliveries": erased.deliveries, "entries": erased.entries, "notices": erased.notices});
        let entry = |id| AuditEntry::new(tenant, kinds::USER_ERASED, id, &change, Actor::operator(by.name));
        audit::record(conn, &ids.iter().map(entry).collect::<Vec<_>>(), by.now)?;
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

/// The texts by which events name the person: ids, the addresses that are shown, and the full names.
fn names(conn: &mut Conn, tenant: &str, ids: &BTreeSet<String>) -> Result<PersonNames, DbError> {
    let mut keys = user_lookup::addresses(conn, tenant, ids)?;
    keys.extend(ids.iter().cloned());
    let full = user_lookup::full_names(conn, tenant, ids)?;
    let shared = !user_lookup::of_full_names(conn, tenant, &full)?.is_subset(ids);
    Ok(PersonNames { keys, full, shared })
}

/// As it stands in JSON that escapes no more than it must.
fn in_json(text: &str) -> String {
    let quoted = json!(text).to_string();
    quoted.trim_matches('"').to_owned()
}

fn look(
    conn: &mut Conn,
    names: &PersonNames,
    (after, until): (i64, i64),
    found: &mut BTreeSet<i64>,
) -> Result<(), EraseError> {
    for name in names.keys.iter().chain(&names.full) {
        found.extend(inbox::erase::naming(conn, &in_json(name), after, until)?);
    }
    // JSON may write any character of an id as an escape: those bodies are read.
    let escaping = inbox::erase::naming(conn, ESCAPE, after, until)?;
    let escaping: Vec<i64> = escaping.into_iter().filter(|inbox_id| !found.contains(inbox_id)).collect();
    for some in escaping.chunks(500) {
        for (inbox_id, source, body) in queue::bodies(conn, some)? {
            let mention = Source::named(&source).map(|source| source.mention(&body, names));
            if mention.is_some_and(|mention| mention != Mention::default()) {
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
    names: &PersonNames,
    found: &[i64],
) -> Result<Erased, EraseError> {
    let directories: BTreeSet<String> =
        claims::homes(conn, Some(tenant))?.into_iter().map(|(_, directory_id)| directory_id).collect();
    let is_at_home =
        |said: &Observation| claim_of(said).is_some_and(|(directory, _)| directories.contains(directory));
    let (mut erased, mut left, mut unclear) = (Erased::default(), BTreeSet::new(), BTreeSet::new());
    let mut bearers = ErasedBearers::new();
    for some in found.chunks(500) {
        let (mut bodies, mut digests) = (Vec::new(), Vec::new());
        for (inbox_id, source, body) in queue::bodies(conn, some)? {
            let said = read(&source, &body);
            let about = said.as_ref().filter(|said| is_at_home(said)).and_then(user);
            let of_person = about
                .filter(|fact| ids.contains(&fact.id))
                .and_then(|fact| body_without(&source, &body, &fact.id));
            if let Some(ErasedBody { body, observation }) = of_person {
                if let Some(fact) = user(&observation) {
                    digests.push((fact.id.clone(), inbox_id, digest(fact)));
                }
                note(&mut bearers, &observation, inbox_id);
                bodies.push((inbox_id, body));
                continue;
            }
            let Mention { body, in_data, unclear: may_be } =
                Source::named(&source).map(|source| source.mention(&body, names)).unwrap_or_default();
            match body {
                // It says the same of the other.
                Some(other) if said.is_some() && read(&source, &other) == said => {
                    bodies.push((inbox_id, other));
                }
                Some(_) => drop(left.insert(inbox_id)),
                None => {}
            }
            // Another tenant's user of the same id is not the person.
            let is_anothers = said.as_ref().and_then(user).is_some_and(|fact| ids.contains(&fact.id));
            if said.is_none() || (in_data && !is_anothers) {
                left.insert(inbox_id);
            }
            if may_be && !is_anothers {
                unclear.insert(inbox_id);
            }
        }
        erased.deliveries += bodies.len();
        inbox::erase::rewrite(conn, &bodies)?;
        facts::move_digests(conn, &digests)?;
    }
    facts::forget_bearers(conn, tenant, ids)?;
    put_bearers(conn, bearers)?;
    erased.unclear = unclear.difference(&left).copied().collect();
    erased.left = left.into_iter().collect();
    Ok(erased)
}

/// By user, directory and organization.
type ErasedBearers = BTreeMap<(String, String, String), Vec<Bearer>>;

/// Whom the rewritten facts name: nobody, until when (`decide::erased`).
fn note(bearers: &mut ErasedBearers, observation: &Observation, inbox_id: i64) {
    let (Some(fact), Some((directory_id, organization_id))) = (user(observation), claim_of(observation))
    else {
        return;
    };
    let ends = matches!(observation, Observation::User { .. }) && !fact.reveals;
    if let Some(bearer) = bearers::named(fact, ends, inbox_id) {
        let key = (fact.id.clone(), directory_id.to_owned(), organization_id.to_owned());
        bearers::join(bearers.entry(key).or_default(), bearer);
    }
}

fn put_bearers(conn: &mut Serialized<'_>, bearers: ErasedBearers) -> Result<(), EraseError> {
    let directories: BTreeSet<&str> =
        bearers.keys().map(|(_, directory_id, _)| directory_id.as_str()).collect();
    let claims = claims::of_directories(conn, &directories.into_iter().collect::<Vec<_>>())?;
    let claim_id = |directory_id: &str, organization_id: &str| {
        let claim = claims.iter().find(|claim| {
            (claim.directory_id.as_str(), claim.organization_id.as_str()) == (directory_id, organization_id)
        });
        claim.map(|claim| claim.id)
    };
    let named: Vec<(String, i64, Vec<Bearer>)> = bearers
        .into_iter()
        .filter_map(|((user_id, directory_id, organization_id), bearers)| {
            Some((user_id, claim_id(&directory_id, &organization_id)?, bearers))
        })
        .collect();
    Ok(facts::put_bearers(conn, &named)?)
}
