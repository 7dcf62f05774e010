//! Each decision is a record. Nobody is decided twice without `--override`.

use rosterd::{
    db::DbError,
    operator::holds::{self, HoldDecision, ListedHold, Verdict},
};
use serde_json::{Value, json};

use super::{beginning, decide, gone, held, named, update};
use crate::harness::{
    Backend, TestApp, both,
    process::{output, rosterd, stdout},
};

fn tripped(app: &TestApp) {
    beginning(app, 20);
    app.play(&(0..20).map(|n| update(n, "inactive", 9)).collect::<Vec<_>>());
}

fn listed(app: &TestApp) -> ListedHold {
    app.database().read::<_, DbError>(|conn| holds::list(conn, None, None)).unwrap().remove(0)
}

/// (decision, by, people, of how many, in place of an earlier one).
fn decisions(app: &TestApp) -> Vec<(String, String, i64, i64, bool)> {
    let row = |one: rosterd::tables::hold_decisions::StoredDecision| {
        (one.decision, one.decided_by, one.people, one.of_people, one.overrides)
    };
    listed(app).decisions.into_iter().map(row).collect()
}

fn attempt(app: &TestApp, verdict: Verdict, by: HoldDecision<'_>) -> Result<usize, String> {
    let decided = holds::decide(app.database(), 1, verdict, by, app.clock.now());
    app.drain();
    decided.map_err(|error| error.to_string())
}

fn entries(app: &TestApp, kind: &str) -> Vec<Value> {
    let found = crate::audit::trail(app, "org_1").into_iter().filter(|entry| entry.kind.starts_with(kind));
    let entry = |entry: rosterd::audit::stored_entries::StoredEntry| {
        let change: Value = serde_json::from_str(&entry.change).unwrap();
        json!({"kind": entry.kind, "subject": entry.subject, "actor": entry.actor, "change": change})
    };
    found.map(entry).collect()
}

both! {
    fn a_decision_says_who_when_why_and_how_many_of_how_many_and_the_trail_agrees(app) {
        tripped(app);
        assert_eq!(decide(app, 1, Verdict::Reject, &[named(0), named(1)]), 2);
        assert_eq!(decide(app, 1, Verdict::Approve, &[]), 18);

        assert_eq!(decisions(app), [
            ("rejected".to_owned(), "ada".to_owned(), 2, 20, false),
            ("approved".to_owned(), "ada".to_owned(), 18, 20, false),
        ]);
        let hold = listed(app);
        assert_eq!((hold.hold.state.as_str(), hold.people, hold.waiting), ("mixed", 20, 0));
        let kinds: Vec<String> = entries(app, "hold").iter().map(|entry| entry["kind"].as_str().unwrap().to_owned()).collect();
        assert_eq!(kinds, ["hold.opened", "hold.rejected", "hold.approved"]);
        let opened = &entries(app, "hold.opened")[0]["change"];
        assert_eq!(opened["people"], 20);
        let of_loss = entries(app, "loss");
        let count = |kind: &str| of_loss.iter().filter(|entry| entry["kind"] == kind).count();
        assert_eq!((count("loss.held"), count("loss.rejected"), count("loss.approved")), (20, 2, 18));
        let held: Vec<&Value> = of_loss.iter().filter(|entry| entry["kind"] == "loss.held" && entry["subject"] == "u03").collect();
        assert_eq!(held[0]["actor"], "event inactive_3_9");
        assert_eq!(held[0]["change"], json!({"hold": 1, "directory_wants": "no access: not active"}));
    }
}

both! {
    fn a_second_decision_is_refused_unless_it_says_so_and_then_it_is_a_second_record(app) {
        tripped(app);
        assert_eq!(decide(app, 1, Verdict::Reject, &[]), 20);

        let bob = HoldDecision { name: "bob", ..HoldDecision::default() };
        let refused = attempt(app, Verdict::Approve, bob).unwrap_err();
        assert_eq!(refused, "hold 1 was decided already: ada rejected 20 of 20 people at 2026-06-01T00:00:00.000000Z (asked). \
             Nothing was changed; add --override to decide again, as a second record");
        let user = [named(3)];
        let refused = attempt(app, Verdict::Approve, HoldDecision { users: &user, ..bob }).unwrap_err();
        assert!(refused.starts_with("u03 of hold 1 was decided already: ada rejected"), "{refused}");
        assert_eq!((gone(app).len(), decisions(app).len()), (0, 1));

        assert_eq!(attempt(app, Verdict::Approve, HoldDecision { users: &user, overrides: true, ..bob }), Ok(1));
        assert_eq!((gone(app), held(app)[0].state.as_str()), (vec!["u03".to_owned()], "mixed"));
        assert_eq!(decisions(app)[1], ("approved".to_owned(), "bob".to_owned(), 1, 20, true));
        // What is applied cannot be taken back by a decision.
        let refused = attempt(app, Verdict::Reject, HoldDecision { users: &user, overrides: true, ..bob }).unwrap_err();
        assert!(refused.starts_with("u03 of hold 1 was decided, and the decision is applied: bob approved 1 of 20"), "{refused}");
    }
}

