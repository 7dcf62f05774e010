//! Table `endpoints`, and the transactions of the process that posts.

use diesel::{
    QueryResult, QueryableByName,
    sql_types::{BigInt, Bool, Nullable, Text},
};
use secrecy::{ExposeSecret, SecretString};

use super::{
    attempts::{self, Attempt},
    circuit::Circuit,
    course::Progress,
    waiting,
};
use crate::{
    db::{Conn, bulk::Rows},
    feed::head::FeedHead,
    runtime::clock::Timestamp,
};

/// The state of an endpoint that gets webhooks.
const ACTIVE: &str = "active";
const DISABLED: &str = "disabled";

/// An endpoint. Printing it shows neither its URL, which may contain a secret, nor its secrets.
#[derive(Clone)]
pub struct Endpoint {
    /// Its id.
    pub id: String,
    /// The operator's name for it.
    pub name: String,
    /// Where its webhooks go.
    pub url: SecretString,
    /// It gets only records of this tenant.
    pub tenant_id: Option<String>,
    /// It gets only records of these kinds; all if the list is empty.
    pub kinds: Vec<String>,
    /// Whether its address may be private, and may have no TLS.
    pub allow_private: bool,
    /// The key of its signatures.
    pub secret: SecretString,
    /// The key before, and until when it signs, too.
    pub previous: Option<(SecretString, Timestamp)>,
    /// All records up to this one are settled, or are rows of `endpoint_waiting`.
    pub settled_seq: i64,
    /// Why it is disabled; `None` while it is active.
    pub disabled: Option<String>,
    /// Failures in a row.
    pub circuit: Circuit,
    /// Grows with each change by an operator.
    pub revision: i64,
    /// Grows with each lease.
    pub fence: i64,
    /// Until when a process posts.
    pub lease_until: Timestamp,
    /// Records that it took.
    pub delivered: i64,
    /// Records that failed for too long.
    pub given_up: i64,
    /// Records that were deleted before they were sent.
    pub lost: i64,
    /// The time of the last success.
    pub last_success_at: Option<Timestamp>,
    /// The time of the last failure.
    pub last_failure_at: Option<Timestamp>,
    /// The last failure.
    pub last_error: Option<String>,
    /// The operator.
    pub created_by: String,
    /// When it was added.
    pub created_at: Timestamp,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint")
            .field("id", &self.id)
            .field("settled_seq", &self.settled_seq)
            .finish_non_exhaustive()
    }
}

impl Endpoint {
    /// The keys that sign now, the newest first.
    pub fn secrets(&self, now: Timestamp) -> Vec<&str> {
        let previous = self.previous.iter().filter(|(_, until)| now < *until).map(|(secret, _)| secret);
        std::iter::once(&self.secret).chain(previous).map(ExposeSecret::expose_secret).collect()
    }

    /// Whether it gets records of this kind.
    pub fn wants(&self, kind: &str) -> bool {
        self.kinds.is_empty() || self.kinds.iter().any(|one| one == kind)
    }

    /// `active`, `paused` (it fails, and gets one request now and then), `overtaken` or `disabled`.
    pub fn state(&self, head: FeedHead) -> &'static str {
        match self {
            Self { disabled: Some(_), .. } => DISABLED,
            _ if self.is_overtaken(head) => "overtaken",
            _ if self.circuit.is_open() => "paused",
            _ => ACTIVE,
        }
    }

    /// Records that it has not got were deleted.
    pub fn is_overtaken(&self, head: FeedHead) -> bool {
        self.settled_seq + 1 < head.first_seq
    }

    /// Records behind its position.
    pub fn lag(&self, head: FeedHead) -> i64 {
        (head.seq - self.settled_seq).max(0)
    }
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    id: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    url: String,
    #[diesel(sql_type = Nullable<Text>)]
    tenant_id: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    kinds: Option<String>,
    #[diesel(sql_type = Bool)]
    allow_private: bool,
    #[diesel(sql_type = Text)]
    secret: String,
    #[diesel(sql_type = Nullable<Text>)]
    previous_secret: Option<String>,
    #[diesel(sql_type = Nullable<BigInt>)]
    previous_until: Option<i64>,
    #[diesel(sql_type = BigInt)]
    settled_seq: i64,
    #[diesel(sql_type = Text)]
    state: String,
    #[diesel(sql_type = Nullable<Text>)]
    reason: Option<String>,
    #[diesel(sql_type = BigInt)]
    failures: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    open_until: Option<i64>,
    #[diesel(sql_type = BigInt)]
    revision: i64,
    #[diesel(sql_type = BigInt)]
    fence: i64,
    #[diesel(sql_type = BigInt)]
    lease_until: i64,
    #[diesel(sql_type = BigInt)]
    delivered: i64,
    #[diesel(sql_type = BigInt)]
    given_up: i64,
    #[diesel(sql_type = BigInt)]
    lost: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    last_success_at: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    last_failure_at: Option<i64>,
    #[diesel(sql_type = Nullable<Text>)]
    last_error: Option<String>,
    #[diesel(sql_type = Text)]
    created_by: String,
    #[diesel(sql_type = BigInt)]
    created_at: i64,
}

