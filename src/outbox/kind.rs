//! The kinds of news: their names in settings and on the command line, and which of them may share a mail.

use std::str::FromStr;

use strum::{EnumString, IntoStaticStr, VariantArray};

/// In the order of the settings. A name is the variant's own: `mass_change_held`.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EnumString, IntoStaticStr, VariantArray,
)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Kind {
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

/// What one mail is about: each has a file of its name in `templates/mail/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case", const_into_str)]
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

impl Kind {
    pub const ALL: &'static [Self] = Self::VARIANTS;

    pub const fn name(self) -> &'static str {
        self.into_str()
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::from_str(name).ok()
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
    pub const ALL: &'static [Self] = Self::VARIANTS;

    pub const fn name(self) -> &'static str {
        self.into_str()
    }

    /// Of a bundle, such as `leavers` or `held:17`.
    pub fn of_bundle(bundle: &str) -> Option<Self> {
        let name = bundle.split(':').next().unwrap_or_default();
        Self::from_str(name).ok()
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
        for &kind in Kind::ALL {
            assert_eq!(Kind::named(kind.name()), Some(kind));
            assert_eq!(Family::of_bundle(kind.family().name()), Some(kind.family()));
        }
        assert_eq!(Family::of_bundle("held:17"), Some(Family::Held));
        assert_eq!((Kind::named(""), Family::of_bundle("nothing")), (None, None));
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
        let kinds: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(named, kinds);
    }
}
