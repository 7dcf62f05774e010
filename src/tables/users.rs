//! Table `users`: rows are never deleted, except from a tenant that a user never belonged to.

use std::collections::BTreeSet;

use diesel::{
    QueryResult, QueryableByName,
    backend::Backend,
    deserialize::{self, FromSql},
    row::NamedRow,
    sql_types::{BigInt, Nullable, Text},
};

use super::{
    Key,
    group_members::{self, MEMBERS},
    host_tables::USERS,
    roles::{self, Assignment, Grant},
};
use crate::{
    db::{
        Conn, Serialized,
        bulk::{Rows, Upsert},
        row_by_row::write_allowed,
        time_as_text,
    },
    decide::{
        email_key::email_key,
        fact,
        profile::Profile,
        users::{UserAccess, UserChange, UserRow},
    },
    feed::{
        self,
        watch::{self, RowKey},
    },
    runtime::clock::Timestamp,
};

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    tenant_id: String,
    #[diesel(sql_type = Text)]
    id: String,
    #[diesel(sql_type = Text)]
    person_id: String,
    #[diesel(sql_type = Text)]
    directory_id: String,
    #[diesel(embed)]
    profile: Profile,
    #[diesel(sql_type = Text)]
    status: String,
    #[diesel(sql_type = BigInt)]
    access_epoch: i64,
    #[diesel(sql_type = Nullable<Text>)]
    deprovisioned_at: Option<String>,
    #[diesel(sql_type = Text)]
    role_slugs: String,
    #[diesel(sql_type = Text)]
    custom_attributes: String,
    #[diesel(sql_type = BigInt)]
    digest: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    former_at: Option<i64>,
    #[diesel(sql_type = Nullable<Text>)]
    former_event: Option<String>,
}

impl<DB> QueryableByName<DB> for Profile
where
    DB: Backend,
    Option<String>: FromSql<Nullable<Text>, DB>,
{
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        let mut profile = Self::default();
        for column in Self::COLUMNS {
            *(column.get_mut)(&mut profile) = NamedRow::get::<Nullable<Text>, _>(row, column.name)?;
        }
        Ok(profile)
    }
}

/// The rows of these users with their roles.
pub fn current(conn: &mut Conn, keys: &[Key]) -> QueryResult<Vec<UserRow>> {
    let since = time_as_text(conn, "u.deprovisioned_at");
    let profile: Vec<_> = Profile::COLUMNS.iter().map(|column| format!("u.{}", column.name)).collect();
    let profile = profile.join(", ");
    let rows: Vec<Row> = Rows::of(keys).text("tenant_id", |key| &key.0).text("id", |key| &key.1).load(
        conn,
        &format!(
            "SELECT u.tenant_id, u.id, u.person_id, u.directory_id, {profile}, u.status, u.access_epoch, {since} AS deprovisioned_at, u.role_slugs, \
             CAST(u.custom_attributes AS text) AS custom_attributes, u.digest, u.former_at, u.former_event FROM {{rows}} \
             JOIN users u ON u.tenant_id = r.tenant_id AND u.id = r.id"
        ),
    )?;
    let active: Vec<Key> = rows
        .iter()
        .filter(|row| row.status == "active")
        .map(|row| (row.tenant_id.clone(), row.id.clone()))
        .collect();
    let mut held = roles::held(conn, &active)?;
    let user = |row: Row| UserRow {
        held: held.remove(&(row.tenant_id.clone(), row.id.clone())).unwrap_or_default(),
        active: row.status == "active",
        // It is a JSON list, written below.
        role_slugs: serde_json::from_str(&row.role_slugs).unwrap_or_default(),
        tenant_id: row.tenant_id,
        id: row.id,
        person_id: row.person_id,
        directory_id: row.directory_id,
        profile: row.profile,
        access_epoch: row.access_epoch,
        deprovisioned_at: row.deprovisioned_at.as_deref().and_then(Timestamp::parse),
        custom_attributes: row.custom_attributes,
        digest: row.digest,
        former: row.former_at.map(Timestamp::from_micros).zip(row.former_event),
    };
    Ok(rows.into_iter().map(user).collect())
}

