//! Tenants that operators name: a tenant that does not exist is an error, with the tenants that may be meant.

use std::fmt;

use crate::{
    audit,
    db::{Conn, DbError},
    tables::tenants,
    text::nearest::nearest,
};

/// Why a text does not identify a tenant.
#[derive(Debug, thiserror::Error)]
pub enum TenantError {
    #[error("there is no tenant {tenant}{meant}; see `rosterd tenants list`")]
    Unknown { tenant: String, meant: Meant },
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

/// Refuses a tenant without any row or record. The empty text is the tenant of records without tenant.
pub fn expect(conn: &mut Conn, tenant: &str) -> Result<(), TenantError> {
    if tenant.is_empty() || tenants::is_known(conn, tenant)? || audit::stored_entries::knows(conn, tenant)? {
        return Ok(());
    }
    let all = tenants::named(conn)?;
    let meant = nearest(tenant, &all).into_iter().cloned().collect();
    Err(TenantError::Unknown { tenant: tenant.to_owned(), meant: Meant(meant) })
}
