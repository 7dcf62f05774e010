//! Table `facts`: the newest word on each entity under each claim.

use diesel::{BoolExpressionMethods, ExpressionMethods, QueryDsl, QueryResult, RunQueryDsl};

use super::{code, kind};
use crate::{
    clock::Timestamp,
    db::{Conn, bulk::Rows, schema::facts},
    decide::state::Standing,
    fact::{Kind, Version},
};

type Row = (String, i16, i64, i64, i64, String, Option<i64>, bool, i64, i64);

/// Where a word stands: its entity, and what is said.
pub type Placed = (Kind, String, Standing);

fn placed((id, kind_code, claim_id, at, emitted, event, revealed_by, live, digest, inbox_id): Row) -> Placed {
    let (at, emitted) = (Timestamp::from_micros(at), Timestamp::from_micros(emitted));
    let version = Version { at, emitted, event };
    (kind(kind_code), id, Standing { claim_id, version, revealed_by, live, digest, inbox_id })
}

/// All words on these ids, of whatever kind and claim.
pub fn on(conn: &mut Conn, ids: &[&str]) -> QueryResult<Vec<Placed>> {
    let rows: Vec<Row> = facts::table.filter(facts::id.eq_any(ids)).load(conn)?;
    Ok(rows.into_iter().map(placed).collect())
}

/// The users and groups spoken of under these claims, in order, after (`id`, `kind`).
pub fn under(
    conn: &mut Conn,
    claim_ids: &[i64],
    after: (&str, i16),
    limit: i64,
) -> QueryResult<Vec<(String, i16)>> {
    let (id, kind_after) = after;
    facts::table
        .filter(facts::claim_id.eq_any(claim_ids))
        .filter(facts::id.gt(id).or(facts::id.eq(id).and(facts::kind.gt(kind_after))))
        .filter(facts::kind.ge(code(Kind::User)))
        .order((facts::id, facts::kind))
        .select((facts::id, facts::kind))
        .limit(limit)
        .load(conn)
}

pub fn upsert(conn: &mut Conn, words: &[(&str, Kind, &Standing)]) -> QueryResult<()> {
    Rows::of(words)
        .text("id", |word| word.0)
        .integer("kind", |word| code(word.1).into())
        .integer("claim_id", |word| word.2.claim_id)
        .integer("at", |word| word.2.version.at.micros())
        .integer("emitted", |word| word.2.version.emitted.micros())
        .text("event", |word| &word.2.version.event)
        .optional_integer("revealed_by", |word| word.2.revealed_by)
        .boolean("live", |word| word.2.live)
        .integer("digest", |word| word.2.digest)
        .integer("inbox_id", |word| word.2.inbox_id)
        .execute(
            conn,
            "INSERT INTO facts (id, kind, claim_id, at, emitted, event, revealed_by, live, digest, inbox_id) \
             SELECT r.id, r.kind, r.claim_id, r.at, r.emitted, r.event, r.revealed_by, r.live, r.digest, r.inbox_id \
             FROM {rows} WHERE true \
             ON CONFLICT (id, kind, claim_id) DO UPDATE SET at = excluded.at, emitted = excluded.emitted, \
             event = excluded.event, revealed_by = excluded.revealed_by, live = excluded.live, \
             digest = excluded.digest, inbox_id = excluded.inbox_id",
        )?;
    Ok(())
}
