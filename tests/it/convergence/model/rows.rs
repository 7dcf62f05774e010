//! The model's tables, row by row.

use std::collections::{BTreeMap, BTreeSet};

use rosterd::decide::profile::Profile;
use serde_json::{Value, json};

use crate::harness::broker::with;

use super::{Fact, Key, Model, slugs, tenant_of};

/// The rows of each published table, by key. `access_epoch` is omitted, because it may differ.
pub type Tables = BTreeMap<&'static str, Vec<Value>>;

/// Role → the reason, and its time if that is not the time of the latest fact about the user.
type Grants = BTreeMap<String, (String, Option<String>)>;

/// A row: values that are decided here, and values that are copied from a fact. Without a fact nothing is copied.
fn row(mut decided: Value, fact: Option<&Fact<'_>>, taken: &[&str]) -> Value {
    for field in taken {
        decided[*field] = fact.map_or(Value::Null, |fact| fact.data[*field].clone());
    }
    decided
}

impl<'a> Model<'a> {
    pub(super) fn tables(&self) -> Tables {
        let directories = self.shown_directories();
        let existing = |fact: &Fact<'_>| !fact.deleted && self.gone(fact.directory).is_none();
        let groups: BTreeMap<Key<'_>, _> = self.groups.visible().filter(|(_, fact)| existing(fact)).collect();
        let granted: BTreeMap<Key<'_>, Grants> =
            self.users.visible().map(|(key, fact)| (key, self.grants(key, fact, &groups))).collect();
        let left = |key: Key<'_>, fact: &Fact<'a>| {
            let shut_out = self.mapped.is_some() && granted[&key].is_empty();
            self.left(fact).or(shut_out.then_some(fact.version.0))
        };
        let active: BTreeMap<Key<'_>, _> =
            self.users.visible().filter(|(key, fact)| left(*key, fact).is_none()).collect();
        let members = self.memberships.iter().filter(|((tenant, group, user), changes)| {
            self.member((tenant, group, user), changes).is_some()
                && groups.contains_key(&(tenant, group))
                && active.contains_key(&(tenant, user))
        });
        let users = self.users.visible();
        let namesakes = self.namesakes(&directories);
        Tables::from([
            ("tenants", self.tenants(&directories)),
            ("directories", directories.iter().map(|(tenant, id)| self.directory(tenant, id)).collect()),
            (
                "users",
                users
                    .map(|(key, fact)| self.user(key, fact, left(key, fact), &directories, &namesakes))
                    .collect(),
            ),
            ("groups", groups.iter().map(|(key, fact)| group(*key, fact)).collect()),
            ("group_members", members.map(|(key, _)| member(*key)).collect()),
            ("roles", self.roles(&directories)),
            (
                "user_roles",
                active.iter().flat_map(|(key, fact)| assignments(*key, fact, &granted[key])).collect(),
            ),
        ])
    }

    /// The roles that a mapping grants to a user with access.
    fn grants(
        &self,
        (tenant, user): Key<'_>,
        fact: &Fact<'a>,
        groups: &BTreeMap<Key<'_>, &Fact<'a>>,
    ) -> Grants {
        let Some(mapped) = self.mapped else {
            let passed = |slug: &str| (slug.to_owned(), ("broker role".to_owned(), None));
            return slugs(fact.data).into_iter().map(passed).collect();
        };
        let of_user = self.memberships.iter().filter(|((t, _, u), _)| (*t, *u) == (tenant, user));
        let groups = of_user.filter_map(|((_, group, _), changes)| {
            let since = self.member((tenant, *group, user), changes)?;
            let fact = groups.get(&(tenant, *group))?;
            Some((*group, fact.data["name"].as_str()?, fact.directory, since))
        });
        mapped.grants(fact.data, &slugs(fact.data), &groups.collect())
    }

