//! The contents of notices, as they are stored in `outbox.payload`.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// A cause in a [`Payload`]: the latest facts about the person end the access.
pub const PERSON: &str = "person";
/// A cause: the directory or its organization is deleted.
pub const DIRECTORY: &str = "directory";
/// A cause: no rule grants a role, and the mapping requires one for access.
pub const MAPPING: &str = "mapping";
/// An operator moved the directory to another organization.
pub const MOVED: &str = "moved";

/// The content of a leaver notice. Times here and below are microseconds, by the broker's clock unless stated
/// otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    /// From the row; not in the JSON.
    #[serde(skip)]
    pub user_id: String,
    /// The display name.
    pub name: Option<String>,
    /// The address.
    pub email: Option<String>,
    /// The directory.
    pub directory_id: String,
    /// When the access ended.
    pub since: i64,
    /// [`PERSON`], [`DIRECTORY`], [`MAPPING`] or [`MOVED`].
    pub cause: String,
    /// The broker's fact about the person, such as `suspended`.
    pub state: Option<String>,
    /// The delivery with the fact, as in `rosterd inbox show`.
    pub inbox_id: i64,
    /// Whether reconcile found the loss by a comparison with the broker's lists.
    #[serde(default)]
    pub found: bool,
}

/// A directory that was connected or deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryNotice {
    /// The broker's id.
    pub id: String,
    /// The display name.
    pub name: Option<String>,
    /// The kind of provider.
    pub provider: Option<String>,
    /// When it was connected or deleted.
    pub since: i64,
    /// The delivery with the fact.
    pub inbox_id: i64,
    /// For a deleted directory: the policy lets its people retain their access.
    pub access_retained: bool,
}

/// A directory that sends nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SilentDirectory {
    /// The directory.
    pub directory_id: String,
    /// When its last delivery was received, by this machine's clock.
    pub last_event_at: i64,
    /// The setting that was exceeded.
    pub days: u32,
    /// Why the comparison with the broker's lists, which was tried before, was not complete. None where there is no API key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_compared: Option<String>,
}

/// A directory whose first synchronization is over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedFirstSync {
    /// The directory.
    pub directory_id: String,
    /// The end of the first synchronization.
    pub ended_at: i64,
}

/// A privileged role that was gained or lost.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Privilege {
    /// The broker's id.
    #[serde(skip)]
    pub user_id: String,
    /// The display name.
    pub name: Option<String>,
    /// The address.
    pub email: Option<String>,
    /// The directory.
    pub directory_id: String,
    /// The role's slug.
    pub role: String,
    /// False for a loss.
    pub granted: bool,
    /// The rule and the fact that grant it; `None` for a loss.
    pub because: Option<String>,
    /// When it was gained or lost. Without a fact of its own, the time of the change by this machine's clock.
    pub since: i64,
    /// The delivery with the fact.
    pub inbox_id: i64,
}

/// Somebody who retains a protected role.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastHolder {
    /// The broker's id.
    #[serde(skip)]
    pub user_id: String,
    /// The display name.
    pub name: Option<String>,
    /// The address.
    pub email: Option<String>,
    /// The directory.
    pub directory_id: String,
    /// The role's slug.
    pub role: String,
    /// Whether the loss would also end the person's access.
    pub access: bool,
    /// When the directory ended the role.
    pub since: i64,
    /// The delivery with the fact.
    pub inbox_id: i64,
}

/// A hold was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeHeld {
    /// The directory.
    pub directory_id: String,
    /// The hold.
    pub hold_id: i64,
    /// The number of people in the mail before; 0 in the first mail.
    #[serde(default)]
    pub people_before: i64,
}

