//! Table `memberships`: the newest word on each membership. What shows of it is the view `group_members`, so a
//! membership waits for its user and group without being looked at again (lesson 13).

use diesel::{QueryResult, QueryableByName, sql_types::BigInt};

use crate::{
    db::{Conn, bulk::Rows},
    fact::Membership,
};

pub struct NewMembership<'a> {
    pub membership: &'a Membership,
    pub claim_id: i64,
    pub inbox_id: i64,
}

/// Keeps whichever word is newer, the stored one or this.
pub fn upsert(conn: &mut Conn, memberships: &[NewMembership<'_>]) -> QueryResult<()> {
    Rows::of(memberships)
        .text("group_id", |new| &new.membership.group_id)
        .text("user_id", |new| &new.membership.user_id)
        .integer("claim_id", |new| new.claim_id)
        .integer("at", |new| new.membership.version.at.micros())
        .text("event", |new| &new.membership.version.event)
        .boolean("added", |new| new.membership.added)
        .integer("inbox_id", |new| new.inbox_id)
        .execute(
            conn,
            "INSERT INTO memberships (group_id, user_id, claim_id, at, event, added, inbox_id) \
             SELECT r.group_id, r.user_id, r.claim_id, r.at, r.event, r.added, r.inbox_id FROM {rows} WHERE true \
             ON CONFLICT (group_id, user_id, claim_id) DO UPDATE SET at = excluded.at, event = excluded.event, \
             added = excluded.added, inbox_id = excluded.inbox_id \
             WHERE (excluded.at, excluded.event) > (memberships.at, memberships.event)",
        )?;
    Ok(())
}

#[derive(QueryableByName)]
struct Holder {
    #[diesel(sql_type = BigInt)]
    inbox_id: i64,
}

/// The deliveries that hold the newest words on these (group, user) pairs.
pub fn evidence(conn: &mut Conn, pairs: &[(String, String)]) -> QueryResult<Vec<i64>> {
    let holders: Vec<Holder> =
        Rows::of(pairs).text("group_id", |pair| &pair.0).text("user_id", |pair| &pair.1).load(
            conn,
            "SELECT m.inbox_id FROM {rows} JOIN memberships m ON m.group_id = r.group_id AND m.user_id = r.user_id",
        )?;
    Ok(holders.into_iter().map(|holder| holder.inbox_id).collect())
}
