//! Table `scim_tokens`: the tokens of SCIM clients, as digests.

use std::collections::BTreeSet;

use diesel::{
    QueryResult, QueryableByName,
    sql_types::{BigInt, Nullable, Text},
};

use crate::{
    db::{Conn, bulk::Rows},
    runtime::clock::Timestamp,
};

/// A token without its secret.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub struct ScimToken {
    /// The name in messages.
    #[diesel(sql_type = Text)]
    pub id: String,
    /// The directory that it opens; empty for a token that reads a tenant.
    #[diesel(sql_type = Text)]
    pub directory_id: String,
    /// The tenant at the time when it was made.
    #[diesel(sql_type = Text)]
    pub tenant_id: String,
    /// The operator's name for it.
    #[diesel(sql_type = Text)]
    pub name: String,
    /// The operator.
    #[diesel(sql_type = Text)]
    pub created_by: String,
    #[diesel(sql_type = BigInt)]
    created_at: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    expires_at: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    revoked_at: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    last_used_at: Option<i64>,
}

impl ScimToken {
    /// A new token, which was never used.
    pub fn new(
        id: String,
        (directory_id, tenant_id): (&str, &str),
        name: &str,
        (created_by, created_at): (&str, Timestamp),
        expires_at: Option<Timestamp>,
    ) -> Self {
        Self {
            id,
            directory_id: directory_id.to_owned(),
            tenant_id: tenant_id.to_owned(),
            name: name.to_owned(),
            created_by: created_by.to_owned(),
            created_at: created_at.micros(),
            expires_at: expires_at.map(Timestamp::micros),
            revoked_at: None,
            last_used_at: None,
        }
    }

    /// Whether it opens anything at this time.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|expires_at| now.micros() < expires_at)
    }

    /// When it was made.
    pub fn created_at(&self) -> Timestamp {
        Timestamp::from_micros(self.created_at)
    }

    /// When it ends.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at.map(Timestamp::from_micros)
    }

    /// When it was revoked.
    pub fn revoked_at(&self) -> Option<Timestamp> {
        self.revoked_at.map(Timestamp::from_micros)
    }

    /// When it was last used, within a minute.
    pub fn last_used_at(&self) -> Option<Timestamp> {
        self.last_used_at.map(Timestamp::from_micros)
    }
}

const COLUMNS: &str = "t.id, t.directory_id, t.tenant_id, t.name, t.created_by, t.created_at, t.expires_at, t.revoked_at, \
     t.last_used_at";

/// Stores a new token with the digest of its secret.
pub fn insert(conn: &mut Conn, token: &ScimToken, digest: &[u8]) -> QueryResult<()> {
    Rows::of(std::slice::from_ref(token))
        .text("id", |token| &token.id)
        .bytes("digest", |_| digest)
        .text("directory_id", |token| &token.directory_id)
        .text("tenant_id", |token| &token.tenant_id)
        .text("name", |token| &token.name)
        .text("created_by", |token| &token.created_by)
        .integer("created_at", |token| token.created_at)
        .optional_integer("expires_at", |token| token.expires_at)
        .execute(
            conn,
            "INSERT INTO scim_tokens (id, digest, directory_id, tenant_id, name, created_by, created_at, expires_at) \
             SELECT r.id, r.digest, r.directory_id, r.tenant_id, r.name, r.created_by, r.created_at, r.expires_at \
             FROM {rows}",
        )?;
    Ok(())
}

/// The token with this digest, valid or not.
pub fn by_digest(conn: &mut Conn, digest: &[u8]) -> QueryResult<Option<ScimToken>> {
    let found: Vec<ScimToken> = Rows::of(&[digest])
        .bytes("digest", |digest| digest)
        .load(conn, &format!("SELECT {COLUMNS} FROM {{rows}} JOIN scim_tokens t ON t.digest = r.digest"))?;
    Ok(found.into_iter().next())
}

/// All tokens, the oldest first.
pub fn all(conn: &mut Conn) -> QueryResult<Vec<ScimToken>> {
    Rows::of(&[0_i64]).integer("one", |one| *one).load(
        conn,
        &format!("SELECT {COLUMNS} FROM {{rows}} CROSS JOIN scim_tokens t ORDER BY t.created_at, t.id"),
    )
}

/// The directories that are provisioned by SCIM.
pub fn directories(conn: &mut Conn) -> QueryResult<BTreeSet<String>> {
    let tokens = all(conn)?.into_iter().map(|token| token.directory_id);
    Ok(tokens.filter(|directory_id| !directory_id.is_empty()).collect())
}

/// Ends tokens now.
pub fn revoke(conn: &mut Conn, ids: &[String], now: Timestamp) -> QueryResult<usize> {
    Rows::of(ids).text("id", |id| id).integer("now", |_| now.micros()).execute(
        conn,
        "UPDATE scim_tokens SET revoked_at = r.now FROM {rows} WHERE scim_tokens.id = r.id \
         AND scim_tokens.revoked_at IS NULL",
    )
}

/// Records the use of tokens: (id, time).
pub fn used(conn: &mut Conn, uses: &[(String, Timestamp)]) -> QueryResult<()> {
    Rows::of(uses).text("id", |(id, _)| id).integer("at", |(_, at)| at.micros()).execute(
        conn,
        "UPDATE scim_tokens SET last_used_at = r.at FROM {rows} WHERE scim_tokens.id = r.id",
    )?;
    Ok(())
}
