//! A reader that tries to get more: every attempt is refused, or finds nothing of another tenant.

use super::*;

/// Texts of the other tenant, in any column of any table.
const OTHERS: [&str; 4] = ["org_2", "v1", "dir_2", "group_org_2"];

fn assert_nothing_of_others(attempt: &str, rows: &[String]) {
    for row in rows {
        assert!(OTHERS.iter().all(|text| !row.contains(text)), "{attempt}: {row}");
    }
}

#[test]
#[cfg_attr(feature = "sqlite-only", ignore = "PostgreSQL is left out")]
fn a_hostile_reader_is_refused() {
    let app = two_tenants();
    let role = Role::reader(&app, &[]);
    let owner = url::Url::parse(&app.store.url()).unwrap().username().to_owned();
    let mut attempts = vec![
        format!("SET ROLE {owner}"),
        format!("SET SESSION AUTHORIZATION {owner}"),
        format!("ALTER ROLE {} BYPASSRLS", role.name),
        // The settings that switch the policies off.
        "SET session_replication_role = replica".to_owned(),
        "ALTER TABLE rosterd.users DISABLE ROW LEVEL SECURITY".to_owned(),
        "DROP POLICY one_tenant ON rosterd.users".to_owned(),
        format!("CREATE POLICY mine ON rosterd.users TO {} USING (true)", role.name),
        // Other forms of reading.
        "SELECT 1 FROM rosterd_internal.inbox".to_owned(),
        "SELECT 1 FROM rosterd_internal.group_members".to_owned(),
        "SELECT 1 FROM rosterd_internal.all_tenants".to_owned(),
        "SELECT table_to_xml('rosterd_internal.inbox'::regclass, true, false, '')".to_owned(),
        "COPY rosterd_internal.inbox TO STDOUT".to_owned(),
        "COPY rosterd.users TO '/tmp/users'".to_owned(),
        "COPY rosterd.users TO PROGRAM 'cat'".to_owned(),
        "SELECT * FROM rosterd.users FOR UPDATE".to_owned(),
        "SELECT * FROM rosterd.users FOR KEY SHARE".to_owned(),
        "LOCK TABLE rosterd.users IN EXCLUSIVE MODE".to_owned(),
        "SELECT pg_read_file('PG_VERSION')".to_owned(),
        "SELECT most_common_vals FROM pg_statistic".to_owned(),
        // Writing.
        "INSERT INTO rosterd.tenants (id) VALUES ('x')".to_owned(),
        "UPDATE rosterd.users SET status = 'active'".to_owned(),
        "UPDATE rosterd.group_members SET user_id = 'x'".to_owned(),
        "INSERT INTO rosterd.group_members VALUES ('org_1', 'g', 'u1')".to_owned(),
        "DELETE FROM rosterd.user_roles".to_owned(),
        "TRUNCATE rosterd.users".to_owned(),
        "CREATE TRIGGER t BEFORE UPDATE ON rosterd.users EXECUTE FUNCTION suppress_redundant_updates_trigger()".to_owned(),
        "CREATE INDEX ON rosterd.users (email)".to_owned(),
        "CREATE TABLE rosterd.mine (id text)".to_owned(),
        "CREATE TABLE rosterd_internal.mine (id text)".to_owned(),
        "CREATE OR REPLACE VIEW rosterd.group_members AS SELECT 1 AS tenant_id".to_owned(),
        "CREATE TEMP TABLE mine (t text, u text, FOREIGN KEY (t, u) REFERENCES rosterd.users)".to_owned(),
        "COMMENT ON TABLE rosterd.users IS ''".to_owned(),
        "ANALYZE rosterd_internal.inbox".to_owned(),
        "DROP SCHEMA rosterd CASCADE".to_owned(),
        "NOTIFY rosterd; GRANT SELECT ON rosterd_internal.inbox TO PUBLIC".to_owned(),
    ];
    // A large object or a function of the reader needs rights that it has not, or works with its own only.
    attempts.push("CREATE FUNCTION rosterd.f() RETURNS int LANGUAGE sql AS 'SELECT 1'".to_owned());
    for attempt in attempts {
        let refused = role.of_tenant("org_1").batch_execute(&attempt);
        assert!(refused.is_err(), "{attempt}");
    }
    app.assert_rebuilds();
}

