//! The resources of a tenant, as the application must see them: all directories, whatever their source, with the roles
//! that rosterd has assigned.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{
    Kind,
    list::{Entry, Key, Listed},
};
use crate::{
    db::{Conn, DbError},
    scim::{
        etag,
        name::is_urn,
        resource::{Object, schemas},
        schema::{self, Attribute, Mutability, ResourceType, Returned, Schema},
    },
    tables::tenant_listing::{self, Listing},
};

/// The URN of rosterd's extension of users.
pub const ROSTERD: &str = "urn:ietf:params:scim:schemas:extension:rosterd:2.0:User";

/// The resources of one kind in a tenant.
#[derive(Clone, Debug)]
pub struct OfTenant {
    /// The tenant.
    pub tenant_id: String,
    /// The kind.
    pub kind: Kind,
    /// The address of the tenant.
    pub base: String,
}

/// Users with rosterd's extension, or groups. Nothing can be written.
pub fn resource_type(kind: Kind) -> &'static ResourceType {
    static USERS: LazyLock<ResourceType> =
        LazyLock::new(|| ResourceType::user().with_extensions([extension()]));
    match kind {
        Kind::User => &USERS,
        Kind::Group => ResourceType::group(),
    }
}

fn extension() -> Schema {
    let read_only = |name, kind, about| Attribute {
        mutability: Mutability::ReadOnly,
        returned: Returned::Default,
        ..Attribute::new(name, kind, about)
    };
    let exact = |attribute| Attribute { case_exact: true, ..attribute };
    Schema {
        urn: ROSTERD.to_owned(),
        name: "RosterdUser",
        about: "The state of access.",
        attributes: vec![
            exact(read_only("personId", schema::Kind::Text, "The id of the person, equal in all accounts.")),
            read_only(
                "accessEpoch",
                schema::Kind::Integer,
                "A number that grows when access shrinks or changes.",
            ),
            exact(read_only("directory", schema::Kind::Text, "The id of the directory.")),
            read_only("held", schema::Kind::Boolean, "Whether a loss of access waits for a decision."),
            Attribute {
                multi: true,
                ..read_only("grantedBy", schema::Kind::Text, "The rules that gave the roles.")
            },
        ],
    }
}

impl OfTenant {
    fn entries(&self, conn: &mut Conn, listings: Vec<Listing>) -> Result<Vec<Entry>, DbError> {
        let ids: Vec<&str> = listings.iter().map(|listing| listing.id.as_str()).collect();
        let (roles, held) = match self.kind {
            Kind::User => (
                tenant_listing::roles(conn, &self.tenant_id, &ids)?,
                tenant_listing::held(conn, &self.tenant_id, &ids)?,
            ),
            Kind::Group => Default::default(),
        };
        let entry = |listing: &Listing| {
            let mut whole = match self.kind {
                Kind::User => user(listing, roles.get(&listing.id), held.contains(&listing.id)),
                Kind::Group => group(listing),
            };
            finish(&mut whole, self, listing);
            Entry { id: listing.id.clone(), whole }
        };
        Ok(listings.iter().map(entry).collect())
    }
}

fn set(object: &mut Object, key: &str, value: Option<&Value>) {
    if let Some(value) = value.filter(|value| !value.is_null()) {
        object.insert(key.to_owned(), value.clone());
    }
}

