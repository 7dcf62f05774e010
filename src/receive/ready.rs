//! `GET /readyz` on the public listener: ready or not, without details. Anybody may send it, as often as they like, so all
//! requests of one second share one query.

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::{HttpResponse, web::Data};
use tokio::{sync::Mutex, time::timeout};

use super::{health::Health, problem::Problem};

/// The highest age of an answer.
const FRESH: Duration = Duration::from_secs(1);

/// Without a result within this time the answer is "not ready". The query continues, and later requests wait for it instead
/// of starting another.
const PATIENCE: Duration = Duration::from_secs(2);

/// The start of the last query, and whether it succeeded.
type Look = Option<(Instant, bool)>;

#[derive(Clone)]
pub(super) struct Readiness {
    health: Health,
    last: Arc<Mutex<Look>>,
}

impl Readiness {
    pub(super) fn of(health: Health) -> Self {
        Self { health, last: Arc::default() }
    }
}

pub(super) async fn ready(readiness: Data<Readiness>) -> Result<HttpResponse, Problem> {
    let health = readiness.health.clone();
    let look = async move { health.is_reachable().await };
    match timeout(PATIENCE, shared(&readiness.last, look)).await {
        Ok(true) => Ok(HttpResponse::Ok()
            .force_close()
            .content_type("application/json")
            .body(r#"{"status":"ready"}"#)),
        Ok(false) | Err(_) => Err(Problem::NotReady),
    }
}

/// The last result while it is fresh, otherwise the result of `look`. Concurrent requests wait for the same `look`. It
/// continues when the first request is cancelled.
async fn shared(last: &Arc<Mutex<Look>>, look: impl Future<Output = bool> + 'static) -> bool {
    let mut last = last.clone().lock_owned().await;
    let now = Instant::now();
    if let Some((_, found)) = last.filter(|(begun, _)| now.saturating_duration_since(*begun) < FRESH) {
        return found;
    }
    let looking = actix_web::rt::spawn(async move {
        let found = look.await;
        *last = Some((now, found));
        found
    });
    looking.await.unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn all_who_ask_within_a_second_share_one_look() {
        actix_web::rt::System::new().block_on(async {
            let (last, looks) = (Arc::default(), std::rc::Rc::new(Cell::new(0)));
            for _ in 0..60 {
                let looks = looks.clone();
                let look = async move {
                    looks.set(looks.get() + 1);
                    true
                };
                assert!(shared(&last, look).await);
            }
            assert_eq!(looks.get(), 1);

            // The same a second later: the next look is due.
            *last.lock().await = Instant::now().checked_sub(FRESH).map(|begun| (begun, true));
            assert!(!shared(&last, async { false }).await);
            assert!(!shared(&last, async { true }).await, "a failure is shared, too");
        });
    }

    #[test]
    fn a_look_whose_asker_has_gone_is_the_next_ones_answer() {
        actix_web::rt::System::new().block_on(async {
            let last = Arc::default();
            let (answer, found) = tokio::sync::oneshot::channel();
            let look = async move { found.await.unwrap_or(false) };
            assert!(timeout(Duration::ZERO, shared(&last, look)).await.is_err());

            answer.send(true).unwrap();

            assert!(shared(&last, async { unreachable!("a second look") }).await);
        });
    }
}
