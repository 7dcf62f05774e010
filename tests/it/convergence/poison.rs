//! A broken event affects only itself: bad events of other tenants in a history (promise 6, lesson 16).

use proptest::{prelude::*, sample::Index};
use rosterd::decide::Rules;
use serde_json::{Value, json};

use super::{
    damage::damaged,
    equal,
    history::{Case, case},
    model,
    trial::{Outcome, Trial},
    world::{World, drain},
};

/// A history, and bad events of other tenants.
#[derive(Clone, Debug)]
pub struct Poisoned {
    case: Case,
    poison: Vec<(Index, Value)>,
}

impl Trial for Poisoned {
    fn describe(&self) -> String {
        let poison: String = self.poison.iter().map(|(_, event)| format!("{event}\n")).collect();
        format!("{}\nand among them:\n{poison}", self.case.describe())
    }

    fn smaller(&self) -> Vec<Self> {
        let without = |place| {
            let mut poison = self.poison.clone();
            poison.remove(place);
            Self { case: self.case.clone(), poison }
        };
        let cases = self.case.smaller().into_iter().map(|case| Self { case, poison: self.poison.clone() });
        cases.chain((0..self.poison.len()).map(without)).collect()
    }
}

pub fn poisoned() -> BoxedStrategy<Poisoned> {
    let poison = prop::collection::vec((any::<Index>(), damaged().prop_map(|body| elsewhere(&body))), 1..6);
    (case(), poison).prop_map(|(case, poison)| Poisoned { case, poison }).boxed()
}

/// The same event with ids that no history has, so it belongs to other tenants and directories.
fn elsewhere(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            fields.iter().map(|(field, value)| (field.clone(), elsewhere(value))).collect()
        }
        Value::String(text)
            if text == "default" || text.chars().nth(1).is_some_and(|c| c.is_ascii_digit()) =>
        {
            json!(format!("other_{text}"))
        }
        plain => plain.clone(),
    }
}

/// Rows of the history's tenants. `default` is omitted, because a damaged event may have lost its organization.
fn of_the_history(mut tables: model::Tables) -> model::Tables {
    for (table, rows) in &mut tables {
        let tenant = if *table == "tenants" { "id" } else { "tenant_id" };
        rows.retain(|row| {
            row[tenant].as_str().is_some_and(|tenant| ["o0", "o1", "organization:default"].contains(&tenant))
        });
    }
    tables
}

pub fn stays_with_itself(world: &World, Poisoned { case, poison }: &Poisoned) -> Outcome {
    world.clear();
    let applier = world.applier(Rules::default(), case.batch);
    let mut parts = case.deliveries();
    for (place, event) in poison {
        let part = place.index(parts.len());
        parts[part].push(event.clone());
    }
    for part in parts {
        world.deliver(&part);
        drain(&applier, || Ok(()))?;
    }
    let expected = of_the_history(model::tables(&case.events(), &Rules::default(), None));
    equal(expected, of_the_history(world.tables()))
}
