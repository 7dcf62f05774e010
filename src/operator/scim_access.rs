//! Directories that identity providers write by SCIM, and the tokens of SCIM clients.
//!
//! A new directory is a delivery like every other statement about a directory: it is stored and applied in the transaction
//! that stores its first token.

use serde_json::json;

use crate::{
    apply::{self, ApplyError, parse_batch},
    audit::{self, Actor, AuditEntry, kinds},
    broker::{Source, scim},
    db::{Conn, Database, DbError, Serialized},
    decide::{Rules, Tenancy, tenant},
    inbox::{Delivery, Stored, insert::append_within, queue},
    operator::manual_roles::OperatorAt,
    provision::token::{digest, new_directory_id, new_id, new_secret},
    runtime::clock::Timestamp,
    tables::{
        claims, mappings,
        scim_tokens::{self, ScimToken},
    },
};

/// Why a directory or a token is not made or ended.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The directory is not one of SCIM.
    #[error("{0} is no directory that an identity provider writes by SCIM; see `rosterd directories list`")]
    NoDirectory(String),
    /// There is no such token.
    #[error("there is no token {0}, or it was revoked before; see `rosterd tokens list`")]
    NoToken(String),
    /// A name is empty or too long.
    #[error("{what} is empty or longer than 255 bytes; choose another one")]
    Name {
        /// The text that is wrong.
        what: &'static str,
    },
    /// The database failed.
    #[error("{0}")]
    Database(#[from] DbError),
    /// The directory could not be applied.
    #[error("{0}")]
    Apply(#[from] ApplyError),
}

impl From<diesel::result::Error> for AccessError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Database(error.into())
    }
}

/// A new token, whose secret is shown once.
#[derive(Debug)]
pub struct NewToken {
    /// The token.
    pub token: ScimToken,
    /// The secret.
    pub secret: String,
}

/// A directory that an operator wants.
#[derive(Clone, Copy, Debug)]
pub struct NewDirectory<'a> {
    /// The tenant. It may be new.
    pub tenant: &'a str,
    /// The display name.
    pub name: &'a str,
    /// The kind of identity provider.
    pub provider: &'a str,
    /// The end of its first token.
    pub expires_at: Option<Timestamp>,
}

/// Creates a directory with a token.
pub fn add_directory(
    database: &Database,
    rules: &Rules,
    wanted: NewDirectory<'_>,
    by: OperatorAt<'_>,
) -> Result<NewToken, AccessError> {
    expect_name("--tenant", wanted.tenant)?;
    expect_name("--name", wanted.name)?;
    expect_name("--provider", wanted.provider)?;
    let directory_id = new_directory_id();
    database.write_serialized(|conn| {
        let organization_id = match rules.tenancy {
            Tenancy::Multi => tenant::organization(wanted.tenant),
            Tenancy::Single => None,
        };
        let body = json!({
            "id": format!("scim_{}", new_id(by.now)),
            "event": scim::kinds::DIRECTORY,
            "created_at": by.now.to_string(),
            "directory_id": directory_id,
            "organization_id": organization_id,
            "resource": {
                "id": directory_id,
                "created_at": by.now.to_string(),
                "document": {"name": wanted.name, "provider": scim::provider(wanted.provider)},
            },
        });
        apply_now(conn, rules, Delivery::new(Source::Scim, body.to_string().into(), by.now), by.now)?;
        let owner = (directory_id.as_str(), wanted.tenant);
        add_token(conn, owner, wanted.name, wanted.expires_at, by)
    })
}

/// Stores a delivery and applies it.
fn apply_now(
    conn: &mut Serialized<'_>,
    rules: &Rules,
    delivery: Delivery,
    now: Timestamp,
) -> Result<(), AccessError> {
    let mapping = mappings::in_force(conn).map_err(ApplyError::from)?;
    let rules = Rules { mapping: mapping.into(), ..rules.clone() };
    for stored in append_within(conn, &[delivery])? {
        let Stored::Accepted { inbox_id } = stored else { continue };
        queue::done(conn, &[inbox_id])?;
        let queued = queue::stored(conn, &[(inbox_id, 0)])?;
        let batch = parse_batch::read(queue::QueuedBatch { queued, is_full: false }, now);
        apply::apply(conn, &rules, batch, now)?;
    }
    Ok(())
}

