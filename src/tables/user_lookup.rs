//! Users as operators name them, and the people behind.

use std::collections::BTreeSet;

use diesel::{QueryResult, QueryableByName, sql_types::Text};

use crate::{
    db::{Conn, DbError, bulk::Rows},
    decide::email_key::email_key,
};

/// Before a text: it is an id, or an address, and nothing else.
const ID: &str = "id:";
const EMAIL: &str = "email:";

/// Why it cannot be told whom a text names.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    #[error(
        "{user} is ambiguous: in {tenant} it is the id of one user and the address of another (their ids: {}); write `id:{user}` for the one, `email:{user}` for the other",
        meant.join(", ")
    )]
    /// The text names several users.
    Ambiguous { tenant: String, user: String, meant: Vec<String> },
    /// The database failed.
    #[error("{0}")]
    Database(#[from] DbError),
}

impl From<diesel::result::Error> for LookupError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Database(error.into())
    }
}

#[derive(QueryableByName)]
struct Named {
    #[diesel(sql_type = Text)]
    text: String,
}

fn texts(conn: &mut Conn, keys: &[(&str, &str)], sql: &str) -> QueryResult<BTreeSet<String>> {
    let found: Vec<Named> =
        Rows::of(keys).text("tenant_id", |key| key.0).text("named", |key| key.1).load(conn, sql)?;
    Ok(found.into_iter().map(|row| row.text).collect())
}

fn by_id(conn: &mut Conn, tenant_id: &str, id: &str) -> QueryResult<BTreeSet<String>> {
    let sql = "SELECT u.id AS text FROM {rows} JOIN users u ON u.tenant_id = r.tenant_id AND u.id = r.named";
    texts(conn, &[(tenant_id, id)], sql)
}

fn by_address(conn: &mut Conn, tenant_id: &str, address: &str) -> QueryResult<BTreeSet<String>> {
    let sql =
        "SELECT u.id AS text FROM {rows} JOIN users u ON u.tenant_id = r.tenant_id AND u.email_key = r.named";
    texts(conn, &[(tenant_id, email_key(address).as_str())], sql)
}

/// The user of this id, or those of this address, whatever the case of its ASCII letters; the one place where a text that
/// an operator wrote becomes a user. None where nobody is of this id or address. A text that is the id of one and the address
/// of another is refused.
pub fn named(conn: &mut Conn, tenant_id: &str, user: &str) -> Result<BTreeSet<String>, LookupError> {
    let mut by_id_of = by_id(conn, tenant_id, user)?;
    let mut by_address_of = by_address(conn, tenant_id, user)?;
    if let Some(id) = user.strip_prefix(ID) {
        by_id_of.extend(by_id(conn, tenant_id, id)?);
    }
    if let Some(address) = user.strip_prefix(EMAIL) {
        by_address_of.extend(by_address(conn, tenant_id, address)?);
    }
    let one = by_id_of.is_empty() || (by_id_of.len() == 1 && by_address_of.is_subset(&by_id_of));
    by_id_of.extend(by_address_of);
    match one {
        true => Ok(by_id_of),
        false => Err(LookupError::Ambiguous {
            tenant: tenant_id.to_owned(),
            user: user.to_owned(),
            meant: by_id_of.into_iter().collect(),
        }),
    }
}

/// The persons of these users.
pub fn persons(conn: &mut Conn, tenant_id: &str, ids: &BTreeSet<String>) -> QueryResult<BTreeSet<String>> {
    let keys: Vec<(&str, &str)> = ids.iter().map(|id| (tenant_id, id.as_str())).collect();
    let sql =
        "SELECT u.person_id AS text FROM {rows} JOIN users u ON u.tenant_id = r.tenant_id AND u.id = r.named";
    texts(conn, &keys, sql)
}

/// The users of a person.
pub fn of_person(conn: &mut Conn, tenant_id: &str, person_id: &str) -> QueryResult<BTreeSet<String>> {
    let sql =
        "SELECT u.id AS text FROM {rows} JOIN users u ON u.tenant_id = r.tenant_id AND u.person_id = r.named";
    texts(conn, &[(tenant_id, person_id)], sql)
}

/// The addresses shown of these users.
pub fn addresses(conn: &mut Conn, tenant_id: &str, ids: &BTreeSet<String>) -> QueryResult<BTreeSet<String>> {
    let keys: Vec<(&str, &str)> = ids.iter().map(|id| (tenant_id, id.as_str())).collect();
    let sql = "SELECT u.email AS text FROM {rows} JOIN users u ON u.tenant_id = r.tenant_id AND u.id = r.named \
               WHERE u.email IS NOT NULL AND u.email <> ''";
    texts(conn, &keys, sql)
}

/// Whether any of these users has access.
pub fn any_active(conn: &mut Conn, tenant_id: &str, ids: &BTreeSet<String>) -> QueryResult<bool> {
    let keys: Vec<(&str, &str)> = ids.iter().map(|id| (tenant_id, id.as_str())).collect();
    let sql = "SELECT u.id AS text FROM {rows} JOIN users u ON u.tenant_id = r.tenant_id AND u.id = r.named \
         WHERE u.status = 'active'";
    Ok(!texts(conn, &keys, sql)?.is_empty())
}
