//! Table `role_holders`: the holder records of protected roles.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use diesel::{
    BoolExpressionMethods, ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, QueryableByName,
    RunQueryDsl,
    dsl::exists,
    select,
    sql_types::{BigInt, Bool, Nullable, Text},
};

use super::Key;
use crate::{
    db::{Conn, Serialized, bulk::Rows, schema::role_holders as holders},
    decide::{
        context::RetainedRoles,
        mapping::Mapping,
        protected_roles::{HolderRecord, RoleLoss},
    },
    runtime::clock::Timestamp,
};

/// A holder record, and whether the person retains the role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredHolder {
    /// The record.
    pub record: HolderRecord,
    /// The person retains the role: the loss is not applied.
    pub retained: bool,
}

/// By (tenant, user), then by role.
pub type RoleHolders = HashMap<Key, BTreeMap<String, StoredHolder>>;

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    tenant_id: String,
    #[diesel(sql_type = Text)]
    user_id: String,
    #[diesel(sql_type = Text)]
    role_slug: String,
    #[diesel(sql_type = Nullable<BigInt>)]
    lost_at: Option<i64>,
    #[diesel(sql_type = Nullable<Text>)]
    lost_event: Option<String>,
    #[diesel(sql_type = Bool)]
    retained: bool,
    #[diesel(sql_type = Bool)]
    released: bool,
    #[diesel(sql_type = Bool)]
    ends_access: bool,
}

fn loss(at: Option<i64>, event: Option<String>) -> Option<RoleLoss> {
    Some(RoleLoss { at: Timestamp::from_micros(at?), event: event.unwrap_or_default() })
}

/// The records of these users.
pub fn of(conn: &mut Conn, users: &[Key]) -> QueryResult<RoleHolders> {
    let rows: Vec<Row> = Rows::of(users).text("tenant_id", |key| &key.0).text("user_id", |key| &key.1).load(
        conn,
        "SELECT s.tenant_id, s.user_id, s.role_slug, s.lost_at, s.lost_event, s.retained, s.released, s.ends_access \
         FROM {rows} \
         JOIN role_holders s ON s.tenant_id = r.tenant_id AND s.user_id = r.user_id",
    )?;
    let mut holders = RoleHolders::new();
    for Row { tenant_id, user_id, role_slug, lost_at, lost_event, retained, released, ends_access } in rows {
        let record = loss(lost_at, lost_event).map_or(HolderRecord::Holds, |loss| HolderRecord::Lost {
            loss,
            released,
            ends_access,
        });
        holders.entry((tenant_id, user_id)).or_default().insert(role_slug, StoredHolder { record, retained });
    }
    Ok(holders)
}

/// The roles that these users retain.
pub fn retained(holders: &RoleHolders) -> RetainedRoles {
    let mut retained = RetainedRoles::new();
    for (user, taken) in holders {
        for (role, taken) in taken.iter().filter(|(_, taken)| taken.retained) {
            if let HolderRecord::Lost { loss, .. } = &taken.record {
                retained.entry(user.clone()).or_default().insert(role.clone(), loss.clone());
            }
        }
    }
    retained
}

/// (tenant, user, role) and the new record; `None` deletes it.
pub type HolderChange<'a> = ((&'a str, &'a str, &'a str), Option<HolderRecord>);

/// Writes and removes records.
pub fn put(conn: &mut Serialized<'_>, changes: &[HolderChange<'_>]) -> QueryResult<()> {
    let (put, gone): (Vec<_>, Vec<_>) = changes.iter().partition(|(_, record)| record.is_some());
    let rows: Vec<_> = put
        .iter()
        .map(|(key, record)| match record {
            Some(HolderRecord::Lost { loss, released, ends_access }) => {
                (*key, Some(loss.clone()), *released, *ends_access)
            }
            _ => (*key, None, false, false),
        })
        .collect();
    Rows::of(&gone)
        .text("tenant_id", |change| change.0.0)
        .text("user_id", |change| change.0.1)
        .text("role_slug", |change| change.0.2)
        .execute(
            conn,
            "DELETE FROM role_holders WHERE (tenant_id, user_id, role_slug) IN \
             (SELECT r.tenant_id, r.user_id, r.role_slug FROM {rows})",
        )?;
    Rows::of(&rows)
        .text("tenant_id", |row| row.0.0)
        .text("user_id", |row| row.0.1)
        .text("role_slug", |row| row.0.2)
        .optional_integer("lost_at", |row| row.1.as_ref().map(|loss| loss.at.micros()))
        .optional_text("lost_event", |row| row.1.as_ref().map(|loss| loss.event.as_str()))
        .boolean("retained", |_| false)
        .boolean("released", |row| row.2)
        .boolean("ends_access", |row| row.3)
        .execute(
            conn,
            "INSERT INTO role_holders \
             (tenant_id, user_id, role_slug, lost_at, lost_event, retained, released, ends_access) \
             SELECT r.tenant_id, r.user_id, r.role_slug, r.lost_at, r.lost_event, r.retained, r.released, r.ends_access \
             FROM {rows} WHERE true \
             ON CONFLICT (tenant_id, user_id, role_slug) DO UPDATE SET lost_at = excluded.lost_at, \
             lost_event = excluded.lost_event, released = excluded.released, ends_access = excluded.ends_access",
        )?;
    Ok(())
}