/// A token that reads a tenant.
pub fn add_reader(
    database: &Database,
    tenant: &str,
    name: &str,
    expires_at: Option<Timestamp>,
    by: OperatorAt<'_>,
) -> Result<NewToken, AccessError> {
    expect_name("--name", name)?;
    database.write_serialized(|conn| add_token(conn, ("", tenant), name, expires_at, by))
}

/// Another token of a directory. The tokens before remain valid until they are revoked, so that the client can be changed.
pub fn rotate(
    database: &Database,
    directory_id: &str,
    expires_at: Option<Timestamp>,
    by: OperatorAt<'_>,
) -> Result<NewToken, AccessError> {
    database.write_serialized(|conn| {
        let known = of_directory(conn, directory_id)?;
        let last = known.last().ok_or_else(|| AccessError::NoDirectory(directory_id.to_owned()))?;
        let home = claims::homes(conn, None)?.into_iter().find(|(_, id)| id == directory_id);
        let tenant_id = home.map_or_else(|| last.tenant_id.clone(), |(tenant_id, _)| tenant_id);
        add_token(conn, (directory_id, &tenant_id), &last.name, expires_at, by)
    })
}

/// Ends all tokens of a directory, or those except one. Returns how many.
pub fn revoke_directory(
    database: &Database,
    directory_id: &str,
    except: Option<&str>,
    by: OperatorAt<'_>,
) -> Result<usize, AccessError> {
    database.write_serialized(|conn| {
        let known = of_directory(conn, directory_id)?;
        if known.is_empty() {
            return Err(AccessError::NoDirectory(directory_id.to_owned()));
        }
        let is_ended = |token: &ScimToken| token.revoked_at().is_none() && Some(token.id.as_str()) != except;
        let ended: Vec<ScimToken> = known.into_iter().filter(is_ended).collect();
        end(conn, &ended, by)
    })
}

/// Ends one token.
pub fn revoke(database: &Database, token_id: &str, by: OperatorAt<'_>) -> Result<(), AccessError> {
    database.write_serialized(|conn| {
        let all = scim_tokens::all(conn)?;
        let found: Vec<ScimToken> =
            all.into_iter().filter(|token| token.id == token_id && token.revoked_at().is_none()).collect();
        match end(conn, &found, by)? {
            0 => Err(AccessError::NoToken(token_id.to_owned())),
            _ => Ok(()),
        }
    })
}

fn of_directory(conn: &mut Conn, directory_id: &str) -> Result<Vec<ScimToken>, AccessError> {
    let all = scim_tokens::all(conn)?;
    Ok(all
        .into_iter()
        .filter(|token| !directory_id.is_empty() && token.directory_id == directory_id)
        .collect())
}

fn add_token(
    conn: &mut Serialized<'_>,
    owner: (&str, &str),
    name: &str,
    expires_at: Option<Timestamp>,
    by: OperatorAt<'_>,
) -> Result<NewToken, AccessError> {
    let secret = new_secret();
    let id = format!("token-{:016x}", rand::random::<u64>());
    let token = ScimToken::new(id, owner, name, (by.name, by.now), expires_at);
    scim_tokens::insert(conn, &token, &digest(&secret))?;
    audit::record(conn, &[entry(kinds::TOKEN_CREATED, &token, by.name)], by.now)?;
    Ok(NewToken { token, secret })
}

fn end(conn: &mut Serialized<'_>, tokens: &[ScimToken], by: OperatorAt<'_>) -> Result<usize, AccessError> {
    let ids: Vec<String> = tokens.iter().map(|token| token.id.clone()).collect();
    let ended = scim_tokens::revoke(conn, &ids, by.now)?;
    let entries: Vec<AuditEntry> =
        tokens.iter().map(|token| entry(kinds::TOKEN_REVOKED, token, by.name)).collect();
    audit::record(conn, &entries, by.now)?;
    Ok(ended)
}

fn entry(kind: &'static str, token: &ScimToken, by: &str) -> AuditEntry {
    let change = json!({"name": token.name, "directory_id": token.directory_id});
    AuditEntry::new(&token.tenant_id, kind, &token.id, &change, Actor::operator(by))
}

fn expect_name(what: &'static str, name: &str) -> Result<(), AccessError> {
    match name.trim().is_empty() || name.len() > crate::broker::LONGEST_ID || name.contains('\0') {
        true => Err(AccessError::Name { what }),
        false => Ok(()),
    }
}
