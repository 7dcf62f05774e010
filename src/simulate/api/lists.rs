//! Lists of objects, in pages with the id of the last object as cursor.

use std::{collections::BTreeMap, time::Instant};

use serde_json::{Value, json};

use super::{Answer, Query, state::Broker};

pub(super) fn organizations(broker: &Broker, query: &Query) -> Answer {
    let all = broker.organizations.iter().map(|(id, value)| (id.as_str(), value));
    listed(broker.faults.pages_shift, query, all, Value::clone)
}

pub(super) fn directories(broker: &Broker, query: &Query) -> Answer {
    let shifts = broker.faults.pages_shift;
    let organization = query.get("organization_id");
    let all = broker.directories.iter();
    let of = all.filter(|(_, directory)| {
        organization
            .is_none_or(|wanted| directory.get("organization_id").and_then(Value::as_str) == Some(wanted))
    });
    listed(shifts, query, of.map(|(id, directory)| (id.as_str(), directory)), |directory| {
        broker.shown_directory(directory)
    })
}

pub(super) fn directory(broker: &Broker, id: &str) -> Answer {
    match broker.directories.get(id) {
        Some(directory) => Answer::ok(broker.shown_directory(directory)),
        None => unknown("Directory", id),
    }
}

pub(super) fn groups(broker: &Broker, query: &Query) -> Answer {
    let shifts = broker.faults.pages_shift;
    if let Some(user) = query.get("user") {
        let of =
            broker.groups.iter().filter(|(id, _)| broker.members.contains(&((*id).clone(), user.to_owned())));
        return listed(shifts, query, of.map(|(id, group)| (id.as_str(), group)), Value::clone);
    }
    let Some(directory) = query.get("directory") else { return Answer::invalid("directory", "required") };
    if !broker.directories.contains_key(directory) {
        return unknown("Directory", directory);
    }
    listed(shifts, query, of_directory(&broker.groups, directory), Value::clone)
}

pub(super) fn users(broker: &mut Broker, query: &Query) -> Answer {
    let shifts = broker.faults.pages_shift;
    let (directory, group) = (query.get("directory"), query.get("group"));
    let counted = match (directory, group.and_then(|id| broker.groups.get(id))) {
        (Some(directory), _) => directory.to_owned(),
        (None, Some(group)) => {
            group.get("directory_id").and_then(Value::as_str).unwrap_or_default().to_owned()
        }
        (None, None) => match group {
            Some(group) => return unknown("Directory Group", group),
            None => return Answer::invalid("directory", "required"),
        },
    };
    if broker.faults.limits_rate && !broker.rate.allows(&counted, Instant::now()) {
        return Answer { status: 429, body: json!("Ratelimited") };
    }
    if !broker.directories.contains_key(&counted) {
        return unknown("Directory", &counted);
    }
    if broker.faults.empty {
        return listed(shifts, query, std::iter::empty(), Value::clone);
    }
    match group {
        Some(group) => {
            let all = broker.members.range((group.to_owned(), String::new())..);
            let of = all.take_while(|(of, _)| of == group);
            let of = of.filter_map(|(_, user)| Some((user.as_str(), broker.users.get(user)?)));
            listed(shifts, query, of, Value::clone)
        }
        None => {
            let most = broker.faults.cut_after.unwrap_or(usize::MAX);
            listed(shifts, query, of_directory(&broker.users, &counted).take(most), Value::clone)
        }
    }
}

fn of_directory<'a>(
    entities: &'a BTreeMap<String, Value>,
    directory: &'a str,
) -> impl Iterator<Item = (&'a str, &'a Value)> {
    let is_of = move |value: &&Value| value.get("directory_id").and_then(Value::as_str) == Some(directory);
    entities.iter().filter(move |(_, value)| is_of(value)).map(|(id, value)| (id.as_str(), value))
}

fn unknown(what: &str, id: &str) -> Answer {
    let message = format!("{what} not found: '{id}'.");
    Answer { status: 404, body: json!({ "message": message, "code": "entity_not_found", "entity_id": id }) }
}

/// Objects are sorted by id, which is the order of their creation.
fn listed<'a>(
    shifts: bool,
    query: &Query,
    objects: impl Iterator<Item = (&'a str, &'a Value)>,
    shown: impl Fn(&Value) -> Value,
) -> Answer {
    let limit = match query.limit() {
        Ok(limit) => limit,
        Err(refused) => return refused,
    };
    let after = query.get("after");
    let skipped = after.filter(|_| shifts).and_then(|after| after.parse::<usize>().ok()).unwrap_or_default();
    let mut rest =
        objects.skip_while(|(id, _)| after.is_some_and(|after| !shifts && *id <= after)).skip(skipped);
    let mut data = Vec::new();
    let mut last = None;
    for (id, object) in rest.by_ref().take(limit) {
        last = Some(id.to_owned());
        data.push(shown(object));
    }
    let more = rest.next().is_some();
    let next = last.filter(|_| more);
    let next = if shifts { next.map(|_| (skipped + data.len()).to_string()) } else { next };
    Answer::ok(json!({ "object": "list", "data": data, "list_metadata": { "before": after, "after": next } }))
}