/// Decides which user retains the role, and returns the users for whom that changed.
pub fn settle(conn: &mut Serialized<'_>, tenant_id: &str, role: &str) -> QueryResult<BTreeSet<String>> {
    let of_role = holders::tenant_id.eq(tenant_id).and(holders::role_slug.eq(role));
    let last_holder = last_holder(conn, tenant_id, role)?;
    let was: Vec<String> = holders::table
        .filter(of_role)
        .filter(holders::retained.eq(true))
        .select(holders::user_id)
        .load(&mut **conn)?;
    let is: BTreeSet<String> = last_holder.into_iter().collect();
    let was: BTreeSet<String> = was.into_iter().collect();
    let changed: BTreeSet<String> = was.symmetric_difference(&is).cloned().collect();
    for user_id in &changed {
        diesel::update(holders::table.find((tenant_id, user_id, role)))
            .set(holders::retained.eq(is.contains(user_id)))
            .execute(&mut **conn)?;
    }
    Ok(changed)
}

/// The user who retains the role: nobody while a user holds it, otherwise the user with the newest loss.
pub fn last_holder(conn: &mut Conn, tenant_id: &str, role: &str) -> QueryResult<Option<String>> {
    let of_role = holders::tenant_id.eq(tenant_id).and(holders::role_slug.eq(role));
    let held: bool =
        select(exists(holders::table.filter(of_role).filter(holders::lost_at.is_null()))).get_result(conn)?;
    if held {
        return Ok(None);
    }
    holders::table
        .filter(of_role)
        .filter(holders::released.eq(false))
        .order((holders::lost_at.desc(), holders::lost_event.desc(), holders::user_id.desc()))
        .select(holders::user_id)
        .first(conn)
        .optional()
}

/// The users who retain the role.
pub fn retaining(conn: &mut Conn, tenant_id: &str, role: &str) -> QueryResult<Vec<String>> {
    holders::table
        .filter(holders::tenant_id.eq(tenant_id).and(holders::role_slug.eq(role)))
        .filter(holders::retained.eq(true))
        .select(holders::user_id)
        .order(holders::user_id)
        .load(conn)
}

/// Releases a role for all users who have lost it. Returns the users who retained it.
pub fn release(conn: &mut Serialized<'_>, tenant_id: &str, role: &str) -> QueryResult<Vec<String>> {
    let of_role = holders::tenant_id.eq(tenant_id).and(holders::role_slug.eq(role));
    let released = retaining(conn, tenant_id, role)?;
    diesel::update(holders::table.filter(of_role).filter(holders::lost_at.is_not_null()))
        .set((holders::retained.eq(false), holders::released.eq(true)))
        .execute(&mut **conn)?;
    Ok(released)
}

/// Deletes the records of roles that are not protected any more.
pub fn retain(conn: &mut Serialized<'_>, mapping: &Mapping) -> QueryResult<()> {
    let roles: Vec<(String, String)> =
        holders::table.select((holders::tenant_id, holders::role_slug)).distinct().load(&mut **conn)?;
    for (tenant_id, role) in roles {
        if !mapping.of(&tenant_id).protected().any(|protected| protected == role) {
            let of_role = holders::tenant_id.eq(&tenant_id).and(holders::role_slug.eq(&role));
            diesel::delete(holders::table.filter(of_role)).execute(&mut **conn)?;
        }
    }
    Ok(())
}

type Whole = (String, String, String, Option<i64>, Option<String>, bool, bool, bool);

/// Copies all records into the temporary database of a rebuild. Returns the (tenant, user) who retain a role.
pub fn copy(from: &mut Conn, to: &mut Serialized<'_>) -> QueryResult<BTreeSet<Key>> {
    let rows: Vec<Whole> = holders::table.load(from)?;
    for (tenant_id, user_id, role, lost_at, lost_event, retained, released, ends_access) in &rows {
        diesel::insert_into(holders::table)
            .values((
                holders::tenant_id.eq(tenant_id),
                holders::user_id.eq(user_id),
                holders::role_slug.eq(role),
                holders::lost_at.eq(lost_at),
                holders::lost_event.eq(lost_event),
                holders::retained.eq(retained),
                holders::released.eq(released),
                holders::ends_access.eq(ends_access),
            ))
            .execute(&mut **to)?;
    }
    Ok(rows.into_iter().filter(|row| row.5).map(|row| (row.0, row.1)).collect())
}
