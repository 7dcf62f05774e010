//! One write: looks at the shelf, decides, changes the shelf and the members, and makes the delivery.
//!
//! A refused write changes nothing, because members change only after everything has been checked.

use serde_json::Value;

use super::{
    Kind,
    change::{created, is_active, keys, replaced},
    delivery::{Body, body},
    request::{Change, Write, Written},
    shelf::Shelf,
    token::new_id,
};
use crate::{
    broker::{LONGEST_ID, Source},
    db::{Conn, DbError},
    inbox::Delivery,
    scim::{
        ScimError,
        filter::matches_value,
        patch::{self, MemberChange, MemberRef, Patched},
        resource::Object,
    },
    tables::{scim_members, scim_resources::ScimResource},
};

/// Why a write of a batch failed.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// The write is refused; the others of the batch are not concerned.
    #[error("{0}")]
    Refused(#[from] ScimError),
    /// The whole batch failed.
    #[error("{0}")]
    Database(#[from] DbError),
}

impl From<diesel::result::Error> for ExecuteError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Database(error.into())
    }
}

/// Carries out one write. Returns the result, and the delivery if anything has changed.
pub fn execute(
    conn: &mut Conn,
    shelf: &mut Shelf,
    write: &Write,
) -> Result<(Written, Option<Delivery>), ExecuteError> {
    match &write.change {
        Change::Create(document, members) => create(conn, shelf, write, document, members),
        Change::Replace(id, document, members) => {
            let before = existing(conn, shelf, write, id)?;
            let after = replaced(write.kind, &read(&before), document.clone());
            let members = members.clone().map(MemberChange::Replace).into_iter().collect();
            change(conn, shelf, write, before, after, members)
        }
        Change::Patch(id, operations) => {
            let before = existing(conn, shelf, write, id)?;
            let Patched { resource, members } =
                patch::apply(write.kind.resource_type(), &read(&before), operations)?;
            change(conn, shelf, write, before, resource, members)
        }
        Change::Delete(id) => {
            let before = existing(conn, shelf, write, id)?;
            delete(conn, shelf, write, before)
        }
    }
}

fn existing(
    conn: &mut Conn,
    shelf: &mut Shelf,
    write: &Write,
    id: &str,
) -> Result<ScimResource, ExecuteError> {
    let found = shelf.get(conn, &write.directory_id, write.kind, id)?;
    let found = found.ok_or_else(|| ScimError::not_found(id))?;
    write.preconditions.check_write(found.version)?;
    Ok(found)
}

/// The stored document.
pub fn read(resource: &ScimResource) -> Object {
    serde_json::from_str(&resource.document).unwrap_or_default()
}

fn create(
    conn: &mut Conn,
    shelf: &mut Shelf,
    write: &Write,
    document: &Object,
    members: &[MemberRef],
) -> Result<(Written, Option<Delivery>), ExecuteError> {
    let document = created(write.kind, document.clone());
    let keys = keys(write.kind, &document)?;
    let directory_id = write.directory_id.as_str();
    if let Some(name) = &keys.user_name {
        let mut known = shelf.of_user_name(conn, directory_id, name)?;
        if let (None, Some(external_id)) = (&known, &keys.external_id) {
            // Somebody who returns with another login name. A person who is there now is somebody else.
            let same = shelf.of_external_id(conn, (directory_id, Kind::User), external_id)?;
            known = same.into_iter().find(|user| !is_active(&read(user)));
        }
        if let Some(known) = known {
            if is_active(&read(&known)) {
                return Err(ScimError::uniqueness(format!(
                    "the user {} has this userName already; find it with a filter, and change it",
                    known.id
                ))
                .into());
            }
            let after = replaced(write.kind, &read(&known), document);
            return change(conn, shelf, write, known, after, Vec::new());
        }
    }
    if let Some(name) = &keys.display {
        let same = shelf.of_display(conn, directory_id, name)?;
        if let Some(known) = same.into_iter().find(|group| group.external_id == keys.external_id) {
            return Err(ScimError::uniqueness(format!(
                "the group {} has this displayName already; find it with a filter, and change it",
                known.id
            ))
            .into());
        }
    }
    let resource = ScimResource::new(new_id(write.at), directory_id, write.kind.code(), write.at);
    let first = vec![MemberChange::Add(members.to_vec())];
    store(conn, shelf, write, Some(resource.clone()), (resource, document), first)
}