/// The changes of a new mapping for one tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappingNotice {
    /// The mapping's version.
    pub version: i64,
    /// When it was applied, by this machine's clock.
    pub at: i64,
    /// How many people it affects.
    pub users: usize,
    /// How many people gain roles.
    pub gain: usize,
    /// How many people lose roles.
    pub lose: usize,
    /// How many people gain access.
    pub gain_access: usize,
    /// How many people lose access.
    pub lose_access: usize,
    /// The people who gain or lose a privileged role; the first ones, if there are very many.
    pub privileged: Vec<Privileged>,
    /// The same people for the attached file, if the mail does not name all; not in the JSON.
    #[serde(skip)]
    pub listed: Vec<Privileged>,
    /// How many people gain or lose a privileged role.
    pub privileged_users: usize,
}

/// One person whose privileged roles a mapping changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Privileged {
    /// The broker's id.
    pub user_id: String,
    /// The display name.
    pub name: Option<String>,
    /// The address.
    pub email: Option<String>,
    /// Slugs of gained privileged roles.
    pub gains: Vec<String>,
    /// Slugs of lost privileged roles.
    pub loses: Vec<String>,
}

/// A report period, by this machine's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// The first instant of the period.
    pub since: i64,
    /// The first instant after it.
    pub until: i64,
}

/// The reason of a dead letter whose change the database refuses.
pub const REFUSED: &str = "refused";

/// A delivery that became a dead letter, or a change that the database refuses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenUp {
    /// The delivery; 0 for a refused change.
    pub inbox_id: i64,
    /// The user or group that the database refuses to change, as "user u1".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity: Option<String>,
    /// As in `dead_letters.reason`.
    pub reason: String,
    /// The sentence that explains the reason.
    pub detail: String,
    /// When it happened.
    pub at: i64,
}

impl GivenUp {
    /// Whether the change is tried again automatically, because the database refuses it.
    pub fn is_retried(&self) -> bool {
        self.entity.is_some() || self.reason == REFUSED
    }
}

/// Events of a directory, since the last notice, that name another organization than its owner.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimRefused {
    /// The directory that is claimed.
    pub directory_id: String,
    /// The organization that the events name.
    pub organization_id: String,
    /// The tenant to which the directory belongs.
    pub owner: Option<String>,
    /// How many events were refused.
    pub events: i64,
    /// How many of them would end somebody's access.
    pub leavers: i64,
    /// One of the deliveries.
    pub inbox_id: i64,
    /// The time of the first one.
    pub first_at: i64,
}

/// A directory that an operator moved to another organization.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryMoved {
    /// The directory.
    pub directory_id: String,
    /// The former tenant.
    pub from: String,
    /// The new tenant.
    pub to: String,
    /// How many people with access moved.
    pub people: usize,
    /// How many of them have none now.
    pub without_access: usize,
    /// The operator.
    pub by: String,
    /// The operator's reason.
    pub reason: String,
    /// When.
    pub at: i64,
    /// The last delivery before the move.
    pub inbox_id: i64,
}

/// Deliveries that are neither applied nor dead letters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// How many.
    pub deliveries: i64,
    /// When the oldest of them was received.
    pub since: i64,
    /// The oldest of them.
    pub inbox_id: i64,
}

/// The broker's webhooks do not arrive, although its API has events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhooksAway {
    /// The time of the last webhook, or of the first event without one; by this machine's clock.
    pub since: i64,
    /// When webhooks arrived again.
    pub back_at: Option<i64>,
}

/// That a directory was not compared with the broker's lists for too long, or is again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotCompared {
    /// The directory.
    pub directory_id: String,
    /// The last complete comparison, or the first start with an API key; by this service's clock.
    pub since: i64,
    /// The setting that was exceeded.
    pub hours: u32,
    /// Why the last comparison was not complete. None where none was tried.
    pub reason: Option<String>,
    /// When it was compared again.
    pub again_at: Option<i64>,
}

/// Reads a stored content. An unreadable one becomes an empty one: a mail without details is better than no mail.
pub fn read<T: DeserializeOwned + Default>(payload: &str) -> T {
    serde_json::from_str(payload).unwrap_or_default()
}
