//! Everything that the application may read: tables and views with their documented columns.

use super::{
    access_under_review::ACCESS_UNDER_REVIEW,
    host_tables::{PublishedTable, TABLES},
};

/// The tables and views that `rosterd migrate --reader` grants.
pub const PUBLISHED: [PublishedTable; TABLES.len() + 1] = {
    let mut all = [ACCESS_UNDER_REVIEW; TABLES.len() + 1];
    let (tables, _) = all.split_at_mut(TABLES.len());
    tables.copy_from_slice(&TABLES);
    all
};
