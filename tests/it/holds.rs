//! Mass changes: held, distinguished from ordinary changes, decided.

mod agree;
mod announced;
mod commands;
mod decided;
mod everybody;
mod recorded;
mod review;
mod tripped;

use rosterd::{
    db::DbError,
    operator::holds::{self, HoldDecision, Verdict},
    tables::host_tables::USERS,
};
use serde_json::{Value, json};

use crate::harness::{
    TestApp,
    broker::{directory, event, organization, user, with},
};

pub(super) fn named(n: usize) -> String {
    format!("u{n:02}")
}

pub(super) fn created(n: usize) -> Value {
    event(&format!("created_{n}"), "dsync.user.created", 1, user(&named(n), "active", 1))
}

pub(super) fn update(n: usize, state: &str, seconds: i64) -> Value {
    let id = format!("{state}_{n}_{seconds}");
    event(&id, "dsync.user.updated", seconds, user(&named(n), state, seconds))
}

pub(super) fn deleted(n: usize, seconds: i64) -> Value {
    event(&format!("deleted_{n}_{seconds}"), "dsync.user.deleted", seconds, user(&named(n), "active", 1))
}

/// A directory with a number of people, created long ago.
pub(super) fn beginning(app: &TestApp, people: usize) {
    app.play(&[
        event("o1", "organization.created", 0, organization("org_1", 0)),
        event("d1", "dsync.activated", 0, directory("dir_1", "org_1", 0)),
    ]);
    app.play(&(0..people).map(created).collect::<Vec<_>>());
}

/// The ids of people without access.
pub(super) fn gone(app: &TestApp) -> Vec<String> {
    let rows = app.rows(USERS);
    let gone = rows.iter().filter(|row| row["status"] == "inactive");
    gone.map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

pub(super) fn range(people: std::ops::Range<usize>) -> Vec<String> {
    people.map(named).collect()
}

/// A hold as the tests compare it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct HoldSummary {
    pub(super) state: String,
    /// People without a decision.
    pub(super) undecided: usize,
    /// Losses that were applied before the hold was opened.
    pub(super) applied_before: i64,
    /// Active people of the directory before all losses of the window.
    pub(super) active_before: i64,
}

/// All holds, the oldest first.
pub(super) fn held(app: &TestApp) -> Vec<HoldSummary> {
    app.database()
        .read::<_, DbError>(|conn| {
            let mut summaries = Vec::new();
            for hold in rosterd::tables::holds::list(conn, None, None)?.into_iter().rev() {
                let (_, people) = holds::show(conn, hold.id)?.unwrap();
                summaries.push(HoldSummary {
                    state: hold.state,
                    undecided: people.iter().filter(|held| held.state == "open").count(),
                    applied_before: hold.applied_before,
                    active_before: hold.active_before,
                });
            }
            Ok(summaries)
        })
        .unwrap()
}

pub(crate) fn decide(app: &TestApp, id: i64, verdict: Verdict, users: &[String]) -> usize {
    let by = HoldDecision { name: "ada", reason: Some("asked"), users, ..HoldDecision::default() };
    let decided = holds::decide(app.database(), id, verdict, by, app.clock.now()).unwrap();
    app.drain();
    decided
}

/// A person of another directory of the same tenant.
pub(super) fn elsewhere(n: usize, state: &str, seconds: i64) -> Value {
    let data = with(user(&format!("v{n:02}"), state, seconds), json!({"directory_id": "dir_2"}));
    event(&format!("elsewhere_{state}_{n}"), "dsync.user.updated", seconds, data)
}
