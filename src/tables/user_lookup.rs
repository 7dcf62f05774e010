//! Finds users by the texts that operators write, and the persons of users.

use std::collections::BTreeSet;

use diesel::{QueryResult, QueryableByName, sql_types::Text};

use crate::{
    db::{Conn, DbError, bulk::Rows},
    decide::email_key::email_key,
};

/// The prefixes of a text that is only an id or only an address.
const ID: &str = "id:";
const EMAIL: &str = "email:";

/// Why a text does not identify a user.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// The text is the id of one user and the address of another.
    #[error(
        "{user} is ambiguous: in {tenant} it is the id of one user and the address of another (their ids: {}); \
         write `id:{user}` for the one, `email:{user}` for the other",
        meant.join(", ")
    )]
    Ambiguous {
        /// The tenant.
        tenant: String,
        /// The text.
        user: String,
        /// The ids of the users.
        meant: Vec<String>,
    },
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

/// The user with this id, or the users with this address (the case of ASCII letters does not matter); empty if there
/// is none. All texts of operators become users here. A text that is the id of one user and the address of another is
/// an error.
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

/// The addresses in the rows of these users.
pub fn addresses(conn: &mut Conn, tenant_id: &str, ids: &BTreeSet<String>) -> QueryResult<BTreeSet<String>> {
    let keys: Vec<(&str, &str)> = ids.iter().map(|id| (tenant_id, id.as_str())).collect();
    let sql = "SELECT u.email AS text FROM {rows} JOIN users u ON u.tenant_id = r.tenant_id AND u.id = r.named \
               WHERE u.email IS NOT NULL AND u.email <> ''";
    texts(conn, &keys, sql)
}

/// The full names of these users: as they are shown, and the given name before the family name.
pub fn full_names(conn: &mut Conn, tenant_id: &str, ids: &BTreeSet<String>) -> QueryResult<BTreeSet<String>> {
    let keys: Vec<(&str, &str)> = ids.iter().map(|id| (tenant_id, id.as_str())).collect();
    let of = "FROM {rows} JOIN users u ON u.tenant_id = r.tenant_id AND u.id = r.named";
    let mut names = texts(conn, &keys, &format!("SELECT u.name AS text {of} WHERE u.name <> ''"))?;
    let both = format!(
        "SELECT u.first_name || ' ' || u.last_name AS text {of} WHERE u.first_name <> '' AND u.last_name <> ''"
    );
    names.extend(texts(conn, &keys, &both)?);
    Ok(names)
}

/// The users who have one of these full names.
pub fn of_full_names(
    conn: &mut Conn,
    tenant_id: &str,
    names: &BTreeSet<String>,
) -> QueryResult<BTreeSet<String>> {
    let keys: Vec<(&str, &str)> = names.iter().map(|name| (tenant_id, name.as_str())).collect();
    let sql = "SELECT u.id AS text FROM {rows} JOIN users u ON u.tenant_id = r.tenant_id \
               WHERE u.name = r.named OR u.first_name || ' ' || u.last_name = r.named";
    texts(conn, &keys, sql)
}

/// Whether any of these users has access.
pub fn any_active(conn: &mut Conn, tenant_id: &str, ids: &BTreeSet<String>) -> QueryResult<bool> {
    let keys: Vec<(&str, &str)> = ids.iter().map(|id| (tenant_id, id.as_str())).collect();
    let sql = "SELECT u.id AS text FROM {rows} JOIN users u ON u.tenant_id = r.tenant_id AND u.id = r.named \
         WHERE u.status = 'active'";
    Ok(!texts(conn, &keys, sql)?.is_empty())
}
