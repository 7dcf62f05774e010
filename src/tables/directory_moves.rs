//! Table `directory_moves`: directories that an operator handed over to another organization (`decide::moves`). Rows are
//! added and never changed.

use diesel::{
    ExpressionMethods, QueryDsl, QueryResult, QueryableByName, RunQueryDsl,
    sql_types::{BigInt, Text},
};

use crate::{
    db::{Conn, Serialized, bulk::Rows, schema::directory_moves},
    decide::moves::DirectoryMove,
    runtime::clock::Timestamp,
};

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    directory_id: String,
    #[diesel(sql_type = Text)]
    from_organization: String,
    #[diesel(sql_type = Text)]
    to_organization: String,
    #[diesel(sql_type = BigInt)]
    until_inbox_id: i64,
    #[diesel(sql_type = BigInt)]
    tenure: i64,
}

/// The moves of these directories; those of one directory in their order.
pub fn of_directories(conn: &mut Conn, directory_ids: &[&str]) -> QueryResult<Vec<DirectoryMove>> {
    let mut rows: Vec<Row> = Rows::of(directory_ids).text("directory_id", |id| id).load(
        conn,
        "SELECT m.directory_id, m.from_organization, m.to_organization, m.until_inbox_id, \
         CAST(m.tenure AS bigint) AS tenure FROM {rows} JOIN directory_moves m ON m.directory_id = r.directory_id",
    )?;
    rows.sort_unstable_by(|a, b| (&a.directory_id, a.tenure).cmp(&(&b.directory_id, b.tenure)));
    let one = |Row { directory_id, from_organization, to_organization, until_inbox_id, .. }| DirectoryMove {
        directory_id,
        from_organization,
        to_organization,
        until_inbox_id,
    };
    Ok(rows.into_iter().map(one).collect())
}

/// The directories that were moved to these organizations.
pub fn directories_moved_to(conn: &mut Conn, organization_ids: &[&str]) -> QueryResult<Vec<String>> {
    directory_moves::table
        .filter(directory_moves::to_organization.eq_any(organization_ids))
        .select(directory_moves::directory_id)
        .distinct()
        .load(conn)
}

/// The organizations that owned these directories before a move; empty for nobody.
pub fn former_owners(conn: &mut Conn, directory_ids: &[&str]) -> QueryResult<Vec<String>> {
    directory_moves::table
        .filter(directory_moves::directory_id.eq_any(directory_ids))
        .select(directory_moves::from_organization)
        .distinct()
        .load(conn)
}

/// Who moved a directory, when and why.
pub struct MovedBy<'a> {
    /// The operator.
    pub name: &'a str,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: &'a str,
}

/// Adds the move by which this tenure begins.
pub fn add(conn: &mut Serialized<'_>, one: &DirectoryMove, tenure: i32, by: &MovedBy<'_>) -> QueryResult<()> {
    diesel::insert_into(directory_moves::table)
        .values((
            directory_moves::directory_id.eq(&one.directory_id),
            directory_moves::tenure.eq(tenure),
            directory_moves::from_organization.eq(&one.from_organization),
            directory_moves::to_organization.eq(&one.to_organization),
            directory_moves::until_inbox_id.eq(one.until_inbox_id),
            directory_moves::moved_at.eq(by.at.micros()),
            directory_moves::moved_by.eq(by.name),
            directory_moves::reason.eq(by.reason),
        ))
        .execute(&mut **conn)?;
    Ok(())
}

/// All, for a fold somewhere else.
pub fn copy(from: &mut Conn, to: &mut Serialized<'_>) -> QueryResult<()> {
    type Whole = (String, i32, String, String, i64, i64, String, String);
    let rows: Vec<Whole> =
        directory_moves::table.order((directory_moves::directory_id, directory_moves::tenure)).load(from)?;
    for (directory_id, tenure, from_organization, to_organization, until_inbox_id, at, by, reason) in rows {
        let one = DirectoryMove { directory_id, from_organization, to_organization, until_inbox_id };
        let by = MovedBy { name: &by, at: Timestamp::from_micros(at), reason: &reason };
        add(to, &one, tenure, &by)?;
    }
    Ok(())
}
