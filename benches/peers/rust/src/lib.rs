//! What both binaries read of an event.

use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
pub struct Event {
    pub id: String,
    pub event: String,
    pub created_at: String,
    /// A `User`, `Group`, `Directory` or `Membership`, as `event` says.
    pub data: Box<RawValue>,
}

#[derive(Deserialize)]
pub struct User {
    pub id: String,
    pub organization_id: String,
    pub directory_id: String,
    pub idp_id: String,
    pub email: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub state: String,
    pub role: Option<Role>,
    pub roles: Option<Vec<Role>>,
    pub custom_attributes: Box<RawValue>,
    pub updated_at: String,
}

#[derive(Deserialize)]
pub struct Role {
    pub slug: String,
}

#[derive(Deserialize)]
pub struct Group {
    pub id: String,
    pub organization_id: String,
    pub directory_id: String,
    pub name: String,
    pub updated_at: String,
}

#[derive(Deserialize)]
pub struct Directory {
    pub id: String,
    pub organization_id: String,
    pub name: String,
    pub updated_at: String,
}

#[derive(Deserialize)]
pub struct Membership {
    pub user: Id,
    pub group: Id,
}

#[derive(Deserialize)]
pub struct Id {
    pub id: String,
}

impl User {
    /// The user as `dsync.user.deleted` leaves it. The event is newer than the snapshot it carries.
    pub fn deleted(mut self, at: &str) -> Self {
        self.state = "deleted".to_owned();
        self.updated_at = at.to_owned();
        self
    }

    pub fn role(&self) -> Option<&str> {
        self.role.as_ref().map(|role| role.slug.as_str())
    }

    /// None for somebody who is not active.
    pub fn roles(&self) -> Vec<&str> {
        if self.state != "active" {
            return Vec::new();
        }
        match &self.roles {
            Some(roles) => roles.iter().map(|role| role.slug.as_str()).collect(),
            None => self.role().into_iter().collect(),
        }
    }
}