impl From<Row> for Endpoint {
    fn from(row: Row) -> Self {
        let time = |micros: Option<i64>| micros.map(Timestamp::from_micros);
        let kinds = row.kinds.unwrap_or_default();
        Self {
            id: row.id,
            name: row.name,
            url: row.url.into(),
            tenant_id: row.tenant_id,
            kinds: kinds.split(',').filter(|kind| !kind.is_empty()).map(str::to_owned).collect(),
            allow_private: row.allow_private,
            secret: row.secret.into(),
            previous: row.previous_secret.map(SecretString::from).zip(time(row.previous_until)),
            settled_seq: row.settled_seq,
            disabled: (row.state != ACTIVE).then(|| row.reason.unwrap_or_default()),
            circuit: Circuit { failures: row.failures, open_until: time(row.open_until) },
            revision: row.revision,
            fence: row.fence,
            lease_until: Timestamp::from_micros(row.lease_until),
            delivered: row.delivered,
            given_up: row.given_up,
            lost: row.lost,
            last_success_at: time(row.last_success_at),
            last_failure_at: time(row.last_failure_at),
            last_error: row.last_error,
            created_by: row.created_by,
            created_at: Timestamp::from_micros(row.created_at),
        }
    }
}

const COLUMNS: &str = "e.id, e.name, e.url, e.tenant_id, e.kinds, e.allow_private, e.secret, e.previous_secret, e.previous_until, \
     e.settled_seq, e.state, e.reason, e.failures, e.open_until, e.revision, e.fence, e.lease_until, e.delivered, e.given_up, e.lost, \
     e.last_success_at, e.last_failure_at, e.last_error, e.created_by, e.created_at";

/// All endpoints, the oldest first.
pub fn all(conn: &mut Conn) -> QueryResult<Vec<Endpoint>> {
    let rows: Vec<Row> = Rows::of(&[0_i64]).integer("one", |one| *one).load(
        conn,
        &format!("SELECT {COLUMNS} FROM {{rows}} CROSS JOIN endpoints e ORDER BY e.created_at, e.id"),
    )?;
    Ok(rows.into_iter().map(Endpoint::from).collect())
}

/// The endpoint with this id.
pub fn get(conn: &mut Conn, id: &str) -> QueryResult<Option<Endpoint>> {
    let rows: Vec<Row> = Rows::of(&[id])
        .text("wanted", |id| id)
        .load(conn, &format!("SELECT {COLUMNS} FROM {{rows}} JOIN endpoints e ON e.id = r.wanted"))?;
    Ok(rows.into_iter().next().map(Endpoint::from))
}

/// Stores a new endpoint.
pub fn insert(conn: &mut Conn, endpoint: &Endpoint) -> QueryResult<()> {
    let kinds = endpoint.kinds.join(",");
    Rows::of(std::slice::from_ref(endpoint))
        .text("id", |one| &one.id)
        .text("name", |one| &one.name)
        .text("url", |one| one.url.expose_secret())
        .optional_text("tenant_id", |one| one.tenant_id.as_deref())
        .optional_text("kinds", |_| Some(kinds.as_str()).filter(|kinds| !kinds.is_empty()))
        .boolean("allow_private", |one| one.allow_private)
        .text("secret", |one| one.secret.expose_secret())
        .integer("settled_seq", |one| one.settled_seq)
        .text("created_by", |one| &one.created_by)
        .integer("created_at", |one| one.created_at.micros())
        .execute(
            conn,
            &format!(
                "INSERT INTO endpoints (id, name, url, tenant_id, kinds, allow_private, secret, settled_seq, state, failures, revision, fence, \
                 lease_until, delivered, given_up, lost, created_by, created_at) \
                 SELECT r.id, r.name, r.url, r.tenant_id, r.kinds, r.allow_private, r.secret, r.settled_seq, '{ACTIVE}', 0, 0, 0, \
                 0, 0, 0, 0, r.created_by, r.created_at FROM {{rows}}"
            ),
        )?;
    Ok(())
}

