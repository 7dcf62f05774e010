//! The commands, beside a running service.

use serde_json::Value;

use crate::{
    binary::{drained, list, simulate, tenants},
    harness::{
        Backend, TestApp, TestDatabase,
        process::{Served, eventually, on_a_terminal, output, rosterd, stdout},
    },
};

const MAPPING: &str = r#"
unknown_roles = "ignore"
[roles.member]
[roles.staff]
[[rules]]
name = "everybody"
grants = ["staff"]
when.role = "member"
"#;

#[test]
fn on_a_terminal_a_mapping_is_shown_in_short_and_only_yes_applies_it() {
    for backend in Backend::offered() {
        let app = TestApp::start(backend, |_config| {});
        crate::roles::beginning(&app);
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("mapping.toml");
        std::fs::write(&file, MAPPING).unwrap();
        let file = file.display().to_string();
        let ask = |input: &str| {
            on_a_terminal(&app.store.url(), 100, &["mapping", "apply", &file, "--by", "ada"], input)
        };

        let (code, shown) = ask("no\n");
        assert!(code == Some(1) && shown.contains("nothing was changed"), "{shown}");
        assert!(shown.contains("people_gain") && shown.contains("Write yes to go on:"), "{shown}");
        let (code, shown) = ask("yes\n");
        assert!(code == Some(0) && shown.ends_with("applied as version 1\n"), "{shown}");
    }
}

#[test]
fn a_mapping_is_checked_planned_applied_and_explained_from_the_command_line() {
    for backend in Backend::offered() {
        let (store, home) = (TestDatabase::create(backend), tempfile::tempdir().unwrap());
        let file = |name: &str, text: &str| {
            std::fs::write(home.path().join(name), text).unwrap();
            home.path().join(name).display().to_string()
        };
        let mapping = file("mapping.toml", MAPPING);
        let run = |arguments: &[&str]| output(rosterd().env("DATABASE_URL", store.url()).args(arguments));
        let served = Served::on(&store);
        simulate(&served, &["--users", "30", "--events", "0"]);
        eventually("everything applied", || drained(&served));

        let faulty = file("faulty.toml", &MAPPING.replace("[roles.staff]\n", ""));
        let refused = run(&["mapping", "check", &faulty]);
        assert_eq!(refused.status.code(), Some(1));
        let printed = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(printed.contains("faulty.toml:6: staff is not declared (declared: member)"), "{printed}");
        assert!(run(&["mapping", "check", &mapping]).status.success());

        let plan = home.path().join("plan.json").display().to_string();
        let planned = run(&["mapping", "plan", &mapping, "--out", &plan, "--detailed-exitcode"]);
        assert_eq!(planned.status.code(), Some(2));
        assert!(run(&["mapping", "plan", &mapping]).status.success());
        stdout(&run(&["mapping", "apply", &plan, "--by", "ada"]));
        assert!(!run(&["mapping", "apply", &plan]).status.success(), "a plan that has been applied is stale");
        let nothing = run(&["mapping", "plan", &mapping, "--detailed-exitcode"]);
        assert_eq!(nothing.status.code(), Some(0));
        assert!(stdout(&run(&["mapping", "show"])).starts_with("# version 1, applied by ada at "));

        let summary = stdout(&run(&["mapping", "plan", &file("back.toml", "unknown_roles = \"create\"\n")]));
        let head: Vec<&str> = summary.lines().next().unwrap().split_whitespace().collect();
        assert_eq!(head, ["role", "people_gain", "people_lose", "people_keep", "privileged"], "{summary}");
        let history: Value =
            serde_json::from_str(&stdout(&run(&["mapping", "history", "--format", "json"]))).unwrap();
        assert_eq!(
            (history.as_array().unwrap().len(), &history[0]["applied_by"], &history[0]["in_force"]),
            (1, &"ada".into(), &true.into())
        );
        stdout(&run(&["mapping", "rollback", "--to", "0", "--by", "eve"]));
        let back = stdout(&run(&["mapping", "rollback", "--to", "1", "--yes", "--by", "eve"]));
        assert!(back.ends_with("applied as version 3\n"), "{back}");
        assert!(stdout(&run(&["mapping", "show", "--version", "1"])).contains("applied by ada"));
        assert_eq!(stdout(&run(&["mapping", "diff", "1", "3"])), "versions 1 and 3 are equal\n");
        let diff = stdout(&run(&["mapping", "diff", "2", "3"]));
        assert!(
            diff.starts_with("--- version 2\n+++ version 3\n") && diff.contains("+ [roles.staff]"),
            "{diff}"
        );
        assert_eq!(run(&["mapping", "show", "--version", "9"]).status.code(), Some(1));

        let tenant = tenants(&store).remove(0);
        let roles = list(&store, "roles", &tenant);
        assert_eq!(
            roles.iter().map(|role| role["slug"].as_str().unwrap()).collect::<Vec<_>>(),
            ["member", "staff"]
        );
        let someone = list(&store, "users", &tenant).remove(0);
        let address = someone["email"].as_str().unwrap();
        stdout(&run(&[
            "roles", "grant", "--tenant", &tenant, address, "member", "--reason", "on call", "--by", "ada",
        ]));
        let explained = stdout(&run(&["explain", "--tenant", &tenant, address, "--format", "json"]));
        let explained: Value = serde_json::from_str(&explained).unwrap();
        let given =
            explained[0]["roles"].as_array().unwrap().iter().find(|role| role["role"] == "member").unwrap();
        assert_eq!(given["because"], "manual grant: on call");

        // The service continues with the new mapping.
        simulate(&served, &["--users", "30", "--events", "300"]);
        eventually("everything applied", || drained(&served));
        let again = run(&["mapping", "plan", &mapping, "--detailed-exitcode"]);
        assert_eq!(again.status.code(), Some(0), "{}", String::from_utf8_lossy(&again.stdout));
        served.signal("-TERM");
        assert!(served.end().0.success());
    }
}
