//! The audit trail on the command line: log, proof, receipt, review and erasure.

use std::process::Output;

use diesel::{Connection, connection::SimpleConnection};
use serde_json::{Value, json};

use crate::harness::{
    Backend, TestApp, TestDatabase,
    broker::{directory, event, group, user, with},
    dump::{everything_in, naming},
    process::{output, rosterd, stdout},
};

fn run(app: &TestApp, arguments: &[&str]) -> Output {
    output(rosterd().env("DATABASE_URL", app.store.url()).args(arguments))
}

fn error(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Changes the database like a person who may write to it and is not rosterd.
fn tamper(store: &TestDatabase, sql: &str) {
    match store {
        TestDatabase::Sqlite(directory) => {
            let file = directory.path().join("rosterd.db");
            let mut conn = diesel::SqliteConnection::establish(&file.display().to_string()).unwrap();
            conn.batch_execute(sql).unwrap();
        }
        TestDatabase::Postgres { .. } => {
            let mut conn = diesel::PgConnection::establish(&store.url()).unwrap();
            conn.batch_execute(&format!("SET search_path = rosterd_internal, rosterd; {sql}")).unwrap();
        }
    }
}

fn mabel(state: &str, seconds: i64) -> Value {
    with(
        user("u1", state, seconds),
        json!({"email": "mabel.peregrine@acme.example", "first_name": "Mabel", "last_name": "Peregrine",
            "username": "mperegrine", "job_title": "Peregrine of all", "custom_attributes": {"nick": "Peregrine"}}),
    )
}

/// Two people of one tenant and one of another. u1 leaves an hour after all were created.
fn life(app: &TestApp) {
    let elsewhere = json!({"organization_id": "org_2", "directory_id": "dir_2"});
    app.play(&[
        event("c1", "dsync.user.created", 1, mabel("active", 1)),
        event("c2", "dsync.user.created", 1, user("u2", "active", 1)),
        event("c3", "dsync.user.created", 1, with(user("u3", "active", 1), elsewhere)),
        event("g1", "dsync.group.created", 1, group("g1", 1)),
    ]);
    app.clock.advance_seconds(3_600);
    app.play(&[event("x1", "dsync.user.deleted", 9, mabel("active", 1))]);
}

/// Kinds and subjects of the listed entries.
fn log(app: &TestApp, arguments: &[&str]) -> Vec<String> {
    let shown = stdout(&run(app, &[&["audit", "log", "--format", "json"], arguments].concat()));
    let entries: Vec<Value> = serde_json::from_str(&shown).unwrap();
    let text = |entry: &Value, name: &str| entry[name].as_str().unwrap().to_owned();
    entries.iter().map(|entry| format!("{} {}", text(entry, "kind"), text(entry, "subject"))).collect()
}

#[test]
fn the_log_is_filtered_by_tenant_user_kind_and_time() {
    for backend in Backend::offered() {
        let app = TestApp::start(backend, |_config| {});
        life(&app);
        let org_1 = |arguments: &[&str]| log(&app, &[&["--tenant", "org_1"], arguments].concat());

        let all = [
            "role.listed member",
            "group.created g1",
            "user.created u1",
            "user.created u2",
            "access.lost u1",
        ];
        assert_eq!(org_1(&[]), all);
        assert_eq!(log(&app, &["--tenant", "org_2"]), ["role.listed member", "user.created u3"]);
        assert_eq!(org_1(&["--user", "MABEL.peregrine@acme.example"]), [all[2], all[4]]);
        assert_eq!(org_1(&["--user", "g1"]), [all[1]]);
        assert_eq!(org_1(&["--kind", "user"]), all[2..4]);
        assert_eq!(org_1(&["--kind", "access.lost"]), [all[4]]);
        assert_eq!(org_1(&["--kind", "acc"]), Vec::<String>::new());
        assert_eq!(org_1(&["--since", "2026-06-01T00:30:00Z"]), [all[4]]);
        assert_eq!(org_1(&["--until", "2026-06-01T00:30:00Z"]), all[..4]);
        assert_eq!(org_1(&["--since", "2026-06-02"]), Vec::<String>::new());
        assert_eq!(org_1(&["--limit", "1"]), [all[4]], "the newest");
        let wrong = run(&app, &["audit", "log", "--tenant", "org_1", "--since", "yesterday"]);
        assert_eq!(wrong.status.code(), Some(64));
        assert!(String::from_utf8_lossy(&wrong.stderr).contains("write it as 2026-06-01"), "{wrong:?}");
    }
}

#[test]
fn verify_succeeds_and_fails_with_the_entry_that_somebody_has_changed() {
    for backend in Backend::offered() {
        let app = TestApp::start(backend, |_config| {});
        life(&app);

        let verified: Vec<Value> =
            serde_json::from_str(&stdout(&run(&app, &["audit", "verify", "--format", "json"]))).unwrap();
        let brief: Vec<_> =
            verified.iter().map(|chain| (&chain["tenant"], &chain["entries"], &chain["verdict"])).collect();
        assert_eq!(
            brief,
            [(&json!("org_1"), &json!(5), &json!("ok")), (&json!("org_2"), &json!(2), &json!("ok"))]
        );

        tamper(
            &app.store,
            "UPDATE audit SET actor = 'operator nobody' WHERE tenant_id = 'org_1' AND seq = 2",
        );
        let found = run(&app, &["audit", "verify"]);
        assert!(String::from_utf8_lossy(&found.stdout).contains("altered"), "{found:?}");
        assert_eq!(error(&found), "tenant \"org_1\", entry 2: is not what was written\n");
        stdout(&run(&app, &["audit", "verify", "--tenant", "org_2"]));
    }
}

#[test]
fn heads_that_were_stored_elsewhere_reveal_a_chain_that_was_shortened_or_written_again() {
    for backend in Backend::offered() {
        let app = TestApp::start(backend, |_config| {});
        life(&app);
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("heads.json").display().to_string();
        let printed = stdout(&run(&app, &["audit", "heads", "--format", "json"]));
        let heads: Vec<Value> = serde_json::from_str(&printed).unwrap();
        assert_eq!((heads.len(), &heads[0]["tenant_id"], &heads[0]["seq"]), (2, &json!("org_1"), &json!(5)));
        std::fs::write(&file, &printed).unwrap();
        let against = |more: &[&str]| run(&app, &[&["audit", "verify", "--against", &file], more].concat());

        // Longer chains contain their heads. A tenant that came later is new.
        app.play(&[
            event("c4", "dsync.user.created", 20, user("u4", "active", 20)),
            event(
                "c5",
                "dsync.user.created",
                20,
                with(user("u5", "active", 20), json!({"organization_id": "org_3", "directory_id": "dir_3"})),
            ),
        ]);
        let grown = against(&["--format", "json"]);
        let rows: Vec<Value> = serde_json::from_str(&stdout(&grown)).unwrap();
        let verdicts: Vec<_> = rows.iter().map(|row| row["against"].as_str().unwrap()).collect();
        assert_eq!(verdicts, ["contained", "contained", "new"]);
        assert_eq!(
            String::from_utf8_lossy(&grown.stderr),
            "tenant \"org_3\": new, the file has no head of it\n"
        );

        // Every hash fits in this chain, so only the stored head tells that it ended later.
        tamper(
            &app.store,
            "DELETE FROM audit WHERE tenant_id = 'org_1' AND seq > 4;
             UPDATE audit_heads SET seq = 4, hash = (SELECT hash FROM audit WHERE tenant_id = 'org_1' AND seq = 4)
                WHERE tenant_id = 'org_1'",
        );
        stdout(&run(&app, &["audit", "verify"]));
        let shorter = error(&against(&[]));
        assert!(
            shorter.contains("tenant \"org_1\", entry 5: the stored head names it, but the chain ends at 4"),
            "{shorter}"
        );
        stdout(&against(&["--tenant", "org_2"]));

        // The other tenant's chain is gone, and org_1 has another one of the same length.
        tamper(
            &app.store,
            "DELETE FROM audit WHERE tenant_id = 'org_2'; DELETE FROM audit_heads WHERE tenant_id = 'org_2'",
        );
        app.play(&[event("c6", "dsync.user.created", 30, user("u6", "active", 30))]);
        stdout(&run(&app, &["audit", "verify"]));
        let other = error(&against(&[]));
        assert!(
            other.contains("tenant \"org_1\", entry 5: has another hash than the stored head"),
            "{other}"
        );
        assert!(
            other.contains("tenant \"org_2\", entry 2: the stored head names it, but the chain is gone"),
            "{other}"
        );

        // A file that is something else is wrong usage.
        for text in ["", "[]", "{\"head\": 1}", "seq,hash"] {
            std::fs::write(&file, text).unwrap();
            let wrong = against(&[]);
            assert_eq!(wrong.status.code(), Some(64), "{wrong:?}");
            assert!(String::from_utf8_lossy(&wrong.stderr).contains("heads.json"), "{wrong:?}");
        }
        std::fs::remove_file(&file).unwrap();
        assert_eq!(against(&[]).status.code(), Some(64));
    }
}

#[test]
fn a_receipt_is_there_for_who_left_and_refused_for_who_did_not() {
    for backend in Backend::offered() {
        let app = TestApp::start(backend, |_config| {});
        life(&app);
        let receipt = |user: &str, format: &str| {
            run(&app, &["audit", "receipt", "--tenant", "org_1", "--user", user, "--format", format])
        };

        let receipts: Vec<Value> =
            serde_json::from_str(&stdout(&receipt("mabel.peregrine@acme.example", "json"))).unwrap();
        assert_eq!(receipts.len(), 1);
        assert_eq!(
            (&receipts[0]["because"], &receipts[0]["roles_lost"]),
            (&json!("event x1"), &json!("member"))
        );
        assert_eq!(receipts[0]["applied_at"], "2026-06-01T01:00:00.000000Z");
        let shown = stdout(&receipt("u1", "table"));
        for part in ["Mabel Peregrine", "stated_at", "minutes_stated_to_applied"] {
            assert!(shown.contains(part), "{part} in\n{shown}");
        }
        assert!(
            error(&receipt("u2", "table"))
                .contains("org_1 has no record that u2 lost access; see `rosterd audit log")
        );
    }
}

#[test]
fn a_review_is_written_in_each_form_to_standard_output_a_file_or_a_directory() {
    for backend in Backend::offered() {
        let app = TestApp::start(backend, |_config| {});
        life(&app);
        let home = tempfile::tempdir().unwrap();
        let report = |arguments: &[&str]| {
            run(&app, &[&["audit", "report", "--tenant", "org_1", "--by", "ada"], arguments].concat())
        };
        let path = |name: &str| home.path().join(name).display().to_string();
        let written = |format: &str| {
            let printed =
                stdout(&report(&["--format", format, "--since", "2026-01-01", "--out", &path(format)]));
            assert_eq!(printed, "", "what goes into a file is not printed");
            std::fs::read(path(format)).unwrap()
        };
        let text = |format: &str| String::from_utf8(written(format)).unwrap();
        let heads = |csv: &str| {
            csv.lines().map(|line| line.split(',').next().unwrap().to_owned()).collect::<Vec<_>>()
        };

        let csv = text("csv");
        assert_eq!(csv, stdout(&report(&[])), "CSV of roles is the default");
        assert_eq!(heads(&csv), ["\u{feff}\"user_id\"", "\"u2\""]);
        assert!(csv.contains("u2@acme.example"), "{csv}");
        let leavers = stdout(&report(&["--kind", "leavers", "--since", "2026-01-01"]));
        assert!(leavers.contains("Mabel Peregrine") && !leavers.contains("u2"), "{leavers}");
        stdout(&report(&["--out", &path("all/")]));
        let mut files: Vec<_> = std::fs::read_dir(path("all"))
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        assert_eq!((files.len(), files[0].as_str()), (10, "changes.csv"));
        let json: Value = serde_json::from_str(&text("json")).unwrap();
        assert_eq!(
            (&json["counts"]["people"], &json["counts"]["people_in_tables"], &json["made_by"]),
            (&json!(1), &json!(1), &json!("ada"))
        );
        assert_eq!(
            (&json["people"][0]["user_id"], &json["leavers"][0]["user_id"]),
            (&json!("u2"), &json!("u1"))
        );
        let page = text("html");
        assert!(
            page.starts_with("<!DOCTYPE html>")
                && page.contains("Mabel Peregrine")
                && page.contains("u2@acme"),
            "{page}"
        );
        assert!(written("xlsx").starts_with(b"PK"));

        // An hour before the second one left. The old name of the option is the same.
        for option in ["--as-of", "--until"] {
            let before = stdout(&report(&["--format", "json", option, "2026-06-01T00:30:00Z"]));
            let json: Value = serde_json::from_str(&before).unwrap();
            assert_eq!(
                (json["people"].as_array().unwrap().len(), json["leavers"].as_array().unwrap().len()),
                (2, 0)
            );
            assert_eq!(json["counts"]["later_entries"], 1);
        }
        let nowhere = report(&["--out", "/nowhere/at/all.csv"]);
        assert!(error(&nowhere).contains("/nowhere/at/all.csv: "), "{nowhere:?}");
        let early = report(&["--as-of", "2026-05-01"]);
        assert!(
            error(&early).contains("the audit trail of org_1 begins at 2026-06-01T00:00:00"),
            "{early:?}"
        );
        let wrong = report(&["--kind", "under-review", "--format", "html"]);
        assert_eq!(wrong.status.code(), Some(64), "{wrong:?}");
    }
}

#[test]
fn users_erase_refuses_who_is_active_and_leaves_no_name_and_a_chain_that_verifies() {
    for backend in Backend::offered() {
        let app = TestApp::start(backend, |_config| {});
        life(&app);
        let erase = |user: &str| run(&app, &["users", "erase", "--tenant", "org_1", user, "--by", "ada"]);

        assert!(
            error(&erase("u2"))
                .contains("Remove the person there, wait for the event, then run the command again")
        );
        assert!(error(&erase("nobody")).contains("has no user nobody"));
        assert_ne!(naming(&everything_in(&app.store), "peregrine"), Vec::<String>::new());

        let printed = stdout(&erase("mabel.peregrine@acme.example"));

        assert!(printed.starts_with("erased u1: 2 deliveries, 2 audit entries, 1 notices"), "{printed}");
        for name in ["peregrine", "mabel"] {
            assert_eq!(naming(&everything_in(&app.store), name), Vec::<String>::new());
        }
        assert!(!naming(&everything_in(&app.store), "u2@acme.example").is_empty());
        let verified = stdout(&run(&app, &["audit", "verify", "--tenant", "org_1"]));
        assert!(verified.contains("ok") && !verified.contains("altered"), "{verified}");
        let log =
            stdout(&run(&app, &["audit", "log", "--tenant", "org_1", "--user", "u1", "--format", "csv"]));
        assert!(log.contains("user.erased") && log.contains(",\"erased\","), "{log}");
    }
}

#[test]
fn directories_list_shows_the_tenant_of_each_and_counts_the_people_who_have_access() {
    for backend in Backend::offered() {
        let app = TestApp::start(backend, |_config| {});
        let of = |directory_id: &str, org: &str, data: Value| {
            with(data, json!({"directory_id": directory_id, "organization_id": org}))
        };
        app.play(&[
            event("d1", "dsync.activated", 1, directory("dir_1", "org_1", 1)),
            event("d2", "dsync.activated", 1, directory("dir_2", "org_2", 1)),
            event("e1", "dsync.user.created", 1, of("dir_1", "org_1", user("u1", "active", 1))),
            event("e2", "dsync.user.created", 1, of("dir_1", "org_1", user("u2", "active", 1))),
            event("e3", "dsync.user.created", 1, of("dir_1", "org_1", user("u3", "inactive", 1))),
        ]);
        let list = |more: &[&str]| -> Vec<(String, String, i64)> {
            let printed = stdout(&run(&app, &[&["directories", "list", "--format", "json"], more].concat()));
            let rows: Value = serde_json::from_str(&printed).unwrap();
            let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
            let row =
                |row: &Value| (text(row, "tenant_id"), text(row, "id"), row["people"].as_i64().unwrap());
            rows.as_array().unwrap().iter().map(row).collect()
        };

        assert_eq!(list(&[]), [("org_1".into(), "dir_1".into(), 2), ("org_2".into(), "dir_2".into(), 0)]);
        assert_eq!(list(&["--tenant", "org_2"]), [("org_2".into(), "dir_2".into(), 0)]);
    }
}
