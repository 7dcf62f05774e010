//! Values for templates; pure. Names and ids come from outside and are [`Clean`]; other values are rosterd's own.

use std::fmt;

use askama::Template;

use super::{
    TenantNames,
    clean::{self, Clean},
};
use crate::config::Product;
use crate::runtime::clock::Timestamp;

/// The highest number of listed roles of one person.
const MOST_ROLES: usize = 10;

/// A number with the right word: `{{ left.of("person", "people") }}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Count(pub(super) usize);

impl Count {
    pub(super) fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The singular or the plural: `{{ left.word("has", "have") }}`.
    pub(super) fn word<'a>(self, one: &'a str, many: &'a str) -> &'a str {
        if self.0 == 1 { one } else { many }
    }

    /// `1 person`, `49,950 people`.
    pub(super) fn of(self, one: &str, many: &str) -> String {
        format!("{self} {}", self.word(one, many))
    }
}

impl From<i64> for Count {
    fn from(number: i64) -> Self {
        Self(usize::try_from(number).unwrap_or(0))
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

/// A tenant with the names that its administrators know.
pub(super) struct Organization {
    /// Its name, or its id.
    pub(super) name: Clean,
    pub(super) id: Clean,
    /// The name of the application, and nothing if no name is set.
    pub(super) product: Option<Clean>,
    /// Whom to ask: the team that runs the application, with its contact.
    pub(super) team: Clean,
}

impl Organization {
    /// `org_01ACME, inbox 42`: the operator finds all details with it (docs/operations.md).
    pub(super) fn reference(&self, within: Option<String>) -> Clean {
        Clean::own(within.map_or_else(|| self.id.to_string(), |within| format!("{}, {within}", self.id)))
    }
}

impl fmt::Display for Organization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.id == self.name { write!(f, "{}", self.id) } else { write!(f, "{} ({})", self.name, self.id) }
    }
}

impl TenantNames {
    pub(super) fn shown(&self, product: &Product) -> Organization {
        let id = clean::name(&self.id, 64);
        let name = self.name.as_deref().map(|name| clean::name(name, 80)).filter(|name| !name.is_empty());
        Organization {
            name: name.unwrap_or_else(|| id.clone()),
            id,
            product: product.name.as_ref().map(|_| product.application()),
            team: product.team(),
        }
    }

    pub(super) fn directory(&self, id: &str) -> Named {
        Named::new(self.directories.get(id).map(String::as_str))
    }
}

/// A blank and a name in quotation marks, or an empty text without a name: `the directory{{ directory }}`.
pub(super) struct Named(Option<Clean>);

impl Named {
    pub(super) fn new(name: Option<&str>) -> Self {
        Self(name.map(|name| clean::name(name, 80)).filter(|name| !name.is_empty()))
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|name| write!(f, " \"{name}\""))
    }
}

/// The name of a directory, or its id.
pub(super) fn title(name: Option<&str>, id: &str) -> Clean {
    let name = name.map(|name| clean::name(name, 80)).filter(|name| !name.is_empty());
    name.unwrap_or_else(|| clean::name(id, 64))
}

/// A person's name and address.
pub(super) struct Person {
    pub(super) title: Title,
    /// Empty if it is the title or unknown.
    pub(super) address: Clean,
}

#[derive(Template)]
#[template(path = "mail/person.txt")]
pub(super) struct Title {
    name: Clean,
}

impl Person {
    pub(super) fn new(name: Option<&str>, email: Option<&str>) -> Self {
        // Many directories send the address as the name.
        let name =
            name.filter(|name| email.is_none_or(|email| !name.trim().eq_ignore_ascii_case(email.trim())));
        let name = name.map(|text| clean::name(text, 80)).unwrap_or_default();
        let address = email.map(clean::email).unwrap_or_default();
        match name.is_empty() {
            true => Self { title: Title { name: address }, address: Clean::default() },
            false => Self { title: Title { name }, address },
        }
    }
}

pub(super) fn role(slug: &str) -> Clean {
    clean::name(slug, 60)
}

/// The first roles of a person, and the number of the others.
#[derive(Template)]
#[template(path = "mail/roles.txt")]
pub(super) struct Roles {
    first: Vec<Clean>,
    more: Count,
}

impl Roles {
    pub(super) fn new(slugs: &[String]) -> Self {
        let first: Vec<Clean> = slugs.iter().take(MOST_ROLES).map(|slug| role(slug)).collect();
        Self { more: Count(slugs.len() - first.len()), first }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_empty()
    }
}

pub(super) fn time(at: Timestamp) -> Clean {
    Clean::own(at.to_utc().format("%Y-%m-%d %H:%M:%S UTC").to_string())
}

pub(super) fn micros(micros: i64) -> Clean {
    time(Timestamp::from_micros(micros))
}

pub(super) fn day(at: Timestamp) -> Clean {
    Clean::own(at.to_utc().format("%Y-%m-%d").to_string())
}

/// The number of items that are not in the mail.
pub(super) fn rest(total: usize, named: usize) -> Count {
    Count(total.saturating_sub(named))
}