#[test]
#[cfg_attr(feature = "sqlite-only", ignore = "PostgreSQL is left out")]
fn a_hostile_reader_finds_nothing_of_other_tenants() {
    let app = two_tenants();
    execute(&app.store.url(), "ANALYZE");
    let role = Role::reader(&app, &[]);
    let mut session = role.of_tenant("org_1");
    let mut attempts: Vec<String> = every_row().into_iter().map(|(_, sql)| sql).collect();
    // Conditions that are true for the others' rows.
    for (table, column) in [
        ("users", "id"),
        ("group_members", "user_id"),
        ("access_under_review", "user_id"),
        ("changes", "subject ->> 'user_id'"),
    ] {
        attempts.push(format!("SELECT t::text AS found FROM rosterd.{table} t WHERE tenant_id = 'org_2'"));
        attempts
            .push(format!("SELECT t::text AS found FROM rosterd.{table} t WHERE {column} LIKE 'v%' OR true"));
        attempts.push(format!(
            "SELECT x.t::text AS found FROM rosterd.users u FULL JOIN (SELECT * FROM rosterd.{table}) x (t) ON true"
        ));
    }
    attempts.extend(
        [
            // Statistics, and texts of other sessions.
            "SELECT s::text AS found FROM pg_stats s WHERE schemaname LIKE 'rosterd%'",
            "SELECT s::text AS found FROM pg_stats_ext_exprs s",
            "SELECT query AS found FROM pg_stat_activity WHERE pid <> pg_backend_pid()",
            "SELECT query_to_xml('SELECT * FROM rosterd.users', true, false, '')::text AS found",
            "SELECT schema_to_xml('rosterd', true, false, '')::text AS found",
            "SELECT l::text AS found FROM pg_largeobject_metadata l",
        ]
        .map(str::to_owned),
    );
    for attempt in &attempts {
        // A refusal is as good.
        assert_nothing_of_others(attempt, &ask(&mut session, attempt).unwrap_or_default());
    }
    // A setting that asks for all rows is an error, and not all rows.
    session.batch_execute("SET row_security = off").unwrap();
    assert!(ask(&mut session, "SELECT id AS found FROM rosterd.users").is_err());
}

/// A cheap function that the planner would evaluate before the wall, if it could.
#[test]
#[cfg_attr(feature = "sqlite-only", ignore = "PostgreSQL is left out")]
fn a_function_of_a_hostile_reader_sees_rows_of_its_tenant_only() {
    let app = two_tenants();
    let role = Role::reader(&app, &[]);
    let mut session = role.of_tenant("org_1");
    let leak = "CREATE TEMP TABLE seen (text text); \
         CREATE FUNCTION pg_temp.leak(text) RETURNS bool LANGUAGE plpgsql COST 0.0000001 AS \
         $$ BEGIN INSERT INTO pg_temp.seen VALUES ($1); RETURN true; END $$; \
         CREATE FUNCTION pg_temp.leaks(text, text) RETURNS bool LANGUAGE sql AS 'SELECT pg_temp.leak($1)'; \
         CREATE OPERATOR pg_temp.=> (LEFTARG = text, RIGHTARG = text, FUNCTION = pg_temp.leaks)";
    session.batch_execute(&leak.replace("=>", "<<<")).unwrap();
    for (table, column) in [
        ("tenants", "id"),
        ("directories", "id"),
        ("users", "id"),
        ("groups", "id"),
        ("group_members", "user_id"),
        ("roles", "tenant_id"),
        ("user_roles", "user_id"),
        ("access_under_review", "user_id"),
    ] {
        for condition in [format!("pg_temp.leak({column})"), format!("{column} OPERATOR(pg_temp.<<<) 'x'")] {
            let sql = format!("SELECT 'x' AS found FROM rosterd.{table} WHERE {condition}");
            ask(&mut session, &sql).unwrap();
            let seen = ask(&mut session, "DELETE FROM pg_temp.seen RETURNING text AS found").unwrap();
            assert!(!seen.is_empty(), "{sql}");
            assert_nothing_of_others(&sql, &seen);
        }
    }
    // A view of the reader with its own rights.
    session
        .batch_execute("CREATE TEMP VIEW mine AS SELECT * FROM rosterd.users WHERE pg_temp.leak(id)")
        .unwrap();
    ask(&mut session, "SELECT id AS found FROM mine").unwrap();
    assert_nothing_of_others("view", &ask(&mut session, "SELECT text AS found FROM seen").unwrap());
}
