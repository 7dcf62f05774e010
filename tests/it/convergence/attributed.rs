//! Directories that are moved in the middle of a history: the tables are those of the events that count after the
//! moves, as if all of them had named the last owner.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
};

use diesel::{QueryDsl, RunQueryDsl};
use rosterd::{
    db::{DbError, schema},
    operator::directory_move::{Confirmed, MoveError, MoveRequest, move_directory, preview},
};
use serde_json::{Value, json};

use super::{
    equal,
    history::{Case, case},
    model,
    trial::{Outcome, failed, holds},
    world::{World, drain},
};
use crate::harness::{Backend, NOW};

/// (from, to, until), in their order.
type Moves = Vec<(String, String, i64)>;

fn moves(world: &World) -> BTreeMap<String, Moves> {
    use schema::directory_moves::{
        directory_id, from_organization, table, tenure, to_organization, until_inbox_id,
    };
    let columns = (directory_id, from_organization, to_organization, until_inbox_id);
    let rows: Vec<(String, String, String, i64)> = world
        .database
        .read::<_, DbError>(|conn| Ok(table.order((directory_id, tenure)).select(columns).load(conn)?))
        .unwrap();
    let mut moves: BTreeMap<String, Moves> = BTreeMap::new();
    for (directory, from, to, until) in rows {
        moves.entry(directory).or_default().push((from, to, until));
    }
    moves
}

fn numbers(world: &World) -> BTreeMap<String, i64> {
    use schema::inbox::{event_key, id, table};
    let rows: Vec<(String, i64)> =
        world.database.read::<_, DbError>(|conn| Ok(table.select((event_key, id)).load(conn)?)).unwrap();
    rows.into_iter().collect()
}

/// The place of a body that names the directory's organization.
fn subjects(event: &mut Value) -> Vec<&mut Value> {
    let data = &mut event["data"];
    match data.get("group").is_some() {
        true => {
            let data = data.as_object_mut().unwrap();
            data.iter_mut()
                .filter(|(name, _)| ["user", "group"].contains(&name.as_str()))
                .map(|(_, v)| v)
                .collect()
        }
        false => vec![data],
    }
}

/// The event as the moves make it count. `None` for one that does not count.
fn attributed(
    event: &Value,
    moves: &BTreeMap<String, Moves>,
    numbers: &BTreeMap<String, i64>,
) -> Option<Value> {
    let mut event = event.clone();
    let kind = event["event"].as_str().unwrap();
    if kind.starts_with("organization.") {
        return Some(event);
    }
    let data = &event["data"];
    let directory = data["directory_id"].as_str().or(data["id"].as_str())?;
    let Some(moves) = moves.get(directory) else { return Some(event) };
    let number = numbers[event["id"].as_str().unwrap()];
    let passed = moves.iter().take_while(|(_, _, until)| *until < number).count();
    // The owner at that time, and all later ones.
    let owners = std::iter::once(&moves[0].0).chain(moves.iter().map(|(_, to, _)| to)).skip(passed);
    let owners: Vec<&String> = owners.collect();
    let last = owners.last()?.to_string();
    for subject in subjects(&mut event) {
        let named = subject["organization_id"].as_str().unwrap_or_default();
        if !named.is_empty() && !owners.iter().any(|owner| *owner == named) {
            return None;
        }
        subject["organization_id"] = json!(last);
    }
    Some(event)
}

/// A directory and an organization, in another order for each history.
fn dealt(case: &Case, n: usize) -> (String, &'static str) {
    let dice = n * 7 + case.events().len() * 3;
    (format!("d{}", [0, 0, 1, 0, 3][dice % 5]), ["o1", "o0", "default"][dice / 5 % 3])
}

fn move_one(world: &World, case: &Case, n: usize) -> Outcome {
    let (directory, to) = dealt(case, n);
    let request = MoveRequest { directory: &directory, to, by: "history", reason: "dealt", now: NOW };
    let rules = case.rules();
    let shown = match preview(&world.database, &rules, request) {
        Ok(plan) => plan,
        Err(error @ (MoveError::Database(_) | MoveError::Apply(_))) => return Err(failed(error)),
        Err(_makes_no_sense) => return Ok(()),
    };
    move_directory(&world.database, &rules, request, Confirmed::Plan(&shown)).map(drop).map_err(failed)
}

pub fn by_moves(world: &World, case: &Case) -> Outcome {
    world.begin(case.mapped);
    let rules = case.rules();
    let applier = world.applier(rules.clone(), case.batch);
    let mut sent = Vec::new();
    for (n, part) in case.deliveries().iter().enumerate() {
        world.deliver(part);
        // Half of the moves come before the deliveries are applied.
        if n % 2 == 0 {
            drain(&applier, || Ok(()))?;
        }
        move_one(world, case, n)?;
        drain(&applier, || Ok(()))?;
        sent.extend(part.clone());
        let (moves, numbers) = (moves(world), numbers(world));
        let counting: Vec<Value> =
            sent.iter().filter_map(|event| attributed(event, &moves, &numbers)).collect();
        equal(model::tables(&counting, &rules, case.mapped), world.tables())?;
    }
    world.rebuilt(&rules)?;
    let before = world.tables();
    world.compact();
    world.rebuilt(&rules)?;
    world.retry_dead_letters();
    drain(&applier, || Ok(()))?;
    match world.tables() == before {
        true => Ok(()),
        false => Err(failed("a repetition by hand changed the tables")),
    }
}

/// Histories without a move would prove nothing.
#[test]
fn histories_move_directories() {
    let world = World::create(Backend::Sqlite);
    let moved = AtomicUsize::new(0);
    holds(20, case(), |case| {
        by_moves(&world, case)?;
        moved.fetch_add(moves(&world).values().map(Vec::len).sum(), Ordering::Relaxed);
        Ok(())
    });
    assert!(moved.into_inner() > 0);
}
