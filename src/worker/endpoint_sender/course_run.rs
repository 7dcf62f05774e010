//! Posts the records of one endpoint while this process has its lease.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use secrecy::ExposeSecret;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    SENDING, SendError, Shared,
    post::{Answered, Signed},
};
use crate::{
    endpoints::{
        answer::Outcome,
        attempts::Attempt,
        course::{Course, Fate},
        message::{self, Message},
        sign,
        stored::{self, Endpoint, Lease, Report},
        waiting,
    },
    feed::read::{self, FeedPage, ReadError},
    runtime::failpoint,
};

/// Records of one read.
const PAGE: usize = 500;

/// Results that are written together, and the longest time until they are written.
const RESULTS: i64 = 500;
const WRITE_AFTER: Duration = Duration::from_millis(200);

/// The lease is extended in this interval.
const RENEW_AFTER: Duration = Duration::from_secs(3);

/// A record that was read longer ago is read again before it is sent: it may have been erased.
const FRESH: Duration = Duration::from_secs(2);

/// An endpoint with its lease.
pub(super) struct CourseRun {
    shared: Shared,
    endpoint: Endpoint,
    lease: Lease,
    /// The lease is valid so long that a request that begins now ends before it.
    may_send_until: Instant,
    written: Instant,
    course: Course,
    messages: HashMap<i64, (Message, Instant)>,
    requests: JoinSet<(i64, Answered)>,
    report: Report,
    has_results: bool,
}

impl CourseRun {
    /// Posts until the lease is lost, the endpoint is disabled, or the service stops (`head` is closed).
    pub(super) async fn run(
        shared: Shared,
        endpoint: Endpoint,
        lease: Lease,
        mut head: watch::Receiver<i64>,
    ) -> Result<(), SendError> {
        let begun = Instant::now();
        let id = endpoint.id.clone();
        let rows = shared.read(move |conn| waiting::of(conn, &id)).await?;
        let course = Course::new(
            shared.limits,
            endpoint.settled_seq,
            (endpoint.circuit, endpoint.last_success_at),
            rows,
        );
        let mut run = Self {
            may_send_until: begun + SENDING,
            shared,
            endpoint,
            lease,
            written: begun,
            course,
            messages: HashMap::new(),
            requests: JoinSet::new(),
            report: Report::default(),
            has_results: false,
        };
        loop {
            let newest = *head.borrow_and_update();
            run.read(newest).await?;
            run.send().await?;
            if !run.write_if_due().await? {
                run.await_answers().await?;
                return Ok(());
            }
            let pause = run.pause(newest);
            tokio::select! {
                Some(done) = run.requests.join_next(), if !run.requests.is_empty() => {
                    let (seq, answered) = done?;
                    run.settle(seq, &answered);
                    while let Some(done) = run.requests.try_join_next() {
                        let (seq, answered) = done?;
                        run.settle(seq, &answered);
                    }
                }
                changed = head.changed() => {
                    if changed.is_err() {
                        return run.end().await;
                    }
                }
                () = sleep(pause) => {}
            }
        }
    }

    /// Reads further records, if there are any and there is room.
    async fn read(&mut self, newest: i64) -> Result<(), SendError> {
        let room = self.course.room().min(PAGE);
        if room == 0 || self.course.read_to() >= newest {
            return Ok(());
        }
        let (from, tenant) = (self.course.read_to() + 1, self.endpoint.tenant_id.clone());
        let page =
            self.shared.call(move |database| Ok(read::page(database, from, tenant.as_deref(), room))).await?;
        let now = self.shared.clock.now();
        let FeedPage { records, next, .. } = match page {
            Ok(page) => page,
            Err(ReadError::Trimmed { first_seq, .. }) => {
                let lost = first_seq - from;
                tracing::error!(endpoint = %self.endpoint.id, lost, "an endpoint has lost records: they were deleted before it took them; its program must read the tables again");
                self.shared.count("lost", lost);
                self.course.skip_to(first_seq - 1);
                self.has_results = true;
                return Ok(());
            }
            Err(ReadError::Database(error)) => return Err(error.into()),
        };
        let at = Instant::now();
        let wanted: Vec<Message> = records
            .iter()
            .filter(|record| self.endpoint.wants(&record.kind))
            .map(|record| message::about(&self.endpoint.id, record))
            .collect();
        self.course.read(wanted.iter().map(|message| (message.seq, message.lane.as_str())), next - 1, now);
        self.messages.extend(wanted.into_iter().map(|message| (message.seq, (message, at))));
        self.has_results = true;
        Ok(())
    }

    /// Begins all requests that may begin now.
    async fn send(&mut self) -> Result<(), SendError> {
        if Instant::now() >= self.may_send_until {
            return Ok(());
        }
        let now = self.shared.clock.now();
        let seqs: Vec<i64> = std::iter::from_fn(|| self.course.next(now)).collect();
        if seqs.is_empty() {
            return Ok(());
        }
        let mut messages: Vec<Message> = Vec::with_capacity(seqs.len());
        let mut missing = Vec::new();
        for seq in seqs {
            match self.messages.remove(&seq) {
                Some((message, read_at)) if read_at.elapsed() < FRESH => messages.push(message),
                _ => missing.push(seq),
            }
        }
        if !missing.is_empty() {
            let wanted = missing.clone();
            let records = self.shared.read(move |conn| read::these(conn, &wanted)).await?;
            messages.extend(records.iter().map(|record| message::about(&self.endpoint.id, record)));
            for seq in missing {
                if messages.iter().all(|message| message.seq != seq) {
                    tracing::error!(endpoint = %self.endpoint.id, seq, "a record was deleted before the endpoint took it");
                    self.shared.count("lost", 1);
                    self.course.lose(seq);
                    self.has_results = true;
                }
            }
        }
        for message in messages {
            let Some(signature) = sign::signature(
                self.endpoint.secrets(now),
                &message.id,
                now.micros() / 1_000_000,
                message.body.as_bytes(),
            ) else {
                return Err(SendError::Secret);
            };
            let signed =
                Signed { id: message.id, seconds: now.micros() / 1_000_000, signature, body: message.body };
            let (poster, url, allow_private) =
                (self.shared.poster.clone(), self.endpoint.url.clone(), self.endpoint.allow_private);
            self.requests.spawn(async move {
                (message.seq, poster.post(url.expose_secret(), allow_private, signed).await)
            });
        }
        Ok(())
    }

