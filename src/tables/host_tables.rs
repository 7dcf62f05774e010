//! The tables that the application reads, in the form in which it reads them: for lists, comparisons and tests.

use diesel::{QueryResult, QueryableByName, RunQueryDsl, sql_query, sql_types::Text};
use serde_json::Value;

use crate::{
    db::{
        Conn, Serialized,
        bulk::{Rows, Upsert},
        on_each, postgres_time,
    },
    decide::profile::Profile,
    feed::watch::{self, RowKey},
    runtime::clock::Timestamp,
};

/// The type of a column in lists and comparisons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// Text.
    Plain,
    /// A 64-bit integer.
    Integer,
    /// A time: `timestamptz`, or RFC 3339 text on SQLite.
    Time,
    /// JSON: `jsonb`, or text on SQLite.
    Json,
}

/// Name and type.
type Column = (&'static str, ColumnType);

/// A table with its documented columns, in the order of the documentation.
#[derive(Clone, Copy, Debug)]
pub struct PublishedTable {
    /// Its name.
    pub name: &'static str,
    /// Names and types.
    pub columns: &'static [Column],
    /// The number of leading columns that are the key. Lists are sorted by them.
    pub key: usize,
    /// rosterd's own columns, which are not documented.
    pub hidden: &'static [Column],
}

use ColumnType::{Integer, Json, Plain, Time};

/// The customers.
pub const TENANTS: PublishedTable = PublishedTable {
    name: "tenants",
    columns: &[
        ("id", Plain),
        ("name", Plain),
        ("created_at", Time),
        ("updated_at", Time),
        ("deleted_at", Time),
    ],
    key: 1,
    hidden: &[],
};

/// Their directories.
pub const DIRECTORIES: PublishedTable = PublishedTable {
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
    hidden: &[],
};

/// The accounts in these directories.
pub const USERS: PublishedTable = PublishedTable {
    name: "users",
    columns: &USER_COLUMNS,
    key: 2,
    hidden: &[("role_slugs", Plain), ("digest", Integer), ("former_at", Integer), ("former_event", Plain)],
};

const BEFORE_PROFILE: [Column; 4] =
    [("tenant_id", Plain), ("id", Plain), ("person_id", Plain), ("directory_id", Plain)];

const AFTER_PROFILE: [Column; 7] = [
    ("email_key", Plain),
    ("status", Plain),
    ("custom_attributes", Json),
    ("access_epoch", Integer),
    ("deprovisioned_at", Time),
    ("created_at", Time),
    ("updated_at", Time),
];

const USER_COLUMN_COUNT: usize = BEFORE_PROFILE.len() + Profile::COLUMNS.len() + AFTER_PROFILE.len();

/// The three parts, joined when rosterd is compiled.
const USER_COLUMNS: [Column; USER_COLUMN_COUNT] = {
    let mut columns = [("", Plain); USER_COLUMN_COUNT];
    let (before, rest) = columns.split_at_mut(BEFORE_PROFILE.len());
    let (mut places, after) = rest.split_at_mut(Profile::COLUMNS.len());
    before.copy_from_slice(&BEFORE_PROFILE);
    after.copy_from_slice(&AFTER_PROFILE);
    let mut profile = Profile::COLUMNS;
    while let (Some((column, others)), Some((place, rest))) =
        (profile.split_first(), places.split_first_mut())
    {
        *place = (column.name, Plain);
        (profile, places) = (others, rest);
    }
    columns
};

/// Existing groups.
pub const GROUPS: PublishedTable = PublishedTable {
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
    hidden: &[("digest", Integer)],
};

/// Active users in existing groups; a view.
pub const GROUP_MEMBERS: PublishedTable = PublishedTable {
    name: "group_members",
    columns: &[("tenant_id", Plain), ("group_id", Plain), ("user_id", Plain)],
    key: 3,
    hidden: &[],
};

/// The roles of each tenant.
pub const ROLES: PublishedTable = PublishedTable {
    name: "roles",
    columns: &[("tenant_id", Plain), ("slug", Plain), ("name", Plain)],
    key: 2,
    hidden: &[],
};

/// The role assignments of active users.
pub const USER_ROLES: PublishedTable = PublishedTable {
    name: "user_roles",
    columns: &[
        ("tenant_id", Plain),
        ("user_id", Plain),
        ("role_slug", Plain),
        ("granted_by", Plain),
        ("granted_at", Time),
    ],
    key: 3,
    hidden: &[],
};

/// All tables that the application reads.
pub const TABLES: [PublishedTable; 7] =
    [TENANTS, DIRECTORIES, USERS, GROUPS, GROUP_MEMBERS, ROLES, USER_ROLES];

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    row: String,
}

