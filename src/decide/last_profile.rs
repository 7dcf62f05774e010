//! The profile of a leaver. A deletion may come without name and address; those stay as they last were.
//!
//! A field that a deletion lacks is taken from the newest fact of the tenant that is no deletion, whatever the order of
//! arrival; but not when that fact is about a former bearer of the id.

use super::{
    bearers::CurrentBearer,
    content_hash,
    newest::NewestFact,
    state::{Content, LatestFact, StateSlice},
};
use crate::decide::{
    address::email_key,
    fact::{EntityKind, User},
};

/// The newest fact that is no deletion.
#[derive(Clone, Copy, Debug)]
pub struct LastProfile<'a> {
    /// The delivery that holds it.
    pub inbox_id: i64,
    /// Its event.
    pub event: &'a str,
}

/// Where the profile before the deletion is; `None` unless the latest fact is a deletion.
pub fn last<'a>(state: &'a StateSlice, id: &str, newest: &NewestFact<'_>) -> Option<LastProfile<'a>> {
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
    living.max().map(|(version, inbox_id)| LastProfile { inbox_id, event: &version.event })
}

/// Of what is shown: of the latest fact, and of the event that the profile may be from. Numbers of deliveries depend on the
/// order of arrival, so they are no part of it.
pub fn digest(latest: i64, profile: Option<LastProfile<'_>>) -> i64 {
    profile.map_or(latest, |profile| content_hash::with_profile(latest, profile.event))
}

/// The content with the fields that it lacks.
pub fn filled(
    state: &StateSlice,
    content: &User,
    profile: Option<LastProfile<'_>>,
    now: &CurrentBearer,
) -> User {
    let mut content = content.clone();
    let before = profile.and_then(|profile| state.content_of(EntityKind::User, profile.inbox_id));
    let Some(Content::User(before)) = before else { return content };
    if now.former.contains(&(before.idp_id.clone(), before.email.as_deref().map(email_key))) {
        return content;
    }
    let fields = [
        (&mut content.email, &before.email),
        (&mut content.username, &before.username),
        (&mut content.first_name, &before.first_name),
        (&mut content.last_name, &before.last_name),
        (&mut content.name, &before.name),
        (&mut content.job_title, &before.job_title),
    ];
    for (field, before) in fields {
        if field.is_none() {
            field.clone_from(before);
        }
    }
    content
}
