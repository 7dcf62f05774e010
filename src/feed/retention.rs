//! Deletes old records from the beginning of the feed.
//!
//! A record stays for some days, and longer while a consumer has not confirmed it. A consumer that has stood still for too
//! long holds nothing back any more: it must read the tables again (docs/changes.md).

use diesel::QueryResult;

use super::{consumers, head};
use crate::{
    db::{Conn, bulk::Rows},
    runtime::clock::Timestamp,
};

const DAY: i64 = 24 * 3600;

/// Records that one step checks.
const PAGE: i64 = 5_000;

/// How long records are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedRetention {
    /// Days after which a record that all consumers have confirmed is deleted. Zero: for ever.
    pub days: u32,
    /// Days after which any record is deleted. Zero: never.
    pub most_days: u32,
}

impl FeedRetention {
    /// Nothing is deleted.
    pub const FOR_EVER: Self = Self { days: 0, most_days: 0 };
}

/// The result of one step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrimmedFeed {
    /// Records that were deleted.
    pub deleted: usize,
    /// Consumers that have lost a record by this step.
    pub overtaken: Vec<String>,
    /// There may be more to delete.
    pub is_full: bool,
}

struct Limits {
    from: i64,
    old: Timestamp,
    oldest: Timestamp,
    confirmed: i64,
}

/// Deletes one page at most. `others` are further readers: the last record that each of them does not need any more.
pub fn step(
    conn: &mut Conn,
    retention: FeedRetention,
    others: &[i64],
    now: Timestamp,
) -> QueryResult<TrimmedFeed> {
    let ago = |days: u32| match days {
        0 => Timestamp::from_micros(0),
        days => now.plus_seconds(-i64::from(days) * DAY),
    };
    if retention == FeedRetention::FOR_EVER {
        return Ok(TrimmedFeed::default());
    }
    let ends = head::get(conn)?;
    let reading: Vec<consumers::Consumer> =
        consumers::all(conn)?.into_iter().filter(|consumer| !consumer.is_overtaken(ends)).collect();
    let others = others.iter().copied().filter(|seq| seq + 1 >= ends.first_seq);
    let confirmed = reading.iter().map(|consumer| consumer.seq).chain(others).min().unwrap_or(i64::MAX);
    let limits = Limits {
        from: ends.first_seq,
        old: ago(retention.days),
        oldest: ago(retention.most_days),
        confirmed,
    };
    // Times rise with `seq`, so the deleted records are the first ones.
    let deleted = Rows::of(&[limits])
        .integer("first", |limits| limits.from)
        .integer("next", |limits| limits.from + PAGE)
        .time("old", |limits| Some(limits.old))
        .time("oldest", |limits| Some(limits.oldest))
        .integer("confirmed", |limits| limits.confirmed)
        .execute(
            conn,
            "DELETE FROM changes WHERE seq IN (SELECT c.seq FROM {rows} JOIN changes c \
             ON c.seq >= r.first AND c.seq < r.next \
             WHERE c.at < r.oldest OR (c.at < r.old AND c.seq <= r.confirmed))",
        )?;
    let count = i64::try_from(deleted).unwrap_or(PAGE);
    if count == 0 {
        return Ok(TrimmedFeed::default());
    }
    let first_seq = ends.first_seq + count;
    head::begin_at(conn, first_seq)?;
    let now_there = head::FeedHead { first_seq, ..ends };
    let overtaken = reading.into_iter().filter(|consumer| consumer.is_overtaken(now_there));
    Ok(TrimmedFeed {
        deleted,
        overtaken: overtaken.map(|consumer| consumer.name).collect(),
        is_full: count == PAGE,
    })
}
