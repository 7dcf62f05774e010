//! Access reviews at a point in time: the state that the trail tells is what the tables were.

use std::collections::BTreeSet;

use rosterd::{
    audit::{
        review::{Review, ReviewError, ReviewQuery, review},
        review_sheets::{SheetKind, sheet},
    },
    decide::{guard::GuardLimits, roles::Manual},
    operator::{
        directory_move::{self, Confirmed, MoveRequest},
        erase::erase,
        holds::{self, HoldDecision, Verdict},
        manual_roles::{self, GrantTarget, OperatorAt},
        mapping_plan::{self, PlanOperator},
    },
    runtime::clock::Timestamp,
    simulate::{DEFAULT_START, Plan},
    tables::{
        access_under_review::ACCESS_UNDER_REVIEW,
        host_tables::{TENANTS, USER_ROLES, USERS},
    },
};
use serde_json::{Map, Value, json};

use crate::harness::{
    TestApp, both,
    broker::{directory, event, organization, user, with},
};

fn try_review(
    app: &TestApp,
    tenant_id: &str,
    as_of: Timestamp,
    since: Option<Timestamp>,
) -> Result<Review, ReviewError> {
    let now = app.clock.now();
    let wanted = ReviewQuery { tenant_id, as_of, since, made_by: "ada", now };
    app.database().snapshot(|conn| review(conn, wanted))
}

pub(crate) fn review_at(app: &TestApp, tenant_id: &str, as_of: Timestamp) -> Review {
    try_review(app, tenant_id, as_of, None).unwrap()
}

/// People with access and their roles, and the access that is kept against the directory.
type State = (BTreeSet<String>, BTreeSet<String>);

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}

/// The state of the tables.
fn tables(app: &TestApp, tenant_id: &str) -> State {
    let mine = |row: &Map<String, Value>| row["tenant_id"] == tenant_id;
    let roles = app.rows(USER_ROLES);
    let person = |row: Map<String, Value>| {
        let roles: BTreeSet<&str> = roles
            .iter()
            .filter(|role| mine(role) && role["user_id"] == row["id"])
            .map(|role| text(&role["role_slug"]))
            .collect();
        let columns = ["id", "person_id", "directory_id", "name", "email", "job_title"]
            .map(|column| text(&row[column]));
        let attributes = match &row["custom_attributes"] {
            Value::String(text) => serde_json::from_str(text).unwrap(),
            attributes => attributes.clone(),
        };
        format!("{columns:?} {} {roles:?}", text(&attributes["department_name"]))
    };
    let active = app.rows(USERS).into_iter().filter(|row| mine(row) && row["status"] == "active");
    let kept = app.rows(ACCESS_UNDER_REVIEW).into_iter().filter(mine).map(|row| {
        let hold = row["hold_id"].as_i64();
        let columns = ["user_id", "reason", "since", "role_slug"].map(|column| text(&row[column]));
        format!("{columns:?} {hold:?}")
    });
    (active.map(person).collect(), kept.collect())
}

/// The same from a review.
fn told(review: &Review) -> State {
    let some = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let person = |one: &rosterd::audit::review_people::ReviewedPerson| {
        let roles: BTreeSet<&str> = one.roles.iter().map(|role| role.role.as_str()).collect();
        let columns = [
            one.user_id.clone(),
            one.person_id.clone(),
            one.directory_id.clone(),
            some(&one.name),
            some(&one.email),
            some(&one.job_title),
        ];
        format!("{columns:?} {} {roles:?}", some(&one.department))
    };
    let kept = review.under_review.iter().map(|one| {
        let role = if one.reason == "last_holder" {
            one.directory_wants.rsplit("without ").next().unwrap()
        } else {
            "-"
        };
        format!("{:?} {:?}", [&one.user_id, one.reason.as_str(), &one.since, role], one.hold_id)
    });
    (review.people.iter().map(person).collect(), kept.collect())
}

