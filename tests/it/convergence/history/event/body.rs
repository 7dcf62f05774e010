//! An event in the broker's form.

use rosterd::decide::profile::Profile;
use serde_json::{Value, json};

use super::{Claim, DIRECTORIES, Event, Kind, Snapshot};
use crate::harness::broker::at;

impl Event {
    fn organization(&self) -> String {
        let further = if let Claim::Other(further) = self.claim { further } else { 0 };
        // The last one has the id of the tenant for directories without an organization.
        ["o0", "o1", "default"][usize::from((self.directory / 2 + further) % 3)].to_owned()
    }

    /// The broker's body. `place` makes the id unique.
    pub fn render(&self, place: usize) -> Value {
        let data = match self.kind {
            Kind::UserCreated | Kind::UserUpdated | Kind::UserDeleted => self.user(),
            Kind::UserAdded | Kind::UserRemoved => {
                json!({"directory_id": format!("d{}", self.directory), "user": self.user(), "group": self.group()})
            }
            Kind::GroupCreated | Kind::GroupUpdated | Kind::GroupDeleted => self.group(),
            Kind::Activated | Kind::DirectoryDeleted => self.claimed(json!({
                "object": "directory", "id": format!("d{}", self.directory),
                "name": format!("Directory {}", self.user.look), "state": "active",
                "type": if self.user.look == 3 { "gsuite directory" } else { "okta scim v2.0" },
            })),
            Kind::OrganizationCreated | Kind::OrganizationUpdated | Kind::OrganizationDeleted => self.timed(
                &self.user,
                json!({"object": "organization", "id": self.organization(), "name": format!("Org {}", self.user.look)}),
            ),
        };
        let mut event =
            json!({"id": format!("e{}_{place:03}", self.rank), "event": self.kind.name(), "data": data});
        if let Some(sent) = self.sent {
            event["created_at"] = json!(at(sent.into()));
        }
        event
    }

    fn timed(&self, snapshot: &Snapshot, mut data: Value) -> Value {
        data["created_at"] = json!(at((snapshot.look % 2).into()));
        data["updated_at"] = json!(at((i64::from(self.second) - i64::from(snapshot.lag)).max(0)));
        data
    }

    fn claimed(&self, mut data: Value) -> Value {
        if !matches!(self.claim, Claim::Nobody) {
            data["organization_id"] = json!(self.organization());
        }
        self.timed(&self.user, data)
    }

    fn began(&self, snapshot: &Snapshot) -> u8 {
        snapshot.moved.map_or(0, |further| (self.directory + further) % DIRECTORIES)
    }

    /// An id contains the directory where its bearer began, which is usually this one.
    fn entity(&self, object: &str, letter: char, snapshot: &Snapshot) -> Value {
        let began = self.began(snapshot);
        self.claimed(json!({
            "object": object, "id": format!("{letter}{began}{}", snapshot.number),
            "directory_id": format!("d{}", self.directory),
        }))
    }

    fn user(&self) -> Value {
        let Snapshot { number, look, state, role, .. } = &self.user;
        let mut user = self.timed(&self.user, self.entity("directory_user", 'u', &self.user));
        // The same person may return under another id, and an id may be given to somebody else.
        user["idp_id"] = json!(format!("p{}", if *look == 3 { 0 } else { *number }));
        // Users of several directories share an idp_id. They have addresses of their own, and some have the same one.
        user["email"] = match look {
            0 => json!(format!("p0.{}@acme.example", self.began(&self.user))),
            2 => Value::Null,
            _ => json!(format!("p{look}@acme.example")),
        };
        user["username"] = json!(format!("p{number}"));
        (user["first_name"], user["last_name"], user["name"]) =
            (json!("Given"), json!("Family"), json!(format!("Name {look}")));
        user["job_title"] = if *look == 1 { json!("Pilot") } else { Value::Null };
        user["custom_attributes"] = json!({"look": look, "list": [1, null, {"deep": "ö"}]});
        user["state"] = json!(state);
        // A deletion may have no profile, or nothing but the id.
        if matches!(self.kind, Kind::UserDeleted) && self.rank > 1 {
            for field in Profile::COLUMNS.iter().map(|column| column.name) {
                if field != "idp_id" || self.rank == 3 {
                    user[field] = Value::Null;
                }
            }
        }
        if let Some(slug) = role {
            user["role"] = json!({"slug": slug});
        }
        if let Some(slugs) = &self.user.roles {
            user["roles"] = slugs.iter().map(|slug| json!({"slug": slug})).collect();
        }
        user
    }

    fn group(&self) -> Value {
        let mut group = self.timed(&self.group, self.entity("directory_group", 'g', &self.group));
        group["idp_id"] = json!(format!("Group {}", self.group.number));
        group["name"] = json!(format!("Group {}", self.group.look));
        group
    }
}
