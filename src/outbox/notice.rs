//! Notices. A notice contains all that its mail needs, because rows may change before it is sent.

use serde::Serialize;

use super::kind::{Family, NoticeKind};
pub use super::payload::{
    ChangeHeld, ClaimRefused, DIRECTORY, DirectoryMoved, DirectoryNotice, EndedFirstSync, GivenUp,
    LastHolder, MAPPING, MOVED, MappingNotice, NotCompared, PERSON, Payload, Period, Privilege, Privileged,
    REFUSED, SilentDirectory, Waiting, WebhooksAway, read,
};
use crate::{
    decide::{access::AccessCause, privileges::PrivilegeChange, users::Leaver},
    runtime::clock::Timestamp,
    tables::directory_activity::Silent,
};

/// One notice.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// Somebody lost access.
    Deprovisioned(Leaver),
    /// A directory appears for the first time, from a fact about the directory itself.
    DirectoryConnected {
        /// The tenant of the directory.
        tenant_id: String,
        /// The directory.
        directory: DirectoryNotice,
    },
    /// A directory was deleted.
    DirectoryDeleted {
        /// The tenant of the directory.
        tenant_id: String,
        /// The directory.
        directory: DirectoryNotice,
    },
    /// A directory has sent nothing for a long time.
    DirectorySilent {
        /// The tenant of the directory.
        tenant_id: String,
        /// How long.
        silence: SilentDirectory,
    },
    /// The first synchronization of a directory is over. The people with privileged roles are read when the mail is composed.
    FirstSyncEnded {
        /// The tenant of the directory.
        tenant_id: String,
        /// The directory.
        first_sync: EndedFirstSync,
    },
    /// A person gained or lost a privileged role.
    Privileged(PrivilegeChange),
    /// A person retains a protected role, and so access, because nobody else in the tenant holds it.
    LastHolderRetained {
        /// The person.
        person: NoticePerson,
        /// The role and the loss that is not applied.
        retained: LastHolder,
    },
    /// A hold. There is one mail for each announcement, however often it is enqueued. Names and counts are read when the
    /// mail is composed.
    MassChangeHeld {
        /// The tenant of the directory.
        tenant_id: String,
        /// The directory.
        directory_id: String,
        /// The hold.
        hold_id: i64,
        /// The number of the announcement; the first is 1.
        announcement: i64,
        /// The number of people in the announcement before; 0 in the first.
        people_before: i64,
    },
    /// Another role mapping is in force.
    MappingApplied {
        /// The tenant that it affects.
        tenant_id: String,
        /// Its changes for this tenant.
        mapping: MappingNotice,
    },
    /// A report period of a tenant is over. The report is read when the mail is composed.
    AccessReport {
        /// The tenant that the report is about.
        tenant_id: String,
        /// The period.
        period: Period,
    },
    /// A dead letter or a refused change; for the operator.
    DeliveryGivenUp(GivenUp),
    /// Refused ownership claims; for the operator.
    ClaimRefused(ClaimRefused),
    /// A directory that was moved; for the operator.
    DirectoryMoved(DirectoryMoved),
    /// Deliveries that wait for too long; for the operator.
    DeliveriesWait(Waiting),
    /// Webhooks no longer arrive, or arrive again; for the operator.
    WebhooksAway(WebhooksAway),
    /// For the operator: a directory was not compared for long, or was compared again.
    NotCompared(NotCompared),
    /// For the operator: the heads of the audit trail. They are read when the mail is composed.
    AuditHeads,
}

/// The person that a notice is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NoticePerson {
    /// Their tenant.
    pub tenant_id: String,
    /// The broker's id.
    pub user_id: String,
    /// Equal for all ids of the person.
    pub person_id: String,
}

/// A new row of the outbox.
pub(super) struct Row<'a> {
    pub(super) tenant_id: &'a str,
    pub(super) kind: NoticeKind,
    pub(super) bundle: String,
    pub(super) user_id: &'a str,
    pub(super) person_id: &'a str,
    pub(super) payload: String,
    /// Whether the id belongs to another person now.
    pub former: bool,
}

