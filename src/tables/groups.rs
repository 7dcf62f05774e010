//! Table `groups`: existing groups only.

use diesel::{
    QueryResult, QueryableByName, RunQueryDsl, sql_query,
    sql_types::{BigInt, Text},
};

use super::{
    Key,
    group_members::{self, MEMBERS},
    host_tables::GROUPS,
};
use crate::{
    db::{
        Conn, Serialized,
        bulk::{Rows, Upsert},
        on_each,
    },
    decide::{
        fact,
        groups::{GroupChange, GroupRow},
    },
    feed::watch,
};

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    tenant_id: String,
    #[diesel(sql_type = Text)]
    id: String,
    #[diesel(sql_type = Text)]
    directory_id: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = BigInt)]
    digest: i64,
}

/// The rows of these groups.
pub fn current(conn: &mut Conn, keys: &[Key]) -> QueryResult<Vec<GroupRow>> {
    let rows: Vec<Row> = Rows::of(keys).text("tenant_id", |key| &key.0).text("id", |key| &key.1).load(
        conn,
        "SELECT g.tenant_id, g.id, g.directory_id, g.name, g.digest FROM {rows} \
         JOIN groups g ON g.tenant_id = r.tenant_id AND g.id = r.id",
    )?;
    let group = |Row { tenant_id, id, directory_id, name, digest }| GroupRow {
        tenant_id,
        id,
        directory_id,
        name,
        digest,
    };
    Ok(rows.into_iter().map(group).collect())
}

struct Put<'a> {
    tenant_id: &'a str,
    id: &'a str,
    directory_id: &'a str,
    digest: i64,
    content: &'a fact::Group,
}

/// Writes and deletes rows of groups. `is_known` tells whether a (tenant, group) has a row before.
pub fn apply(
    conn: &mut Serialized<'_>,
    changes: &[GroupChange],
    is_known: impl Fn(&str, &str) -> bool,
) -> QueryResult<()> {
    let (mut put, mut gone) = (Vec::new(), Vec::new());
    let (mut rows, mut members) = (Vec::new(), Vec::new());
    for change in changes {
        let (GroupChange::Put { tenant_id, group_id, .. } | GroupChange::Remove { tenant_id, group_id }) =
            change;
        rows.push(vec![tenant_id.clone(), group_id.clone()]);
        // A group with another name has the same members.
        if matches!(change, GroupChange::Remove { .. }) || !is_known(tenant_id, group_id) {
            members.push(group_members::of_group(group_id));
        }
    }
    watch::begin(conn, &GROUPS, rows)?;
    watch::begin(conn, &MEMBERS, members)?;
    for change in changes {
        match change {
            GroupChange::Put { tenant_id, group_id, directory_id, digest, content } => {
                put.push(Put { tenant_id, id: group_id, directory_id, digest: *digest, content });
            }
            GroupChange::Remove { tenant_id, group_id } => gone.push((tenant_id.as_str(), group_id.as_str())),
        }
    }
    Rows::of(&gone).text("tenant_id", |key| key.0).text("id", |key| key.1).execute(
        conn,
        "DELETE FROM groups WHERE (tenant_id, id) IN (SELECT r.tenant_id, r.id FROM {rows})",
    )?;
    Rows::of(&put)
        .text("tenant_id", |row| row.tenant_id)
        .text("id", |row| row.id)
        .text("directory_id", |row| row.directory_id)
        .optional_text("idp_id", |row| row.content.idp_id.as_deref())
        .text("name", |row| &row.content.name)
        .time("created_at", |row| Some(row.content.created_at))
        .time("updated_at", |row| Some(row.content.updated_at))
        .integer("digest", |row| row.digest)
        .upsert(
            conn,
            &Upsert {
                table: "groups",
                key: &["tenant_id", "id"],
                set: &["directory_id", "idp_id", "name", "created_at", "updated_at", "digest"],
                ..Upsert::PLAIN
            },
        )?;
    Ok(())
}

/// A group with its name.
#[derive(QueryableByName)]
pub struct NamedGroup {
    /// The tenant.
    #[diesel(sql_type = Text)]
    pub tenant_id: String,
    /// The broker's id.
    #[diesel(sql_type = Text)]
    pub id: String,
    /// The directory.
    #[diesel(sql_type = Text)]
    pub directory_id: String,
    /// The display name.
    #[diesel(sql_type = Text)]
    pub name: String,
}

/// Every existing group.
pub fn all(conn: &mut Conn) -> QueryResult<Vec<NamedGroup>> {
    on_each!(conn, |c| sql_query("SELECT tenant_id, id, directory_id, name FROM groups").load(c))
}
