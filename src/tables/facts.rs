//! Table `facts`: the latest fact about each entity under each claim.

use std::collections::BTreeSet;

use diesel::{
    BoolExpressionMethods, ExpressionMethods, QueryDsl, QueryResult, QueryableByName, RunQueryDsl,
    dsl::sql,
    sql_types::{Bool, Text},
};

use super::{code, kind};
use crate::{
    db::{
        Conn, Serialized,
        bulk::{Rows, Upsert},
        schema::facts,
    },
    decide::{
        fact::{EntityKind, Version},
        state::{Bearer, GroupDeletion, LatestFact, UserDeletion},
    },
    runtime::clock::Timestamp,
};

/// A latest fact with the kind and the id of its entity.
pub type Placed = (EntityKind, String, LatestFact);

#[derive(QueryableByName)]
#[diesel(table_name = facts)]
struct Row {
    id: String,
    kind: i16,
    claim_id: i64,
    at: i64,
    emitted: i64,
    event: String,
    revealed_by: Option<i64>,
    live: bool,
    ended_at: Option<i64>,
    ended_event: Option<String>,
    ended_by: Option<i64>,
    bearers: Option<String>,
    deletion: Option<String>,
    digest: i64,
    inbox_id: i64,
}

fn placed(row: Row) -> Placed {
    let Row { id, claim_id, event, revealed_by, live, digest, inbox_id, .. } = row;
    let ended = match (row.ended_at, row.ended_event, row.ended_by) {
        (Some(at), Some(event), Some(inbox_id)) => {
            Some(GroupDeletion { at: Timestamp::from_micros(at), event, inbox_id })
        }
        _ => None,
    };
    let bearers = row.bearers.as_deref().map(read_bearers).unwrap_or_default();
    let deletion = row.deletion.as_deref().map(read_deletion);
    let (at, emitted) = (Timestamp::from_micros(row.at), Timestamp::from_micros(row.emitted));
    let version = Version { at, emitted, event };
    (
        kind(row.kind),
        id,
        LatestFact { claim_id, version, revealed_by, live, ended, bearers, deletion, digest, inbox_id },
    )
}

/// All latest facts about these ids, of any kind and claim.
pub fn on(conn: &mut Conn, ids: &[&str]) -> QueryResult<Vec<Placed>> {
    let rows: Vec<Row> = Rows::of(ids).text("id", |id| id).load(
        conn,
        "SELECT f.id, f.kind, f.claim_id, f.at, f.emitted, f.event, f.revealed_by, f.live, f.ended_at, f.ended_event, \
         f.ended_by, f.bearers, f.deletion, f.digest, f.inbox_id \
         FROM {rows} JOIN facts f ON f.id = r.id",
    )?;
    Ok(rows.into_iter().map(placed).collect())
}

/// The users and groups with facts under these claims, sorted, after (`id`, `kind`).
pub fn under(
    conn: &mut Conn,
    claim_ids: &[i64],
    after: (&str, i16),
    limit: usize,
) -> QueryResult<Vec<(String, i16)>> {
    let (id, kind_after) = after;
    facts::table
        .filter(facts::claim_id.eq_any(claim_ids))
        .filter(facts::id.gt(id).or(facts::id.eq(id).and(facts::kind.gt(kind_after))))
        // Users and groups, as a literal: with a bind the database would not use the partial index.
        .filter(sql::<Bool>("facts.kind >= 2"))
        .order((facts::id, facts::kind))
        .select((facts::id, facts::kind))
        .limit(i64::try_from(limit).unwrap_or(i64::MAX))
        .load(conn)
}

