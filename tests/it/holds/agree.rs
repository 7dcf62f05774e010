//! After any sequence of arrivals and decisions, the table of holds, the view, the access review, explanations, receipts
//! and the audit trail say the same about each person.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{
    bool::weighted,
    collection::{btree_set, vec},
    prelude::{Just, any, prop_oneof},
    strategy::Strategy,
    test_runner::{Config, TestCaseError, TestRunner},
};
use rosterd::{
    audit::{
        leaver_receipt::{Receipt, receipts},
        loss_story::LossStories,
        report::{ReportQuery, report},
        review::{ReviewQuery, review},
        stored_entries::StoredEntry,
        verify,
    },
    db::DbError,
    decide::guard::{GuardLimits, Undecided},
    operator::{
        explain::explain,
        holds::{self, HoldDecision, ListedHold, Verdict},
    },
    tables::{
        access_under_review::ACCESS_UNDER_REVIEW,
        held_users::{DONE, ENDED, HeldUser},
        host_tables::USERS,
    },
};
use serde_json::{Value, json};

use crate::harness::{
    Backend, TestApp,
    broker::{directory, event, user, with},
};

const PEOPLE: usize = 6;

#[derive(Clone, Debug)]
enum Step {
    /// The directory says of these people that they have this state.
    Said(BTreeSet<usize>, &'static str),
    Deleted(BTreeSet<usize>),
    /// An operator decides on the newest hold, or on the one before; about all who wait or about some people.
    Decided {
        approve: bool,
        overrides: bool,
        older: bool,
        some: BTreeSet<usize>,
    },
    /// So many minutes pass. After four hours a setting approves.
    Waited(i64),
}

fn people() -> impl Strategy<Value = BTreeSet<usize>> {
    prop_oneof![
        1 => Just((0..PEOPLE).collect()),
        2 => btree_set(0..PEOPLE, 1..=PEOPLE),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let some = prop_oneof![3 => Just(BTreeSet::new()), 1 => people()];
    prop_oneof![
        4 => people().prop_map(|people| Step::Said(people, "inactive")),
        1 => people().prop_map(|people| Step::Said(people, "active")),
        1 => people().prop_map(Step::Deleted),
        6 => (any::<bool>(), any::<bool>(), weighted(0.2), some)
            .prop_map(|(approve, overrides, older, some)| Step::Decided { approve, overrides, older, some }),
        2 => prop_oneof![Just(1_i64), Just(16), Just(260)].prop_map(Step::Waited),
    ]
}

/// One tenant for each history, so that histories share a database.
struct Trial<'a> {
    app: &'a TestApp,
    tenant: String,
    seconds: i64,
}

impl Trial<'_> {
    fn id(&self, n: usize) -> String {
        format!("{}_u{n}", self.tenant)
    }

    fn person(&self, n: usize, state: &str) -> Value {
        let fields = json!({"directory_id": format!("dir_{}", self.tenant), "organization_id": self.tenant});
        with(user(&self.id(n), state, self.seconds), fields)
    }

    fn begin(&self) {
        let directory = directory(&format!("dir_{}", self.tenant), &self.tenant, 0);
        let mut events = vec![event(&format!("{}_d", self.tenant), "dsync.activated", 0, directory)];
        events.extend(
            (0..PEOPLE).map(|n| {
                event(&format!("{}_c", self.id(n)), "dsync.user.created", 1, self.person(n, "active"))
            }),
        );
        self.app.play(&events);
    }

