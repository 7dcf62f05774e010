//! Names of attributes in filters, paths and parameters: `userName`, `name.givenName`, `emails.value`, or with the URN
//! of a schema before them.

use serde_json::{Map, Value};

use super::schema::{Attribute, ENTERPRISE, ResourceType, Schema};

/// Older URNs of the core schemas begin with one of these.
const OLD_CORE: [&str; 2] = ["urn:scim:schemas:core:", "urn:ietf:params:scim:schemas:core:1."];
/// Older URNs of the enterprise extension begin with this.
const OLD_ENTERPRISE: &str = "urn:scim:schemas:extension:enterprise:";

/// The place of an attribute in a resource.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Name {
    /// The URN of the extension; `None` for core and common attributes.
    pub urn: Option<String>,
    /// The attribute.
    pub attribute: String,
    /// The sub-attribute.
    pub sub: Option<String>,
}

/// The thing that a name denotes.
#[derive(Clone, Debug)]
pub enum Named<'a> {
    /// A declared attribute, and the sub-attribute if the name has one.
    Attribute(Name, &'a Attribute, Option<&'a Attribute>),
    /// A whole extension, by its URN.
    Extension(String),
    /// An attribute of an extension that is not declared.
    Undeclared(Name),
}

/// Finds the thing that `text` denotes; `None` if the schema has no such thing.
pub fn resolve<'a>(of: &'a ResourceType, text: &str) -> Option<Named<'a>> {
    if !is_urn(text) {
        let (attribute, sub) = divided(text);
        return declared(None, of.attribute(attribute)?, sub);
    }
    if let Some(schema) = extension(of, text) {
        return Some(Named::Extension(schema.urn.clone()));
    }
    let (urn, rest) = text.rsplit_once(':').filter(|(_, rest)| !rest.is_empty())?;
    let (attribute, sub) = divided(rest);
    if is_core(of, urn) {
        return declared(None, of.attribute(attribute)?, sub);
    }
    if let Some(schema) = extension(of, urn) {
        return declared(Some(schema.urn.clone()), schema.attribute(attribute)?, sub);
    }
    let name =
        Name { urn: Some(urn.to_owned()), attribute: attribute.to_owned(), sub: sub.map(str::to_owned) };
    is_word(attribute).then_some(Named::Undeclared(name))
}

fn declared<'a>(urn: Option<String>, attribute: &'a Attribute, sub: Option<&str>) -> Option<Named<'a>> {
    let sub = match sub {
        Some(sub) => Some(attribute.sub(sub)?),
        None => None,
    };
    let name = Name { urn, attribute: attribute.name.clone(), sub: sub.map(|sub| sub.name.clone()) };
    Some(Named::Attribute(name, attribute, sub))
}

/// Whether it begins as URNs do.
pub fn is_urn(text: &str) -> bool {
    text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("urn:")) || text.contains("://")
}

/// Whether it is a URN of the core schema, also an older one.
pub fn is_core(of: &ResourceType, urn: &str) -> bool {
    let folded = urn.to_ascii_lowercase();
    of.core.urn.eq_ignore_ascii_case(urn) || OLD_CORE.iter().any(|old| folded.starts_with(old))
}

/// The declared extension with this URN, also an older one.
pub fn extension<'a>(of: &'a ResourceType, urn: &str) -> Option<&'a Schema> {
    let is_old = urn.to_ascii_lowercase().starts_with(OLD_ENTERPRISE);
    of.extension(if is_old { ENTERPRISE } else { urn })
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '$'))
}

fn divided(text: &str) -> (&str, Option<&str>) {
    text.split_once('.').map_or((text, None), |(attribute, sub)| (attribute, Some(sub)))
}

impl Name {
    /// A core attribute.
    pub fn core(attribute: &str) -> Self {
        Self { urn: None, attribute: attribute.to_owned(), sub: None }
    }

    /// The value of the attribute, without regard to the sub-attribute.
    pub fn value<'a>(&self, resource: &'a Map<String, Value>) -> Option<&'a Value> {
        match &self.urn {
            None => resource.get(&self.attribute),
            Some(urn) => resource.get(urn)?.get(&self.attribute),
        }
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(urn) = &self.urn {
            write!(f, "{urn}:")?;
        }
        f.write_str(&self.attribute)?;
        match &self.sub {
            Some(sub) => write!(f, ".{sub}"),
            None => Ok(()),
        }
    }
}

/// The value under a key of an object, without regard to the case of ASCII letters.
pub fn get<'a>(object: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    object.get(key).or_else(|| object.iter().find(|(k, _)| k.eq_ignore_ascii_case(key)).map(|(_, v)| v))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> String {
        match resolve(ResourceType::user(), text) {
            Some(Named::Attribute(name, ..)) => name.to_string(),
            Some(Named::Extension(urn)) => format!("[{urn}]"),
            Some(Named::Undeclared(name)) => format!("?{name}"),
            None => "-".to_owned(),
        }
    }

    #[test]
    fn names_are_found_without_regard_to_case_and_with_the_urns_of_their_schemas() {
        assert_eq!(name("USERNAME"), "userName");
        assert_eq!(name("name.givenname"), "name.givenName");
        assert_eq!(name("meta.lastModified"), "meta.lastModified");
        assert_eq!(name("urn:ietf:params:scim:schemas:core:2.0:User:userName"), "userName");
        assert_eq!(name("URN:IETF:params:scim:schemas:core:2.0:user:name.familyName"), "name.familyName");
        assert_eq!(name("urn:scim:schemas:core:1.0:userName"), "userName");
        assert_eq!(name(&format!("{ENTERPRISE}:Department")), format!("{ENTERPRISE}:department"));
        assert_eq!(name(&format!("{ENTERPRISE}:manager.value")), format!("{ENTERPRISE}:manager.value"));
        assert_eq!(name(&ENTERPRISE.to_lowercase()), format!("[{ENTERPRISE}]"));
        assert_eq!(name("urn:acme:2.0:User:badge"), "?urn:acme:2.0:User:badge");
        for unknown in ["badge", "name.badge", "a.b.c", "", "urn:", &format!("{ENTERPRISE}:badge")] {
            assert_eq!(name(unknown), "-", "{unknown}");
        }
    }
}
