//! Recipients and test mails from the command line.

use serde_json::{Value, json};

use crate::{
    harness::{
        Backend, SECRET, TestApp,
        broker::{event, organization, user, with},
        process::{output, rosterd, stdout},
    },
    smtp::{Behaviour, SmtpServer},
};

fn named(id: &str, name: &str) -> Value {
    with(organization(id, 1), json!({"name": name}))
}

fn stderr(output: &std::process::Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn recipients_are_added_listed_and_removed_by_a_tenants_id_or_name() {
    for backend in Backend::offered() {
        let home = tempfile::tempdir().unwrap();
        let app = TestApp::start(backend, |_config| {});
        app.play(&[
            event("o1", "organization.created", 1, named("org_1", "Acme Corp")),
            event("e1", "dsync.user.created", 1, user("u1", "active", 1)),
        ]);
        let file = home.path().join("rosterd.toml");
        std::fs::write(&file, "[mail.recipients]\norg_1 = ['it@acme.example']\n").unwrap();
        let run = |arguments: &[&str]| {
            let mut command = rosterd();
            command.env("DATABASE_URL", app.store.url()).env("ROSTERD_CONFIG", &file);
            output(command.arg("recipients").args(arguments))
        };
        let listed = || -> Vec<Value> {
            serde_json::from_str(&stdout(&run(&["list", "--tenant", "acme corp", "--format", "json"])))
                .unwrap()
        };

        let added = stdout(&run(&["add", "--tenant", "Acme Corp", "boss@acme.example", "--by", "ada"]));
        assert_eq!(added, "boss@acme.example gets the mails of org_1 from now on\n");
        let again = stdout(&run(&["add", "--tenant", "org_1", "Boss@acme.example"]));
        assert!(again.contains("already"), "{again}");
        let rows: Vec<[&str; 4]> = Vec::from([
            ["org_1", "it@acme.example", "settings", ""],
            ["org_1", "boss@acme.example", "database", "ada"],
        ]);
        let list = listed();
        let shown: Vec<[&str; 4]> = list
            .iter()
            .map(|row| {
                ["tenant_id", "address", "origin", "added_by"]
                    .map(|key| row[key].as_str().unwrap_or_default())
            })
            .collect();
        assert_eq!(shown, rows);

        for (arguments, reason) in [
            (vec!["add", "--tenant", "org_1", "boss"], "is no mail address"),
            (vec!["add", "--tenant", "org_1", "Boss <boss@acme.example>"], "write the address alone"),
            (vec!["add", "--tenant", "acme", "boss@acme.example"], "there is no tenant"),
            (vec!["remove", "--tenant", "org_1", "it@acme.example"], "by the settings file"),
            (vec!["remove", "--tenant", "org_1", "eve@acme.example"], "is no recipient of org_1"),
        ] {
            let refused = run(&arguments);
            assert_eq!(refused.status.code(), Some(1), "{arguments:?}");
            assert!(stderr(&refused).contains(reason), "{reason} in {}", stderr(&refused));
        }
        stdout(&run(&["remove", "--tenant", "org_1", "BOSS@acme.example", "--by", "ada"]));
        assert_eq!(listed().len(), 1);
    }
}

#[test]
fn a_test_mail_is_sent_with_the_real_templates_and_the_answer_of_the_server_is_told() {
    let app = TestApp::start(Backend::Sqlite, |_config| {});
    app.play(&[event("o1", "organization.created", 1, named("org_1", "Acme Corp"))]);
    let smtp = SmtpServer::start().unwrap();
    let test = |arguments: &[&str]| {
        let mut command = rosterd();
        command
            .env("DATABASE_URL", app.store.url())
            .env("SMTP_URL", smtp.url())
            .env("ROSTERD_PRODUCT", "Hub");
        output(command.args(["notices", "test", "--to", "me@host.example"]).args(arguments))
    };

    let told = stdout(&test(&[]));
    assert!(told.contains("accepted the test mail for me@host.example"), "{told}");
    stdout(&test(&["--tenant", "acme corp"]));
    smtp.next([Behaviour::RefuseRecipient("me@")]);
    let refused = test(&[]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("refuses this mail to me@host.example: "), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("550"), "{}", stderr(&refused));
    smtp.next([Behaviour::TemporaryFail]);
    let later = test(&[]);
    assert_eq!(later.status.code(), Some(1));
    assert!(stderr(&later).contains("was not sent"), "{}", stderr(&later));

    let mails = smtp.received();
    assert_eq!(mails.len(), 2);
    assert!(
        mails[0].header("Subject").unwrap().starts_with("This is a test: Access removed"),
        "{}",
        mails[0].raw
    );
    assert!(mails[0].raw.contains("This is a test. Nobody has lost access"), "{}", mails[0].raw);
    assert!(mails[0].raw.contains("Ada Lovelace") && mails[0].raw.contains("Hub"), "{}", mails[0].raw);
    assert!(mails[1].raw.contains("Acme Corp (org_1)"), "{}", mails[1].raw);
    let off = output(rosterd().args(["notices", "test", "--to", "me@host.example"]));
    assert_eq!(off.status.code(), Some(1));
    assert!(stderr(&off).contains("SMTP_URL"), "{}", stderr(&off));
}

#[test]
fn doctor_fails_while_nobody_would_get_a_mail() {
    let home = tempfile::tempdir().unwrap();
    for backend in Backend::offered() {
        let app = TestApp::start(backend, |_config| {});
        let mail = |fallback: &str, url: bool| -> (String, String) {
            let mut command = rosterd();
            command.args(["doctor", "--format", "json"]).env("WORKOS_WEBHOOK_SECRET", SECRET);
            command.env("DATABASE_URL", app.store.url()).env("MAIL_FALLBACK", fallback);
            if url {
                command.env("SMTP_URL", format!("file://{}", home.path().display()));
            }
            let output = output(&mut command);
            let findings: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
            let mail = findings.iter().find(|finding| finding["check"] == "mail").unwrap();
            let text = |key: &str| mail[key].as_str().unwrap().to_owned();
            assert_eq!(output.status.success(), text("verdict") != "fail");
            (text("verdict"), text("says"))
        };
        assert_eq!(mail("", true).0, "fail", "nobody at all is named");
        app.play(&[
            event("o1", "organization.created", 1, named("org_1", "Acme Corp")),
            event("o2", "organization.created", 1, named("org_2", "Bolt")),
        ]);

        let (verdict, says) = mail("", true);
        assert_eq!(verdict, "fail");
        assert!(says.contains("nobody gets the mails of org_1, org_2: set MAIL_FALLBACK"), "{says}");
        assert_eq!(mail("me@host.example", true).0, "ok");
        assert_eq!(mail("", false).0, "warn");
        for tenant in ["org_1", "org_2"] {
            let mut command = rosterd();
            command.env("DATABASE_URL", app.store.url());
            stdout(&output(command.args(["recipients", "add", "--tenant", tenant, "it@acme.example"])));
        }
        let (verdict, says) = mail("", true);
        assert!(verdict == "warn" && says.contains("notices for the operator"), "{says}");
    }
}
