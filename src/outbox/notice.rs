//! Notices as they are enqueued, and what each must know later, whatever becomes of the rows it speaks of.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::kind::{Family, NoticeKind};
use crate::{
    decide::{access::AccessCause, privileges::PrivilegeChange, users::Leaver},
    runtime::clock::Timestamp,
    tables::directory_activity::Silent,
};

/// One piece of news.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// Somebody lost access.
    Deprovisioned(Leaver),
    /// A directory is shown for the first time by its own word.
    DirectoryConnected {
        /// Whose directory.
        tenant_id: String,
        /// The directory.
        directory: DirectoryNotice,
    },
    /// A directory was deleted.
    DirectoryDeleted {
        /// Whose directory.
        tenant_id: String,
        /// The directory.
        directory: DirectoryNotice,
    },
    /// A directory has sent nothing for long.
    DirectorySilent {
        /// Whose directory.
        tenant_id: String,
        /// Since when.
        silence: SilentDirectory,
    },
    /// Granted or lost, by the change.
    Privileged(PrivilegeChange),
    /// Somebody keeps a protected role, and with it their access, because nobody else of the tenant holds it.
    LastHolderKept {
        /// The person.
        whom: NoticePerson,
        /// The role and the loss that is not applied.
        kept: LastHolder,
    },
    /// One mail for each hold, whatever is enqueued about it again; names and counts are read when it is composed.
    MassChangeHeld {
        /// Whose directory.
        tenant_id: String,
        /// The directory.
        directory_id: String,
        /// The hold.
        hold_id: i64,
    },
    /// Another role mapping is in force.
    MappingApplied {
        /// The tenant that it affects.
        tenant_id: String,
        /// What it changes.
        mapping: MappingNotice,
    },
    /// A period of a tenant's reports is over; what it says is read when its mail is composed.
    AccessReport {
        /// The tenant that the report is about.
        tenant_id: String,
        /// From when until when.
        period: Period,
    },
    /// For the operator.
    DeliveryGivenUp(GivenUp),
    /// For the operator.
    ClaimRefused(ClaimRefused),
    /// For the operator.
    DeliveriesWait(Waiting),
    /// For the operator: webhooks do not arrive any more, or are back.
    WebhooksAway(WebhooksAway),
    /// For the operator: a directory was not compared for long, or was compared again.
    NotCompared(NotCompared),
}

/// The person that a notice is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NoticePerson {
    /// Their tenant.
    pub tenant_id: String,
    /// The broker's id.
    pub user_id: String,
    /// The same through all ids of the person.
    pub person_id: String,
}

/// Causes in a [`Payload`]: the directory says so of the person, the directory itself is gone, or no role is mapped.
pub const PERSON: &str = "person";
/// The directory or its organization is deleted.
pub const DIRECTORY: &str = "directory";
/// Nothing grants a role, and the mapping admits nobody without one.
pub const MAPPING: &str = "mapping";

/// Of a leaver. Times here and below are microseconds, the broker's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    /// The row's own; not in the text.
    #[serde(skip)]
    pub user_id: String,
    /// The display name.
    pub name: Option<String>,
    /// The address.
    pub email: Option<String>,
    /// The directory.
    pub directory_id: String,
    /// Since when.
    pub since: i64,
    /// [`PERSON`], [`DIRECTORY`] or [`MAPPING`].
    pub cause: String,
    /// The broker's fact about the person, such as `suspended`.
    pub state: Option<String>,
    /// The delivery that says so, as `rosterd inbox show` names it.
    pub inbox_id: i64,
    /// Found by comparison with the broker's lists.
    #[serde(default)]
    pub found: bool,
}

/// A directory that came or went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryNotice {
    /// The broker's id.
    pub id: String,
    /// The display name.
    pub name: Option<String>,
    /// The kind of provider.
    pub provider: Option<String>,
    /// Since when.
    pub since: i64,
    /// The delivery that says so.
    pub inbox_id: i64,
    /// Of one that is deleted: the tenant's policy lets its people stay.
    pub people_stay: bool,
}