impl PublishedTable {
    /// The names of the documented columns.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.columns.iter().map(|(name, _)| *name)
    }

    /// All rows, or the rows of one tenant, sorted by key; values in the order of the columns.
    pub fn rows(&self, conn: &mut Conn, tenant: Option<&str>) -> QueryResult<Vec<Vec<Value>>> {
        self.select(conn, tenant, self.columns)
    }

    /// The same rows with rosterd's own columns at the end.
    pub fn whole_rows(&self, conn: &mut Conn, tenant: Option<&str>) -> QueryResult<Vec<Vec<Value>>> {
        self.select(conn, tenant, &self.all_columns())
    }

    /// The documented columns and rosterd's own.
    pub fn all_columns(&self) -> Vec<Column> {
        self.columns.iter().chain(self.hidden).copied().collect()
    }

    fn select(
        &self,
        conn: &mut Conn,
        tenant: Option<&str>,
        columns: &[Column],
    ) -> QueryResult<Vec<Vec<Value>>> {
        let tenant_column = self.names().next().unwrap_or_default();
        let key: Vec<_> = self.names().take(self.key).collect();
        let postgres = matches!(conn, Conn::Postgres(_));
        let columns: Vec<String> = columns.iter().map(|column| expression(*column, postgres)).collect();
        let array = if postgres { "jsonb_build_array" } else { "json_array" };
        // There is always one bind, so both cases have the same parameters.
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
        // The database has built it as a JSON array.
        Ok(rows.iter().map(|row| serde_json::from_str(&row.row).unwrap_or_default()).collect())
    }
}

/// The documented columns beside the key, as a JSON object with their names.
pub(super) fn object_of(table: &PublishedTable, conn: &Conn) -> String {
    let postgres = matches!(conn, Conn::Postgres(_));
    let columns = table.columns.iter().skip(table.key);
    // Texts in one function for both databases; `json_build_object` keeps the order of the columns.
    let pairs: Vec<String> = columns
        .map(|(name, kind)| format!("'{name}', {}", expression((&format!("t.{name}"), *kind), postgres)))
        .collect();
    match postgres {
        true => format!("json_build_object({})::text", pairs.join(", ")),
        false => format!("json_object({})", pairs.join(", ")),
    }
}

impl PublishedTable {
    /// The tenants with rows in the table.
    pub fn tenants(&self, conn: &mut Conn) -> QueryResult<Vec<String>> {
        let column = self.names().next().unwrap_or_default();
        let sql = format!("SELECT DISTINCT {column} AS row FROM {}", self.name);
        let rows: Vec<Row> = on_each!(conn, |c| sql_query(&sql).load(c))?;
        Ok(rows.into_iter().map(|row| row.row).collect())
    }

    /// Inserts or overwrites rows of [`Self::whole_rows`].
    pub fn put(&'static self, conn: &mut Serialized<'_>, rows: &[Vec<Value>]) -> QueryResult<()> {
        let key = |row: &Vec<Value>| -> RowKey {
            row.iter().take(self.key).map(|part| part.as_str().unwrap_or_default().to_owned()).collect()
        };
        watch::begin(conn, self, rows.iter().map(key))?;
        let columns = self.all_columns();
        let text = |value: &Value| match value {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        let rows: Vec<Vec<Option<String>>> = rows.iter().map(|row| row.iter().map(text).collect()).collect();
        let mut bulk = Rows::of(&rows);
        for (n, (name, kind)) in columns.iter().enumerate() {
            let of = move |row: &Vec<Option<String>>| row.get(n).cloned().flatten();
            bulk = match kind {
                Plain => bulk.optional_text(name, move |row| row.get(n).and_then(Option::as_deref)),
                Json => bulk.json(name, move |row| row.get(n).and_then(Option::as_deref).unwrap_or("{}")),
                Integer => bulk.optional_integer(name, move |row| of(row)?.parse().ok()),
                Time => bulk.time(name, move |row| Timestamp::parse(&of(row)?)),
            };
        }
        let names: Vec<_> = columns.iter().map(|(name, _)| *name).collect();
        let (key, set) = names.split_at(self.key);
        bulk.upsert(conn, &Upsert { table: self.name, key, set, ..Upsert::PLAIN })
    }

    /// Deletes rows by key.
    pub fn delete(&'static self, conn: &mut Serialized<'_>, keys: &[&Vec<String>]) -> QueryResult<()> {
        watch::begin(conn, self, keys.iter().map(|key| (*key).clone()))?;
        let mut bulk = Rows::of(keys);
        let names: Vec<_> = self.names().take(self.key).collect();
        for (n, name) in names.iter().enumerate() {
            bulk = bulk.text(name, move |key| key.get(n).map_or("", String::as_str));
        }
        let from: Vec<_> = names.iter().map(|name| format!("r.{name}")).collect();
        let (key, from) = (names.join(", "), from.join(", "));
        bulk.execute(
            conn,
            &format!("DELETE FROM {} WHERE ({key}) IN (SELECT {from} FROM {{rows}})", self.name),
        )?;
        Ok(())
    }
}

fn expression((name, kind): (&str, ColumnType), postgres: bool) -> String {
    match (kind, postgres) {
        (Time, true) => postgres_time(name),
        (Json, false) => format!("json({name})"),
        _ => name.to_owned(),
    }
}
