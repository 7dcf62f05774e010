//! The profile of a leaver. A deletion may have no name and address; then the last known ones remain.
//!
//! A missing field of a deletion is taken from the tenant's newest fact that is no deletion, in any order of arrival,
//! unless that fact is about a former bearer of the id.

use super::{
    bearers::{CurrentBearer, bearer_of},
    content_hash,
    newest_fact::NewestFact,
    profile::Profile,
    state::{Content, LatestFact, StateSlice},
};
use crate::decide::{
    email_key::email_key,
    fact::{EntityKind, User},
};

/// The newest fact that is no deletion.
#[derive(Clone, Copy, Debug)]
pub struct LastProfile {
    /// The delivery that contains it.
    pub inbox_id: i64,
    /// A mark of its event and of the latest fact about a former bearer. That fact decides whether the profile is a
    /// former bearer's.
    mark: i64,
}

/// The delivery with the profile before the deletion; `None` unless the latest fact is a deletion.
pub fn last(state: &StateSlice, id: &str, newest: &NewestFact<'_>) -> Option<LastProfile> {
    newest.fact.deletion.as_ref()?;
    let of_tenant = |fact: &&LatestFact| {
        let claim = state.claim(fact.claim_id);
        claim.is_some_and(|claim| claim.tenant_id.as_deref() == Some(newest.tenant_id()))
    };
    let facts = state.facts(EntityKind::User, id).iter().filter(of_tenant);
    let living = facts.filter_map(|fact| match &fact.deletion {
        None => Some((&fact.version, fact.inbox_id)),
        Some(deletion) => deletion.before.as_ref().map(|(version, inbox_id)| (version, *inbox_id)),
    });
    let (version, inbox_id) = living.max()?;
    let former = bearer_of(state, id, newest.tenant_id()).since.map(|(_, event)| event).unwrap_or_default();
    Some(LastProfile { inbox_id, mark: content_hash::of_events(&version.event, &former) })
}

/// The digest of a row: of the latest fact and of the event of the profile. Inbox ids depend on the order of arrival,
/// so they are not part of it.
pub fn digest(latest: i64, profile: Option<LastProfile>) -> i64 {
    profile.map_or(latest, |profile| content_hash::with_profile(latest, profile.mark))
}

/// The content, with missing fields from the profile.
pub fn filled(state: &StateSlice, content: &User, profile: Option<LastProfile>, now: &CurrentBearer) -> User {
    let mut content = content.clone();
    let before = profile.and_then(|profile| state.content_of(EntityKind::User, profile.inbox_id));
    let Some(Content::User(before)) = before else { return content };
    let before = &before.profile;
    if now.former.contains(&(before.idp_id.clone(), before.email.as_deref().map(email_key))) {
        return content;
    }
    // The id tells who the person is. It is never another fact's.
    for column in Profile::COLUMNS.iter().filter(|column| column.name != "idp_id") {
        let text = (column.get_mut)(&mut content.profile);
        if text.is_none() {
            *text = (column.get)(before).map(str::to_owned);
        }
    }
    content
}
