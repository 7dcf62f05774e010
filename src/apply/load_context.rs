//! Loads the context in which users are derived: groups, manual grants, and protected roles that a user retains.

use std::collections::{BTreeSet, HashMap};

use super::load::{self, rows};
use crate::{
    db::{Conn, DbError},
    decide::{
        Rules,
        bearers::bearer_of,
        context::{Context, Groups},
        fact::EntityKind,
        namesakes::SeparatePersons,
        newest_fact::Homes,
        rule_input,
        state::StateSlice,
        users::UserRow,
    },
    tables::{
        Key,
        manual_grants::{self, GrantOwner},
        memberships, role_holders,
    },
};

/// Loads everything that counts for the rows of these users, who are derived together.
pub fn context<'a>(
    conn: &mut Conn,
    state: &StateSlice,
    (ids, current): (&BTreeSet<String>, &HashMap<String, Vec<UserRow>>),
    (homes, separate): (&'a Homes, SeparatePersons),
    rules: &'a Rules,
) -> Result<Context<'a>, DbError> {
    let keys: Vec<Key> = load::keys(state, EntityKind::User, ids.iter());
    let mut groups = match rules.mapping.uses_groups() {
        true => memberships::groups_of(conn, &keys)?,
        false => Groups::new(),
    };
    for ((tenant_id, user_id), of_user) in &mut groups {
        // A membership of a former bearer of the id does not count; the view `group_members` leaves it out by the row.
        if let Some((at, event)) = bearer_of(state, user_id, tenant_id).since {
            of_user.retain(|group| (group.since, &group.event) > (at, &event));
        }
    }
    let owners_of = |id: &String| {
        let of = |rule_input::Person { tenant_id, person_id, also }| {
            (GrantOwner { tenant_id, user_id: id.clone(), person_id }, also)
        };
        rule_input::persons(state, id, rows(current, id), homes, &separate)
            .into_iter()
            .map(of)
            .collect::<Vec<_>>()
    };
    let (manual_grants, followed) =
        manual_grants::of(conn, &ids.iter().flat_map(owners_of).collect::<Vec<_>>())?;
    let mut context =
        Context { separate, groups, manual_grants, followed, ..Context::new(homes, &rules.mapping) };
    if rules.mapping.protects() {
        context.retained = role_holders::retained(&role_holders::of(conn, &keys)?);
    }
    Ok(context)
}