/// The groups that were deleted under these claims, whether or not they were made again.
pub fn ended_groups(conn: &mut Conn, claim_ids: &[i64]) -> QueryResult<Vec<String>> {
    #[derive(QueryableByName)]
    struct Ended {
        #[diesel(sql_type = Text)]
        id: String,
    }
    // The kind is no parameter: a partial index serves only conditions that the planner knows.
    let sql = format!(
        "SELECT DISTINCT f.id FROM {{rows}} JOIN facts f ON f.claim_id = r.claim_id AND f.kind = {} \
         WHERE f.ended_at IS NOT NULL",
        code(EntityKind::Group)
    );
    let found: Vec<Ended> = Rows::of(claim_ids).integer("claim_id", |id| *id).load(conn, &sql)?;
    Ok(found.into_iter().map(|row| row.id).collect())
}

const FACT: Upsert<'_> = Upsert {
    table: "facts",
    key: &["id", "kind", "claim_id"],
    set: &[
        "at",
        "emitted",
        "event",
        "revealed_by",
        "live",
        "ended_at",
        "ended_event",
        "ended_by",
        "bearers",
        "deletion",
        "digest",
        "inbox_id",
    ],
    ..Upsert::PLAIN
};

/// A stored bearer: `idp_id`, address; time, event's time, event, whether it is a deletion, delivery of the latest
/// fact; time, event, delivery of the newest event; earliest time, delivery of the earliest fact.
type StoredBearer = (Option<String>, Option<String>, i64, i64, String, bool, i64, i64, String, i64, i64, i64);

/// Reads the form that is written below.
fn read_bearers(text: &str) -> Vec<Bearer> {
    let stored: Vec<StoredBearer> = serde_json::from_str(text).unwrap_or_default();
    let time = Timestamp::from_micros;
    let bearer = |stored: StoredBearer| {
        let (
            idp_id,
            email_key,
            at,
            emitted,
            event,
            ends,
            inbox_id,
            last_event_at,
            last_event,
            last_event_by,
            first,
            first_by,
        ) = stored;
        Bearer {
            idp_id,
            email_key,
            newest: Version { at: time(at), emitted: time(emitted), event },
            ends,
            inbox_id,
            last_event: (time(last_event_at), last_event),
            last_event_by,
            first: time(first),
            first_by,
        }
    };
    stored.into_iter().map(bearer).collect()
}

fn write_bearers(bearers: &[Bearer]) -> Option<String> {
    let stored = |bearer: &Bearer| -> StoredBearer {
        let Bearer { idp_id, email_key, newest, ends, inbox_id, last_event, last_event_by, first, first_by } =
            bearer.clone();
        let Version { at, emitted, event } = newest;
        let (at, emitted) = (at.micros(), emitted.micros());
        let (last_event_at, last_event, first) = (last_event.0.micros(), last_event.1, first.micros());
        (
            idp_id,
            email_key,
            at,
            emitted,
            event,
            ends,
            inbox_id,
            last_event_at,
            last_event,
            last_event_by,
            first,
            first_by,
        )
    };
    let stored: Vec<StoredBearer> = bearers.iter().map(stored).collect();
    // Texts and numbers only, so serialization cannot fail.
    if stored.is_empty() { None } else { serde_json::to_string(&stored).ok() }
}

/// The newest fact before a deletion: time, event's time, event, delivery.
type StoredVersion = Option<(i64, i64, String, i64)>;

/// Reads the form that is written below.
fn read_deletion(text: &str) -> UserDeletion {
    let stored: StoredVersion = serde_json::from_str(text).unwrap_or_default();
    let time = Timestamp::from_micros;
    let before = stored.map(|(at, emitted, event, inbox_id)| {
        (Version { at: time(at), emitted: time(emitted), event }, inbox_id)
    });
    UserDeletion { before }
}

fn write_deletion(deletion: &UserDeletion) -> String {
    let stored: StoredVersion = deletion
        .before
        .clone()
        .map(|(version, inbox_id)| (version.at.micros(), version.emitted.micros(), version.event, inbox_id));
    // Texts and numbers only, so serialization cannot fail.
    serde_json::to_string(&stored).unwrap_or_default()
}