    fn settle(&mut self, seq: i64, answered: &Answered) {
        failpoint::reach("endpoints.answered");
        let now = self.shared.clock.now();
        let was_open = self.course.circuit().is_open();
        let attempts = self.course.attempts(seq);
        let fate = self.course.settle(seq, &answered.outcome, now);
        self.has_results = true;
        let failed = answered.outcome != Outcome::Delivered;
        if failed || attempts > 0 {
            let duration_ms = i64::try_from(answered.duration.as_millis()).unwrap_or(i64::MAX);
            self.report.attempts.push(Attempt::new(now, seq, answered.text.clone(), duration_ms));
        }
        if failed {
            self.report.last_failure = Some((now, answered.text.clone()));
            self.shared.count("failed", 1);
            tracing::debug!(endpoint = %self.endpoint.id, seq, answer = %answered.text, "a webhook failed");
        } else {
            self.report.last_success_at = Some(now);
            self.shared.count("delivered", 1);
        }
        match fate {
            Fate::Gone => {
                let reason = "it answered 410 Gone";
                tracing::error!(endpoint = %self.endpoint.id, "an endpoint is disabled: {reason}; `rosterd endpoints enable` continues from its position");
                self.report.disabled = Some(reason.to_owned());
            }
            Fate::GivenUp => {
                self.shared.count("given_up", 1);
                tracing::error!(endpoint = %self.endpoint.id, seq, answer = %answered.text, "a webhook is given up after too many failures; `rosterd endpoints replay` sends it again");
            }
            Fate::Settled | Fate::Waits => {}
        }
        match (was_open, self.course.circuit().is_open()) {
            (false, true) => {
                tracing::warn!(endpoint = %self.endpoint.id, answer = %answered.text, "an endpoint pauses, because its webhooks fail");
            }
            (true, false) => tracing::info!(endpoint = %self.endpoint.id, "an endpoint takes webhooks again"),
            _ => {}
        }
    }

    fn pause(&self, newest: i64) -> Duration {
        if self.course.room() > 0 && self.course.read_to() < newest {
            return Duration::ZERO;
        }
        let write = if self.has_results { WRITE_AFTER } else { RENEW_AFTER };
        let write = write.saturating_sub(self.written.elapsed());
        let now = self.shared.clock.now();
        let wakes = self.course.wakes_at().map_or(RENEW_AFTER, |at| {
            Duration::from_micros(u64::try_from(at.micros() - now.micros()).unwrap_or_default())
        });
        // A test moves its clock without waking anybody.
        let most = if self.shared.clock.is_fixed() { Duration::from_millis(20) } else { RENEW_AFTER };
        write.min(wakes.max(Duration::from_millis(1))).min(most)
    }

    /// Writes results, and extends the lease. Returns false when this process must stop posting.
    async fn write_if_due(&mut self) -> Result<bool, SendError> {
        let since = self.written.elapsed();
        let is_due = self.has_results && (since >= WRITE_AFTER || self.course.unwritten() >= RESULTS);
        if is_due || self.report.disabled.is_some() {
            return self.write().await;
        }
        if since >= RENEW_AFTER {
            return self.renew().await;
        }
        Ok(true)
    }

    async fn write(&mut self) -> Result<bool, SendError> {
        let begun = Instant::now();
        self.has_results = false;
        self.written = begun;
        let mut report = std::mem::take(&mut self.report);
        match self.course.progress() {
            Some(progress) => report.progress = progress,
            None if report == Report::default() => return Ok(true),
            None => {
                report.progress.settled_seq = self.course.settled_seq();
                report.progress.circuit = self.course.circuit();
            }
        }
        let (lease, until) = (self.lease.clone(), self.shared.lease_until());
        let ends = report.disabled.is_some();
        failpoint::reach("endpoints.before_write");
        let is_kept = self.shared.write(move |conn| stored::report(conn, &lease, &report, until)).await?;
        self.may_send_until = begun + SENDING;
        Ok(is_kept && !ends)
    }

    async fn renew(&mut self) -> Result<bool, SendError> {
        let begun = Instant::now();
        let (lease, until) = (self.lease.clone(), self.shared.lease_until());
        self.written = begun;
        let is_kept = self.shared.write(move |conn| stored::renew(conn, &lease, until)).await?;
        self.may_send_until = begun + SENDING;
        Ok(is_kept)
    }

    /// Waits for a moment for the answers that are under way.
    async fn await_answers(&mut self) -> Result<(), SendError> {
        let until = Instant::now() + Duration::from_secs(2);
        while !self.requests.is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            let Ok(Some(done)) = timeout(left, self.requests.join_next()).await else { break };
            let (seq, answered) = done?;
            self.settle(seq, &answered);
        }
        Ok(())
    }

    /// The end of the service.
    async fn end(&mut self) -> Result<(), SendError> {
        self.await_answers().await?;
        self.write().await.map(drop)
    }
}
