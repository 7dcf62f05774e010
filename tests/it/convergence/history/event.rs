//! One event, in small numbers and as the broker would send it.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::harness::broker::at;

/// Two directories for each of the first two tenants, one for the third.
const DIRECTORIES: u8 = 5;

#[derive(Clone, Copy, Debug)]
enum Kind {
    UserCreated,
    UserUpdated,
    UserDeleted,
    UserAdded,
    UserRemoved,
    GroupCreated,
    GroupUpdated,
    GroupDeleted,
    Activated,
    DirectoryDeleted,
    OrganizationCreated,
    OrganizationUpdated,
    OrganizationDeleted,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::UserCreated => "dsync.user.created",
            Self::UserUpdated => "dsync.user.updated",
            Self::UserDeleted => "dsync.user.deleted",
            Self::UserAdded => "dsync.group.user_added",
            Self::UserRemoved => "dsync.group.user_removed",
            Self::GroupCreated => "dsync.group.created",
            Self::GroupUpdated => "dsync.group.updated",
            Self::GroupDeleted => "dsync.group.deleted",
            Self::Activated => "dsync.activated",
            Self::DirectoryDeleted => "dsync.deleted",
            Self::OrganizationCreated => "organization.created",
            Self::OrganizationUpdated => "organization.updated",
            Self::OrganizationDeleted => "organization.deleted",
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Claim {
    Own,
    Nobody,
    /// So many tenants further.
    Other(u8),
}

/// The newest or an older snapshot of a user or a group.
#[derive(Clone, Debug)]
struct Snapshot {
    /// Which of those that began in a directory.
    number: u8,
    /// So many directories further the entity began: it moved here, or its id is somebody else's too.
    moved: u8,
    /// Seconds by which the snapshot is older than its event; `-1` is younger.
    lag: i8,
    state: Option<&'static str>,
    role: Option<&'static str>,
    roles: Option<Vec<&'static str>>,
    /// What else there is to be said, in which two snapshots may differ.
    look: u8,
}

#[derive(Clone, Debug)]
pub struct Event {
    kind: Kind,
    directory: u8,
    claim: Claim,
    /// Missing in old deliveries.
    sent: Option<u8>,
    second: u8,
    /// Leads the id, so that ids order events otherwise than their places do.
    rank: u8,
    user: Snapshot,
    group: Snapshot,
    /// After so many others it is delivered again.
    pub again: Option<u8>,
    /// More is delivered before anything is applied.
    pub more: bool,
}

fn snapshot() -> impl Strategy<Value = Snapshot> {
    let state = prop_oneof![
        14 => Just(Some("active")), 4 => Just(Some("inactive")), 1 => Just(Some("suspended")),
        1 => Just(Some("invited")), 1 => Just(None),
    ];
    let slug = || prop::sample::select(vec!["member", "admin", "billing"]);
    let role = prop_oneof![4 => Just(Some("member")), 1 => Just(None), 2 => slug().prop_map(Some)];
    let roles = prop_oneof![3 => Just(None), 1 => prop::collection::vec(slug(), 0..3).prop_map(Some)];
    let moved = prop_oneof![12 => Just(0), 2 => Just(1), 1 => 2..DIRECTORIES];
    let lag = prop_oneof![6 => Just(0), 3 => 1..6_i8, 1 => Just(-1)];
    // Most of the time the same is said again, with another version.
    let look = prop_oneof![4 => Just(0), 3 => 1..4_u8];
    (0..3_u8, moved, lag, state, role, roles, look).prop_map(
        |(number, moved, lag, state, role, roles, look)| Snapshot {
            number,
            moved,
            lag,
            state,
            role,
            roles,
            look,
        },
    )
}

pub fn event() -> BoxedStrategy<Event> {
    let kind = prop_oneof![
        10 => Just(Kind::UserCreated), 16 => Just(Kind::UserUpdated), 6 => Just(Kind::UserDeleted),
        24 => Just(Kind::UserAdded), 8 => Just(Kind::UserRemoved),
        5 => Just(Kind::GroupCreated), 5 => Just(Kind::GroupUpdated), 3 => Just(Kind::GroupDeleted),
        8 => Just(Kind::Activated), 3 => Just(Kind::DirectoryDeleted),
        2 => Just(Kind::OrganizationCreated), 2 => Just(Kind::OrganizationUpdated), 2 => Just(Kind::OrganizationDeleted),
    ];
    // Most of the time all happens in one place, so that much is said of the same people.
    let directory = prop_oneof![5 => Just(0_u8), 3 => Just(1), 2 => 2..DIRECTORIES];
    let claim =
        prop_oneof![24 => Just(Claim::Own), 2 => Just(Claim::Nobody), 2 => (1..3_u8).prop_map(Claim::Other)];
    let time = (0..9_u8, prop::bool::weighted(0.05));
    let delivery = (prop::option::weighted(0.15, 0..12_u8), prop::bool::weighted(0.7));
    (kind, directory, claim, time, 0..4_u8, snapshot(), snapshot(), delivery)
        .prop_map(|(kind, directory, claim, (second, untimed), rank, user, group, (again, more))| {
            let sent = (!untimed).then_some(second);
            Event { kind, directory, claim, sent, second, rank, user, group, again, more }
        })
        .boxed()
}

impl Event {
    fn organization(&self) -> String {
        let further = if let Claim::Other(further) = self.claim { further } else { 0 };
        format!("o{}", (self.directory / 2 + further) % 3)
    }

    /// What the broker would send; `place` makes the id unique.
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

    /// An id names the directory where its bearer began, which most of the time is this one.
    fn entity(&self, object: &str, letter: char, snapshot: &Snapshot) -> Value {
        let began = (self.directory + snapshot.moved) % DIRECTORIES;
        self.claimed(json!({
            "object": object, "id": format!("{letter}{began}{}", snapshot.number),
            "directory_id": format!("d{}", self.directory),
        }))
    }

    fn user(&self) -> Value {
        let Snapshot { number, look, state, role, .. } = &self.user;
        let mut user = self.timed(&self.user, self.entity("directory_user", 'u', &self.user));
        // The same person may come back under another id, and an id may be given to somebody else.
        user["idp_id"] = json!(format!("p{}", if *look == 3 { 0 } else { *number }));
        user["email"] = if *look == 2 { Value::Null } else { json!(format!("p{look}@acme.example")) };
        user["username"] = json!(format!("p{number}"));
        (user["first_name"], user["last_name"], user["name"]) =
            (json!("Given"), json!("Family"), json!(format!("Name {look}")));
        user["job_title"] = if *look == 1 { json!("Pilot") } else { Value::Null };
        user["custom_attributes"] = json!({"look": look, "list": [1, null, {"deep": "ö"}]});
        user["state"] = json!(state);
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