/// Those of these ids that a user of any tenant has.
pub fn existing(conn: &mut Conn, ids: &BTreeSet<String>) -> QueryResult<BTreeSet<String>> {
    #[derive(QueryableByName)]
    struct Existing {
        #[diesel(sql_type = Text)]
        id: String,
    }
    let ids: Vec<&String> = ids.iter().collect();
    let found: Vec<Existing> = Rows::of(&ids)
        .text("id", |id| id)
        .load(conn, "SELECT DISTINCT u.id FROM {rows} JOIN users u ON u.id = r.id")?;
    Ok(found.into_iter().map(|row| row.id).collect())
}

/// The addresses of active users with one of these roles.
pub fn addresses_of_holders(
    conn: &mut Conn,
    tenant_id: &str,
    roles: &[String],
    most: usize,
) -> QueryResult<Vec<String>> {
    #[derive(QueryableByName)]
    struct Holder {
        #[diesel(sql_type = Text)]
        email: String,
    }
    let held: Vec<Holder> = Rows::of(roles).text("tenant_id", |_| tenant_id).text("role", String::as_str).load(
        conn,
        "SELECT u.email FROM {rows} JOIN user_roles h ON h.tenant_id = r.tenant_id AND h.role_slug = r.role \
         JOIN users u ON u.tenant_id = h.tenant_id AND u.id = h.user_id \
         WHERE u.status = 'active' AND u.email IS NOT NULL",
    )?;
    let mut emails: Vec<String> = held.into_iter().map(|holder| holder.email).collect();
    emails.sort_unstable();
    emails.dedup();
    emails.truncate(most);
    Ok(emails)
}

/// A person of a directory with access and one of the wanted roles.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub struct RoleHolder {
    /// The broker's id.
    #[diesel(sql_type = Text)]
    pub user_id: String,
    /// The display name.
    #[diesel(sql_type = Nullable<Text>)]
    pub name: Option<String>,
    /// The address.
    #[diesel(sql_type = Nullable<Text>)]
    pub email: Option<String>,
    /// The role.
    #[diesel(sql_type = Text)]
    pub role: String,
}

/// The people of a (tenant, directory) with one of these roles, sorted by user and role.
pub fn role_holders(
    conn: &mut Conn,
    (tenant_id, directory_id): (&str, &str),
    roles: &[&str],
) -> QueryResult<Vec<RoleHolder>> {
    let mut found: Vec<RoleHolder> = Rows::of(roles)
        .text("tenant_id", |_| tenant_id)
        .text("directory_id", |_| directory_id)
        .text("role", |role| role)
        .load(
            conn,
            "SELECT u.id AS user_id, u.name, u.email, h.role_slug AS role FROM {rows} \
             JOIN user_roles h ON h.tenant_id = r.tenant_id AND h.role_slug = r.role \
             JOIN users u ON u.tenant_id = h.tenant_id AND u.id = h.user_id \
             WHERE u.directory_id = r.directory_id AND u.status = 'active'",
        )?;
    found.sort_unstable_by(|a, b| (&a.user_id, &a.role).cmp(&(&b.user_id, &b.role)));
    Ok(found)
}

struct Put<'a> {
    user: &'a UserAccess,
    directory_id: &'a str,
    digest: i64,
    content: &'a fact::User,
    email_key: Option<String>,
    role_slugs: String,
    /// The first value of an insert, and the addition of an update.
    epoch: i64,
}

