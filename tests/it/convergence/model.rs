//! An independent implementation of the published tables: from the design's text (sections 1 and 2) and the broker's
//! payloads, over a plain set of events, without a database, a batch or an order of arrival.

mod namesakes;
mod rows;

use std::collections::{BTreeMap, BTreeSet};

use rosterd::decide::{People, Rules, Tenancy};
use serde_json::Value;

pub use rows::Tables;

use super::mapped::Mapped;

/// (time, time of sending, event id). All times here are texts of one form, so they sort correctly.
type Version<'a> = (&'a str, &'a str, &'a str);

/// (tenant, id): ids are unique in a tenant.
type Key<'a> = (&'a str, &'a str);

/// The statement of one event about one entity.
struct Fact<'a> {
    version: Version<'a>,
    directory: &'a str,
    data: &'a Value,
    deleted: bool,
    /// A removal does not reveal an entity that no other event has revealed.
    reveals: bool,
}

/// All facts about entities of one kind.
struct Facts<'a, K>(BTreeMap<K, Vec<Fact<'a>>>);

impl<'a, K: Ord + Copy> Facts<'a, K> {
    fn add(&mut self, key: K, fact: Fact<'a>) {
        self.0.entry(key).or_default().push(fact);
    }

    fn newest(&self, key: K) -> Option<&Fact<'a>> {
        self.0.get(&key)?.iter().max_by_key(|fact| fact.version)
    }

    /// The latest fact about every revealed entity.
    fn visible(&self) -> impl Iterator<Item = (K, &Fact<'a>)> {
        let seen = |(_, facts): &(&K, &Vec<Fact<'a>>)| facts.iter().any(|fact| fact.reveals);
        self.0.iter().filter(seen).filter_map(|(key, _)| Some((*key, self.newest(*key)?)))
    }
}

impl<K> Default for Facts<'_, K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

/// The pair by which a fact names a user: `idp_id` and address.
type Pair<'a> = (Option<&'a str>, Option<&'a str>);

fn pair<'a>(fact: &Fact<'a>) -> Pair<'a> {
    (fact.data["idp_id"].as_str(), fact.data["email"].as_str())
}

/// One change of a membership: its time, its event, and whether it is an addition.
type Change<'a> = (&'a str, &'a str, bool);

#[derive(Default)]
struct Model<'a> {
    rules: Rules,
    /// The organization of each claimed directory.
    owners: BTreeMap<&'a str, &'a str>,
    organizations: Facts<'a, &'a str>,
    directories: Facts<'a, &'a str>,
    /// Directories that are revealed by events about other entities.
    mentioned: BTreeSet<&'a str>,
    users: Facts<'a, Key<'a>>,
    groups: Facts<'a, Key<'a>>,
    /// By tenant, group and user.
    memberships: BTreeMap<(&'a str, &'a str, &'a str), BTreeSet<Change<'a>>>,
    roles: BTreeSet<Key<'a>>,
    mapped: Option<Mapped>,
}

