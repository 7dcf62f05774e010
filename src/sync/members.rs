//! Compares the listed members of one group with the stored memberships.

use std::collections::{BTreeMap, HashSet};

use super::{
    absent,
    compare::{CompareError, Comparing},
    difference::{Loss, known},
    lists::{self, Item},
    report::{Difference, Done},
};
use crate::{
    broker::api::{self, ListStatement, Question},
    db::{Conn, DbError},
    decide::fact::EntityKind,
    runtime::clock::Timestamp,
    tables::{facts, memberships},
};

struct Known {
    at: Timestamp,
    added: bool,
}

pub(super) fn compare(
    comparing: &mut Comparing<'_>,
    group_id: &str,
    group: &str,
) -> Result<(), CompareError> {
    let claim_ids = comparing.claim_ids();
    let known_members: BTreeMap<String, Known> = comparing.database.read::<_, DbError>(|conn| {
        let ended = facts::on(conn, &[group_id])?
            .into_iter()
            .filter(|(kind, _, fact)| *kind == EntityKind::Group && claim_ids.contains(&fact.claim_id))
            .filter_map(|(_, _, fact)| fact.ended)
            .max();
        let ended = ended.map(|ended| (ended.at.micros(), ended.event));
        let mut newest: BTreeMap<String, (i64, String, bool)> = BTreeMap::new();
        for (user_id, at, event, added, _) in memberships::of_group(conn, group_id, &claim_ids)? {
            let counts = ended.as_ref().is_none_or(|ended| (ended.0, &ended.1) < (at, &event));
            let fact = (at, event, added && counts);
            match newest.get_mut(&user_id) {
                Some(known) if (known.0, &known.1) >= (fact.0, &fact.1) => {}
                Some(known) => *known = fact,
                None => drop(newest.insert(user_id, fact)),
            }
        }
        let known = |(id, (at, _, added))| (id, Known { at: Timestamp::from_micros(at), added });
        Ok(newest.into_iter().map(known).collect())
    })?;
    let mut seen: HashSet<String, foldhash::fast::RandomState> = HashSet::default();
    let (client, directory_id) = (comparing.client, comparing.directory_id);
    lists::read(
        client,
        |after| Question::members(directory_id, group_id, after),
        |page| {
            comparing.report.memberships += page.len() as u64;
            let joined =
                page.iter().filter_map(|item| joined(comparing, group_id, group, &known_members, item));
            let joined: Vec<(Loss, bool)> = joined.map(|gain| (gain, false)).collect();
            seen.extend(page.into_iter().map(|item| item.listed.id));
            comparing.add_found(joined)
        },
    )?;
    let gone: Vec<&str> = known_members
        .iter()
        .filter(|(id, known)| known.added && known.at <= comparing.at && !seen.contains(*id))
        .map(|(id, _)| id.as_str())
        .collect();
    if gone.is_empty() {
        return Ok(());
    }
    let mut left = comparing
        .database
        .read::<_, DbError>(|conn| Ok(left(conn, comparing, group_id, group, &gone, &known_members)?))?;
    if left.is_empty() {
        return Ok(());
    }
    // As for people and groups: a member is absent only when two readings lack it.
    let again = absent::listed(comparing, |after| Question::members(directory_id, group_id, after))?;
    left.retain(|loss| loss.user_id.as_ref().is_none_or(|id| !again.contains(id)));
    comparing.losses.extend(left);
    Ok(())
}

fn joined(
    comparing: &Comparing<'_>,
    group_id: &str,
    group: &str,
    known_members: &BTreeMap<String, Known>,
    item: &Item,
) -> Option<Loss> {
    let user_id = &item.listed.id;
    let known = known_members.get(user_id);
    // The stored fact is newer than the list.
    if known.is_some_and(|known| known.added || known.at > comparing.at) {
        return None;
    }
    let (directory_id, at) = (comparing.directory_id, comparing.at);
    let id = format!("{group_id} {user_id}");
    let since = known.map_or_else(|| "unknown here".to_owned(), |known| format!("removed at {}", known.at));
    Some(Loss {
        body: api::observed(
            ListStatement::Member,
            directory_id,
            &id,
            at,
            None,
            &api::pair(directory_id, item.raw.get(), group),
        ),
        difference: Difference {
            kind: "membership",
            id,
            tables: "no member".to_owned(),
            broker: "member".to_owned(),
            cause: format!("the event of its addition was missed ({since})"),
            done: Done::None,
        },
        user_id: Some(user_id.clone()),
        is_access: false,
        by_absence: false,
        is_hidden: false,
    })
}

/// Returns the memberships that are absent from the list. A list of members may omit people without access, so their
/// memberships remain: a person who returns has them again.
fn left(
    conn: &mut Conn,
    comparing: &Comparing<'_>,
    group_id: &str,
    group: &str,
    gone: &[&str],
    known_members: &BTreeMap<String, Known>,
) -> diesel::QueryResult<Vec<Loss>> {
    let mut found = Vec::new();
    let (directory_id, at) = (comparing.directory_id, comparing.at);
    for chunk in gone.chunks(1_000) {
        for (kind, user_id, fact) in facts::on(conn, chunk)? {
            let here = comparing.claims.iter().any(|claim| claim.id == fact.claim_id);
            if kind != EntityKind::User || !here || comparing.is_without_access(&user_id) {
                continue;
            }
            let user = api::aged(known(conn, &fact, &user_id, directory_id, &comparing.claims)?).to_string();
            let is_hidden = !fact.live && !comparing.is_listed(&user_id);
            let id = format!("{group_id} {user_id}");
            let since = known_members.get(&user_id).map_or(at, |known| known.at);
            found.push(Loss {
                body: api::observed(
                    ListStatement::MemberGone,
                    directory_id,
                    &id,
                    at,
                    None,
                    &api::pair(directory_id, &user, group),
                ),
                difference: Difference {
                    kind: "membership",
                    id,
                    tables: "member".to_owned(),
                    broker: "no member".to_owned(),
                    cause: format!("its removal was missed: added at {since}, not listed at {at}"),
                    done: Done::None,
                },
                user_id: Some(user_id),
                is_access: false,
                by_absence: true,
                is_hidden,
            });
        }
    }
    Ok(found)
}
