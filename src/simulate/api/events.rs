//! `GET /events`: always the oldest first, whatever `order` is. The newest events are held back.

use serde_json::{Value, json};

use super::{
    Answer, Query,
    state::{Broker, Emitted},
};
use crate::runtime::clock::Timestamp;

pub(super) fn events(broker: &Broker, query: &Query) -> Answer {
    let wanted = query.all("events");
    if wanted.is_empty() {
        return Answer::invalid("events", "required");
    }
    let limit = match query.limit() {
        Ok(limit) => limit,
        Err(refused) => return refused,
    };
    let (after, from) = (query.get("after"), query.get("range_start"));
    if after.is_some() && from.is_some() {
        return Answer::invalid("after", "after and range_start exclude each other");
    }
    let from = match from.map(Timestamp::parse) {
        Some(None) => return Answer::invalid("range_start", "it is not a time"),
        Some(from) if !broker.faults.newest_first => from,
        _ => None,
    };
    let held_back = broker.now().plus_seconds(-broker.faults.held_back_seconds);
    let organization = query.get("organization_id");
    let is_wanted = |event: &&Emitted| {
        (broker.faults.newest_first || wanted.contains(&event.kind.as_str()))
            && event.at <= held_back
            && from.is_none_or(|from| event.at >= from)
            && organization.is_none_or(|wanted| event.organization_id.as_deref() == Some(wanted))
    };
    let mut all: Vec<&Emitted> = broker.events.iter().collect();
    if broker.faults.newest_first {
        all.reverse();
    }
    let start = match after {
        None => 0,
        Some(_) if broker.faults.cursors_expire => return unknown(after),
        Some(id) => match all.iter().position(|event| event.id == id) {
            Some(place) => place + 1,
            None => return unknown(after),
        },
    };
    let mut rest = all.into_iter().skip(start).filter(is_wanted);
    let page: Vec<&Emitted> = rest.by_ref().take(limit).collect();
    let next = page.last().map(|event| event.id.as_str()).filter(|_| rest.next().is_some());
    let data: Vec<&Value> = page.iter().map(|event| &event.body).collect();
    Answer::ok(json!({ "object": "list", "data": data, "list_metadata": { "after": next } }))
}

fn unknown(cursor: Option<&str>) -> Answer {
    Answer::refused(400, format!("Event not found: '{}'.", cursor.unwrap_or_default()))
}
