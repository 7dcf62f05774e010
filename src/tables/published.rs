//! Everything that the application may read: tables and views with their documented columns.

use super::{
    access_under_review::ACCESS_UNDER_REVIEW,
    host_tables::{
        ColumnType::{Integer, Json, Plain, Time},
        PublishedTable, TABLES,
    },
    sign_in::{SCHEMA_VERSION, SIGN_IN},
};

/// The change feed (`crate::feed`).
pub const CHANGES: PublishedTable = PublishedTable {
    name: "changes",
    columns: &[
        ("seq", Integer),
        ("at", Time),
        ("tenant_id", Plain),
        ("kind", Plain),
        ("subject", Json),
        ("before", Json),
        ("after", Json),
        ("cause", Json),
    ],
    key: 1,
    hidden: &[],
};

/// The ends of the change feed. It is about no tenant.
pub const CHANGES_HEAD: PublishedTable = PublishedTable {
    name: "changes_head",
    columns: &[("seq", Integer), ("first_seq", Integer), ("at", Time)],
    key: 1,
    hidden: &[("id", Integer)],
};

/// The tables and views that rosterd does not derive from events.
const OTHERS: [PublishedTable; 5] = [ACCESS_UNDER_REVIEW, SIGN_IN, SCHEMA_VERSION, CHANGES, CHANGES_HEAD];

/// The tables and views that `rosterd migrate --reader` grants.
pub const PUBLISHED: [PublishedTable; TABLES.len() + OTHERS.len()] = {
    let mut all = [ACCESS_UNDER_REVIEW; TABLES.len() + OTHERS.len()];
    let (tables, others) = all.split_at_mut(TABLES.len());
    tables.copy_from_slice(&TABLES);
    others.copy_from_slice(&OTHERS);
    all
};
