//! The access review of a tenant at a point in time: who had access and roles, why, who came, changed and went, and what
//! differs since the review before. The state is derived from the audit trail, so it can be proved.

mod sources;

use serde::Serialize;

use super::{
    leaver_receipt::{Receipt, receipts},
    movement::{Movement, MovementKind},
    past::Past,
    report::{self, Counts},
    review_changes::{self, AccessChange},
    review_directories::{self, ReviewedDirectory},
    review_people::{self, ReviewedPerson},
    under_review::AccessUnderReview,
};
use crate::{db::Conn, tables::display_names};
use sources::{evidence, mapping, past, since};

pub use sources::{ReviewError, ReviewQuery};

/// The version of the keys of the JSON form.
pub const FORMAT: u32 = 1;

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
    pub under_review: Vec<AccessUnderReview>,
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
    pub under_review: usize,
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
    let under_review = review_people::under_review(&past);
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
        counts: counts(&past, &people, &under_review, &tables),
        directories: review_directories::directories(conn, tenant_id, &past)?,
        under_review,
        people,
        joiners: of_kind(MovementKind::Joined),
        movers: of_kind(MovementKind::Moved),
        leavers: of_kind(MovementKind::Left),
        receipts: evidence(receipts(conn, tenant_id, None, Some(since))?, (since, as_of)),
        changes: review_changes::changes(&past),
    })
}

fn counts(
    past: &Past,
    people: &[ReviewedPerson],
    under_review: &[AccessUnderReview],
    tables: &Counts,
) -> ReviewCounts {
    let number = |of: fn(&ReviewedPerson) -> bool| people.iter().filter(|person| of(person)).count();
    ReviewCounts {
        people: people.len(),
        assignments: people.iter().map(|person| person.roles.len()).sum(),
        people_in_tables: tables.people,
        assignments_in_tables: tables.assignments,
        later_entries: past.later,
        privileged: number(|person| person.privileged),
        manual: number(|person| person.manual),
        under_review: under_review.len(),
        erased: number(|person| person.erased),
        repaired: number(|person| person.repaired),
    }
}
