//! Tables `role_mentions`, `roles` and `user_roles`.

use diesel::{QueryResult, QueryableByName, sql_types::BigInt};

use crate::{
    db::{Conn, bulk::Rows},
    decide::roles::PASS_THROUGH,
};

/// Slugs named under a claim; `roles` lists them for the tenant that the claim stands for.
pub fn mention(conn: &mut Conn, mentions: &[(&(i64, String), &i64)]) -> QueryResult<()> {
    let rows = || {
        Rows::of(mentions)
            .integer("claim_id", |(of, _)| of.0)
            .text("slug", |(of, _)| &of.1)
            .integer("inbox_id", |(_, by)| **by)
    };
    rows().execute(
        conn,
        "INSERT INTO role_mentions (claim_id, slug, inbox_id) SELECT r.claim_id, r.slug, r.inbox_id FROM {rows} WHERE true \
         ON CONFLICT (claim_id, slug) DO NOTHING",
    )?;
    rows().execute(
        conn,
        "INSERT INTO roles (tenant_id, slug, name) SELECT DISTINCT c.tenant_id, r.slug, r.slug FROM {rows} \
         JOIN claims c ON c.id = r.claim_id WHERE c.tenant_id IS NOT NULL ON CONFLICT (tenant_id, slug) DO NOTHING",
    )?;
    Ok(())
}

#[derive(QueryableByName)]
struct Holder {
    #[diesel(sql_type = BigInt)]
    inbox_id: i64,
}

/// The deliveries that mentions under these claims rest on.
pub fn evidence(conn: &mut Conn, claim_ids: &[i64]) -> QueryResult<Vec<i64>> {
    let holders: Vec<Holder> = Rows::of(claim_ids)
        .integer("claim_id", |id| *id)
        .load(conn, "SELECT m.inbox_id FROM {rows} JOIN role_mentions m ON m.claim_id = r.claim_id")?;
    Ok(holders.into_iter().map(|holder| holder.inbox_id).collect())
}

/// After a claim has moved: brings the roles of these tenants to what their claims name.
pub fn settle(conn: &mut Conn, tenant_ids: &[String]) -> QueryResult<()> {
    let rows = || Rows::of(tenant_ids).text("tenant_id", String::as_str);
    rows().execute(
        conn,
        "INSERT INTO roles (tenant_id, slug, name) SELECT DISTINCT c.tenant_id, m.slug, m.slug FROM {rows} \
         JOIN claims c ON c.tenant_id = r.tenant_id JOIN role_mentions m ON m.claim_id = c.id WHERE true \
         ON CONFLICT (tenant_id, slug) DO NOTHING",
    )?;
    rows().execute(
        conn,
        "DELETE FROM roles WHERE tenant_id IN (SELECT r.tenant_id FROM {rows}) AND NOT EXISTS (\
         SELECT 1 FROM role_mentions m JOIN claims c ON c.id = m.claim_id \
         WHERE c.tenant_id = roles.tenant_id AND m.slug = roles.slug)",
    )?;
    Ok(())
}

/// One role of one user.
pub struct Assignment<'a> {
    pub tenant_id: &'a str,
    pub user_id: &'a str,
    pub role_slug: &'a str,
}

fn rows<'a>(assignments: &'a [Assignment<'a>]) -> Rows<'a, Assignment<'a>> {
    Rows::of(assignments)
        .text("tenant_id", |a| a.tenant_id)
        .text("user_id", |a| a.user_id)
        .text("role_slug", |a| a.role_slug)
}

pub fn revoke(conn: &mut Conn, assignments: &[Assignment<'_>]) -> QueryResult<()> {
    rows(assignments).execute(
        conn,
        "DELETE FROM user_roles WHERE (tenant_id, user_id, role_slug) IN \
         (SELECT r.tenant_id, r.user_id, r.role_slug FROM {rows})",
    )?;
    Ok(())
}

/// `granted_at` is the broker's time of the newest word on the user, which says that the role holds.
pub fn grant(conn: &mut Conn, assignments: &[Assignment<'_>]) -> QueryResult<()> {
    rows(assignments).execute(
        conn,
        &format!(
            "INSERT INTO user_roles (tenant_id, user_id, role_slug, granted_by, granted_at) \
             SELECT r.tenant_id, r.user_id, r.role_slug, '{PASS_THROUGH}', u.updated_at FROM {{rows}} \
             JOIN users u ON u.tenant_id = r.tenant_id AND u.id = r.user_id WHERE true \
             ON CONFLICT (tenant_id, user_id, role_slug) DO UPDATE \
             SET granted_by = excluded.granted_by, granted_at = excluded.granted_at \
             WHERE (excluded.granted_by, excluded.granted_at) <> (user_roles.granted_by, user_roles.granted_at)"
        ),
    )?;
    Ok(())
}