/// Writes the document if it differs, and the members.
fn change(
    conn: &mut Conn,
    shelf: &mut Shelf,
    write: &Write,
    before: ScimResource,
    document: Object,
    members: Vec<MemberChange>,
) -> Result<(Written, Option<Delivery>), ExecuteError> {
    let keys = keys(write.kind, &document)?;
    if keys.user_name != before.user_name_key
        && let Some(name) = &keys.user_name
        && let Some(other) = shelf.of_user_name(conn, &write.directory_id, name)?
        && other.id != before.id
    {
        let state = if is_active(&read(&other)) { "active" } else { "inactive" };
        return Err(ScimError::uniqueness(format!(
            "the {state} user {} has this userName; change or delete that user first",
            other.id
        ))
        .into());
    }
    store(conn, shelf, write, None, (before, document), members)
}

/// Stores a resource with its document. `fresh`: it is new, so it is a change in any case.
fn store(
    conn: &mut Conn,
    shelf: &mut Shelf,
    write: &Write,
    fresh: Option<ScimResource>,
    (mut resource, document): (ScimResource, Object),
    members: Vec<MemberChange>,
) -> Result<(Written, Option<Delivery>), ExecuteError> {
    let keys = keys(write.kind, &document)?;
    let is_new = fresh.is_some();
    let differs = is_new || read(&resource) != document;
    let Members { added, removed } = change_members(conn, shelf, write, &resource.id, members)?;
    if !differs && added.is_empty() && removed.is_empty() {
        return Ok((Written { resource, event: None }, None));
    }
    if !is_new {
        resource.advance(write.at);
    }
    resource.document = Value::Object(document.clone()).to_string();
    (resource.user_name_key, resource.external_id, resource.display_key) =
        (keys.user_name, keys.external_id, keys.display);
    shelf.put(resource.clone());
    let (added, removed) = (users(conn, shelf, write, added)?, users(conn, shelf, write, removed)?);
    Ok(delivered(write, resource, differs.then_some(&document), (&added, &removed)))
}

fn delete(
    conn: &mut Conn,
    shelf: &mut Shelf,
    write: &Write,
    mut resource: ScimResource,
) -> Result<(Written, Option<Delivery>), ExecuteError> {
    let document = read(&resource);
    resource.advance(write.at);
    resource.deleted = true;
    resource.document = String::new();
    (resource.user_name_key, resource.external_id, resource.display_key) = (None, None, None);
    scim_members::forget(conn, &resource.id)?;
    shelf.put(resource.clone());
    Ok(delivered(write, resource, Some(&document), (&[], &[])))
}

fn delivered(
    write: &Write,
    resource: ScimResource,
    document: Option<&Object>,
    (added, removed): (&[String], &[String]),
) -> (Written, Option<Delivery>) {
    let id = format!("scim_{}", new_id(write.at));
    let (token_id, record) = (write.token_id.as_str(), &write.record);
    let of = Body { id: &id, token_id, resource: &resource, document, added, removed, record };
    let delivery = Delivery::new(Source::Scim, body(&of).into(), write.at);
    (Written { resource, event: Some(id) }, Some(delivery))
}

#[derive(Default)]
struct Members {
    added: Vec<String>,
    removed: Vec<String>,
}

