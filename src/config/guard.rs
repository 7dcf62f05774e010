//! `[guard]`: the limits for all tenants, and other limits for single tenants.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use super::wrong;
use crate::decide::guard::{Guard, GuardLimits, Undecided};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    mode: Mode,
    window_minutes: u32,
    minimum: u32,
    percent: u32,
    everybody: u32,
    undecided: Policy,
    of: BTreeMap<String, Own>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    On,
    Off,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Policy {
    Stay,
    ApproveAfterHours(u32),
}

/// The limits of one tenant. A missing value is the value for all tenants.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    mode: Option<Mode>,
    window_minutes: Option<u32>,
    minimum: Option<u32>,
    percent: Option<u32>,
    everybody: Option<u32>,
    undecided: Option<Policy>,
}

pub(super) fn read<'de, D: Deserializer<'de>>(from: D) -> Result<Guard, D::Error> {
    let section = Section::deserialize(from)?;
    let otherwise = GuardLimits {
        on: section.mode == Mode::On,
        window_minutes: section.window_minutes,
        minimum: section.minimum,
        percent: section.percent,
        everybody: section.everybody,
        undecided: undecided(section.undecided),
    };
    let own = |own: Own| GuardLimits {
        on: own.mode.is_none_or(|mode| mode == Mode::On),
        window_minutes: own.window_minutes.unwrap_or(otherwise.window_minutes),
        minimum: own.minimum.unwrap_or(otherwise.minimum),
        percent: own.percent.unwrap_or(otherwise.percent),
        everybody: own.everybody.unwrap_or(otherwise.everybody),
        undecided: own.undecided.map_or(otherwise.undecided, undecided),
    };
    let of_tenant: BTreeMap<String, GuardLimits> =
        section.of.into_iter().map(|(tenant, limits)| (tenant, own(limits))).collect();
    for limits in of_tenant.values().chain([&otherwise]) {
        if limits.percent > 100 {
            return Err(wrong("guard.percent must be 0 to 100"));
        }
        if !(1..=24 * 60).contains(&limits.window_minutes) {
            return Err(wrong("guard.window_minutes must be 1 to 1440"));
        }
    }
    Ok(Guard { on: otherwise.on, otherwise, of_tenant })
}

fn undecided(policy: Policy) -> Undecided {
    match policy {
        Policy::Stay => Undecided::Stay,
        Policy::ApproveAfterHours(hours) => Undecided::ApproveAfterHours(hours),
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        config::load,
        decide::guard::{GuardLimits, Undecided},
    };

    fn config_of(text: &str, variable: Option<&str>) -> Result<crate::config::Config, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let variable = |name: &str| variable.filter(|_| name == "ROSTERD_GUARD").map(str::to_owned);
        load(Some(file.path()), variable).map_err(|error| error.to_string())
    }

    #[test]
    fn tenants_have_what_they_say_and_otherwise_what_all_have() {
        let text = "[guard]\npercent = 30\n[guard.of.a]\nminimum = 3\nundecided = { approve_after_hours = 4 }\n\
                    [guard.of.b]\nmode = \"off\"\n";
        let guard = config_of(text, None).unwrap().guard;

        let undecided = Undecided::ApproveAfterHours(4);
        assert_eq!(
            guard.of("a"),
            Some(&GuardLimits { minimum: 3, percent: 30, undecided, ..GuardLimits::default() })
        );
        assert_eq!(guard.of("b"), None);
        assert_eq!(guard.of("c"), Some(&GuardLimits { percent: 30, ..GuardLimits::default() }));
        assert_eq!(config_of("", None).unwrap().guard.of("c"), Some(&GuardLimits::default()));
    }

    #[test]
    fn the_variable_switches_it_off_for_all() {
        let guard = config_of("[guard.of.a]\nmode = \"on\"\n", Some("off")).unwrap().guard;

        assert_eq!((guard.of("a"), guard.of("b")), (None, None));
    }

    #[test]
    fn an_unknown_setting_is_refused() {
        for text in ["percent = 101", "window_minutes = 0", "mode = \"maybe\"", "undecided = \"never\""] {
            assert!(config_of(&format!("[guard]\n{text}\n"), None).is_err(), "{text}");
        }
        assert!(config_of("[guard.of.a]\nshare = 3\n", None).is_err());
    }
}
