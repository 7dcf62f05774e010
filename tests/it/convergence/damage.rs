//! Damaged events: fields that are missing, replaced or added.

use proptest::{prelude::*, sample::Index};
use serde_json::Value;

use super::history::a_body;

const TEXTS: &[&str] = &["", " ", "\0", "active", "\u{feff}", "1e400", "[[[["];
const TIMES: &[&str] = &[
    "0000-00-00T00:00:00Z",
    "2026-01-01 00:00:03.5",
    "9999-12-31T23:59:59.999999999+14:00",
    "-262143-01-01T00:00:00Z",
];

/// Any JSON, and more often something that looks like a time, an id or a slug.
pub fn any_json() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        prop::sample::select(TEXTS).prop_map(Value::from),
        prop::sample::select(TIMES).prop_map(Value::from),
        (250..3_000_usize).prop_map(|length| "ö".repeat(length).into()),
    ];
    let parts = |json: BoxedStrategy<Value>| {
        prop_oneof![
            prop::collection::vec(json.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((any::<String>(), json), 0..4)
                .prop_map(|fields| fields.into_iter().collect()),
        ]
    };
    leaf.boxed().prop_recursive(4, 24, 4, parts).boxed()
}

#[derive(Clone, Debug)]
enum Damage {
    Replace(Value),
    Remove,
    Add(String, Value),
}

/// A correct event, and a few changes anywhere in it.
pub fn damaged() -> BoxedStrategy<Value> {
    let damage = prop_oneof![
        4 => any_json().prop_map(Damage::Replace),
        2 => Just(Damage::Remove),
        1 => (any::<String>(), any_json()).prop_map(|(field, value)| Damage::Add(field, value)),
    ];
    (a_body(), prop::collection::vec((any::<Index>(), damage), 1..4))
        .prop_map(|(mut body, damages)| {
            for (place, damage) in damages {
                spoil(&mut body, place, damage);
            }
            body
        })
        .boxed()
}

fn spoil(body: &mut Value, place: Index, damage: Damage) {
    let mut pointers = Vec::new();
    collect(body, String::new(), &mut pointers);
    let pointer = &pointers[place.index(pointers.len())];
    if let Damage::Replace(value) = damage {
        body.pointer_mut(pointer).into_iter().for_each(|old| old.clone_from(&value));
        return;
    }
    // The root has no parent, so it cannot be removed, and nothing can be added beside it. An added field may have any
    // name, with a pointer's slashes, too.
    let (parent, field) = pointer.rsplit_once('/').unwrap_or_default();
    let Some(Value::Object(fields)) = body.pointer_mut(parent) else { return };
    match damage {
        Damage::Add(field, value) => fields.insert(field, value),
        _ => fields.remove(field),
    };
}

fn collect(value: &Value, pointer: String, pointers: &mut Vec<String>) {
    for (field, value) in value.as_object().into_iter().flatten() {
        collect(value, format!("{pointer}/{field}"), pointers);
    }
    pointers.push(pointer);
}
