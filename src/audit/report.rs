//! The access review of a tenant: people with access and roles, the reasons, and the leavers with times.

use diesel::{
    QueryResult, QueryableByName,
    sql_types::{BigInt, Nullable, Text},
};
use serde::Serialize;

use super::{
    leaver_receipt::{Receipt, receipts},
    under_review::{self, AccessUnderReview},
};
use crate::{
    db::{Conn, DbError, bulk::Rows, time_as_text},
    runtime::clock::Timestamp,
    tables::{
        comparisons::{self, Comparison},
        display_names,
    },
};

#[derive(Clone, Copy, Debug)]
pub struct ReportQuery<'a> {
    pub tenant_id: &'a str,
    /// The first time of leavers; `None` for all recorded ones.
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
    /// The maximum number of rows; leavers have priority.
    pub most: Option<usize>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    pub tenant_id: String,
    pub tenant_name: Option<String>,
    pub made_at: String,
    /// The first time of leavers; `None` for all recorded ones.
    pub since: Option<String>,
    pub until: Option<String>,
    /// People with access, their role assignments, and leavers.
    pub people: usize,
    pub assignments: usize,
    pub departures: usize,
    /// The number of rows here, if there are more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut: Option<usize>,
    /// The newest comparison of each directory with the broker's lists.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub compared: Vec<Compared>,
    /// Access that people have although the directory says otherwise.
    pub under_review: Vec<AccessUnderReview>,
    pub holds: Vec<RoleLine>,
    pub left: Vec<Receipt>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Compared {
    pub directory_id: String,
    /// The time of the lists.
    pub compared_at: Option<String>,
    pub complete: bool,
    pub differences: i64,
    pub held: i64,
}

/// A role of a person with the reason; or a person with access and no role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, QueryableByName)]
pub struct RoleLine {
    #[diesel(sql_type = Text)]
    pub user_id: String,
    #[diesel(sql_type = Nullable<Text>)]
    pub name: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub email: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub role: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub because: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub since: Option<String>,
}

impl Report {
    pub fn rows(&self) -> usize {
        self.under_review.len() + self.holds.len() + self.left.len()
    }

    /// Removes the rows after the first `most`: access under review comes first, then leavers, then holders.
    pub fn cut_to(&mut self, most: usize) {
        if self.rows() > most {
            self.cut = Some(most);
            self.under_review.truncate(most);
            self.left.truncate(most - self.under_review.len());
            self.holds.truncate(most - self.under_review.len() - self.left.len());
        }
    }
}

/// Makes the review from one snapshot, so both parts are of the same time.
pub fn report(conn: &mut Conn, wanted: ReportQuery<'_>, now: Timestamp) -> Result<Report, DbError> {
    let ReportQuery { tenant_id, since, until, most } = wanted;
    let mut left = receipts(conn, tenant_id, None, since)?;
    if let Some(until) = until {
        // Leavers are read without this limit, so that a later return is known. Texts of times sort like times.
        let until = until.to_string();
        left.retain(|receipt| receipt.applied_at < until);
    }
    let named = display_names::of_tenant(conn, tenant_id)?;
    let counts = counts(conn, tenant_id)?;
    let mut report = Report {
        tenant_id: tenant_id.to_owned(),
        tenant_name: named.and_then(|tenant| tenant.name),
        made_at: now.to_string(),
        since: since.map(|at| at.to_string()),
        until: until.map(|at| at.to_string()),
        people: usize::try_from(counts.people).unwrap_or_default(),
        assignments: usize::try_from(counts.assignments).unwrap_or_default(),
        departures: left.len(),
        cut: None,
        compared: comparisons::newest(conn, Some(tenant_id))?.into_iter().map(compared).collect(),
        under_review: under_review::of_tenant(conn, tenant_id)?,
        // One row more than wanted tells that there are more.
        holds: holds(conn, tenant_id, most.map(|most| most.saturating_add(1)))?,
        left,
    };
    if let Some(most) = most {
        report.cut_to(most);
    }
    Ok(report)
}

