//! Finds tenants by the texts that operators write: an id, or a name that one tenant has.

use diesel::{
    QueryResult, QueryableByName, RunQueryDsl, sql_query,
    sql_types::{Bool, Nullable, Text},
};

use crate::db::{Conn, DbError, on_each};

/// Why a text does not identify a tenant.
#[derive(Debug, thiserror::Error)]
pub enum TenantLookupError {
    /// No tenant has this id or name.
    #[error("there is no tenant {0:?}; `rosterd tenants list` shows the ids and names")]
    Unknown(String),
    /// Several tenants have this name.
    #[error("several tenants are named {name:?}; write one of their ids: {}", ids.join(", "))]
    Several {
        /// The name.
        name: String,
        /// The ids of the tenants.
        ids: Vec<String>,
    },
    /// The database failed.
    #[error("{0}")]
    Database(#[from] DbError),
}

impl From<diesel::result::Error> for TenantLookupError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Database(error.into())
    }
}

#[derive(QueryableByName)]
struct Tenant {
    #[diesel(sql_type = Text)]
    id: String,
    #[diesel(sql_type = Nullable<Text>)]
    name: Option<String>,
    #[diesel(sql_type = Bool)]
    gone: bool,
}

/// The id of the tenant with this id, or of the only tenant with this name. The case of letters in a name does not matter. A
/// deleted tenant has its name only if no other tenant has it.
pub fn named(conn: &mut Conn, text: &str) -> Result<String, TenantLookupError> {
    let tenants = all(conn)?;
    if tenants.iter().any(|tenant| tenant.id == text) {
        return Ok(text.to_owned());
    }
    let name = text.trim().to_lowercase();
    let has_name =
        |tenant: &&Tenant| tenant.name.as_ref().is_some_and(|own| own.trim().to_lowercase() == name);
    let (gone, living): (Vec<&Tenant>, Vec<&Tenant>) =
        tenants.iter().filter(has_name).partition(|tenant| tenant.gone);
    let meant = if living.is_empty() { gone } else { living };
    match meant.as_slice() {
        [] => Err(TenantLookupError::Unknown(text.to_owned())),
        [one] => Ok(one.id.clone()),
        several => Err(TenantLookupError::Several {
            name: text.to_owned(),
            ids: several.iter().map(|tenant| tenant.id.clone()).collect(),
        }),
    }
}

fn all(conn: &mut Conn) -> QueryResult<Vec<Tenant>> {
    const ALL: &str = "SELECT id, name, deleted_at IS NOT NULL AS gone FROM tenants ORDER BY id";
    on_each!(conn, |c| sql_query(ALL).load(c))
}
