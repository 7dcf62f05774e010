//! Reads old deliveries that are neither in the queue nor dead letters, page by page. `retention` decides which are deleted.

use std::collections::HashSet;

use diesel::{ExpressionMethods, QueryDsl, QueryResult, RunQueryDsl};

use crate::{
    db::{
        Conn,
        bulk::Rows,
        schema::{dead_letters, inbox, inbox_queue},
    },
    runtime::clock::Timestamp,
};

/// The number of deliveries in one page.
const PAGE: i64 = 500;

/// A stored delivery.
pub struct OldDelivery {
    /// Its number.
    pub id: i64,
    /// The broker's name.
    pub source: String,
    /// The event's id.
    pub event_key: String,
    /// As in table `inbox`: 0 to apply, 1 ignored, 2 not understood.
    pub disposition: i16,
    /// The signed bytes.
    pub body: Vec<u8>,
}

/// The next deliveries after id `cursor` that were received before `before`, and the next cursor. The cursor is `None` at
/// the end or at newer deliveries. Ids grow with the time of reception.
pub fn page(conn: &mut Conn, cursor: i64, before: Timestamp) -> QueryResult<(Vec<OldDelivery>, Option<i64>)> {
    let rows: Vec<(i64, i64)> = inbox::table
        .filter(inbox::id.gt(cursor))
        .order(inbox::id)
        .select((inbox::id, inbox::received_at))
        .limit(PAGE)
        .load(conn)?;
    let full = rows.len() as i64 == PAGE;
    let old: Vec<i64> =
        rows.iter().take_while(|(_, received)| *received < before.micros()).map(|(id, _)| *id).collect();
    let last = old.last().copied().filter(|_| full && old.len() == rows.len());
    let waiting: Vec<i64> = inbox_queue::table
        .filter(inbox_queue::inbox_id.eq_any(&old))
        .select(inbox_queue::inbox_id)
        .load(conn)?;
    let dead: Vec<i64> = dead_letters::table
        .filter(dead_letters::inbox_id.eq_any(&old))
        .select(dead_letters::inbox_id)
        .load(conn)?;
    let busy: HashSet<i64> = waiting.into_iter().chain(dead).collect();
    let wanted: Vec<i64> = old.into_iter().filter(|id| !busy.contains(id)).collect();
    let page: Vec<(i64, String, String, i16, Vec<u8>)> = inbox::table
        .filter(inbox::id.eq_any(wanted))
        .order(inbox::id)
        .select((inbox::id, inbox::source, inbox::event_key, inbox::disposition, inbox::body))
        .load(conn)?;
    let old =
        |(id, source, event_key, disposition, body)| OldDelivery { id, source, event_key, disposition, body };
    Ok((page.into_iter().map(old).collect(), last))
}

/// Deletes deliveries from the log.
pub fn drop(conn: &mut Conn, deliveries: &[OldDelivery]) -> QueryResult<()> {
    Rows::of(deliveries)
        .integer("id", |old| old.id)
        .execute(conn, "DELETE FROM inbox WHERE id IN (SELECT r.id FROM {rows})")?;
    Ok(())
}
