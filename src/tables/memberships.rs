//! Table `memberships`: the latest fact about each membership. The view `group_members` shows a membership as soon as
//! its user and group exist, so no later work is needed for it (lesson 13).

use std::collections::HashMap;

use diesel::{
    ExpressionMethods, QueryDsl, QueryResult, QueryableByName, RunQueryDsl,
    sql_types::{BigInt, Text},
};

use super::{Key, code};
use crate::{
    db::{
        Conn, Serialized,
        bulk::{Rows, Upsert},
        schema::memberships,
    },
    decide::{
        context::Groups,
        fact::{EntityKind, Membership},
        mapping::condition,
        protected_roles::RoleLoss,
    },
    runtime::clock::Timestamp,
};

/// A fact about a membership that must be joined.
pub struct NewMembership<'a> {
    /// The fact.
    pub membership: &'a Membership,
    /// The claim of its event.
    pub claim_id: i64,
    /// Its delivery.
    pub inbox_id: i64,
}

const MEMBERSHIP: Upsert<'_> = Upsert {
    table: "memberships",
    key: &["group_id", "user_id", "claim_id"],
    set: &["at", "event", "added", "inbox_id"],
    only_if: Some("({new}.at, {new}.event) > (memberships.at, memberships.event)"),
    ..Upsert::PLAIN
};

/// Stores the facts that are newer than the stored ones.
pub fn upsert(conn: &mut Serialized<'_>, memberships: &[NewMembership<'_>]) -> QueryResult<()> {
    Rows::of(memberships)
        .text("group_id", |new| &new.membership.group_id)
        .text("user_id", |new| &new.membership.user_id)
        .integer("claim_id", |new| new.claim_id)
        .integer("at", |new| new.membership.version.at.micros())
        .text("event", |new| &new.membership.version.event)
        .boolean("added", |new| new.membership.added)
        .integer("inbox_id", |new| new.inbox_id)
        .upsert(conn, &MEMBERSHIP)?;
    Ok(())
}

/// The latest fact about a membership of a group: (user, its time, its event, added, claim).
pub type Standing = (String, i64, String, bool, i64);

/// The latest facts about the memberships of a group, under these claims.
pub fn of_group(conn: &mut Conn, group_id: &str, claim_ids: &[i64]) -> QueryResult<Vec<Standing>> {
    memberships::table
        .filter(memberships::group_id.eq(group_id))
        .filter(memberships::claim_id.eq_any(claim_ids))
        .select((
            memberships::user_id,
            memberships::at,
            memberships::event,
            memberships::added,
            memberships::claim_id,
        ))
        .load(conn)
}

#[derive(QueryableByName)]
struct Holder {
    #[diesel(sql_type = BigInt)]
    inbox_id: i64,
}

/// The deliveries of the latest facts about these (group, user) pairs.
pub fn evidence(conn: &mut Conn, pairs: &[(String, String)]) -> QueryResult<Vec<i64>> {
    let holders: Vec<Holder> =
        Rows::of(pairs).text("group_id", |pair| &pair.0).text("user_id", |pair| &pair.1).load(
            conn,
            "SELECT m.inbox_id FROM {rows} JOIN memberships m ON m.group_id = r.group_id AND m.user_id = r.user_id",
        )?;
    Ok(holders.into_iter().map(|holder| holder.inbox_id).collect())
}

#[derive(QueryableByName)]
struct Group {
    #[diesel(sql_type = Text)]
    tenant_id: String,
    #[diesel(sql_type = Text)]
    user_id: String,
    #[diesel(sql_type = Text)]
    group_id: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    directory_id: String,
    #[diesel(sql_type = BigInt)]
    at: i64,
    #[diesel(sql_type = Text)]
    event: String,
}

