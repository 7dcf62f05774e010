//! The form of the broker's API: the requests, and the reading of answers (docs/broker-workos.md 4). The file is pure.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use sha2::{Digest, Sha256};

use super::envelope::HANDLED;
use crate::{broker::NotUnderstood, decide::fact::FROM_LIST, runtime::clock::Timestamp};

/// The largest page of the API. The default of 10 would need ten times the requests.
pub const PAGE: usize = 100;

/// The oldest start of a request for events, in seconds before now. It is the API's limit of 30
/// days less one hour.
pub const LONGEST_RANGE_SECONDS: i64 = 30 * 86_400 - 3_600;

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The path below the API's base address.
    pub path: Cow<'static, str>,
    /// The query parameters: name and value.
    pub query: Vec<(&'static str, String)>,
    /// The directory with a rate limit of its own for this request.
    pub limited_for: Option<String>,
}

/// The start of a page of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// After the event with this id.
    After(String),
    /// At this time.
    Time(Timestamp),
}

impl Question {
    fn list(path: &'static str, filter: &[(&'static str, &str)], after: Option<&str>) -> Self {
        let mut query: Vec<(&'static str, String)> =
            filter.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        query.extend([("limit", PAGE.to_string()), ("order", "asc".to_owned())]);
        query.extend(after.map(|after| ("after", after.to_owned())));
        Self { path: path.into(), query, limited_for: None }
    }

    /// A page of all organizations.
    pub fn organizations(after: Option<&str>) -> Self {
        Self::list("organizations", &[], after)
    }

    /// The cheapest request. It shows the broker's clock and whether the key is correct.
    pub fn clock() -> Self {
        Self { path: "directories".into(), query: vec![("limit", "1".to_owned())], limited_for: None }
    }

    /// One directory.
    pub fn directory(directory_id: &str) -> Self {
        let id: String = url::form_urlencoded::byte_serialize(directory_id.as_bytes()).collect();
        Self { path: format!("directories/{id}").into(), query: Vec::new(), limited_for: None }
    }

    /// A page of all directories.
    pub fn directories(after: Option<&str>) -> Self {
        Self::list("directories", &[], after)
    }

    /// A page of a directory's groups.
    pub fn groups(directory_id: &str, after: Option<&str>) -> Self {
        Self::list("directory_groups", &[("directory", directory_id)], after)
    }

    /// A page of a directory's users.
    pub fn users(directory_id: &str, after: Option<&str>) -> Self {
        let list = Self::list("directory_users", &[("directory", directory_id)], after);
        Self { limited_for: Some(directory_id.to_owned()), ..list }
    }

    /// A page of a group's members.
    pub fn members(directory_id: &str, group_id: &str, after: Option<&str>) -> Self {
        let list = Self::list("directory_users", &[("group", group_id)], after);
        Self { limited_for: Some(directory_id.to_owned()), ..list }
    }

    /// A page of events. Each type is listed, because wildcards are not documented.
    pub fn events(from: &From) -> Self {
        let types = HANDLED.join(",");
        let mut list = Self::list("events", &[("events", &types)], None);
        list.query.push(match from {
            From::After(id) => ("after", id.clone()),
            From::Time(at) => ("range_start", at.to_string()),
        });
        list
    }
}

/// A page of a list.
#[derive(Debug, Deserialize)]
pub struct Page {
    /// The entries, each as the broker wrote it.
    pub data: Vec<Box<RawValue>>,
    #[serde(default)]
    list_metadata: ListMetadata,
}

#[derive(Debug, Default, Deserialize)]
struct ListMetadata {
    #[serde(default)]
    after: Option<String>,
}

impl Page {
    /// Reads an answer. An answer without `data` is an error and not an empty list.
    pub fn read(body: &[u8]) -> Result<Self, NotUnderstood> {
        serde_json::from_slice(body).map_err(|error| NotUnderstood::Shape(error.to_string()))
    }

    /// The cursor of the next page; `None` at the end.
    pub fn next(&self) -> Option<&str> {
        self.list_metadata.after.as_deref().filter(|after| !after.is_empty())
    }
}

/// The fields of an event that reading on needs.
#[derive(Debug, Deserialize)]
pub struct EventLabel {
    /// The event's id.
    pub id: String,
    #[serde(default)]
    created_at: Option<String>,
}

impl EventLabel {
    /// Reads the fields; `None` if there is no id.
    pub fn of(raw: &str) -> Option<Self> {
        serde_json::from_str(raw).ok()
    }

    /// The event's time; `None` if it is missing or cannot be read.
    pub fn at(&self) -> Option<Timestamp> {
        Timestamp::parse(self.created_at.as_deref()?)
    }
}

/// The fields of a listed object that a comparison needs.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Listed {
    /// The broker's id.
    pub id: String,
    /// The directory.
    #[serde(default)]
    pub directory_id: Option<String>,
    /// The organization.
    #[serde(default)]
    pub organization_id: Option<String>,
    /// The broker's state.
    #[serde(default)]
    pub state: Option<String>,
    /// The time of the last change, as text.
    #[serde(default)]
    pub updated_at: Option<String>,
    #[serde(default)]
    metadata: Option<Value>,
}

impl Listed {
    /// Reads the fields; `None` if there is no id.
    pub fn of(raw: &str) -> Option<Self> {
        serde_json::from_str(raw).ok()
    }

    /// Whether the directory is connected, so that its lists are complete.
    pub fn is_active_directory(&self) -> bool {
        matches!(self.state.as_deref(), Some("linked" | "active"))
    }

    /// Whether the user is active.
    pub fn is_active_user(&self) -> bool {
        self.state.as_deref() == Some("active")
    }

