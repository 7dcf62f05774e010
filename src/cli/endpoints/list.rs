//! The lists of `endpoints`.

use secrecy::ExposeSecret;
use serde_json::Value;

use super::List;
use crate::{
    endpoints::{attempts::Attempt, stored::Endpoint},
    feed::head::FeedHead,
    runtime::clock::Timestamp,
};

/// `waiting`: id, number of records and first record of each endpoint with waiting records.
pub(super) fn endpoints(all: &[Endpoint], waiting: &[(String, i64, i64)], head: FeedHead) -> List {
    let time = |time: Option<Timestamp>| Value::from(time.map(|time| time.to_string()));
    let row = |one: &Endpoint| {
        let waits = waiting.iter().find(|(id, ..)| *id == one.id).map_or(0, |(_, count, _)| *count);
        vec![
            one.id.as_str().into(),
            one.name.as_str().into(),
            one.url.expose_secret().into(),
            one.tenant_id.clone().into(),
            one.kinds.clone().into(),
            one.state(head).into(),
            one.disabled.clone().into(),
            one.settled_seq.into(),
            one.lag(head).into(),
            waits.into(),
            one.delivered.into(),
            one.given_up.into(),
            one.lost.into(),
            time(one.circuit.open_until),
            time(one.last_success_at),
            time(one.last_failure_at),
            one.last_error.clone().into(),
            one.allow_private.into(),
            one.created_by.as_str().into(),
            one.created_at.to_string().into(),
        ]
    };
    List {
        columns: vec![
            "id",
            "name",
            "url",
            "tenant_id",
            "events",
            "state",
            "reason",
            "seq",
            "lag",
            "waiting",
            "delivered",
            "given_up",
            "lost",
            "paused_until",
            "last_success_at",
            "last_failure_at",
            "last_error",
            "allow_private",
            "created_by",
            "created_at",
        ],
        rows: all.iter().map(row).collect(),
    }
}

pub(super) fn attempts(all: &[Attempt]) -> List {
    let row = |one: &Attempt| {
        vec![one.at().to_string().into(), one.seq.into(), one.outcome.as_str().into(), one.duration_ms.into()]
    };
    List { columns: vec!["at", "seq", "outcome", "duration_ms"], rows: all.iter().map(row).collect() }
}