fn compared(comparison: Comparison) -> Compared {
    Compared {
        directory_id: comparison.directory_id,
        compared_at: comparison.compared_at.map(|at| Timestamp::from_micros(at).to_string()),
        complete: comparison.complete,
        differences: comparison.differences,
        held: comparison.held,
    }
}

fn holds(conn: &mut Conn, tenant_id: &str, most: Option<usize>) -> QueryResult<Vec<RoleLine>> {
    let since = time_as_text(conn, "g.granted_at");
    let limit = most.map(|most| format!("LIMIT {most}")).unwrap_or_default();
    Rows::of(&[tenant_id]).text("tenant_id", |id| id).load(
        conn,
        &format!(
            "SELECT u.id AS user_id, u.name, u.email, g.role_slug AS role, g.granted_by AS because, {since} AS since \
             FROM {{rows}} JOIN users u ON u.tenant_id = r.tenant_id AND u.status = 'active' \
             LEFT JOIN user_roles g ON g.tenant_id = u.tenant_id AND g.user_id = u.id \
             ORDER BY u.id, g.role_slug {limit}"
        ),
    )
}

/// The numbers of people with access and of role assignments in the tables.
#[derive(Default, QueryableByName)]
pub(super) struct Counts {
    #[diesel(sql_type = BigInt)]
    pub people: i64,
    #[diesel(sql_type = BigInt)]
    pub assignments: i64,
}

/// The counts and the reasons of roles in the tables.
pub(super) fn of_tables(conn: &mut Conn, tenant_id: &str) -> QueryResult<(Counts, Vec<RoleLine>)> {
    Ok((counts(conn, tenant_id)?, holds(conn, tenant_id, None)?))
}

fn counts(conn: &mut Conn, tenant_id: &str) -> QueryResult<Counts> {
    let counts: Vec<Counts> = Rows::of(&[tenant_id]).text("tenant_id", |id| id).load(
        conn,
        "SELECT (SELECT COUNT(*) FROM users u WHERE u.tenant_id = r.tenant_id AND u.status = 'active') AS people, \
         (SELECT COUNT(*) FROM user_roles g WHERE g.tenant_id = r.tenant_id) AS assignments FROM {rows}",
    )?;
    Ok(counts.into_iter().next().unwrap_or_default())
}

/// The number of people with one of these roles.
pub fn holders(conn: &mut Conn, tenant_id: &str, roles: &[&str]) -> QueryResult<usize> {
    #[derive(QueryableByName)]
    struct Holder {
        #[diesel(sql_type = Text)]
        user_id: String,
    }
    let found: Vec<Holder> = Rows::of(roles).text("tenant_id", |_| tenant_id).text("role", |role| role).load(
        conn,
        "SELECT g.user_id FROM {rows} JOIN user_roles g ON g.tenant_id = r.tenant_id AND g.role_slug = r.role",
    )?;
    let people: std::collections::BTreeSet<String> = found.into_iter().map(|holder| holder.user_id).collect();
    Ok(people.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt(user_id: &str) -> Receipt {
        Receipt { user_id: user_id.to_owned(), ..Receipt::default() }
    }

    #[test]
    fn the_first_rows_remain_and_leavers_come_before_holders() {
        let line = |user_id: &str| RoleLine {
            user_id: user_id.to_owned(),
            name: None,
            email: None,
            role: None,
            because: None,
            since: None,
        };
        let whole = Report {
            holds: ["u1", "u2", "u3"].map(line).into(),
            left: ["u4", "u5"].map(receipt).into(),
            ..Report::default()
        };
        let after = |most| {
            let mut report = whole.clone();
            report.cut_to(most);
            (report.cut, report.holds.len(), report.left.len())
        };
        assert_eq!(whole.rows(), 5);
        assert_eq!(after(6), (None, 3, 2));
        assert_eq!(after(5), (None, 3, 2));
        assert_eq!(after(4), (Some(4), 2, 2));
        assert_eq!(after(1), (Some(1), 0, 1));
    }
}
