//! A change of one row, before it has its `seq`. The file is pure.

use super::CauseOf;

/// The kinds of records.
#[expect(missing_docs, reason = "docs/changes.md describes them")]
pub mod kinds {
    pub const TENANT_CREATED: &str = "tenant.created";
    pub const TENANT_UPDATED: &str = "tenant.updated";
    pub const TENANT_DELETED: &str = "tenant.deleted";
    pub const DIRECTORY_CREATED: &str = "directory.created";
    pub const DIRECTORY_UPDATED: &str = "directory.updated";
    pub const DIRECTORY_DELETED: &str = "directory.deleted";
    pub const GROUP_CREATED: &str = "group.created";
    pub const GROUP_UPDATED: &str = "group.updated";
    pub const GROUP_DELETED: &str = "group.deleted";
    pub const USER_CREATED: &str = "user.created";
    pub const USER_UPDATED: &str = "user.updated";
    pub const USER_DEPROVISIONED: &str = "user.deprovisioned";
    pub const USER_REACTIVATED: &str = "user.reactivated";
    pub const USER_ERASED: &str = "user.erased";
    pub const USER_DELETED: &str = "user.deleted";
    pub const MEMBERSHIP_ADDED: &str = "membership.added";
    pub const MEMBERSHIP_REMOVED: &str = "membership.removed";
    pub const ROLE_GRANTED: &str = "role.granted";
    pub const ROLE_UPDATED: &str = "role.updated";
    pub const ROLE_REVOKED: &str = "role.revoked";
    pub const ROLE_LISTED: &str = "role.listed";
    pub const ROLE_RENAMED: &str = "role.renamed";
    pub const ROLE_UNLISTED: &str = "role.unlisted";

    /// All kinds.
    pub const ALL: [&str; 23] = [
        TENANT_CREATED,
        TENANT_UPDATED,
        TENANT_DELETED,
        DIRECTORY_CREATED,
        DIRECTORY_UPDATED,
        DIRECTORY_DELETED,
        GROUP_CREATED,
        GROUP_UPDATED,
        GROUP_DELETED,
        USER_CREATED,
        USER_UPDATED,
        USER_DEPROVISIONED,
        USER_REACTIVATED,
        USER_ERASED,
        USER_DELETED,
        MEMBERSHIP_ADDED,
        MEMBERSHIP_REMOVED,
        ROLE_GRANTED,
        ROLE_UPDATED,
        ROLE_REVOKED,
        ROLE_LISTED,
        ROLE_RENAMED,
        ROLE_UNLISTED,
    ];
}

/// The place of a kind within the records of a transaction. Somebody who loses access comes first; a row comes after the
/// rows that it refers to, and goes before them.
pub(super) fn rank(kind: &str, is_gone: bool) -> u8 {
    let object = kind.split('.').next().unwrap_or_default();
    match (kind, object, is_gone) {
        (kinds::USER_DEPROVISIONED | kinds::USER_ERASED, _, false) => 0,
        (kinds::ROLE_REVOKED | kinds::MEMBERSHIP_REMOVED, ..) => 1,
        (_, "tenant", false) => 2,
        (_, "directory", false) => 3,
        (kinds::ROLE_LISTED | kinds::ROLE_RENAMED, ..) | (_, "group", false) => 4,
        (_, "user", false) => 5,
        (kinds::ROLE_UNLISTED, ..) | (_, "user" | "group", true) => 7,
        (_, "directory", true) => 8,
        (_, "tenant", true) => 9,
        _ => 6,
    }
}

/// How a row of an application's table changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowDifference {
    /// One of [`kinds`].
    pub kind: &'static str,
    /// The tenant.
    pub tenant_id: String,
    /// The rest of the row's key, under the names of the record's `subject`.
    pub subject: Vec<(&'static str, String)>,
    /// The other columns before, as a JSON object; `None` if there was no row.
    pub before: Option<String>,
    /// The other columns now; `None` if there is no row.
    pub after: Option<String>,
    /// Where the cause may be known, the most likely first.
    pub causes: Vec<CauseOf>,
}

impl RowDifference {
    /// The key as JSON.
    pub(super) fn subject(&self) -> String {
        let object: serde_json::Map<String, serde_json::Value> =
            self.subject.iter().map(|(name, id)| ((*name).to_owned(), id.as_str().into())).collect();
        serde_json::Value::Object(object).to_string()
    }

    pub(super) fn rank(&self) -> u8 {
        rank(self.kind, self.after.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_come_first_and_a_row_stands_between_those_that_it_refers_to_and_those_that_refer_to_it() {
        let order = [
            (kinds::USER_DEPROVISIONED, false),
            (kinds::ROLE_REVOKED, true),
            (kinds::TENANT_CREATED, false),
            (kinds::DIRECTORY_CREATED, false),
            (kinds::GROUP_CREATED, false),
            (kinds::USER_CREATED, false),
            (kinds::MEMBERSHIP_ADDED, false),
            (kinds::USER_DELETED, true),
            (kinds::DIRECTORY_DELETED, true),
            (kinds::TENANT_DELETED, true),
        ];
        let ranks: Vec<u8> = order.iter().map(|(kind, is_gone)| rank(kind, *is_gone)).collect();
        assert!(ranks.is_sorted(), "{ranks:?}");
        assert_eq!(rank(kinds::ROLE_GRANTED, false), rank(kinds::MEMBERSHIP_ADDED, false));
        assert_eq!(rank(kinds::ROLE_LISTED, false), rank(kinds::GROUP_CREATED, false));
        assert_eq!(rank(kinds::ROLE_UNLISTED, true), rank(kinds::GROUP_DELETED, true));
        assert_eq!(rank(kinds::DIRECTORY_DELETED, false), rank(kinds::DIRECTORY_CREATED, false));
    }
}
