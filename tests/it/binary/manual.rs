//! What the program says about itself: settings in force, completions, the manual page, and lists in each form.

use serde_json::Value;

use crate::harness::{
    Backend, TestApp,
    broker::{event, organization, user, with},
    process::{output, rosterd, stdout},
};

#[test]
fn settings_in_force_are_shown_with_their_origin_and_without_secrets() {
    let home = tempfile::tempdir().unwrap();
    let (file, secret) = (home.path().join("rosterd.toml"), home.path().join("secret"));
    std::fs::write(&file, "[mail]\nproduct = 'Hub'\n[workos]\napi_key = 'hunter2'\n").unwrap();
    std::fs::write(&secret, "hunter3\n").unwrap();
    let run = |arguments: &[&str]| {
        let mut command = rosterd();
        command.args(["--config", &file.display().to_string(), "config"]).args(arguments);
        command.env("DATABASE_URL", "postgres://ada:hunter4@db/hub");
        output(command.env("WORKOS_WEBHOOK_SECRET_FILE", &secret))
    };
    let show = |arguments: &[&str]| -> Vec<Value> {
        let shown = stdout(&run(&[&["show", "--format", "json"], arguments].concat()));
        assert!(!shown.contains("hunter"), "{shown}");
        serde_json::from_str(&shown).unwrap()
    };

    let set = show(&[]);
    let keys: Vec<&str> = set.iter().map(|row| row["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["database_url", "mail.product", "workos.api_key", "workos.webhook_secrets"]);
    assert_eq!(set[0]["origin"], "environment DATABASE_URL");
    assert_eq!(set[1]["origin"], format!("file {}", file.display()));
    assert_eq!(
        set[3]["origin"],
        format!("environment WORKOS_WEBHOOK_SECRET_FILE, file {}", secret.display())
    );
    let all = show(&["--effective"]);
    assert!(all.len() > 50, "{all:?}");
    let listen = all.iter().find(|row| row["key"] == "http.listen").unwrap();
    assert_eq!((&listen["value"], &listen["origin"]), (&"\"127.0.0.1:8080\"".into(), &"default".into()));
    assert!(stdout(&run(&["--effective"])).contains("http.admin_listen"));
    assert!(stdout(&run(&["check"])).starts_with("the settings are valid"));
    std::fs::write(&file, "[mail]\nprodukt = 'Hub'\n").unwrap();
    let wrong = run(&["check"]);
    assert_eq!(wrong.status.code(), Some(78));
    let said = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(said.contains("mail.produkt is not known in"), "{said}");
}

#[test]
fn completions_and_the_manual_page_name_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let script = stdout(&output(rosterd().args(["completions", shell])));
        assert!(script.contains("recipients") && script.contains("tenants"), "{script}");
    }
    let page = stdout(&output(rosterd().arg("man")));
    for part in [".TH rosterd 1", "ROSTERD RECIPIENTS ADD", "ROSTERD MAPPING ROLLBACK", "ROSTERD CONFIG SHOW"]
    {
        assert!(page.contains(part), "{part} in {page}");
    }
}

#[test]
fn a_tenant_is_named_by_its_id_or_its_only_name_and_a_list_has_each_form() {
    for backend in Backend::offered() {
        let app = TestApp::start(backend, |_config| {});
        let named = |id: &str, name: &str| with(organization(id, 1), serde_json::json!({"name": name}));
        app.play(&[
            event("o1", "organization.created", 1, named("org_1", "Acme Corp")),
            event("o2", "organization.created", 1, named("org_2", "Bolt")),
            event("o3", "organization.created", 1, named("org_3", "BOLT")),
            event("e1", "dsync.user.created", 1, user("u1", "active", 1)),
        ]);
        let run = |arguments: &[&str]| output(rosterd().env("DATABASE_URL", app.store.url()).args(arguments));

        let tenants = stdout(&run(&["tenants", "list", "--format", "jsonl"]));
        let tenants: Vec<Value> = tenants.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let brief: Vec<(&str, i64)> = tenants
            .iter()
            .map(|row| (row["name"].as_str().unwrap(), row["people"].as_i64().unwrap()))
            .collect();
        assert_eq!(brief, [("Acme Corp", 1), ("Bolt", 0), ("BOLT", 0)]);
        for name in ["org_1", "Acme Corp", "acme corp"] {
            let users = stdout(&run(&["users", "list", "--tenant", name, "--format", "csv"]));
            assert_eq!(users.lines().count(), 2, "{users}");
        }
        for (name, part) in [
            ("Bolt", "several tenants are named \"Bolt\"; write one of their ids: org_2, org_3"),
            ("Akme", "there is no tenant Akme"),
        ] {
            let refused = run(&["users", "list", "--tenant", name]);
            let said = String::from_utf8_lossy(&refused.stderr).into_owned();
            assert!(refused.status.code() == Some(1) && said.contains(part), "{said}");
        }
        let nobody = stdout(&run(&["users", "list", "--tenant", "org_2"]));
        assert!(nobody.lines().count() == 1 && nobody.contains("deprovisioned_at"), "{nobody}");
        assert_eq!(stdout(&run(&["users", "list", "--tenant", "org_2", "--format", "jsonl"])), "");
        let directories = stdout(&run(&["directories", "list", "--tenant", "acme corp", "--format", "json"]));
        assert!(directories.contains("dir_1"), "{directories}");
    }
}
