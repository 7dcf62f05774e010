//! Rewrites bodies without the person's data, and updates the stored state that comes from these bodies.

use std::collections::{BTreeMap, BTreeSet};

use super::{EraseError, Erased};
use crate::{
    apply::erased::{ErasedBody, body_without, read, user},
    broker::{Mention, PersonNames, Source},
    db::Serialized,
    decide::{
        bearers, content_hash::digest, fact::Observation, fold_facts::claim_of, moves, moves::DirectoryMove,
        state::Bearer,
    },
    inbox::{self, queue},
    tables::{claims, directory_moves, facts},
};

pub(super) fn rewrite(
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
    let moves =
        directory_moves::of_directories(conn, &directories.iter().map(String::as_str).collect::<Vec<_>>())?;
    let (mut erased, mut left, mut unclear) = (Erased::default(), BTreeSet::new(), BTreeSet::new());
    let mut bearers = ErasedBearers::new();
    for chunk in found.chunks(500) {
        let (mut bodies, mut digests) = (Vec::new(), Vec::new());
        for (inbox_id, source, body) in queue::bodies(conn, chunk)? {
            let said = read(&source, &body);
            let about = said.as_ref().filter(|said| is_at_home(said)).and_then(user);
            let of_person = about
                .filter(|fact| ids.contains(&fact.id))
                .and_then(|fact| body_without(&source, &body, &fact.id));
            if let Some(ErasedBody { body, observation }) = of_person {
                if let Some(fact) = user(&observation) {
                    digests.push((fact.id.clone(), inbox_id, digest(fact)));
                }
                note(&mut bearers, &observation, inbox_id, &moves);
                bodies.push((inbox_id, body));
                continue;
            }
            let Mention { body, in_data, unclear: may_be } =
                Source::named(&source).map(|source| source.mention(&body, names)).unwrap_or_default();
            match body {
                // The rewritten body contains the same fact about the other person.
                Some(other) if said.is_some() && read(&source, &other) == said => {
                    bodies.push((inbox_id, other));
                }
                Some(_) => drop(left.insert(inbox_id)),
                None => {}
            }
            // A user of another tenant with the same id is not this person.
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

/// The bearers of the rewritten facts.
type ErasedBearers = BTreeMap<UnderClaim, Vec<Bearer>>;

/// A user under one claim to a directory.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct UnderClaim {
    user_id: String,
    directory_id: String,
    organization_id: String,
    tenure: i32,
}

/// A rewritten fact has an empty bearer. It marks the time until which the user is erased (`decide::erased`).
fn note(bearers: &mut ErasedBearers, observation: &Observation, inbox_id: i64, moves: &[DirectoryMove]) {
    let (Some(fact), Some((directory_id, organization_id))) = (user(observation), claim_of(observation))
    else {
        return;
    };
    let of_directory: Vec<DirectoryMove> =
        moves.iter().filter(|one| one.directory_id == directory_id).cloned().collect();
    let ends = matches!(observation, Observation::User { .. }) && !fact.reveals;
    if let Some(bearer) = bearers::named(fact, ends, inbox_id) {
        let key = UnderClaim {
            user_id: fact.id.clone(),
            directory_id: directory_id.to_owned(),
            organization_id: organization_id.to_owned(),
            tenure: moves::tenure(&of_directory, inbox_id),
        };
        bearers::join(bearers.entry(key).or_default(), bearer);
    }
}

fn put_bearers(conn: &mut Serialized<'_>, bearers: ErasedBearers) -> Result<(), EraseError> {
    let directories: BTreeSet<&str> = bearers.keys().map(|under| under.directory_id.as_str()).collect();
    let claims = claims::of_directories(conn, &directories.into_iter().collect::<Vec<_>>())?;
    let claim_id = |under: &UnderClaim| {
        let claim = claims.iter().find(|claim| {
            (&claim.directory_id, &claim.organization_id, claim.tenure)
                == (&under.directory_id, &under.organization_id, under.tenure)
        });
        claim.map(|claim| claim.id)
    };
    let named: Vec<(String, i64, Vec<Bearer>)> = bearers
        .into_iter()
        .filter_map(|(under, bearers)| Some((claim_id(&under)?, under, bearers)))
        .map(|(claim_id, under, bearers)| (under.user_id, claim_id, bearers))
        .collect();
    Ok(facts::put_bearers(conn, &named)?)
}