/// Writes latest facts.
pub fn upsert(conn: &mut Serialized<'_>, facts: &[(&str, EntityKind, &LatestFact)]) -> QueryResult<()> {
    let facts: Vec<_> = facts
        .iter()
        .map(|fact| {
            let deletion = fact.2.deletion.as_ref().map(write_deletion);
            (fact.0, fact.1, fact.2, write_bearers(&fact.2.bearers), deletion)
        })
        .collect();
    Rows::of(&facts)
        .text("id", |fact| fact.0)
        .integer("kind", |fact| code(fact.1).into())
        .integer("claim_id", |fact| fact.2.claim_id)
        .integer("at", |fact| fact.2.version.at.micros())
        .integer("emitted", |fact| fact.2.version.emitted.micros())
        .text("event", |fact| &fact.2.version.event)
        .optional_integer("revealed_by", |fact| fact.2.revealed_by)
        .boolean("live", |fact| fact.2.live)
        .optional_integer("ended_at", |fact| Some(fact.2.ended.as_ref()?.at.micros()))
        .optional_text("ended_event", |fact| Some(fact.2.ended.as_ref()?.event.as_str()))
        .optional_integer("ended_by", |fact| Some(fact.2.ended.as_ref()?.inbox_id))
        .optional_text("bearers", |fact| fact.3.as_deref())
        .optional_text("deletion", |fact| fact.4.as_deref())
        .integer("digest", |fact| fact.2.digest)
        .integer("inbox_id", |fact| fact.2.inbox_id)
        .upsert(conn, &FACT)?;
    Ok(())
}

/// Whom facts about users have named, under these claims: (user, claim, bearers). For an erasure.
pub fn put_bearers(conn: &mut Serialized<'_>, named: &[(String, i64, Vec<Bearer>)]) -> QueryResult<()> {
    let written: Vec<Option<String>> = named.iter().map(|named| write_bearers(&named.2)).collect();
    let rows: Vec<_> = named.iter().zip(&written).collect();
    Rows::of(&rows)
        .text("id", |row| &row.0.0)
        .integer("kind", |_| code(EntityKind::User).into())
        .integer("claim_id", |row| row.0.1)
        .optional_text("bearers", |row| row.1.as_deref())
        .execute(
            conn,
            "UPDATE facts SET bearers = r.bearers FROM {rows} \
             WHERE facts.id = r.id AND facts.kind = r.kind AND facts.claim_id = r.claim_id",
        )?;
    Ok(())
}

/// What facts about these users of a tenant have named, for an erasure: their deliveries name nobody any more.
pub fn forget_bearers(conn: &mut Serialized<'_>, tenant_id: &str, ids: &BTreeSet<String>) -> QueryResult<()> {
    let ids: Vec<&String> = ids.iter().collect();
    Rows::of(&ids)
        .text("id", |id| id)
        .integer("kind", |_| code(EntityKind::User).into())
        .text("tenant_id", |_| tenant_id)
        .execute(
            conn,
            "UPDATE facts SET bearers = NULL FROM {rows} WHERE facts.id = r.id AND facts.kind = r.kind \
             AND facts.claim_id IN (SELECT c.id FROM claims c WHERE c.tenant_id = r.tenant_id)",
        )?;
    Ok(())
}

/// Other digests of the facts about users that these deliveries hold: (user, delivery, digest).
pub fn move_digests(conn: &mut Serialized<'_>, digests: &[(String, i64, i64)]) -> QueryResult<()> {
    Rows::of(digests)
        .text("id", |row| &row.0)
        .integer("inbox_id", |row| row.1)
        .integer("digest", |row| row.2)
        .integer("kind", |_| code(EntityKind::User).into())
        .execute(
            conn,
            "UPDATE facts SET digest = r.digest FROM {rows} \
             WHERE facts.id = r.id AND facts.kind = r.kind AND facts.inbox_id = r.inbox_id",
        )?;
    Ok(())
}