/// Writes the changes. `current` finds the row of a (tenant, user) before them. Rows come before roles, because a grant
/// reads its time from the row.
pub fn apply<'r>(
    conn: &mut Serialized<'_>,
    changes: &[UserChange],
    current: impl Fn(&str, &str) -> Option<&'r UserRow>,
) -> QueryResult<()> {
    begin(conn, changes, &current)?;
    let (mut put, mut restate, mut removed, mut lost, mut held) = (vec![], vec![], vec![], vec![], vec![]);
    for change in changes {
        let user = match change {
            UserChange::Put { user, directory_id, digest, content } => {
                let new = current(&user.tenant_id, &user.user_id).is_none();
                let role_slugs = serde_json::Value::from(content.roles.as_slice()).to_string();
                let epoch = i64::from(user.changed || new);
                let email_key = content.profile.email.as_deref().map(email_key);
                put.push(Put { user, directory_id, digest: *digest, content, email_key, role_slugs, epoch });
                user
            }
            UserChange::Restate(user) => {
                restate.push(user);
                user
            }
            UserChange::Remove { tenant_id, user_id, roles } => {
                removed.push((tenant_id.as_str(), user_id.as_str()));
                lost.extend(roles.iter().map(|role_slug| Assignment { tenant_id, user_id, role_slug }));
                continue;
            }
        };
        let assignment =
            |role_slug| Assignment { tenant_id: &user.tenant_id, user_id: &user.user_id, role_slug };
        lost.extend(user.lost.iter().map(|slug| assignment(slug.as_str())));
        held.extend(user.held.iter().map(|(slug, because)| Grant {
            assignment: assignment(slug.as_str()),
            by: because.to_string(),
            since: because.since(),
        }));
    }
    roles::revoke(conn, &lost)?;
    remove(conn, &removed)?;
    upsert(conn, &put)?;
    update_access(conn, &restate)?;
    roles::grant(conn, &held)
}

/// Names the rows that these changes may change, and the memberships that may appear or disappear with them. Most changes
/// state what the row is already.
fn begin<'r>(
    conn: &mut Serialized<'_>,
    changes: &[UserChange],
    current: &impl Fn(&str, &str) -> Option<&'r UserRow>,
) -> QueryResult<()> {
    let (mut rows, mut members) = (Vec::new(), Vec::new());
    for change in changes {
        let ((tenant_id, user_id), written, moved) = match change {
            UserChange::Put { user, .. } => (user.key(), true, user.moves_memberships(current)),
            UserChange::Restate(user) => {
                let row = current(&user.tenant_id, &user.user_id);
                (user.key(), row.is_some_and(|row| user.differs(row)), user.moves_memberships(current))
            }
            UserChange::Remove { tenant_id, user_id, .. } => {
                ((tenant_id.as_str(), user_id.as_str()), true, true)
            }
        };
        if written {
            rows.push(vec![tenant_id.to_owned(), user_id.to_owned()]);
        }
        if moved {
            members.push(group_members::of_user(user_id));
        }
    }
    watch::begin(conn, &USERS, rows)?;
    watch::begin(conn, &MEMBERS, members)
}

/// The columns that an event overwrites, without those of the profile.
const SET: [&str; 12] = [
    "person_id",
    "directory_id",
    "email_key",
    "status",
    "custom_attributes",
    "deprovisioned_at",
    "created_at",
    "updated_at",
    "role_slugs",
    "digest",
    "former_at",
    "former_event",
];

fn upsert(conn: &mut Serialized<'_>, rows: &[Put<'_>]) -> QueryResult<()> {
    let mut columns = Rows::of(rows);
    for column in Profile::COLUMNS {
        columns = columns.optional_text(column.name, |row| (column.get)(&row.content.profile));
    }
    let profile = Profile::COLUMNS.iter().map(|column| column.name);
    let set: Vec<_> = SET.into_iter().chain(profile).collect();
    columns
        .text("tenant_id", |row| &row.user.tenant_id)
        .text("id", |row| &row.user.user_id)
        .text("person_id", |row| &row.user.person_id)
        .text("directory_id", |row| row.directory_id)
        .optional_text("email_key", |row| row.email_key.as_deref())
        .text("status", |row| row.user.access.status())
        .json("custom_attributes", |row| &row.content.custom_attributes)
        .integer("access_epoch", |row| row.epoch)
        .time("deprovisioned_at", |row| row.user.access.since())
        .time("created_at", |row| Some(row.content.created_at))
        .time("updated_at", |row| Some(row.content.updated_at))
        .text("role_slugs", |row| &row.role_slugs)
        .integer("digest", |row| row.digest)
        .optional_integer("former_at", |row| row.user.former_at())
        .optional_text("former_event", |row| row.user.former_event())
        .upsert(
            conn,
            &Upsert {
                table: "users",
                key: &["tenant_id", "id"],
                set: &set,
                add: &["access_epoch"],
                ..Upsert::PLAIN
            },
        )
}

