//! Tenants that operators name: a tenant that does not exist is an error, with the tenants that may be meant.

use crate::{
    audit,
    db::{Conn, DbError},
    tables::tenants,
    text::nearest::{Meant, nearest},
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

/// Refuses a tenant without any row or record. The empty text is the tenant of records without tenant.
pub fn expect(conn: &mut Conn, tenant: &str) -> Result<(), TenantError> {
    if tenant.is_empty() || tenants::is_known(conn, tenant)? || audit::stored_entries::knows(conn, tenant)? {
        return Ok(());
    }
    let all = tenants::named(conn)?;
    Err(TenantError::Unknown { tenant: tenant.to_owned(), meant: nearest(tenant, &all).into() })
}