    fn said(&mut self, people: &BTreeSet<usize>, kind: &str, state: &str) {
        self.seconds += 1;
        let events: Vec<Value> = people
            .iter()
            .map(|n| {
                event(
                    &format!("{}_{}", self.id(*n), self.seconds),
                    kind,
                    self.seconds,
                    self.person(*n, state),
                )
            })
            .collect();
        self.app.play(&events);
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Said(people, state) => self.said(people, "dsync.user.updated", state),
            Step::Deleted(people) => self.said(people, "dsync.user.deleted", "active"),
            Step::Waited(minutes) => {
                self.app.clock.advance_seconds(minutes * 60);
                self.app.drain();
            }
            Step::Decided { approve, overrides, older, some } => {
                let Some(hold) = self.listed().into_iter().nth(usize::from(*older)) else { return };
                let users: Vec<String> = some.iter().map(|n| self.id(*n)).collect();
                let by = HoldDecision {
                    name: "ada",
                    reason: Some("asked"),
                    users: &users,
                    overrides: *overrides,
                    ..HoldDecision::default()
                };
                let verdict = if *approve { Verdict::Approve } else { Verdict::Reject };
                // A refusal changes nothing.
                drop(holds::decide(self.app.database(), hold.hold.id, verdict, by, self.app.clock.now()));
                self.app.drain();
            }
        }
    }

    fn listed(&self) -> Vec<ListedHold> {
        let read = |conn: &mut rosterd::db::Conn| holds::list(conn, Some(&self.tenant), None);
        self.app.database().read::<_, DbError>(read).unwrap()
    }

    /// The first disagreement, in words.
    fn check(&self) -> Result<(), String> {
        let database = self.app.database();
        let listed = self.listed();
        let held: BTreeMap<i64, Vec<HeldUser>> = listed
            .iter()
            .map(|one| {
                let shown = database.read::<_, DbError>(|conn| holds::show(conn, one.hold.id)).unwrap();
                (one.hold.id, shown.unwrap().1)
            })
            .collect();
        let trail = crate::audit::trail(self.app, &self.tenant);
        for one in &listed {
            self.hold_agrees(one, &held[&one.hold.id], &trail)?;
        }
        let live: BTreeMap<String, (i64, Option<i64>)> = held
            .iter()
            .flat_map(|(id, people)| people.iter().map(move |user| (*id, user)))
            .filter(|(_, user)| ![DONE, ENDED].contains(&user.state.as_str()))
            .map(|(id, user)| (user.user_id.clone(), (id, user.decision_number)))
            .collect();
        self.view_and_review_agree(&live, &listed)?;
        self.explanations_and_trail_agree(&live, &listed, &trail)?;
        self.receipts_agree(&held, &listed)?;
        let verified = database.read::<_, DbError>(|conn| verify::verify(conn, &self.tenant)).unwrap();
        expect("the chain's faults", &verified.faults.len(), &0)
    }

    fn hold_agrees(
        &self,
        one: &ListedHold,
        people: &[HeldUser],
        trail: &[StoredEntry],
    ) -> Result<(), String> {
        let id = one.hold.id;
        let waiting = people.iter().filter(|user| user.state == "open").count();
        expect("people who wait", &one.waiting, &i64::try_from(waiting).unwrap())?;
        expect("people", &one.people, &i64::try_from(people.len()).unwrap())?;
        let newest: BTreeSet<&str> = people
            .iter()
            .filter_map(|user| {
                let number = user.decision_number?;
                Some(one.decisions.iter().find(|one| one.number == number)?.decision.as_str())
            })
            .collect();
        let state = match newest.iter().copied().collect::<Vec<_>>().as_slice() {
            _ if waiting > 0 => "open",
            [] => "ended",
            [only] => only,
            _ => "mixed",
        };
        expect(&format!("the state of hold {id}"), &one.hold.state.as_str(), &state)?;
        for decision in &one.decisions {
            let of_hold = entries(trail, &format!("hold.{}", decision.decision), &id.to_string());
            let told: Vec<Value> = of_hold
                .iter()
                .map(|entry| change(entry))
                .filter(|change| change["decision"] == decision.number)
                .collect();
            let [told] = told.as_slice() else { return Err(format!("hold {id}: {told:?} for {decision:?}")) };
            expect("people in the entry", &told["people"], &decision.people.into())?;
            expect("of people", &told["of_people"], &decision.of_people.into())?;
            expect("the reason or setting", &told["reason"], &decision.reason.clone().into())?;
            let losses = trail.iter().filter(|entry| {
                entry.kind == format!("loss.{}", decision.decision)
                    && change(entry)["hold"] == id
                    && change(entry)["decision"] == decision.number
            });
            expect("decided losses in the trail", &i64::try_from(losses.count()).unwrap(), &decision.people)?;
        }
        let told = trail.iter().filter(|entry| {
            ["hold.approved", "hold.rejected"].contains(&entry.kind.as_str())
                && entry.subject == id.to_string()
        });
        expect("decisions in the trail", &told.count(), &one.decisions.len())?;
        let opened = entries(trail, "hold.opened", &id.to_string()).len();
        let announced = one.hold.announcements > 0 || one.hold.state != "open";
        expect("openings in the trail", &opened, &usize::from(announced))
    }

    fn view_and_review_agree(
        &self,
        live: &BTreeMap<String, (i64, Option<i64>)>,
        listed: &[ListedHold],
    ) -> Result<(), String> {
        let expected: Vec<String> =
            live.iter().map(|(user, (hold, _))| format!("{user} held {hold}")).collect();
        let all = self.app.brief(ACCESS_UNDER_REVIEW, &["user_id", "reason", "hold_id"]);
        let mine = |row: &String| row.starts_with(&format!("{}_", self.tenant));
        let viewed: Vec<String> = all.into_iter().filter(mine).collect();
        expect("the view", &viewed, &expected)?;
        let query = ReportQuery { tenant_id: &self.tenant, since: None, until: None, most: None };
        let report = self.app.database().snapshot(|conn| report(conn, query, self.app.clock.now())).unwrap();
        let kept: Vec<String> = report
            .under_review
            .iter()
            .map(|one| {
                format!("{} {} {:?} {:?}", one.user_id, one.hold_id.unwrap(), one.decision, one.decided_by)
            })
            .collect();
        let expected: Vec<String> = live
            .iter()
            .map(|(user, (hold, number))| {
                let (decision, by) = decision(listed, *hold, *number).unzip();
                format!("{user} {hold} {decision:?} {by:?}")
            })
            .collect();
        expect("the access review", &kept, &expected)?;
        let now = self.app.clock.now();
        let wanted = ReviewQuery { tenant_id: &self.tenant, as_of: now, since: None, made_by: "ada", now };
        let told = self.app.database().snapshot(|conn| review(conn, wanted)).unwrap();
        expect("the access review from the trail", &told.under_review, &report.under_review)?;
        let active: BTreeSet<String> = self
            .app
            .rows(USERS)
            .iter()
            .filter(|row| row["status"] == "active")
            .map(|row| row["id"].as_str().unwrap().to_owned())
            .collect();
        expect("held people with access", &live.keys().all(|user| active.contains(user)), &true)
    }

    fn explanations_and_trail_agree(
        &self,
        live: &BTreeMap<String, (i64, Option<i64>)>,
        listed: &[ListedHold],
        trail: &[StoredEntry],
    ) -> Result<(), String> {
        let mut stories = LossStories::default();
        trail.iter().for_each(|entry| drop(stories.next(entry)));
        for n in 0..PEOPLE {
            let id = self.id(n);
            let explained =
                explain(self.app.database(), &self.app.config.rules(), &self.tenant, &id).unwrap().remove(0);
            let expected = live
                .get(&id)
                .map(|(hold, number)| (*hold, decision(listed, *hold, *number).map(|one| one.1)));
            let held = explained.held.as_ref();
            expect(
                &format!("the explanation of {id}"),
                &held.map(|one| (one.hold_id, one.decided_by.clone())),
                &expected,
            )?;
            let story =
                stories.of(&id).map(|story| (story.hold_id, story.decisions.last().map(|one| one.number)));
            expect(&format!("the trail of {id}"), &story, &live.get(&id).copied())?;
            if let Some(held) = held {
                expect("an event in the explanation", &held.because.starts_with("event "), &true)?;
            }
        }
        Ok(())
    }

    /// The last receipt of each person whose held loss is applied names the hold and the decision.
    fn receipts_agree(
        &self,
        held: &BTreeMap<i64, Vec<HeldUser>>,
        listed: &[ListedHold],
    ) -> Result<(), String> {
        let read = |conn: &mut rosterd::db::Conn| Ok(receipts(conn, &self.tenant, None, None)?);
        let all: Vec<Receipt> = self.app.database().read::<_, DbError>(read).unwrap();
        let told: BTreeSet<(String, i64, Option<String>)> = all
            .iter()
            .filter_map(|receipt| {
                Some((receipt.user_id.clone(), receipt.hold_id?, receipt.decided_by.clone()))
            })
            .collect();
        for (id, people) in held {
            for user in people.iter().filter(|user| user.state == DONE) {
                let by = decision(listed, *id, user.decision_number).map(|one| one.1);
                let expected = (user.user_id.clone(), *id, by);
                expect(&format!("a receipt for {expected:?}"), &told.contains(&expected), &true)?;
            }
        }
        let complete = all.iter().all(|receipt| receipt.stated_at.is_some() && receipt.received_at.is_some());
        expect("receipts with the times of the event", &complete, &true)
    }
}

