//! What the host application reads, as it reads it: for lists, comparisons and tests.

use diesel::{QueryResult, QueryableByName, RunQueryDsl, sql_query, sql_types::Text};
use serde_json::Value;

use crate::db::Conn;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Texts and whole numbers, which both databases write alike.
    Plain,
    Time,
    Json,
}

/// A table and the columns a host needs to know, in the order of the documentation.
#[derive(Clone, Copy, Debug)]
pub struct HostTable {
    pub name: &'static str,
    pub columns: &'static [(&'static str, Type)],
    /// How many of the first columns are the key, by which lists are ordered.
    pub key: usize,
}

use Type::{Json, Plain, Time};

pub const TENANTS: HostTable = HostTable {
    name: "tenants",
    columns: &[
        ("id", Plain),
        ("name", Plain),
        ("created_at", Time),
        ("updated_at", Time),
        ("deleted_at", Time),
    ],
    key: 1,
};

pub const DIRECTORIES: HostTable = HostTable {
    name: "directories",
    columns: &[
        ("tenant_id", Plain),
        ("id", Plain),
        ("name", Plain),
        ("type", Plain),
        ("state", Plain),
        ("created_at", Time),
        ("updated_at", Time),
        ("deleted_at", Time),
    ],
    key: 2,
};

pub const USERS: HostTable = HostTable {
    name: "users",
    columns: &[
        ("tenant_id", Plain),
        ("id", Plain),
        ("person_id", Plain),
        ("directory_id", Plain),
        ("idp_id", Plain),
        ("email", Plain),
        ("username", Plain),
        ("first_name", Plain),
        ("last_name", Plain),
        ("name", Plain),
        ("job_title", Plain),
        ("status", Plain),
        ("custom_attributes", Json),
        ("access_epoch", Plain),
        ("deprovisioned_at", Time),
        ("created_at", Time),
        ("updated_at", Time),
    ],
    key: 2,
};

pub const GROUPS: HostTable = HostTable {
    name: "groups",
    columns: &[
        ("tenant_id", Plain),
        ("id", Plain),
        ("directory_id", Plain),
        ("idp_id", Plain),
        ("name", Plain),
        ("created_at", Time),
        ("updated_at", Time),
    ],
    key: 2,
};

pub const GROUP_MEMBERS: HostTable = HostTable {
    name: "group_members",
    columns: &[("tenant_id", Plain), ("group_id", Plain), ("user_id", Plain)],
    key: 3,
};

pub const ROLES: HostTable =
    HostTable { name: "roles", columns: &[("tenant_id", Plain), ("slug", Plain), ("name", Plain)], key: 2 };

pub const USER_ROLES: HostTable = HostTable {
    name: "user_roles",
    columns: &[
        ("tenant_id", Plain),
        ("user_id", Plain),
        ("role_slug", Plain),
        ("granted_by", Plain),
        ("granted_at", Time),
    ],
    key: 3,
};

/// All of them.
pub const TABLES: [HostTable; 7] = [TENANTS, DIRECTORIES, USERS, GROUPS, GROUP_MEMBERS, ROLES, USER_ROLES];

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    row: String,
}

impl HostTable {
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.columns.iter().map(|(name, _)| *name)
    }

    /// Every row, or those of one tenant, ordered by key; values in the order of the columns.
    pub fn rows(&self, conn: &mut Conn, tenant: Option<&str>) -> QueryResult<Vec<Vec<Value>>> {
        let tenant_column = self.names().next().unwrap_or_default();
        let key: Vec<_> = self.names().take(self.key).collect();
        let postgres = matches!(conn, Conn::Postgres(_));
        let columns: Vec<String> = self.columns.iter().map(|column| expression(*column, postgres)).collect();
        let array = if postgres { "jsonb_build_array" } else { "json_array" };
        // Always one bind, so that both cases are one statement.
        let (filter, bind) = match (tenant, postgres) {
            (Some(tenant), true) => (format!("{tenant_column} = $1"), tenant),
            (Some(tenant), false) => (format!("{tenant_column} = ?1"), tenant),
            (None, true) => ("$1 = ''".to_owned(), ""),
            (None, false) => ("?1 = ''".to_owned(), ""),
        };
        let cast = if postgres { "::text" } else { "" };
        let sql = format!(
            "SELECT {array}({}){cast} AS row FROM {} WHERE {filter} ORDER BY {}",
            columns.join(", "),
            self.name,
            key.join(", ")
        );
        let rows: Vec<Row> = match conn {
            Conn::Postgres(pg) => sql_query(sql).bind::<Text, _>(bind).load(pg)?,
            Conn::Sqlite(sqlite) => sql_query(sql).bind::<Text, _>(bind).load(sqlite)?,
        };
        // The database has just built it as a JSON array.
        Ok(rows.iter().map(|row| serde_json::from_str(&row.row).unwrap_or_default()).collect())
    }
}

fn expression((name, kind): (&str, Type), postgres: bool) -> String {
    match (kind, postgres) {
        (Time, true) => format!("to_char({name} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"),
        (Json, false) => format!("json({name})"),
        _ => name.to_owned(),
    }
}
