//! Mails as operators see them: listed, shown, and put back into line.

use diesel::{
    BoolExpressionMethods, ExpressionMethods, IntoSql, OptionalExtension, QueryDsl, QueryResult, Queryable,
    RunQueryDsl, Selectable, SelectableHelper, sql_types::Bool,
};

use strum::{IntoStaticStr, VariantArray};

use crate::{
    clock::Timestamp,
    db::{
        Conn,
        schema::{mails, outbox},
    },
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum State {
    /// On its way, or waiting for its next attempt
    Waiting,
    Sent,
    /// What it would have told was not true any more, or is switched off
    Needless,
    /// Given up
    Dead,
}

impl State {
    const fn name(self) -> &'static str {
        self.into_str()
    }
}

#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = mails)]
pub struct Mail {
    pub id: i64,
    pub tenant_id: String,
    pub bundle: String,
    pub message_id: String,
    pub state: String,
    pub attempts: i16,
    pub due_at: i64,
    pub created_at: i64,
    pub finished_at: Option<i64>,
    pub last_error: Option<String>,
    pub refused: i32,
    pub refusal: Option<String>,
    pub fell_back: bool,
}

#[derive(Clone, Debug, Queryable)]
pub struct Notice {
    pub id: i64,
    pub kind: String,
    pub user_id: String,
    pub created_at: i64,
    pub told_at: Option<i64>,
}

/// The newest first.
pub fn list(
    conn: &mut Conn,
    state: Option<State>,
    tenant: Option<&str>,
    limit: i64,
) -> QueryResult<Vec<Mail>> {
    let states = state.map_or_else(|| State::VARIANTS.to_vec(), |state| vec![state]);
    let any = tenant.is_none().into_sql::<Bool>();
    mails::table
        .filter(mails::state.eq_any(states.into_iter().map(State::name)))
        .filter(mails::tenant_id.eq(tenant.unwrap_or_default()).or(any))
        .order(mails::id.desc())
        .limit(limit)
        .select(Mail::as_select())
        .load(conn)
}

/// The mail, the first of its notices, and how many there are.
pub fn show(conn: &mut Conn, id: i64, most: i64) -> QueryResult<Option<(Mail, Vec<Notice>, i64)>> {
    let Some(mail) = mails::table.find(id).select(Mail::as_select()).first(conn).optional()? else {
        return Ok(None);
    };
    let of_mail = || outbox::table.filter(outbox::mail_id.eq(id));
    let count = of_mail().count().get_result(conn)?;
    let columns = (outbox::id, outbox::kind, outbox::user_id, outbox::created_at, outbox::told_at);
    let notices = of_mail().order(outbox::id).limit(most).select(columns).load(conn)?;
    Ok(Some((mail, notices, count)))
}

/// A mail that was given up is due at once, with all its attempts before it; false when there is no such mail.
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
