//! `GET /healthz`, and `GET /readyz` of the admin listener: how much waits.

use std::time::{Duration, Instant};

use actix_web::{
    HttpResponse, ResponseError,
    web::{self, Data},
};
use serde::Serialize;
use serde_json::json;
use tokio::time::timeout;

use super::problem::Problem;
use crate::{
    broker::Source,
    db::{Database, DbError},
    inbox::{dead_letters, queue, storing::StoringState},
    outbox,
    runtime::clock::{Clock, Timestamp},
    sync::missed,
    tables::{comparisons, event_cursors, holds, properties, recompute_jobs, refused},
};

/// How long a look at the database may take.
const LOOK: Duration = Duration::from_secs(8);

/// What readiness is read from.
#[derive(Clone)]
pub struct Health {
    pub database: Database,
    pub clock: Clock,
    pub keeping: StoringState,
}

/// A heap of work: how much, and how old its oldest piece is.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Heap {
    pub(super) count: i64,
    pub(super) oldest_seconds: Option<i64>,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Standing {
    pub(super) inbox: Heap,
    pub(super) dead_letters: Heap,
    pub(super) outbox: Heap,
    /// Directories whose people are being derived again.
    pub(super) refreshes: i64,
    pub(super) holds: Holds,
    /// Users and groups that the database refuses to change.
    pub(super) refused: Heap,
    pub(super) sync: Sync,
}

/// What is known by asking the broker.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Sync {
    /// When the events of the API were last read.
    pub(super) polled_seconds: Option<i64>,
    pub(super) events_missed: i64,
    /// Since when no webhook has come while the API had events.
    pub(super) webhooks_away_seconds: Option<i64>,
    /// Age of the comparison of the directory that was compared longest ago.
    pub(super) compared_oldest_seconds: Option<i64>,
}

/// Mass changes that wait for a decision.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Holds {
    pub(super) open: i64,
    pub(super) people: i64,
}

impl Health {
    /// Whether deliveries can be kept and the database can be read; costs it next to nothing, however much waits.
    pub(super) async fn is_reachable(&self) -> bool {
        if self.keeping.is_stuck(Instant::now()) {
            return false;
        }
        let database = self.database.clone();
        let read =
            move || database.read::<_, DbError>(|conn| Ok(properties::get(conn, properties::TENANCY)?));
        // A look over a connection that has fallen silent ends too: the next one has another connection.
        let outcome = timeout(LOOK, web::block(read)).await.map(|read| {
            read.map(|read| {
                read.inspect_err(|error| tracing::warn!(error = %error, "the database cannot be read"))
            })
        });
        matches!(outcome, Ok(Ok(Ok(_)))) && self.keeping.is_possible(Instant::now())
    }

    /// `None` when nothing can be kept or the database cannot be read.
    pub(super) async fn read(&self) -> Option<Standing> {
        let Self { database, clock, keeping } = self.clone();
        if keeping.is_stuck(Instant::now()) {
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
                Ok(Standing {
                    holds: Holds { open, people },
                    inbox: heap(queue::backlog(conn)?),
                    dead_letters: heap(dead_letters::open(conn)?),
                    outbox: heap(outbox::waiting(conn)?),
                    refreshes: recompute_jobs::count(conn)?,
                    refused: heap(refused::waiting(conn)?),
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
            .filter(|_| keeping.is_possible(Instant::now()))
    }
}

/// The process lives; says nothing of the database, so that a supervisor does not restart it for that.
pub(super) async fn alive() -> HttpResponse {
    HttpResponse::Ok().force_close().content_type("application/json").body(r#"{"status":"alive"}"#)
}

/// Ready to keep deliveries, with all details, read now. A backlog is told but is no reason to turn deliveries away.
pub(super) async fn details(health: Data<Health>) -> HttpResponse {
    match health.read().await {
        Some(standing) => {
            let body = json!({
                "status": "ready",
                "database": "reachable",
                "inbox": standing.inbox,
                "dead_letters": standing.dead_letters,
                "outbox": standing.outbox,
                "refreshes": standing.refreshes,
                "refused": standing.refused,
                "holds": standing.holds,
                "sync": standing.sync,
            });
            HttpResponse::Ok().content_type("application/json").body(body.to_string())
        }
        None => Problem::NotReady.error_response(),
    }
}
