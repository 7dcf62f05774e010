//! Reads the report of access for a claimed mail, from one snapshot. It is not read in the transaction of the claim, because
//! a large report takes long and would block other writers.

use std::collections::HashMap;

use super::render::{News, Review, TenantNames};
use crate::{
    audit::report::{self, ReportQuery},
    db::{Conn, DbError},
    decide::mapping::Mapping,
    outbox::{
        mails::ClaimedMail,
        notice::{self, Period},
    },
    runtime::clock::Timestamp,
    tables::{display_names, mappings},
};

/// The highest number of rows in each attached list.
const MOST_ROWS: usize = 10_000;

/// Reads the report. `None` when the tenant does not exist any more.
pub fn of(conn: &mut Conn, mail: &ClaimedMail, now: Timestamp) -> Result<Option<News>, DbError> {
    let tenant_id = mail.tenant_id.as_str();
    let Some(named) = display_names::of_tenant(conn, tenant_id)?.filter(|tenant| !tenant.gone) else {
        return Ok(None);
    };
    let period: Period = mail.news.last().map(|one| notice::read(&one.payload)).unwrap_or_default();
    let (since, until) = (Timestamp::from_micros(period.since), Timestamp::from_micros(period.until));
    let wanted = ReportQuery { tenant_id, since: Some(since), until: Some(until), most: Some(MOST_ROWS) };
    let report = report::report(conn, wanted, now)?;
    let privileged = privileged(conn, tenant_id)?;
    let tenant = TenantNames { id: tenant_id.to_owned(), name: named.name, directories: HashMap::new() };
    Ok(Some(News::Report(tenant, Review { since, until, privileged, report })))
}

/// The number of people with a privileged role. `None` if the mapping has no privileged role, or cannot be read.
fn privileged(conn: &mut Conn, tenant_id: &str) -> Result<Option<usize>, DbError> {
    let Some(mapping) = readable_mapping(conn)? else { return Ok(None) };
    let policy = mapping.of(tenant_id);
    let roles: Vec<&str> = policy.privileged().collect();
    if roles.is_empty() {
        return Ok(None);
    }
    Ok(Some(report::holders(conn, tenant_id, &roles)?))
}

/// The mapping in force; `None` if it cannot be read.
pub(super) fn readable_mapping(conn: &mut Conn) -> Result<Option<Mapping>, DbError> {
    match mappings::in_force(conn) {
        Ok(mapping) => Ok(Some(mapping)),
        Err(mappings::InForceError::Database(error)) => Err(error),
        Err(mappings::InForceError::Faulty { .. }) => Ok(None),
    }
}
