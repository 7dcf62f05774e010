//! The JSON of each command has the keys and types of its schema in `docs/schemas/`.

use std::{collections::BTreeSet, path::Path};

use rosterd::db::DbError;
use serde_json::{Value, json};

use crate::{
    harness::{
        Backend, TestApp,
        broker::{event, group, membership, user, with},
        process::{output, rosterd},
        schema::assert_fits,
    },
    refused::{beginning, deleted, of, refuse},
};

/// Commands that ask the broker's API; `sync/commands.rs` compares them.
const OF_THE_API: [&str; 3] = ["backfill", "reconcile", "sync-status"];

const MAPPING: &str = "unknown_roles = \"ignore\"\n[roles.member]\n[roles.owner]\nprivileged = true\nprotected = true\n\
    [[rules]]\nname = \"members\"\ngrants = [\"member\"]\nwhen.role = \"member\"\n";

/// Two tenants: one with a refused change, one with a hold, leavers, a manual grant and a dead letter.
fn eventful(app: &TestApp) {
    beginning(app, 5);
    refuse(app, "a02");
    app.play(&[deleted("a")]);
    let people: Vec<Value> = (20..40)
        .map(|n| {
            event(&format!("c{n}"), "dsync.user.created", 2, of("b", user(&format!("u{n}"), "active", 2)))
        })
        .collect();
    app.play(&people);
    let joined = membership(of("b", user("u20", "active", 2)), of("b", group("g1", 2)));
    app.play(&[
        event("g", "dsync.group.created", 2, of("b", group("g1", 2))),
        event("m", "dsync.group.user_added", 3, joined),
        event("bad", "dsync.user.updated", 4, json!({"object": "directory_user"})),
        event("l1", "dsync.user.deleted", 5, of("b", user("u39", "active", 2))),
    ]);
    let losses: Vec<Value> = (20..35)
        .map(|n| {
            event(&format!("d{n}"), "dsync.user.deleted", 9, of("b", user(&format!("u{n}"), "active", 2)))
        })
        .collect();
    app.play(&losses);
    let changed = with(user("u36", "active", 10), json!({"custom_attributes": {"cost": 1.5, "tags": ["x"]}}));
    app.play(&[event("x36", "dsync.user.updated", 10, of("b", changed))]);
}

