//! `rosterd migrate --reader`: exactly the published tables, repeatable, and no role with other rights.

use super::*;

#[test]
#[cfg_attr(feature = "sqlite-only", ignore = "PostgreSQL is left out")]
fn a_reader_sees_each_published_table_of_its_tenant_and_nothing_without_a_tenant() {
    let app = two_tenants();
    let role = Role::reader(&app, &[]);
    let mut session = role.of_tenant("org_1");
    for (table, sql) in every_row() {
        let rows = ask(&mut session, &sql).unwrap();
        assert!(!rows.is_empty(), "{table}");
        assert!(rows.iter().all(|row| !row.contains("org_2")), "{table}: {rows:?}");
    }
    // The newest number of the feed, which is about no tenant.
    let head = ask(&mut session, "SELECT seq::text AS found FROM rosterd.changes_head").unwrap();
    assert!(head[0].parse::<i64>().unwrap() > 10, "{head:?}");
    for set in ["RESET rosterd.tenant", "SET rosterd.tenant = ''", "SET rosterd.tenant = 'org'"] {
        session.batch_execute(set).unwrap();
        for (table, sql) in every_row() {
            assert_eq!(ask(&mut session, &sql), Ok(Vec::new()), "{set}: {table}");
        }
    }
    // A connection of a pool ends its tenant with its transaction.
    session.batch_execute("BEGIN; SET LOCAL rosterd.tenant = 'org_2'").unwrap();
    let users = "SELECT id AS found FROM rosterd.users ORDER BY id";
    assert_eq!(ask(&mut session, users), Ok(vec!["v1".to_owned(), "v2".to_owned()]));
    session.batch_execute("COMMIT").unwrap();
    assert_eq!(ask(&mut session, users), Ok(Vec::new()));
    app.assert_rebuilds();
}

#[test]
#[cfg_attr(feature = "sqlite-only", ignore = "PostgreSQL is left out")]
fn a_trusted_reader_sees_all_tenants_until_it_is_made_a_reader_of_one() {
    let app = two_tenants();
    let role = Role::reader(&app, &["--all-tenants"]);
    for _ in 0..2 {
        for (table, sql) in every_row() {
            let rows = ask(&mut role.connect(), &sql).unwrap().join(" ");
            assert!(rows.contains("org_1") && rows.contains("org_2"), "{table}: {rows}");
        }
        role.migrated(&app, &["--reader", &role.name, "--all-tenants"]);
    }
    role.migrated(&app, &["--reader", &role.name]);
    for (table, sql) in every_row() {
        assert_eq!(ask(&mut role.connect(), &sql), Ok(Vec::new()), "{table}");
        let rows = ask(&mut role.of_tenant("org_2"), &sql).unwrap().join(" ");
        assert!(rows.contains("org_2") && !rows.contains("org_1"), "{table}: {rows}");
    }
}

#[test]
#[cfg_attr(feature = "sqlite-only", ignore = "PostgreSQL is left out")]
fn what_a_reader_had_beyond_its_tables_is_revoked() {
    let app = two_tenants();
    let role = Role::create(&app, "");
    for sql in [
        format!("GRANT ALL ON SCHEMA rosterd, rosterd_internal TO {}", role.name),
        format!("GRANT ALL ON ALL TABLES IN SCHEMA rosterd, rosterd_internal TO {}", role.name),
        format!("GRANT ALL ON ALL SEQUENCES IN SCHEMA rosterd, rosterd_internal TO {}", role.name),
        format!("GRANT SELECT (body), UPDATE (body) ON rosterd_internal.inbox TO {}", role.name),
        format!("CREATE POLICY mine ON rosterd.users TO {} USING (true)", role.name),
    ] {
        execute(&app.store.url(), &sql);
    }
    for _ in 0..2 {
        role.migrated(&app, &["--reader", &role.name]);
        let beyond = format!(
            "SELECT c.relname::text AS found FROM pg_class c WHERE c.relkind IN ('r', 'v') AND (\
             c.relnamespace = 'rosterd_internal'::regnamespace AND has_any_column_privilege('{0}', c.oid, 'SELECT, UPDATE') \
             OR c.relnamespace = 'rosterd'::regnamespace AND has_table_privilege('{0}', c.oid, \
             'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER'))",
            role.name
        );
        let mut owner = PgConnection::establish(&app.store.url()).unwrap();
        assert_eq!(ask(&mut owner, &beyond), Ok(Vec::new()));
        assert_eq!(ask(&mut role.connect(), "SELECT id AS found FROM rosterd.users"), Ok(Vec::new()));
    }
}

