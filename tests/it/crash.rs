//! Crashes: rosterd, its database, its connections and its disk fail under load, over and over, and are started again.
//!
//! Each test delivers a seeded life of three tenants as a broker does (`load`: again and again until a 2xx), lets
//! something die meanwhile, and ends in `Trial::end`, which holds the outcome against an undisturbed run: every 200 is
//! in the tables, no effect came twice, whoever lost access is told of, each notice under one Message-ID.
//!
//! For long sessions: ROSTERD_TEST_KILLS (deaths in a test; 6) and ROSTERD_TEST_SEED (1).

mod disk;
mod kills;
pub(crate) mod load;
mod notices;
// Without the feature these tests could only pass by doing nothing, so there are none then; `tests/run` switches it on.
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
