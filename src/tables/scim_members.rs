//! Table `scim_members`: the members of groups as their identity provider wrote them by SCIM.

use diesel::{
    QueryResult, QueryableByName,
    sql_types::{Nullable, SmallInt, Text},
};

use crate::db::{Conn, bulk::Rows};

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = Text)]
    id: String,
}

fn ids(found: Vec<Id>) -> Vec<String> {
    found.into_iter().map(|row| row.id).collect()
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub struct ScimMember {
    /// The group.
    #[diesel(sql_type = Text)]
    pub group_id: String,
    /// The user or group.
    #[diesel(sql_type = Text)]
    pub member_id: String,
    /// The kind of the member, as in `scim_resources`; `None` if the directory has no such resource.
    #[diesel(sql_type = Nullable<SmallInt>)]
    pub kind: Option<i16>,
}

/// Adds members. Returns those that were no members before.
pub fn add(conn: &mut Conn, group_id: &str, member_ids: &[&str]) -> QueryResult<Vec<String>> {
    let added: Vec<Id> = Rows::of(member_ids).text("member_id", |id| id).text("group_id", |_| group_id).load(
        conn,
        "INSERT INTO scim_members (group_id, member_id) SELECT r.group_id, r.member_id FROM {rows} WHERE true \
         ON CONFLICT (group_id, member_id) DO NOTHING RETURNING member_id AS id",
    )?;
    Ok(ids(added))
}

/// Removes members. Returns those that were members.
pub fn remove(conn: &mut Conn, group_id: &str, member_ids: &[&str]) -> QueryResult<Vec<String>> {
    let removed: Vec<Id> =
        Rows::of(member_ids).text("member_id", |id| id).text("group_id", |_| group_id).load(
            conn,
            "DELETE FROM scim_members WHERE (group_id, member_id) IN (SELECT r.group_id, r.member_id FROM {rows}) \
             RETURNING member_id AS id",
        )?;
    Ok(ids(removed))
}

/// The ids of all members of a group.
pub fn all(conn: &mut Conn, group_id: &str) -> QueryResult<Vec<String>> {
    let found: Vec<Id> = Rows::of(&[group_id]).text("group_id", |id| id).load(
        conn,
        "SELECT m.member_id AS id FROM {rows} JOIN scim_members m ON m.group_id = r.group_id ORDER BY m.member_id",
    )?;
    Ok(ids(found))
}

/// Those of these groups that have at most `most` members.
pub fn small_groups(conn: &mut Conn, group_ids: &[&str], most: usize) -> QueryResult<Vec<String>> {
    let found: Vec<Id> = Rows::of(group_ids).text("group_id", |id| id).load(
        conn,
        &format!(
            "SELECT r.group_id AS id FROM {{rows}} WHERE (SELECT m.member_id FROM scim_members m \
             WHERE m.group_id = r.group_id ORDER BY m.member_id LIMIT 1 OFFSET {most}) IS NULL"
        ),
    )?;
    Ok(ids(found))
}

/// The members of groups with their kinds, at most `limit` of each group.
pub fn of_groups(conn: &mut Conn, group_ids: &[&str], limit: usize) -> QueryResult<Vec<ScimMember>> {
    let mut members = Vec::new();
    for group_id in group_ids {
        members.extend(Rows::of(&[*group_id]).text("group_id", |id| id).load::<ScimMember>(
            conn,
            &format!(
                "SELECT m.group_id, m.member_id, s.kind FROM {{rows}} \
                 JOIN scim_members m ON m.group_id = r.group_id \
                 JOIN scim_resources g ON g.id = m.group_id \
                 LEFT JOIN scim_resources s ON s.id = m.member_id AND s.directory_id = g.directory_id \
                 ORDER BY m.member_id LIMIT {limit}"
            ),
        )?);
    }
    Ok(members)
}

/// Removes a resource from all groups, and all members from it.
pub fn forget(conn: &mut Conn, id: &str) -> QueryResult<()> {
    for column in ["member_id", "group_id"] {
        Rows::of(&[id]).text("id", |id| id).execute(
            conn,
            &format!("DELETE FROM scim_members WHERE {column} IN (SELECT r.id FROM {{rows}})"),
        )?;
    }
    Ok(())
}
