//! With a guard that trips at once: holds that are decided in the middle of a history, and approved at its end, give
//! the tables of a history without a guard.

use rosterd::{
    db::DbError,
    decide::{
        Rules,
        guard::{Guard, GuardLimits},
    },
    operator::holds::{self, HoldDecision, Verdict},
    tables,
    worker::applier::Applier,
};

use super::{
    equals_the_model,
    history::Case,
    trial::{Outcome, failed},
    world::{World, drain},
};

/// Two people of a directory are a mass change, if they are more than a fifth of it.
fn guarded(rules: Rules) -> Rules {
    let otherwise = GuardLimits { minimum: 2, ..GuardLimits::default() };
    Rules { guard: Guard { on: true, otherwise, ..Guard::default() }, ..rules }
}

/// Decides every hold with people. Returns whether there was one.
fn decide(applier: &Applier, verdict: impl Fn(i64) -> Verdict) -> Result<bool, DbError> {
    let with_people = applier.database.read::<_, DbError>(|conn| Ok(tables::holds::with_people(conn)?))?;
    // People who were decided before are decided again.
    let by = HoldDecision { name: "history", overrides: true, ..HoldDecision::default() };
    for (id, _) in &with_people {
        // A hold may have nobody left who can be decided.
        drop(holds::decide(&applier.database, *id, verdict(*id), by, applier.clock.now()));
    }
    Ok(!with_people.is_empty())
}

pub fn all_approved(world: &World, case: &Case) -> Outcome {
    world.begin(case.mapped);
    let rules = guarded(case.rules());
    let applier = world.applier(rules.clone(), case.batch);
    for (n, part) in case.deliveries().iter().enumerate() {
        world.deliver(part);
        drain(&applier, || Ok(()))?;
        match n % 4 {
            1 => applier.clock.advance_seconds(20 * 60),
            2 => drop(decide(&applier, |id| if id % 2 == 0 { Verdict::Approve } else { Verdict::Reject })),
            _ => {}
        }
    }
    drain(&applier, || Ok(()))?;
    world.rebuilt(&rules)?;

    while decide(&applier, |_| Verdict::Approve).map_err(failed)? {
        drain(&applier, || Ok(()))?;
    }
    equals_the_model(world, case)
}
