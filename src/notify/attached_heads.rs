//! Reads the heads of the audit trail for a claimed mail, from one snapshot after the claim.

use super::render::{Heads, News};
use crate::{
    audit::daily_heads,
    db::{Conn, DbError},
    runtime::clock::Timestamp,
};

/// Reads the heads of all chains. `None` without a chain.
pub fn of(conn: &mut Conn, now: Timestamp) -> Result<Option<News>, DbError> {
    let heads = daily_heads::current(conn, None, now)?;
    Ok((!heads.is_empty()).then_some(News::AuditHeads(Heads { at: now, heads })))
}