/// A directory that sends nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SilentDirectory {
    /// The directory.
    pub directory_id: String,
    /// When it was last heard of, by this service's clock.
    pub heard_at: i64,
    /// The setting that was exceeded.
    pub days: u32,
    /// Why the comparison with the broker's lists, which was tried before, was not complete. None where there is no API key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_compared: Option<String>,
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
    /// The rule and the fact; of a loss nothing.
    pub because: Option<String>,
    /// Since when.
    pub since: i64,
    /// The delivery that says so.
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
    /// The directory ended their access, not only the role.
    pub access: bool,
    /// Since when.
    pub since: i64,
    /// The delivery that says so.
    pub inbox_id: i64,
}

/// A hold was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeHeld {
    /// The directory.
    pub directory_id: String,
    /// The hold.
    pub hold_id: i64,
}

/// How much another mapping changes for one tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappingNotice {
    /// The mapping's version.
    pub version: i64,
    /// When it was applied.
    pub at: i64,
    /// How many people it affects.
    pub users: usize,
    /// How many gain roles.
    pub gain: usize,
    /// How many lose roles.
    pub lose: usize,
    /// How many gain access.
    pub gain_access: usize,
    /// How many lose access.
    pub lose_access: usize,
    /// The first of those who gain or lose a privileged role, and how many there are in all.
    pub privileged: Vec<Privileged>,
    /// How many gain or lose privileged roles.
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
    /// Slugs of roles.
    pub gains: Vec<String>,
    /// Slugs of roles.
    pub loses: Vec<String>,
}

/// From its beginning until the next one begins, by this service's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// The first instant of the period.
    pub since: i64,
    /// The first instant after it.
    pub until: i64,
}

/// A delivery that became a dead letter, or a change that the database refuses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenUp {
    /// 0 when it is not a delivery.
    pub inbox_id: i64,
    /// A user or group that the database refuses to change, as "user u1".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity: Option<String>,
    /// As in `dead_letters.reason`.
    pub reason: String,
    /// The sentence to the reason.
    pub detail: String,
    /// When it happened.
    pub at: i64,
}

/// Events of a directory that name another organization than the one that owns it, since the last notice.
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
    /// Those of them that end somebody's access.
    pub leavers: i64,
    /// One of the deliveries.
    pub inbox_id: i64,
    /// The time of the first one.
    pub first_at: i64,
}

/// Deliveries that are not applied, and are not set aside either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    pub deliveries: i64,
    /// When the oldest of them was received.
    pub since: i64,
    pub inbox_id: i64,
}

/// That the broker's webhooks do not reach this service, while its API has events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhooksAway {
    /// The last one that came, or the first event that none brought; by this service's clock.
    pub since: i64,
    /// Since when they come again.
    pub back_at: Option<i64>,
}

/// That a directory was not compared with the broker's lists for too long, or is again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotCompared {
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

/// A row of the outbox before it is one.
pub(super) struct Row<'a> {
    pub(super) tenant_id: &'a str,
    pub(super) kind: NoticeKind,
    pub(super) bundle: String,
    pub(super) user_id: &'a str,
    pub(super) person_id: &'a str,
    pub(super) payload: String,
    /// The id is somebody else's now.
    pub former: bool,
}

impl Notice {
    /// Of a directory that has said nothing for so many days.
    pub fn silent(silent: &Silent, days: u32, not_compared: Option<String>) -> Self {
        Self::DirectorySilent {
            tenant_id: silent.tenant_id.clone(),
            silence: SilentDirectory {
                directory_id: silent.directory_id.clone(),
                heard_at: silent.heard_at,
                days,
                not_compared,
            },
        }
    }

    /// The kind of its mail.
    pub fn kind(&self) -> NoticeKind {
        match self {
            Self::Deprovisioned(_) => NoticeKind::Deprovisioned,
            Self::DirectoryConnected { .. } => NoticeKind::DirectoryConnected,
            Self::DirectoryDeleted { .. } => NoticeKind::DirectoryDeleted,
            Self::DirectorySilent { .. } => NoticeKind::DirectorySilent,
            Self::Privileged(change) if change.granted => NoticeKind::PrivilegedGranted,
            Self::Privileged(_) => NoticeKind::PrivilegedLost,
            Self::LastHolderKept { .. } => NoticeKind::LastHolderKept,
            Self::MassChangeHeld { .. } => NoticeKind::MassChangeHeld,
            Self::MappingApplied { .. } => NoticeKind::MappingApplied,
            Self::AccessReport { .. } => NoticeKind::AccessReport,
            Self::DeliveryGivenUp(_) => NoticeKind::DeliveryGivenUp,
            Self::ClaimRefused(_) => NoticeKind::ClaimRefused,
            Self::DeliveriesWait(_) => NoticeKind::DeliveriesWait,
            Self::WebhooksAway(_) => NoticeKind::WebhooksAway,
            Self::NotCompared(_) => NoticeKind::NotCompared,
        }
    }

