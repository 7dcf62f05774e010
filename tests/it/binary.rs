//! The real binary: its commands, exit codes, log and end.

mod files;
mod mail;
mod manual;
mod operators;
mod reload;
mod schemas;
mod several;
mod trail;

use std::process::Command;

use serde_json::Value;

use crate::harness::{
    Backend, SECRET, TestDatabase,
    broker::{event, signature, user},
    process::{Served, eventually, get, on_a_terminal, output, rosterd, stdout},
};

pub(crate) fn simulate(served: &Served, arguments: &[&str]) -> Value {
    let mut command = rosterd();
    command.args(["simulate", "--json", "--url", &served.webhook(), "--secret", SECRET]).args(arguments);
    serde_json::from_str(&stdout(&output(&mut command))).unwrap()
}

pub(crate) fn drained(served: &Served) -> bool {
    let ready: Value = serde_json::from_str(&get(served.admin_address, "/readyz")).unwrap();
    ready["inbox"]["count"] == 0 && ready["recomputes"] == 0
}

pub(crate) fn list(store: &TestDatabase, what: &str, tenant: &str) -> Vec<Value> {
    let mut command = rosterd();
    command.env("DATABASE_URL", store.url()).args([what, "list", "--tenant", tenant, "--format", "json"]);
    serde_json::from_str(&stdout(&output(&mut command))).unwrap()
}

#[test]
fn a_simulated_broker_ends_in_the_tables_it_expects_and_in_equal_ones_on_both_databases() {
    let mut outcomes = Vec::new();
    for backend in Backend::offered() {
        let store = TestDatabase::create(backend);
        let served = Served::on(&store);
        let arguments =
            ["--users", "90", "--events", "900", "--seed", "7", "--shuffle", "--duplicates", "30"];
        let report = simulate(&served, &arguments);
        eventually("everything applied", || drained(&served));
        served.signal("-TERM");
        let (status, _) = served.end();
        assert!(status.success());

        let (mut users, mut groups) = (Vec::new(), Vec::new());
        for tenant in tenants(&store) {
            users.extend(list(&store, "users", &tenant));
            groups.extend(list(&store, "groups", &tenant));
        }
        for user in &mut users {
            user.as_object_mut().unwrap().remove("access_epoch");
        }
        let count = |status: &str| users.iter().filter(|user| user["status"] == status).count();
        let expected = &report["expected"];
        assert_eq!(expected["active_users"], count("active"), "{backend:?}");
        assert_eq!(expected["inactive_users"], count("inactive"), "{backend:?}");
        assert_eq!(expected["groups"], groups.len(), "{backend:?}");
        outcomes.push((users, groups));
    }
    for outcome in &outcomes {
        assert!(*outcome == outcomes[0], "the databases differ");
    }
}

