//! The kinds of news: their names in settings and on the command line, and which of them may share a mail.

/// In the order of the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NoticeKind {
    /// Somebody lost access.
    Deprovisioned,
    /// A directory was connected.
    DirectoryConnected,
    /// A directory was deleted.
    DirectoryDeleted,
    /// A directory has sent nothing for a long time.
    DirectorySilent,
    /// Somebody gained a privileged role.
    PrivilegedGranted,
    /// Somebody lost a privileged role.
    PrivilegedLost,
    /// The last holder of a protected role retains it.
    LastHolderKept,
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
}

/// What one mail is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// People who lost access, and the directories whose deletion took it.
    Leavers,
    /// Directories that were connected.
    Connected,
    /// Directories that are silent.
    Silent,
    /// Privileged roles gained and lost.
    Privileges,
    /// Last holders who retain a role.
    Kept,
    /// One hold.
    Held,
    /// Changes of the mapping.
    Mapping,
    /// Reports of access.
    Report,
    /// For the operator.
    GivenUp,
    /// For the operator.
    ClaimsRefused,
}

impl NoticeKind {
    /// Every kind, in the order of the documents.
    pub const ALL: [Self; 12] = [
        Self::Deprovisioned,
        Self::DirectoryConnected,
        Self::DirectoryDeleted,
        Self::DirectorySilent,
        Self::PrivilegedGranted,
        Self::PrivilegedLost,
        Self::LastHolderKept,
        Self::MassChangeHeld,
        Self::MappingApplied,
        Self::AccessReport,
        Self::DeliveryGivenUp,
        Self::ClaimRefused,
    ];

    /// Its name in settings, tables and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deprovisioned => "deprovisioned",
            Self::DirectoryConnected => "directory_connected",
            Self::DirectoryDeleted => "directory_deleted",
            Self::DirectorySilent => "directory_silent",
            Self::PrivilegedGranted => "privileged_granted",
            Self::PrivilegedLost => "privileged_lost",
            Self::LastHolderKept => "last_holder_kept",
            Self::MassChangeHeld => "mass_change_held",
            Self::MappingApplied => "mapping_applied",
            Self::AccessReport => "access_report",
            Self::DeliveryGivenUp => "delivery_given_up",
            Self::ClaimRefused => "claim_refused",
        }
    }

    /// The kind of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The family of mails that it belongs to.
    pub const fn family(self) -> Family {
        match self {
            // A directory that goes and the people who go with it are one piece of news.
            Self::Deprovisioned | Self::DirectoryDeleted => Family::Leavers,
            Self::DirectoryConnected => Family::Connected,
            Self::DirectorySilent => Family::Silent,
            Self::PrivilegedGranted | Self::PrivilegedLost => Family::Privileges,
            Self::LastHolderKept => Family::Kept,
            Self::MassChangeHeld => Family::Held,
            Self::MappingApplied => Family::Mapping,
            Self::AccessReport => Family::Report,
            Self::DeliveryGivenUp => Family::GivenUp,
            Self::ClaimRefused => Family::ClaimsRefused,
        }
    }
}

impl Family {
    const ALL: [Self; 10] = [
        Self::Leavers,
        Self::Connected,
        Self::Silent,
        Self::Privileges,
        Self::Kept,
        Self::Held,
        Self::Mapping,
        Self::Report,
        Self::GivenUp,
        Self::ClaimsRefused,
    ];

    /// The prefix of its bundles.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Leavers => "leavers",
            Self::Connected => "connected",
            Self::Silent => "silent",
            Self::Privileges => "privileges",
            Self::Kept => "kept",
            Self::Held => "held",
            Self::Mapping => "mapping",
            Self::Report => "report",
            Self::GivenUp => "given_up",
            Self::ClaimsRefused => "claims_refused",
        }
    }

    /// Of a bundle, such as `leavers` or `held:17`.
    pub fn of_bundle(bundle: &str) -> Option<Self> {
        let name = bundle.split(':').next().unwrap_or_default();
        Self::ALL.into_iter().find(|family| family.name() == name)
    }

    /// Of the service itself and not of a tenant: for the operator.
    pub const fn is_for_operator(self) -> bool {
        matches!(self, Self::GivenUp | Self::ClaimsRefused)
    }

    /// Somebody has to decide: it waits for no window, counts against no rate, and says so in its headers.
    pub const fn is_urgent(self) -> bool {
        matches!(self, Self::Held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for kind in NoticeKind::ALL {
            assert_eq!(NoticeKind::named(kind.name()), Some(kind));
            assert_eq!(Family::of_bundle(kind.family().name()), Some(kind.family()));
        }
        assert_eq!(Family::of_bundle("held:17"), Some(Family::Held));
        assert_eq!((NoticeKind::named(""), Family::of_bundle("nothing")), (None, None));
    }
}
