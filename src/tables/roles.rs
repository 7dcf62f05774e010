//! Tables `role_mentions` (slugs in the broker's role field) and `user_roles` (role assignments).

use std::collections::{BTreeSet, HashMap, HashSet};

use diesel::{
    QueryResult, QueryableByName,
    sql_types::{BigInt, Text},
};

use super::{Key, host_tables::USER_ROLES};
use crate::{
    db::{
        Conn, Serialized,
        bulk::{Rows, Upsert},
    },
    decide::roles::Since,
    feed::watch::{self, RowKey},
};

#[derive(QueryableByName)]
struct Mentioned {
    #[diesel(sql_type = BigInt)]
    claim_id: i64,
}

/// Adds slugs that events under a claim name. Returns the claims with a new slug.
pub fn mention(conn: &mut Serialized<'_>, mentions: &[(&(i64, String), &i64)]) -> QueryResult<BTreeSet<i64>> {
    let new: Vec<Mentioned> = Rows::of(mentions)
        .integer("claim_id", |(of, _)| of.0)
        .text("slug", |(of, _)| &of.1)
        .integer("inbox_id", |(_, by)| **by)
        .load(
            conn,
            "INSERT INTO role_mentions (claim_id, slug, inbox_id) SELECT r.claim_id, r.slug, r.inbox_id FROM {rows} \
             WHERE true ON CONFLICT (claim_id, slug) DO NOTHING RETURNING claim_id",
        )?;
    Ok(new.into_iter().map(|row| row.claim_id).collect())
}

#[derive(QueryableByName)]
struct Holder {
    #[diesel(sql_type = BigInt)]
    inbox_id: i64,
}

/// The deliveries from which mentions under these claims were derived.
pub fn evidence(conn: &mut Conn, claim_ids: &[i64]) -> QueryResult<Vec<i64>> {
    let holders: Vec<Holder> = Rows::of(claim_ids)
        .integer("claim_id", |id| *id)
        .load(conn, "SELECT m.inbox_id FROM {rows} JOIN role_mentions m ON m.claim_id = r.claim_id")?;
    Ok(holders.into_iter().map(|holder| holder.inbox_id).collect())
}

#[derive(QueryableByName)]
struct Held {
    #[diesel(sql_type = Text)]
    tenant_id: String,
    #[diesel(sql_type = Text)]
    user_id: String,
    #[diesel(sql_type = Text)]
    role_slug: String,
}

/// The role assignments of these users.
pub fn held(conn: &mut Conn, users: &[Key]) -> QueryResult<HashMap<Key, BTreeSet<String>>> {
    let rows: Vec<Held> =
        Rows::of(users).text("tenant_id", |key| &key.0).text("user_id", |key| &key.1).load(
            conn,
            "SELECT u.tenant_id, u.user_id, u.role_slug FROM {rows} \
         JOIN user_roles u ON u.tenant_id = r.tenant_id AND u.user_id = r.user_id",
        )?;
    let mut held: HashMap<Key, BTreeSet<String>> = HashMap::new();
    for Held { tenant_id, user_id, role_slug } in rows {
        held.entry((tenant_id, user_id)).or_default().insert(role_slug);
    }
    Ok(held)
}

/// Whether anybody of the tenant holds the role.
pub fn is_held(conn: &mut Conn, tenant_id: &str, role: &str) -> QueryResult<bool> {
    let found: Vec<Held> =
        Rows::of(&[(tenant_id, role)]).text("tenant_id", |key| key.0).text("role", |key| key.1).load(
            conn,
            "SELECT u.tenant_id, u.user_id, u.role_slug FROM {rows} \
         JOIN user_roles u ON u.tenant_id = r.tenant_id AND u.role_slug = r.role LIMIT 1",
        )?;
    Ok(!found.is_empty())
}

/// One role of one user.
#[derive(Clone, Copy)]
pub struct Assignment<'a> {
    /// The tenant.
    pub tenant_id: &'a str,
    /// The user.
    pub user_id: &'a str,
    /// The role.
    pub role_slug: &'a str,
}

