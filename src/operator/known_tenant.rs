//! Tenants that operators name: a tenant that does not exist is an error, with the tenants that may be meant.

use std::fmt;

use crate::{
    audit,
    db::{Conn, DbError},
    tables::{
        tenant_lookup::{self, TenantLookupError},
        tenants,
    },
    text::nearest::nearest,
};

/// Why a text does not identify a tenant.
#[derive(Debug, thiserror::Error)]
pub enum TenantError {
    #[error("there is no tenant {tenant:?}{meant}; `rosterd tenants list` shows the ids and names")]
    Unknown { tenant: String, meant: Meant },
    #[error("{0}")]
    Lookup(#[from] TenantLookupError),
    #[error("{0}")]
    Database(#[from] DbError),
}

impl From<diesel::result::Error> for TenantError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Database(error.into())
    }
}

/// The tenants that may be meant, with their names.
#[derive(Debug)]
pub struct Meant(Vec<(String, Option<String>)>);

impl fmt::Display for Meant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (id, name)) in self.0.iter().enumerate() {
            f.write_str(if n == 0 { " (did you mean " } else { " or " })?;
            f.write_str(id)?;
            if let Some(name) = name {
                write!(f, " \"{name}\"")?;
            }
        }
        if self.0.is_empty() { Ok(()) } else { f.write_str("?)") }
    }
}

/// The id of the tenant with this id or name. A tenant without a row of its own may have directories, users or an audit
/// trail.
pub fn identify(conn: &mut Conn, text: &str) -> Result<String, TenantError> {
    if let Some(id) = tenant_lookup::named(conn, text)? {
        return Ok(id);
    }
    if tenants::is_known(conn, text)? || audit::log::knows(conn, text)? {
        return Ok(text.to_owned());
    }
    let all = tenants::named(conn)?;
    let meant = nearest(text, &all).into_iter().cloned().collect();
    Err(TenantError::Unknown { tenant: text.to_owned(), meant: Meant(meant) })
}