/// Counted from the deliveries, since there is no command for it.
pub(crate) fn tenants(store: &TestDatabase) -> Vec<String> {
    use rosterd::{db, tables::host_tables::TENANTS};
    let database = db::Database::new(&db::Url::parse(&store.url()).unwrap(), 1);
    let rows = database.read::<_, db::DbError>(|conn| Ok(TENANTS.rows(conn, None)?)).unwrap();
    rows.iter().map(|row| row[0].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_demo_ends_by_itself_and_shows_users_roles_and_mail() {
    let home = tempfile::tempdir().unwrap();

    let shown = stdout(&output(rosterd().arg("demo").env("TMPDIR", home.path())));

    // People who are created and removed by the first sync are not reported: mails are about people who were in the
    // tables.
    assert!(shown.find("First sync").unwrap() < shown.find("Some months").unwrap(), "{shown}");
    for part in
        ["tenants", "users of org_", "inactive", "role assignments", "mails told administrators", ".eml"]
    {
        assert!(shown.contains(part), "{part} in\n{shown}");
    }
    assert!(!shown.contains("\n0 mails told"), "{shown}");
}

#[test]
fn serve_without_a_secret_refuses_to_start_and_says_what_to_set() {
    let home = tempfile::tempdir().unwrap();

    let refused = output(rosterd().arg("serve").current_dir(home.path()));

    assert_eq!(refused.status.code(), Some(78));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("set WORKOS_WEBHOOK_SECRET"));
}

#[test]
fn a_wrong_setting_is_one_sentence_that_names_key_and_remedy() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("rosterd.toml");
    for (text, variable, part) in [
        ("", ("DATABASE_URL", "mysql://x"), "DATABASE_URL must begin with sqlite:// or postgres://"),
        ("", ("SMTP_URL", "localhost:25"), "mail.url (SMTP_URL) must begin with smtp://"),
        (
            "",
            ("SMTP_URL", "smtp://ada:word@mail.example"),
            "mail.url (SMTP_URL) would send its user and password",
        ),
        ("", ("MAIL_FROM", "nobody"), "mail.from (MAIL_FROM) is no address"),
        ("", ("ROSTERD_LISTEN", "8080"), "listen"),
        ("databse_url = 'x'", ("X", ""), "databse_url is not known in"),
        ("[http]\nport = 1", ("X", ""), "http.port is not known in"),
        ("tenancy = 'both'", ("X", ""), "write \"multi\" or \"single\""),
        ("[mail.recipients]\norg_1 = ['not an address']", ("X", ""), "is no mail address"),
        ("= broken", ("X", ""), "is not TOML"),
        (
            "[workos]\nwebhook_secrets = 'ada:word'",
            ("X", ""),
            "workos.webhook_secrets has a value of the wrong kind",
        ),
        (
            "[workos]\nwebhook_secrets = [['ada:word']]",
            ("X", ""),
            "workos.webhook_secrets has a value of the wrong kind",
        ),
        ("[workos]\napi_key = ['ada:word']", ("X", ""), "workos.api_key has a value of the wrong kind"),
        ("workos = 'ada:word'", ("X", ""), "workos has a value of the wrong kind"),
        ("[mail.recipients]\norg_1 = 'ada:word'", ("X", ""), "expected a sequence"),
        ("[workos]\napi_key = 'ada:word", ("X", ""), "line 2 (api_key)"),
        ("[workos]\nwebhook_secrets = [ada:word]", ("X", ""), "line 2 (webhook_secrets)"),
        ("", ("DATABASE_URL", "postgres://x:ada:word/y@host/db"), "DATABASE_URL cannot be read"),
        ("", ("DATABASE_URL", "postgres://x:ada:word?y@host/db"), "DATABASE_URL cannot be read"),
        ("", ("DATABASE_URL", "postgres://x:ada:word%y@host/db"), "DATABASE_URL cannot be read"),
        ("", ("DATABASE_URL", "postgres://x:y@ada:word@host/db"), "DATABASE_URL cannot be read"),
        (
            "",
            ("DATABASE_URL", "postgres://127.0.0.1:1/db?password=x&ada:word=y"),
            "a parameter of DATABASE_URL cannot be read",
        ),
    ] {
        std::fs::write(&file, text).unwrap();
        let mut command = rosterd();
        command.arg("serve").env("ROSTERD_CONFIG", &file).env(variable.0, variable.1);
        let refused = output(command.env("WORKOS_WEBHOOK_SECRET", SECRET));
        let printed = String::from_utf8_lossy(&refused.stderr).into_owned();
        // A parameter is read by libpq, when it connects.
        let code = if part.starts_with("a parameter") { 1 } else { 78 };
        assert_eq!(refused.status.code(), Some(code), "{printed}");
        assert!(printed.contains(part) && !printed.contains("ada:word"), "{part} in {printed}");
    }
}

#[test]
fn wrong_usage_is_exit_code_64() {
    for arguments in [vec!["frobnicate"], vec!["users", "list"], vec!["inbox", "show", "x"]] {
        assert_eq!(output(rosterd().args(arguments)).status.code(), Some(64));
    }
}

#[test]
fn the_commented_defaults_are_printed_and_are_valid_settings() {
    let printed = stdout(&output(rosterd().arg("config")));
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("rosterd.toml");
    std::fs::write(&file, &printed).unwrap();

    let loaded = rosterd::config::load(Some(&file), |_name| None).unwrap();

    assert_eq!(loaded.http.listen.to_string(), "127.0.0.1:8080");
}

