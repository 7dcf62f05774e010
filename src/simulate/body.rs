//! The JSON of a push delivery, with the fields of `webhooks` bodies in the broker's order. A push has no `object` at
//! the top.

use chrono::{DateTime, SecondsFormat};
use serde::ser::{Serialize, Serializer};
use serde_json::Value;

#[derive(Debug, serde::Serialize)]
pub(super) struct Envelope<'a, D> {
    pub id: &'a str,
    pub event: &'static str,
    pub data: D,
    pub created_at: Timestamp,
    pub context: Nothing,
}

/// `{}`
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub(super) struct Nothing {}

/// Milliseconds since the epoch; `2026-01-15T12:00:00.000Z` on the wire.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timestamp(pub i64);

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let time = DateTime::from_timestamp_millis(self.0).unwrap_or_default();
        serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

#[derive(Debug, serde::Serialize)]
pub(super) struct Organization<'a> {
    pub object: &'static str,
    pub id: &'a str,
    pub name: &'a str,
    pub domains: [OrganizationDomain<'a>; 1],
    pub metadata: Nothing,
    pub external_id: Option<&'a str>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

#[derive(Debug, serde::Serialize)]
pub(super) struct OrganizationDomain<'a> {
    pub object: &'static str,
    pub id: &'a str,
    pub organization_id: &'a str,
    pub domain: &'a str,
    pub state: &'static str,
    pub verification_strategy: &'static str,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

#[derive(Debug, serde::Serialize)]
pub(super) struct Directory<'a> {
    pub object: &'static str,
    pub id: &'a str,
    pub organization_id: &'a str,
    /// With `domains`, only in `dsync.activated`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_key: Option<&'a str>,
    pub r#type: &'static str,
    pub state: &'static str,
    pub name: &'a str,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domains: Option<[DirectoryDomain<'a>; 1]>,
}

#[derive(Debug, serde::Serialize)]
pub(super) struct DirectoryDomain<'a> {
    pub object: &'static str,
    pub id: &'a str,
    pub domain: &'a str,
}

#[derive(Debug, serde::Serialize)]
pub(super) struct User<'a> {
    pub object: &'static str,
    pub id: &'a str,
    pub directory_id: &'a str,
    pub organization_id: &'a str,
    pub idp_id: &'a str,
    pub email: Option<&'a str>,
    pub first_name: &'a str,
    pub last_name: &'a str,
    pub name: String,
    // These three are deprecated and have been empty since 2026-04-15: the values are custom attributes now.
    pub emails: [&'a str; 0],
    pub job_title: Option<&'a str>,
    pub username: Option<&'a str>,
    pub state: &'static str,
    pub raw_attributes: Nothing,
    pub custom_attributes: CustomAttributes<'a>,
    pub role: Option<Role>,
    pub roles: Vec<Role>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_attributes: Option<Value>,
}

#[derive(Debug, serde::Serialize)]
pub(super) struct CustomAttributes<'a> {
    pub department_name: &'static str,
    pub job_title: &'static str,
    pub username: &'a str,
    pub emails: Vec<Address<'a>>,
}

#[derive(Debug, serde::Serialize)]
pub(super) struct Address<'a> {
    pub r#type: &'static str,
    pub value: &'a str,
    pub primary: bool,
}

#[derive(Debug, Clone, Copy, serde::Serialize)]
pub(super) struct Role {
    pub slug: &'static str,
}

#[derive(Debug, serde::Serialize)]
pub(super) struct Group<'a> {
    pub object: &'static str,
    pub id: &'a str,
    pub idp_id: &'a str,
    pub directory_id: &'a str,
    pub organization_id: &'a str,
    pub name: &'a str,
    pub raw_attributes: Nothing,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_attributes: Option<Value>,
}

#[derive(Debug, serde::Serialize)]
pub(super) struct Membership<'a> {
    pub directory_id: &'a str,
    pub user: User<'a>,
    pub group: Group<'a>,
}
