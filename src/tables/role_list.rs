//! Table `roles`: the roles of each tenant: roles that the mapping declares, slugs that the broker names and the
//! mapping accepts, and manually granted roles.

use std::collections::{BTreeMap, BTreeSet};

use diesel::{ExpressionMethods, JoinOnDsl, QueryDsl, QueryResult, RunQueryDsl, dsl::exists, select};

use super::{host_tables::ROLES, manual_grants};
use crate::{
    db::{
        Conn, Serialized,
        bulk::{Rows, Upsert},
        row_by_row::write_allowed,
        schema::{claims, role_mentions, roles, tenants},
    },
    decide::mapping::Mapping,
    feed::watch,
};

/// A role that was added to a tenant's list, renamed or removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relisted {
    /// The tenant.
    pub tenant_id: String,
    /// The role.
    pub slug: String,
    /// Its name before; `None` if it was not listed.
    pub was: Option<String>,
    /// Its name now; `None` if it is no longer listed.
    pub is: Option<String>,
}

/// Updates the lists of these tenants and returns the changes. A tenant that does not exist has no list.
pub fn settle(
    conn: &mut Serialized<'_>,
    mapping: &Mapping,
    tenant_ids: &BTreeSet<String>,
) -> QueryResult<Vec<Relisted>> {
    let mut relisted = Vec::new();
    for tenant_id in tenant_ids {
        let current: Vec<(String, String)> = roles::table
            .filter(roles::tenant_id.eq(tenant_id))
            .select((roles::slug, roles::name))
            .load(&mut **conn)?;
        let mut current: BTreeMap<String, String> = current.into_iter().collect();
        let mut differ = |slug, was: Option<String>, is: Option<String>| {
            if was != is {
                relisted.push(Relisted { tenant_id: tenant_id.clone(), slug, was, is });
            }
        };
        for (slug, name) in wanted(conn, mapping, tenant_id)? {
            let was = current.remove(&slug);
            differ(slug, was, Some(name));
        }
        for (slug, name) in current {
            differ(slug, Some(name), None);
        }
    }
    watch::begin(conn, &ROLES, relisted.iter().map(|role| vec![role.tenant_id.clone(), role.slug.clone()]))?;
    let gone: Vec<Relisted> = relisted.iter().filter(|role| role.is.is_none()).cloned().collect();
    for retained in write_allowed(conn, &gone, &delete)? {
        tracing::warn!(
            tenant.id = retained.row.tenant_id,
            role = retained.row.slug,
            error = retained.detail,
            "a row of the application keeps a role in the list that nobody has any more; the next change of the list tries again"
        );
        relisted.retain(|role| *role != retained.row);
    }
    let put: Vec<(&Relisted, &str)> =
        relisted.iter().filter_map(|role| Some((role, role.is.as_deref()?))).collect();
    Rows::of(&put)
        .text("tenant_id", |(role, _)| &role.tenant_id)
        .text("slug", |(role, _)| &role.slug)
        .text("name", |(_, name)| name)
        .upsert(
            conn,
            &Upsert { table: "roles", key: &["tenant_id", "slug"], set: &["name"], ..Upsert::PLAIN },
        )?;
    Ok(relisted)
}

fn delete(conn: &mut Serialized<'_>, gone: &[Relisted]) -> QueryResult<()> {
    Rows::of(gone).text("tenant_id", |role| &role.tenant_id).text("slug", |role| &role.slug).execute(
        conn,
        "DELETE FROM roles WHERE (tenant_id, slug) IN (SELECT r.tenant_id, r.slug FROM {rows})",
    )?;
    Ok(())
}

/// The slugs of a tenant's roles, sorted.
pub fn of(conn: &mut Conn, tenant_id: &str) -> QueryResult<Vec<String>> {
    roles::table.filter(roles::tenant_id.eq(tenant_id)).order(roles::slug).select(roles::slug).load(conn)
}

fn wanted(conn: &mut Conn, mapping: &Mapping, tenant_id: &str) -> QueryResult<BTreeMap<String, String>> {
    let exists: bool = select(exists(tenants::table.find(tenant_id))).get_result(conn)?;
    if !exists {
        return Ok(BTreeMap::new());
    }
    let mentioned: Vec<String> = role_mentions::table
        .inner_join(claims::table.on(claims::id.eq(role_mentions::claim_id)))
        .filter(claims::tenant_id.eq(tenant_id))
        .select(role_mentions::slug)
        .distinct()
        .load(conn)?;
    let manual_grants = manual_grants::roles_in(conn, tenant_id)?;
    let listed = mapping.of(tenant_id).listed(mentioned.iter().map(String::as_str));
    let mut wanted: BTreeMap<String, String> =
        listed.into_iter().map(|(slug, name)| (slug.to_owned(), name.to_owned())).collect();
    for slug in manual_grants {
        wanted.entry(slug.clone()).or_insert(slug);
    }
    Ok(wanted)
}
