//! The causes of changed rows, for the change feed. The audit trail names them too, but a row may change without an entry.

use crate::{
    audit::row_entries::{ChangeCause, Deliveries},
    db::Serialized,
    decide::{fact::EntityKind, state::StateSlice, tenant},
    feed::{self, Cause, CauseOf},
};

/// Notes the delivery behind each of these users or groups. In another transaction than that of deliveries, all changes
/// have one cause.
pub fn note<'a>(
    conn: &mut Serialized<'_>,
    state: &StateSlice,
    kind: EntityKind,
    ids: impl Iterator<Item = &'a str>,
    cause: ChangeCause<'_>,
) {
    let batch = match cause {
        ChangeCause::Deliveries(batch) => batch,
        ChangeCause::Directory(id) | ChangeCause::Group(id) => {
            return feed::otherwise(conn, Cause::rule(&format!("{id} derived again")));
        }
        ChangeCause::Mapping(version) => return feed::otherwise(conn, Cause::mapping(version)),
        ChangeCause::Operator(name) => return feed::otherwise(conn, Cause::operator(name)),
        ChangeCause::RetentionEnded | ChangeCause::HoldApproved | ChangeCause::Erasure => return,
    };
    let caused = ids.filter_map(|id| {
        Some((CauseOf::Entity(id.to_owned()), Cause::event(newest(state, kind, id, batch)?)))
    });
    feed::caused(conn, caused);
}

/// Notes the deliveries about directories, organizations and memberships in a batch.
pub fn note_batch(conn: &mut Serialized<'_>, state: &StateSlice, batch: Deliveries<'_>) {
    let places = state.touched.entities.iter().filter_map(|(kind, id)| {
        let of = match kind {
            EntityKind::Directory => id.clone(),
            EntityKind::Organization => tenant::of_organization(id).into_owned(),
            EntityKind::User | EntityKind::Group => return None,
        };
        Some((CauseOf::Entity(of), Cause::event(newest(state, *kind, id, batch)?)))
    });
    feed::caused(conn, places);
    let memberships =
        state.touched.memberships.iter().filter_map(|((group_id, user_id, _), (_, inbox_id))| {
            let of = CauseOf::Membership(group_id.clone(), user_id.clone());
            Some((of, Cause::event(batch.event_key(*inbox_id)?)))
        });
    feed::caused(conn, memberships);
    if let Some(key) = batch.event_keys.first() {
        feed::otherwise(conn, Cause::event(key));
    }
}

/// The event of the newest fact about an entity that came with the batch.
fn newest<'b>(state: &StateSlice, kind: EntityKind, id: &str, batch: Deliveries<'b>) -> Option<&'b str> {
    let of_batch = state
        .facts(kind, id)
        .iter()
        .filter_map(|fact| Some((&fact.version, batch.event_key(fact.inbox_id)?)));
    of_batch.max_by(|a, b| a.0.cmp(b.0)).map(|(_, key)| key)
}
