//! Table `scim_resources`: users and groups as their identity provider wrote them by SCIM. It is written with the delivery
//! of the same request, so both are stored or none.

use diesel::{
    QueryResult, QueryableByName,
    sql_types::{BigInt, Bool, Nullable, SmallInt, Text},
};

use crate::{
    db::{Conn, bulk::Rows},
    runtime::clock::Timestamp,
};

/// The kind of a user.
pub const USER: i16 = 0;
/// The kind of a group.
pub const GROUP: i16 = 1;

/// A stored resource.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub struct ScimResource {
    /// The id that rosterd has given.
    #[diesel(sql_type = Text)]
    pub id: String,
    /// The directory.
    #[diesel(sql_type = Text)]
    pub directory_id: String,
    /// [`USER`] or [`GROUP`].
    #[diesel(sql_type = SmallInt)]
    pub kind: i16,
    /// The login name, folded; `None` for a group or a deleted user.
    #[diesel(sql_type = Nullable<Text>)]
    pub user_name_key: Option<String>,
    /// The id that the identity provider uses.
    #[diesel(sql_type = Nullable<Text>)]
    pub external_id: Option<String>,
    /// The display name of a group, folded.
    #[diesel(sql_type = Nullable<Text>)]
    pub display_key: Option<String>,
    /// The number of the version, from 1.
    #[diesel(sql_type = BigInt)]
    pub version: i64,
    #[diesel(sql_type = BigInt)]
    created_at: i64,
    #[diesel(sql_type = BigInt)]
    modified_at: i64,
    /// Whether the resource was deleted. Its id is not used again.
    #[diesel(sql_type = Bool)]
    pub deleted: bool,
    /// The attributes, in the normal form of `scim::resource`.
    #[diesel(sql_type = Text)]
    pub document: String,
}

impl ScimResource {
    /// A new resource, without content.
    pub fn new(id: String, directory_id: &str, kind: i16, now: Timestamp) -> Self {
        Self {
            id,
            directory_id: directory_id.to_owned(),
            kind,
            user_name_key: None,
            external_id: None,
            display_key: None,
            version: 1,
            created_at: now.micros(),
            modified_at: now.micros(),
            deleted: false,
            document: String::new(),
        }
    }

    /// When it was created.
    pub fn created_at(&self) -> Timestamp {
        Timestamp::from_micros(self.created_at)
    }

    /// When it was last changed.
    pub fn modified_at(&self) -> Timestamp {
        Timestamp::from_micros(self.modified_at)
    }

    /// Begins the next version. Its time is later than that of the one before, whatever the clock says.
    pub fn advance(&mut self, now: Timestamp) {
        self.version += 1;
        self.modified_at = now.micros().max(self.modified_at + 1);
    }
}

const COLUMNS: &str = "s.id, s.directory_id, s.kind, s.user_name_key, s.external_id, s.display_key, s.version, s.created_at, \
     s.modified_at, s.deleted, s.document";

/// Excludes other processes that write these directories, until the end of the transaction. SQLite has one writer anyway.
pub fn lock(conn: &mut Conn, directory_ids: &[&str]) -> QueryResult<()> {
    /// Any number that no other lock of rosterd uses.
    const CLASS: i64 = 0x5c13;
    #[derive(QueryableByName)]
    struct Locked {
        #[diesel(sql_type = BigInt)]
        #[expect(dead_code, reason = "a row must have a column")]
        one: i64,
    }
    match conn {
        Conn::Sqlite(_) => Ok(()),
        Conn::Postgres(_) => Rows::of(directory_ids)
            .text("id", |id| id)
            .integer("class", |_| CLASS)
            .load::<Locked>(
                conn,
                "SELECT 1::bigint AS one FROM (SELECT pg_advisory_xact_lock(r.class::int, hashtext(r.id)) FROM {rows}) l",
            )
            .map(drop),
    }
}

/// Resources of a directory, also deleted ones.
pub fn by_ids(conn: &mut Conn, directory_id: &str, ids: &[&str]) -> QueryResult<Vec<ScimResource>> {
    by(conn, directory_id, ids, "s.id = r.key")
}

/// Users of a directory by folded login name.
pub fn by_user_names(conn: &mut Conn, directory_id: &str, keys: &[&str]) -> QueryResult<Vec<ScimResource>> {
    by(conn, directory_id, keys, "s.user_name_key = r.key AND s.user_name_key IS NOT NULL")
}

