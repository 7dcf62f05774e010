//! The view `sign_in`: for each key by which a login can find a user, the user and whether they may sign in. And the view
//! `schema_version`, by which an application checks what it can read.

use super::host_tables::{
    ColumnType::{Integer, Plain},
    PublishedTable,
};

/// The keys of logins. Of several accounts with one key an active one answers, and of these the newest; if they belong to
/// different persons, the key is ambiguous and nobody may sign in by it.
pub const SIGN_IN: PublishedTable = PublishedTable {
    name: "sign_in",
    columns: &[
        ("tenant_id", Plain),
        ("found_by", Plain),
        ("directory_id", Plain),
        ("idp_id", Plain),
        ("email_key", Plain),
        ("user_id", Plain),
        ("person_id", Plain),
        ("status", Plain),
        ("may_sign_in", Integer),
        ("reason", Plain),
        ("access_epoch", Integer),
    ],
    key: 6,
    hidden: &[],
};

/// One row: the version of the published tables and views.
pub const SCHEMA_VERSION: PublishedTable = PublishedTable {
    name: "schema_version",
    columns: &[("major", Integer), ("minor", Integer)],
    key: 2,
    hidden: &[],
};
