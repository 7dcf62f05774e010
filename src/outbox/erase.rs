//! Erasure: removes personal data from notices, sent or not, in the caller's transaction.

use diesel::{BoolExpressionMethods, ExpressionMethods, QueryDsl, QueryResult, RunQueryDsl};
use serde_json::Value;

use super::kind::NoticeKind;
use crate::db::{Conn, schema::outbox};

type Row = (i64, String, String, String);

/// Removes personal data from notices about these users, from notices that also name other people, and from notices about
/// these deliveries. Returns the number of changed notices.
pub fn erase(conn: &mut Conn, tenant_id: &str, user_ids: &[String], inbox_ids: &[i64]) -> QueryResult<usize> {
    let columns = (outbox::id, outbox::kind, outbox::user_id, outbox::payload);
    let mut rows: Vec<Row> = outbox::table
        .filter(outbox::tenant_id.eq(tenant_id))
        .filter(outbox::user_id.eq_any(user_ids).or(outbox::kind.eq(NoticeKind::MappingApplied.name())))
        .select(columns)
        .load(conn)?;
    let of_operator: Vec<Row> = outbox::table
        .filter(outbox::tenant_id.eq(""))
        .filter(outbox::kind.eq(NoticeKind::DeliveryGivenUp.name()))
        .select(columns)
        .load(conn)?;
    rows.extend(of_operator);
    let mut erased = 0;
    for (id, kind, user_id, payload) in rows {
        let mut payload: Value = serde_json::from_str(&payload).unwrap_or_default();
        let hit = match NoticeKind::named(&kind) {
            _ if user_ids.contains(&user_id) => clear(&mut payload),
            Some(kind) => clear_others(kind, &mut payload, user_ids, inbox_ids),
            None => false,
        };
        if hit {
            diesel::update(outbox::table.find(id))
                .set(outbox::payload.eq(payload.to_string()))
                .execute(conn)?;
            erased += 1;
        }
    }
    Ok(erased)
}

/// Clears a notice that is not about one of these users but may name them. The queries above must find its kind, too.
fn clear_others(kind: NoticeKind, payload: &mut Value, user_ids: &[String], inbox_ids: &[i64]) -> bool {
    match kind {
        NoticeKind::MappingApplied => among(payload, user_ids),
        NoticeKind::DeliveryGivenUp => quoted(payload, user_ids, inbox_ids),
        // These name their own user, or nobody.
        NoticeKind::Deprovisioned
        | NoticeKind::DirectoryConnected
        | NoticeKind::DirectoryDeleted
        | NoticeKind::DirectorySilent
        | NoticeKind::FirstSyncEnded
        | NoticeKind::PrivilegedGranted
        | NoticeKind::PrivilegedLost
        | NoticeKind::LastHolderRetained
        | NoticeKind::MassChangeHeld
        | NoticeKind::AccessReport
        | NoticeKind::ClaimRefused
        | NoticeKind::DirectoryMoved
        | NoticeKind::DeliveriesWait
        | NoticeKind::WebhooksAway
        | NoticeKind::NotCompared
        | NoticeKind::AuditHeads => false,
    }
}

/// Removes name, address and reason; a reason may contain attributes.
fn clear(person: &mut Value) -> bool {
    for personal in ["name", "email", "because"] {
        if let Some(value) = person.get_mut(personal) {
            *value = Value::Null;
        }
    }
    true
}

fn among(payload: &mut Value, user_ids: &[String]) -> bool {
    let named = payload.get_mut("privileged").and_then(Value::as_array_mut);
    let is_meant = |person: &Value| {
        person
            .get("user_id")
            .and_then(Value::as_str)
            .is_some_and(|id| user_ids.iter().any(|known| known == id))
    };
    let meant = named.into_iter().flatten().filter(|person| is_meant(person));
    meant.map(clear).count() > 0
}

/// Clears the error text of a refused delivery or change: it may quote personal data.
fn quoted(payload: &mut Value, user_ids: &[String], inbox_ids: &[i64]) -> bool {
    let of_delivery =
        payload.get("inbox_id").and_then(Value::as_i64).is_some_and(|id| inbox_ids.contains(&id));
    let entity = payload.get("entity").and_then(Value::as_str);
    let user = entity.and_then(|entity| entity.strip_prefix("user "));
    let is_meant = of_delivery || user.is_some_and(|user| user_ids.iter().any(|id| id == user));
    if let (true, Some(detail)) = (is_meant, payload.get_mut("detail")) {
        *detail = Value::from("erased");
    }
    is_meant
}
