//! Table `manual_grants`: roles that operators give by hand. No event touches it.

use diesel::{
    ExpressionMethods, QueryDsl, QueryResult, QueryableByName, RunQueryDsl,
    sql_types::{BigInt, Text},
};

use super::Key;
use crate::{
    clock::Timestamp,
    db::{Conn, bulk::Rows, schema::manual_grants},
    decide::{around::ByHand, roles::Manual},
};

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    tenant_id: String,
    #[diesel(sql_type = Text)]
    person_id: String,
    #[diesel(sql_type = Text)]
    role_slug: String,
    #[diesel(sql_type = Text)]
    reason: String,
    #[diesel(sql_type = Text)]
    granted_by: String,
    #[diesel(sql_type = BigInt)]
    granted_at: i64,
}

/// A user of a tenant, and the person they are.
pub struct Whose {
    pub tenant_id: String,
    pub user_id: String,
    pub person_id: String,
}

/// Of these, by (tenant, person), sorted by role: given to the person, or to this very user when the person had another id.
pub fn of(conn: &mut Conn, users: &[Whose]) -> QueryResult<ByHand> {
    let rows: Vec<Row> = Rows::of(users)
        .text("tenant_id", |whose| &whose.tenant_id)
        .text("user_id", |whose| &whose.user_id)
        .text("person_id", |whose| &whose.person_id)
        .load(
            conn,
            "SELECT r.tenant_id, r.person_id, m.role_slug, m.reason, m.granted_by, m.granted_at FROM {rows} \
             JOIN manual_grants m ON m.tenant_id = r.tenant_id AND (m.person_id = r.person_id OR m.user_id = r.user_id)",
        )?;
    let mut by_hand = ByHand::new();
    for Row { tenant_id, person_id, role_slug, reason, granted_by, granted_at } in rows {
        let since = Timestamp::from_micros(granted_at);
        let grant = Manual { role: role_slug, since, by: granted_by, reason };
        by_hand.entry((tenant_id, person_id)).or_default().push(grant);
    }
    for grants in by_hand.values_mut() {
        grants.sort_unstable();
        grants.dedup();
    }
    Ok(by_hand)
}

/// The roles given by hand in this tenant, each once.
pub fn roles_in(conn: &mut Conn, tenant_id: &str) -> QueryResult<Vec<String>> {
    manual_grants::table
        .filter(manual_grants::tenant_id.eq(tenant_id))
        .select(manual_grants::role_slug)
        .distinct()
        .load(conn)
}

/// One that exists keeps its place and takes the new reason.
pub fn grant(conn: &mut Conn, whose: &Whose, grant: &Manual) -> QueryResult<()> {
    revoke(conn, &whose.tenant_id, &whose.person_id, &grant.role)?;
    diesel::insert_into(manual_grants::table)
        .values((
            manual_grants::tenant_id.eq(&whose.tenant_id),
            manual_grants::user_id.eq(&whose.user_id),
            manual_grants::person_id.eq(&whose.person_id),
            manual_grants::role_slug.eq(&grant.role),
            manual_grants::reason.eq(&grant.reason),
            manual_grants::granted_by.eq(&grant.by),
            manual_grants::granted_at.eq(grant.since.micros()),
        ))
        .execute(conn)?;
    Ok(())
}

/// False when there is none.
pub fn revoke(conn: &mut Conn, tenant_id: &str, person_id: &str, role: &str) -> QueryResult<bool> {
    let given = manual_grants::table
        .filter(manual_grants::tenant_id.eq(tenant_id))
        .filter(manual_grants::person_id.eq(person_id))
        .filter(manual_grants::role_slug.eq(role));
    Ok(diesel::delete(given).execute(conn)? > 0)
}

/// What was given to these (tenant, user) is the person's that they are now.
pub fn follow(conn: &mut Conn, users: &[Key]) -> QueryResult<()> {
    Rows::of(users).text("tenant_id", |key| &key.0).text("user_id", |key| &key.1).execute(
        conn,
        "UPDATE manual_grants SET person_id = u.person_id FROM {rows} \
         JOIN users u ON u.tenant_id = r.tenant_id AND u.id = r.user_id \
         WHERE manual_grants.tenant_id = r.tenant_id AND manual_grants.user_id = r.user_id \
         AND manual_grants.person_id <> u.person_id",
    )?;
    Ok(())
}

/// All of a person's.
pub fn revoke_all(conn: &mut Conn, tenant_id: &str, person_id: &str) -> QueryResult<()> {
    let of_person = manual_grants::table
        .filter(manual_grants::tenant_id.eq(tenant_id))
        .filter(manual_grants::person_id.eq(person_id));
    diesel::delete(of_person).execute(conn)?;
    Ok(())
}

/// All, for a fold somewhere else.
pub fn copy(from: &mut Conn, to: &mut Conn) -> QueryResult<()> {
    let rows: Vec<(String, String, String, String, String, String, i64)> = manual_grants::table.load(from)?;
    for (tenant_id, user_id, person_id, role, reason, by, at) in rows {
        let manual = Manual { role, since: Timestamp::from_micros(at), by, reason };
        grant(to, &Whose { tenant_id, user_id, person_id }, &manual)?;
    }
    Ok(())
}
