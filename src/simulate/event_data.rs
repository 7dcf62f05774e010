//! The snapshots in events: the current data of a directory, a user or a group.

use super::body::{self, Nothing, Timestamp};
use super::directory::Directory;
use super::people::{Group, Person, Standing};

impl Directory {
    pub(super) fn snapshot(&self, state: &'static str, updated_at: i64) -> body::Directory<'_> {
        body::Directory {
            object: "directory",
            id: &self.id,
            organization_id: &self.organization_id,
            external_key: None,
            r#type: self.provider.directory_type(),
            state,
            name: &self.name,
            created_at: Timestamp(self.created_at),
            updated_at: Timestamp(updated_at),
            domains: None,
        }
    }

    pub(super) fn user<'a>(&'a self, person: &'a Person) -> body::User<'a> {
        body::User {
            object: "directory_user",
            id: &person.id,
            directory_id: &self.id,
            organization_id: &self.organization_id,
            idp_id: &person.idp_id,
            email: person.email.as_deref(),
            first_name: person.first_name,
            last_name: person.last_name,
            name: person.name(),
            emails: [],
            job_title: None,
            username: None,
            // The last snapshot of a deleted user still has state active.
            state: if person.standing == Standing::Inactive { "inactive" } else { "active" },
            raw_attributes: Nothing {},
            custom_attributes: body::CustomAttributes {
                department_name: person.department_name,
                job_title: person.job_title,
                username: &person.username,
                emails: person.emails(),
            },
            role: person.roles.first().copied(),
            roles: person.roles.clone(),
            created_at: Timestamp(person.created_at),
            updated_at: Timestamp(person.updated_at),
            previous_attributes: None,
        }
    }

    pub(super) fn group<'a>(&'a self, group: &'a Group) -> body::Group<'a> {
        body::Group {
            object: "directory_group",
            id: &group.id,
            idp_id: &group.idp_id,
            directory_id: &self.id,
            organization_id: &self.organization_id,
            name: &group.name,
            raw_attributes: Nothing {},
            created_at: Timestamp(group.created_at),
            updated_at: Timestamp(group.updated_at),
            previous_attributes: None,
        }
    }
}