/// (decision, by) of this number; the setting as the trail names it.
fn decision(listed: &[ListedHold], hold: i64, number: Option<i64>) -> Option<(String, String)> {
    let hold = listed.iter().find(|one| one.hold.id == hold)?;
    let one = hold.decisions.iter().find(|one| Some(one.number) == number)?;
    Some((one.decision.clone(), one.decided_by.clone()))
}

fn entries<'a>(trail: &'a [StoredEntry], kind: &str, subject: &str) -> Vec<&'a StoredEntry> {
    trail.iter().filter(|entry| entry.kind == kind && entry.subject == subject).collect()
}

fn change(entry: &StoredEntry) -> Value {
    serde_json::from_str(&entry.change).unwrap()
}

fn expect<T: PartialEq + std::fmt::Debug>(what: &str, is: &T, expected: &T) -> Result<(), String> {
    if is == expected { Ok(()) } else { Err(format!("{what}: {is:?}, expected {expected:?}")) }
}

fn histories(backend: Backend) {
    let app = TestApp::start(backend, |config| {
        let undecided = Undecided::ApproveAfterHours(4);
        config.guard.otherwise = GuardLimits { minimum: 2, percent: 30, undecided, ..GuardLimits::default() };
    });
    let cases = std::env::var("ROSTERD_TEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(64);
    let count = std::cell::Cell::new(0);
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&vec(step(), 1..14), |steps| {
        count.set(count.get() + 1);
        let mut trial = Trial { app: &app, tenant: format!("org_{}", count.get()), seconds: 1 };
        trial.begin();
        // Histories have any length, so each beginning of one is examined as a history of its own.
        steps.iter().for_each(|step| trial.take(step));
        trial.check().map_err(TestCaseError::fail)
    });
    if let Err(why) = outcome {
        panic!("{why}");
    }
    app.assert_rebuilds();
}

#[test]
fn all_records_agree_after_any_history_on_sqlite() {
    histories(Backend::Sqlite);
}

#[test]
#[cfg_attr(feature = "sqlite-only", ignore = "PostgreSQL is left out")]
fn all_records_agree_after_any_history_on_postgres() {
    histories(Backend::Postgres);
}