/// Writes only rows that differ, because a recompute visits everybody of a directory.
fn update_access(conn: &mut Conn, users: &[&UserAccess]) -> QueryResult<()> {
    Rows::of(users)
        .text("tenant_id", |user| &user.tenant_id)
        .text("id", |user| &user.user_id)
        .text("person_id", |user| &user.person_id)
        .text("status", |user| user.access.status())
        .time("deprovisioned_at", |user| user.access.since())
        .integer("epoch", |user| i64::from(user.changed))
        .optional_integer("former_at", |user| user.former_at())
        .optional_text("former_event", |user| user.former_event())
        .execute(
            conn,
            "UPDATE users SET person_id = r.person_id, status = r.status, deprovisioned_at = r.deprovisioned_at, \
             access_epoch = users.access_epoch + r.epoch, former_at = r.former_at, former_event = r.former_event FROM {rows} \
             WHERE users.tenant_id = r.tenant_id AND users.id = r.id AND (users.status <> r.status \
             OR users.person_id <> r.person_id OR users.deprovisioned_at IS DISTINCT FROM r.deprovisioned_at \
             OR users.former_at IS DISTINCT FROM r.former_at OR users.former_event IS DISTINCT FROM r.former_event \
             OR r.epoch > 0)",
        )?;
    Ok(())
}

/// Says that the data of these users is erased from now on: each row has a record of it, without the data.
pub fn begin_erasure(conn: &mut Serialized<'_>, tenant_id: &str, ids: &BTreeSet<String>) -> QueryResult<()> {
    let keys: Vec<RowKey> = ids.iter().map(|id| vec![tenant_id.to_owned(), id.clone()]).collect();
    watch::begin(conn, &USERS, keys.clone())?;
    feed::named(conn, &USERS, keys, feed::kinds::USER_ERASED);
    Ok(())
}

/// Raises the access epoch, so that sessions are checked again.
pub fn move_epoch(conn: &mut Serialized<'_>, users: &[Key]) -> QueryResult<()> {
    watch::begin(conn, &USERS, users.iter().map(|key| vec![key.0.clone(), key.1.clone()]))?;
    Rows::of(users).text("tenant_id", |key| &key.0).text("id", |key| &key.1).execute(
        conn,
        "UPDATE users SET access_epoch = users.access_epoch + 1 FROM {rows} \
         WHERE users.tenant_id = r.tenant_id AND users.id = r.id",
    )?;
    Ok(())
}

/// Deletes rows in a tenant that turned out not to own the directory. A row that a row of the application references
/// without ON DELETE remains, without access, and every later change of the user tries again.
fn remove(conn: &mut Serialized<'_>, keys: &[(&str, &str)]) -> QueryResult<()> {
    let retained = write_allowed(conn, keys, &delete)?;
    end_access(conn, &retained.iter().map(|row| row.row).collect::<Vec<_>>())
}

fn delete(conn: &mut Serialized<'_>, keys: &[(&str, &str)]) -> QueryResult<()> {
    Rows::of(keys)
        .text("tenant_id", |key| key.0)
        .text("id", |key| key.1)
        .execute(conn, "DELETE FROM users WHERE (tenant_id, id) IN (SELECT r.tenant_id, r.id FROM {rows})")?;
    Ok(())
}

/// Ends the access of rows that cannot be deleted: (tenant, user).
pub fn end_access(conn: &mut Serialized<'_>, keys: &[(&str, &str)]) -> QueryResult<()> {
    watch::begin(conn, &USERS, keys.iter().map(|key| vec![key.0.to_owned(), key.1.to_owned()]))?;
    watch::begin(conn, &MEMBERS, keys.iter().map(|key| group_members::of_user(key.1)))?;
    Rows::of(keys).text("tenant_id", |key| key.0).text("id", |key| key.1).execute(
        conn,
        "UPDATE users SET status = 'inactive', access_epoch = users.access_epoch + 1, \
         deprovisioned_at = COALESCE(users.deprovisioned_at, users.updated_at) FROM {rows} \
         WHERE users.tenant_id = r.tenant_id AND users.id = r.id AND users.status = 'active'",
    )?;
    Ok(())
}
