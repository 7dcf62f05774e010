//! Missed webhooks: events that were read from the API, and that no webhook delivered in time.

use diesel::QueryResult;

use crate::{
    db::{Conn, Database, DbError},
    outbox::{self, Notice, notice::WebhooksAway},
    runtime::clock::Timestamp,
    tables::{polled_events, properties},
};

/// A webhook that arrives later than this after its event was read counts as missed.
const PATIENCE_SECONDS: i64 = 600;

const TOTAL: &str = "events_missed";
const LAST: &str = "webhook_last_at";
const AWAY: &str = "webhooks_away_since";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    pub total: i64,
    /// The time since which no webhook arrives at all.
    pub away_since: Option<Timestamp>,
}

/// The news of one look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    pub missed: usize,
    pub went_away: Option<Timestamp>,
    pub is_back: bool,
}

fn store(conn: &mut Conn, name: &str, value: Option<i64>) -> QueryResult<()> {
    match value {
        Some(value) => properties::set(conn, name, &value.to_string()),
        None => properties::unset(conn, name),
    }
}

pub fn known(conn: &mut Conn) -> QueryResult<Known> {
    Ok(Known {
        total: properties::number(conn, TOTAL)?.unwrap_or_default(),
        away_since: properties::number(conn, AWAY)?.map(Timestamp::from_micros),
    })
}

/// Counts missed events. `last` is the time of this process's last webhook. The newest time of all processes is stored.
pub fn settle(database: &Database, last: Option<Timestamp>, now: Timestamp) -> Result<Settled, DbError> {
    database.write(|conn| {
        let (missed, oldest) = polled_events::take_missed(conn, now.plus_seconds(-PATIENCE_SECONDS))?;
        let known_last = properties::number(conn, LAST)?.map(Timestamp::from_micros);
        let newest = known_last.max(last);
        if newest != known_last {
            store(conn, LAST, newest.map(Timestamp::micros))?;
        }
        if missed > 0 {
            let total = properties::number(conn, TOTAL)?.unwrap_or_default();
            store(conn, TOTAL, Some(total.saturating_add(i64::try_from(missed).unwrap_or(i64::MAX))))?;
        }
        let away = properties::number(conn, AWAY)?.map(Timestamp::from_micros);
        let settled = match (away, oldest) {
            // No webhook arrived since the oldest missed event was read.
            (None, Some(oldest)) if newest.is_none_or(|newest| newest < oldest) => {
                Settled { missed, went_away: Some(newest.unwrap_or(oldest)), is_back: false }
            }
            (Some(away), _) if newest.is_some_and(|newest| newest > away) => {
                Settled { missed, went_away: None, is_back: true }
            }
            _ => Settled { missed, ..Settled::default() },
        };
        // State and notice change in one transaction, so the operator is notified once.
        let mut notices = None;
        if let Some(since) = settled.went_away {
            store(conn, AWAY, Some(since.micros()))?;
            notices = Some(WebhooksAway { since: since.micros(), back_at: None });
        }
        if settled.is_back {
            store(conn, AWAY, None)?;
            let since = away.unwrap_or(now).micros();
            notices = Some(WebhooksAway { since, back_at: newest.map(Timestamp::micros) });
        }
        let notices: Vec<Notice> = notices.into_iter().map(Notice::WebhooksAway).collect();
        outbox::enqueue(conn, &notices, now)?;
        Ok(settled)
    })
}
