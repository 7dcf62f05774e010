//! Migrates the schema to this binary's version. Refuses a database that a newer version has migrated. After a crash on
//! PostgreSQL, all migrations of a start are done or none; on SQLite, each migration is a transaction.

use diesel::{
    Connection, PgConnection, QueryableByName, RunQueryDsl,
    connection::SimpleConnection,
    dsl::sql,
    migration::MigrationSource,
    select, sql_query,
    sql_types::{BigInt, Text},
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::{Conn, Database, DbError, row_security::limited_role, sequences::set_forward};

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// The schemas on PostgreSQL: rosterd's own tables, and what the application reads. The first is the one in which a name
/// without a schema is created, so nothing is shown to applications by mistake.
const SCHEMAS: [&str; 2] = ["rosterd_internal", "rosterd"];

/// Why the schema could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database failed.
    #[error("{0}")]
    Database(#[from] DbError),
    /// A migration failed and was rolled back.
    #[error("the schema could not be migrated: {0}")]
    Migration(String),
    /// A newer version of rosterd has migrated this database.
    #[error("the database was migrated by a newer rosterd (it knows {0}); start that version instead")]
    Newer(String),
    /// rosterd's role would take hidden rows for missing ones.
    #[error(
        "row-level security hides rows from role {0}, which rosterd uses: run `rosterd migrate --service {0}` as the role that owns the tables"
    )]
    HiddenRows(String),
}

impl From<diesel::result::Error> for MigrateError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Database(error.into())
    }
}

fn failed(error: Box<dyn std::error::Error + Send + Sync>) -> MigrateError {
    MigrateError::Migration(error.to_string())
}

/// Runs the missing migrations and returns their names. Several processes may start at once: they wait for each other, on
/// PostgreSQL with an advisory lock, on SQLite with the write lock.
///
/// On PostgreSQL this is one transaction, and the lock and `search_path` end with it.
pub fn migrate(database: &Database) -> Result<Vec<String>, MigrateError> {
    database.expect_suitable()?;
    let ran = database.read(|conn| match conn {
        Conn::Postgres(pg) => pg.transaction(|pg| {
            pg.batch_execute(
                "SET LOCAL search_path = rosterd_internal, rosterd; SELECT pg_advisory_xact_lock(7381240)",
            )?;
            bring_up(pg)
        }),
        Conn::Sqlite(sqlite) => run(sqlite, SQLITE),
    })?;
    expect_all_rows(database)?;
    Ok(ran)
}

/// Refuses a role from which row-level security hides rows.
pub fn expect_all_rows(database: &Database) -> Result<(), MigrateError> {
    match database.read::<_, DbError>(|conn| Ok(limited_role(conn)?))? {
        Some(role) => Err(MigrateError::HiddenRows(role)),
        None => Ok(()),
    }
}

/// Needs no privilege without reason: a role without the right to create schemas or tables can start rosterd when they
/// exist already.
fn bring_up(pg: &mut PgConnection) -> Result<Vec<String>, MigrateError> {
    for schema in SCHEMAS {
        if !has_schema(pg, schema)?
            && let Err(error) = pg.batch_execute(&format!("CREATE SCHEMA {schema}"))
        {
            return Err(MigrateError::Migration(format!(
                "{error}; if the role may not create schemas, run: CREATE SCHEMA rosterd AUTHORIZATION <role>; \
                 CREATE SCHEMA rosterd_internal AUTHORIZATION <role>"
            )));
        }
    }
    let ran = if missing(pg)? == 0 { Vec::new() } else { run(pg, POSTGRES)? };
    set_forward(pg)?;
    Ok(ran)
}

