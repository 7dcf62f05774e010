//! One tenant's directory in the broker's state, and its first sync: organization, directory, users, groups,
//! memberships.

use rand::RngExt;

use super::body::{self, Nothing, Timestamp};
use super::event::{Broker, Event};
use super::names;
use super::people::{Group, Person, Provider};

/// The broker's event for a leaver: a setting of its environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leavers {
    /// `dsync.user.updated` with `state: inactive`. A person who returns has the same id and memberships.
    Deactivated,
    /// `dsync.user.deleted`. A person who returns gets a new id and no memberships; only `idp_id` is the same.
    Deleted,
}

/// The next step of the first sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FirstSync {
    Organization,
    Directory,
    User,
    Group,
    /// The `nth` membership of a person.
    Membership {
        person: usize,
        nth: usize,
    },
    Done,
}

#[derive(Debug)]
pub(super) struct Directory {
    pub tenant: usize,
    pub provider: Provider,
    pub leavers: Leavers,
    /// Whether users have several roles (`roles`) or one role (single-role mode).
    pub several_roles: bool,
    pub organization_id: String,
    organization: String,
    pub domain: String,
    domain_id: String,
    pub id: String,
    pub name: String,
    external_key: String,
    pub created_at: i64,
    first_sync: FirstSync,
    /// The number of users in the first sync.
    users: usize,
    pub people: Vec<Person>,
    pub groups: Vec<Group>,
    /// Indexes in `groups` of the existing groups.
    pub live_groups: Vec<usize>,
    /// Indexes in `people` of the leavers.
    pub away: Vec<usize>,
    /// The number of deleted directory user ids.
    pub deleted_ids: u64,
    pub deleted: bool,
}

/// The initial number of groups for this number of users: 4 for a small directory, 504 for 50,000 users.
pub(super) fn groups_of(users: usize) -> usize {
    users / 100 + 4
}

/// The number of groups of person `n` in the first sync: 6 on average if there are enough groups.
fn memberships_of(n: usize, groups: usize) -> usize {
    1 + n * 7 % groups.clamp(1, 11)
}

/// The number of events in the first sync of a directory with this number of users.
pub(super) fn first_sync_len(users: usize) -> u64 {
    let groups = groups_of(users);
    let memberships: usize = (0..users).map(|n| memberships_of(n, groups)).sum();
    (2 + users + groups + memberships) as u64
}

impl Directory {
    pub(super) fn new(tenant: usize, users: usize) -> Self {
        let (organization, domain) = names::organization(tenant);
        let provider = Provider::of(tenant);
        Self {
            tenant,
            provider,
            leavers: if tenant.is_multiple_of(2) { Leavers::Deactivated } else { Leavers::Deleted },
            several_roles: tenant % 3 != 1,
            name: format!("{organization} {}", provider.name()),
            organization_id: String::new(),
            organization,
            domain,
            domain_id: String::new(),
            id: String::new(),
            external_key: String::new(),
            created_at: 0,
            first_sync: FirstSync::Organization,
            users,
            people: Vec::new(),
            groups: Vec::new(),
            live_groups: Vec::new(),
            away: Vec::new(),
            deleted_ids: 0,
            deleted: false,
        }
    }

    pub(super) fn is_synced(&self) -> bool {
        self.first_sync == FirstSync::Done
    }

    /// The next event of the first sync, which must not be finished.
    pub(super) fn sync(&mut self, broker: &mut Broker) -> Option<Event> {
        let event = match self.first_sync {
            FirstSync::Organization => self.create_organization(broker),
            FirstSync::Directory => self.activate(broker),
            FirstSync::User => self.hire(broker)?,
            FirstSync::Group => self.create_group(broker)?,
            FirstSync::Membership { person, .. } => self.join_some_group(person, broker)?,
            FirstSync::Done => return None,
        };
        self.first_sync = self.after(self.first_sync);
        Some(event)
    }

