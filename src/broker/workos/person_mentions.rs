//! Where a body that is about somebody else names a person.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{lenient_json::mended, redact::ENVELOPE};

/// The texts by which a person is named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PersonNames {
    /// Ids and addresses: nobody else's.
    pub keys: BTreeSet<String>,
    /// Full names: others may have the same.
    pub full: BTreeSet<String>,
    /// Somebody else of the tenant has the same full name.
    pub shared: bool,
}

/// The mentions of a person in a body.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Mention {
    /// The body without what stands around its data, when the person is named there.
    pub body: Option<Vec<u8>>,
    /// The data names them: it is somebody else's, so it stays.
    pub in_data: bool,
    /// The body contains the person's full name, and it is unclear whether the person is meant.
    pub unclear: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Named {
    Nobody,
    Unclear,
    Person,
}

/// Fields that say who somebody is, in any object.
const IDENTITY: [&str; 7] = ["id", "idp_id", "user_id", "email", "username", "login", "sub"];

/// The person is named where one of the keys is a whole text, and where the `name` of an object around the data is the
/// full name and nothing in that object says that it is another person.
pub(in crate::broker) fn mention(body: &[u8], names: &PersonNames) -> Mention {
    let Some(mut event) = parsed(body) else { return Mention::default() };
    if let Some(data) = event.get_mut("data") {
        without_own_name(data, names);
    }
    let data = event.get("data").map_or(Named::Nobody, |data| named(data, names, Named::Unclear));
    let around = event.iter().filter(|(key, _)| !ENVELOPE.contains(&key.as_str()));
    let around = around.map(|(_, value)| named(value, names, Named::Person)).max().unwrap_or(Named::Nobody);
    let body = (around == Named::Person).then(|| without_surroundings(body)).flatten();
    Mention {
        body,
        in_data: data == Named::Person,
        unclear: data == Named::Unclear || around == Named::Unclear,
    }
}

fn parsed(body: &[u8]) -> Option<Map<String, Value>> {
    let event: Option<Value> = serde_json::from_slice(body).ok().or_else(|| Some(mended(body)?.value));
    match event? {
        Value::Object(event) => Some(event),
        _ => None,
    }
}

fn without_surroundings(body: &[u8]) -> Option<Vec<u8>> {
    let mut event = parsed(body)?;
    event.retain(|key, _| ENVELOPE.contains(&key.as_str()));
    serde_json::to_vec(&event).ok()
}

/// The name of the user or group whom the data is about is no mention of another.
fn without_own_name(data: &mut Value, names: &PersonNames) {
    let Some(fields) = data.as_object_mut() else { return };
    let is_own = |name: &Value| name.as_str().is_some_and(|name| names.full.contains(name));
    if fields.get("name").is_some_and(is_own) {
        fields.remove("name");
    }
    for part in ["user", "group"] {
        if let Some(part) = fields.get_mut(part) {
            without_own_name(part, names);
        }
    }
}

/// `by_name` is what an object is whose `name` is the full name and which nothing contradicts.
fn named(value: &Value, names: &PersonNames, by_name: Named) -> Named {
    match value {
        // Addresses are written in small and capital letters.
        Value::String(text) if names.keys.iter().any(|key| key.eq_ignore_ascii_case(text)) => Named::Person,
        Value::String(text) if names.full.contains(text) => Named::Unclear,
        Value::Array(values) => {
            values.iter().map(|value| named(value, names, by_name)).max().unwrap_or(Named::Nobody)
        }
        Value::Object(fields) => {
            let has_name =
                fields.get("name").and_then(Value::as_str).is_some_and(|name| names.full.contains(name));
            let whole = match has_name && !names.shared && !is_contradicted(fields, names) {
                true => by_name,
                false => Named::Nobody,
            };
            fields
                .values()
                .map(|value| named(value, names, by_name))
                .max()
                .unwrap_or(Named::Nobody)
                .max(whole)
        }
        _ => Named::Nobody,
    }
}

