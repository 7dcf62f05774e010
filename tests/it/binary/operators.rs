//! Operators who mistype a tenant, or whose name is unknown.

use std::process::Output;

use crate::harness::{
    Backend, TestApp,
    broker::{event, organization, user},
    process::{output, rosterd, stdout},
};

fn with_a_tenant(backend: Backend) -> TestApp {
    let app = TestApp::start(backend, |_config| {});
    app.play(&[
        event("o1", "organization.created", 0, organization("org_1", 0)),
        event("c1", "dsync.user.created", 1, user("u1", "active", 1)),
    ]);
    app
}

fn error(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_mistyped_tenant_is_an_error_with_the_nearest_names_in_every_verb() {
    for backend in Backend::offered() {
        let app = with_a_tenant(backend);
        for verb in [
            &["users", "list"][..],
            &["users", "erase", "u1"],
            &["groups", "list"],
            &["roles", "list"],
            &["roles", "grant", "u1", "member", "--reason", "x"],
            &["roles", "revoke", "u1", "member", "--reason", "x"],
            &["roles", "release", "member", "--reason", "x", "--yes"],
            &["directories", "list"],
            &["explain", "u1"],
            &["holds", "list"],
            &["notices", "list"],
            &["sync", "status"],
            &["rebuild", "--dry-run"],
            &["audit", "log"],
            &["audit", "verify"],
            &["audit", "receipt", "--user", "u1"],
            &["audit", "report"],
        ] {
            let mut command = rosterd();
            command.env("DATABASE_URL", app.store.url()).args(verb).args(["--tenant", "org_l"]);
            let refused = output(&mut command);
            assert_eq!(refused.status.code(), Some(1), "{verb:?}");
            let expected =
                "there is no tenant org_l (did you mean org_1 \"Org org_1\"?); see `rosterd tenants list`";
            assert!(error(&refused).contains(expected), "{verb:?}: {}", error(&refused));
        }
        let mut command = rosterd();
        command.env("DATABASE_URL", app.store.url()).args(["users", "list", "--tenant", "org_1"]);
        assert!(stdout(&output(&mut command)).contains("u1"));
    }
}

#[test]
fn a_verb_that_makes_a_record_needs_a_name() {
    let app = with_a_tenant(Backend::Sqlite);
    for verb in [
        &["holds", "approve", "1", "--yes"][..],
        &["holds", "reject", "1"],
        &["roles", "grant", "--tenant", "org_1", "u1", "member", "--reason", "x"],
        &["roles", "revoke", "--tenant", "org_1", "u1", "member", "--reason", "x"],
        &["roles", "release", "--tenant", "org_1", "member", "--reason", "x", "--yes"],
        &["users", "erase", "--tenant", "org_1", "u1"],
        &["inbox", "discard", "1", "--reason", "x"],
        &["inbox", "retry", "1"],
        &["rebuild"],
    ] {
        let mut command = rosterd();
        command.env("DATABASE_URL", app.store.url()).env_remove("USER").args(verb);
        let refused = output(&mut command);
        assert_eq!(refused.status.code(), Some(64), "{verb:?}: {}", error(&refused));
        assert!(
            error(&refused).contains("add --by NAME, or set ROSTERD_BY"),
            "{verb:?}: {}",
            error(&refused)
        );
    }
    let mut command = rosterd();
    command.env("DATABASE_URL", app.store.url()).env_remove("USER").args(["rebuild", "--dry-run"]);
    stdout(&output(&mut command));
}
