//! The application's tables as the change feed watches them. The memberships are in [`super::group_members`].

use diesel::{QueryResult, QueryableByName, sql_types::Text};
use serde::Deserialize;

use super::host_tables::{DIRECTORIES, GROUPS, PublishedTable, ROLES, TENANTS, USER_ROLES, USERS, object_of};
use crate::{
    db::{Conn, bulk::Rows},
    feed::{
        CauseOf, RowDifference,
        erase::without_person,
        kinds,
        watch::{RowKey, Selection, WatchedTable},
    },
};

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Text)]
    first: String,
    #[diesel(sql_type = Text)]
    second: String,
    #[diesel(sql_type = Text)]
    third: String,
    #[diesel(sql_type = Text)]
    value: String,
}

/// The place of a key column in a selection.
fn part(selection: &Selection, place: usize) -> &str {
    selection.get(place).map_or("", String::as_str)
}

impl WatchedTable for PublishedTable {
    fn name(&self) -> &'static str {
        self.name
    }

    fn read(&self, conn: &mut Conn, selections: &[Selection]) -> QueryResult<Vec<(RowKey, String)>> {
        let key: Vec<&'static str> = self.names().take(self.key).collect();
        let mut rows = Rows::of(selections);
        for (place, column) in key.iter().enumerate() {
            rows = rows.text(column, move |selection| part(selection, place));
        }
        let same: Vec<String> = key.iter().map(|column| format!("t.{column} = r.{column}")).collect();
        let column = |place: usize| key.get(place).map_or("''".to_owned(), |column| format!("t.{column}"));
        let value = object_of(self, conn);
        let found: Vec<Found> = rows.load(
            conn,
            &format!(
                "SELECT {} AS first, {} AS second, {} AS third, {value} AS value FROM {{rows}} JOIN {} t ON {}",
                column(0),
                column(1),
                column(2),
                self.name,
                same.join(" AND ")
            ),
        )?;
        let keyed = |found: Found| {
            let mut parts = vec![found.first, found.second, found.third];
            parts.truncate(self.key);
            (parts, found.value)
        };
        Ok(found.into_iter().map(keyed).collect())
    }

    fn difference(
        &self,
        key: RowKey,
        before: Option<String>,
        after: Option<String>,
        renamed: Option<&'static str>,
    ) -> RowDifference {
        let kind = renamed.unwrap_or_else(|| kind(self.name, before.as_deref(), after.as_deref()));
        // The record must not contain again what it says to be erased.
        let before = match kind {
            kinds::USER_ERASED => before.as_deref().map(without_person),
            _ => before,
        };
        let mut key = key.into_iter();
        let tenant_id = key.next().unwrap_or_default();
        let subject: Vec<(&'static str, String)> = names(self.name).iter().copied().zip(key).collect();
        // A role assignment has the cause of its user.
        let causes = match subject.first() {
            Some((_, id)) => {
                vec![CauseOf::Subject(tenant_id.clone(), id.clone()), CauseOf::Entity(id.clone())]
            }
            None => vec![CauseOf::Entity(tenant_id.clone())],
        };
        RowDifference { kind, tenant_id, subject, before, after, causes }
    }
}

/// The names of a record's `subject`.
fn names(table: &str) -> &'static [&'static str] {
    match table {
        _ if table == DIRECTORIES.name => &["directory_id"],
        _ if table == USERS.name => &["user_id"],
        _ if table == GROUPS.name => &["group_id"],
        _ if table == ROLES.name => &["role_slug"],
        _ if table == USER_ROLES.name => &["user_id", "role_slug"],
        _ => &[],
    }
}

/// The columns that make the kind.
#[derive(Default, Deserialize)]
struct Marks {
    status: Option<String>,
    deleted_at: Option<String>,
}

impl Marks {
    fn of(row: Option<&str>) -> Self {
        // The database has built it as a JSON object.
        row.and_then(|row| serde_json::from_str(row).ok()).unwrap_or_default()
    }

    fn is_active(&self) -> bool {
        self.status.as_deref() == Some("active")
    }
}

fn kind(table: &str, before: Option<&str>, after: Option<&str>) -> &'static str {
    let [created, updated, deleted] = match table {
        _ if table == TENANTS.name => [kinds::TENANT_CREATED, kinds::TENANT_UPDATED, kinds::TENANT_DELETED],
        _ if table == DIRECTORIES.name => {
            [kinds::DIRECTORY_CREATED, kinds::DIRECTORY_UPDATED, kinds::DIRECTORY_DELETED]
        }
        _ if table == GROUPS.name => [kinds::GROUP_CREATED, kinds::GROUP_UPDATED, kinds::GROUP_DELETED],
        _ if table == ROLES.name => [kinds::ROLE_LISTED, kinds::ROLE_RENAMED, kinds::ROLE_UNLISTED],
        _ if table == USER_ROLES.name => [kinds::ROLE_GRANTED, kinds::ROLE_UPDATED, kinds::ROLE_REVOKED],
        _ => [kinds::USER_CREATED, kinds::USER_UPDATED, kinds::USER_DELETED],
    };
    match (before, after) {
        (None, _) => created,
        (Some(_), None) => deleted,
        (Some(_), Some(_)) if [GROUPS.name, ROLES.name, USER_ROLES.name].contains(&table) => updated,
        _ => {
            let (before, after) = (Marks::of(before), Marks::of(after));
            match (before.is_active(), after.is_active()) {
                (true, false) => kinds::USER_DEPROVISIONED,
                (false, true) => kinds::USER_REACTIVATED,
                // A tenant or directory that is deleted keeps its row.
                _ if before.deleted_at.is_none() && after.deleted_at.is_some() => deleted,
                _ => updated,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_follows_from_the_row_before_and_after() {
        let [active, inactive] = [r#"{"status":"active"}"#, r#"{"status":"inactive"}"#];
        let [here, gone] = [r#"{"deleted_at":null}"#, r#"{"deleted_at":"2026-06-01T00:00:00.000000Z"}"#];
        for (table, before, after, expected) in [
            ("users", None, Some(inactive), "user.created"),
            ("users", Some(active), Some(active), "user.updated"),
            ("users", Some(active), Some(inactive), "user.deprovisioned"),
            ("users", Some(inactive), Some(active), "user.reactivated"),
            ("users", Some(active), None, "user.deleted"),
            ("directories", Some(here), Some(gone), "directory.deleted"),
            ("directories", Some(gone), Some(gone), "directory.updated"),
            ("directories", Some(gone), Some(here), "directory.updated"),
            ("tenants", Some(here), Some(gone), "tenant.deleted"),
            ("groups", Some("{}"), Some("{}"), "group.updated"),
            ("user_roles", None, Some("{}"), "role.granted"),
            ("user_roles", Some("{}"), Some("{}"), "role.updated"),
            ("roles", Some("{}"), None, "role.unlisted"),
        ] {
            assert_eq!(kind(table, before, after), expected, "{table} {before:?} {after:?}");
        }
    }

    #[test]
    fn the_key_of_a_row_is_the_subject_and_leads_to_its_cause() {
        let key = ["org_1", "u1", "admin"].map(str::to_owned).to_vec();
        let difference = USER_ROLES.difference(key, None, Some("{}".to_owned()), None);

        assert_eq!(difference.tenant_id, "org_1");
        assert_eq!(difference.subject, [("user_id", "u1".to_owned()), ("role_slug", "admin".to_owned())]);
        assert_eq!(
            difference.causes,
            [CauseOf::Subject("org_1".into(), "u1".into()), CauseOf::Entity("u1".into())]
        );
    }
}
