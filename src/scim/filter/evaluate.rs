//! Whether a resource satisfies a filter. Pure, and never fails.

use std::cmp::Ordering;

use serde_json::{Map, Number, Value};

use super::{Filter, Literal, Operator, Place, instant};
use crate::scim::{name::get, resource::is_unassigned, schema::Kind};

/// Whether the resource satisfies the filter.
pub fn matches(filter: &Filter, resource: &Map<String, Value>) -> bool {
    match filter {
        Filter::And(parts) => parts.iter().all(|part| matches(part, resource)),
        Filter::Or(parts) => parts.iter().any(|part| matches(part, resource)),
        Filter::Not(part) => !matches(part, resource),
        Filter::Present(place) => values(place, resource).iter().any(|value| is_present(value)),
        Filter::Compare(place, operator, literal) => {
            compares(place, *operator, literal, &values(place, resource))
        }
        Filter::Any(place, inner) => {
            let entries = place.name.value(resource).map(entries).unwrap_or_default();
            entries.iter().any(|entry| matches_value(inner, entry))
        }
    }
}

/// Whether one value of a list satisfies the condition of a value path.
pub fn matches_value(filter: &Filter, value: &Value) -> bool {
    match value {
        Value::Object(object) => matches(filter, object),
        _ => false,
    }
}

fn entries(value: &Value) -> &[Value] {
    match value {
        Value::Array(values) => values,
        value => std::slice::from_ref(value),
    }
}

/// The values at a place: of a list, each value's.
fn values<'a>(place: &Place, resource: &'a Map<String, Value>) -> Vec<&'a Value> {
    let Some(value) = place.name.value(resource).or_else(|| {
        // Undeclared parts of a resource are stored in the client's case.
        place.name.urn.is_none().then(|| get(resource, &place.name.attribute)).flatten()
    }) else {
        return Vec::new();
    };
    match &place.name.sub {
        None => entries(value).iter().collect(),
        Some(sub) => entries(value)
            .iter()
            .filter_map(|entry| entry.get(sub))
            .flat_map(|value| entries(value).iter())
            .collect(),
    }
}

fn is_present(value: &Value) -> bool {
    match value {
        // An object whose attributes are all unassigned is unassigned.
        Value::Object(object) => object.values().any(is_present),
        Value::Array(values) => values.iter().any(is_present),
        value => !is_unassigned(value),
    }
}

fn compares(place: &Place, operator: Operator, literal: &Literal, values: &[&Value]) -> bool {
    if *literal == Literal::Null {
        return values.iter().any(|value| is_present(value)) == (operator == Operator::Ne);
    }
    match operator {
        Operator::Ne => !compares(place, Operator::Eq, literal, values),
        operator => values.iter().any(|value| compares_one(place, operator, literal, value)),
    }
}

fn compares_one(place: &Place, operator: Operator, literal: &Literal, value: &Value) -> bool {
    match (literal, value) {
        (Literal::Text(literal), Value::String(value)) => {
            if place.kind == Kind::DateTime && !operator.searches() {
                let times = instant(value).zip(instant(literal));
                return times.is_some_and(|(value, literal)| ordered(operator, value.cmp(&literal)));
            }
            match place.case_exact {
                true => compares_text(operator, value, literal),
                false => compares_text(operator, &fold(value), &fold(literal)),
            }
        }
        (Literal::Boolean(literal), Value::Bool(value)) => literal == value,
        (Literal::Number(literal), Value::Number(value)) => ordered(operator, number_order(value, literal)),
        _ => false,
    }
}

fn compares_text(operator: Operator, value: &str, literal: &str) -> bool {
    match operator {
        Operator::Co => value.contains(literal),
        Operator::Sw => value.starts_with(literal),
        Operator::Ew => value.ends_with(literal),
        operator => ordered(operator, value.cmp(literal)),
    }
}

fn ordered(operator: Operator, order: Ordering) -> bool {
    match operator {
        Operator::Eq => order.is_eq(),
        Operator::Gt => order.is_gt(),
        Operator::Ge => order.is_ge(),
        Operator::Lt => order.is_lt(),
        Operator::Le => order.is_le(),
        Operator::Ne | Operator::Co | Operator::Sw | Operator::Ew => false,
    }
}

fn number_order(a: &Number, b: &Number) -> Ordering {
    match (a.as_i64(), b.as_i64()) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => a.as_f64().unwrap_or(f64::NAN).total_cmp(&b.as_f64().unwrap_or(f64::NAN)),
    }
}

/// The form in which texts are compared without regard to case.
pub fn fold(text: &str) -> String {
    text.to_lowercase()
}

/// The order of two values at a place, for sorting.
pub fn order(place: &Place, a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::String(a), Value::String(b)) => match place.kind {
            Kind::DateTime => instant(a).cmp(&instant(b)),
            _ if place.case_exact => a.cmp(b),
            _ => fold(a).cmp(&fold(b)),
        },
        (Value::Number(a), Value::Number(b)) => number_order(a, b),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        _ => Ordering::Equal,
    }
}
