//! View `access_under_review`: who has access, or a role, although the directory says otherwise.

use diesel::{
    QueryResult, QueryableByName,
    sql_types::{BigInt, Bool, Nullable, Text},
};

use super::{
    held_users,
    host_tables::{ColumnType, PublishedTable},
};
use crate::{
    db::{Conn, bulk::Rows, time_as_text},
    decide::protected_roles::directory_wants,
    runtime::clock::Timestamp,
};

/// The view as the application reads it. A rebuild does not compare it, because holds do not follow from the log.
pub const ACCESS_UNDER_REVIEW: PublishedTable = PublishedTable {
    name: "access_under_review",
    columns: &[
        ("tenant_id", ColumnType::Plain),
        ("user_id", ColumnType::Plain),
        ("reason", ColumnType::Plain),
        ("since", ColumnType::Time),
        ("hold_id", ColumnType::Integer),
        ("role_slug", ColumnType::Plain),
    ],
    key: 3,
    hidden: &[],
};

/// The reason of a person in a hold.
pub const HELD: &str = "held";
/// The reason of a person who retains a protected role.
pub const LAST_HOLDER: &str = "last_holder";

/// A row of the view, with the name and address of the user.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub struct UnderReview {
    /// The broker's id.
    #[diesel(sql_type = Text)]
    pub user_id: String,
    /// The display name.
    #[diesel(sql_type = Nullable<Text>)]
    pub name: Option<String>,
    /// The address.
    #[diesel(sql_type = Nullable<Text>)]
    pub email: Option<String>,
    /// [`HELD`] or [`LAST_HOLDER`].
    #[diesel(sql_type = Text)]
    pub reason: String,
    /// Since when.
    #[diesel(sql_type = Text)]
    pub since: String,
    /// The hold.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub hold_id: Option<i64>,
    /// The role that a last holder retains.
    #[diesel(sql_type = Nullable<Text>)]
    pub role_slug: Option<String>,
    /// The directory asks for the end of access, too; of a last holder.
    #[diesel(sql_type = Nullable<Bool>)]
    ends_access: Option<bool>,
    #[diesel(sql_type = Nullable<Text>)]
    lost: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    roles: Option<String>,
    /// `approved` or `rejected`, of a person in a hold who was decided.
    #[diesel(sql_type = Nullable<Text>)]
    pub decision: Option<String>,
    #[diesel(sql_type = Nullable<BigInt>)]
    decided_at: Option<i64>,
    /// Who decided.
    #[diesel(sql_type = Nullable<Text>)]
    pub decided_by: Option<String>,
    /// The reason of the decision.
    #[diesel(sql_type = Nullable<Text>)]
    pub decision_reason: Option<String>,
}

impl UnderReview {
    /// The state that the directory asks for, in words.
    pub fn directory_wants(&self) -> String {
        match (&self.lost, &self.roles, &self.role_slug) {
            (Some(code), Some(roles), _) => held_users::lost(code, roles).to_string(),
            (_, _, role) => {
                directory_wants(role.as_deref().unwrap_or_default(), self.ends_access == Some(true))
            }
        }
    }

    /// The time of the decision.
    pub fn decided_at(&self) -> Option<Timestamp> {
        self.decided_at.map(Timestamp::from_micros)
    }
}

/// The rows of a tenant, sorted by reason and user.
pub fn of_tenant(conn: &mut Conn, tenant_id: &str) -> QueryResult<Vec<UnderReview>> {
    let since = time_as_text(conn, "a.since");
    Rows::of(&[tenant_id]).text("tenant_id", |id| id).load(
        conn,
        &format!(
            "SELECT a.user_id, u.name, u.email, a.reason, {since} AS since, a.hold_id, a.role_slug, \
             h.ends_access, e.lost, e.roles, d.decision, d.decided_at, d.decided_by, d.reason AS decision_reason FROM {{rows}} \
             JOIN access_under_review a ON a.tenant_id = r.tenant_id \
             LEFT JOIN users u ON u.tenant_id = a.tenant_id AND u.id = a.user_id \
             LEFT JOIN role_holders h ON h.tenant_id = a.tenant_id AND h.user_id = a.user_id AND h.role_slug = a.role_slug \
             LEFT JOIN held_users e ON e.hold_id = a.hold_id AND e.tenant_id = a.tenant_id AND e.user_id = a.user_id \
             LEFT JOIN hold_decisions d ON d.hold_id = e.hold_id AND d.number = e.decision_number \
             ORDER BY a.reason, a.user_id, a.role_slug"
        ),
    )
}
