//! `GET /healthz`, and `GET /readyz` on the admin listener with the backlogs.

use std::time::{Duration, Instant};

use actix_web::{
    HttpResponse, ResponseError,
    web::{self, Data},
};
use diesel::QueryResult;
use serde::Serialize;
use serde_json::json;
use tokio::time::timeout;

use super::problem::Problem;
use crate::{
    broker::Source,
    db::{Conn, Database, DbError},
    endpoints::{
        stored::{self, Endpoint},
        waiting,
    },
    feed::{self, head::FeedHead},
    inbox::{dead_letters, listing, queue, storing::StoringState},
    outbox,
    runtime::clock::{Clock, Timestamp},
    sync::missed,
    tables::{comparisons, directory_activity, event_cursors, holds, properties, recompute_jobs, refused},
};

/// The time limit of the queries.
const LOOK: Duration = Duration::from_secs(8);

/// The sources of readiness.
#[derive(Clone)]
pub struct Health {
    /// For the queries.
    pub database: Database,
    /// For the ages.
    pub clock: Clock,
    /// Whether the last commits succeeded.
    pub storing: StoringState,
}

/// A backlog: the number of entries, and the age of the oldest in seconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Heap {
    pub(super) count: i64,
    pub(super) oldest_seconds: Option<i64>,
}

/// The answer of `/readyz` on the admin listener.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Standing {
    pub(super) inbox: Heap,
    pub(super) dead_letters: Heap,
    pub(super) outbox: Heap,
    /// Directories that are being recomputed.
    pub(super) refreshes: i64,
    pub(super) holds: Holds,
    /// Users and groups that the database refuses to change.
    pub(super) refused: Heap,
    /// The time of the newest delivery.
    pub(super) newest_delivery: Option<Timestamp>,
    /// Directories of which the silence was noticed.
    pub(super) silent: i64,
    pub(super) sync: Sync,
    pub(super) feed: Feed,
    pub(super) endpoints: Vec<EndpointStanding>,
}

/// An endpoint of the application.
#[derive(Clone, Debug, Serialize)]
pub(super) struct EndpointStanding {
    pub(super) id: String,
    /// `active`, `paused`, `overtaken` or `disabled`.
    pub(super) state: &'static str,
    /// Records after its position.
    pub(super) lag: i64,
    /// Records that failed, and later ones of the same people.
    pub(super) waiting: i64,
}

/// The change feed and its consumers.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Feed {
    /// The number of the newest record.
    pub(super) seq: i64,
    /// The records that each consumer has not confirmed.
    pub(super) consumers: Vec<(String, i64)>,
}

/// The state of the reads from the broker's API.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Sync {
    /// Seconds since the last read of events.
    pub(super) polled_seconds: Option<i64>,
    /// Events that arrived by no webhook.
    pub(super) events_missed: i64,
    /// For how many seconds no webhook has arrived while the API had events.
    pub(super) webhooks_away_seconds: Option<i64>,
    /// Seconds since the oldest comparison of any directory.
    pub(super) compared_oldest_seconds: Option<i64>,
}

/// Mass changes that wait for a decision.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Holds {
    pub(super) open: i64,
    pub(super) people: i64,
}

impl Health {
    /// Whether deliveries can be stored and the database can be read. One cheap query, whatever the backlog.
    pub(super) async fn is_reachable(&self) -> bool {
        if self.storing.is_stuck(Instant::now()) {
            return false;
        }
        let database = self.database.clone();
        let read =
            move || database.read::<_, DbError>(|conn| Ok(properties::get(conn, properties::TENANCY)?));
        // With a time limit: a connection may no longer answer. The next query gets another connection.
        let outcome = timeout(LOOK, web::block(read)).await.map(|read| {
            read.map(|read| {
                read.inspect_err(|error| tracing::warn!(error = %error, "the database cannot be read"))
            })
        });
        matches!(outcome, Ok(Ok(Ok(_)))) && self.storing.is_possible(Instant::now())
    }

    /// Reads all backlogs. `None` when deliveries cannot be stored or the database cannot be read.
    pub(super) async fn read(&self) -> Option<Standing> {
        let Self { database, clock, storing } = self.clone();
        if storing.is_stuck(Instant::now()) {
            return None;
        }
        let read = move || {
            let now = clock.now();
            let heap = |(count, oldest): (i64, Option<Timestamp>)| Heap {
                count,
                oldest_seconds: oldest.map(|oldest| now.seconds_since(oldest).max(0)),
            };
            database.read::<_, DbError>(|conn| {
                let (open, people) = holds::waiting(conn)?;
                let age = |at: Timestamp| now.seconds_since(at).max(0);
                let missed = missed::known(conn)?;
                let ends = feed::head::get(conn)?;
                let consumers = feed::consumers::all(conn)?.into_iter();
                let feed = Feed {
                    seq: ends.seq,
                    consumers: consumers.map(|one| (one.name.clone(), one.lag(ends))).collect(),
                };
                Ok(Standing {
                    endpoints: endpoints(conn, ends)?,
                    feed,
                    holds: Holds { open, people },
                    inbox: heap(queue::backlog(conn)?),
                    dead_letters: heap(dead_letters::open(conn)?),
                    outbox: heap(outbox::waiting(conn)?),
                    refreshes: recompute_jobs::count(conn)?,
                    refused: heap(refused::waiting(conn)?),
                    newest_delivery: listing::newest(conn)?,
                    silent: directory_activity::silent(conn)?,
                    sync: Sync {
                        polled_seconds: event_cursors::of(conn, Source::EVENTS.name())?
                            .map(|cursor| age(cursor.polled_at)),
                        events_missed: missed.total,
                        webhooks_away_seconds: missed.away_since.map(age),
                        compared_oldest_seconds: comparisons::oldest(conn)?.map(age),
                    },
                })
            })
        };
        let outcome = timeout(LOOK, web::block(read)).await.ok()?.ok()?;
        outcome
            .inspect_err(|error| tracing::warn!(error = %error, "the database cannot be read"))
            .ok()
            .filter(|_| storing.is_possible(Instant::now()))
    }
}

fn endpoints(conn: &mut Conn, head: FeedHead) -> QueryResult<Vec<EndpointStanding>> {
    let waiting = waiting::counts(conn)?;
    let standing = |one: Endpoint| EndpointStanding {
        state: one.state(head),
        lag: one.lag(head),
        waiting: waiting.iter().find(|(id, ..)| *id == one.id).map_or(0, |(_, count, _)| *count),
        id: one.id,
    };
    Ok(stored::all(conn)?.into_iter().map(standing).collect())
}

/// Answers that the process is alive. It does not ask the database, so that a supervisor does not restart the process when
/// the database is away.
pub(super) async fn alive() -> HttpResponse {
    HttpResponse::Ok().force_close().content_type("application/json").body(r#"{"status":"alive"}"#)
}

/// Answers whether deliveries can be stored, with the current backlogs. A backlog does not make the service unready.
pub(super) async fn details(health: Data<Health>) -> HttpResponse {
    match health.read().await {
        Some(standing) => {
            let body = json!({
                "status": "ready",
                "database": "reachable",
                "inbox": standing.inbox,
                "dead_letters": standing.dead_letters,
                "outbox": standing.outbox,
                "recomputes": standing.refreshes,
                "refused": standing.refused,
                "holds": standing.holds,
                "sync": standing.sync,
                "endpoints": standing.endpoints,
            });
            HttpResponse::Ok().content_type("application/json").body(body.to_string())
        }
        None => Problem::NotReady.error_response(),
    }
}
