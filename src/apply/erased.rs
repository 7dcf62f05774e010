//! Bodies without an erased person: the same fact without the profile.
//!
//! An erasure rewrites all that is stored (`operator::erase`). A delivery about the time before that is applied afterwards is
//! rewritten when it is applied.

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

/// A rewritten body, and what it says now.
pub struct ErasedBody {
    pub body: Vec<u8>,
    pub observation: Observation,
}

/// The observation as it is, or without the profile if the user was erased; then the body is rewritten, too.
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

/// The same fact about this user without the profile; `None` when the body says nothing of the user.
pub fn body_without(source: &str, body: &[u8], user_id: &str) -> Option<ErasedBody> {
    let said = read(source, body)?;
    let was = user(&said).filter(|fact| fact.id == user_id)?;
    // Slugs that could not be read before must not become readable.
    [true, false].into_iter().find_map(|with_roles| {
        let body = Source::named(source)?.redact(body, user_id, with_roles)?;
        let observation = read(source, &body)?;
        let now = user(&observation)?;
        let same = (&now.id, &now.version, now.live, now.reveals, &now.content.roles)
            == (&was.id, &was.version, was.live, was.reveals, &was.content.roles);
        same.then_some(ErasedBody { body, observation })
    })
}

/// What a stored body says.
pub fn read(source: &str, body: &[u8]) -> Option<Observation> {
    match Source::named(source)?.read(body).ok()? {
        Reading::Fact(observation, _) => Some(*observation),
        Reading::Nothing => None,
    }
}

/// The user whom it is about.
pub fn user(observation: &Observation) -> Option<&Fact<User>> {
    match observation {
        Observation::User { fact, .. } | Observation::Membership { user: fact, .. } => Some(fact),
        _ => None,
    }
}
