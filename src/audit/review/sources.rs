//! The query of a review, and its sources: the period, the chain, the mapping and the receipts of that time.

use std::collections::BTreeSet;

use crate::{
    audit::{
        leaver_receipt::Receipt,
        past::{Past, PastWalk},
        stored_entries,
    },
    db::{Conn, DbError},
    runtime::clock::Timestamp,
    tables::{mappings, report_periods},
};

#[derive(Clone, Copy, Debug)]
pub struct ReviewQuery<'a> {
    pub tenant_id: &'a str,
    pub as_of: Timestamp,
    /// The beginning of the period; `None` for the last mailed report, or 90 days.
    pub since: Option<Timestamp>,
    pub made_by: &'a str,
    pub now: Timestamp,
}

#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    #[error(transparent)]
    Database(#[from] DbError),
    #[error("{0} has no audit trail, so nothing is known about it")]
    NoTrail(String),
    #[error(
        "the audit trail of {tenant} begins at {begins_at}, and nothing is known about the time before: give a later --as-of"
    )]
    BeforeTheTrail { tenant: String, begins_at: String },
    #[error("{0} is in the future: give an earlier --as-of")]
    Future(String),
    #[error("the period begins at {since}, which is after {as_of}: give an earlier --since")]
    Period { since: String, as_of: String },
}

impl From<diesel::result::Error> for ReviewError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Database(error.into())
    }
}

/// The period without an earlier report.
const PERIOD_MICROS: i64 = 90 * 24 * 3_600 * 1_000_000;
/// Entries that are read at once.
const PAGE: i64 = 1_000;

/// The beginning of the period.
pub(super) fn since(conn: &mut Conn, wanted: ReviewQuery<'_>) -> Result<Timestamp, ReviewError> {
    let ReviewQuery { tenant_id, as_of, since, .. } = wanted;
    if let Some(since) = since {
        let error = || ReviewError::Period { since: since.to_string(), as_of: as_of.to_string() };
        return if since > as_of { Err(error()) } else { Ok(since) };
    }
    let reported = report_periods::all(conn)?.remove(tenant_id).filter(|at| *at < as_of);
    Ok(reported.unwrap_or_else(|| Timestamp::from_micros(as_of.micros().saturating_sub(PERIOD_MICROS))))
}

/// Reads the chain page by page, so memory grows with the people and not with the chain.
pub(super) fn past(
    conn: &mut Conn,
    tenant_id: &str,
    since: Timestamp,
    as_of: Timestamp,
) -> Result<Past, DbError> {
    let mut walk = PastWalk::new(since, as_of);
    let mut after = 0;
    loop {
        let page = stored_entries::page(conn, tenant_id, after, PAGE)?;
        let Some(last) = page.last() else { return Ok(walk.end()) };
        after = last.seq;
        page.iter().for_each(|entry| walk.step(entry));
    }
}

/// The version of the mapping at that time, and its privileged roles.
pub(super) fn mapping(
    conn: &mut Conn,
    tenant_id: &str,
    as_of: Timestamp,
) -> Result<(i64, BTreeSet<String>), DbError> {
    let applied = mappings::all(conn)?.into_iter().find(|applied| applied.at <= as_of);
    let version = applied.map(|applied| applied.version).unwrap_or_default();
    // A mapping that this build cannot read any more has no known privileged roles.
    let mapping = match version {
        0 => Some(crate::decide::mapping::Mapping::built_in()),
        version => mappings::at(conn, version)?,
    };
    let privileged = mapping.map(|mapping| mapping.of(tenant_id).privileged().map(str::to_owned).collect());
    Ok((version, privileged.unwrap_or_default()))
}

/// The receipts of the period, as they were at its end. Texts of times sort like times.
pub(super) fn evidence(mut receipts: Vec<Receipt>, (since, as_of): (Timestamp, Timestamp)) -> Vec<Receipt> {
    let (since, as_of) = (since.to_string(), as_of.to_string());
    receipts.retain(|receipt| receipt.applied_at > since && receipt.applied_at <= as_of);
    for receipt in &mut receipts {
        receipt.returned_at.take_if(|at| *at > as_of);
        if receipt.notified_at.take_if(|at| *at > as_of).is_some() {
            (receipt.message_id, receipt.mail, receipt.minutes_applied_to_notified) = (None, None, None);
        }
    }
    receipts
}
