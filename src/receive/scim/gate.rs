//! The gate: a client's token opens one directory, or reads one tenant.
//!
//! A token is looked up by its digest. All refusals have one answer, which says nothing about directories and tenants. A token
//! that was looked up counts for a second, so that a fast client needs no look-up for each request. Look-ups of unknown texts
//! are bounded.

use std::{collections::HashMap, time::Instant};

use actix_web::{HttpRequest, http::header, web};
use parking_lot::Mutex;

use super::{
    answer::failed,
    known_tokens::{Check, KnownTokens},
    route::Owner,
};
use crate::{
    db::{Database, DbError},
    provision::token::{digest, is_well_formed},
    runtime::clock::{Clock, Timestamp},
    scim::ScimError,
    tables::scim_tokens::{self, ScimToken},
};

/// The time between two records of a token's use, in seconds.
const USE_SECONDS: i64 = 60;

/// A client that was let in.
#[derive(Clone, Debug)]
pub struct Client {
    /// The token.
    pub token: ScimToken,
    /// The digest of the secret, for cursors.
    pub digest: Vec<u8>,
}

/// The gate.
pub struct Gate {
    database: Database,
    clock: Clock,
    tokens: Mutex<KnownTokens<ScimToken>>,
    used: Mutex<HashMap<String, Timestamp>>,
}

impl Gate {
    /// A gate without known tokens.
    pub fn new(database: Database, clock: Clock) -> Self {
        Self { database, clock, tokens: Mutex::default(), used: Mutex::default() }
    }

    /// Lets a client in, or refuses with 401.
    pub async fn enter(&self, request: &HttpRequest, owner: &Owner) -> Result<Client, ScimError> {
        let refused = || {
            ScimError::of(
                401,
                "the token is missing, wrong, expired or revoked, or belongs to another address",
            )
        };
        let secret = bearer(request).ok_or_else(refused)?;
        if !is_well_formed(secret) {
            return Err(refused());
        }
        let digest = digest(secret);
        let token = self.token(&digest).await?.ok_or_else(refused)?;
        let now = self.clock.now();
        let opens = match owner {
            Owner::Directory(id) => !token.directory_id.is_empty() && token.directory_id == *id,
            Owner::Tenant(id) => token.directory_id.is_empty() && token.tenant_id == *id,
        };
        if !opens || !token.is_valid(now) {
            return Err(refused());
        }
        self.note(&token.id, now);
        Ok(Client { token, digest })
    }

    async fn token(&self, digest: &[u8]) -> Result<Option<ScimToken>, ScimError> {
        let check = self.tokens.lock().check(digest, Instant::now());
        match check {
            Check::Valid(token) => return Ok(Some(token)),
            Check::Refuse => {
                return Err(ScimError::of(
                    429,
                    "too many requests with unknown tokens; wait, then try again",
                ));
            }
            Check::LookUp => {}
        }
        let (database, wanted) = (self.database.clone(), digest.to_vec());
        let read = move || database.read::<_, DbError>(|conn| Ok(scim_tokens::by_digest(conn, &wanted)?));
        let found =
            web::block(read).await.map_err(|error| failed(&error))?.map_err(|error| failed(&error))?;
        self.tokens.lock().note(digest, found.as_ref(), Instant::now());
        Ok(found)
    }

    /// Records the use of a token, at most once a minute, after the answer. A lost record does no harm.
    fn note(&self, token_id: &str, now: Timestamp) {
        let mut used = self.used.lock();
        if used.get(token_id).is_some_and(|last| now.seconds_since(*last) < USE_SECONDS) {
            return;
        }
        used.insert(token_id.to_owned(), now);
        let (database, uses) = (self.database.clone(), vec![(token_id.to_owned(), now)]);
        drop(web::block(move || {
            let written = database.write::<_, DbError>(|conn| Ok(scim_tokens::used(conn, &uses)?));
            if let Err(error) = written {
                tracing::debug!(%error, "the use of a token could not be recorded");
            }
        }));
    }
}

fn bearer(request: &HttpRequest) -> Option<&str> {
    let (scheme, secret) = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim())
}