/// Records the tables after each step, and asks the trail for all of them at the end.
struct Recorder<'a> {
    app: &'a TestApp,
    recorded: Vec<(Timestamp, String, State)>,
}

impl Recorder<'_> {
    fn step(&mut self, take: impl FnOnce(&TestApp)) {
        take(self.app);
        self.app.drain();
        for tenant in self.app.rows(TENANTS) {
            let tenant = text(&tenant["id"]).to_owned();
            let state = tables(self.app, &tenant);
            self.recorded.push((self.app.clock.now(), tenant, state));
        }
        self.app.clock.advance_seconds(60);
    }

    fn compare(&self) {
        for (at, tenant, state) in &self.recorded {
            match try_review(self.app, tenant, *at, None) {
                Ok(review) => assert_eq!(told(&review), *state, "{tenant} at {at}"),
                // A tenant is known before the first change of its access.
                Err(ReviewError::BeforeTheTrail { .. } | ReviewError::NoTrail(_)) => {
                    assert_eq!(*state, State::default());
                }
                Err(error) => panic!("{tenant} at {at}: {error}"),
            }
        }
    }
}

both! {
    fn a_review_of_any_time_has_what_the_tables_had_then(app) {
        let plan = Plan { tenants: 3, users: 40, events: 600, seed: 11, start: DEFAULT_START };
        let events: Vec<_> = plan.events().collect();
        let mut recorder = Recorder { app, recorded: Vec::new() };
        for chunk in events.chunks(40) {
            recorder.step(|app| chunk.iter().for_each(|event| drop(app.send(event.body.clone()))));
        }

        assert!(recorder.recorded.iter().any(|(_, _, (people, _))| people.len() > 10));
        recorder.compare();
        for tenant in app.rows(TENANTS) {
            let counts = review_at(app, text(&tenant["id"]), app.clock.now()).counts;
            assert_eq!((counts.later_entries, counts.people as i64, counts.assignments as i64), (0, counts.people_in_tables, counts.assignments_in_tables));
        }
    }
}

const PROTECTED: &str = "unknown_roles = \"ignore\"\n[roles.member]\n[roles.editor]\n[roles.admin]\nprivileged = true\nprotected = true\n\
    [[rules]]\nname = \"admins\"\ngrants = [\"admin\"]\nwhen.attribute = { path = \"department_name\", equals = \"IT\" }\n\
    [[rules]]\nname = \"all\"\ngrants = [\"member\"]\nwhen.attribute = { path = \"department_name\", pattern = \"*\" }\n";

fn person(id: &str, state: &str, at: i64, department: &str) -> Value {
    with(
        user(id, state, at),
        json!({"custom_attributes": {"department_name": department, "manager_email": "bo@acme.example"}}),
    )
}