/// Removes an endpoint with all that is stored about it. Returns false if there is none.
pub fn remove(conn: &mut Conn, id: &str) -> QueryResult<bool> {
    waiting::remove_from(conn, id, i64::MIN)?;
    attempts::remove_all(conn, id)?;
    let removed = Rows::of(&[id])
        .text("id", |id| id)
        .execute(conn, "DELETE FROM endpoints WHERE id IN (SELECT r.id FROM {rows})")?;
    Ok(removed > 0)
}

/// Changes an endpoint as an operator. The process that posts reads the row again. Returns false if there is none.
fn change(conn: &mut Conn, id: &str, assignments: &str, (number, text): (i64, &str)) -> QueryResult<bool> {
    let changed =
        Rows::of(&[id]).text("id", |id| id).integer("number", |_| number).text("text", |_| text).execute(
            conn,
            &format!(
                "UPDATE endpoints SET {assignments}, revision = endpoints.revision + 1 FROM {{rows}} \
             WHERE endpoints.id = r.id"
            ),
        )?;
    Ok(changed > 0)
}

/// Webhooks go to it again, from its position on.
pub fn enable(conn: &mut Conn, id: &str) -> QueryResult<bool> {
    let assignments = format!("state = '{ACTIVE}', reason = NULL, failures = 0, open_until = NULL");
    change(conn, id, &assignments, (0, ""))
}

/// No webhook goes to it. Its position stays.
pub fn disable(conn: &mut Conn, id: &str, reason: &str) -> QueryResult<bool> {
    change(conn, id, &format!("state = '{DISABLED}', reason = r.text"), (0, reason))
}

/// Replaces the secret. The old one signs, too, until this time.
pub fn rotate(conn: &mut Conn, id: &str, secret: &SecretString, until: Timestamp) -> QueryResult<bool> {
    let assignments = "previous_secret = endpoints.secret, previous_until = r.number, secret = r.text";
    change(conn, id, assignments, (until.micros(), secret.expose_secret()))
}

/// Sends all records from this one on once more.
pub fn replay(conn: &mut Conn, id: &str, from: i64) -> QueryResult<bool> {
    waiting::remove_from(conn, id, from)?;
    let assignments = "settled_seq = r.number, failures = 0, open_until = NULL, given_up = 0, lost = 0";
    change(conn, id, assignments, (from - 1, ""))
}

/// The right to post to an endpoint, as it was when it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The endpoint.
    pub endpoint_id: String,
    /// The number of the lease.
    pub fence: i64,
    /// The number of the last change by an operator.
    pub revision: i64,
}

/// Takes the lease if nobody has it, and nothing has changed since the endpoint was read.
pub fn take(
    conn: &mut Conn,
    endpoint: &Endpoint,
    until: Timestamp,
    now: Timestamp,
) -> QueryResult<Option<Lease>> {
    let taken = Rows::of(std::slice::from_ref(endpoint))
        .text("id", |endpoint| &endpoint.id)
        .integer("fence", |endpoint| endpoint.fence)
        .integer("revision", |endpoint| endpoint.revision)
        .integer("until", |_| until.micros())
        .integer("now", |_| now.micros())
        .execute(
            conn,
            &format!(
                "UPDATE endpoints SET fence = endpoints.fence + 1, lease_until = r.until FROM {{rows}} \
                 WHERE endpoints.id = r.id AND endpoints.fence = r.fence AND endpoints.revision = r.revision \
                 AND endpoints.lease_until <= r.now AND endpoints.state = '{ACTIVE}'"
            ),
        )?;
    let Endpoint { id, fence, revision, .. } = endpoint;
    Ok((taken > 0).then(|| Lease { endpoint_id: id.clone(), fence: fence + 1, revision: *revision }))
}

/// Extends the lease. Returns false if it is lost, or if an operator has changed the endpoint.
pub fn renew(conn: &mut Conn, lease: &Lease, until: Timestamp) -> QueryResult<bool> {
    let renewed = Rows::of(std::slice::from_ref(lease))
        .text("id", |lease| &lease.endpoint_id)
        .integer("fence", |lease| lease.fence)
        .integer("revision", |lease| lease.revision)
        .integer("until", |_| until.micros())
        .execute(
            conn,
            "UPDATE endpoints SET lease_until = r.until FROM {rows} WHERE endpoints.id = r.id \
             AND endpoints.fence = r.fence AND endpoints.revision = r.revision",
        )?;
    Ok(renewed > 0)
}