both! {
    fn a_decision_that_expects_another_number_of_people_decides_nothing(app) {
        tripped(app);
        let by = |expect| HoldDecision { name: "ada", expect: Some(expect), ..HoldDecision::default() };

        let refused = attempt(app, Verdict::Approve, by(19)).unwrap_err();
        assert!(refused.starts_with("the decision would be about 20 people of hold 1, and not 19; nothing was changed"), "{refused}");
        assert_eq!((gone(app).len(), decisions(app).len()), (0, 0));
        assert_eq!(attempt(app, Verdict::Approve, by(20)), Ok(20));
    }
}

both! {
    fn the_setting_that_decides_is_on_record_as_well(app, |config| {
        config.guard.otherwise.undecided = rosterd::decide::guard::Undecided::ApproveAfterHours(4);
    }) {
        tripped(app);
        app.clock.advance_seconds(4 * 3_600);
        app.drain();
        assert_eq!(decisions(app), [("approved".to_owned(), "rosterd".to_owned(), 20, 20, false)]);
    }
}

#[test]
fn a_script_says_yes_or_how_many_and_who_decides() {
    for backend in Backend::offered() {
        let app = TestApp::start(backend, |_config| {});
        let url = app.store.url();
        let command = |arguments: &[&str]| {
            let mut command = rosterd();
            command.env("DATABASE_URL", &url).args(arguments);
            command
        };
        let run = |arguments: &[&str]| output(&mut command(arguments));
        let error = |output: &std::process::Output| String::from_utf8_lossy(&output.stderr).into_owned();
        tripped(&app);

        let asked = run(&["holds", "approve", "1"]);
        assert_eq!(asked.status.code(), Some(1));
        assert!(
            error(&asked).contains("this concerns 20 people. Add --expect 20, or --yes"),
            "{}",
            error(&asked)
        );
        let nobody = output(command(&["holds", "approve", "1", "--yes"]).env_remove("USER"));
        assert_eq!(nobody.status.code(), Some(64));
        assert!(error(&nobody).contains("add --by NAME, or set ROSTERD_BY"), "{}", error(&nobody));
        let other = run(&["holds", "approve", "1", "--expect", "19"]);
        assert!(error(&other).contains("about 20 people of hold 1, and not 19"), "{}", error(&other));
        assert_eq!(gone(&app).len(), 0);

        let mut by = command(&["holds", "reject", "1", "--user", "u00", "--reason", "on leave"]);
        stdout(&output(by.env_remove("USER").env("ROSTERD_BY", "grace")));
        stdout(&run(&["holds", "approve", "1", "--expect", "19", "--by", "ada"]));
        assert_eq!(gone(&app).len(), 19);

        let list: Value =
            serde_json::from_str(&stdout(&run(&["holds", "list", "--format", "json"]))).unwrap();
        assert_eq!((&list[0]["people"], &list[0]["state"]), (&json!(20), &json!("mixed")));
        let decisions = list[0]["decisions"].as_array().unwrap();
        let brief: Vec<Value> = decisions
            .iter()
            .map(|one| json!([one["by"], one["decision"], one["reason"], one["people"]]))
            .collect();
        assert_eq!(
            brief,
            [json!(["grace", "rejected", "on leave", 1]), json!(["ada", "approved", null, 19])]
        );
        assert!(decisions.iter().all(|one| one["at"].is_string()));
        let shown = stdout(&run(&["holds", "show", "1"]));
        assert!(
            shown.contains("grace rejected 1 of 20 people: on leave")
                && shown.contains("ada approved 19 of 20 people"),
            "{shown}"
        );
        assert!(!shown.contains("rosterd holds approve 1"), "there is nothing to decide: {shown}");
    }
}
