//! Users with the same `idp_id` in several directories. All of them decide whether they are one person
//! (`decide::namesakes`), so they are derived together. Costs one query for each batch when there are none.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use super::{
    load::{self, rows},
    recompute,
};
use crate::{
    db::{Conn, DbError},
    decide::{
        Rules,
        fact::EntityKind,
        namesakes::{MOST, Place, SeparatePersons, places, separate_persons},
        newest_fact::Homes,
        state::StateSlice,
        users::{self, UserRow},
    },
    tables::{self, Key},
};

/// Users who are derived together.
pub struct Together<'a> {
    pub ids: BTreeSet<String>,
    pub current: HashMap<String, Vec<UserRow>>,
    pub homes: Cow<'a, Homes>,
    pub separate: SeparatePersons,
}

/// Returns these users, their current rows, and all users who must be derived with them.
pub fn together<'a>(
    conn: &mut Conn,
    state: &mut StateSlice,
    ids: &BTreeSet<String>,
    homes: &'a Homes,
    rules: &Rules,
) -> Result<Together<'a>, DbError> {
    let current = current(conn, state, ids, homes)?;
    let mut all =
        Together { ids: ids.clone(), current, homes: Cow::Borrowed(homes), separate: SeparatePersons::new() };
    let (mut seen_keys, mut crowded, mut added) = (BTreeSet::new(), BTreeSet::new(), ids.clone());
    loop {
        let places: BTreeSet<Place> =
            added.iter().flat_map(|id| places(state, id, rows(&all.current, id), &all.homes)).collect();
        let mut shared = shared(conn, &places)?;
        shared.retain(|key| seen_keys.insert(key.clone()));
        // More than [`MOST`] users share such a key even without the loaded ones, so they are not compared. Rounded up
        // to a power of two, because each limit is a statement of its own.
        let most = MOST.saturating_add(all.ids.len()).next_power_of_two();
        crowded.extend(tables::users_by_idp_id::crowded(conn, &shared, most)?);
        shared.retain(|key| !crowded.contains(key));
        added = tables::users_by_idp_id::of_idp_ids(conn, &shared)?;
        added.retain(|id| !all.ids.contains(id));
        if added.is_empty() {
            break;
        }
        load::more(conn, state, added.clone())?;
        for (id, home) in recompute::homes(conn, state, rules)? {
            if !all.homes.contains_key(&id) {
                all.homes.to_mut().insert(id, home);
            }
        }
        let current = self::current(conn, state, &added, &all.homes)?;
        all.current.extend(current);
        all.ids.extend(added.iter().cloned());
    }
    if !seen_keys.is_empty() {
        all.separate = separate_persons(state, &all.ids, &all.current, &all.homes, &crowded);
    }
    Ok(all)
}

fn current(
    conn: &mut Conn,
    state: &mut StateSlice,
    ids: &BTreeSet<String>,
    homes: &Homes,
) -> Result<HashMap<String, Vec<UserRow>>, DbError> {
    let keys: Vec<Key> = load::keys(state, EntityKind::User, ids.iter());
    let current = load::by_id(tables::users::current(conn, &keys)?, |row| &row.id);
    let wanted = ids.iter().flat_map(|id| users::wanted(state, id, rows(&current, id), homes)).collect();
    load::contents(conn, state, &wanted)?;
    Ok(current)
}

/// The (tenant, `idp_id`) that exist in several directories, by these places or by current rows.
fn shared(conn: &mut Conn, places: &BTreeSet<Place>) -> Result<BTreeSet<Key>, DbError> {
    let mut directories: BTreeMap<&Key, usize> = BTreeMap::new();
    for (key, _) in places {
        *directories.entry(key).or_default() += 1;
    }
    let mut shared: BTreeSet<Key> = tables::users_by_idp_id::elsewhere(conn, places)?;
    shared.extend(directories.into_iter().filter(|(_, count)| *count > 1).map(|(key, _)| key.clone()));
    Ok(shared)
}