/// Gives the lease back, if it is not lost.
pub fn release(conn: &mut Conn, lease: &Lease) -> QueryResult<()> {
    Rows::of(std::slice::from_ref(lease))
        .text("id", |lease| &lease.endpoint_id)
        .integer("fence", |lease| lease.fence)
        .execute(
            conn,
            "UPDATE endpoints SET lease_until = 0 FROM {rows} \
             WHERE endpoints.id = r.id AND endpoints.fence = r.fence",
        )?;
    Ok(())
}

/// Ends all leases. For a database that only one process serves: those that it finds belong to dead processes.
pub fn release_all(conn: &mut Conn) -> QueryResult<()> {
    Rows::of(&[0_i64]).integer("none", |none| *none).execute(
        conn,
        "UPDATE endpoints SET lease_until = r.none FROM {rows} WHERE endpoints.lease_until <> r.none",
    )?;
    Ok(())
}

/// The results of requests since the last write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The changes of rows.
    pub progress: Progress,
    /// Attempts for the log.
    pub attempts: Vec<Attempt>,
    /// The time of the last success.
    pub last_success_at: Option<Timestamp>,
    /// The last failure.
    pub last_failure: Option<(Timestamp, String)>,
    /// The endpoint wants no more webhooks, for this reason.
    pub disabled: Option<String>,
}

/// Stores a report, and extends the lease. Returns false if the lease is lost, or if an operator has changed the endpoint: then
/// nothing is stored.
pub fn report(conn: &mut Conn, lease: &Lease, report: &Report, until: Timestamp) -> QueryResult<bool> {
    let Report { progress, attempts, last_success_at, last_failure, disabled } = report;
    let stored = Rows::of(std::slice::from_ref(lease))
        .text("id", |lease| &lease.endpoint_id)
        .integer("fence", |lease| lease.fence)
        .integer("revision", |lease| lease.revision)
        .integer("until", |_| until.micros())
        .integer("settled_seq", |_| progress.settled_seq)
        .integer("failures", |_| progress.circuit.failures)
        .optional_integer("open_until", |_| progress.circuit.open_until.map(Timestamp::micros))
        .integer("delivered", |_| progress.counts.delivered)
        .integer("given_up", |_| progress.counts.given_up)
        .integer("lost", |_| progress.counts.lost)
        .optional_integer("success_at", |_| last_success_at.map(Timestamp::micros))
        .optional_integer("failure_at", |_| last_failure.as_ref().map(|(at, _)| at.micros()))
        .optional_text("error", |_| last_failure.as_ref().map(|(_, error)| error.as_str()))
        .optional_text("disabled", |_| disabled.as_deref())
        .execute(
            conn,
            &format!(
                "UPDATE endpoints SET lease_until = r.until, settled_seq = r.settled_seq, failures = r.failures, \
                 open_until = r.open_until, delivered = endpoints.delivered + r.delivered, \
                 given_up = endpoints.given_up + r.given_up, lost = endpoints.lost + r.lost, \
                 last_success_at = coalesce(r.success_at, endpoints.last_success_at), \
                 last_failure_at = coalesce(r.failure_at, endpoints.last_failure_at), \
                 last_error = coalesce(r.error, endpoints.last_error), \
                 state = CASE WHEN r.disabled IS NULL THEN endpoints.state ELSE '{DISABLED}' END, \
                 reason = coalesce(r.disabled, endpoints.reason) FROM {{rows}} \
                 WHERE endpoints.id = r.id AND endpoints.fence = r.fence AND endpoints.revision = r.revision"
            ),
        )?;
    if stored == 0 {
        return Ok(false);
    }
    waiting::remove(conn, &lease.endpoint_id, &progress.removed)?;
    waiting::put(conn, &lease.endpoint_id, &progress.rows)?;
    attempts::add(conn, &lease.endpoint_id, attempts)?;
    Ok(true)
}

/// For each active endpoint, its id and the last record that retention need not keep for it.
pub fn needless(conn: &mut Conn) -> QueryResult<Vec<(String, i64)>> {
    let waiting = waiting::counts(conn)?;
    let first = |id: &str| waiting.iter().find(|(of, ..)| of == id).map(|(_, _, first)| first - 1);
    let active = all(conn)?.into_iter().filter(|endpoint| endpoint.disabled.is_none());
    Ok(active
        .map(|one| {
            let seq = first(&one.id).map_or(one.settled_seq, |first| first.min(one.settled_seq));
            (one.id, seq)
        })
        .collect())
}
