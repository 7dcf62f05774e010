//! Mails for operators: a list, one mail with its notices, and a retry.

use std::collections::HashMap;

use diesel::{
    BoolExpressionMethods, ExpressionMethods, IntoSql, OptionalExtension, QueryDsl, QueryResult, Queryable,
    RunQueryDsl, Selectable, SelectableHelper,
    dsl::{count_star, min},
    sql_types::Bool,
};

use strum::{IntoStaticStr, VariantArray};

use crate::{
    db::{
        Conn,
        schema::{mails, outbox},
    },
    runtime::clock::Timestamp,
};

/// The states of a mail, and of notices before they have one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum MailState {
    /// No mail yet: its notices wait for others, for the time of `mail.window_seconds` or the next hour
    Gathering,
    /// Not sent yet, or between two attempts
    Waiting,
    /// Each recipient has it, or was refused for ever
    Sent,
    /// Its notices were no longer true, or their kinds are switched off
    Needless,
    /// Given up after all attempts
    Dead,
}

impl MailState {
    /// Its name in the table and in lists.
    pub const fn name(self) -> &'static str {
        self.into_str()
    }
}

/// One row of `rosterd notices list`.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = mails)]
pub struct ListedMail {
    /// The mail's number.
    pub id: i64,
    /// The tenant whose administrators get it; empty for the operator.
    pub tenant_id: String,
    /// The bundle of its notices.
    pub bundle: String,
    /// The stable Message-ID.
    pub message_id: String,
    /// See [`MailState`].
    pub state: String,
    /// How often it was tried.
    pub attempts: i16,
    /// When it is tried next; microseconds.
    pub due_at: i64,
    /// When it was made; microseconds.
    pub created_at: i64,
    /// When it was sent or given up; microseconds.
    pub finished_at: Option<i64>,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// How many recipients the server refused for ever.
    pub refused: i32,
    /// The last refusal.
    pub refusal: Option<String>,
    /// Whether it went to the fallback address.
    pub fell_back: bool,
}

/// One notice of a mail.
#[derive(Clone, Debug, Queryable)]
pub struct ListedNotice {
    /// The notice's number.
    pub id: i64,
    /// See [`super::NoticeKind`].
    pub kind: String,
    /// The user that it is about; empty if it is about no user.
    pub user_id: String,
    /// When it was written; microseconds.
    pub created_at: i64,
    /// When a mail with it was sent; microseconds.
    pub notified_at: Option<i64>,
}

/// Mails, the newest first.
pub fn list(
    conn: &mut Conn,
    state: Option<MailState>,
    tenant: Option<&str>,
    limit: i64,
) -> QueryResult<Vec<ListedMail>> {
    let states = state.map_or_else(|| MailState::VARIANTS.to_vec(), |state| vec![state]);
    let any = tenant.is_none().into_sql::<Bool>();
    mails::table
        .filter(mails::state.eq_any(states.into_iter().map(MailState::name)))
        .filter(mails::tenant_id.eq(tenant.unwrap_or_default()).or(any))
        .order(mails::id.desc())
        .limit(limit)
        .select(ListedMail::as_select())
        .load(conn)
}

/// Notices of one tenant that become one mail together, and have none yet.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct Gathering {
    /// The tenant whose administrators get them; empty for the operator.
    pub tenant_id: String,
    /// Their bundle.
    pub bundle: String,
    /// How many there are.
    pub notices: i64,
    /// When the oldest was written; microseconds.
    since: Option<i64>,
}

impl Gathering {
    /// When the oldest was written.
    pub fn since(&self) -> Timestamp {
        Timestamp::from_micros(self.since.unwrap_or_default())
    }
}

/// Notices without a mail, the newest first.
pub fn gathering(conn: &mut Conn, tenant: Option<&str>, limit: i64) -> QueryResult<Vec<Gathering>> {
    let any = tenant.is_none().into_sql::<Bool>();
    outbox::table
        .filter(outbox::mail_id.is_null())
        .filter(outbox::tenant_id.eq(tenant.unwrap_or_default()).or(any))
        .group_by((outbox::tenant_id, outbox::bundle))
        .select((outbox::tenant_id, outbox::bundle, count_star(), min(outbox::created_at)))
        .order((min(outbox::created_at).desc(), outbox::tenant_id, outbox::bundle))
        .limit(limit)
        .load(conn)
}

/// The number of notices in each of these mails.
pub fn notice_counts(conn: &mut Conn, mails: &[ListedMail]) -> QueryResult<HashMap<i64, i64>> {
    let mut counts = HashMap::new();
    // In parts, because SQLite limits the number of bind parameters.
    for some in mails.chunks(1_000) {
        let ids: Vec<i64> = some.iter().map(|mail| mail.id).collect();
        let rows: Vec<(Option<i64>, i64)> = outbox::table
            .filter(outbox::mail_id.eq_any(ids))
            .group_by(outbox::mail_id)
            .select((outbox::mail_id, count_star()))
            .load(conn)?;
        counts.extend(rows.into_iter().filter_map(|(id, count)| Some((id?, count))));
    }
    Ok(counts)
}

/// The mail, its first `most` notices, and the number of all its notices. `None` when there is no such mail.
pub fn show(
    conn: &mut Conn,
    id: i64,
    most: i64,
) -> QueryResult<Option<(ListedMail, Vec<ListedNotice>, i64)>> {
    let Some(mail) = mails::table.find(id).select(ListedMail::as_select()).first(conn).optional()? else {
        return Ok(None);
    };
    let of_mail = || outbox::table.filter(outbox::mail_id.eq(id));
    let count = of_mail().count().get_result(conn)?;
    let columns = (outbox::id, outbox::kind, outbox::user_id, outbox::created_at, outbox::notified_at);
    let notices = of_mail().order(outbox::id).limit(most).select(columns).load(conn)?;
    Ok(Some((mail, notices, count)))
}

/// Makes a mail that was given up due at once, with the full number of attempts. Returns false when there is no such mail.
pub fn retry(conn: &mut Conn, id: i64, now: Timestamp) -> QueryResult<bool> {
    let dead = mails::table.find(id).filter(mails::state.eq("dead"));
    let again = (
        mails::state.eq("waiting"),
        mails::attempts.eq(0_i16),
        mails::due_at.eq(now.micros()),
        mails::finished_at.eq(None::<i64>),
    );
    Ok(diesel::update(dead).set(again).execute(conn)? > 0)
}
