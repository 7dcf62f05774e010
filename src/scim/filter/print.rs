//! A filter as text, with as few brackets as its meaning needs. What is printed reads back as the same filter.

use std::fmt::{self, Display, Formatter};

use serde_json::Value;

use super::{Filter, Literal};

impl Display for Filter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::And(parts) => list(f, parts, " and ", |part| matches!(part, Self::Or(_) | Self::And(_))),
            Self::Or(parts) => list(f, parts, " or ", |part| matches!(part, Self::Or(_))),
            Self::Not(part) => write!(f, "not ({part})"),
            Self::Present(place) => write!(f, "{} pr", place.name),
            Self::Compare(place, operator, literal) => {
                write!(f, "{} {} {literal}", place.name, operator.word())
            }
            Self::Any(place, inner) => write!(f, "{}[{inner}]", place.name),
        }
    }
}

fn list(
    f: &mut Formatter<'_>,
    parts: &[Filter],
    between: &str,
    needs_brackets: impl Fn(&Filter) -> bool,
) -> fmt::Result {
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            f.write_str(between)?;
        }
        match needs_brackets(part) {
            true => write!(f, "({part})")?,
            false => write!(f, "{part}")?,
        }
    }
    Ok(())
}

impl Display for Literal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{}", Value::String(text.clone())),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Null => f.write_str("null"),
        }
    }
}
