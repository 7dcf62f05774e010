//! Everything that the application may read: tables and views with their documented columns.

use super::{
    access_under_review::ACCESS_UNDER_REVIEW,
    host_tables::{PublishedTable, TABLES},
    sign_in::{SCHEMA_VERSION, SIGN_IN},
};

/// The views that rosterd does not derive from events.
const VIEWS: [PublishedTable; 3] = [ACCESS_UNDER_REVIEW, SIGN_IN, SCHEMA_VERSION];

/// The tables and views that `rosterd migrate --reader` grants.
pub const PUBLISHED: [PublishedTable; TABLES.len() + VIEWS.len()] = {
    let mut all = [ACCESS_UNDER_REVIEW; TABLES.len() + VIEWS.len()];
    let (tables, views) = all.split_at_mut(TABLES.len());
    tables.copy_from_slice(&TABLES);
    views.copy_from_slice(&VIEWS);
    all
};
