//! Checks written conditions: each has exactly one test, and none is impossible.

use serde_json::{Number, Value as Json};
use toml::{Spanned, Value};
use wildmatch::WildMatch;

use super::{
    check::Faults,
    condition::{Condition, GroupSelector, Test},
    document::{Attribute, AttributePath, Group, When},
};
use crate::decide::json_number::canonical;

pub(super) fn condition(when: &Spanned<When>, faults: &mut Faults<'_>) -> Option<Condition> {
    match read(when.get_ref(), faults) {
        Ok(condition) => condition,
        Err(what) => {
            faults.at(when.span(), what);
            None
        }
    }
}

/// `Ok(None)` if the fault is inside it and was recorded there.
fn read(when: &When, faults: &mut Faults<'_>) -> Result<Option<Condition>, String> {
    match when {
        When { role: Some(role), group: None, attribute: None, all: None, any: None, not: None } => {
            self::role(role).map(Some)
        }
        When { role: None, group: Some(group), attribute: None, all: None, any: None, not: None } => {
            self::group(group).map(Some)
        }
        When { role: None, group: None, attribute: Some(attribute), all: None, any: None, not: None } => {
            self::attribute(attribute).map(Some)
        }
        When { role: None, group: None, attribute: None, all: Some(all), any: None, not: None } => {
            Ok(several(all, faults)?.map(Condition::All))
        }
        When { role: None, group: None, attribute: None, all: None, any: Some(any), not: None } => {
            Ok(several(any, faults)?.map(Condition::Any))
        }
        When { role: None, group: None, attribute: None, all: None, any: None, not: Some(not) } => {
            Ok(condition(not, faults).map(|not| Condition::Not(Box::new(not))))
        }
        _ => Err(
            "when has exactly one of role, group, attribute, all, any, not: join several with all = [ … ] \
                  or any = [ … ]"
                .to_owned(),
        ),
    }
}

fn several(some: &[Spanned<When>], faults: &mut Faults<'_>) -> Result<Option<Vec<Condition>>, String> {
    if some.is_empty() {
        return Err("the list of conditions is empty: write some, or remove the rule".to_owned());
    }
    // All conditions are read, so that all faults are recorded.
    let read: Vec<Option<Condition>> = some.iter().map(|one| condition(one, faults)).collect();
    Ok(read.into_iter().collect())
}

fn role(role: &Value) -> Result<Condition, String> {
    let slugs = match role {
        Value::String(slug) => Some(vec![slug.clone()]),
        Value::Array(slugs) => slugs.iter().map(|slug| slug.as_str().map(str::to_owned)).collect(),
        _ => None,
    };
    let slugs = slugs.filter(|slugs| !slugs.is_empty()).ok_or("role is a slug or a list of slugs")?;
    slugs.iter().try_for_each(|slug| possible(slug, "role"))?;
    Ok(Condition::Role(slugs))
}

fn group(group: &Group) -> Result<Condition, String> {
    let is = match group {
        Group { id: Some(id), name: None, pattern: None, .. } => {
            GroupSelector::Id(possible(id, "id").map(|()| id.clone())?)
        }
        Group { id: None, name: Some(name), pattern: None, .. } => {
            GroupSelector::Name(possible(name, "name").map(|()| name.clone())?)
        }
        Group { id: None, name: None, pattern: Some(pattern), .. } => {
            GroupSelector::Pattern(self::pattern(pattern)?)
        }
        _ => return Err("group has exactly one of id, name, pattern".to_owned()),
    };
    Ok(Condition::Group { is, directory: group.directory.clone() })
}

fn attribute(attribute: &Attribute) -> Result<Condition, String> {
    let path = path(&attribute.path)?;
    let test = match attribute {
        Attribute { equals: Some(value), one_of: None, pattern: None, contains: None, .. } => {
            Test::OneOf(vec![scalar(value)?])
        }
        Attribute { equals: None, one_of: Some(values), pattern: None, contains: None, .. } => {
            if values.is_empty() {
                return Err("one_of is empty, so nothing can match: name some values".to_owned());
            }
            Test::OneOf(values.iter().map(scalar).collect::<Result<_, _>>()?)
        }
        Attribute { equals: None, one_of: None, pattern: Some(pattern), contains: None, .. } => {
            Test::Pattern(self::pattern(pattern)?)
        }
        Attribute { equals: None, one_of: None, pattern: None, contains: Some(value), .. } => {
            Test::Contains(scalar(value)?)
        }
        _ => {
            return Err(
                "attribute has a path and exactly one of equals, one_of, pattern, contains".to_owned()
            );
        }
    };
    Ok(Condition::Attribute { path, test })
}

/// The keys from the top of `custom_attributes` inwards.
fn path(path: &AttributePath) -> Result<Vec<String>, String> {
    let keys: Vec<String> = match path {
        AttributePath::Dotted(text) if text.to_ascii_lowercase().starts_with("urn:") => {
            return Err(format!(
                "path is {text:?}, which nothing can match: the dots of a URN belong to its key. Write the keys as a list, \
                 as in path = [\"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User\", \"department\"]"
            ));
        }
        AttributePath::Dotted(text) => text.split('.').map(str::to_owned).collect(),
        AttributePath::Keys(keys) => keys.clone(),
    };
    if keys.is_empty() || keys.iter().any(String::is_empty) {
        return Err("path is the keys joined by dots, or a list of keys; none of them is empty".to_owned());
    }
    Ok(keys)
}

fn scalar(value: &Value) -> Result<Json, String> {
    match value {
        Value::String(text) => Ok(Json::from(text.as_str())),
        Value::Integer(number) => Ok(Json::from(*number)),
        // In the form of stored attributes, so that 3 and 3.0 are one number.
        Value::Float(number) if number.is_finite() => Number::from_f64(*number)
            .and_then(|number| canonical(&number))
            .map(Json::Number)
            .ok_or_else(|| format!("the number {number} has more than 400 digits")),
        Value::Boolean(boolean) => Ok(Json::from(*boolean)),
        Value::Float(_) | Value::Datetime(_) | Value::Array(_) | Value::Table(_) => {
            Err("a value is a text, a number, or true or false".to_owned())
        }
    }
}

/// A pattern: `*` is any text, `?` is any one character.
fn pattern(text: &str) -> Result<WildMatch, String> {
    possible(text, "pattern")?;
    Ok(WildMatch::new(text))
}

/// Names from directories are trimmed and never empty, so other texts cannot match.
fn possible(text: &str, what: &str) -> Result<(), String> {
    if text.is_empty() || text.trim() != text {
        return Err(format!(
            "{what} is {text:?}, which nothing can match: names are not empty and do not begin or end with a space"
        ));
    }
    Ok(())
}