#[test]
#[cfg_attr(feature = "sqlite-only", ignore = "PostgreSQL is left out")]
fn a_role_that_cannot_be_limited_is_refused_and_keeps_what_it_had() {
    let app = two_tenants();
    let refused = |role: &str, says: &str| {
        let error = migrate(&app, &["--reader", role]).unwrap_err();
        assert!(error.contains(says), "{says}: {error}");
    };
    refused("nobody_is_here", "CREATE ROLE \"nobody_is_here\" LOGIN PASSWORD");
    refused("public", "there is no role public");
    let superuser = Role::create(&app, "SUPERUSER");
    refused(&superuser.name, "it is a superuser");
    let bypasses = Role::create(&app, "BYPASSRLS");
    refused(&bypasses.name, "it has BYPASSRLS");
    let member = Role::create(&app, "");
    execute(&app.store.url(), &format!("GRANT {} TO {}", bypasses.name, member.name));
    refused(&member.name, &format!("its role {} has BYPASSRLS", bypasses.name));
    execute(&app.store.url(), &format!("REVOKE {} FROM {}", bypasses.name, member.name));

    // It has rights as a member, and could take the other role's.
    let service = Role::create(&app, "");
    service.migrated(&app, &["--service", &service.name]);
    execute(&app.store.url(), &format!("GRANT {} TO {}", service.name, member.name));
    execute(&app.store.url(), &format!("ALTER ROLE {} NOINHERIT", member.name));
    refused(&member.name, &format!("(as a member of {})", service.name));
    assert!(
        ask(&mut member.connect(), "SELECT id AS found FROM rosterd.users").is_err(),
        "nothing was granted"
    );
    execute(&app.store.url(), &format!("REVOKE {} FROM {}", service.name, member.name));

    execute(&app.store.url(), "GRANT SELECT ON rosterd_internal.audit TO PUBLIC");
    refused(&member.name, "SELECT on rosterd_internal.audit");
    execute(&app.store.url(), "REVOKE SELECT ON rosterd_internal.audit FROM PUBLIC");
    member.migrated(&app, &["--reader", &member.name]);
}

#[test]
fn rights_that_cannot_be_set_are_refused_with_a_remedy() {
    let app = TestApp::start(Backend::Sqlite, |_| {});
    assert!(migrate(&app, &["--reader", "app"]).unwrap_err().contains("SQLite has no roles"));
    assert!(migrate(&app, &["--all-tenants"]).is_err());
    let both = migrate(&app, &["--reader", "app", "--service", "app"]).unwrap_err();
    assert!(both.contains("name it once"), "{both}");
}

#[test]
#[cfg_attr(feature = "sqlite-only", ignore = "PostgreSQL is left out")]
fn only_the_owner_of_the_tables_sets_rights() {
    let app = two_tenants();
    let service = Role::create(&app, "");
    service.migrated(&app, &["--service", &service.name]);
    let arguments = ["migrate", "--reader", &service.name];
    let ended = output(rosterd().env("DATABASE_URL", service.url()).args(arguments));
    let error = String::from_utf8(ended.stderr).unwrap();
    assert!(!ended.status.success() && error.contains("does not own rosterd's tables"), "{error}");
}

#[test]
#[cfg_attr(feature = "sqlite-only", ignore = "PostgreSQL is left out")]
fn every_table_in_schema_rosterd_is_behind_a_wall() {
    let app = TestApp::start(Backend::Postgres, |_| {});
    let open = "SELECT c.relname::text AS found FROM pg_class c WHERE c.relnamespace = 'rosterd'::regnamespace \
         AND CASE c.relkind WHEN 'v' \
             THEN c.reloptions IS NULL OR NOT c.reloptions && ARRAY['security_barrier=true', 'security_invoker=true'] \
             WHEN 'r' THEN NOT c.relrowsecurity ELSE c.relkind NOT IN ('i', 'I', 't') END";
    let mut owner = PgConnection::establish(&app.store.url()).unwrap();
    // Two numbers and a time, about no tenant.
    assert_eq!(ask(&mut owner, open), Ok(vec!["changes_head".to_owned()]));
}

#[test]
#[cfg_attr(feature = "sqlite-only", ignore = "PostgreSQL is left out")]
fn a_reader_finds_its_rows_by_the_primary_key() {
    let app = two_tenants();
    let role = Role::reader(&app, &[]);
    // As in a large database: the planner has no reason to read a whole table.
    let mut session = role.of_tenant("org_1");
    session.batch_execute("SET enable_seqscan = off").unwrap();
    for (sql, index) in [
        (
            "SELECT 1 FROM rosterd.users WHERE tenant_id = 'org_1' AND id = 'u1' AND access_epoch = 1",
            "users_pkey",
        ),
        ("SELECT 1 FROM rosterd.users WHERE id = 'u1'", "users_pkey"),
        (
            "SELECT 1 FROM rosterd.users WHERE tenant_id = 'org_1' AND email_key = lower('U1@acme.example' COLLATE \"C\")",
            "users_email",
        ),
        ("SELECT 1 FROM rosterd.user_roles WHERE tenant_id = 'org_1' AND user_id = 'u1'", "user_roles_pkey"),
        (
            "SELECT 1 FROM rosterd.group_members WHERE tenant_id = 'org_1' AND user_id = 'u1'",
            "memberships_user",
        ),
    ] {
        let plan = explained(&mut session, sql);
        assert!(plan.contains(index) && !plan.contains("Seq Scan on users"), "{sql}\n{plan}");
    }
    let plan = explained(&mut session, "SELECT 1 FROM rosterd.users WHERE id = 'u1'");
    assert!(plan.contains("Index Cond: ((tenant_id = current_setting("), "{plan}");
}

fn explained(session: &mut PgConnection, sql: &str) -> String {
    #[derive(QueryableByName)]
    struct Line {
        #[diesel(sql_type = Text, column_name = "QUERY PLAN")]
        line: String,
    }
    let lines: Vec<Line> = sql_query(format!("EXPLAIN {sql}")).load(session).unwrap();
    lines.iter().map(|line| line.line.as_str()).collect::<Vec<_>>().join("\n")
}
