//! The directories of an access review: people with access, and people by the last comparison.

use std::collections::BTreeMap;

use serde::Serialize;

use super::past::Past;
use crate::{
    db::{Conn, DbError},
    tables::display_names,
};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReviewedDirectory {
    pub directory_id: String,
    pub name: Option<String>,
    /// People with access.
    pub people: usize,
    /// The last comparison with the directory before the point in time.
    pub compared_at: Option<String>,
    pub comparison_complete: Option<bool>,
    /// People in the directory by that comparison, with and without access.
    pub people_in_directory: Option<i64>,
    pub differences: Option<i64>,
    pub differences_held: Option<i64>,
}

/// Directories with people or comparisons.
pub(super) fn directories(
    conn: &mut Conn,
    tenant_id: &str,
    past: &Past,
) -> Result<Vec<ReviewedDirectory>, DbError> {
    let mut people: BTreeMap<&str, usize> = past.compared.keys().map(|id| (id.as_str(), 0)).collect();
    for user in past.users.values().filter(|user| user.is_active) {
        *people.entry(user.directory_id.as_str()).or_default() += 1;
    }
    let ids: Vec<String> = people.keys().map(|id| (*id).to_owned()).collect();
    let names = display_names::of_directories(conn, tenant_id, &ids)?;
    let reviewed = people.into_iter().map(|(id, people)| {
        let compared = past.compared.get(id);
        let number = |name: &str| compared?.get(name)?.as_i64();
        ReviewedDirectory {
            directory_id: id.to_owned(),
            name: names.get(id).and_then(|directory| directory.name.clone()),
            people,
            compared_at: compared.and_then(|of| Some(of.get("compared_at")?.as_str()?.to_owned())),
            comparison_complete: compared.and_then(|of| of.get("complete")?.as_bool()),
            people_in_directory: number("people"),
            differences: number("differences"),
            differences_held: number("held"),
        }
    });
    Ok(reviewed.collect())
}
