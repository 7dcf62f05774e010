//! The events of a directory after its first sync: people change, move, leave and return; groups are renamed, deleted
//! and created. A change without a possible subject does not happen.

use rand::RngExt;
use serde_json::{Map, Value, json};

use super::body::{self, Role};
use super::directory::{Directory, Leavers};
use super::event::{Broker, Event};
use super::names::{self, DEPARTMENTS, JOB_TITLES};
use super::people::Standing;

const ROLES: [&str; 4] = ["member", "support", "billing", "admin"];
/// The maximum number of groups of one person.
const MOST_GROUPS: usize = 12;

impl Directory {
    /// The next event; `None` only if the directory has no people.
    pub(super) fn live(&mut self, broker: &mut Broker) -> Option<Event> {
        let event = match broker.dice.random_range(0..100) {
            0..13 => self.change_profile(broker),
            13..27 => self.change_attributes(broker),
            27..41 => self.change_roles(broker),
            41..65 => self.join(broker),
            65..75 => self.leave_group(broker),
            75..80 => self.rename_group(broker),
            80..87 => self.leave(broker),
            87..93 => self.come_back(broker),
            93..96 => self.delete_group(broker),
            _ => self.found_group(broker),
        };
        event.or_else(|| self.change_attributes(broker)).or_else(|| self.come_back(broker))
    }

    fn change_profile(&mut self, broker: &mut Broker) -> Option<Event> {
        let place = self.somebody(Some(Standing::Active), broker)?;
        let with_address = broker.dice.random_bool(0.5);
        let choice = broker.dice.random_range(0..1000);
        let person = self.people.get_mut(place)?;
        let mut previous = Map::new();
        previous.insert("name".to_owned(), json!(person.name()));
        previous.insert("last_name".to_owned(), json!(person.last_name));
        // Two neighbours in the list are never equal.
        let (last_name, spelled) = [names::last(choice), names::last(choice + 1)]
            .into_iter()
            .find(|new| new.0 != person.last_name)?;
        person.last_name = last_name;
        if with_address {
            // One letter before the dot and the person's number after it: no other person has such an address.
            let initial = person.username.chars().next()?;
            let address = format!("{initial}.{spelled}{}@{}", person.number, self.domain);
            if person.email.as_ref() != Some(&address) {
                previous.insert("email".to_owned(), json!(person.email));
                let attributes = json!({"username": person.username, "emails": person.emails()});
                previous.insert("custom_attributes".to_owned(), attributes);
                person.username.clone_from(&address);
                person.email = Some(address);
            }
        }
        self.user_updated(place, Value::Object(previous), broker)
    }

    fn change_attributes(&mut self, broker: &mut Broker) -> Option<Event> {
        let place = self.somebody(Some(Standing::Active), broker)?;
        let moves = broker.dice.random_bool(0.4);
        let step = broker.dice.random_range(1..8);
        let person = self.people.get_mut(place)?;
        let mut previous = Map::new();
        previous.insert("job_title".to_owned(), json!(person.job_title));
        person.job_title = step_from(&JOB_TITLES, person.job_title, step);
        if moves {
            previous.insert("department_name".to_owned(), json!(person.department_name));
            person.department_name = step_from(&DEPARTMENTS, person.department_name, step);
        }
        self.user_updated(place, json!({"custom_attributes": previous}), broker)
    }

    fn change_roles(&mut self, broker: &mut Broker) -> Option<Event> {
        let place = self.somebody(Some(Standing::Active), broker)?;
        let second = self.several_roles && broker.dice.random_bool(0.4);
        let step = broker.dice.random_range(1..4);
        let person = self.people.get_mut(place)?;
        let primary = person.roles.first().copied()?;
        let other = Role { slug: step_from(&ROLES, primary.slug, step) };
        let mut previous = Map::new();
        previous.insert("roles".to_owned(), json!(person.roles));
        if second && person.roles.len() == 1 {
            person.roles.push(other);
        } else {
            previous.insert("role".to_owned(), json!(primary));
            person.roles = vec![other];
        }
        self.user_updated(place, Value::Object(previous), broker)
    }

    fn join(&mut self, broker: &mut Broker) -> Option<Event> {
        let place = self.somebody(Some(Standing::Active), broker)?;
        self.forget_deleted_groups(place);
        if self.people.get(place)?.groups.len() >= MOST_GROUPS {
            return self.leave_group(broker);
        }
        self.join_some_group(place, broker)
    }

    /// Removes a person from a group. The person may be inactive; then no row shows the membership.
    fn leave_group(&mut self, broker: &mut Broker) -> Option<Event> {
        let place = self.somebody(None, broker)?;
        self.forget_deleted_groups(place);
        let groups = &mut self.people.get_mut(place)?.groups;
        if groups.is_empty() {
            return None;
        }
        let group = groups.swap_remove(broker.dice.random_range(0..groups.len()));
        self.membership("dsync.group.user_removed", place, group, broker)
    }

