//! Crashes: rosterd, its database, its connections and its disk fail repeatedly under load, and are started again.
//!
//! Each test delivers a seeded life of three tenants as a broker does (`load`: it repeats until a 2xx), causes failures
//! meanwhile, and ends in `Trial::end`. That compares the outcome with an undisturbed run: every 200 is in the tables,
//! no effect happened twice, every leaver is reported, and each notice has one Message-ID.
//!
//! For long sessions: ROSTERD_TEST_KILLS (crashes in a test; 6) and ROSTERD_TEST_SEED (1).

mod disk;
mod kills;
pub(crate) mod load;
mod notices;
// Without the feature these tests would pass without a crash, so they are not compiled. `tests/run` switches it on.
#[cfg(feature = "failpoints")]
mod points;
mod postgres;
mod trial;

/// Runs a test for each kind of database.
macro_rules! on_both {
    (fn $name:ident($backend:ident) $body:block) => {
        mod $name {
            use super::*;
            use crate::harness::Backend;

            fn run($backend: Backend) $body

            #[test]
            fn on_sqlite() {
                run(Backend::Sqlite);
            }

            #[test]
            #[cfg_attr(feature = "sqlite-only", ignore = "PostgreSQL is left out")]
            fn on_postgres() {
                run(Backend::Postgres);
            }
        }
    };
}
use on_both;
