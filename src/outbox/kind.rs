//! The kinds of news: their names in settings and on the command line, and which of them may share a mail.

/// In the order of the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NoticeKind {
    Deprovisioned,
    DirectoryConnected,
    DirectoryDeleted,
    DirectorySilent,
    PrivilegedGranted,
    PrivilegedLost,
    LastHolderKept,
    MassChangeHeld,
    MappingApplied,
    AccessReport,
    DeliveryGivenUp,
    ClaimRefused,
}

/// What one mail is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// People who lost access, and the directories whose deletion took it.
    Leavers,
    Connected,
    Silent,
    Privileges,
    Kept,
    /// One hold.
    Held,
    Mapping,
    Report,
    /// For the operator.
    GivenUp,
    /// For the operator.
    ClaimsRefused,
}

impl NoticeKind {
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

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

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
