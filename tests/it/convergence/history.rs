//! Histories of events as a broker might send them, and worse. There are few ids and few seconds, so that entities,
//! tenants and times collide. Everything is small numbers, so that a failing history shrinks to the important events.

mod event;
mod shape;

use event::{Event, event};
use proptest::{prelude::*, strategy::Union};
use rosterd::{
    apply::Batch,
    decide::{
        DirectoryDeleted, People, Rules, Tenancy,
        mapping::{Mapping, check},
    },
};
use serde_json::Value;
use shape::{ORDINARY, SHAPES, Shape};

use super::{mapped::Mapped, trial::Trial};

/// One event in the broker's form.
pub fn a_body() -> BoxedStrategy<Value> {
    (event(ORDINARY), 0..1_000_usize).prop_map(|(event, place)| event.render(place)).boxed()
}

/// A set of events, and how it is delivered.
#[derive(Clone, Debug)]
pub struct Case {
    single: bool,
    /// In the order of delivery. Each event is drawn independently, so every permutation is equally likely.
    events: Vec<Event>,
    /// The tenant whose people keep access when their directory is deleted.
    keeps_people: Option<&'static str>,
    pub mapped: Option<Mapped>,
    /// The limits of an applier's batches.
    pub batch: Batch,
}

pub fn case() -> BoxedStrategy<Case> {
    Union::new_weighted(SHAPES.map(|(weight, shape)| (weight, shaped(shape))).into()).boxed()
}

fn shaped(shape: Shape) -> BoxedStrategy<Case> {
    let events = prop::collection::vec(event(shape), 1..shape.length);
    let keeps_people = prop_oneof![4 => Just(None), 1 => Just(Some("o0")), 1 => Just(Some("default"))];
    // A history's directories are small, so the steps must be small, too.
    let batch = (prop_oneof![1..8_usize, Just(1_000)], prop_oneof![1..4_usize, Just(500)])
        .prop_map(|(deliveries, entities)| Batch { deliveries, entities, ..Batch::default() });
    let mapped = prop_oneof![
        2 => Just(None), 1 => Just(Some(Mapped::Generous)), 1 => Just(Some(Mapped::Strict)),
    ];
    (prop::bool::weighted(shape.single), events, keeps_people, batch, mapped)
        .prop_map(|(single, events, keeps_people, batch, mapped)| Case {
            single,
            events,
            keeps_people,
            batch,
            mapped,
        })
        .boxed()
}

impl Case {
    pub fn rules(&self) -> Rules {
        let keep = |tenant: &str| (tenant.to_owned(), People::Keep);
        let directory_deleted = DirectoryDeleted {
            otherwise: People::Deprovision,
            of_tenant: self.keeps_people.map(keep).into_iter().collect(),
        };
        let tenancy = if self.single { Tenancy::Single } else { Tenancy::Multi };
        let mapping = match self.mapped {
            Some(mapped) => check(&mapped.document()).unwrap().as_version(1),
            None => Mapping::built_in(),
        };
        Rules { tenancy, directory_deleted, mapping: mapping.into(), ..Rules::default() }
    }

    /// Each event once.
    pub fn events(&self) -> Vec<Value> {
        self.events.iter().enumerate().map(|(place, event)| event.render(place)).collect()
    }

    /// The deliveries between two drains, in order, with repetitions.
    pub fn deliveries(&self) -> Vec<Vec<Value>> {
        let bodies = self.events();
        let mut order = Vec::new();
        for (place, event) in self.events.iter().enumerate() {
            order.push((place, 0, place));
            order.extend(event.again.map(|later| (place + usize::from(later), 1, place)));
        }
        order.sort_unstable();
        let mut parts = vec![Vec::new()];
        for (_, _, place) in order {
            parts.last_mut().unwrap().push(bodies[place].clone());
            if !self.events[place].more {
                parts.push(Vec::new());
            }
        }
        parts.retain(|part| !part.is_empty());
        parts
    }
}

impl Trial for Case {
    /// The deliveries of each drain, as JSON that can be sent again.
    fn describe(&self) -> String {
        let lines = |part: &Vec<Value>| part.iter().map(|event| format!("{event}\n")).collect::<String>();
        let parts: Vec<String> = self.deliveries().iter().map(lines).collect();
        let Self { single, keeps_people, mapped, batch, .. } = self;
        format!(
            "single {single}, keeps {keeps_people:?}, {mapped:?}, {batch:?}, applied after each part:\n{}",
            parts.join("--\n")
        )
    }

    /// Cases in which one event is left out.
    fn smaller(&self) -> Vec<Self> {
        let without = |place| {
            let mut smaller = self.clone();
            smaller.events.remove(place);
            smaller
        };
        (0..self.events.len()).map(without).collect()
    }
}
