//! Repairs the rows that differ, and the internal tables behind them.

use std::collections::{BTreeSet, HashMap};

use diesel::{QueryDsl, QueryResult, RunQueryDsl};
use serde_json::Value;

use super::{Difference, RebuildError};
use crate::{
    db::{
        Conn, Database, DbError, Serialized,
        bulk::Rows,
        row_by_row::{RefusedRow, write_allowed},
        schema::{claims, facts, memberships, role_mentions},
    },
    feed::watch,
    tables::{
        Key,
        claims::Claimed,
        group_members::{self, MEMBERS},
        host_tables::{GROUP_MEMBERS, PublishedTable, TABLES, USER_ROLES, USERS},
        users,
    },
};

/// Rows copied by one statement.
const PAGE: i64 = 5_000;

/// Rows that a constraint of the application refuses remain as they are, each with the database's reason, and all others are
/// exchanged. A row of a user that cannot be deleted loses its access.
pub(super) fn exchange(
    conn: &mut Serialized<'_>,
    shadow: &Database,
    tenant: Option<&str>,
    differences: &mut [Difference],
) -> Result<(), RebuildError> {
    // Each change of a fact, a user or a group may show or hide memberships.
    watch::begin(conn, &MEMBERS, [group_members::all()])?;
    // The internal tables are not separated by tenant. So the repair of one tenant leaves them, and a whole rebuild
    // copies them.
    if tenant.is_none() {
        machinery(conn, shadow)?;
    }
    for table in TABLES.iter().filter(|table| table.name != GROUP_MEMBERS.name) {
        let of_table: Vec<usize> = (0..differences.len())
            .filter(|n| differences.get(*n).is_some_and(|difference| difference.table.name == table.name))
            .collect();
        let (put, gone): (Vec<usize>, Vec<usize>) = of_table
            .into_iter()
            .partition(|n| differences.get(*n).is_some_and(|difference| difference.wanted.is_some()));
        let mut refused = write_allowed(conn, &gone, &|conn, gone| {
            let keys: Vec<&Vec<String>> =
                gone.iter().filter_map(|n| Some(&differences.get(*n)?.key)).collect();
            table.delete(conn, &keys)
        })?;
        if table.name == USERS.name {
            let retained = refused.iter().filter_map(|row| user(differences.get(row.row)?));
            let retained: Vec<Key> = retained.collect();
            let keys: Vec<_> = retained.iter().map(|key| (key.0.as_str(), key.1.as_str())).collect();
            users::end_access(conn, &keys)?;
        }
        refused.extend(write_allowed(conn, &put, &|conn, put| {
            let rows: Vec<Vec<Value>> =
                put.iter().filter_map(|n| wanted(table, differences.get(*n)?)).collect();
            table.put(conn, &rows)
        })?);
        for RefusedRow { row, detail } in refused {
            if let Some(difference) = differences.get_mut(row) {
                difference.refused = Some(detail);
            }
        }
    }
    Ok(users::move_epoch(conn, &reassigned(differences))?)
}

/// (tenant, user) of a row about a user.
fn user(difference: &Difference) -> Option<Key> {
    Some((difference.key.first()?.clone(), difference.key.get(1)?.clone()))
}

/// (tenant, user) of users whose roles differ while their own row shows no change of access. Applications must look at
/// them again, too.
fn reassigned(differences: &[Difference]) -> Vec<Key> {
    let of = |table: PublishedTable| {
        differences.iter().filter(move |one| one.table.name == table.name && one.refused.is_none())
    };
    let moved: BTreeSet<Key> =
        of(USERS).filter(|one| one.current.is_none() || changes_access(one)).filter_map(user).collect();
    let roles: BTreeSet<Key> = of(USER_ROLES).filter_map(user).collect();
    roles.difference(&moved).cloned().collect()
}

fn changes_access(difference: &Difference) -> bool {
    let access = ["status", "role_slugs"];
    difference.columns.iter().any(|(name, ..)| access.contains(name))
}

/// The row to write: the shadow's row, except that `access_epoch` continues from the value that applications have seen.
fn wanted(table: &PublishedTable, difference: &Difference) -> Option<Vec<Value>> {
    let mut row = difference.wanted.clone()?;
    let epoch = table.all_columns().iter().position(|(name, _)| *name == "access_epoch");
    if let (Some(epoch), Some(current)) = (epoch, &difference.current) {
        let seen = current.get(epoch).and_then(Value::as_i64).unwrap_or(0);
        let changed = changes_access(difference);
        if let Some(value) = row.get_mut(epoch) {
            *value = Value::from(seen + i64::from(changed));
        }
    }
    Some(row)
}

type ClaimRow = (i64, String, String, i32, i16, i64, String, i64, Option<i64>, Option<String>);
type FactRow = (
    String,
    i16,
    i64,
    i64,
    i64,
    String,
    Option<i64>,
    bool,
    Option<i64>,
    Option<String>,
    Option<i64>,
    Option<String>,
    Option<String>,
    i64,
    i64,
);
type MembershipRow = (String, String, i64, i64, String, bool, i64);

