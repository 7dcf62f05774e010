//! Table `manual_grants`: roles that operators granted. No event changes it.

use std::collections::{BTreeSet, HashMap};

use diesel::{
    ExpressionMethods, QueryDsl, QueryResult, QueryableByName, RunQueryDsl,
    sql_types::{BigInt, Text},
};

use crate::{
    db::{Conn, Serialized, bulk::Rows, schema::manual_grants},
    decide::{context::ManualGrants, roles::Manual},
    runtime::clock::Timestamp,
};

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    tenant_id: String,
    #[diesel(sql_type = Text)]
    person_id: String,
    #[diesel(sql_type = Text)]
    given_to: String,
    /// The user for whom it was granted.
    #[diesel(sql_type = Text)]
    given_for: String,
    #[diesel(sql_type = Text)]
    role_slug: String,
    #[diesel(sql_type = Text)]
    reason: String,
    #[diesel(sql_type = Text)]
    granted_by: String,
    #[diesel(sql_type = BigInt)]
    granted_at: i64,
}

/// A user of a tenant with the person.
pub struct GrantOwner {
    /// The tenant.
    pub tenant_id: String,
    /// The user for whom it was granted.
    pub user_id: String,
    /// The person.
    pub person_id: String,
}

/// Each half of the search has an index.
const GIVEN: &str = "g.tenant_id, g.person_id, m.person_id AS given_to, m.user_id AS given_for, m.role_slug, m.reason, \
     m.granted_by, m.granted_at FROM given g JOIN manual_grants m ON m.tenant_id = g.tenant_id";

/// The grants of these users by (tenant, person), sorted by role: grants to the person, and grants to this user under
/// another person id of the same person (the set). A grant to a former bearer of the id does not count. Also returns
/// the grants that must [`follow`] the person.
pub fn of(
    conn: &mut Conn,
    users: &[(GrantOwner, BTreeSet<String>)],
) -> QueryResult<(ManualGrants, Vec<[String; 4]>)> {
    let rows: Vec<Row> = Rows::of(users)
        .text("tenant_id", |(owner, _)| &owner.tenant_id)
        .text("user_id", |(owner, _)| &owner.user_id)
        .text("person_id", |(owner, _)| &owner.person_id)
        .load(
            conn,
            &format!(
                "WITH given AS MATERIALIZED (SELECT r.tenant_id, r.user_id, r.person_id FROM {{rows}}) \
                 SELECT {GIVEN} AND m.person_id = g.person_id UNION ALL \
                 SELECT {GIVEN} AND m.user_id = g.user_id AND m.person_id <> g.person_id"
            ),
        )?;
    let known: HashMap<(&str, &str), &(GrantOwner, BTreeSet<String>)> =
        users.iter().map(|user| ((user.0.tenant_id.as_str(), user.0.user_id.as_str()), user)).collect();
    let (mut manual_grants, mut followed) = (ManualGrants::new(), BTreeSet::new());
    for Row { tenant_id, person_id, given_to, given_for, role_slug, reason, granted_by, granted_at } in rows {
        // The grant belongs to the user's current person, but a grant to a former bearer of the id remains theirs.
        let holder = match known.get(&(tenant_id.as_str(), given_for.as_str())) {
            Some((now, also)) if also.contains(&given_to) => &now.person_id,
            _ => &given_to,
        };
        if *holder != given_to {
            followed.insert([tenant_id.clone(), given_for, given_to.clone(), holder.clone()]);
        }
        if *holder != person_id {
            continue;
        }
        let since = Timestamp::from_micros(granted_at);
        let grant = Manual { role: role_slug, since, by: granted_by, reason };
        manual_grants.entry((tenant_id, person_id)).or_default().push(grant);
    }
    for grants in manual_grants.values_mut() {
        grants.sort_unstable();
        grants.dedup();
    }
    Ok((manual_grants, followed.into_iter().collect()))
}

/// The manually granted roles of this tenant, each once.
pub fn roles_in(conn: &mut Conn, tenant_id: &str) -> QueryResult<Vec<String>> {
    manual_grants::table
        .filter(manual_grants::tenant_id.eq(tenant_id))
        .select(manual_grants::role_slug)
        .distinct()
        .load(conn)
}

/// Adds a grant. An existing grant gets the new reason.
pub fn grant(conn: &mut Serialized<'_>, owner: &GrantOwner, grant: &Manual) -> QueryResult<()> {
    revoke(conn, &owner.tenant_id, &owner.person_id, &grant.role)?;
    diesel::insert_into(manual_grants::table)
        .values((
            manual_grants::tenant_id.eq(&owner.tenant_id),
            manual_grants::user_id.eq(&owner.user_id),
            manual_grants::person_id.eq(&owner.person_id),
            manual_grants::role_slug.eq(&grant.role),
            manual_grants::reason.eq(&grant.reason),
            manual_grants::granted_by.eq(&grant.by),
            manual_grants::granted_at.eq(grant.since.micros()),
        ))
        .execute(&mut **conn)?;
    Ok(())
}

/// Deletes a grant. False if there is none.
pub fn revoke(conn: &mut Serialized<'_>, tenant_id: &str, person_id: &str, role: &str) -> QueryResult<bool> {
    let given = manual_grants::table
        .filter(manual_grants::tenant_id.eq(tenant_id))
        .filter(manual_grants::person_id.eq(person_id))
        .filter(manual_grants::role_slug.eq(role));
    Ok(diesel::delete(given).execute(&mut **conn)? > 0)
}

/// Moves the grants of these users to their current person, unless that person already has the grant.
pub fn follow(conn: &mut Serialized<'_>, users: &[[String; 4]]) -> QueryResult<()> {
    if users.is_empty() {
        return Ok(());
    }
    Rows::of(users)
        .text("tenant_id", |[tenant_id, ..]| tenant_id)
        .text("user_id", |[_, user_id, ..]| user_id)
        .text("was", |[_, _, was, _]| was)
        .text("is_now", |[.., now]| now)
        .execute(
            conn,
            "UPDATE manual_grants SET person_id = r.is_now FROM {rows} \
             WHERE manual_grants.tenant_id = r.tenant_id AND manual_grants.user_id = r.user_id \
             AND manual_grants.person_id = r.was AND NOT EXISTS (SELECT 1 FROM manual_grants x \
             WHERE x.tenant_id = r.tenant_id AND x.user_id = r.user_id AND x.person_id = r.is_now \
             AND x.role_slug = manual_grants.role_slug)",
        )?;
    Ok(())
}

/// Deletes all grants of a person.
pub fn revoke_all(conn: &mut Serialized<'_>, tenant_id: &str, person_id: &str) -> QueryResult<()> {
    let of_person = manual_grants::table
        .filter(manual_grants::tenant_id.eq(tenant_id))
        .filter(manual_grants::person_id.eq(person_id));
    diesel::delete(of_person).execute(&mut **conn)?;
    Ok(())
}

/// Copies all grants into the temporary database of a rebuild.
pub fn copy(from: &mut Conn, to: &mut Serialized<'_>) -> QueryResult<()> {
    let rows: Vec<(String, String, String, String, String, String, i64)> = manual_grants::table.load(from)?;
    for (tenant_id, user_id, person_id, role, reason, by, at) in rows {
        let manual = Manual { role, since: Timestamp::from_micros(at), by, reason };
        grant(to, &GrantOwner { tenant_id, user_id, person_id }, &manual)?;
    }
    Ok(())
}