impl Notice {
    /// A notice about a directory that has sent nothing for this number of days.
    pub fn silent(silent: &Silent, days: u32, not_compared: Option<String>) -> Self {
        Self::DirectorySilent {
            tenant_id: silent.tenant_id.clone(),
            silence: SilentDirectory {
                directory_id: silent.directory_id.clone(),
                last_event_at: silent.last_event_at,
                days,
                not_compared,
            },
        }
    }

    /// The kind of the notice.
    pub fn kind(&self) -> NoticeKind {
        match self {
            Self::Deprovisioned(_) => NoticeKind::Deprovisioned,
            Self::DirectoryConnected { .. } => NoticeKind::DirectoryConnected,
            Self::DirectoryDeleted { .. } => NoticeKind::DirectoryDeleted,
            Self::DirectorySilent { .. } => NoticeKind::DirectorySilent,
            Self::FirstSyncEnded { .. } => NoticeKind::FirstSyncEnded,
            Self::Privileged(change) if change.granted => NoticeKind::PrivilegedGranted,
            Self::Privileged(_) => NoticeKind::PrivilegedLost,
            Self::LastHolderRetained { .. } => NoticeKind::LastHolderRetained,
            Self::MassChangeHeld { .. } => NoticeKind::MassChangeHeld,
            Self::MappingApplied { .. } => NoticeKind::MappingApplied,
            Self::AccessReport { .. } => NoticeKind::AccessReport,
            Self::DeliveryGivenUp(_) => NoticeKind::DeliveryGivenUp,
            Self::ClaimRefused(_) => NoticeKind::ClaimRefused,
            Self::DirectoryMoved(_) => NoticeKind::DirectoryMoved,
            Self::DeliveriesWait(_) => NoticeKind::DeliveriesWait,
            Self::WebhooksAway(_) => NoticeKind::WebhooksAway,
            Self::NotCompared(_) => NoticeKind::NotCompared,
            Self::AuditHeads => NoticeKind::AuditHeads,
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
            Self::FirstSyncEnded { tenant_id, first_sync } => of_tenant(tenant_id, json(first_sync)),
            Self::Privileged(c) => {
                (c.tenant_id.as_str(), c.user_id.as_str(), c.person_id.as_str(), json(&privilege(c, now)))
            }
            Self::LastHolderRetained { person, retained } => (
                person.tenant_id.as_str(),
                person.user_id.as_str(),
                person.person_id.as_str(),
                json(retained),
            ),
            Self::MassChangeHeld { tenant_id, directory_id, hold_id, announcement: _, people_before } => {
                let (directory_id, hold_id) = (directory_id.clone(), *hold_id);
                let held = ChangeHeld { directory_id, hold_id, people_before: *people_before };
                of_tenant(tenant_id, json(&held))
            }
            Self::MappingApplied { tenant_id, mapping } => of_tenant(tenant_id, json(mapping)),
            Self::AccessReport { tenant_id, period } => of_tenant(tenant_id, json(period)),
            Self::DeliveryGivenUp(given_up) => of_tenant("", json(given_up)),
            Self::ClaimRefused(refused) => of_tenant("", json(refused)),
            Self::DirectoryMoved(moved) => of_tenant("", json(moved)),
            Self::DeliveriesWait(waiting) => of_tenant("", json(waiting)),
            Self::WebhooksAway(away) => of_tenant("", json(away)),
            Self::NotCompared(one) => of_tenant("", json(one)),
            Self::AuditHeads => of_tenant("", "{}".to_owned()),
        };
        let family = kind.family();
        let bundle = match self {
            Self::MassChangeHeld { hold_id, announcement, .. } => {
                format!("{}:{hold_id}:{announcement}", family.name())
            }
            _ => family.name().to_owned(),
        };
        let former = matches!(self, Self::Deprovisioned(leaver) if leaver.succeeded);
        Row { tenant_id, kind, bundle, user_id, person_id, payload, former }
    }

    /// Whether it is written only once, however often it is enqueued.
    pub(super) fn is_sent_once(&self) -> bool {
        self.kind().family() == Family::Held
    }
}

/// The row of a notice that is about no person.
fn of_tenant(tenant_id: &str, payload: String) -> (&str, &str, &str, String) {
    (tenant_id, "", "", payload)
}

/// Serialization cannot fail: the structs contain only texts and numbers.
fn json(payload: &impl Serialize) -> String {
    serde_json::to_string(payload).unwrap_or_default()
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
            AccessCause::Moved => MOVED,
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
