//! The documents that a batch of writes needs. They are read with few statements, and each write sees the writes before
//! it. Nothing is written until the whole batch has been decided.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use diesel::QueryResult;

use super::{
    Kind,
    change::{Keys, keys},
    request::{Change, Write},
};
use crate::{
    db::Conn,
    tables::scim_resources::{self, ScimResource},
};

/// A key in a directory.
type Key = (String, String);

/// The documents. Unknown ones are read when they are needed.
#[derive(Default)]
pub struct Shelf {
    /// `None`: there is no such resource.
    resources: HashMap<Key, Option<ScimResource>>,
    /// The user with a login name.
    user_names: HashMap<Key, Option<String>>,
    /// The resources with an id of the client, and the groups with a name.
    external_ids: HashMap<Key, BTreeSet<String>>,
    displays: HashMap<Key, BTreeSet<String>>,
    changed: BTreeMap<Key, ()>,
}

impl Shelf {
    /// Reads what these writes name.
    pub fn fetch(&mut self, conn: &mut Conn, writes: &[&Write]) -> QueryResult<()> {
        let mut by_directory: BTreeMap<&str, Vec<&Write>> = BTreeMap::new();
        for write in writes {
            by_directory.entry(&write.directory_id).or_default().push(write);
        }
        for (directory_id, writes) in by_directory {
            let ids: BTreeSet<&str> = writes.iter().filter_map(|write| write.change.id()).collect();
            self.fetch_ids(conn, directory_id, &ids.into_iter().collect::<Vec<_>>())?;
            let bodies = writes.iter().filter_map(|write| match &write.change {
                Change::Create(body, _) | Change::Replace(_, body, _) => keys(write.kind, body).ok(),
                _ => None,
            });
            let bodies: Vec<Keys> = bodies.collect();
            let names: BTreeSet<&str> = bodies.iter().filter_map(|keys| keys.user_name.as_deref()).collect();
            self.fetch_user_names(conn, directory_id, &names.into_iter().collect::<Vec<_>>())?;
            let of_new = |write: &&&Write| matches!(write.change, Change::Create(..));
            let created = writes.iter().filter(of_new).filter_map(|write| match &write.change {
                Change::Create(body, _) => keys(write.kind, body).ok(),
                _ => None,
            });
            let created: Vec<Keys> = created.collect();
            let external: BTreeSet<&str> =
                created.iter().filter_map(|keys| keys.external_id.as_deref()).collect();
            self.fetch_external_ids(conn, directory_id, &external.into_iter().collect::<Vec<_>>())?;
            let displays: BTreeSet<&str> =
                created.iter().filter_map(|keys| keys.display.as_deref()).collect();
            self.fetch_displays(conn, directory_id, &displays.into_iter().collect::<Vec<_>>())?;
        }
        Ok(())
    }

    fn fetch_ids(&mut self, conn: &mut Conn, directory_id: &str, ids: &[&str]) -> QueryResult<()> {
        let unknown: Vec<&str> =
            ids.iter().copied().filter(|id| !self.resources.contains_key(&key(directory_id, id))).collect();
        for id in &unknown {
            self.resources.insert(key(directory_id, id), None);
        }
        for found in scim_resources::by_ids(conn, directory_id, &unknown)? {
            self.resources.insert(key(directory_id, &found.id), Some(found));
        }
        Ok(())
    }

    fn fetch_user_names(&mut self, conn: &mut Conn, directory_id: &str, names: &[&str]) -> QueryResult<()> {
        let unknown: Vec<&str> = names
            .iter()
            .copied()
            .filter(|name| !self.user_names.contains_key(&key(directory_id, name)))
            .collect();
        for name in &unknown {
            self.user_names.insert(key(directory_id, name), None);
        }
        for found in scim_resources::by_user_names(conn, directory_id, &unknown)? {
            if let Some(name) = &found.user_name_key {
                self.user_names.insert(key(directory_id, name), Some(found.id.clone()));
            }
            self.resources.entry(key(directory_id, &found.id)).or_insert(Some(found));
        }
        Ok(())
    }

    fn fetch_external_ids(&mut self, conn: &mut Conn, directory_id: &str, ids: &[&str]) -> QueryResult<()> {
        let unknown: Vec<&str> = ids
            .iter()
            .copied()
            .filter(|id| !self.external_ids.contains_key(&key(directory_id, id)))
            .collect();
        for id in &unknown {
            self.external_ids.insert(key(directory_id, id), BTreeSet::new());
        }
        for found in scim_resources::by_external_ids(conn, directory_id, &unknown)? {
            self.place(found);
        }
        Ok(())
    }

    fn fetch_displays(&mut self, conn: &mut Conn, directory_id: &str, names: &[&str]) -> QueryResult<()> {
        let unknown: Vec<&str> = names
            .iter()
            .copied()
            .filter(|name| !self.displays.contains_key(&key(directory_id, name)))
            .collect();
        for name in &unknown {
            self.displays.insert(key(directory_id, name), BTreeSet::new());
        }
        for found in scim_resources::by_display(conn, directory_id, &unknown)? {
            self.place(found);
        }
        Ok(())
    }

