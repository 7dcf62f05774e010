//! Audit entries for changes of a tenant's list of roles.

use serde_json::json;

use super::{
    Actor, AuditEntry, kinds,
    row_entries::{Deliveries, of_places},
};
use crate::{decide::state::StateSlice, tables::role_list::Relisted};

pub fn entries(relisted: &[Relisted], actor: impl Fn(&Relisted) -> Actor) -> Vec<AuditEntry> {
    let entry = |role: &Relisted| {
        let kind = match (&role.was, &role.is) {
            (None, _) => kinds::ROLE_LISTED,
            (Some(_), None) => kinds::ROLE_UNLISTED,
            (Some(_), Some(_)) => kinds::ROLE_RENAMED,
        };
        AuditEntry::new(&role.tenant_id, kind, &role.slug, &json!({"name": [role.was, role.is]}), actor(role))
    };
    relisted.iter().map(entry).collect()
}

/// Entries that a batch caused: the first delivery that names the role, or the change of the tenant.
pub fn from_deliveries(relisted: &[Relisted], state: &StateSlice, batch: Deliveries<'_>) -> Vec<AuditEntry> {
    entries(relisted, |role| {
        let of_tenant = |claim_id: &i64| {
            let claim = state.claim(*claim_id);
            claim.is_some_and(|claim| claim.tenant_id.as_deref() == Some(role.tenant_id.as_str()))
        };
        let mentions = state.touched.mentions.iter();
        let naming = mentions.filter(|((claim_id, slug), _)| *slug == role.slug && of_tenant(claim_id));
        let naming = naming.map(|(_, inbox_id)| *inbox_id).min();
        let speaking = naming.or_else(|| Some(of_places(state, batch)?.inbox_id));
        let actor = speaking.and_then(|inbox_id| batch.find(inbox_id));
        actor.unwrap_or_else(|| Actor::Rule("derived again".to_owned()))
    })
}
