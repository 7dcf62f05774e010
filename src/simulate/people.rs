//! The people and groups of a directory, and the ids and addresses in the form of its identity provider.

use super::body::{Address, Role};
use super::directory::Directory;
use super::event::Broker;
use super::names::{self, DEPARTMENTS, JOB_TITLES};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Provider {
    Okta,
    Entra,
    Google,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Active,
    /// Deactivated: may return under the same id.
    Inactive,
    /// The user was deleted: the person may return under another id.
    Deleted,
}

#[derive(Debug)]
pub(super) struct Person {
    pub number: usize,
    /// The id of the directory user. A return from deletion gives another one.
    pub id: String,
    pub idp_id: String,
    pub email: Option<String>,
    pub username: String,
    pub first_name: &'static str,
    pub last_name: &'static str,
    pub department_name: &'static str,
    pub job_title: &'static str,
    /// The primary one first.
    pub roles: Vec<Role>,
    pub standing: Standing,
    /// Indexes in the directory's groups. Indexes of deleted groups remain until the next use.
    pub groups: Vec<usize>,
    pub created_at: i64,
    pub updated_at: i64,
}

#[derive(Debug)]
pub(super) struct Group {
    pub id: String,
    pub idp_id: String,
    /// The first name at creation.
    pub first_name: String,
    pub name: String,
    pub live: bool,
    pub created_at: i64,
    pub updated_at: i64,
}

impl Provider {
    pub(super) fn of(tenant: usize) -> Self {
        match tenant % 3 {
            0 => Self::Okta,
            1 => Self::Entra,
            _ => Self::Google,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Okta => "Okta",
            Self::Entra => "Entra ID",
            Self::Google => "Google Workspace",
        }
    }

    pub(super) fn directory_type(self) -> &'static str {
        match self {
            Self::Okta => "okta scim v2.0",
            Self::Entra => "azure scim v2.0",
            Self::Google => "gsuite directory",
        }
    }
}

impl Person {
    pub(super) fn new(number: usize, directory: &Directory, broker: &mut Broker) -> Self {
        let (first_name, last_name, local) = names::person(directory.tenant, number);
        let address = format!("{local}@{}", directory.domain);
        // An identity provider may have no usable address for a person.
        let email = (number % 97 != 50).then(|| address.clone());
        Self {
            number,
            id: broker.ids.ulid("directory_user", broker.changed_at),
            idp_id: match directory.provider {
                Provider::Okta => broker.ids.okta(),
                Provider::Entra => broker.ids.uuid(),
                Provider::Google => broker.ids.google(),
            },
            username: if email.is_some() { address } else { local },
            email,
            first_name,
            last_name,
            department_name: names::pick(&DEPARTMENTS, number),
            job_title: names::pick(&JOB_TITLES, number * 3 + directory.tenant),
            roles: first_roles(number, directory.several_roles),
            standing: Standing::Active,
            groups: Vec::new(),
            created_at: broker.changed_at,
            updated_at: broker.changed_at,
        }
    }

    pub(super) fn name(&self) -> String {
        format!("{} {}", self.first_name, self.last_name)
    }

    pub(super) fn emails(&self) -> Vec<Address<'_>> {
        self.email.iter().map(|value| Address { r#type: "work", value, primary: true }).collect()
    }
}

impl Group {
    pub(super) fn new(name: String, provider: Provider, broker: &mut Broker) -> Self {
        Self {
            id: broker.ids.ulid("directory_group", broker.changed_at),
            // Okta's id of a group is its first display name and never changes.
            idp_id: match provider {
                Provider::Okta => name.clone(),
                Provider::Entra => broker.ids.uuid(),
                Provider::Google => broker.ids.google(),
            },
            first_name: name.clone(),
            name,
            live: true,
            created_at: broker.changed_at,
            updated_at: broker.changed_at,
        }
    }
}

/// One person in sixteen is an administrator. In tenants with several roles an administrator has billing too.
fn first_roles(number: usize, several: bool) -> Vec<Role> {
    let slugs: &[&'static str] = match number % 16 {
        0 if several => &["admin", "billing"],
        0 => &["admin"],
        5 => &["billing"],
        9 => &["support"],
        _ => &["member"],
    };
    slugs.iter().map(|&slug| Role { slug }).collect()
}