    /// The broker's count of users in this directory; `None` if it gives none.
    pub fn counted_users(&self) -> Option<u64> {
        let users = self.metadata.as_ref()?.get("users")?;
        let count = |name: &str| users.get(name).and_then(Value::as_u64);
        Some(count("active")?.saturating_add(count("inactive")?))
    }
}

/// The statement of a list about one entity. Its events have names that the reader of events knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListStatement {
    /// An organization exists.
    Organization,
    /// A directory exists.
    Directory,
    /// A directory does not exist.
    DirectoryGone,
    /// A user exists.
    User,
    /// A user does not exist.
    UserGone,
    /// A group exists.
    Group,
    /// A group does not exist.
    GroupGone,
    /// A user is in a group.
    Member,
    /// A user is not in a group.
    MemberGone,
}

impl ListStatement {
    const fn event(self) -> &'static str {
        match self {
            Self::Organization => "organization.updated",
            Self::Directory => "dsync.activated",
            Self::DirectoryGone => "dsync.deleted",
            Self::User => "dsync.user.updated",
            Self::UserGone => "dsync.user.deleted",
            Self::Group => "dsync.group.updated",
            Self::GroupGone => "dsync.group.deleted",
            Self::Member => "dsync.group.user_added",
            Self::MemberGone => "dsync.group.user_removed",
        }
    }
}

/// The body of a delivery for the statement of a list at `at`. The same arguments give the same id.
pub fn observed(
    statement: ListStatement,
    directory_id: &str,
    object_id: &str,
    at: Timestamp,
    not_before: Option<Timestamp>,
    data: &str,
) -> String {
    let mut hash = Sha256::new();
    for part in [directory_id, statement.event(), object_id, &at.to_string()] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let id = hex::encode(hash.finalize());
    let id = id.get(..32).unwrap_or_default();
    let event = statement.event();
    let not_before = not_before.map_or(String::new(), |at| format!(r#""not_before":"{at}","#));
    format!(r#"{{"id":"{FROM_LIST}{id}","event":"{event}","created_at":"{at}",{not_before}"data":{data}}}"#)
}

/// The data of a membership event.
pub fn pair(directory_id: &str, user: &str, group: &str) -> String {
    let directory_id = Value::from(directory_id);
    format!(r#"{{"directory_id":{directory_id},"user":{user},"group":{group}}}"#)
}

/// The object with this id in a stored body, as the broker wrote it; `None` if it is not there.
pub fn object(body: &[u8], id: &str) -> Option<Value> {
    let mut body: Value = serde_json::from_slice(body).ok()?;
    let data = body.get_mut("data")?;
    let is = |value: &Value| value.get("id").and_then(Value::as_str) == Some(id);
    if is(data) {
        return Some(data.take());
    }
    ["user", "group"].into_iter().find_map(|name| data.get(name).filter(|value| is(value)).cloned())
}

/// The same object with an old time, so that it identifies the entity and wins over no other fact.
pub fn aged(mut object: Value) -> Value {
    if let Some(object) = object.as_object_mut() {
        object.insert("updated_at".to_owned(), Value::from("1970-01-01T00:00:00.000Z"));
        object.remove("previous_attributes");
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        broker::Source,
        decide::fact::{Observation, Reading},
    };

    fn read(body: &str) -> Observation {
        match Source::WorkOsList.read(body.as_bytes()) {
            Ok(Reading::Fact(observation, _)) => *observation,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_page_is_read_as_documented_and_an_answer_without_data_is_no_empty_list() {
        let page = Page::read(
            br#"{"object":"list","data":[{"id":"a"}],"list_metadata":{"before":null,"after":"a"}}"#,
        );
        assert_eq!(page.unwrap().next(), Some("a"));
        assert_eq!(Page::read(br#"{"data":[],"list_metadata":{"after":null}}"#).unwrap().next(), None);
        for wrong in [&br#""Ratelimited""#[..], b"{}", b"[]", br#"{"data":null}"#, br#"{"data":["#] {
            assert!(Page::read(wrong).is_err());
        }
    }

    #[test]
    fn a_listed_user_is_a_fact_at_the_time_of_the_list() {
        let at = Timestamp::from_millis(1_000_000);
        let user =
            r#"{"id":"u","directory_id":"d","state":"active","updated_at":"1970-01-01T00:10:00.000Z"}"#;
        let Observation::User { fact, .. } = read(&observed(ListStatement::User, "d", "u", at, None, user))
        else {
            unreachable!()
        };
        assert_eq!((fact.version.at.millis(), fact.version.emitted, fact.live), (600_000, at, true));

        let later = Some(Timestamp::from_millis(900_000));
        let Observation::User { fact, .. } = read(&observed(ListStatement::User, "d", "u", at, later, user))
        else {
            unreachable!()
        };
        assert_eq!((fact.version.at.millis(), fact.version.emitted), (900_000, at));
    }

    #[test]
    fn a_webhook_cannot_say_since_when_it_counts() {
        let at = Timestamp::from_millis(1_000_000);
        let user =
            r#"{"id":"u","directory_id":"d","state":"active","updated_at":"1970-01-01T00:10:00.000Z"}"#;
        let body = observed(ListStatement::User, "d", "u", at, Some(Timestamp::from_millis(900_000)), user);
        let Ok(Reading::Fact(observation, _)) = Source::WorkOs.read(body.as_bytes()) else { unreachable!() };
        let Observation::User { fact, .. } = *observation else { unreachable!() };
        assert_eq!(fact.version.at.millis(), 600_000);
    }
}
