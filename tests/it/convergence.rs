//! Promise 3: the application's tables are a function of the set of events. Any history, order, duplicates, batches and
//! number of workers give the tables of a model that has none of these.

mod attributed;
mod damage;
mod examples;
mod guarded;
mod history;
mod mapped;
mod model;
mod people;
mod planned;
mod poison;
mod reach;
mod steps;
mod total;
mod trial;
mod world;

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use history::{Case, case};
use model::Tables;
use people::with_people_named;
use proptest::prelude::*;
use rosterd::{apply::Batch, worker::applier::Applier};
use serde_json::Value;
use trial::{Outcome, failed, holds};
use world::{User, World, drain};

use crate::harness::Backend;

/// Tests a property on each database, with `$cases` on SQLite and on PostgreSQL, where a case takes longer.
macro_rules! property {
    ($name:ident, $cases:expr, $trials:path, $property:path) => {
        mod $name {
            use super::*;

            #[test]
            fn on_sqlite() {
                let world = World::create(Backend::Sqlite);
                holds($cases.0, $trials(), |trial| $property(&world, trial));
            }

            #[test]
            #[cfg_attr(feature = "sqlite-only", ignore = "PostgreSQL is left out")]
            fn on_postgres() {
                let world = World::create(Backend::Postgres);
                holds($cases.1, $trials(), |trial| $property(&world, trial));
            }
        }
    };
}

property!(
    any_order_any_duplicates_and_any_batches_end_in_the_tables_of_the_set,
    (300, 40),
    case,
    one_applier
);
property!(any_number_of_appliers_at_once_end_in_the_tables_of_the_set, (60, 30), case, appliers_at_once);
property!(compaction_changes_neither_the_tables_nor_a_replay_of_the_rest, (60, 30), case, compacted);
property!(
    each_passage_from_active_to_inactive_has_its_notice_and_nothing_else_has_one,
    (60, 30),
    case,
    notices
);
property!(
    a_plan_is_what_applying_does_and_every_grant_is_explained,
    (60, 20),
    case,
    planned::a_plan_comes_true
);
property!(holds_that_are_all_approved_end_in_the_tables_of_the_set, (150, 30), case, guarded::all_approved);
property!(
    directories_that_are_moved_end_in_the_tables_of_the_events_that_count,
    (60, 20),
    case,
    attributed::by_moves
);
property!(a_broken_event_affects_only_itself, (60, 30), poison::poisoned, poison::stays_with_itself);

fn equals_the_model(world: &World, case: &Case) -> Outcome {
    world.folds()?;
    equal(model::tables(&case.events(), &case.rules(), case.mapped), world.tables())
}

/// Lists the rows that only one side has.
fn equal(expected: Tables, got: Tables) -> Outcome {
    let expected = with_people_named(expected);
    if expected == got {
        return Ok(());
    }
    let mut lines = Vec::new();
    for (table, rows) in &expected {
        let got = &got[table];
        let (missing, surplus) =
            (rows.iter().filter(|row| !got.contains(row)), got.iter().filter(|row| !rows.contains(row)));
        lines.extend(missing.map(|row| format!("{table} expected {row}")));
        lines.extend(surplus.map(|row| format!("{table} got      {row}")));
    }
    Err(failed(if lines.is_empty() { "the same rows in another order".to_owned() } else { lines.join("\n") }))
}

fn one_applier(world: &World, case: &Case) -> Outcome {
    world.begin(case.mapped);
    let applier = world.applier(case.rules(), case.batch);
    let mut sent = Vec::new();
    for part in case.deliveries() {
        world.deliver(&part);
        drain(&applier, || Ok(()))?;
        // The deliveries until here are a set, too. A wrong state now may be corrected by later deliveries.
        sent.extend(part);
        world.folds()?;
        equal(model::tables(&sent, &case.rules(), case.mapped), world.tables())?;
    }

    // Manual repetitions change nothing either.
    world.retry_dead_letters();
    drain(&applier, || Ok(()))?;
    equals_the_model(world, case)
}

fn appliers_at_once(world: &World, case: &Case) -> Outcome {
    const APPLIERS: usize = 3;
    world.begin(case.mapped);
    let all_sent = AtomicBool::new(false);
    let work = |applier: &Applier| -> Outcome {
        loop {
            // Read before the drain: the drain below applies everything that was sent until here.
            let last = all_sent.load(Ordering::SeqCst);
            drain(applier, || Ok(()))?;
            if last {
                return Ok(());
            }
            thread::yield_now();
        }
    };
    thread::scope(|scope| {
        let appliers: Vec<_> = (0..APPLIERS)
            .map(|n| {
                let batch = Batch { deliveries: case.batch.deliveries + n, ..case.batch };
                let applier = world.applier(case.rules(), batch);
                scope.spawn(move || work(&applier))
            })
            .collect();
        for part in case.deliveries() {
            world.deliver(&part);
        }
        all_sent.store(true, Ordering::SeqCst);
        appliers.into_iter().try_for_each(|applier| applier.join().unwrap())
    })?;
    equals_the_model(world, case)
}

fn compacted(world: &World, case: &Case) -> Outcome {
    world.begin(case.mapped);
    let applier = world.applier(case.rules(), case.batch);
    for part in case.deliveries() {
        world.deliver(&part);
        // Another process may compact between any two transactions of this one.
        drain(&applier, || {
            world.compact();
            Ok(())
        })?;
    }
    equals_the_model(world, case)?;

    world.rebuilt(&case.rules())?;
    let stored = world.stored();
    world.begin(case.mapped);
    world.deliver(&stored);
    drain(&applier, || Ok(()))?;
    equals_the_model(world, case)
}

fn notices(world: &World, case: &Case) -> Outcome {
    world.begin(case.mapped);
    let applier = world.applier(case.rules(), case.batch);
    let (mut active, mut passages, mut renamed) = (BTreeMap::new(), Vec::new(), Vec::new());
    for part in case.deliveries() {
        world.deliver(&part);
        drain(&applier, || {
            let (now, (_, others)) = (world.active(), world.users());
            passages.extend(others.into_iter().filter(|user| active.contains_key(user)));
            // An id that changes hands is a passage, too, even if it remains active. Nothing else is.
            let other = |(user, idp_id): (&User, &Value)| {
                active.get(user).is_some_and(|was| was != idp_id).then(|| user.clone())
            };
            renamed.extend(now.iter().filter_map(other));
            active = now;
            let mut notified = world.notified();
            for passage in &passages {
                let place = notified.iter().position(|user| user == passage);
                prop_assert!(place.is_some(), "{passage:?} left and is not told of");
                notified.remove(place.unwrap());
            }
            for user in &renamed {
                notified.iter().position(|notified| notified == user).map(|place| notified.remove(place));
            }
            prop_assert!(notified.is_empty(), "told of without a reason: {notified:?}");
            Ok(())
        })?;
    }
    Ok(())
}