/// The existing groups of these users, with or without access, by the rules of `group_members`. A membership from
/// before the group's newest deletion does not count, also after the group was created again.
pub fn groups_of(conn: &mut Conn, users: &[Key]) -> QueryResult<Groups> {
    let rows: Vec<Group> = Rows::of(users).text("tenant_id", |key| &key.0).text("user_id", |key| &key.1).load(
        conn,
        "SELECT r.tenant_id, r.user_id, g.id AS group_id, g.name, g.directory_id, m.at, m.event FROM {rows} \
         JOIN memberships m ON m.user_id = r.user_id \
         JOIN claims c ON c.id = m.claim_id AND c.tenant_id = r.tenant_id \
         JOIN groups g ON g.tenant_id = r.tenant_id AND g.id = m.group_id \
         WHERE m.added AND NOT EXISTS (SELECT 1 FROM memberships n JOIN claims d ON d.id = n.claim_id \
         WHERE n.group_id = m.group_id AND n.user_id = m.user_id AND d.tenant_id = c.tenant_id \
         AND (n.at, n.event) > (m.at, m.event)) \
         AND NOT EXISTS (SELECT 1 FROM facts f JOIN claims e ON e.id = f.claim_id \
         WHERE f.id = m.group_id AND f.kind = 3 AND e.tenant_id = c.tenant_id \
         AND (f.ended_at, f.ended_event) >= (m.at, m.event))",
    )?;
    let mut groups = Groups::new();
    for Group { tenant_id, user_id, group_id, name, directory_id, at, event } in rows {
        let since = Timestamp::from_micros(at);
        let group = condition::GroupMembership { group_id, name, directory_id, since, event };
        groups.entry((tenant_id, user_id)).or_default().push(group);
    }
    for of_user in groups.values_mut() {
        of_user.sort_unstable();
        of_user.dedup_by(|a, b| a.group_id == b.group_id);
    }
    Ok(groups)
}

#[derive(QueryableByName)]
struct Newest {
    #[diesel(sql_type = Text)]
    tenant_id: String,
    #[diesel(sql_type = Text)]
    user_id: String,
    #[diesel(sql_type = BigInt)]
    at: i64,
    #[diesel(sql_type = Text)]
    event: String,
}

/// The latest fact about a membership of each user, or about a group of the user.
pub fn newest_context(conn: &mut Conn, users: &[Key]) -> QueryResult<HashMap<Key, RoleLoss>> {
    let facts: Vec<Newest> =
        Rows::of(users).text("tenant_id", |key| &key.0).text("user_id", |key| &key.1).load(
            conn,
            "SELECT r.tenant_id, r.user_id, CASE WHEN f.at > m.at THEN f.at ELSE m.at END AS at, \
             CASE WHEN f.at > m.at THEN f.event ELSE m.event END AS event FROM {rows} \
             JOIN memberships m ON m.user_id = r.user_id \
             JOIN claims c ON c.id = m.claim_id AND c.tenant_id = r.tenant_id \
             LEFT JOIN facts f ON f.id = m.group_id AND f.kind = 3 \
             AND f.claim_id IN (SELECT e.id FROM claims e WHERE e.tenant_id = c.tenant_id)",
        )?;
    let mut newest: HashMap<Key, RoleLoss> = HashMap::new();
    for Newest { tenant_id, user_id, at, event } in facts {
        let fact = RoleLoss { at: Timestamp::from_micros(at), event };
        let newest_fact = newest.entry((tenant_id, user_id)).or_insert_with(|| fact.clone());
        *newest_fact = fact.max(newest_fact.clone());
    }
    Ok(newest)
}

/// The next users who are or were in a group, sorted, after one of them.
pub fn members(
    conn: &mut Conn,
    group_id: &str,
    after: &str,
    limit: usize,
) -> QueryResult<Vec<(String, i16)>> {
    let ids: Vec<String> = memberships::table
        .filter(memberships::group_id.eq(group_id))
        .filter(memberships::user_id.gt(after))
        .order(memberships::user_id)
        .select(memberships::user_id)
        .distinct()
        .limit(i64::try_from(limit).unwrap_or(i64::MAX))
        .load(conn)?;
    Ok(ids.into_iter().map(|id| (id, code(EntityKind::User))).collect())
}
