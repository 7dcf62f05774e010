//! From a claimed mail to the report of access that it carries: read apart from the claim, from one snapshot, since a large
//! tenant's takes its time and the claim is a write.

use std::collections::HashMap;

use super::render::{News, Review, TenantNames};
use crate::{
    audit::report::{self, ReportQuery},
    db::{Conn, DbError},
    outbox::{
        mails::ClaimedMail,
        notice::{self, Period},
    },
    runtime::clock::Timestamp,
    tables::{display_names, mappings},
};

/// Rows in each attached list.
const MOST_ROWS: usize = 10_000;

/// `None` when the tenant is there no more.
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

/// How many hold a role that the mapping calls privileged; nothing where it calls none so, or cannot be read.
fn privileged(conn: &mut Conn, tenant_id: &str) -> Result<Option<usize>, DbError> {
    let mapping = match mappings::in_force(conn) {
        Ok(mapping) => mapping,
        Err(mappings::InForceError::Database(error)) => return Err(error),
        Err(mappings::InForceError::Faulty { .. }) => return Ok(None),
    };
    let policy = mapping.of(tenant_id);
    let roles: Vec<&str> =
        policy.roles.iter().filter(|(_, role)| role.privileged).map(|(slug, _)| slug.as_str()).collect();
    if roles.is_empty() {
        return Ok(None);
    }
    Ok(Some(report::holders(conn, tenant_id, &roles)?))
}
