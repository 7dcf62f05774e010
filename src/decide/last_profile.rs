//! The profile of a leaver. A deletion may come without name and address; those stay as they last were.
//!
//! A field that a deletion lacks is taken from the newest fact of the tenant that is no deletion, whatever the order of
//! arrival; but not when that fact is about a former bearer of the id.

use super::{
    bearers::CurrentBearer,
    newest::NewestFact,
    state::{Content, LatestFact, StateSlice},
};
use crate::decide::{
    address::email_key,
    fact::{EntityKind, User},
};

/// The delivery that holds the profile before the deletion; `None` unless the latest fact is a deletion.
pub fn delivery(state: &StateSlice, id: &str, newest: &NewestFact<'_>) -> Option<i64> {
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
    living.max().map(|(_, inbox_id)| inbox_id)
}

/// Of what is shown: of the latest fact, and of the delivery that the profile may be from.
pub fn digest(latest: i64, profile: Option<i64>) -> i64 {
    // An odd factor, so two deliveries never give one digest.
    const SPREAD: i64 = 0x1E37_79B9_7F4A_7C15;
    latest ^ profile.unwrap_or(0).wrapping_mul(SPREAD)
}

/// The content with the fields that it lacks.
pub fn filled(state: &StateSlice, content: &User, profile: Option<i64>, now: &CurrentBearer) -> User {
    let mut content = content.clone();
    let before = profile.and_then(|inbox_id| state.content_of(EntityKind::User, inbox_id));
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
