//! Users and groups of a tenant in pages, for the application's reads by SCIM.

use std::collections::{HashMap, HashSet};

use diesel::{
    QueryResult, QueryableByName,
    sql_types::{BigInt, Text},
};
use serde_json::{Map, Value};

use super::host_tables::{ColumnType, GROUPS, PublishedTable, USERS};
use crate::db::{Conn, bulk::Rows, time_as_text};

/// A row with its documented columns.
#[derive(Clone, Debug)]
pub struct Listing {
    /// The id.
    pub id: String,
    /// The columns by name.
    pub columns: Map<String, Value>,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    row: String,
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

const fn table(is_user: bool) -> PublishedTable {
    if is_user { USERS } else { GROUPS }
}

/// The documented columns of a row `t` as a JSON array in a text.
fn columns(conn: &Conn, of: PublishedTable) -> String {
    let postgres = matches!(conn, Conn::Postgres(_));
    let expression = |(name, kind): &(&str, ColumnType)| match kind {
        ColumnType::Time => time_as_text(conn, &format!("t.{name}")),
        ColumnType::Json if !postgres => format!("json(t.{name})"),
        _ => format!("t.{name}"),
    };
    let list: Vec<String> = of.columns.iter().map(expression).collect();
    match postgres {
        true => format!("jsonb_build_array({})::text AS row", list.join(", ")),
        false => format!("json_array({}) AS row", list.join(", ")),
    }
}

fn listings(of: PublishedTable, rows: Vec<Row>) -> Vec<Listing> {
    let listing = |row: Row| {
        let values: Vec<Value> = serde_json::from_str(&row.row).ok()?;
        let columns: Map<String, Value> = of.names().map(str::to_owned).zip(values).collect();
        let id = columns.get("id")?.as_str()?.to_owned();
        Some(Listing { id, columns })
    };
    rows.into_iter().filter_map(listing).collect()
}

/// The number of users or groups of a tenant.
pub fn count(conn: &mut Conn, is_user: bool, tenant_id: &str) -> QueryResult<usize> {
    let of = table(is_user).name;
    let counts: Vec<Count> = Rows::of(&[tenant_id]).text("tenant_id", |id| id).load(
        conn,
        &format!("SELECT COUNT(*) AS number FROM {{rows}} JOIN {of} t ON t.tenant_id = r.tenant_id"),
    )?;
    Ok(counts.first().map_or(0, |count| usize::try_from(count.number).unwrap_or(0)))
}

/// Rows in the order of their ids, after `after` and `skip` more.
pub fn page(
    conn: &mut Conn,
    is_user: bool,
    tenant_id: &str,
    after: &str,
    (skip, limit): (usize, usize),
) -> QueryResult<Vec<Listing>> {
    let of = table(is_user);
    let sql = format!(
        "SELECT {} FROM {{rows}} JOIN {} t ON t.tenant_id = r.tenant_id AND t.id > r.after ORDER BY t.id \
         LIMIT {limit} OFFSET {skip}",
        columns(conn, of),
        of.name
    );
    let bounds = [(tenant_id, after)];
    let rows = Rows::of(&bounds).text("tenant_id", |of| of.0).text("after", |of| of.1);
    Ok(listings(of, rows.load(conn, &sql)?))
}

/// Rows with these ids.
pub fn by_ids(conn: &mut Conn, is_user: bool, tenant_id: &str, ids: &[&str]) -> QueryResult<Vec<Listing>> {
    let of = table(is_user);
    let sql = format!(
        "SELECT {} FROM {{rows}} JOIN {} t ON t.tenant_id = r.tenant_id AND t.id = r.id",
        columns(conn, of),
        of.name
    );
    let rows = Rows::of(ids).text("id", |id| id).text("tenant_id", |_| tenant_id);
    Ok(listings(of, rows.load(conn, &sql)?))
}

#[derive(QueryableByName)]
struct Role {
    #[diesel(sql_type = Text)]
    user_id: String,
    #[diesel(sql_type = Text)]
    slug: String,
    #[diesel(sql_type = Text)]
    rule: String,
}

/// The roles of users with the rules that gave them, by user.
pub fn roles(
    conn: &mut Conn,
    tenant_id: &str,
    ids: &[&str],
) -> QueryResult<HashMap<String, Vec<(String, String)>>> {
    let rows: Vec<Role> = Rows::of(ids).text("id", |id| id).text("tenant_id", |_| tenant_id).load(
        conn,
        "SELECT h.user_id, h.role_slug AS slug, h.granted_by AS rule FROM {rows} \
         JOIN user_roles h ON h.tenant_id = r.tenant_id AND h.user_id = r.id ORDER BY h.role_slug",
    )?;
    let mut roles: HashMap<String, Vec<(String, String)>> = HashMap::new();
    for Role { user_id, slug, rule } in rows {
        roles.entry(user_id).or_default().push((slug, rule));
    }
    Ok(roles)
}

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = Text)]
    id: String,
}

/// Those of these users whose loss of access, or of a role, waits for a decision.
pub fn held(conn: &mut Conn, tenant_id: &str, ids: &[&str]) -> QueryResult<HashSet<String>> {
    let rows: Vec<Id> = Rows::of(ids).text("id", |id| id).text("tenant_id", |_| tenant_id).load(
        conn,
        "SELECT h.user_id AS id FROM {rows} JOIN held_users h ON h.tenant_id = r.tenant_id AND h.user_id = r.id \
         AND h.state IN ('open', 'approved', 'rejected')",
    )?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// The members of a group of the tenant in the order of their ids, at most `limit`.
pub fn members(conn: &mut Conn, tenant_id: &str, group_id: &str, limit: usize) -> QueryResult<Vec<String>> {
    let rows: Vec<Id> =
        Rows::of(&[(tenant_id, group_id)]).text("tenant_id", |of| of.0).text("group_id", |of| of.1).load(
            conn,
            &format!(
                "SELECT m.user_id AS id FROM {{rows}} JOIN group_members m ON m.tenant_id = r.tenant_id \
                 AND m.group_id = r.group_id ORDER BY m.user_id LIMIT {limit}"
            ),
        )?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}
