//! The access review of a tenant at a point in time: who had access and roles, why, who came, changed and went, and what
//! differs since the review before. The state is derived from the audit trail, so it can be proved.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{
    kept_access::RetainedAccess,
    leaver_receipt::{Receipt, receipts},
    movement::{Movement, MovementKind},
    past::{Past, PastWalk},
    report::{self, Counts},
    review_changes::{self, AccessChange},
    review_directories::{self, ReviewedDirectory},
    review_people::{self, ReviewedPerson},
    stored_entries,
};
use crate::{
    db::{Conn, DbError},
    runtime::clock::Timestamp,
    tables::{display_names, mappings, report_periods},
};

/// The version of the keys of the JSON form.
pub const FORMAT: u32 = 1;
/// The period without an earlier report.
const PERIOD_MICROS: i64 = 90 * 24 * 3_600 * 1_000_000;
/// Entries that are read at once.
const PAGE: i64 = 1_000;

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

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Review {
    pub format: u32,
    pub tenant_id: String,
    pub tenant_name: Option<String>,
    pub as_of: String,
    /// The beginning of the period of joiners, movers, leavers and changes.
    pub since: String,
    /// The audit trail begins after the beginning of the period, so earlier movements are not known.
    pub since_is_before_the_trail: bool,
    pub trail_begins_at: String,
    pub made_at: String,
    pub made_by: String,
    pub rosterd_version: String,
    /// The version of the role mapping at that time; 0 for the built-in one.
    pub mapping_version: i64,
    pub head: ReviewHead,
    pub counts: ReviewCounts,
    pub directories: Vec<ReviewedDirectory>,
    /// Access that people have although the directory says otherwise: pending holds and last holders.
    pub kept: Vec<RetainedAccess>,
    /// People with privileged roles come first, then people with manual roles.
    pub people: Vec<ReviewedPerson>,
    pub joiners: Vec<Movement>,
    pub movers: Vec<Movement>,
    pub leavers: Vec<Movement>,
    /// The evidence for the leavers.
    pub receipts: Vec<Receipt>,
    /// The difference between the beginning and the end of the period.
    pub changes: Vec<AccessChange>,
}

/// The last entry of the chain that the review contains.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReviewHead {
    pub seq: i64,
    /// Hexadecimal.
    pub hash: String,
}

/// Whether the review is complete.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReviewCounts {
    pub people: usize,
    pub assignments: usize,
    /// People with access and role assignments in the tables, at the time at which the review was made.
    pub people_in_tables: i64,
    pub assignments_in_tables: i64,
    /// Entries after the point in time. With 0 the tables and the review must have equal counts.
    pub later_entries: i64,
    pub privileged: usize,
    pub manual: usize,
    pub kept: usize,
    /// People whose names an erasure has removed from the trail.
    pub erased: usize,
    /// People whose rows a rebuild has repaired. Their names may be older than those in the tables.
    pub repaired: usize,
}

/// Makes the review from one snapshot.
pub fn review(conn: &mut Conn, wanted: ReviewQuery<'_>) -> Result<Review, ReviewError> {
    let ReviewQuery { tenant_id, as_of, made_by, now, .. } = wanted;
    if as_of > now {
        return Err(ReviewError::Future(as_of.to_string()));
    }
    let since = since(conn, wanted)?;
    let past = past(conn, tenant_id, since, as_of)?;
    let Some(begins_at) = past.begins_at else {
        return Err(ReviewError::NoTrail(tenant_id.to_owned()));
    };
    if as_of < begins_at {
        let (tenant, begins_at) = (tenant_id.to_owned(), begins_at.to_string());
        return Err(ReviewError::BeforeTheTrail { tenant, begins_at });
    }
    let (mapping_version, privileged) = mapping(conn, tenant_id, as_of)?;
    let mut people = review_people::people(&past, &privileged);
    let (tables, reasons) = report::of_tables(conn, tenant_id)?;
    if past.later == 0 {
        review_people::give_reasons(&mut people, &reasons);
    }
    let kept = review_people::kept(&past);
    let of_kind =
        |kind| past.movements.iter().filter(|one| one.kind == kind).cloned().collect::<Vec<Movement>>();
    Ok(Review {
        format: FORMAT,
        tenant_id: tenant_id.to_owned(),
        tenant_name: display_names::of_tenant(conn, tenant_id)?.and_then(|tenant| tenant.name),
        as_of: as_of.to_string(),
        since: since.to_string(),
        since_is_before_the_trail: since < begins_at,
        trail_begins_at: begins_at.to_string(),
        made_at: now.to_string(),
        made_by: made_by.to_owned(),
        rosterd_version: env!("CARGO_PKG_VERSION").to_owned(),
        mapping_version,
        head: ReviewHead { seq: past.head.seq, hash: hex::encode(&past.head.hash) },
        counts: counts(&past, &people, &kept, &tables),
        directories: review_directories::directories(conn, tenant_id, &past)?,
        kept,
        people,
        joiners: of_kind(MovementKind::Joined),
        movers: of_kind(MovementKind::Moved),
        leavers: of_kind(MovementKind::Left),
        receipts: evidence(receipts(conn, tenant_id, None, Some(since))?, (since, as_of)),
        changes: review_changes::changes(&past),
    })
}

/// The beginning of the period.
fn since(conn: &mut Conn, wanted: ReviewQuery<'_>) -> Result<Timestamp, ReviewError> {
    let ReviewQuery { tenant_id, as_of, since, .. } = wanted;
    if let Some(since) = since {
        let error = || ReviewError::Period { since: since.to_string(), as_of: as_of.to_string() };
        return if since > as_of { Err(error()) } else { Ok(since) };
    }
    let reported = report_periods::all(conn)?.remove(tenant_id).filter(|at| *at < as_of);
    Ok(reported.unwrap_or_else(|| Timestamp::from_micros(as_of.micros().saturating_sub(PERIOD_MICROS))))
}

/// Reads the chain page by page, so memory grows with the people and not with the chain.
fn past(conn: &mut Conn, tenant_id: &str, since: Timestamp, as_of: Timestamp) -> Result<Past, DbError> {
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
fn mapping(conn: &mut Conn, tenant_id: &str, as_of: Timestamp) -> Result<(i64, BTreeSet<String>), DbError> {
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

fn counts(past: &Past, people: &[ReviewedPerson], kept: &[RetainedAccess], tables: &Counts) -> ReviewCounts {
    let number = |of: fn(&ReviewedPerson) -> bool| people.iter().filter(|person| of(person)).count();
    ReviewCounts {
        people: people.len(),
        assignments: people.iter().map(|person| person.roles.len()).sum(),
        people_in_tables: tables.people,
        assignments_in_tables: tables.assignments,
        later_entries: past.later,
        privileged: number(|person| person.privileged),
        manual: number(|person| person.manual),
        kept: kept.len(),
        erased: number(|person| person.erased),
        repaired: number(|person| person.repaired),
    }
}

/// The receipts of the period, as they were at its end. Texts of times sort like times.
fn evidence(mut receipts: Vec<Receipt>, (since, as_of): (Timestamp, Timestamp)) -> Vec<Receipt> {
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