    fn roles(&self, directories: &BTreeSet<Key<'a>>) -> Vec<Value> {
        let row = |tenant: &str, slug: &str| json!({"tenant_id": tenant, "slug": slug, "name": slug});
        let Some(mapped) = self.mapped else {
            return self.roles.iter().map(|(tenant, slug)| row(tenant, slug)).collect();
        };
        let tenants = self.tenant_ids(directories).into_iter();
        let of_tenant = |tenant: &'a str| {
            let mentioned = self.roles.iter().filter(move |(of, _)| *of == tenant).map(|(_, slug)| *slug);
            mapped.listed(mentioned).into_iter().map(move |slug| row(tenant, slug)).collect::<Vec<_>>()
        };
        tenants.flat_map(of_tenant).collect()
    }

    fn tenant_ids(&self, directories: &BTreeSet<Key<'a>>) -> BTreeSet<&'a str> {
        let multi = self.rules.tenancy == rosterd::decide::Tenancy::Multi;
        let organizations = self.organizations.visible().map(|(id, _)| tenant_of(id)).filter(|_| multi);
        directories.iter().map(|(tenant, _)| *tenant).chain(organizations).collect()
    }

    fn shown_directories(&self) -> BTreeSet<Key<'a>> {
        let own = self.directories.visible().map(|(id, _)| id);
        own.chain(self.mentioned.iter().copied()).map(|id| (self.tenant(id), id)).collect()
    }

    fn tenants(&self, directories: &BTreeSet<Key<'a>>) -> Vec<Value> {
        let tenant = |id| {
            // `default` itself is no organization.
            let organization = if id == "organization:default" { "default" } else { id };
            let fact = self.organizations.newest(organization).filter(|_| id != "default");
            let deleted_at = fact.filter(|fact| fact.deleted).map(|fact| fact.version.0);
            row(json!({"id": id, "deleted_at": deleted_at}), fact, &["name", "created_at", "updated_at"])
        };
        self.tenant_ids(directories).into_iter().map(tenant).collect()
    }

    fn directory(&self, tenant: &str, id: &str) -> Value {
        let (fact, deleted_at) = (self.directories.newest(id), self.gone(id));
        // A directory without an event of its own has no state yet.
        let value = fact.map_or("unknown", |fact| fact.data["state"].as_str().unwrap());
        let state = if deleted_at.is_some() { "deleted" } else { value };
        let decided = json!({"tenant_id": tenant, "id": id, "state": state, "deleted_at": deleted_at});
        let row = row(decided, fact, &["name", "created_at", "updated_at"]);
        with(row, json!({"type": self.kind_of_provider(id)}))
    }

    /// The kind of provider of a directory without a row is unknown.
    pub(super) fn provider(
        &self,
        tenant: &str,
        directory: &'a str,
        directories: &BTreeSet<Key<'a>>,
    ) -> Option<&'a str> {
        let shown = directories.contains(&(tenant, directory));
        self.kind_of_provider(directory).filter(|_| shown)
    }

    /// The provider in a deletion counts only when no other fact names one.
    fn kind_of_provider(&self, directory: &str) -> Option<&'a str> {
        let facts = self.directories.0.get(directory)?;
        facts.iter().max_by_key(|fact| (!fact.deleted, fact.version))?.data["type"].as_str()
    }

    fn user(
        &self,
        (tenant, id): Key<'a>,
        fact: &Fact<'a>,
        left: Option<&str>,
        directories: &BTreeSet<Key<'a>>,
        namesakes: &BTreeMap<Key<'a>, &'a str>,
    ) -> Value {
        let provider = self.provider(tenant, fact.directory, directories);
        let decided = json!({
            "tenant_id": tenant, "id": id, "directory_id": fact.directory, "deprovisioned_at": left,
            "person_id": [json!(tenant), json!(provider), fact.data["idp_id"].clone(), json!(namesakes.get(&(tenant, id)))],
            "status": if left.is_none() { "active" } else { "inactive" },
        });
        let mut row = row(decided, Some(fact), &["idp_id", "custom_attributes", "created_at", "updated_at"]);
        let before = self.profile((tenant, id)).filter(|_| fact.deleted);
        for field in Profile::COLUMNS.iter().map(|column| column.name).filter(|name| *name != "idp_id") {
            let value = Some(&fact.data[field]).filter(|value| !value.is_null());
            row[field] = value.or(before.map(|before| &before.data[field])).cloned().unwrap_or_default();
        }
        row["email_key"] = row["email"].as_str().map(str::to_ascii_lowercase).into();
        row
    }
}

fn group((tenant, id): Key<'_>, fact: &Fact<'_>) -> Value {
    let decided = json!({"tenant_id": tenant, "id": id, "directory_id": fact.directory});
    row(decided, Some(fact), &["idp_id", "name", "created_at", "updated_at"])
}

fn member((tenant, group, user): (&str, &str, &str)) -> Value {
    json!({"tenant_id": tenant, "group_id": group, "user_id": user})
}

fn assignments((tenant, user): Key<'_>, fact: &Fact<'_>, grants: &Grants) -> Vec<Value> {
    let assignment = |(slug, (by, since)): (&String, &(String, Option<String>))| {
        let updated = fact.data["updated_at"].as_str().unwrap();
        // A rule that also looks at an attribute cannot have matched before the attribute was known.
        let since = match since.as_deref() {
            Some(since) if by.contains(", look") => since.max(updated),
            Some(since) => since,
            None => updated,
        };
        json!({"tenant_id": tenant, "user_id": user, "role_slug": slug, "granted_by": by, "granted_at": since})
    };
    grants.iter().map(assignment).collect()
}
