//! One event as small numbers.

mod body;

use proptest::prelude::*;

use super::shape::Shape;

/// Two directories for each of the first two tenants, one for the third.
const DIRECTORIES: u8 = 5;

/// The length of a history.
const SECONDS: i8 = 9;

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
    /// The tenant that the event names, counted from the directory's own.
    Other(u8),
}

/// The newest or an older snapshot of a user or a group.
#[derive(Clone, Debug)]
struct Snapshot {
    /// The user or group, among those that began in a directory.
    number: u8,
    /// The directory where the entity began, counted from this one. It moved from there, or its id is used twice.
    moved: Option<u8>,
    /// Seconds by which the snapshot is older than its event; `-1` is younger.
    lag: i8,
    state: Option<&'static str>,
    role: Option<&'static str>,
    roles: Option<Vec<&'static str>>,
    /// Another value in which two snapshots may differ.
    look: u8,
}

#[derive(Clone, Debug)]
pub struct Event {
    kind: Kind,
    directory: u8,
    claim: Claim,
    /// Absent in old deliveries.
    sent: Option<u8>,
    second: u8,
    /// The first part of the id, so that ids and places have different orders.
    rank: u8,
    user: Snapshot,
    group: Snapshot,
    /// The number of events after which it is delivered again.
    pub again: Option<u8>,
    /// More events are delivered before anything is applied.
    pub more: bool,
}

fn snapshot(shape: Shape) -> impl Strategy<Value = Snapshot> {
    let Shape {
        began: [here, next, anywhere, first], lags: [young, older, oldest], people, sameness, ..
    } = shape;
    let state = prop_oneof![
        14 * sameness => Just(Some("active")), 4 => Just(Some("inactive")), 1 => Just(Some("suspended")),
        1 => Just(Some("invited")), 1 => Just(None),
    ];
    let slug = || prop::sample::select(vec!["member", "admin", "billing"]);
    let role = prop_oneof![4 * sameness => Just(Some("member")), 1 => Just(None), 2 => slug().prop_map(Some)];
    let roles =
        prop_oneof![3 * sameness => Just(None), 1 => prop::collection::vec(slug(), 0..3).prop_map(Some)];
    let moved = prop_oneof![
        here => Just(Some(0)), next => Just(Some(1)), anywhere => (0..DIRECTORIES).prop_map(Some), first => Just(None),
    ];
    let lag = prop_oneof![young => Just(0), older => 1..6_i8, oldest => Just(SECONDS), 1 => Just(-1)];
    // Usually the same content is sent again with another version.
    let look = prop_oneof![4 * sameness => Just(0), 3 => 1..4_u8];
    (0..people, moved, lag, state, role, roles, look).prop_map(
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

fn kind(Shape { removals, descriptions, dissolutions, .. }: Shape) -> impl Strategy<Value = Kind> {
    prop_oneof![
        10 => Just(Kind::UserCreated), 16 => Just(Kind::UserUpdated), 6 * removals => Just(Kind::UserDeleted),
        24 => Just(Kind::UserAdded), 8 * removals => Just(Kind::UserRemoved),
        5 => Just(Kind::GroupCreated), 5 => Just(Kind::GroupUpdated), 3 * removals => Just(Kind::GroupDeleted),
        8 * descriptions => Just(Kind::Activated), 3 => Just(Kind::DirectoryDeleted),
        2 => Just(Kind::OrganizationCreated), 2 => Just(Kind::OrganizationUpdated),
        2 * dissolutions => Just(Kind::OrganizationDeleted),
    ]
}

pub fn event(shape: Shape) -> BoxedStrategy<Event> {
    let Shape { directories: [first, second, later], claims: [own, nobody, other], .. } = shape;
    let directory = prop_oneof![first => Just(0_u8), second => Just(1), later => 2..DIRECTORIES];
    let claim = prop_oneof![
        own => Just(Claim::Own), nobody => Just(Claim::Nobody), other => (1..3_u8).prop_map(Claim::Other),
    ];
    let time = (0..SECONDS.unsigned_abs(), prop::bool::weighted(0.05));
    let delivery = (prop::option::weighted(0.15, 0..12_u8), prop::bool::weighted(shape.together));
    (kind(shape), directory, claim, time, 0..4_u8, snapshot(shape), snapshot(shape), delivery)
        .prop_map(|(kind, directory, claim, (second, untimed), rank, user, group, (again, more))| {
            let sent = (!untimed).then_some(second);
            Event { kind, directory, claim, sent, second, rank, user, group, again, more }
        })
        .boxed()
}
