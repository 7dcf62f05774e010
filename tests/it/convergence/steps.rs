//! A recomputation in many steps, with other events between two of them.

use rosterd::{apply::Batch, decide::Rules};
use serde_json::Value;

use super::{
    equal, model,
    world::{World, drain},
};
use crate::harness::{
    Backend,
    broker::{directory, event, user, with},
};

/// A large directory, one entity in a step. It is deleted, and after some steps something else happens to it.
fn holds_whenever(backend: Backend, meanwhile: &Value) {
    let world = World::create(backend);
    let applier = world.applier(Rules::default(), Batch { entities: 1, ..Batch::default() });
    let mut events: Vec<Value> = (0..5)
        .map(|n| {
            let user = user(&format!("u{n}"), "active", 1);
            let named = with(user, serde_json::json!({"name": "Given"}));
            event(&format!("created{n}"), "dsync.user.created", 1, named)
        })
        .collect();
    events.push(event("directory", "dsync.activated", 0, directory("dir_1", "org_1", 0)));
    let deleted = event("deleted", "dsync.deleted", 2, directory("dir_1", "org_1", 2));
    let all = [&events[..], &[deleted.clone(), meanwhile.clone()]].concat();
    for steps in 0..8 {
        world.clear();
        world.deliver(&events);
        drain(&applier, || Ok(())).unwrap();
        world.deliver([&deleted]);
        for _ in 0..steps {
            applier.step().unwrap();
        }
        world.deliver([meanwhile]);
        drain(&applier, || Ok(())).unwrap();
        if let Err(error) = equal(model::tables(&all, &Rules::default(), None), world.tables()) {
            panic!("after {steps} steps: {error}");
        }
    }
}

macro_rules! whenever {
    ($name:ident, $meanwhile:expr) => {
        mod $name {
            use super::*;

            #[test]
            fn on_sqlite() {
                holds_whenever(Backend::Sqlite, &$meanwhile);
            }

            #[test]
            #[cfg_attr(feature = "sqlite-only", ignore = "PostgreSQL is left out")]
            fn on_postgres() {
                holds_whenever(Backend::Postgres, &$meanwhile);
            }
        }
    };
}

whenever!(
    a_directory_that_comes_back_while_it_is_refreshed_brings_back_those_who_were_visited,
    event("back", "dsync.activated", 3, directory("dir_1", "org_1", 3))
);
whenever!(
    a_directory_that_turns_out_to_be_anothers_while_it_is_refreshed_takes_everybody_along,
    event("claim", "dsync.activated", -1, directory("dir_1", "org_2", 0))
);
