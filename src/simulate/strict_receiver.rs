//! A strict receiver for tests. It reads events from their bytes alone and fails at each contradiction.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::{Map, Value, json};

use super::{Census, Event};

/// The state of the receiver: the last snapshot of each entity.
#[derive(Default)]
pub(super) struct Receiver {
    pub ids: HashSet<String>,
    pub kinds: BTreeMap<String, u64>,
    now: String,
    pub directories: BTreeMap<String, bool>,
    pub users: BTreeMap<String, Value>,
    deleted_users: BTreeSet<String>,
    pub groups: BTreeMap<String, Value>,
    deleted_groups: BTreeSet<String>,
    members: BTreeSet<(String, String)>,
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap()
}

impl Receiver {
    pub(super) fn receive(&mut self, event: &Event) {
        let body: Value = serde_json::from_slice(&event.body).unwrap();
        let fields: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(fields, ["context", "created_at", "data", "event", "id"]);
        assert_eq!((text(&body, "id"), text(&body, "event")), (event.id.as_str(), event.kind));
        assert_eq!(body["context"], json!({}));
        assert!(self.ids.insert(event.id.clone()), "{} comes twice", event.id);
        assert!(text(&body, "created_at") > self.now.as_str(), "broker time stands still at {}", event.id);
        self.now = text(&body, "created_at").to_owned();
        *self.kinds.entry(event.kind.to_owned()).or_default() += 1;
        let data = &body["data"];
        if event.kind.starts_with("dsync.user") || event.kind.starts_with("dsync.group") {
            assert_eq!(
                self.directories.get(text(data, "directory_id")),
                Some(&true),
                "no such directory: {body}"
            );
        }
        match event.kind {
            "organization.created" => {}
            "dsync.activated" => assert_eq!(self.directories.insert(text(data, "id").to_owned(), true), None),
            "dsync.deleted" => {
                assert_eq!(self.directories.insert(text(data, "id").to_owned(), false), Some(true));
                assert!(data.get("domains").is_none() && data.get("external_key").is_none());
            }
            "dsync.user.created" => self.create_user(data),
            "dsync.user.updated" => {
                assert!(!self.deleted_users.contains(text(data, "id")), "a deleted user changes: {body}");
                self.check_update(&self.users[text(data, "id")], data);
                self.users.insert(text(data, "id").to_owned(), without_previous(data));
            }
            "dsync.user.deleted" => {
                self.check_move(&self.users[text(data, "id")], data);
                assert!(self.deleted_users.insert(text(data, "id").to_owned()), "deleted twice: {body}");
            }
            "dsync.group.created" => {
                self.check_age(data);
                assert_eq!(self.groups.insert(text(data, "id").to_owned(), data.clone()), None);
            }
            "dsync.group.updated" => {
                assert!(!self.deleted_groups.contains(text(data, "id")), "a deleted group changes: {body}");
                self.check_update(&self.groups[text(data, "id")], data);
                self.groups.insert(text(data, "id").to_owned(), without_previous(data));
            }
            "dsync.group.deleted" => {
                self.check_move(&self.groups[text(data, "id")], data);
                assert!(self.deleted_groups.insert(text(data, "id").to_owned()), "deleted twice: {body}");
            }
            "dsync.group.user_added" | "dsync.group.user_removed" => self.change_membership(event.kind, data),
            other => unreachable!("{other}"),
        }
    }

    fn create_user(&mut self, data: &Value) {
        self.check_age(data);
        let person = |user: &Value| (text(user, "directory_id").to_owned(), text(user, "idp_id").to_owned());
        let twin = self
            .users
            .iter()
            .find(|(id, user)| person(user) == person(data) && !self.deleted_users.contains(*id));
        assert_eq!(twin, None, "a person has two users");
        assert_eq!(self.users.insert(text(data, "id").to_owned(), data.clone()), None);
    }

    fn change_membership(&mut self, kind: &str, data: &Value) {
        let (user, group) = (text(&data["user"], "id"), text(&data["group"], "id"));
        // A membership event changes nothing of the user and the group, not even updated_at.
        assert_eq!(self.users[user], data["user"]);
        assert_eq!(self.groups[group], data["group"]);
        assert!(!self.deleted_users.contains(user) && !self.deleted_groups.contains(group), "{data}");
        let membership = (group.to_owned(), user.to_owned());
        if kind == "dsync.group.user_added" {
            assert_eq!(data["user"]["state"], "active");
            assert!(self.members.insert(membership), "added twice: {data}");
        } else {
            assert!(self.members.remove(&membership), "removed a stranger: {data}");
        }
    }

    fn check_age(&self, data: &Value) {
        assert_eq!(data["created_at"], data["updated_at"]);
        assert!(text(data, "created_at") <= self.now.as_str());
    }

    /// A change raises `updated_at`, at most to the event's time.
    fn check_move(&self, old: &Value, new: &Value) {
        let moved = text(new, "updated_at");
        assert!(text(old, "updated_at") < moved && moved <= self.now.as_str(), "{old} to {new}");
    }

    /// `previous_attributes` has the old values of all changed fields, and no others.
    fn check_update(&self, old: &Value, new: &Value) {
        self.check_move(old, new);
        let mut expected = difference(old, new);
        expected.remove("updated_at");
        if expected.contains_key("custom_attributes") {
            let attributes = difference(&old["custom_attributes"], &new["custom_attributes"]);
            expected.insert("custom_attributes".to_owned(), attributes.into());
        }
        assert_eq!(new["previous_attributes"], Value::Object(expected));
    }

    pub(super) fn is_active(&self, id: &str) -> bool {
        let user = &self.users[id];
        user["state"] == "active"
            && !self.deleted_users.contains(id)
            && self.directories[text(user, "directory_id")]
    }

    pub(super) fn census(&self) -> Census {
        let active = self.users.keys().filter(|id| self.is_active(id)).count() as u64;
        let shows = |id: &String| {
            !self.deleted_groups.contains(id) && self.directories[text(&self.groups[id], "directory_id")]
        };
        let memberships = self.members.iter().filter(|(group, user)| shows(group) && self.is_active(user));
        Census {
            active_users: active,
            inactive_users: self.users.len() as u64 - active,
            groups: self.groups.keys().filter(|id| shows(id)).count() as u64,
            memberships: memberships.count() as u64,
        }
    }
}

fn difference(old: &Value, new: &Value) -> Map<String, Value> {
    let old = old.as_object().unwrap().iter();
    old.filter(|(key, value)| new[*key] != **value).map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn without_previous(data: &Value) -> Value {
    let mut data = data.clone();
    data.as_object_mut().unwrap().remove("previous_attributes");
    data
}
