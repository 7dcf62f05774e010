//! Filters (RFC 7644 3.4.2.2): `userName eq "noor" and (active eq true or not (title pr))`.
//!
//! Reading a filter checks its names and values by the schema. So a filter that was read has a meaning for every resource,
//! and evaluation cannot fail. An unknown attribute is an error: to find everybody or nobody would both be wrong.

mod evaluate;
mod lexer;
mod parse;
mod print;
#[cfg(test)]
mod tests;

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use serde_json::Number;

use super::{name::Name, schema::Kind};

pub use evaluate::{fold, matches, matches_value, order};
pub use parse::{parse, parse_value_filter};

/// The longest filter, in bytes.
pub const LONGEST: usize = 8_192;
/// How deep groups may be nested.
pub const DEEPEST: usize = 32;

/// A condition on a resource.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// All of them are true.
    And(Vec<Filter>),
    /// One of them is true.
    Or(Vec<Filter>),
    /// It is not true.
    Not(Box<Filter>),
    /// The attribute has a value.
    Present(Place),
    /// A value of the attribute compares so with the literal.
    Compare(Place, Operator, Literal),
    /// One value of the list satisfies the whole condition, whose names are sub-attributes.
    Any(Place, Box<Filter>),
}

/// An attribute with the characteristics that a comparison needs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The attribute. In the condition of a value path it is the sub-attribute.
    pub name: Name,
    /// Its type.
    pub kind: Kind,
    /// Whether case counts.
    pub case_exact: bool,
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    /// Equal.
    Eq,
    /// Not equal: the opposite of `eq`, so also true for an unassigned attribute.
    Ne,
    /// Contains.
    Co,
    /// Starts with.
    Sw,
    /// Ends with.
    Ew,
    /// Greater than.
    Gt,
    /// Greater or equal.
    Ge,
    /// Less than.
    Lt,
    /// Less or equal.
    Le,
}

impl Operator {
    const ALL: [Self; 9] =
        [Self::Eq, Self::Ne, Self::Co, Self::Sw, Self::Ew, Self::Gt, Self::Ge, Self::Lt, Self::Le];

    /// As it is written.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Eq => "eq",
            Self::Ne => "ne",
            Self::Co => "co",
            Self::Sw => "sw",
            Self::Ew => "ew",
            Self::Gt => "gt",
            Self::Ge => "ge",
            Self::Lt => "lt",
            Self::Le => "le",
        }
    }

    fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operator| operator.word().eq_ignore_ascii_case(word))
    }

    /// Whether it orders values.
    pub const fn orders(self) -> bool {
        matches!(self, Self::Gt | Self::Ge | Self::Lt | Self::Le)
    }

    /// Whether it looks for a part of a text.
    pub const fn searches(self) -> bool {
        matches!(self, Self::Co | Self::Sw | Self::Ew)
    }
}

/// The value in a comparison. Its type agrees with the attribute's.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// A text, also for an instant.
    Text(String),
    /// True or false.
    Boolean(bool),
    /// A number.
    Number(Number),
    /// Unassigned.
    Null,
}

/// An instant in microseconds since 1970. A text without offset is UTC.
pub fn instant(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.timestamp_micros());
    }
    let naive = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f")
        .ok()
        .or_else(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0))?;
    Some(naive.and_utc().timestamp_micros())
}
