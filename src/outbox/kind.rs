//! The kinds of notices: their names in settings and on the command line, and the family whose mail contains them.

use std::str::FromStr;

use strum::{EnumString, IntoStaticStr, VariantArray};

/// The kinds of notices, in the order of the settings. A name is the variant in snake case: `mass_change_held`.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EnumString, IntoStaticStr, VariantArray,
)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum NoticeKind {
    /// Somebody lost access.
    Deprovisioned,
    /// A directory was connected.
    DirectoryConnected,
    /// A directory was deleted.
    DirectoryDeleted,
    /// A directory has sent nothing for a long time.
    DirectorySilent,
    /// The first synchronization of a directory is over.
    FirstSyncEnded,
    /// Somebody gained a privileged role.
    PrivilegedGranted,
    /// Somebody lost a privileged role.
    PrivilegedLost,
    /// The last holder of a protected role retains it.
    LastHolderRetained,
    /// A mass change waits for a decision.
    MassChangeHeld,
    /// Another role mapping is in force.
    MappingApplied,
    /// The periodic report of access.
    AccessReport,
    /// A delivery became a dead letter, or a change was refused; for the operator.
    DeliveryGivenUp,
    /// Another organization claims a directory; for the operator.
    ClaimRefused,
    /// A directory was moved to another organization; for the operator.
    DirectoryMoved,
    /// Deliveries have waited for more than half an hour; for the operator.
    DeliveriesWait,
    /// No webhook arrives although the API has events, or they arrive again; for the operator.
    WebhooksAway,
    /// A directory was not compared with the broker's lists for long, or was compared again; for the operator.
    NotCompared,
    /// The heads of the audit trail, once a day; for the operator.
    AuditHeads,
}

/// The subject of a mail. Each family has a template with its name in `templates/mail/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Family {
    /// People who lost access, and deleted directories.
    Leavers,
    /// Directories that were connected.
    Connected,
    /// Directories that have sent nothing for a long time.
    Silent,
    /// Directories whose first synchronization is over, with the people who hold privileged roles.
    FirstSync,
    /// Gains and losses of privileged roles.
    Privileges,
    /// Last holders who retain a role.
    Retained,
    /// One hold.
    Held,
    /// Changes of the mapping.
    Mapping,
    /// Reports of access.
    Report,
    /// Dead letters and refused changes; for the operator.
    GivenUp,
    /// Refused ownership claims; for the operator.
    ClaimsRefused,
    /// Moved directories; for the operator.
    Moved,
    /// Deliveries that wait for too long; for the operator.
    Waiting,
    /// Webhooks that no longer arrive; for the operator.
    Webhooks,
    /// For the operator.
    NotCompared,
    /// The heads of the audit trail; for the operator.
    AuditHeads,
}

impl NoticeKind {
    /// Every kind, in the order of the settings.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// Its name in settings, tables and on the command line.
    pub const fn name(self) -> &'static str {
        self.into_str()
    }

    /// The kind with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::from_str(name).ok()
    }

    /// The family of mails that it belongs to.
    pub const fn family(self) -> Family {
        match self {
            // The deletion of a directory and its people's loss of access are reported together.
            Self::Deprovisioned | Self::DirectoryDeleted => Family::Leavers,
            Self::DirectoryConnected => Family::Connected,
            Self::DirectorySilent => Family::Silent,
            Self::FirstSyncEnded => Family::FirstSync,
            Self::PrivilegedGranted | Self::PrivilegedLost => Family::Privileges,
            Self::LastHolderRetained => Family::Retained,
            Self::MassChangeHeld => Family::Held,
            Self::MappingApplied => Family::Mapping,
            Self::AccessReport => Family::Report,
            Self::DeliveryGivenUp => Family::GivenUp,
            Self::ClaimRefused => Family::ClaimsRefused,
            Self::DirectoryMoved => Family::Moved,
            Self::DeliveriesWait => Family::Waiting,
            Self::WebhooksAway => Family::Webhooks,
            Self::NotCompared => Family::NotCompared,
            Self::AuditHeads => Family::AuditHeads,
        }
    }
}

impl Family {
    /// Every family.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The prefix of its bundles.
    pub const fn name(self) -> &'static str {
        self.into_str()
    }

    /// The family of a bundle, such as `leavers` or `held:17`.
    pub fn of_bundle(bundle: &str) -> Option<Self> {
        let name = bundle.split(':').next().unwrap_or_default();
        Self::from_str(name).ok()
    }

    /// Whether the mail is about the service and not about a tenant, and goes to the operator.
    pub const fn is_for_operator(self) -> bool {
        match self {
            Self::GivenUp
            | Self::ClaimsRefused
            | Self::Moved
            | Self::Waiting
            | Self::Webhooks
            | Self::NotCompared
            | Self::AuditHeads => true,
            Self::Leavers
            | Self::Connected
            | Self::Silent
            | Self::FirstSync
            | Self::Privileges
            | Self::Retained
            | Self::Held
            | Self::Mapping
            | Self::Report => false,
        }
    }

    /// Whether somebody must decide soon: the mail waits for no window, is not limited by the rate, and has urgent headers.
    pub const fn is_urgent(self) -> bool {
        matches!(self, Self::Held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for &kind in NoticeKind::ALL {
            assert_eq!(NoticeKind::named(kind.name()), Some(kind));
            assert_eq!(Family::of_bundle(kind.family().name()), Some(kind.family()));
        }
        assert_eq!(Family::of_bundle("held:17"), Some(Family::Held));
        assert_eq!((NoticeKind::named(""), Family::of_bundle("nothing")), (None, None));
    }

    #[test]
    fn every_kind_has_a_template_and_a_line_in_the_settings_file() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        for family in Family::ALL {
            let file = format!("templates/mail/{}.txt", family.name());
            assert!(root.join(&file).exists(), "{file}");
        }
        let settings = std::fs::read_to_string(root.join("src/config.default.toml")).unwrap();
        let (_, section) = settings.split_once("[mail.kinds]").unwrap();
        let (section, _) = section.split_once("# The same for single tenants").unwrap();
        let switches = section.lines().filter_map(|line| line.strip_suffix(" = true"));
        let named: Vec<&str> = switches.collect();
        let kinds: Vec<&str> = NoticeKind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(named, kinds);
    }
}