#[test]
fn a_signal_to_stop_ends_it_with_exit_code_0_and_keeps_what_was_acknowledged() {
    for backend in Backend::offered() {
        let store = TestDatabase::create(backend);
        let served = Served::on(&store);
        let url = served.webhook();
        let load = std::thread::spawn(move || {
            let mut command = rosterd();
            command.args(["simulate", "--json", "--url", &url, "--secret", SECRET]);
            output(command.args(["--users", "2000", "--events", "60000"]))
        });
        let none = "rosterd_deliveries_total{outcome=\"accepted\"} 0";
        eventually("some load", || {
            let metrics = get(served.admin_address, "/metrics");
            metrics.contains("accepted") && !metrics.lines().any(|line| line == none)
        });

        served.signal("-INT");
        let (status, log) = served.end();

        assert_eq!(status.code(), Some(0), "{log:?}");
        assert!(log.iter().any(|line| line.contains("stopped")), "{log:?}");
        let report = load.join().unwrap();
        let report: Value = serde_json::from_slice(&report.stdout).unwrap();
        let mut command = rosterd();
        command
            .env("DATABASE_URL", store.url())
            .args(["inbox", "list", "--limit", "100000", "--format", "json"]);
        let stored: Vec<Value> = serde_json::from_str(&stdout(&output(&mut command))).unwrap();
        assert!(
            report["accepted"].as_u64().unwrap() <= stored.len() as u64,
            "{} kept: {report}",
            stored.len()
        );
        assert!(report["accepted"].as_u64().unwrap() > 0);
    }
}

#[test]
fn the_log_follows_one_event_by_its_id_and_holds_no_body_address_secret_or_signature() {
    let store = TestDatabase::create(Backend::Sqlite);
    let served = Served::start(|command| {
        command
            .env("DATABASE_URL", store.url())
            .env("RUST_LOG", "rosterd=trace,actix=trace,diesel=trace,lettre=trace");
    });
    let body = event("event_followed", "dsync.user.created", 1, user("u_secretive", "active", 1)).to_string();
    let header = signature(SECRET, rosterd::runtime::clock::Clock::System.now().millis(), body.as_bytes());

    let status = Command::new("curl")
        .args(["-sS", "-H", &format!("WorkOS-Signature: {header}"), "-d", &body, &served.webhook()])
        .output();
    let answer = String::from_utf8(status.unwrap().stdout).unwrap();
    assert_eq!(answer, "{\"status\":\"accepted\"}");
    eventually("applied", || drained(&served));
    served.signal("-TERM");
    let (_, log) = served.end();

    let followed: Vec<&String> = log.iter().filter(|line| line.contains("event_followed")).collect();
    assert!(followed.iter().any(|line| line.contains("delivery stored")), "{log:?}");
    assert!(followed.iter().any(|line| line.contains("delivery applied")), "{log:?}");
    let hex = header.rsplit('=').next().unwrap();
    for hidden in ["u_secretive@acme.example", "custom_attributes", SECRET, hex] {
        assert!(!log.iter().any(|line| line.contains(hidden)), "{hidden}");
    }
}

#[test]
fn the_inbox_is_listed_shown_retried_and_discarded() {
    for backend in Backend::offered() {
        let store = TestDatabase::create(backend);
        let served = Served::on(&store);
        let body = "{\"no\": \"event\"}";
        let header =
            signature(SECRET, rosterd::runtime::clock::Clock::System.now().millis(), body.as_bytes());
        let sent = Command::new("curl")
            .args(["-sS", "-H", &format!("WorkOS-Signature: {header}"), "-d", body, &served.webhook()])
            .output();
        assert_eq!(sent.unwrap().stdout, b"{\"status\":\"accepted\"}");
        let inbox = |arguments: &[&str]| {
            let mut command = rosterd();
            output(command.env("DATABASE_URL", store.url()).arg("inbox").args(arguments))
        };
        let dead = |state: &str| -> Vec<Value> {
            serde_json::from_str(&stdout(&inbox(&["list", "--state", state, "--format", "json"]))).unwrap()
        };

        let letter = &dead("dead")[0];
        assert_eq!(letter["reason"], "not_understood");
        let id = letter["id"].to_string();
        assert!(stdout(&inbox(&["show", &id])).contains(body));
        // The retry fails for the same reason.
        stdout(&inbox(&["retry", &id]));
        eventually("set aside again", || dead("dead").len() == 1);
        stdout(&inbox(&["discard", &id, "--reason", "a probe by us"]));
        assert_eq!(dead("discarded")[0]["detail"], "a probe by us");
        assert_eq!(dead("dead"), Vec::<Value>::new());
        assert_eq!(inbox(&["discard", &id, "--reason", "again"]).status.code(), Some(1));
        assert_eq!(inbox(&["retry", "999"]).status.code(), Some(1));
        assert_eq!(inbox(&["show", "999"]).status.code(), Some(1));
    }
}

