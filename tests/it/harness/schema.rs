//! JSON Schema, as far as the documentation uses it. Each member of an object must be named, and each named one that is required
//! must be there.

use std::collections::BTreeSet;

use serde_json::Value;

/// Compares a value with a schema of `docs/`.
pub fn assert_fits(file: &str, value: &Value) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(file);
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    fits(&schema, &schema, value, file);
}

fn fits(root: &Value, schema: &Value, value: &Value, at: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        return fits(root, root.pointer(reference.trim_start_matches('#')).unwrap(), value, at);
    }
    // An empty schema allows everything.
    if schema.as_object().is_some_and(serde_json::Map::is_empty) {
        return;
    }
    let is = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let allowed = match &schema["type"] {
        Value::Array(types) => types.iter().any(|one| one == is),
        one => one == is,
    };
    assert!(allowed, "{at} is {is}, and not {}", schema["type"]);
    if schema["format"] == "date-time" && is == "string" {
        let time = value.as_str().unwrap();
        assert!(rosterd::runtime::clock::Timestamp::parse(time).is_some(), "{at} is no time: {time}");
    }
    for (n, item) in value.as_array().into_iter().flatten().enumerate() {
        fits(root, &schema["items"], item, &format!("{at}[{n}]"));
    }
    let Some(members) = value.as_object() else { return };
    if schema["additionalProperties"].is_object() {
        let each = &schema["additionalProperties"];
        return members.iter().for_each(|(name, member)| fits(root, each, member, &format!("{at}.{name}")));
    }
    let properties = schema["properties"].as_object().unwrap();
    let required = schema["required"].as_array().unwrap();
    let names: BTreeSet<&str> = members.keys().map(String::as_str).collect();
    for name in required.iter().map(|name| name.as_str().unwrap()) {
        assert!(names.contains(name), "{at} has no {name}: {names:?}");
    }
    for (name, member) in members {
        let schema = properties.get(name).unwrap_or_else(|| panic!("{at}.{name} is not in the schema"));
        fits(root, schema, member, &format!("{at}.{name}"));
    }
}