/// Another id or address than the person's may be another person's.
fn is_contradicted(fields: &Map<String, Value>, names: &PersonNames) -> bool {
    let says_other = |field: &str| match fields.get(field) {
        None | Some(Value::Null) => false,
        Some(value) => named(value, names, Named::Nobody) != Named::Person,
    };
    IDENTITY.iter().any(|field| says_other(field))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn names(shared: bool) -> PersonNames {
        let texts = |texts: [&str; 2]| texts.map(str::to_owned).into();
        PersonNames { keys: texts(["u1", "ada@acme.example"]), full: texts(["Ada Byron", "Ada B."]), shared }
    }

    #[derive(Debug, PartialEq, Eq)]
    enum Found {
        Nothing,
        /// The name is removed from the body.
        Removed,
        /// The data of somebody else contains the person's id or address.
        InData,
        /// The name may be another person's.
        Unclear,
    }

    fn found(event: &Value, shared: bool) -> Found {
        let mention = mention(event.to_string().as_bytes(), &names(shared));
        match (mention.body.is_some(), mention.in_data, mention.unclear) {
            (false, false, false) => Found::Nothing,
            (true, false, false) => Found::Removed,
            (false, true, false) => Found::InData,
            (false, false, true) => Found::Unclear,
            other => panic!("{other:?}"),
        }
    }

    fn actor(actor: Value) -> Value {
        json!({"id": "e1", "data": {"id": "u2", "name": "Grace"}, "context": {"actor": actor}})
    }

    #[test]
    fn a_full_name_alone_is_the_person_unless_something_in_the_object_contradicts() {
        assert_eq!(found(&actor(json!({"name": "Ada Byron"})), false), Found::Removed);
        assert_eq!(
            found(&actor(json!({"name": "Ada Byron", "id": null, "source": "api"})), false),
            Found::Removed
        );
        assert_eq!(
            found(&actor(json!({"name": "Ada B.", "email": "ADA@acme.example"})), false),
            Found::Removed
        );
        for field in IDENTITY {
            let other = actor(json!({"name": "Ada Byron", field: "other"}));
            assert_eq!(found(&other, false), Found::Unclear, "{field}");
        }
        assert_eq!(found(&actor(json!({"name": "Ada Byron"})), true), Found::Unclear, "two have that name");
        assert_eq!(found(&actor(json!({"by": "Ada Byron"})), false), Found::Unclear);
        assert_eq!(found(&actor(json!(["Ada Byron"])), false), Found::Unclear);
        assert_eq!(found(&actor(json!({"name": "ada byron"})), false), Found::Nothing);
        assert_eq!(found(&actor(json!({"name": "Ada"})), false), Found::Nothing);
    }

    #[test]
    fn the_data_of_somebody_else_is_never_rewritten_and_their_own_name_is_no_mention() {
        let event = |data: Value| json!({"id": "e1", "data": data});
        assert_eq!(found(&event(json!({"id": "u2", "name": "Ada Byron"})), false), Found::Nothing);
        assert_eq!(found(&event(json!({"user": {"id": "u2", "name": "Ada Byron"}})), false), Found::Nothing);
        assert_eq!(found(&event(json!({"group": {"name": "Ada Byron"}})), false), Found::Nothing);
        assert_eq!(
            found(&event(json!({"id": "u2", "manager": {"name": "Ada Byron"}})), false),
            Found::Unclear
        );
        assert_eq!(found(&event(json!({"user": {"manager": "Ada Byron"}})), false), Found::Unclear);
        assert_eq!(found(&event(json!({"id": "u2", "manager": "u1"})), false), Found::InData);
        assert_eq!(
            found(&event(json!({"id": "u2", "name": "Ada Byron", "manager": "u1"})), false),
            Found::InData
        );
    }

    #[test]
    fn the_rest_of_the_body_stays_as_it_is() {
        let event = with_name_in_data();
        let mention = mention(event.to_string().as_bytes(), &names(false));
        let body: Value = serde_json::from_slice(&mention.body.unwrap()).unwrap();
        assert_eq!(body, json!({"id": "e1", "data": {"id": "u2", "name": "Ada Byron"}}));
    }

    fn with_name_in_data() -> Value {
        json!({"id": "e1", "data": {"id": "u2", "name": "Ada Byron"}, "context": {"actor": {"name": "Ada Byron"}}})
    }
}