/// Resources of a directory by the id of the identity provider.
pub fn by_external_ids(conn: &mut Conn, directory_id: &str, keys: &[&str]) -> QueryResult<Vec<ScimResource>> {
    by(conn, directory_id, keys, "s.external_id = r.key AND s.external_id IS NOT NULL")
}

/// Groups of a directory by folded display name.
pub fn by_display(conn: &mut Conn, directory_id: &str, keys: &[&str]) -> QueryResult<Vec<ScimResource>> {
    by(conn, directory_id, keys, "s.display_key = r.key AND s.display_key IS NOT NULL")
}

fn by(conn: &mut Conn, directory_id: &str, keys: &[&str], condition: &str) -> QueryResult<Vec<ScimResource>> {
    Rows::of(keys).text("key", |key| key).text("directory_id", |_| directory_id).load(
        conn,
        &format!(
            "SELECT {COLUMNS} FROM {{rows}} JOIN scim_resources s ON s.directory_id = r.directory_id AND {condition}"
        ),
    )
}

/// Resources of one kind in the order of their ids, after `after` and `skip` more. Deleted ones are left out.
pub fn page(
    conn: &mut Conn,
    (directory_id, kind): (&str, i16),
    after: &str,
    skip: usize,
    limit: usize,
) -> QueryResult<Vec<ScimResource>> {
    Rows::of(&[(directory_id, after)])
        .text("directory_id", |of| of.0)
        .text("after", |of| of.1)
        .integer("kind", |_| kind.into())
        .load(
            conn,
            &format!(
                // Not a join: its rows would have no order, so each page would sort all that follow.
                "WITH place AS MATERIALIZED (SELECT r.directory_id, r.kind, r.after FROM {{rows}}) \
                 SELECT {COLUMNS} FROM scim_resources s WHERE s.directory_id = (SELECT p.directory_id FROM place p) \
                 AND s.kind = (SELECT p.kind FROM place p) AND s.id > (SELECT p.after FROM place p) \
                 AND NOT s.deleted ORDER BY s.id LIMIT {limit} OFFSET {skip}"
            ),
        )
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

/// The number of resources of one kind.
pub fn count(conn: &mut Conn, directory_id: &str, kind: i16) -> QueryResult<usize> {
    let counts: Vec<Count> =
        Rows::of(&[directory_id]).text("directory_id", |id| id).integer("kind", |_| kind.into()).load(
            conn,
            "SELECT COUNT(*) AS number FROM {rows} JOIN scim_resources s ON s.directory_id = r.directory_id \
             AND s.kind = r.kind AND NOT s.deleted",
        )?;
    Ok(counts.first().map_or(0, |count| usize::try_from(count.number).unwrap_or(0)))
}

/// Writes resources, new ones and changed ones.
pub fn put(conn: &mut Conn, resources: &[&ScimResource]) -> QueryResult<()> {
    Rows::of(resources)
        .text("id", |one| &one.id)
        .text("directory_id", |one| &one.directory_id)
        .integer("kind", |one| one.kind.into())
        .optional_text("user_name_key", |one| one.user_name_key.as_deref())
        .optional_text("external_id", |one| one.external_id.as_deref())
        .optional_text("display_key", |one| one.display_key.as_deref())
        .integer("version", |one| one.version)
        .integer("created_at", |one| one.created_at)
        .integer("modified_at", |one| one.modified_at)
        .boolean("deleted", |one| one.deleted)
        .text("document", |one| &one.document)
        .execute(
            conn,
            "INSERT INTO scim_resources (id, directory_id, kind, user_name_key, external_id, display_key, version, \
             created_at, modified_at, deleted, document) \
             SELECT r.id, r.directory_id, r.kind, r.user_name_key, r.external_id, r.display_key, r.version, \
             r.created_at, r.modified_at, r.deleted, r.document FROM {rows} WHERE true \
             ON CONFLICT (id) DO UPDATE SET user_name_key = excluded.user_name_key, \
             external_id = excluded.external_id, display_key = excluded.display_key, version = excluded.version, \
             modified_at = excluded.modified_at, deleted = excluded.deleted, document = excluded.document",
        )?;
    Ok(())
}

/// Removes the content of users who are erased. For their identity provider they are deleted.
pub fn erase(conn: &mut Conn, ids: &[String]) -> QueryResult<()> {
    Rows::of(ids).text("id", |id| id).execute(
        conn,
        "UPDATE scim_resources SET user_name_key = NULL, external_id = NULL, display_key = NULL, deleted = true, \
         document = '' FROM {rows} WHERE scim_resources.id = r.id",
    )?;
    Ok(())
}
