//! The erased person as a recipient of mails: the address goes, and so does the address in the audit trail.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::EraseError;
use crate::{
    audit::stored_entries::{self, LogQuery},
    db::Serialized,
    decide::email_key::email_key,
    notify::mail_address,
    tables::recipients,
};

/// The beginning of the kinds of entries about recipients.
const KIND: &str = "recipient";

#[derive(Deserialize)]
struct Personal {
    address: String,
}

/// Removes these addresses from the recipients. Returns the subjects of the audit entries that name one of them.
pub(super) fn remove(
    conn: &mut Serialized<'_>,
    tenant: &str,
    names: &BTreeSet<String>,
) -> Result<Vec<String>, EraseError> {
    let key = |name: &String| {
        let plain = mail_address::recipient(name).map(|address| address.to_string());
        email_key(plain.as_ref().unwrap_or(name))
    };
    let keys: BTreeSet<String> = names.iter().map(key).collect();
    recipients::erase(conn, tenant, &keys)?;
    let wanted = LogQuery {
        tenant_id: tenant,
        subjects: None,
        kind: Some(KIND),
        since: None,
        until: None,
        limit: i64::MAX,
    };
    let named = |personal: &str| {
        serde_json::from_str::<Personal>(personal).is_ok_and(|one| keys.contains(&email_key(&one.address)))
    };
    let entries = stored_entries::entries(conn, wanted)?;
    let of_person = entries.into_iter().filter(|entry| entry.personal.as_deref().is_some_and(named));
    let subjects: BTreeSet<String> = of_person.map(|entry| entry.subject).collect();
    Ok(subjects.into_iter().collect())
}