/// The versions of the migrations that were run. Diesel's own function would create its table first.
fn applied(pg: &mut PgConnection) -> Result<Vec<String>, MigrateError> {
    #[derive(QueryableByName)]
    struct Applied {
        #[diesel(sql_type = Text)]
        version: String,
    }
    let exists = "SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                  WHERE n.nspname = 'rosterd_internal' AND c.relname = '__diesel_schema_migrations'";
    if sql_query(exists).execute(pg)? == 0 {
        return Ok(Vec::new());
    }
    let applied: Vec<Applied> =
        sql_query("SELECT version FROM rosterd_internal.__diesel_schema_migrations ORDER BY version")
            .load(pg)?;
    Ok(applied.into_iter().map(|applied| applied.version).collect())
}

/// How many of this binary's migrations were not run yet.
fn missing(pg: &mut PgConnection) -> Result<usize, MigrateError> {
    let applied = applied(pg)?;
    let known = MigrationSource::<diesel::pg::Pg>::migrations(&POSTGRES).map_err(failed)?;
    let known: Vec<String> = known.iter().map(|migration| migration.name().version().to_string()).collect();
    if let Some(newer) = applied.iter().find(|version| !known.contains(version)) {
        return Err(MigrateError::Newer(newer.clone()));
    }
    Ok(known.iter().filter(|version| !applied.contains(version)).count())
}

fn run<DB: diesel::backend::Backend>(
    conn: &mut impl MigrationHarness<DB>,
    ours: EmbeddedMigrations,
) -> Result<Vec<String>, MigrateError> {
    let known = MigrationSource::<DB>::migrations(&ours).map_err(failed)?;
    for applied in conn.applied_migrations().map_err(failed)? {
        if !known.iter().any(|migration| migration.name().version() == applied) {
            return Err(MigrateError::Newer(applied.to_string()));
        }
    }
    let ran = conn.run_pending_migrations(ours).map_err(failed)?;
    Ok(ran.iter().map(ToString::to_string).collect())
}

fn has_schema(pg: &mut PgConnection, schema: &str) -> diesel::QueryResult<bool> {
    // `information_schema` hides a schema from a role that does not own it.
    sql_query("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1")
        .bind::<Text, _>(schema)
        .execute(pg)
        .map(|found| found > 0)
}

/// Counts all tables and views in the database, except those of the system and of extensions.
pub fn count_tables(conn: &mut Conn) -> diesel::QueryResult<i64> {
    match conn {
        Conn::Sqlite(sqlite) => select(sql::<BigInt>(
            "(SELECT count(*) FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\')",
        ))
        .get_result(sqlite),
        Conn::Postgres(pg) => select(sql::<BigInt>(
            "(SELECT count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname <> 'information_schema' \
             AND n.nspname !~ '^pg_' AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d \
             WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'))",
        ))
        .get_result(pg),
    }
}

/// Whether `rosterd migrate` was ever run on this database. Writes nothing, so it may be another program's database.
pub fn is_migrated(database: &Database) -> Result<bool, DbError> {
    database.read(|conn| {
        Ok(match conn {
            Conn::Postgres(pg) => sql_query(
                "SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                 WHERE n.nspname = 'rosterd_internal' AND c.relname = 'inbox'",
            )
            .execute(pg)?,
            Conn::Sqlite(sqlite) => {
                let found: i64 = select(sql::<BigInt>(
                    "(SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('inbox', 'properties'))",
                ))
                .get_result(sqlite)?;
                usize::from(found == 2)
            }
        } > 0)
    })
}

/// How many migrations `migrate` would run. Changes nothing.
pub fn pending(database: &Database) -> Result<usize, MigrateError> {
    fn count<DB: diesel::backend::Backend>(
        conn: &mut impl MigrationHarness<DB>,
        ours: EmbeddedMigrations,
    ) -> Result<usize, MigrateError> {
        Ok(conn.pending_migrations(ours).map_err(failed)?.len())
    }
    database.expect_suitable()?;
    database.read(|conn| match conn {
        Conn::Postgres(pg) => missing(pg),
        Conn::Sqlite(sqlite) => count(sqlite, SQLITE),
    })
}