impl Assignment<'_> {
    fn key(&self) -> RowKey {
        [self.tenant_id, self.user_id, self.role_slug].map(str::to_owned).to_vec()
    }
}

fn rows<'a>(assignments: &'a [Assignment<'a>]) -> Rows<'a, Assignment<'a>> {
    Rows::of(assignments)
        .text("tenant_id", |a| a.tenant_id)
        .text("user_id", |a| a.user_id)
        .text("role_slug", |a| a.role_slug)
}

/// Deletes assignments.
pub fn revoke(conn: &mut Serialized<'_>, assignments: &[Assignment<'_>]) -> QueryResult<()> {
    watch::begin(conn, &USER_ROLES, assignments.iter().map(Assignment::key))?;
    rows(assignments).execute(
        conn,
        "DELETE FROM user_roles WHERE (tenant_id, user_id, role_slug) IN \
         (SELECT r.tenant_id, r.user_id, r.role_slug FROM {rows})",
    )?;
    Ok(())
}

/// An assignment with its reason.
#[derive(Clone)]
pub struct Grant<'a> {
    /// The user and the role.
    pub assignment: Assignment<'a>,
    /// The text of `granted_by`.
    pub by: String,
    /// The time of `granted_at`.
    pub since: Since,
}

const GRANT: Upsert<'_> = Upsert {
    table: "user_roles",
    key: &["tenant_id", "user_id", "role_slug"],
    set: &["granted_by", "granted_at"],
    only_if: Some("({new}.granted_by, {new}.granted_at) <> (user_roles.granted_by, user_roles.granted_at)"),
    of: GRANTED,
    ..Upsert::PLAIN
};

const GRANTED: &str = "SELECT r.tenant_id, r.user_id, r.role_slug, r.granted_by, CASE WHEN r.since IS NULL \
     OR (r.newest_word AND u.updated_at > r.since) THEN u.updated_at ELSE r.since END AS granted_at \
     FROM {rows} JOIN users u ON u.tenant_id = r.tenant_id AND u.id = r.user_id";

/// Writes assignments. Nearly all of them are as they were, so those that differ are found first.
pub fn grant(conn: &mut Serialized<'_>, grants: &[Grant<'_>]) -> QueryResult<()> {
    let differing: Vec<Held> = columns(grants).load(
        conn,
        &format!(
            "SELECT new.tenant_id, new.user_id, new.role_slug FROM ({GRANTED}) AS new \
             LEFT JOIN user_roles h ON h.tenant_id = new.tenant_id AND h.user_id = new.user_id AND h.role_slug = new.role_slug \
             WHERE h.role_slug IS NULL OR (new.granted_by, new.granted_at) <> (h.granted_by, h.granted_at)"
        ),
    )?;
    let keys: HashSet<[&str; 3]> =
        differing.iter().map(|row| [row.tenant_id.as_str(), &row.user_id, &row.role_slug]).collect();
    let differing: Vec<Grant<'_>> = grants
        .iter()
        .filter(|grant| {
            let Assignment { tenant_id, user_id, role_slug } = grant.assignment;
            keys.contains(&[tenant_id, user_id, role_slug])
        })
        .cloned()
        .collect();
    watch::begin(conn, &USER_ROLES, differing.iter().map(|grant| grant.assignment.key()))?;
    columns(&differing).upsert(conn, &GRANT)
}

fn columns<'a>(grants: &'a [Grant<'a>]) -> Rows<'a, Grant<'a>> {
    Rows::of(grants)
        .text("tenant_id", |grant| grant.assignment.tenant_id)
        .text("user_id", |grant| grant.assignment.user_id)
        .text("role_slug", |grant| grant.assignment.role_slug)
        .text("granted_by", |grant| &grant.by)
        .time("since", |grant| grant.since.at)
        .boolean("newest_word", |grant| grant.since.newest_fact)
}