    pub(super) fn row(&self, now: Timestamp) -> Row<'_> {
        let kind = self.kind();
        let (tenant_id, user_id, person_id, payload) = match self {
            Self::Deprovisioned(l) => {
                (l.tenant_id.as_str(), l.user_id.as_str(), l.person_id.as_str(), json(&leaver(l)))
            }
            Self::DirectoryConnected { tenant_id, directory }
            | Self::DirectoryDeleted { tenant_id, directory } => of_tenant(tenant_id, json(directory)),
            Self::DirectorySilent { tenant_id, silence } => of_tenant(tenant_id, json(silence)),
            Self::Privileged(c) => {
                (c.tenant_id.as_str(), c.user_id.as_str(), c.person_id.as_str(), json(&privilege(c, now)))
            }
            Self::LastHolderKept { whom, kept } => {
                (whom.tenant_id.as_str(), whom.user_id.as_str(), whom.person_id.as_str(), json(kept))
            }
            Self::MassChangeHeld { tenant_id, directory_id, hold_id } => {
                let held = ChangeHeld { directory_id: directory_id.clone(), hold_id: *hold_id };
                of_tenant(tenant_id, json(&held))
            }
            Self::MappingApplied { tenant_id, mapping } => of_tenant(tenant_id, json(mapping)),
            Self::AccessReport { tenant_id, period } => of_tenant(tenant_id, json(period)),
            Self::DeliveryGivenUp(given_up) => of_tenant("", json(given_up)),
            Self::ClaimRefused(refused) => of_tenant("", json(refused)),
            Self::DeliveriesWait(waiting) => of_tenant("", json(waiting)),
            Self::WebhooksAway(away) => of_tenant("", json(away)),
            Self::NotCompared(one) => of_tenant("", json(one)),
        };
        let family = kind.family();
        let bundle = match self {
            Self::MassChangeHeld { hold_id, .. } => format!("{}:{hold_id}", family.name()),
            _ => family.name().to_owned(),
        };
        let former = matches!(self, Self::Deprovisioned(leaver) if leaver.succeeded);
        Row { tenant_id, kind, bundle, user_id, person_id, payload, former }
    }

    /// Once is enough, however often it is enqueued.
    pub(super) fn is_told_once(&self) -> bool {
        self.kind().family() == Family::Held
    }
}

/// News of nobody in particular.
fn of_tenant(tenant_id: &str, payload: String) -> (&str, &str, &str, String) {
    (tenant_id, "", "", payload)
}

/// Structs of texts and numbers: writing them cannot fail.
fn json(payload: &impl Serialize) -> String {
    serde_json::to_string(payload).unwrap_or_default()
}

/// What cannot be read is told without its particulars: better than not at all.
pub fn read<T: DeserializeOwned + Default>(payload: &str) -> T {
    serde_json::from_str(payload).unwrap_or_default()
}

fn leaver(leaver: &Leaver) -> Payload {
    Payload {
        user_id: String::new(),
        name: leaver.name.clone(),
        email: leaver.email.clone(),
        directory_id: leaver.directory_id.clone(),
        since: leaver.since.micros(),
        cause: match leaver.cause {
            AccessCause::Person => PERSON,
            AccessCause::Directory => DIRECTORY,
            AccessCause::Mapping => MAPPING,
        }
        .to_owned(),
        state: leaver.state.clone(),
        inbox_id: leaver.inbox_id,
        found: leaver.found,
    }
}

fn privilege(change: &PrivilegeChange, now: Timestamp) -> Privilege {
    Privilege {
        user_id: String::new(),
        name: change.name.clone(),
        email: change.email.clone(),
        directory_id: change.directory_id.clone(),
        role: change.role.clone(),
        granted: change.granted,
        because: change.because.clone(),
        since: change.fact.unwrap_or(now).micros(),
        inbox_id: change.inbox_id,
    }
}
