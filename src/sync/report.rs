//! The result of a comparison, for people, programs and the record.

use serde::{Serialize, Serializer};

use crate::runtime::clock::Timestamp;

/// The number of differences that are listed in full. Further ones are only counted.
pub const MOST_NAMED: usize = 10_000;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    pub tenant_id: String,
    pub directory_id: String,
    /// Whether absence from the lists proves absence from the directory.
    pub complete: bool,
    /// The reason when it does not.
    pub reason: Option<String>,
    /// The time at which the lists are true, by the broker's clock.
    #[serde(serialize_with = "as_text")]
    pub compared_at: Option<Timestamp>,
    pub people: u64,
    pub groups: u64,
    pub memberships: u64,
    pub differences: Vec<Difference>,
    /// All differences, even those that are not listed.
    #[serde(skip)]
    pub found: u64,
    #[serde(skip)]
    pub healed: u64,
    #[serde(skip)]
    pub held: u64,
}

/// As all lists print times.
fn as_text<S: Serializer>(at: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
    at.map(|at| at.to_string()).serialize(to)
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// `organization`, `directory`, `user`, `group`, `membership`.
    pub kind: &'static str,
    pub id: String,
    /// The state in the tables and the state in the lists.
    pub tables: String,
    pub broker: String,
    /// Why they differ, with the time of the missed event.
    pub cause: String,
    pub done: Done,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Done {
    Healed,
    Held,
    None,
}

impl Done {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Healed => "healed",
            Self::Held => "held",
            Self::None => "none",
        }
    }
}

impl Report {
    pub fn of(tenant_id: &str, directory_id: &str) -> Self {
        Self {
            tenant_id: tenant_id.to_owned(),
            directory_id: directory_id.to_owned(),
            complete: true,
            reason: None,
            compared_at: None,
            people: 0,
            groups: 0,
            memberships: 0,
            differences: Vec::new(),
            found: 0,
            healed: 0,
            held: 0,
        }
    }

    /// The first reason is reported.
    pub fn doubt(&mut self, reason: impl Into<String>) {
        self.complete = false;
        self.reason.get_or_insert(reason.into());
    }

    pub fn add(&mut self, difference: Difference) {
        self.found += 1;
        match difference.done {
            Done::Healed => self.healed += 1,
            Done::Held => self.held += 1,
            Done::None => {}
        }
        if self.differences.len() < MOST_NAMED {
            self.differences.push(difference);
        }
    }
}
