//! All tenants' directories and the order of their events: the first syncs side by side, then changes, then (with
//! three tenants or more) the deletion of the last tenant's directory.

use std::collections::VecDeque;

use rand::RngExt;

use super::directory::{self, Directory};
use super::event::{Broker, Event};
use super::ids::Ids;
use super::people::Standing;
use super::plan::{Plan, Stream};

/// A lazy stream of events. Its memory grows with users and groups, not with events.
#[derive(Debug)]
pub struct World {
    plan: Plan,
    broker: Broker,
    directories: Vec<Directory>,
    /// Directories with an unfinished first sync, in turn.
    syncing: VecDeque<usize>,
    /// Directories with people.
    inhabited: Vec<usize>,
    left: u64,
}

/// The state of a correct receiver after the last event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Census {
    pub active_users: u64,
    /// Rows of `users` that are not active. Each id of the broker has a row.
    pub inactive_users: u64,
    pub groups: u64,
    /// Active users in groups that exist.
    pub memberships: u64,
}

impl World {
    pub(super) fn new(plan: Plan) -> Self {
        let tenants = plan.tenants as usize;
        let users = plan.users as usize;
        // The first tenants get the remainder of the division.
        let users_of = |tenant| users / tenants + usize::from(tenant < users % tenants);
        let first_sync: u64 = (0..tenants).map(|tenant| directory::first_sync_len(users_of(tenant))).sum();
        let inhabited: Vec<usize> = (0..tenants).filter(|tenant| users_of(*tenant) > 0).collect();
        Self {
            broker: Broker::new(&plan),
            directories: (0..tenants).map(|tenant| Directory::new(tenant, users_of(tenant))).collect(),
            syncing: (0..tenants).collect(),
            // Without people there are no events after the first sync.
            left: if inhabited.is_empty() { first_sync } else { plan.events.max(first_sync) },
            inhabited,
            plan,
        }
    }

    pub fn census(&self) -> Census {
        self.directories.iter().map(census).fold(Census::default(), |sum, one| Census {
            active_users: sum.active_users + one.active_users,
            inactive_users: sum.inactive_users + one.inactive_users,
            groups: sum.groups + one.groups,
            memberships: sum.memberships + one.memberships,
        })
    }

    fn sync(&mut self) -> Option<Event> {
        let turn = self.syncing.pop_front()?;
        let directory = self.directories.get_mut(turn)?;
        self.broker.wait(2..40);
        let event = directory.sync(&mut self.broker)?;
        if !directory.is_synced() {
            self.syncing.push_back(turn);
        }
        Some(event)
    }

    fn live(&mut self) -> Option<Event> {
        let choice = self.broker.dice.random_range(0..self.inhabited.len().max(1));
        let directory = self.directories.get_mut(*self.inhabited.get(choice)?)?;
        self.broker.wait(50..4000);
        directory.live(&mut self.broker)
    }

    fn end(&mut self) -> Option<Event> {
        self.broker.ids = Ids::new(&self.plan, Stream::Ending);
        self.broker.wait(50..4000);
        Some(self.directories.last_mut()?.delete(&mut self.broker))
    }
}

impl Iterator for World {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        self.left = self.left.checked_sub(1)?;
        if !self.syncing.is_empty() {
            self.sync()
        } else if self.left == 0 && self.directories.len() >= 3 {
            self.end()
        } else {
            self.live()
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        (left, Some(left))
    }
}

fn census(directory: &Directory) -> Census {
    let active = || directory.people.iter().filter(|person| person.standing == Standing::Active);
    let is_live = |group: &&usize| directory.groups.get(**group).is_some_and(|group| group.live);
    let active_users = active().count() as u64;
    let inactive =
        directory.people.iter().filter(|person| person.standing == Standing::Inactive).count() as u64;
    let inactive_users = directory.deleted_ids + inactive;
    if directory.deleted {
        return Census { inactive_users: active_users + inactive_users, ..Census::default() };
    }
    Census {
        active_users,
        inactive_users,
        groups: directory.live_groups.len() as u64,
        memberships: active().map(|person| person.groups.iter().filter(is_live).count() as u64).sum(),
    }
}
