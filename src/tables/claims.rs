//! Table `claims`: the organizations that events name as owners of a directory.

use diesel::{
    ExpressionMethods, NullableExpressionMethods, QueryDsl, QueryResult, QueryableByName, RunQueryDsl,
    sql_types::BigInt,
};

use super::group_members;
use crate::{
    db::{Conn, Serialized, bulk::Rows, schema::claims},
    decide::state::{FirstSighting, OwnershipClaim},
    runtime::clock::Timestamp,
};

type Row = (i64, String, String, i32, i16, i64, String, i64, Option<i64>, Option<String>);

fn claim(row: Row) -> OwnershipClaim {
    let (id, directory_id, organization_id, tenure, rank, at, event, first_inbox_id, revealed_by, tenant_id) =
        row;
    let first = FirstSighting { rank, at: Timestamp::from_micros(at), event };
    OwnershipClaim {
        id,
        directory_id,
        organization_id,
        tenure,
        first,
        first_inbox_id,
        revealed_by,
        tenant_id,
        fresh: false,
    }
}

/// All claims to these directories.
pub fn of_directories(conn: &mut Conn, directory_ids: &[&str]) -> QueryResult<Vec<OwnershipClaim>> {
    let rows: Vec<Row> = claims::table.filter(claims::directory_id.eq_any(directory_ids)).load(conn)?;
    Ok(rows.into_iter().map(claim).collect())
}

/// The directories of these claims.
pub fn directories_of(conn: &mut Conn, claim_ids: &[i64]) -> QueryResult<Vec<String>> {
    claims::table.filter(claims::id.eq_any(claim_ids)).select(claims::directory_id).distinct().load(conn)
}

/// The directories for which events name these organizations.
pub fn directories_naming(conn: &mut Conn, organization_ids: &[&str]) -> QueryResult<Vec<String>> {
    claims::table
        .filter(claims::organization_id.eq_any(organization_ids))
        .select(claims::directory_id)
        .distinct()
        .load(conn)
}

/// (tenant, directory) of every directory with a tenant, or with this tenant, sorted.
pub fn homes(conn: &mut Conn, tenant_id: Option<&str>) -> QueryResult<Vec<(String, String)>> {
    let mut homes = claims::table
        .filter(claims::tenant_id.is_not_null())
        .select((claims::tenant_id.assume_not_null(), claims::directory_id))
        .distinct()
        .order((claims::tenant_id, claims::directory_id))
        .into_boxed();
    if let Some(tenant_id) = tenant_id {
        homes = homes.filter(claims::tenant_id.eq(tenant_id));
    }
    homes.load(conn)
}

/// (directory, organization, tenure) of a claim.
pub type Claimed = (String, String, i32);

/// New claims where there are none; their first fact is still to be folded in.
pub fn insert_missing(conn: &mut Conn, missing: &[Claimed]) -> QueryResult<()> {
    Rows::of(missing)
        .text("directory_id", |claimed| &claimed.0)
        .text("organization_id", |claimed| &claimed.1)
        .integer("tenure", |claimed| claimed.2.into())
        .execute(
            conn,
            "INSERT INTO claims \
             (directory_id, organization_id, tenure, rank, first_at, first_event, first_inbox_id, tenant_id) \
             SELECT r.directory_id, r.organization_id, r.tenure, 32767, 9223372036854775807, '', 0, NULL FROM {rows} \
             WHERE true ON CONFLICT (directory_id, organization_id, tenure) DO NOTHING",
        )?;
    Ok(())
}

/// Writes changed claims.
pub fn update(conn: &mut Serialized<'_>, changed: &[&OwnershipClaim]) -> QueryResult<()> {
    let moved = moved(conn, changed)?;
    group_members::begin_claims(conn, &moved)?;
    Rows::of(changed)
        .integer("id", |claim| claim.id)
        .integer("rank", |claim| claim.first.rank.into())
        .integer("first_at", |claim| claim.first.at.micros())
        .text("first_event", |claim| &claim.first.event)
        .integer("first_inbox_id", |claim| claim.first_inbox_id)
        .optional_integer("revealed_by", |claim| claim.revealed_by)
        .optional_text("tenant_id", |claim| claim.tenant_id.as_deref())
        .execute(
            conn,
            "UPDATE claims SET rank = r.rank, first_at = r.first_at, first_event = r.first_event, \
             first_inbox_id = r.first_inbox_id, revealed_by = r.revealed_by, tenant_id = r.tenant_id FROM {rows} WHERE claims.id = r.id",
        )?;
    Ok(())
}

/// Those that belong to another tenant from now on, with all memberships under them. A new claim has none yet.
fn moved(conn: &mut Conn, changed: &[&OwnershipClaim]) -> QueryResult<Vec<i64>> {
    #[derive(QueryableByName)]
    struct Moved {
        #[diesel(sql_type = BigInt)]
        id: i64,
    }
    let known: Vec<&OwnershipClaim> = changed.iter().filter(|claim| !claim.fresh).copied().collect();
    let moved: Vec<Moved> = Rows::of(&known)
        .integer("id", |claim| claim.id)
        .optional_text("tenant_id", |claim| claim.tenant_id.as_deref())
        .load(
            conn,
            "SELECT c.id FROM {rows} JOIN claims c ON c.id = r.id WHERE c.tenant_id IS DISTINCT FROM r.tenant_id",
        )?;
    Ok(moved.into_iter().map(|row| row.id).collect())
}

/// Those of `tenant_ids` that own a directory with a fact that is no removal.
pub fn tenants_with_directories(conn: &mut Conn, tenant_ids: &[&str]) -> QueryResult<Vec<String>> {
    let found: Vec<Option<String>> = claims::table
        .filter(claims::tenant_id.eq_any(tenant_ids))
        .filter(claims::revealed_by.is_not_null())
        .select(claims::tenant_id)
        .distinct()
        .load(conn)?;
    Ok(found.into_iter().flatten().collect())
}
