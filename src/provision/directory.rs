//! The resources of one directory, as their identity provider wrote them.

use super::{
    Kind,
    list::{Entry, Key, Listed},
    shown,
};
use crate::{
    db::{Conn, DbError},
    scim::{filter::fold, schema::ResourceType},
    tables::scim_resources::{self, ScimResource},
};

/// The resources of one kind in a directory.
#[derive(Clone, Debug)]
pub struct OfDirectory {
    /// The directory.
    pub directory_id: String,
    /// The kind.
    pub kind: Kind,
    /// The address of the directory.
    pub base: String,
}

impl OfDirectory {
    fn entry(&self, resource: &ScimResource) -> Entry {
        Entry { id: resource.id.clone(), whole: shown::whole(resource, &self.base) }
    }
}

impl Listed for OfDirectory {
    fn resource_type(&self) -> &ResourceType {
        self.kind.resource_type()
    }

    fn count(&self, conn: &mut Conn) -> Result<usize, DbError> {
        Ok(scim_resources::count(conn, &self.directory_id, self.kind.code())?)
    }

    fn page(&self, conn: &mut Conn, after: &str, skip: usize, limit: usize) -> Result<Vec<Entry>, DbError> {
        let of = (self.directory_id.as_str(), self.kind.code());
        let rows = scim_resources::page(conn, of, after, skip, limit)?;
        Ok(rows.iter().map(|row| self.entry(row)).collect())
    }

    fn of_key(&self, conn: &mut Conn, key: &Key) -> Result<Option<Vec<Entry>>, DbError> {
        let directory_id = self.directory_id.as_str();
        let mut rows = match key {
            Key::Ids(ids) => {
                let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
                scim_resources::by_ids(conn, directory_id, &ids)?
            }
            Key::UserName(name) => scim_resources::by_user_names(conn, directory_id, &[&fold(name.trim())])?,
            Key::ExternalId(id) => scim_resources::by_external_ids(conn, directory_id, &[id])?,
            Key::Display(name) => scim_resources::by_display(conn, directory_id, &[&fold(name.trim())])?,
        };
        rows.retain(|row| row.kind == self.kind.code() && !row.deleted);
        Ok(Some(rows.iter().map(|row| self.entry(row)).collect()))
    }
}
