//! Conditions as they are written, checked: exactly one test each, and none that nothing can fulfil.

use serde_json::Value as Json;
use toml::{Spanned, Value};
use wildmatch::WildMatch;

use super::{
    check::Faults,
    condition::{Condition, Named, Test},
    document::{Attribute, Group, When},
};

pub(super) fn condition(when: &Spanned<When>, faults: &mut Faults<'_>) -> Option<Condition> {
    match read(when.get_ref(), faults) {
        Ok(condition) => condition,
        Err(what) => {
            faults.at(when.span(), what);
            None
        }
    }
}

/// `Ok(None)` when what is wrong was told already, further inside.
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
        return Err("an empty list of conditions: name some, or leave the rule out".to_owned());
    }
    // All of them are looked at, so that all that is wrong is told.
    let read: Vec<Option<Condition>> = some.iter().map(|one| condition(one, faults)).collect();
    Ok(read.into_iter().collect())
}

fn role(role: &Value) -> Result<Condition, String> {
    let slugs = match role {
        Value::String(slug) => Some(vec![slug.clone()]),
        Value::Array(slugs) => slugs.iter().map(|slug| slug.as_str().map(str::to_owned)).collect(),
        _ => None,
    };
    let slugs = slugs.filter(|slugs| !slugs.is_empty()).ok_or("role is a slug, or a list of some")?;
    slugs.iter().try_for_each(|slug| possible(slug, "role"))?;
    Ok(Condition::Role(slugs))
}

fn group(group: &Group) -> Result<Condition, String> {
    let is = match group {
        Group { id: Some(id), name: None, pattern: None, .. } => {
            Named::Id(possible(id, "id").map(|()| id.clone())?)
        }
        Group { id: None, name: Some(name), pattern: None, .. } => {
            Named::Name(possible(name, "name").map(|()| name.clone())?)
        }
        Group { id: None, name: None, pattern: Some(pattern), .. } => Named::Pattern(self::pattern(pattern)?),
        _ => return Err("group has exactly one of id, name, pattern".to_owned()),
    };
    Ok(Condition::Group { is, directory: group.directory.clone() })
}

fn attribute(attribute: &Attribute) -> Result<Condition, String> {
    let path: Vec<String> = attribute.path.split('.').map(str::to_owned).collect();
    if path.iter().any(String::is_empty) {
        return Err(format!("path is {:?}: write the keys, joined by dots", attribute.path));
    }
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

fn scalar(value: &Value) -> Result<Json, String> {
    match value {
        Value::String(text) => Ok(Json::from(text.as_str())),
        Value::Integer(number) => Ok(Json::from(*number)),
        Value::Float(number) if number.is_finite() => Ok(Json::from(*number)),
        Value::Boolean(boolean) => Ok(Json::from(*boolean)),
        Value::Float(_) | Value::Datetime(_) | Value::Array(_) | Value::Table(_) => {
            Err("a value is a text, a number, or true or false".to_owned())
        }
    }
}

/// `*` is any text, `?` any one character.
fn pattern(text: &str) -> Result<WildMatch, String> {
    possible(text, "pattern")?;
    Ok(WildMatch::new(text))
}

/// Names from directories come trimmed and are never empty.
fn possible(text: &str, what: &str) -> Result<(), String> {
    if text.is_empty() || text.trim() != text {
        return Err(format!(
            "{what} is {text:?}, which nothing can match: names are not empty, nor begin or end with a space"
        ));
    }
    Ok(())
}
