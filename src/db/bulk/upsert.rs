//! Rows that are inserted, or overwrite those of their key: one description, a statement for each database.

use diesel::QueryResult;

use super::Rows;
use crate::db::{Conn, Serialized};

/// For tables that only the serialized transaction writes. On PostgreSQL it is a MERGE, which looks for
/// each key once: ON CONFLICT takes and gives back a lock for each row that it inserts, writes down twice that it did, and
/// locks what it finds even to leave it as it is. In return it fails where somebody else inserts a key meanwhile.
pub struct Upsert<'a> {
    /// The table that is written.
    pub table: &'a str,
    /// The columns of its key.
    pub key: &'a [&'a str],
    /// Columns that are overwritten.
    pub set: &'a [&'a str],
    /// Columns that are added to.
    pub add: &'a [&'a str],
    /// A condition under which a row is overwritten, of `{new}` and of the table's name.
    pub only_if: Option<&'a str>,
    /// The select of what is written, from `{rows}`.
    pub of: &'a str,
}

impl Upsert<'_> {
    /// All of the rows, always.
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