#[test]
fn every_list_has_the_keys_and_types_of_its_schema() {
    for backend in Backend::offered() {
        let (app, home) = (TestApp::start(backend, |_config| {}), tempfile::tempdir().unwrap());
        eventful(&app);
        let file = |name: &str, text: &str| {
            std::fs::write(home.path().join(name), text).unwrap();
            home.path().join(name).display().to_string()
        };
        let run = |arguments: &[&str]| {
            let mut command = rosterd();
            command.env("DATABASE_URL", app.store.url()).env("ROSTERD_BY", "ada").args(arguments);
            let output = output(&mut command);
            assert!(
                matches!(output.status.code(), Some(0..=2)),
                "{arguments:?}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            String::from_utf8(output.stdout).unwrap()
        };
        run(&["holds", "reject", "1", "--user", "u20", "--reason", "on leave"]);
        run(&["holds", "approve", "1", "--user", "u21", "--yes"]);
        run(&["roles", "grant", "--tenant", "org_b", "u36", "owner", "--reason", "x"]);
        run(&["recipients", "add", "--tenant", "org_b", "it@b.example"]);
        run(&["mapping", "apply", &file("mapping.toml", MAPPING)]);
        let other = file("other.toml", &MAPPING.replace("[\"member\"]", "[\"owner\"]"));
        let heads = file("heads.json", &run(&["audit", "heads", "--format", "json"]));
        let endpoint: Value = serde_json::from_str(&run(&[
            "endpoints",
            "add",
            "http://127.0.0.1:9/",
            "--allow-private",
            "--format",
            "json",
        ]))
        .unwrap();
        let endpoint = endpoint["id"].as_str().unwrap().to_owned();
        let attempt =
            format!("INSERT INTO endpoint_attempts VALUES ('{endpoint}', 1780272000000000, 1, '500', 12)");
        // A row that differs from the log.
        use diesel::connection::SimpleConnection;
        let drift = "UPDATE users SET job_title = 'changed by hand' WHERE id = 'u36'";
        app.database()
            .write::<_, DbError>(|conn| Ok(conn.batch_execute(&format!("{attempt}; {drift}"))?))
            .unwrap();

        let mut compared: BTreeSet<String> = OF_THE_API.iter().map(|name| (*name).to_owned()).collect();
        let b = ["--tenant", "org_b"];
        for (name, arguments) in [
            ("users-list", &["users", "list", b[0], b[1]][..]),
            ("groups-list", &["groups", "list", b[0], b[1]]),
            ("roles-list", &["roles", "list", b[0], b[1]]),
            ("tenants-list", &["tenants", "list"]),
            ("directories-list", &["directories", "list"]),
            ("holds-list", &["holds", "list"]),
            ("holds-show", &["holds", "show", "1"]),
            ("inbox-list", &["inbox", "list"]),
            ("inbox-refused", &["inbox", "refused"]),
            ("notices-list", &["notices", "list"]),
            ("recipients-list", &["recipients", "list"]),
            ("rebuild", &["rebuild", "--dry-run"]),
            ("mapping-history", &["mapping", "history"]),
            ("mapping-plan", &["mapping", "plan", &other]),
            ("audit-log", &["audit", "log", b[0], b[1]]),
            ("audit-log", &["audit", "log", "--tenant", ""]),
            ("audit-verify", &["audit", "verify"]),
            ("audit-verify", &["audit", "verify", "--against", &heads]),
            ("audit-heads", &["audit", "heads"]),
            ("audit-receipt", &["audit", "receipt", b[0], b[1], "--user", "u21"]),
            ("audit-receipt", &["audit", "receipt", b[0], b[1], "--user", "u39"]),
            ("explain", &["explain", b[0], b[1], "u20", "--all"]),
            ("explain", &["explain", b[0], b[1], "u21"]),
            ("explain", &["explain", b[0], b[1], "u36"]),
            ("doctor", &["doctor"]),
            ("config-show", &["config", "show", "--effective"]),
            ("changes-head", &["changes", "head"]),
            ("consumers-add", &["consumers", "add", "billing"]),
            ("consumers-list", &["consumers", "list"]),
            (
                "endpoints-add",
                &[
                    "endpoints",
                    "add",
                    "https://app.example/hook",
                    "--events",
                    "user.deprovisioned",
                    b[0],
                    b[1],
                ],
            ),
            ("endpoints-list", &["endpoints", "list"]),
            ("endpoints-attempts", &["endpoints", "attempts", &endpoint]),
            ("endpoints-test", &["endpoints", "test", &endpoint]),
            ("endpoints-rotate", &["endpoints", "rotate", &endpoint]),
            ("directories-add", &["directories", "add", b[0], b[1], "--name", "Okta", "--provider", "okta"]),
            ("directories-rotate", &["directories", "rotate", "Okta"]),
            ("tokens-add", &["tokens", "add", b[0], b[1], "--name", "billing"]),
            ("tokens-list", &["tokens", "list"]),
        ] {
            let printed = run(&[arguments, &["--format", "json"]].concat());
            let value: Value = serde_json::from_str(&printed)
                .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {printed}"));
            assert!(
                value.is_object() || value.as_array().is_some_and(|rows| !rows.is_empty()),
                "{arguments:?}"
            );
            assert_fits(&format!("schemas/{name}.schema.json"), &value);
            compared.insert(name.to_owned());
        }
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schemas");
        let files = std::fs::read_dir(directory).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let files: BTreeSet<String> = names.map(|name| name.replace(".schema.json", "")).collect();
        assert_eq!(compared, files);
    }
}