pub fn tables(events: &[Value], rules: &Rules, mapped: Option<Mapped>) -> Tables {
    let mut model = Model { rules: rules.clone(), owners: owners(events), mapped, ..Model::default() };
    for event in events {
        model.add_event(event);
    }
    model.tables()
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

/// The snapshot that names the directory. For a membership event it is the user's (both agree).
fn subject(event: &Value) -> &Value {
    if event["data"]["user"].is_object() { &event["data"]["user"] } else { &event["data"] }
}

fn directory_of(event: &Value) -> Option<&str> {
    let own = matches!(text(event, "event"), "dsync.activated" | "dsync.deleted");
    if own { event["data"]["id"].as_str() } else { event["data"]["directory_id"].as_str() }
}

/// The broker's time of sending. Without it, the time of the change.
fn sent<'a>(event: &'a Value, subject: &'a Value) -> &'a str {
    event["created_at"].as_str().unwrap_or_else(|| text(subject, "updated_at"))
}

/// A directory belongs to the organization of its oldest claim. Its own events come before all others.
fn owners(events: &[Value]) -> BTreeMap<&str, &str> {
    let mut oldest = BTreeMap::new();
    for event in events {
        let claimed = subject(event)["organization_id"].as_str();
        let (Some(directory), Some(organization)) = (directory_of(event), claimed) else { continue };
        let hearsay = text(event, "event").matches('.').count() > 1;
        let claim = (hearsay, sent(event, subject(event)), text(event, "id"), organization);
        oldest.entry(directory).and_modify(|oldest| *oldest = claim.min(*oldest)).or_insert(claim);
    }
    oldest.into_iter().map(|(directory, claim)| (directory, claim.3)).collect()
}

/// An organization with the id of the default tenant is not that tenant.
fn tenant_of(organization: &str) -> &str {
    if organization == "default" { "organization:default" } else { organization }
}

/// `role` or `roles[]`, depending on the environment.
fn slugs(user: &Value) -> BTreeSet<&str> {
    let many = user["roles"].as_array().into_iter().flatten();
    many.chain([&user["role"]]).filter_map(|role| role["slug"].as_str()).collect()
}

impl<'a> Model<'a> {
    fn tenant(&self, directory: &str) -> &'a str {
        match (self.rules.tenancy, self.owners.get(directory)) {
            (Tenancy::Multi, Some(owner)) => tenant_of(owner),
            _ => "default",
        }
    }

    fn add_event(&mut self, event: &'a Value) {
        let data = &event["data"];
        let (family, verb) = text(event, "event").rsplit_once('.').unwrap();
        let directory = directory_of(event).unwrap_or_default();
        let fact = |data: &'a Value| {
            let (sent, updated, deleted) = (sent(event, data), text(data, "updated_at"), verb == "deleted");
            // No fact is newer than its event. And a stale snapshot inside a deletion can never lose to an older
            // update.
            let at = if deleted { sent } else { sent.min(updated) };
            let reveals = !deleted && verb != "user_removed";
            Fact { version: (at, sent, text(event, "id")), directory, data, deleted, reveals }
        };
        if family == "organization" {
            return self.organizations.add(text(data, "id"), fact(data));
        }
        let claimed = subject(event)["organization_id"].as_str();
        if claimed.is_some_and(|claimed| self.owners[directory] != claimed) {
            return; // Set aside: it speaks for an organization that is not its directory's.
        }
        if family == "dsync" {
            return self.directories.add(directory, fact(data));
        }
        if fact(data).reveals {
            self.mentioned.insert(directory);
        }
        let tenant = self.tenant(directory);
        match (family, verb) {
            ("dsync.user", _) => self.add_user(tenant, fact(data)),
            (_, "user_added" | "user_removed") => {
                let (user, group) = (&data["user"], &data["group"]);
                let change = (sent(event, user), text(event, "id"), verb == "user_added");
                let members = (tenant, text(group, "id"), text(user, "id"));
                self.memberships.entry(members).or_default().insert(change);
                self.add_user(tenant, fact(user));
                self.groups.add((tenant, text(group, "id")), fact(group));
            }
            _ => self.groups.add((tenant, text(data, "id")), fact(data)),
        }
    }

    fn add_user(&mut self, tenant: &'a str, fact: Fact<'a>) {
        if fact.reveals {
            self.roles.extend(slugs(fact.data).into_iter().map(|slug| (tenant, slug)));
        }
        self.users.add((tenant, text(fact.data, "id")), fact);
    }

    /// The time since which somebody is in a group. Facts from before the group's deletion do not count, nor facts from
    /// when the id belonged to somebody else.
    fn member(
        &self,
        (tenant, group, user): (&'a str, &'a str, &'a str),
        changes: &BTreeSet<Change<'a>>,
    ) -> Option<&'a str> {
        let (at, event, _) = changes.last().filter(|(_, _, added)| *added)?;
        let deletions = self.groups.0.get(&(tenant, group)).into_iter().flatten().filter(|fact| fact.deleted);
        let mut deletions = deletions.map(|Fact { version: (_, sent, event), .. }| (*sent, *event));
        let begins = deletions.all(|deletion| deletion < (*at, *event));
        let theirs = self.former((tenant, user)).is_none_or(|former| former < (*at, *event));
        (begins && theirs).then_some(*at)
    }

    /// The latest fact about another bearer of this id than the current one: its time of sending, and the event.
    fn former(&self, key: Key<'a>) -> Option<(&'a str, &'a str)> {
        let (_, others) = self.bearers(key)?;
        others.into_iter().map(|Fact { version: (_, sent, event), .. }| (*sent, *event)).max()
    }

    /// For a deletion without a profile: the latest fact that is no deletion, unless it is about another person.
    fn profile(&self, key: Key<'a>) -> Option<&Fact<'a>> {
        let living = self.users.0.get(&key)?.iter().filter(|fact| !fact.deleted);
        let last = living.max_by_key(|fact| fact.version)?;
        let others = self.bearers(key).map(|(_, others)| others).unwrap_or_default();
        others.iter().all(|other| other.version != last.version).then_some(last)
    }

    /// The facts about the current bearer of this id, and the facts about others. Only facts that name somebody.
    fn bearers(&self, key: Key<'a>) -> Option<(Vec<&Fact<'a>>, Vec<&Fact<'a>>)> {
        let facts = self.users.0.get(&key)?.iter().filter(|fact| pair(fact) != (None, None));
        let facts: Vec<&Fact<'a>> = facts.collect();
        let last_under = |idp_id: Option<&str>| {
            facts.iter().filter(|fact| pair(fact).0 == idp_id).max_by_key(|fact| fact.version).unwrap()
        };
        // One address is one person, except for an id that was deleted and created again with another idp_id.
        let linked = |a: (Option<&str>, Option<&str>), b: (Option<&str>, Option<&str>)| {
            let (a_last, b_last) = (last_under(a.0), last_under(b.0));
            let older = if a_last.version < b_last.version { a_last } else { b_last };
            a.0 == b.0 || (a.1.is_some() && a.1 == b.1 && !older.deleted)
        };
        let newest = facts.iter().max_by_key(|fact| fact.version)?;
        let mut same = BTreeSet::from([pair(newest)]);
        loop {
            let more: BTreeSet<_> = facts
                .iter()
                .map(|fact| pair(fact))
                .filter(|one| same.iter().any(|known| linked(*known, *one)))
                .collect();
            if more.is_subset(&same) {
                break;
            }
            same.extend(more);
        }
        Some(facts.iter().copied().partition(|fact| same.contains(&pair(fact))))
    }

    /// The time since which the directory's organization is deleted.
    fn dissolved(&self, directory: &str) -> Option<&'a str> {
        let newest = self.organizations.newest(self.owners.get(directory)?)?;
        newest.deleted.then_some(newest.version.0)
    }

    /// The time since which the directory is deleted, itself or with its organization.
    fn gone(&self, directory: &str) -> Option<&'a str> {
        let deleted = self.directories.newest(directory).filter(|fact| fact.deleted);
        deleted.map(|fact| fact.version.0).into_iter().chain(self.dissolved(directory)).min()
    }

    /// The time since which the people of a directory have no access for that reason.
    fn dismissed(&self, directory: &str) -> Option<&'a str> {
        let rule = &self.rules.directory_deleted;
        match rule.of_tenant.get(self.tenant(directory)).unwrap_or(&rule.otherwise) {
            People::Keep => self.dissolved(directory),
            People::Deprovision => self.gone(directory),
        }
    }

    /// The time since which the latest fact about a user gives no access, by itself or because of the directory.
    fn left(&self, user: &Fact<'a>) -> Option<&'a str> {
        let themselves = (user.deleted || user.data["state"] != "active").then_some(user.version.0);
        themselves.into_iter().chain(self.dismissed(user.directory)).min()
    }
}