#[test]
fn doctor_says_what_is_wrong_and_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let doctor = |database: &str, secret: &str| {
        let mut command = rosterd();
        command
            .args(["doctor", "--format", "json"])
            .env("DATABASE_URL", database)
            .env("WORKOS_WEBHOOK_SECRET", secret);
        command
            .env("SMTP_URL", format!("file://{}", home.path().display()))
            .env("MAIL_FALLBACK", "operator@host.example");
        let output = output(&mut command);
        let findings: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code(), findings)
    };
    let verdict = |findings: &[Value], check: &str| {
        findings.iter().find(|finding| finding["check"] == check).unwrap()["verdict"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    for backend in Backend::offered() {
        let store = TestDatabase::create(backend);
        let (code, findings) = doctor(&store.url(), SECRET);
        assert_eq!(code, Some(0), "{findings:?}");
        assert_eq!(verdict(&findings, "schema"), "warn");
        stdout(&output(rosterd().arg("migrate").env("DATABASE_URL", store.url())));
        let (_, findings) = doctor(&store.url(), SECRET);
        assert_eq!(verdict(&findings, "schema"), "ok", "{findings:?}");
    }

    let (code, findings) = doctor("postgres://nobody:hunter2@127.0.0.1:1/none", "");

    assert_eq!(code, Some(1));
    assert_eq!(
        (verdict(&findings, "secret"), verdict(&findings, "database")),
        ("fail".to_owned(), "fail".to_owned())
    );
    assert!(!format!("{findings:?}").contains("hunter2"));
}

#[test]
fn lists_are_tables_json_and_csv_with_the_columns_names() {
    let app = crate::harness::TestApp::start(Backend::Sqlite, |_config| {});
    let formula = crate::harness::broker::with(
        user("u1", "active", 1),
        serde_json::json!({"name": "=1+1", "job_title": "a\u{1b}[31mb"}),
    );
    app.play(&[event("e1", "dsync.user.created", 1, formula)]);
    let list = |format: &str| {
        let mut command = rosterd();
        command
            .env("DATABASE_URL", app.store.url())
            .args(["users", "list", "--tenant", "org_1", "--format", format]);
        stdout(&output(&mut command))
    };

    let json: Vec<Value> = serde_json::from_str(&list("json")).unwrap();
    assert_eq!(json[0]["id"], "u1");
    assert_eq!(json[0].as_object().unwrap().len(), 18);
    // Texts of customers neither run in a spreadsheet nor control a terminal.
    assert!(list("csv").contains(",\"=1+1\","), "as it is, for programs");
    let table = list("table");
    assert!(table.contains("=1+1") && !table.contains('\u{1b}'), "{table}");
}

#[test]
fn a_table_fits_the_terminal_and_breaks_no_id() {
    let app = crate::harness::TestApp::start(Backend::Sqlite, |_config| {});
    let long = "directory_user_01E1JG7J09H96KYP8HM9B0G5SJ";
    app.play(&[event("e1", "dsync.user.created", 1, user(long, "active", 1))]);
    let list = |columns: u16| {
        let (code, shown) =
            on_a_terminal(&app.store.url(), columns, &["users", "list", "--tenant", "org_1"], "");
        assert_eq!(code, Some(0), "{shown}");
        shown
    };
    for columns in [60, 100, 250] {
        let shown = list(columns);
        assert!(shown.contains(long), "{columns}: {shown}");
        assert!(
            shown.lines().all(|line| line.trim_end().chars().count() <= usize::from(columns)),
            "{columns}: {shown}"
        );
    }
    assert!(list(60).starts_with("id "), "a record for each person");
    assert_eq!(list(250).lines().count(), 2, "a table");
}
