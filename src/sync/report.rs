//! What a comparison found: for people to read, for programs, and for the record.

use serde::Serialize;

use crate::runtime::clock::Timestamp;

/// Differences that are kept in full; more of them are counted only.
pub const MOST_NAMED: usize = 10_000;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    pub tenant_id: String,
    pub directory_id: String,
    /// Whether what is absent from the lists is absent from the directory.
    pub complete: bool,
    /// Why not.
    pub reason: Option<String>,
    /// The instant that the lists stand for, by the broker's clock.
    pub compared_at: Option<Timestamp>,
    pub people: u64,
    pub groups: u64,
    pub memberships: u64,
    pub differences: Vec<Difference>,
    /// Counted where there are too many to name.
    #[serde(skip)]
    pub found: u64,
    #[serde(skip)]
    pub healed: u64,
    #[serde(skip)]
    pub held: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// `organization`, `directory`, `user`, `group`, `membership`.
    pub kind: &'static str,
    pub id: String,
    /// What the tables said, and what the broker says.
    pub tables: String,
    pub broker: String,
    /// Why they differ, with the time of what was missed.
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

    /// The first reason is told.
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