    /// Adds a row, if the shelf does not have the resource, and its keys to the lists that the shelf has.
    fn place(&mut self, found: ScimResource) {
        let directory_id = found.directory_id.clone();
        let slot = self.resources.entry(key(&directory_id, &found.id)).or_insert(None);
        let current = slot.get_or_insert(found).clone();
        for (list, name) in
            [(&mut self.external_ids, &current.external_id), (&mut self.displays, &current.display_key)]
        {
            if let Some(ids) = name.as_ref().and_then(|name| list.get_mut(&key(&directory_id, name))) {
                ids.insert(current.id.clone());
            }
        }
    }

    /// The resource of this kind with this id, if it is there.
    pub fn get(
        &mut self,
        conn: &mut Conn,
        directory_id: &str,
        kind: Kind,
        id: &str,
    ) -> QueryResult<Option<ScimResource>> {
        self.fetch_ids(conn, directory_id, &[id])?;
        let found = self.resources.get(&key(directory_id, id)).cloned().flatten();
        Ok(found.filter(|found| found.kind == kind.code() && !found.deleted))
    }

    /// Any resources with these ids, also deleted ones.
    pub fn any(
        &mut self,
        conn: &mut Conn,
        directory_id: &str,
        ids: &[&str],
    ) -> QueryResult<Vec<Option<ScimResource>>> {
        self.fetch_ids(conn, directory_id, ids)?;
        Ok(ids.iter().map(|id| self.resources.get(&key(directory_id, id)).cloned().flatten()).collect())
    }

    /// The user with this folded login name.
    pub fn of_user_name(
        &mut self,
        conn: &mut Conn,
        directory_id: &str,
        name: &str,
    ) -> QueryResult<Option<ScimResource>> {
        self.fetch_user_names(conn, directory_id, &[name])?;
        match self.user_names.get(&key(directory_id, name)).cloned().flatten() {
            Some(id) => self.get(conn, directory_id, Kind::User, &id),
            None => Ok(None),
        }
    }

    /// The resources of this kind with this id of the client.
    pub fn of_external_id(
        &mut self,
        conn: &mut Conn,
        (directory_id, kind): (&str, Kind),
        external_id: &str,
    ) -> QueryResult<Vec<ScimResource>> {
        self.fetch_external_ids(conn, directory_id, &[external_id])?;
        let ids = self.external_ids.get(&key(directory_id, external_id)).cloned().unwrap_or_default();
        self.all(conn, directory_id, kind, ids)
    }

    /// The groups with this folded name.
    pub fn of_display(
        &mut self,
        conn: &mut Conn,
        directory_id: &str,
        name: &str,
    ) -> QueryResult<Vec<ScimResource>> {
        self.fetch_displays(conn, directory_id, &[name])?;
        let ids = self.displays.get(&key(directory_id, name)).cloned().unwrap_or_default();
        self.all(conn, directory_id, Kind::Group, ids)
    }

    fn all(
        &mut self,
        conn: &mut Conn,
        directory_id: &str,
        kind: Kind,
        ids: BTreeSet<String>,
    ) -> QueryResult<Vec<ScimResource>> {
        let mut found = Vec::new();
        for id in ids {
            found.extend(self.get(conn, directory_id, kind, &id)?);
        }
        Ok(found)
    }

    /// Replaces a resource, or adds a new one.
    pub fn put(&mut self, resource: ScimResource) {
        let of = key(&resource.directory_id, &resource.id);
        if let Some(Some(before)) = self.resources.get(&of) {
            if let Some(name) = &before.user_name_key {
                self.user_names.insert(key(&before.directory_id, name), None);
            }
            for (list, name) in
                [(&mut self.external_ids, &before.external_id), (&mut self.displays, &before.display_key)]
            {
                if let Some(ids) =
                    name.as_ref().and_then(|name| list.get_mut(&key(&before.directory_id, name)))
                {
                    ids.remove(&before.id);
                }
            }
        }
        if let Some(name) = &resource.user_name_key {
            self.user_names.insert(key(&resource.directory_id, name), Some(resource.id.clone()));
        }
        self.changed.insert(of.clone(), ());
        self.resources.insert(of, None);
        self.place(resource);
    }

    /// Writes all changed resources.
    pub fn store(&self, conn: &mut Conn) -> QueryResult<()> {
        let changed: Vec<&ScimResource> =
            self.changed.keys().filter_map(|key| self.resources.get(key)?.as_ref()).collect();
        // A login name that one user gives up and another takes must be free before it is taken.
        let (without, with): (Vec<&ScimResource>, Vec<&ScimResource>) =
            changed.into_iter().partition(|resource| resource.user_name_key.is_none());
        scim_resources::put(conn, &without)?;
        scim_resources::put(conn, &with)
    }
}

fn key(directory_id: &str, key: &str) -> Key {
    (directory_id.to_owned(), key.to_owned())
}
