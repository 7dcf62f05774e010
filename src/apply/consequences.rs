//! The consequences of changed rows: audit entries, notices, and directories that must be recomputed.
//!
//! Decisions add to them. One function writes them, in the transaction that changes the rows: after a crash rows and
//! consequences are all stored, or none is.

use std::collections::BTreeSet;

use crate::{
    audit::{self, AuditEntry},
    db::{DbError, Serialized},
    outbox::{self, Notice},
    runtime::clock::Timestamp,
    tables::recompute_jobs,
};

/// Collected while rows are derived. Nothing is written before [`Consequences::write`].
#[derive(Debug, Default)]
pub struct Consequences {
    /// In the order of the tenants' hash chains.
    pub entries: Vec<AuditEntry>,
    /// Notices for the outbox.
    pub notices: Vec<Notice>,
    /// Directories whose people and groups must be recomputed, in transactions of their own.
    pub directories: BTreeSet<String>,
}

impl Consequences {
    /// Writes everything once. Errors are those of the database.
    pub fn write(&self, conn: &mut Serialized<'_>, now: Timestamp) -> Result<(), DbError> {
        audit::record(conn, &self.entries, now)?;
        let directories: Vec<String> = self.directories.iter().cloned().collect();
        recompute_jobs::request(conn, &directories)?;
        Ok(outbox::enqueue(conn, &self.notices, now)?)
    }

    /// The number of people who lose access.
    pub fn leavers(&self) -> usize {
        outbox::leavers(&self.notices)
    }
}
