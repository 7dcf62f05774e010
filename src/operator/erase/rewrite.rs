//! Bodies about the person without what names them, and what the facts that stand on those bodies keep of it.

use std::collections::{BTreeMap, BTreeSet};

use super::{EraseError, Erased};
use crate::{
    apply::erased::{ErasedBody, body_without, read, user},
    broker::{Mention, PersonNames, Source},
    db::Serialized,
    decide::{
        bearers,
        content_hash::digest,
        fact::Observation,
        fold_facts::claim_of,
        state::{Bearer, StateSlice},
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
    let (mut erased, mut left, mut unclear) = (Erased::default(), BTreeSet::new(), BTreeSet::new());
    let mut bearers = Vec::new();
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
                bearers.extend(erased_bearer(&observation, inbox_id));
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

/// Whom a rewritten fact names: nobody, until when (`decide::erased`).
struct ErasedBearer {
    user_id: String,
    directory_id: String,
    organization_id: String,
    bearer: Bearer,
}

fn erased_bearer(observation: &Observation, inbox_id: i64) -> Option<ErasedBearer> {
    let (fact, (directory_id, organization_id)) = (user(observation)?, claim_of(observation)?);
    let ends = matches!(observation, Observation::User { .. }) && !fact.reveals;
    Some(ErasedBearer {
        user_id: fact.id.clone(),
        directory_id: directory_id.to_owned(),
        organization_id: organization_id.to_owned(),
        bearer: bearers::named(fact, ends, inbox_id)?,
    })
}

/// As the log would be folded: under the claim of each delivery.
fn put_bearers(conn: &mut Serialized<'_>, erased: Vec<ErasedBearer>) -> Result<(), EraseError> {
    let directories: BTreeSet<&str> = erased.iter().map(|one| one.directory_id.as_str()).collect();
    let directories: Vec<&str> = directories.into_iter().collect();
    let mut state = StateSlice::default();
    for claim in claims::of_directories(conn, &directories)? {
        state.insert_claim(claim);
    }
    for one in directory_moves::of_directories(conn, &directories)? {
        state.insert_move(one);
    }
    let mut named: BTreeMap<(String, i64), Vec<Bearer>> = BTreeMap::new();
    for ErasedBearer { user_id, directory_id, organization_id, bearer } in erased {
        let tenure = state.tenure(&directory_id, bearer.inbox_id);
        if let Some(claim) = state.claim_between(&directory_id, &organization_id, tenure) {
            bearers::join(named.entry((user_id, claim.id)).or_default(), bearer);
        }
    }
    let named: Vec<_> =
        named.into_iter().map(|((user_id, claim_id), bearers)| (user_id, claim_id, bearers)).collect();
    Ok(facts::put_bearers(conn, &named)?)
}