/// Decisions of operators, the guard, protected roles, an erasure and a move of a directory.
fn history(app: &TestApp) -> Recorder<'_> {
    let rules = || app.config.rules();
    let says = |id: &str, state: &str, at: i64, department: &str| {
        event(&format!("{id}_{at}"), "dsync.user.updated", at, person(id, state, at, department))
    };
    let target = |user| GrantTarget { tenant: "org_1", user };
    let mut recorder = Recorder { app, recorded: Vec::new() };
    recorder.step(|app| {
        app.play(&[event("d1", "dsync.activated", 1, directory("dir_1", "org_1", 1))]);
        app.play(
            &(0..8)
                .map(|n| says(&format!("u{n}"), "active", 1, if n == 0 { "IT" } else { "Sales" }))
                .collect::<Vec<_>>(),
        );
    });
    recorder.step(|app| {
        let by = PlanOperator { name: "ada", now: app.clock.now() };
        drop(mapping_plan::apply(app.database(), &rules(), PROTECTED, None, &by).unwrap());
    });
    recorder.step(|app| {
        let now = app.clock.now();
        let grant = Manual { role: "editor".into(), since: now, by: "ada".into(), reason: "on call".into() };
        manual_roles::grant(app.database(), &rules(), target("u1"), &grant, now).unwrap();
    });
    // The last administrator moves to Sales, and retains the role until another one comes.
    recorder.step(|app| app.play(&[says("u0", "active", 5, "Sales")]));
    recorder.step(|app| app.play(&[says("u2", "active", 6, "IT")]));
    // Five of eight people at once: held. One is rejected, newer facts end one, the others are approved.
    recorder.step(|app| {
        app.play(&(3..8).map(|n| says(&format!("u{n}"), "inactive", 7, "Sales")).collect::<Vec<_>>());
    });
    recorder.step(|app| {
        let by = HoldDecision {
            name: "ada",
            reason: Some("asked"),
            users: &["u3".to_owned()],
            ..HoldDecision::default()
        };
        holds::decide(app.database(), 1, Verdict::Reject, by, app.clock.now()).unwrap();
    });
    recorder.step(|app| app.play(&[says("u4", "active", 9, "Sales")]));
    recorder.step(|app| {
        let by = HoldDecision { name: "ada", reason: Some("right"), ..HoldDecision::default() };
        holds::decide(app.database(), 1, Verdict::Approve, by, app.clock.now()).unwrap();
    });
    recorder.step(|app| {
        let by = OperatorAt { name: "ada", now: app.clock.now() };
        manual_roles::revoke(app.database(), &rules(), target("u1"), "editor", (by, "over")).unwrap();
    });
    recorder
}

both! {
    fn a_review_tells_decisions_holds_and_last_holders_of_any_time(app, |config| config.guard.otherwise = GuardLimits { minimum: 3, percent: 30, ..GuardLimits::default() }) {
        let recorder = history(app);
        recorder.compare();
        let kept: BTreeSet<&String> = recorder.recorded.iter().flat_map(|(_, _, (_, kept))| kept).collect();
        assert!(kept.iter().any(|one| one.contains("last_holder")) && kept.iter().any(|one| one.contains("held")), "{kept:?}");

        let at = |step: usize| recorder.recorded[step].0;
        // Privileged and manual first, with the operator.
        let third = review_at(app, "org_1", at(2));
        let first: Vec<_> = third.people.iter().take(2).map(|one| (one.user_id.as_str(), one.privileged, one.manual)).collect();
        assert_eq!(first, [("u0", true, false), ("u1", false, true)]);
        assert_eq!(third.people[1].roles[0].granted_by.as_deref(), Some("ada"));
        assert_eq!((third.people[0].department.as_deref(), third.people[0].manager.as_deref()), (Some("IT"), Some("bo@acme.example")));
        assert_eq!(third.mapping_version, 1);
        assert!(third.counts.later_entries > 0);
        // A rejected person is kept, with the decision.
        let after = review_at(app, "org_1", at(6));
        let rejected = after.under_review.iter().find(|one| one.user_id == "u3").unwrap();
        assert_eq!((rejected.decision.as_deref(), rejected.decision_reason.as_deref()), (Some("rejected"), Some("asked")));

        // The movements and the difference of a period.
        let period = try_review(app, "org_1", at(9), Some(at(2))).unwrap();
        let ids = |movements: &[rosterd::audit::movement::Movement]| movements.iter().map(|one| one.user_id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(&period.joiners), Vec::<String>::new());
        assert_eq!(ids(&period.leavers), ["u5", "u6", "u7"]);
        assert_eq!(ids(&period.movers), ["u0", "u2", "u0", "u1"]);
        assert_eq!(period.movers[0].department, Some((Some("IT".into()), Some("Sales".into()))));
        assert_eq!(period.receipts.len(), 3);
        let changes: Vec<_> = period.changes.iter().map(|one| format!("{} {} +{:?} -{:?}", one.user_id, one.change, one.roles_gained, one.roles_lost)).collect();
        assert_eq!(changes[..3], [
            "u0 roles changed +[] -[\"admin\"]",
            "u1 roles changed +[] -[\"editor\"]",
            "u2 roles changed +[\"admin\"] -[]",
        ]);
        let joined = try_review(app, "org_1", at(0), Some(Timestamp::from_micros(0))).unwrap();
        assert_eq!((joined.joiners.len(), joined.changes.len(), joined.since_is_before_the_trail), (8, 8, true));
        crate::harness::schema::assert_fits("access-review.schema.json", &serde_json::to_value(&period).unwrap());
    }
}

