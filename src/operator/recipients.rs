//! Recipients of a tenant's mails: an operator adds and removes them while rosterd runs, and the next mail goes to them.

use std::collections::BTreeSet;

use serde_json::json;

use crate::{
    audit::{self, Actor, AuditEntry, kinds},
    config::MailSettings,
    db::{Conn, Database, DbError},
    decide::email_key::email_key,
    notify::{
        mail_address::{self, AddressFault},
        recipients::{self, Origin},
    },
    operator::manual_roles::OperatorAt,
    tables::{self, recipients::AddedRecipient, tenants},
};

/// Why a recipient is not added or removed.
#[derive(Debug, thiserror::Error)]
pub enum RecipientError {
    /// The text is no address for a mail server.
    #[error("{0}")]
    Address(#[from] AddressFault),
    /// The settings name the address, so only they can remove it.
    #[error(
        "{address} is a recipient of {tenant} by the settings file: remove it from mail.recipients there, and reload the settings"
    )]
    InSettings { tenant: String, address: String },
    /// The person has the role, so only the role can be removed.
    #[error(
        "{address} gets the mails of {tenant} because of a role (mail.recipient_roles): remove the role, or change the setting"
    )]
    ByRole { tenant: String, address: String },
    /// The address is no recipient.
    #[error("{address} is no recipient of {tenant}; see `rosterd recipients list --tenant {tenant}`")]
    Unknown { tenant: String, address: String },
    /// The database failed.
    #[error("{0}")]
    Database(#[from] DbError),
}

impl From<diesel::result::Error> for RecipientError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Database(error.into())
    }
}

/// A recipient with the reason why this address gets mails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedRecipient {
    pub tenant_id: String,
    pub address: String,
    pub origin: Origin,
    /// Of an added address.
    pub added: Option<AddedRecipient>,
}

/// Adds an address. Returns the address as mail servers get it, and false if the tenant had it already.
pub fn add(
    database: &Database,
    tenant: &str,
    address: &str,
    OperatorAt { name, now }: OperatorAt<'_>,
) -> Result<(String, bool), RecipientError> {
    let address = mail_address::recipient(address)?.to_string();
    let row = AddedRecipient::new(tenant, &address, name, now);
    database.write_serialized(|conn| {
        let added = tables::recipients::add(conn, &row)?;
        if added {
            audit::record(conn, &[entry(kinds::RECIPIENT_ADDED, &row, name)], now)?;
        }
        Ok((address.clone(), added))
    })
}

/// Removes an address that an operator added.
pub fn remove(
    database: &Database,
    settings: &MailSettings,
    tenant: &str,
    address: &str,
    OperatorAt { name, now }: OperatorAt<'_>,
) -> Result<(), RecipientError> {
    // A row of an earlier version may have another form than a mail server accepts now.
    let written = address.trim();
    let plain =
        mail_address::recipient(written).map_or_else(|_fault| written.to_owned(), |one| one.to_string());
    database.write_serialized(|conn| {
        if let Some(row) = tables::recipients::remove(conn, tenant, &plain)? {
            audit::record(conn, &[entry(kinds::RECIPIENT_REMOVED, &row, name)], now)?;
            return Ok(());
        }
        let key = email_key(&plain);
        let standing = recipients::standing(conn, tenant, settings)?;
        let origin = standing.iter().find(|(one, _)| email_key(one.as_ref()) == key);
        let (tenant, address) = (tenant.to_owned(), plain.clone());
        Err(match origin {
            Some((_, Origin::Settings)) => RecipientError::InSettings { tenant, address },
            Some((_, Origin::Role)) => RecipientError::ByRole { tenant, address },
            Some((_, Origin::Database)) | None => RecipientError::Unknown { tenant, address },
        })
    })
}

fn entry(kind: &'static str, row: &AddedRecipient, by: &str) -> AuditEntry {
    AuditEntry::new(&row.tenant_id, kind, &row.id, &json!({}), Actor::operator(by))
        .with_personal(&json!({"address": row.address}))
}

/// Everybody who would get a mail now, of one tenant or of all, in the order of the tenants.
pub fn list(
    conn: &mut Conn,
    settings: &MailSettings,
    tenant: Option<&str>,
) -> Result<Vec<ListedRecipient>, DbError> {
    let mut listed = Vec::new();
    for tenant_id in of_interest(conn, settings, tenant)? {
        let added = tables::recipients::list(conn, Some(&tenant_id))?;
        for (address, origin) in recipients::standing(conn, &tenant_id, settings)? {
            let key = email_key(address.as_ref());
            listed.push(ListedRecipient {
                tenant_id: tenant_id.clone(),
                address: address.to_string(),
                origin,
                added: added.iter().find(|row| row.address_key == key).cloned(),
            });
        }
    }
    Ok(listed)
}

/// Tenants that exist and have no recipient: their mails go to the fallback.
pub fn tenants_without(conn: &mut Conn, settings: &MailSettings) -> Result<Vec<String>, DbError> {
    let mut without = Vec::new();
    for tenant_id in tenants::living(conn)? {
        if recipients::standing(conn, &tenant_id, settings)?.is_empty() {
            without.push(tenant_id);
        }
    }
    Ok(without)
}

fn of_interest(
    conn: &mut Conn,
    settings: &MailSettings,
    tenant: Option<&str>,
) -> Result<BTreeSet<String>, DbError> {
    if let Some(tenant) = tenant {
        return Ok(BTreeSet::from([tenant.to_owned()]));
    }
    let mut all: BTreeSet<String> = tenants::ids(conn)?.into_iter().collect();
    all.extend(settings.recipients.keys().cloned());
    all.extend(tables::recipients::list(conn, None)?.into_iter().map(|row| row.tenant_id));
    Ok(all)
}
