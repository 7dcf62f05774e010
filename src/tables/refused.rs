//! Table `refused`: users and groups with a change that the database refuses, because of a constraint or trigger of
//! the application. All other changes are applied. A refused change is tried again until it is applied.

use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, Queryable, RunQueryDsl};

use crate::{
    db::{Conn, Serialized, schema::refused},
    decide::fact::EntityKind,
    runtime::clock::Timestamp,
};

/// The rank of a user with an approved hold. The other ranks are those of `recompute_jobs`.
pub const HOLD: i16 = 3;

/// A user or group with a change that the database refuses.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct RefusedChange {
    /// The number of the kind ([`super::code`]).
    pub kind: i16,
    /// The broker's id.
    pub id: String,
    /// The directory of the recompute, or the tenant of the hold.
    pub owner: String,
    /// The group, if the job is about its members; otherwise empty.
    pub group_id: String,
    /// The rank of the job, or [`HOLD`].
    pub rank: i16,
    /// The database's reason.
    pub detail: String,
    /// The number of attempts.
    pub attempts: i16,
    /// The time of the first refusal, in microseconds since 1970.
    pub since: i64,
    /// The time of the next attempt, in microseconds since 1970.
    pub due_at: i64,
}

/// The pause before the next attempt: 10 s, 20 s, 40 s, then a minute; after ten attempts ten minutes.
pub fn pause_seconds(attempts: i16) -> i64 {
    match attempts {
        ..=3 => 10_i64 << attempts.clamp(1, 3).saturating_sub(1),
        4..=10 => 60,
        _ => 600,
    }
}

/// The pause for a row that is locked for a moment.
pub const BUSY_SECONDS: i64 = 3;

impl RefusedChange {
    /// A change that was not refused yet.
    pub fn new(kind: i16, id: &str, owner: &str, group_id: &str, rank: i16) -> Self {
        Self {
            kind,
            id: id.to_owned(),
            owner: owner.to_owned(),
            group_id: group_id.to_owned(),
            rank,
            detail: String::new(),
            attempts: 0,
            since: 0,
            due_at: 0,
        }
    }

    /// For messages: `user u1` or `group g1`.
    pub fn name(&self) -> String {
        let kind = if super::kind(self.kind) == EntityKind::Group { "group" } else { "user" };
        format!("{kind} {}", self.id)
    }

    /// Stores it for a later attempt. A locked row does not count as an attempt. Returns whether it is refused for the
    /// first time.
    pub fn store(
        &self,
        conn: &mut Serialized<'_>,
        detail: &str,
        busy: bool,
        now: Timestamp,
    ) -> QueryResult<bool> {
        let known: Option<(i16, i64)> = refused::table
            .find((self.kind, &self.id))
            .select((refused::attempts, refused::since))
            .first(&mut **conn)
            .optional()?;
        let (before, since) = known.unwrap_or((0, now.micros()));
        let attempts = if busy { before } else { before.saturating_add(1) };
        let pause = if busy { BUSY_SECONDS } else { pause_seconds(attempts) };
        diesel::delete(refused::table.find((self.kind, &self.id))).execute(&mut **conn)?;
        diesel::insert_into(refused::table)
            .values((
                refused::kind.eq(self.kind),
                refused::id.eq(&self.id),
                refused::owner.eq(&self.owner),
                refused::group_id.eq(&self.group_id),
                refused::rank.eq(self.rank),
                refused::detail.eq(detail),
                refused::attempts.eq(attempts),
                refused::since.eq(since),
                refused::due_at.eq(now.plus_seconds(pause).micros()),
            ))
            .execute(&mut **conn)?;
        Ok((before, attempts) == (0, 1))
    }

    /// Removes it, after it was applied.
    pub fn forget(&self, conn: &mut Serialized<'_>) -> QueryResult<()> {
        diesel::delete(refused::table.find((self.kind, &self.id))).execute(&mut **conn)?;
        Ok(())
    }
}

/// The changes that are due. Users come before groups, because a user may lose access.
pub fn due(conn: &mut Conn, now: Timestamp, limit: i64) -> QueryResult<Vec<RefusedChange>> {
    refused::table
        .filter(refused::due_at.le(now.micros()))
        .order((refused::kind, refused::due_at, refused::id))
        .limit(limit)
        .load(conn)
}

/// The refused change of an entity.
pub fn find(conn: &mut Conn, kind: i16, id: &str) -> QueryResult<Option<RefusedChange>> {
    refused::table.find((kind, id)).first(conn).optional()
}

/// Erases the database's messages about these users, because they may contain personal data.
pub fn erase(conn: &mut Conn, user_ids: &[String]) -> QueryResult<()> {
    let of_users = refused::table
        .filter(refused::kind.eq(super::code(EntityKind::User)))
        .filter(refused::id.eq_any(user_ids));
    diesel::update(of_users).set(refused::detail.eq("erased")).execute(conn)?;
    Ok(())
}

/// All refused changes, the oldest first.
pub fn list(conn: &mut Conn) -> QueryResult<Vec<RefusedChange>> {
    refused::table.order((refused::since, refused::kind, refused::id)).load(conn)
}

/// The number of refused changes, and the time of the oldest.
pub fn waiting(conn: &mut Conn) -> QueryResult<(i64, Option<Timestamp>)> {
    let count: i64 = refused::table.count().get_result(conn)?;
    let oldest: Option<i64> =
        refused::table.order(refused::since).select(refused::since).first(conn).optional()?;
    Ok((count, oldest.map(Timestamp::from_micros)))
}