both! {
    fn a_moved_directory_and_an_erased_person_are_told_as_far_as_the_trail_may(app) {
        let mut recorder = Recorder { app, recorded: Vec::new() };
        recorder.step(|app| app.play(&[
            event("o2", "organization.created", 1, organization("org_2", 1)),
            event("d1", "dsync.activated", 1, directory("dir_1", "org_1", 1)),
            event("e1", "dsync.user.created", 1, person("u1", "active", 1, "IT")),
            event("e2", "dsync.user.created", 1, person("u2", "active", 1, "IT")),
        ]));
        recorder.step(|app| {
            let request = MoveRequest { directory: "dir_1", to: "org_2", by: "ada", reason: "ticket 7", now: app.clock.now() };
            directory_move::move_directory(app.database(), &app.config.rules(), request, Confirmed::Anything).unwrap();
        });
        recorder.compare();
        let (created, moved) = (recorder.recorded[0].0, app.clock.now());
        let of = |tenant: &str| try_review(app, tenant, moved, Some(created)).unwrap();
        assert_eq!((of("org_1").leavers.len(), of("org_1").changes.len()), (2, 2));
        assert_eq!((of("org_2").joiners.len(), of("org_2").people.len()), (2, 2));

        let leaver = with(person("u1", "active", 1, "IT"), json!({"organization_id": "org_2"}));
        recorder.step(|app| app.play(&[event("e3", "dsync.user.deleted", 9, leaver)]));
        let by = OperatorAt { name: "ada", now: app.clock.now() };
        erase(app.database(), &app.config.rules(), "org_2", "u1", by).unwrap();
        app.drain();

        let before = review_at(app, "org_2", moved.plus_seconds(-30));
        let erased = before.people.iter().find(|one| one.erased).unwrap_or_else(|| panic!("{before:#?}"));
        assert_eq!((erased.erased, &erased.name, &erased.email, before.counts.erased), (true, &None, &None, 1));
        let all = serde_json::to_string(&before).unwrap();
        assert!(!all.contains("u1@acme.example") && all.contains("u2@acme.example"), "{all}");
    }
}

both! {
    fn the_trail_knows_nothing_before_its_beginning_and_after_now(app) {
        app.play(&[event("e1", "dsync.user.created", 1, user("u1", "active", 1))]);
        let begins = app.clock.now();
        app.clock.advance_seconds(60);
        let error = |as_of: i64, since: Option<i64>| {
            let at = |seconds: i64| Timestamp::from_micros(begins.micros() + seconds * 1_000_000);
            try_review(app, "org_1", at(as_of), since.map(at)).unwrap_err().to_string()
        };
        assert_eq!(
            error(-1, None),
            "the audit trail of org_1 begins at 2026-06-01T00:00:00.000000Z, and nothing is known about the time before: give a later --as-of"
        );
        assert!(error(61, None).contains("is in the future"), "{}", error(61, None));
        assert!(error(1, Some(2)).contains("give an earlier --since"));
        let review = review_at(app, "org_1", begins);
        assert_eq!((review.people.len(), review.head.seq, review.since.as_str()), (1, 2, "2026-03-03T00:00:00.000000Z"));
        assert!(review.since_is_before_the_trail);
        let stored = &crate::audit::trail(app, "org_1")[1].hash;
        assert_eq!(review.head.hash, hex::encode(stored), "audit verify --against can prove it");
        let roles = sheet(&review, SheetKind::Roles).csv();
        assert!(roles.contains("\"u1\"") && roles.contains("\"member\""), "{roles}");
    }
}