fn user(listing: &Listing, roles: Option<&Vec<(String, String)>>, held: bool) -> Object {
    let row = &listing.columns;
    let mut user = Object::new();
    if let Some(Value::Object(attributes)) = row.get("custom_attributes") {
        // Extensions and core attributes that an identity provider wrote by SCIM have the same form.
        let of = resource_type(Kind::User);
        let known = attributes.iter().filter(|(key, value)| {
            (is_urn(key) && value.is_object()) || of.attribute(key).is_some_and(|_| !value.is_null())
        });
        user.extend(known.map(|(key, value)| (key.clone(), value.clone())));
    }
    for key in ["active", "roles", "groups"] {
        user.remove(key);
    }
    let name = row.get("username").filter(|name| !name.is_null()).or_else(|| row.get("email"));
    let name = name.filter(|name| !name.is_null()).cloned().unwrap_or_else(|| listing.id.as_str().into());
    user.insert("userName".to_owned(), name);
    set(&mut user, "externalId", row.get("idp_id"));
    set(&mut user, "displayName", row.get("name"));
    set(&mut user, "title", row.get("job_title"));
    let mut parts = Map::new();
    set(&mut parts, "givenName", row.get("first_name"));
    set(&mut parts, "familyName", row.get("last_name"));
    if !parts.is_empty() {
        user.insert("name".to_owned(), Value::Object(parts));
    }
    if let Some(email) = row.get("email").and_then(Value::as_str)
        && !user.get("emails").is_some_and(Value::is_array)
    {
        user.insert("emails".to_owned(), json!([{"value": email, "primary": true}]));
    }
    user.insert("active".to_owned(), json!(row.get("status").and_then(Value::as_str) == Some("active")));
    let roles = roles.map(Vec::as_slice).unwrap_or_default();
    if !roles.is_empty() {
        let slugs: Vec<Value> = roles.iter().map(|(slug, _)| json!({"value": slug})).collect();
        user.insert("roles".to_owned(), slugs.into());
    }
    let mut own = Map::new();
    set(&mut own, "personId", row.get("person_id"));
    set(&mut own, "accessEpoch", row.get("access_epoch"));
    set(&mut own, "directory", row.get("directory_id"));
    own.insert("held".to_owned(), held.into());
    if !roles.is_empty() {
        own.insert(
            "grantedBy".to_owned(),
            roles.iter().map(|(_, rule)| Value::from(rule.as_str())).collect(),
        );
    }
    user.insert(ROSTERD.to_owned(), Value::Object(own));
    user
}

fn group(listing: &Listing) -> Object {
    let mut group = Object::new();
    set(&mut group, "displayName", listing.columns.get("name"));
    set(&mut group, "externalId", listing.columns.get("idp_id"));
    group
}

/// Adds id, schemas and meta. The version is a number from the content, because rows have none.
fn finish(whole: &mut Object, of: &OfTenant, listing: &Listing) {
    let kind = of.kind.resource_type();
    let content = Value::Object(whole.clone()).to_string();
    let digest = Sha256::digest(content.as_bytes());
    let version = digest.iter().take(7).fold(0_i64, |number, byte| (number << 8) | i64::from(*byte));
    whole.insert("id".to_owned(), listing.id.as_str().into());
    whole.insert("schemas".to_owned(), json!(schemas(kind, whole)));
    let mut meta = Map::new();
    meta.insert("resourceType".to_owned(), kind.name.into());
    set(&mut meta, "created", listing.columns.get("created_at"));
    set(&mut meta, "lastModified", listing.columns.get("updated_at"));
    meta.insert("location".to_owned(), format!("{}/{}/{}", of.base, kind.endpoint, listing.id).into());
    meta.insert("version".to_owned(), etag::version(version).into());
    whole.insert("meta".to_owned(), Value::Object(meta));
}

impl Listed for OfTenant {
    fn resource_type(&self) -> &ResourceType {
        resource_type(self.kind)
    }

    fn count(&self, conn: &mut Conn) -> Result<usize, DbError> {
        Ok(tenant_listing::count(conn, self.kind == Kind::User, &self.tenant_id)?)
    }

    fn page(&self, conn: &mut Conn, after: &str, skip: usize, limit: usize) -> Result<Vec<Entry>, DbError> {
        let is_user = self.kind == Kind::User;
        let rows = tenant_listing::page(conn, is_user, &self.tenant_id, after, (skip, limit))?;
        self.entries(conn, rows)
    }

    fn of_key(&self, conn: &mut Conn, key: &Key) -> Result<Option<Vec<Entry>>, DbError> {
        let Key::Ids(ids) = key else { return Ok(None) };
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let rows = tenant_listing::by_ids(conn, self.kind == Kind::User, &self.tenant_id, &ids)?;
        self.entries(conn, rows).map(Some)
    }
}
