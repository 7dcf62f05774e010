//! The model's tables, row by row.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Key, Model, Word, slugs};

/// Rows of each host table, by key; `access_epoch` is left out, since it alone may differ.
pub type Tables = BTreeMap<&'static str, Vec<Value>>;

/// A row: what is decided here, and what is taken from a word as it is. Without a word there is nothing to take.
fn row(mut decided: Value, word: Option<&Word<'_>>, taken: &[&str]) -> Value {
    for field in taken {
        decided[*field] = word.map_or(Value::Null, |word| word.data[*field].clone());
    }
    decided
}

impl<'a> Model<'a> {
    pub(super) fn tables(&self) -> Tables {
        let directories = self.shown_directories();
        let active: BTreeMap<Key<'_>, _> =
            self.users.visible().filter(|(_, word)| self.left(word).is_none()).collect();
        let existing = |word: &Word<'_>| !word.deleted && self.gone(word.directory).is_none();
        let groups: BTreeMap<Key<'_>, _> = self.groups.visible().filter(|(_, word)| existing(word)).collect();
        let members = self.memberships.iter().filter(|((tenant, group, user), changes)| {
            let added = changes.last().is_some_and(|(_, _, added)| *added);
            added && groups.contains_key(&(tenant, group)) && active.contains_key(&(tenant, user))
        });
        let users = self.users.visible();
        let roles = self.roles.iter();
        Tables::from([
            ("tenants", self.tenants(&directories)),
            ("directories", directories.iter().map(|(tenant, id)| self.directory(tenant, id)).collect()),
            ("users", users.map(|(key, word)| self.user(key, word, &directories)).collect()),
            ("groups", groups.iter().map(|(key, word)| group(*key, word)).collect()),
            ("group_members", members.map(|(key, _)| member(*key)).collect()),
            ("roles", roles.map(|(t, slug)| json!({"tenant_id": t, "slug": slug, "name": slug})).collect()),
            ("user_roles", active.iter().flat_map(|(key, word)| granted(*key, word)).collect()),
        ])
    }

    fn shown_directories(&self) -> BTreeSet<Key<'a>> {
        let own = self.directories.visible().map(|(id, _)| id);
        own.chain(self.mentioned.iter().copied()).map(|id| (self.tenant(id), id)).collect()
    }

    fn tenants(&self, directories: &BTreeSet<Key<'a>>) -> Vec<Value> {
        let multi = self.rules.tenancy == rosterd::decide::Tenancy::Multi;
        let organizations = self.organizations.visible().map(|(id, _)| id).filter(|_| multi);
        let ids: BTreeSet<_> = directories.iter().map(|(tenant, _)| *tenant).chain(organizations).collect();
        let tenant = |id| {
            let word = self.organizations.newest(id);
            let deleted_at = word.filter(|word| word.deleted).map(|word| word.version.0);
            row(json!({"id": id, "deleted_at": deleted_at}), word, &["name", "created_at", "updated_at"])
        };
        ids.into_iter().map(tenant).collect()
    }

    fn directory(&self, tenant: &str, id: &str) -> Value {
        let (word, deleted_at) = (self.directories.newest(id), self.gone(id));
        // Known by others' events only, a directory has no state yet.
        let said = word.map_or("unknown", |word| word.data["state"].as_str().unwrap());
        let state = if deleted_at.is_some() { "deleted" } else { said };
        let decided = json!({"tenant_id": tenant, "id": id, "state": state, "deleted_at": deleted_at});
        row(decided, word, &["name", "type", "created_at", "updated_at"])
    }

    fn user(&self, (tenant, id): Key<'_>, word: &Word<'a>, directories: &BTreeSet<Key<'a>>) -> Value {
        // Of a directory that is not shown, the kind of provider is not known.
        let directory = Some(word.directory).filter(|id| directories.contains(&(tenant, *id)));
        let provider = directory.and_then(|id| self.directories.newest(id)).map(|word| &word.data["type"]);
        let left = self.left(word);
        let decided = json!({
            "tenant_id": tenant, "id": id, "directory_id": word.directory, "deprovisioned_at": left,
            "person_id": [&json!(tenant), &json!(provider), &word.data["idp_id"]],
            "status": if left.is_none() { "active" } else { "inactive" },
        });
        let profile = ["idp_id", "email", "username", "first_name", "last_name", "name", "job_title"];
        row(decided, Some(word), &[&profile[..], &["custom_attributes", "created_at", "updated_at"]].concat())
    }
}

fn group((tenant, id): Key<'_>, word: &Word<'_>) -> Value {
    let decided = json!({"tenant_id": tenant, "id": id, "directory_id": word.directory});
    row(decided, Some(word), &["idp_id", "name", "created_at", "updated_at"])
}

fn member((tenant, group, user): (&str, &str, &str)) -> Value {
    json!({"tenant_id": tenant, "group_id": group, "user_id": user})
}

fn granted((tenant, user): Key<'_>, word: &Word<'_>) -> Vec<Value> {
    let assignment = |slug| {
        json!({"tenant_id": tenant, "user_id": user, "role_slug": slug, "granted_by": "broker role",
            "granted_at": word.data["updated_at"]})
    };
    slugs(word.data).into_iter().map(assignment).collect()
}
