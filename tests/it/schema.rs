//! Both databases have the same tables, and the documents name their columns.

use std::collections::BTreeMap;

use diesel::{
    QueryableByName, RunQueryDsl, sql_query,
    sql_types::{Bool, Text},
};
use rosterd::{
    db::{Conn, DbError},
    tables::{access_under_review::ACCESS_UNDER_REVIEW, host_tables::TABLES},
};

use crate::harness::{Backend, TestApp, both, database::execute};

#[derive(QueryableByName)]
struct Column {
    #[diesel(sql_type = Text)]
    relation: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Bool)]
    nullable: bool,
}

/// `table.column`, and whether it may be null. Columns of views have no such rule, and neither have keys on SQLite.
fn columns(app: &TestApp) -> BTreeMap<String, bool> {
    const SQLITE: &str = "SELECT m.name AS relation, c.name AS name, c.\"notnull\" = 0 AND c.pk = 0 AS nullable \
         FROM sqlite_schema m JOIN pragma_table_info(m.name) c \
         WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' AND m.name NOT LIKE '\\_\\_diesel%' ESCAPE '\\'";
    const POSTGRES: &str = "SELECT c.table_name::text AS relation, c.column_name::text AS name, c.is_nullable = 'YES' AS nullable \
         FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name) \
         WHERE c.table_schema IN ('rosterd', 'rosterd_internal') AND t.table_type = 'BASE TABLE' AND c.table_name NOT LIKE '\\_\\_diesel%'";
    let found: Vec<Column> = app
        .database()
        .read::<_, DbError>(|conn| {
            Ok(match conn {
                Conn::Postgres(pg) => sql_query(POSTGRES).load(pg)?,
                Conn::Sqlite(sqlite) => sql_query(SQLITE).load(sqlite)?,
            })
        })
        .unwrap();
    found
        .into_iter()
        .map(|column| (format!("{}.{}", column.relation, column.name), column.nullable))
        .collect()
}

#[test]
fn both_databases_have_the_same_columns_and_may_leave_the_same_ones_empty() {
    let mut described =
        Backend::offered().into_iter().map(|backend| columns(&TestApp::start(backend, |_| {})));
    let first = described.next().unwrap();
    assert!(first.len() > 150, "{first:?}");
    for other in described {
        let differences: Vec<_> = first
            .iter()
            .filter(|column| other.get(column.0) != Some(column.1))
            .chain(other.iter().filter(|column| !first.contains_key(column.0)))
            .collect();
        assert_eq!(differences, Vec::<(&String, &bool)>::new());
    }
}

#[derive(QueryableByName)]
struct Relation {
    #[diesel(sql_type = Text)]
    name: String,
}

#[test]
#[cfg_attr(feature = "sqlite-only", ignore = "PostgreSQL is left out")]
fn schema_rosterd_contains_what_the_application_reads_and_nothing_else() {
    let app = TestApp::start(Backend::Postgres, |_| {});
    let there = "SELECT c.relname::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                 WHERE n.nspname = 'rosterd' AND c.relkind NOT IN ('i', 'I', 't')";
    let there: Vec<Relation> =
        app.database().read::<_, DbError>(|conn| Ok(sql_query(there).load(conn)?)).unwrap();
    let mut there: Vec<&str> = there.iter().map(|relation| relation.name.as_str()).collect();
    there.sort_unstable();
    let mut published: Vec<&str> =
        TABLES.iter().chain([&ACCESS_UNDER_REVIEW]).map(|table| table.name).collect();
    published.sort_unstable();
    assert_eq!(there, published);

    // So this grant, which people write first, shows nothing else.
    let role = format!("all_tables_{}", std::process::id());
    for sql in [
        format!("CREATE ROLE {role}"),
        format!("GRANT USAGE ON SCHEMA rosterd TO {role}"),
        format!("GRANT SELECT ON ALL TABLES IN SCHEMA rosterd TO {role}"),
        format!(
            "DO $$ BEGIN ASSERT NOT EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = 'rosterd_internal'::regnamespace \
             AND c.relkind IN ('r', 'v') AND has_table_privilege('{role}', c.oid, 'SELECT')); END $$"
        ),
        format!("DROP OWNED BY {role}"),
        format!("DROP ROLE {role}"),
    ] {
        execute(&app.store.url(), &sql);
    }
}

both! {
    fn the_published_columns_are_equal_to_the_tables(app) {
        let columns = columns(app);
        for table in TABLES {
            let described: Vec<&str> = table.columns.iter().chain(table.hidden).map(|(name, _)| *name).collect();
            let prefix = format!("{}.", table.name);
            let mut there: Vec<&str> = columns.keys().filter_map(|name| name.strip_prefix(&prefix)).collect();
            // A view.
            if there.is_empty() {
                continue;
            }
            there.sort_by_key(|name| described.iter().position(|one| one == name));
            assert_eq!(there, described, "{}", table.name);
        }
    }
}

/// The table of docs/integrating.md lists the columns in the order of the code.
#[test]
fn the_document_names_every_table_and_column() {
    let document = include_str!("../../docs/integrating.md");
    for table in TABLES {
        let begin = format!("| `{}` | ", table.name);
        let line =
            document.lines().find_map(|line| line.strip_prefix(&begin)).unwrap_or_else(|| panic!("{begin}"));
        // Explanations are in parentheses, or after a semicolon.
        let mut depth = 0;
        let plain: String = line
            .chars()
            .filter(|c| {
                depth += i32::from(*c == '(');
                let outside = depth == 0;
                depth -= i32::from(*c == ')');
                outside
            })
            .collect();
        let named: Vec<&str> = plain.split(';').next().unwrap().split('`').skip(1).step_by(2).collect();
        let described: Vec<&str> = table.columns.iter().map(|(name, _)| *name).collect();
        assert_eq!(named, described, "{}", table.name);
    }
}
