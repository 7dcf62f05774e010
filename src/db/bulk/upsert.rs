//! Inserts rows or overwrites the rows with the same key: one description, one statement for each database.

use diesel::QueryResult;

use super::Rows;
use crate::db::{Conn, Serialized};

/// The description of an upsert, for tables that only the serialized transaction writes. On PostgreSQL it is a MERGE, which
/// is cheaper than ON CONFLICT: ON CONFLICT takes and releases a lock for each inserted row, writes a second log record for
/// it, and locks an existing row even without a change. A MERGE fails when another transaction inserts the same key.
pub struct Upsert<'a> {
    /// The table that is written.
    pub table: &'a str,
    /// The columns of its key.
    pub key: &'a [&'a str],
    /// Columns that are overwritten.
    pub set: &'a [&'a str],
    /// Columns to which the new value is added.
    pub add: &'a [&'a str],
    /// The condition under which a row is overwritten, with `{new}` for the new row and the table's name for the old one.
    pub only_if: Option<&'a str>,
    /// The query of the new rows, from `{rows}`.
    pub of: &'a str,
}

impl Upsert<'_> {
    /// Writes all rows as they are, without a condition.
    pub const PLAIN: Self =
        Self { table: "", key: &[], set: &[], add: &[], only_if: None, of: "SELECT r.* FROM {rows}" };

    fn columns(&self) -> impl Iterator<Item = &str> {
        self.key.iter().chain(self.set).chain(self.add).copied()
    }

    fn insert(&self) -> String {
        self.columns().collect::<Vec<_>>().join(", ")
    }

    fn values(&self) -> String {
        self.columns().map(|column| format!("new.{column}")).collect::<Vec<_>>().join(", ")
    }

    fn update(&self, new: &str) -> String {
        let set = self.set.iter().map(|column| format!("{column} = {new}.{column}"));
        let add =
            self.add.iter().map(|column| format!("{column} = {}.{column} + {new}.{column}", self.table));
        set.chain(add).collect::<Vec<_>>().join(", ")
    }

    fn condition(&self, prefix: &str, new: &str) -> String {
        self.only_if.map(|only_if| format!(" {prefix} {}", only_if.replace("{new}", new))).unwrap_or_default()
    }

    fn on_postgres(&self) -> String {
        let Self { table, key, of, .. } = self;
        let same: Vec<_> = key.iter().map(|column| format!("{table}.{column} = new.{column}")).collect();
        format!(
            "MERGE INTO {table} USING ({of}) AS new ON {} WHEN MATCHED{} THEN UPDATE SET {} \
             WHEN NOT MATCHED THEN INSERT ({}) VALUES ({})",
            same.join(" AND "),
            self.condition("AND", "new"),
            self.update("new"),
            self.insert(),
            self.values()
        )
    }

    fn on_sqlite(&self) -> String {
        let Self { table, key, of, .. } = self;
        format!(
            "INSERT INTO {table} ({}) SELECT {} FROM ({of}) AS new WHERE true ON CONFLICT ({}) DO UPDATE SET {}{}",
            self.insert(),
            self.values(),
            key.join(", "),
            self.update("excluded"),
            self.condition("WHERE", "excluded")
        )
    }
}

impl<R> Rows<'_, R> {
    /// Inserts or overwrites one row for each of these rows.
    pub fn upsert(self, conn: &mut Serialized<'_>, upsert: &Upsert<'_>) -> QueryResult<()> {
        let sql = match &**conn {
            Conn::Postgres(_) => upsert.on_postgres(),
            Conn::Sqlite(_) => upsert.on_sqlite(),
        };
        self.execute(conn, &sql)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    #[test]
    fn one_description_becomes_a_statement_for_each_database() {
        let upsert = Upsert {
            table: "seats",
            key: &["room", "row"],
            set: &["guest"],
            add: &["visits"],
            only_if: Some("{new}.guest <> seats.guest"),
            ..Upsert::PLAIN
        };

        assert_snapshot!(upsert.on_postgres(), @"MERGE INTO seats USING (SELECT r.* FROM {rows}) AS new ON seats.room = new.room AND seats.row = new.row WHEN MATCHED AND new.guest <> seats.guest THEN UPDATE SET guest = new.guest, visits = seats.visits + new.visits WHEN NOT MATCHED THEN INSERT (room, row, guest, visits) VALUES (new.room, new.row, new.guest, new.visits)");
        assert_snapshot!(upsert.on_sqlite(), @"INSERT INTO seats (room, row, guest, visits) SELECT new.room, new.row, new.guest, new.visits FROM (SELECT r.* FROM {rows}) AS new WHERE true ON CONFLICT (room, row) DO UPDATE SET guest = excluded.guest, visits = seats.visits + excluded.visits WHERE excluded.guest <> seats.guest");
    }
}
