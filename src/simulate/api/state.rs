//! The state of the simulated broker: entities as in their newest event, the events, and the faults of the API.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde_json::{Map, Value, json};

use super::{Answer, limits::Rate};
use crate::{runtime::clock::Timestamp, simulate::Event};

/// The faults of the API.
#[derive(Clone, Debug)]
pub struct Faults {
    /// Events younger than this are not in the answer yet.
    pub held_back_seconds: i64,
    /// Four requests a second for each directory on `/directory_users`.
    pub limits_rate: bool,
    /// The Retry-After header of a 429.
    pub retry_after: Option<String>,
    /// Requests that fail from now on: (part of the path, status, number of requests).
    pub fails: Vec<(String, u16, u32)>,
    /// Lists of users are empty.
    pub empty: bool,
    /// Lists of users end after this number of objects, as if they were complete.
    pub cut_after: Option<usize>,
    /// Pages of lists begin at a position and not after an object, so a deletion shifts them.
    pub pages_shift: bool,
    /// Cursors of `/events` are not valid any more.
    pub cursors_expire: bool,
    /// `/events` gives the newest first and ignores `range_start` and `events`, as an emulator does.
    pub newest_first: bool,
    pub sends_date: bool,
    pub answer_after: Duration,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            held_back_seconds: 0,
            limits_rate: false,
            retry_after: None,
            fails: Vec::new(),
            empty: false,
            cut_after: None,
            pages_shift: false,
            cursors_expire: false,
            newest_first: false,
            sends_date: true,
            answer_after: Duration::ZERO,
        }
    }
}

impl Faults {
    pub(super) fn failure(&mut self, path: &str) -> Option<Answer> {
        let (_, status, left) =
            self.fails.iter_mut().find(|(part, _, left)| path.contains(part.as_str()) && *left > 0)?;
        *left -= 1;
        let status = *status;
        Some(match status {
            429 => Answer { status, body: json!("Ratelimited") },
            _ => Answer::refused(status, "It is broken."),
        })
    }
}

/// An event with its place in time.
pub(super) struct Emitted {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) organization_id: Option<String>,
    pub(super) at: Timestamp,
    pub(super) body: Value,
}

pub struct Broker {
    pub faults: Faults,
    /// The number of received requests.
    pub requests: u64,
    pub(super) rate: Rate,
    now: Timestamp,
    pub(super) events: Vec<Emitted>,
    pub(super) organizations: BTreeMap<String, Value>,
    pub(super) directories: BTreeMap<String, Value>,
    pub(super) users: BTreeMap<String, Value>,
    pub(super) groups: BTreeMap<String, Value>,
    /// (group, user).
    pub(super) members: BTreeSet<(String, String)>,
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

impl Broker {
    pub(super) fn new(faults: Faults) -> Self {
        Self {
            faults,
            requests: 0,
            rate: Rate::default(),
            now: Timestamp::default(),
            events: Vec::new(),
            organizations: BTreeMap::new(),
            directories: BTreeMap::new(),
            users: BTreeMap::new(),
            groups: BTreeMap::new(),
            members: BTreeSet::new(),
        }
    }

    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Advances the clock without an event.
    pub fn tick(&mut self, seconds: i64) {
        self.now = self.now.plus_seconds(seconds);
    }

    /// Applies an event: the lists and the events contain it from now on.
    pub fn emit(&mut self, event: &Event) {
        if let Ok(body) = serde_json::from_slice::<Value>(&event.body) {
            self.emit_body(body);
        }
    }

    pub fn emit_body(&mut self, mut body: Value) {
        let data = body.get("data").cloned().unwrap_or_default();
        let kind = text(&body, "event").to_owned();
        let at = Timestamp::parse(text(&body, "created_at")).unwrap_or(self.now);
        self.now = self.now.max(at);
        self.happen(&kind, data.clone());
        if let Some(object) = body.as_object_mut() {
            object.insert("object".to_owned(), json!("event"));
        }
        let of = |value: &Value| value.get("organization_id").and_then(Value::as_str).map(str::to_owned);
        let organization_id = of(&data).or_else(|| data.get("user").and_then(of));
        self.events.push(Emitted { id: text(&body, "id").to_owned(), kind, organization_id, at, body });
    }

    /// Applies a change without an event, as if the broker lost it.
    pub fn happen(&mut self, kind: &str, mut data: Value) {
        if let Some(object) = data.as_object_mut() {
            object.remove("previous_attributes");
        }
        let id = text(&data, "id").to_owned();
        match kind {
            "organization.created" | "organization.updated" => drop(self.organizations.insert(id, data)),
            "organization.deleted" => drop(self.organizations.remove(&id)),
            "dsync.activated" => drop(self.directories.insert(id, data)),
            "dsync.deleted" => {
                self.directories.remove(&id);
                self.users.retain(|_, user| text(user, "directory_id") != id);
                self.groups.retain(|_, group| text(group, "directory_id") != id);
            }
            "dsync.user.created" | "dsync.user.updated" => drop(self.users.insert(id, data)),
            "dsync.user.deleted" => {
                self.users.remove(&id);
                self.members.retain(|(_, user)| *user != id);
            }
            "dsync.group.created" | "dsync.group.updated" => drop(self.groups.insert(id, data)),
            "dsync.group.deleted" => {
                self.groups.remove(&id);
                self.members.retain(|(group, _)| *group != id);
            }
            "dsync.group.user_added" | "dsync.group.user_removed" => {
                let of =
                    |name: &str| data.get(name).map(|value| text(value, "id").to_owned()).unwrap_or_default();
                let member = (of("group"), of("user"));
                if kind.ends_with("added") {
                    self.members.insert(member);
                } else {
                    self.members.remove(&member);
                }
            }
            _ => {}
        }
    }

    /// A directory as a REST object: with the API's words for its state, and counts.
    pub(super) fn shown_directory(&self, directory: &Value) -> Value {
        let id = text(directory, "id");
        let of = |entity: &&Value| text(entity, "directory_id") == id;
        let users: Vec<&Value> = self.users.values().filter(of).collect();
        let active = users.iter().filter(|user| text(user, "state") == "active").count();
        let mut shown: Map<String, Value> = directory.as_object().cloned().unwrap_or_default();
        let state = match text(directory, "state") {
            "active" => "linked",
            "inactive" => "unlinked",
            other => other,
        };
        shown.insert("state".to_owned(), json!(state));
        let counts = json!({
            "users": { "active": active, "inactive": users.len() - active },
            "groups": self.groups.values().filter(of).count(),
        });
        shown.insert("metadata".to_owned(), counts);
        Value::Object(shown)
    }
}
