//! Access that somebody has although the directory says otherwise: the first section of an access review.

use diesel::QueryResult;
use serde::Serialize;

use crate::{
    db::Conn,
    tables::access_under_review::{self, UnderReview},
};

/// One person in a hold, or one role that a last holder retains.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AccessUnderReview {
    pub user_id: String,
    pub name: Option<String>,
    pub email: Option<String>,
    /// `held` or `last_holder`.
    pub reason: String,
    /// The state that the directory asks for.
    pub directory_wants: String,
    pub since: String,
    pub hold_id: Option<i64>,
    /// The decision about the person, if there is one.
    pub decision: Option<String>,
    pub decided_at: Option<String>,
    pub decided_by: Option<String>,
    pub decision_reason: Option<String>,
}

/// All of a tenant.
pub fn of_tenant(conn: &mut Conn, tenant_id: &str) -> QueryResult<Vec<AccessUnderReview>> {
    Ok(access_under_review::of_tenant(conn, tenant_id)?.into_iter().map(under_review).collect())
}

fn under_review(one: UnderReview) -> AccessUnderReview {
    AccessUnderReview {
        directory_wants: one.directory_wants(),
        decided_at: one.decided_at().map(|at| at.to_string()),
        user_id: one.user_id,
        name: one.name,
        email: one.email,
        reason: one.reason,
        since: one.since,
        hold_id: one.hold_id,
        decision: one.decision,
        decided_by: one.decided_by,
        decision_reason: one.decision_reason,
    }
}
