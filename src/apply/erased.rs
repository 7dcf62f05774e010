//! Bodies without the profile of an erased person.
//!
//! An erasure rewrites all stored bodies (`operator::erase`). A delivery from before the erasure that is applied
//! afterwards is rewritten when it is applied.

use crate::{
    broker::Source,
    db::{DbError, Serialized},
    decide::{
        erased,
        fact::{Fact, Observation, Reading, User},
        state::StateSlice,
    },
    inbox::{self, queue},
};

/// A rewritten body, and its observation.
pub struct ErasedBody {
    pub body: Vec<u8>,
    pub observation: Observation,
}

/// Returns the observation unchanged, or without the profile if the user was erased. Then the stored body is rewritten,
/// too.
pub fn without_profile(
    conn: &mut Serialized<'_>,
    state: &StateSlice,
    inbox_id: i64,
    observation: Observation,
) -> Result<Observation, DbError> {
    let Some(user_id) = erased::late(state, inbox_id, &observation) else { return Ok(observation) };
    for (_, source, body) in queue::bodies(conn, &[inbox_id])? {
        if let Some(erased) = body_without(&source, &body, &user_id) {
            inbox::erase::rewrite(conn, &[(inbox_id, erased.body)])?;
            return Ok(erased.observation);
        }
    }
    tracing::warn!(
        inbox.id = inbox_id,
        user.id = user_id,
        "a late delivery about an erased person cannot be rewritten; run `rosterd users erase` again"
    );
    Ok(observation)
}

/// The same fact about this user without the profile. `None` when the body is not about the user.
pub fn body_without(source: &str, body: &[u8], user_id: &str) -> Option<ErasedBody> {
    let said = read(source, body)?;
    let was = user(&said).filter(|fact| fact.id == user_id)?;
    // Slugs that were unreadable before must not become readable.
    [true, false].into_iter().find_map(|with_roles| {
        let body = Source::named(source)?.redact(body, user_id, with_roles)?;
        let observation = read(source, &body)?;
        let now = user(&observation)?;
        let same = (&now.id, &now.version, now.live, now.reveals, &now.content.roles)
            == (&was.id, &was.version, was.live, was.reveals, &was.content.roles);
        same.then_some(ErasedBody { body, observation })
    })
}

/// The observation of a stored body.
pub fn read(source: &str, body: &[u8]) -> Option<Observation> {
    match Source::named(source)?.read(body).ok()? {
        Reading::Fact(observation, _) => Some(*observation),
        Reading::Nothing => None,
    }
}

/// The user of the observation.
pub fn user(observation: &Observation) -> Option<&Fact<User>> {
    match observation {
        Observation::User { fact, .. } | Observation::Membership { user: fact, .. } => Some(fact),
        _ => None,
    }
}