/// Claims get new ids here. Rows that refer to claims are written with the new ids.
fn machinery(conn: &mut Conn, shadow: &Database) -> Result<(), RebuildError> {
    diesel::delete(facts::table).execute(conn)?;
    diesel::delete(memberships::table).execute(conn)?;
    diesel::delete(role_mentions::table).execute(conn)?;
    diesel::delete(claims::table).execute(conn)?;
    let ids = copy_claims(conn, shadow)?;
    let of = |claim_id: i64| ids.get(&claim_id).copied().unwrap_or(claim_id);
    for offset in (0..).step_by(PAGE as usize) {
        let page: Vec<FactRow> = shadow.read::<_, DbError>(|shadow| {
            let order = (facts::id, facts::kind, facts::claim_id);
            Ok(facts::table.order(order).limit(PAGE).offset(offset).load(shadow)?)
        })?;
        if page.is_empty() {
            break;
        }
        put_facts(conn, &page, of)?;
    }
    for offset in (0..).step_by(PAGE as usize) {
        let page: Vec<MembershipRow> = shadow.read::<_, DbError>(|shadow| {
            let order = (memberships::group_id, memberships::user_id, memberships::claim_id);
            Ok(memberships::table.order(order).limit(PAGE).offset(offset).load(shadow)?)
        })?;
        if page.is_empty() {
            break;
        }
        put_memberships(conn, &page, of)?;
    }
    let mentions: Vec<(i64, String, i64)> =
        shadow.read::<_, DbError>(|shadow| Ok(role_mentions::table.load(shadow)?))?;
    Rows::of(&mentions).integer("claim_id", |row| of(row.0)).text("slug", |row| &row.1).integer("inbox_id", |row| row.2).execute(
        conn,
        "INSERT INTO role_mentions (claim_id, slug, inbox_id) SELECT r.claim_id, r.slug, r.inbox_id FROM {rows}",
    )?;
    Ok(())
}

/// Maps the shadow's id of a claim to the new id here.
fn copy_claims(conn: &mut Conn, shadow: &Database) -> Result<HashMap<i64, i64>, RebuildError> {
    let rows: Vec<ClaimRow> = shadow.read::<_, DbError>(|shadow| Ok(claims::table.load(shadow)?))?;
    Rows::of(&rows)
        .text("directory_id", |row| &row.1)
        .text("organization_id", |row| &row.2)
        .integer("tenure", |row| row.3.into())
        .integer("rank", |row| row.4.into())
        .integer("first_at", |row| row.5)
        .text("first_event", |row| &row.6)
        .integer("first_inbox_id", |row| row.7)
        .optional_integer("revealed_by", |row| row.8)
        .optional_text("tenant_id", |row| row.9.as_deref())
        .execute(
            conn,
            "INSERT INTO claims (directory_id, organization_id, tenure, rank, first_at, first_event, first_inbox_id, \
             revealed_by, tenant_id) SELECT r.directory_id, r.organization_id, r.tenure, r.rank, r.first_at, r.first_event, \
             r.first_inbox_id, r.revealed_by, r.tenant_id FROM {rows}",
        )?;
    let ours: Vec<(i64, Claimed)> = claims::table
        .select((claims::id, (claims::directory_id, claims::organization_id, claims::tenure)))
        .load(conn)?;
    let ours: HashMap<Claimed, i64> = ours.into_iter().map(|(id, claimed)| (claimed, id)).collect();
    let pair = |row: ClaimRow| Some((row.0, *ours.get(&(row.1, row.2, row.3))?));
    Ok(rows.into_iter().filter_map(pair).collect())
}

fn put_facts(conn: &mut Conn, rows: &[FactRow], of: impl Fn(i64) -> i64) -> QueryResult<()> {
    Rows::of(rows)
        .text("id", |row| &row.0)
        .integer("kind", |row| row.1.into())
        .integer("claim_id", |row| of(row.2))
        .integer("at", |row| row.3)
        .integer("emitted", |row| row.4)
        .text("event", |row| &row.5)
        .optional_integer("revealed_by", |row| row.6)
        .boolean("live", |row| row.7)
        .optional_integer("ended_at", |row| row.8)
        .optional_text("ended_event", |row| row.9.as_deref())
        .optional_integer("ended_by", |row| row.10)
        .optional_text("bearers", |row| row.11.as_deref())
        .optional_text("deletion", |row| row.12.as_deref())
        .integer("digest", |row| row.13)
        .integer("inbox_id", |row| row.14)
        .execute(
            conn,
            "INSERT INTO facts (id, kind, claim_id, at, emitted, event, revealed_by, live, ended_at, ended_event, ended_by, \
             bearers, deletion, digest, inbox_id) SELECT r.id, r.kind, r.claim_id, r.at, r.emitted, r.event, r.revealed_by, r.live, \
             r.ended_at, r.ended_event, r.ended_by, r.bearers, r.deletion, r.digest, r.inbox_id FROM {rows}",
        )?;
    Ok(())
}

fn put_memberships(conn: &mut Conn, rows: &[MembershipRow], of: impl Fn(i64) -> i64) -> QueryResult<()> {
    Rows::of(rows)
        .text("group_id", |row| &row.0)
        .text("user_id", |row| &row.1)
        .integer("claim_id", |row| of(row.2))
        .integer("at", |row| row.3)
        .text("event", |row| &row.4)
        .boolean("added", |row| row.5)
        .integer("inbox_id", |row| row.6)
        .execute(
            conn,
            "INSERT INTO memberships (group_id, user_id, claim_id, at, event, added, inbox_id) \
             SELECT r.group_id, r.user_id, r.claim_id, r.at, r.event, r.added, r.inbox_id FROM {rows}",
        )?;
    Ok(())
}