    fn rename_group(&mut self, broker: &mut Broker) -> Option<Event> {
        let place = self.some_group(broker)?;
        let choice = broker.dice.random_range(0..6);
        let group = self.groups.get_mut(place)?;
        let name = [names::region(choice), names::region(choice + 1)]
            .map(|region| format!("{} ({region})", group.first_name))
            .into_iter()
            .find(|name| *name != group.name)?;
        let previous = std::mem::replace(&mut group.name, name);
        group.updated_at = broker.changed_at;
        let previous_attributes = Some(json!({"name": previous}));
        let group = self.groups.get(place)?;
        Some(broker.event("dsync.group.updated", body::Group { previous_attributes, ..self.group(group) }))
    }

    /// A person leaves. At most a quarter of the people is inactive or deleted at once.
    fn leave(&mut self, broker: &mut Broker) -> Option<Event> {
        if (self.away.len() + 1) * 4 > self.people.len() {
            return None;
        }
        let place = self.somebody(Some(Standing::Active), broker)?;
        self.away.push(place);
        let person = self.people.get_mut(place)?;
        person.updated_at = broker.changed_at;
        match self.leavers {
            Leavers::Deactivated => {
                person.standing = Standing::Inactive;
                self.user_updated(place, json!({"state": "active"}), broker)
            }
            Leavers::Deleted => {
                person.standing = Standing::Deleted;
                person.groups.clear();
                self.deleted_ids += 1;
                let person = self.people.get(place)?;
                Some(broker.event("dsync.user.deleted", self.user(person)))
            }
        }
    }

    fn come_back(&mut self, broker: &mut Broker) -> Option<Event> {
        if self.away.is_empty() {
            return None;
        }
        let place = self.away.swap_remove(broker.dice.random_range(0..self.away.len()));
        let person = self.people.get_mut(place)?;
        let before = std::mem::replace(&mut person.standing, Standing::Active);
        if before == Standing::Inactive {
            return self.user_updated(place, json!({"state": "inactive"}), broker);
        }
        person.id = broker.ids.ulid("directory_user", broker.changed_at);
        person.created_at = broker.changed_at;
        person.updated_at = broker.changed_at;
        let person = self.people.get(place)?;
        Some(broker.event("dsync.user.created", self.user(person)))
    }

    /// `dsync.group.deleted` is the only event: no member is removed before.
    fn delete_group(&mut self, broker: &mut Broker) -> Option<Event> {
        // Large groups are deleted less often; otherwise a large directory would soon have no memberships.
        let size = self.people.len() / self.live_groups.len().max(1);
        if self.live_groups.len() < 3 || broker.dice.random_range(0..=size) > 2 {
            return None;
        }
        let place = self.live_groups.swap_remove(broker.dice.random_range(0..self.live_groups.len()));
        let group = self.groups.get_mut(place)?;
        group.live = false;
        group.updated_at = broker.changed_at;
        let group = self.groups.get(place)?;
        Some(broker.event("dsync.group.deleted", self.group(group)))
    }

    fn found_group(&mut self, broker: &mut Broker) -> Option<Event> {
        let wanted = super::directory::groups_of(self.people.len()) + 2;
        if self.live_groups.len() < wanted { self.create_group(broker) } else { None }
    }

    fn user_updated(&mut self, place: usize, previous: Value, broker: &mut Broker) -> Option<Event> {
        self.people.get_mut(place)?.updated_at = broker.changed_at;
        let user = self.user(self.people.get(place)?);
        Some(broker.event("dsync.user.updated", body::User { previous_attributes: Some(previous), ..user }))
    }

    /// The first person with this standing after a random index; without a standing, the first who is not deleted.
    fn somebody(&self, standing: Option<Standing>, broker: &mut Broker) -> Option<usize> {
        let start = broker.dice.random_range(0..self.people.len().max(1));
        let people = || self.people.iter().enumerate();
        let wanted = |found| standing.map_or(found != Standing::Deleted, |wanted| wanted == found);
        let mut around = people().skip(start).chain(people().take(start));
        around.find(|(_, person)| wanted(person.standing)).map(|(place, _)| place)
    }

    fn some_group(&self, broker: &mut Broker) -> Option<usize> {
        let choice = broker.dice.random_range(0..self.live_groups.len().max(1));
        self.live_groups.get(choice).copied()
    }

    fn forget_deleted_groups(&mut self, place: usize) {
        if let Some(person) = self.people.get_mut(place) {
            person.groups.retain(|group| self.groups.get(*group).is_some_and(|group| group.live));
        }
    }
}

/// The entry `step` places after `current`, from the end on to the beginning. It differs from `current` if `step` is
/// less than `N`.
fn step_from<const N: usize>(from: &[&'static str; N], current: &str, step: usize) -> &'static str {
    let place = from.iter().position(|entry| *entry == current).unwrap_or(0);
    names::pick(from, place + step)
}