/// Changes the members. The result has each member once: an operation may undo an earlier one.
fn change_members(
    conn: &mut Conn,
    shelf: &mut Shelf,
    write: &Write,
    group_id: &str,
    changes: Vec<MemberChange>,
) -> Result<Members, ExecuteError> {
    let mut result = Members::default();
    if write.kind != Kind::Group {
        return Ok(result);
    }
    // All references are checked before the first change.
    for change in &changes {
        if let MemberChange::Add(refs) | MemberChange::Replace(refs) = change {
            addable(conn, shelf, write, refs)?;
        }
    }
    for change in changes {
        match change {
            MemberChange::Add(refs) => {
                let ids = addable(conn, shelf, write, &refs)?;
                result.joined(scim_members::add(conn, group_id, &borrowed(&ids))?);
            }
            MemberChange::Remove(refs) => {
                let ids: Vec<&str> = refs.iter().map(|one| one.value.as_str()).collect();
                result.left(scim_members::remove(conn, group_id, &ids)?);
            }
            MemberChange::RemoveAll => {
                let ids = scim_members::all(conn, group_id)?;
                result.left(scim_members::remove(conn, group_id, &borrowed(&ids))?);
            }
            MemberChange::RemoveMatching(filter) => {
                let members = scim_members::of_groups(conn, &[group_id], usize::MAX >> 1)?;
                let matching =
                    members.iter().filter(|member| matches_value(&filter, &super::shown::member(member, "")));
                let ids: Vec<&str> = matching.map(|member| member.member_id.as_str()).collect();
                result.left(scim_members::remove(conn, group_id, &ids)?);
            }
            MemberChange::Replace(refs) => {
                let wanted = addable(conn, shelf, write, &refs)?;
                let kept: std::collections::HashSet<&str> = wanted.iter().map(String::as_str).collect();
                let before = scim_members::all(conn, group_id)?;
                let gone: Vec<&str> =
                    before.iter().map(String::as_str).filter(|id| !kept.contains(id)).collect();
                result.left(scim_members::remove(conn, group_id, &gone)?);
                result.joined(scim_members::add(conn, group_id, &borrowed(&wanted))?);
            }
        }
    }
    Ok(result)
}

impl Members {
    fn joined(&mut self, ids: Vec<String>) {
        for id in ids {
            match self.removed.iter().position(|removed| *removed == id) {
                Some(index) => drop(self.removed.swap_remove(index)),
                None => self.added.push(id),
            }
        }
    }

    fn left(&mut self, ids: Vec<String>) {
        for id in ids {
            match self.added.iter().position(|added| *added == id) {
                Some(index) => drop(self.added.swap_remove(index)),
                None => self.removed.push(id),
            }
        }
    }
}

/// The ids that become members. Deleted resources are ignored, because a client may not know yet that they are deleted. An
/// id that never existed here is stored, so that the client reads what it wrote, and gives nobody a membership.
fn addable(
    conn: &mut Conn,
    shelf: &mut Shelf,
    write: &Write,
    refs: &[MemberRef],
) -> Result<Vec<String>, ExecuteError> {
    let mut ids: Vec<&str> = refs.iter().map(|one| one.value.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    if let Some(long) = ids.iter().find(|id| id.len() > LONGEST_ID || id.contains('\0')) {
        return Err(ScimError::value(format!(
            "the member {:?}… is longer than {LONGEST_ID} bytes or contains a NUL",
            long.chars().take(16).collect::<String>()
        ))
        .into());
    }
    let found = shelf.any(conn, &write.directory_id, &ids)?;
    let is_deleted = |found: &Option<ScimResource>| found.as_ref().is_some_and(|resource| resource.deleted);
    let there = ids.into_iter().zip(found).filter(|(_, found)| !is_deleted(found));
    Ok(there.map(|(id, _)| id.to_owned()).collect())
}

/// Those that are users of the directory: groups in groups give nobody a membership.
fn users(
    conn: &mut Conn,
    shelf: &mut Shelf,
    write: &Write,
    ids: Vec<String>,
) -> Result<Vec<String>, ExecuteError> {
    let found = shelf.any(conn, &write.directory_id, &borrowed(&ids))?;
    Ok(found.into_iter().flatten().filter(|one| one.kind == Kind::User.code()).map(|one| one.id).collect())
}

fn borrowed(ids: &[String]) -> Vec<&str> {
    ids.iter().map(String::as_str).collect()
}
