//! Two mappings for histories, and an independent implementation of their rules.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

/// The broker's slugs pass, except for two. A user without a role is a guest.
pub const GENEROUS: &str = r#"
unknown_roles = "create"
unmapped = { role = "guest" }
never_from_directory = ["billing"]
[roles.guest]
[roles.billing]
[roles.admin]
privileged = true
[roles.boss]
[roles.editor]
[roles.local]
[[rules]]
name = "ops"
grants = ["admin"]
when.group.name = "Group 1"
[[rules]]
name = "eng"
grants = ["editor"]
when.all = [{ group.pattern = "Group ?" }, { attribute = { path = "look", equals = 0 } }]
[[rules]]
name = "here"
grants = ["local"]
when.group = { pattern = "*", directory = "d0" }
[[rules]]
name = "bosses"
grants = ["boss"]
when.role = "admin"
"#;

/// The same rules. Nothing else grants a role, and nobody has access without one.
pub fn strict() -> String {
    GENEROUS
        .replace("unknown_roles = \"create\"", "unknown_roles = \"ignore\"")
        .replace("unmapped = { role = \"guest\" }", "unmapped = \"no_access\"")
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mapped {
    Generous,
    Strict,
}

impl Mapped {
    pub fn document(self) -> String {
        match self {
            Self::Generous => GENEROUS.to_owned(),
            Self::Strict => strict(),
        }
    }

    /// The slugs of a tenant's roles, when its events named `mentioned`.
    pub fn listed<'a>(self, mentioned: impl Iterator<Item = &'a str>) -> BTreeSet<&'a str> {
        let declared = ["guest", "billing", "admin", "boss", "editor", "local"];
        let mentioned = mentioned.filter(|slug| self == Self::Generous && *slug != "admin");
        declared.into_iter().chain(mentioned).collect()
    }

    /// Role → the reason, and its time if that is not the time of the latest fact about the user. `groups` are (id,
    /// name, directory, since).
    pub fn grants(
        self,
        user: &Value,
        slugs: &BTreeSet<&str>,
        groups: &BTreeSet<(&str, &str, &str, &str)>,
    ) -> BTreeMap<String, (String, Option<String>)> {
        let mut grants = BTreeMap::new();
        let of = |(id, name, _, since): &(&str, &str, &str, &str)| {
            (format!("group {name} ({id})"), Some((*since).to_owned()))
        };
        if let Some((fact, since)) = groups.iter().find(|group| group.1 == "Group 1").map(of) {
            grants.insert("admin".to_owned(), (format!("rule ops: {fact}"), since));
        }
        if let Some((fact, since)) =
            groups.first().map(of).filter(|_| user["custom_attributes"]["look"] == json!(0))
        {
            grants.insert("editor".to_owned(), (format!("rule eng: {fact}, look = 0"), since));
        }
        if let Some((fact, since)) = groups.iter().find(|group| group.2 == "d0").map(of) {
            grants.insert("local".to_owned(), (format!("rule here: {fact}"), since));
        }
        for slug in slugs {
            match (*slug, self) {
                ("admin", _) => {
                    grants.insert("boss".to_owned(), ("rule bosses: role admin".to_owned(), None));
                }
                ("billing", _) | (_, Self::Strict) => {}
                (slug, Self::Generous) => {
                    grants.insert(slug.to_owned(), ("broker role".to_owned(), None));
                }
            }
        }
        if grants.is_empty() && self == Self::Generous {
            grants.insert("guest".to_owned(), ("default role: nothing else is granted".to_owned(), None));
        }
        grants
    }
}
