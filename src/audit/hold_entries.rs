//! Audit entries about holds and the losses in them.

use serde_json::json;

use super::{Actor, AuditEntry, kinds, row_diff::Changed};
use crate::{
    decide::guard::{HeldEntry, LostAccess, UserLoss},
    tables::{hold_decisions::NewDecision, holds::Hold},
};

/// The actor of entries that no operator caused.
fn guard() -> Actor {
    Actor::Rule("guard".to_owned())
}

/// The announcement of a hold, when it is calm.
pub fn announced(hold: &Hold, people: i64) -> AuditEntry {
    let change = json!({
        "directory_id": hold.directory_id, "opened_at": hold.opened_at().to_string(), "people": people,
        "cause": hold.cause, "applied_before": hold.applied_before, "active_before": hold.active_before,
    });
    let kind = if hold.announcements == 0 { kinds::HOLD_OPENED } else { kinds::HOLD_GROWN };
    AuditEntry::new(&hold.tenant_id, kind, hold.id, &change, guard())
}

/// The end of a hold by newer facts.
pub fn ended(hold: &Hold) -> AuditEntry {
    let change = json!({"directory_id": hold.directory_id});
    AuditEntry::new(&hold.tenant_id, kinds::HOLD_ENDED, hold.id, &change, guard())
}

/// A decision about a hold. `named` are the users that the operator named, if not all.
pub fn decided(
    hold: &Hold,
    (number, decision): (i64, &NewDecision<'_>),
    named: &[String],
    actor: Actor,
) -> AuditEntry {
    let kind = match decision.decision {
        "approved" => kinds::HOLD_APPROVED,
        _ => kinds::HOLD_REJECTED,
    };
    let change = json!({
        "directory_id": hold.directory_id, "decision": number, "people": decision.people,
        "of_people": decision.of_people, "users": named, "reason": decision.reason,
        "overrides": decision.overrides,
    });
    AuditEntry::new(&hold.tenant_id, kind, hold.id, &change, actor)
}

/// The same for one person in it.
pub fn loss_decided(
    hold: &Hold,
    user_id: &str,
    (number, decision): (i64, &NewDecision<'_>),
    actor: Actor,
) -> AuditEntry {
    let kind = match decision.decision {
        "approved" => kinds::LOSS_APPROVED,
        _ => kinds::LOSS_REJECTED,
    };
    let change = json!({"hold": hold.id, "decision": number, "by": decision.by});
    AuditEntry::new(&hold.tenant_id, kind, user_id, &change, actor)
}

/// A loss that waits in a hold from now on.
pub fn held(loss: &UserLoss, hold_id: i64) -> Changed {
    change(kinds::LOSS_HELD, hold_id, &loss.lost)
}

/// A held loss that newer facts ended.
pub fn overtaken(entry: &HeldEntry) -> Changed {
    change(kinds::LOSS_OVERTAKEN, entry.hold_id, &entry.lost)
}

fn change(kind: &'static str, hold_id: i64, lost: &LostAccess) -> Changed {
    let change = json!({"hold": hold_id, "directory_wants": lost.to_string()});
    Changed { kind, change: change.to_string(), personal: None }
}