    fn after(&self, done: FirstSync) -> FirstSync {
        let groups = groups_of(self.users);
        match done {
            FirstSync::Organization => FirstSync::Directory,
            FirstSync::Directory | FirstSync::User if self.people.len() < self.users => FirstSync::User,
            FirstSync::Directory | FirstSync::User | FirstSync::Group if self.groups.len() < groups => {
                FirstSync::Group
            }
            FirstSync::Membership { person, nth } if nth + 1 < memberships_of(person, groups) => {
                FirstSync::Membership { person, nth: nth + 1 }
            }
            FirstSync::Membership { person, .. } if person + 1 < self.users => {
                FirstSync::Membership { person: person + 1, nth: 0 }
            }
            FirstSync::Group if self.users > 0 => FirstSync::Membership { person: 0, nth: 0 },
            _ => FirstSync::Done,
        }
    }

    fn create_organization(&mut self, broker: &mut Broker) -> Event {
        self.organization_id = broker.ids.ulid("org", broker.changed_at);
        self.domain_id = broker.ids.ulid("org_domain", broker.changed_at);
        let at = Timestamp(broker.changed_at);
        let organization = body::Organization {
            object: "organization",
            id: &self.organization_id,
            name: &self.organization,
            domains: [body::OrganizationDomain {
                object: "organization_domain",
                id: &self.domain_id,
                organization_id: &self.organization_id,
                domain: &self.domain,
                state: "verified",
                verification_strategy: "dns",
                created_at: at,
                updated_at: at,
            }],
            metadata: Nothing {},
            external_id: None,
            created_at: at,
            updated_at: at,
        };
        broker.event("organization.created", organization)
    }

    fn activate(&mut self, broker: &mut Broker) -> Event {
        self.id = broker.ids.ulid("directory", broker.changed_at);
        self.external_key = broker.ids.key();
        self.created_at = broker.changed_at;
        let domain = body::DirectoryDomain {
            object: "organization_domain",
            id: &self.domain_id,
            domain: &self.domain,
        };
        let activated = body::Directory {
            external_key: Some(&self.external_key),
            domains: Some([domain]),
            ..self.snapshot("active", broker.changed_at)
        };
        broker.event("dsync.activated", activated)
    }

    /// `dsync.deleted`: the only event about the end of all users and groups.
    pub(super) fn delete(&mut self, broker: &mut Broker) -> Event {
        self.deleted = true;
        broker.event("dsync.deleted", self.snapshot("deleting", broker.changed_at))
    }

    fn hire(&mut self, broker: &mut Broker) -> Option<Event> {
        self.people.push(Person::new(self.people.len(), self, broker));
        Some(broker.event("dsync.user.created", self.user(self.people.last()?)))
    }

    pub(super) fn create_group(&mut self, broker: &mut Broker) -> Option<Event> {
        let group = Group::new(names::group(self.groups.len()), self.provider, broker);
        self.live_groups.push(self.groups.len());
        self.groups.push(group);
        Some(broker.event("dsync.group.created", self.group(self.groups.last()?)))
    }

    /// Adds the person to another group; `None` if there is no other group.
    pub(super) fn join_some_group(&mut self, person: usize, broker: &mut Broker) -> Option<Event> {
        let Self { people, live_groups, .. } = self;
        let member = people.get_mut(person)?;
        let start = broker.dice.random_range(0..live_groups.len().max(1));
        let mut around = live_groups.iter().skip(start).chain(live_groups.iter().take(start)).copied();
        let group = around.find(|group| !member.groups.contains(group))?;
        member.groups.push(group);
        self.membership("dsync.group.user_added", person, group, broker)
    }

    pub(super) fn membership(
        &self,
        kind: &'static str,
        person: usize,
        group: usize,
        broker: &mut Broker,
    ) -> Option<Event> {
        let user = self.user(self.people.get(person)?);
        let group = self.group(self.groups.get(group)?);
        Some(broker.event(kind, body::Membership { directory_id: &self.id, user, group }))
    }
}
