//! Exit codes: 0 done, 1 failed, 2 differences with `--detailed-exitcode`, 64 wrong usage, 78 wrong settings.

use std::error::Error;

use crate::{app::StartError, config::ConfigError, notify::NotifyError};

/// Any other failure. A supervisor may start the service again.
const FAILED: u8 = 1;
/// There are differences, with `--detailed-exitcode`, as Terraform has it.
pub(super) const DIFFERENT: u8 = 2;
/// Wrong usage: EX_USAGE of sysexits.h. Clap's own 2 would be that of differences.
pub(super) const USAGE: u8 = 64;
/// Wrong settings: EX_CONFIG of sysexits.h. The next start fails in the same way until somebody corrects them.
const CONFIG: u8 = 78;

/// The command line, or its environment, lacks something. The exit code is [`USAGE`].
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Misuse(pub(super) String);

/// A setting that this command needs is not set. The exit code is that of wrong settings.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unset(pub(super) &'static str);

/// The exit code of an error.
pub(super) fn of(error: &(dyn Error + 'static)) -> u8 {
    let is_about_settings = error.is::<ConfigError>()
        || error.is::<NotifyError>()
        || error.is::<Unset>()
        || error.downcast_ref::<StartError>().is_some_and(StartError::is_about_settings);
    match (error.is::<Misuse>(), is_about_settings) {
        (true, _) => USAGE,
        (false, true) => CONFIG,
        (false, false) => FAILED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_settings_differ_from_wrong_usage_and_from_failures_that_may_pass() {
        let code = |error: Box<dyn Error>| of(error.as_ref());
        assert_eq!(code(Box::new(ConfigError::Wrong("x".into()))), 78);
        assert_eq!(code(Box::new(StartError::NoSecret)), 78);
        assert_eq!(code(Box::new(StartError::Tenancy { was: "single".into() })), 78);
        assert_eq!(code(Box::new(Unset("x"))), 78);
        assert_eq!(code(Box::new(Misuse("x".into()))), 64);
        let listen = StartError::Listen {
            address: ([127, 0, 0, 1], 1).into(),
            variable: "ROSTERD_LISTEN",
            error: std::io::Error::other("in use"),
        };
        assert_eq!(code(Box::new(listen)), 1, "another process may end");
        assert_eq!(code("x".into()), 1);
    }
}
