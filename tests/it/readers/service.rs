//! The role with which rosterd runs when another role owns the tables: `rosterd migrate --service`.

use rosterd::{
    app::{self, Workers},
    db::Url,
    tables::host_tables::USERS,
};

use super::*;
use crate::harness::SECRET;

#[test]
#[cfg_attr(feature = "sqlite-only", ignore = "PostgreSQL is left out")]
fn rosterd_runs_with_a_role_that_owns_nothing() {
    let mut app = two_tenants();
    let role = Role::create(&app, "");
    for _ in 0..2 {
        role.migrated(&app, &["--service", &role.name]);
    }
    assert!(ask(&mut role.connect(), "SELECT id AS found FROM rosterd.users").unwrap().len() == 4);

    let doctor = output(
        rosterd().env("DATABASE_URL", role.url()).env("WORKOS_WEBHOOK_SECRET", SECRET).args(["doctor"]),
    );
    let printed = String::from_utf8(doctor.stdout).unwrap();
    assert!(printed.contains("all that are needed"), "{printed}");

    assert!(app.app.take().unwrap().stop());
    app.config.database_url = Url::parse(&role.url()).unwrap();
    let limited = app::start(&app.config, app.clock.clone(), Workers::Manual).unwrap();
    app.applier.database = limited.database.clone();
    app.app = Some(limited);
    let elsewhere = json!({"organization_id": "org_3", "directory_id": "dir_3"});
    let third = |state, at| with(user("w1", state, at), elsewhere.clone());
    app.play(&[event("new", "dsync.user.created", 20, third("active", 20))]);
    app.play(&[event("gone", "dsync.user.deleted", 30, third("active", 20))]);
    let users = app.brief(USERS, &["id", "status"]);
    assert!(users.contains(&"w1 inactive".to_owned()), "{users:?}");
    app.assert_rebuilds();
    assert!(app.app.take().unwrap().stop());
}

#[test]
#[cfg_attr(feature = "sqlite-only", ignore = "PostgreSQL is left out")]
fn rosterd_does_not_run_with_a_role_from_which_rows_are_hidden() {
    let app = two_tenants();
    let role = Role::create(&app, "");
    for sql in [
        format!("GRANT USAGE ON SCHEMA rosterd, rosterd_internal TO {}", role.name),
        format!("GRANT ALL ON ALL TABLES IN SCHEMA rosterd, rosterd_internal TO {}", role.name),
        format!("GRANT ALL ON ALL SEQUENCES IN SCHEMA rosterd_internal TO {}", role.name),
    ] {
        execute(&app.store.url(), &sql);
    }
    let remedy = format!("run `rosterd migrate --service {}`", role.name);
    for arguments in
        [["serve"].as_slice(), &["tenants", "list"], &["doctor"], &["rebuild", "--dry-run"], &["migrate"]]
    {
        let ended = output(
            rosterd().env("DATABASE_URL", role.url()).env("WORKOS_WEBHOOK_SECRET", SECRET).args(arguments),
        );
        let printed = String::from_utf8([ended.stdout, ended.stderr].concat()).unwrap();
        // A table breaks the line.
        let printed = printed.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(!ended.status.success() && printed.contains(&remedy), "{arguments:?}: {printed}");
    }
    role.migrated(&app, &["--service", &role.name]);
}
