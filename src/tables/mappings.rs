//! Table `mappings`: every mapping that was ever applied. The newest is in force.

use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, RunQueryDsl, dsl::max};

use crate::{
    db::{Conn, DbError, Serialized, schema::mappings},
    decide::mapping::{Mapping, MappingFault, check},
    runtime::clock::Timestamp,
};

/// A version of the role mapping.
pub struct AppliedMapping {
    /// From 1. The built-in mapping has 0 and no row.
    pub version: i64,
    /// The TOML document.
    pub document: String,
    /// The operator who applied it.
    pub by: String,
    /// The time of its application.
    pub at: Timestamp,
}

/// The number of the mapping in force; 0 if none was applied.
pub fn version(conn: &mut Conn) -> QueryResult<i64> {
    let newest: Option<i64> = mappings::table.select(max(mappings::version)).get_result(conn)?;
    Ok(newest.unwrap_or_default())
}

/// The version in force; `None` if none was applied.
pub fn newest(conn: &mut Conn) -> QueryResult<Option<AppliedMapping>> {
    let row: Option<(i64, String, String, i64)> =
        mappings::table.order(mappings::version.desc()).first(conn).optional()?;
    Ok(row.map(applied))
}

/// All versions, the newest first.
pub fn all(conn: &mut Conn) -> QueryResult<Vec<AppliedMapping>> {
    let rows: Vec<(i64, String, String, i64)> = mappings::table.order(mappings::version.desc()).load(conn)?;
    Ok(rows.into_iter().map(applied).collect())
}

/// A version with its document; `None` if there is none.
pub fn stored(conn: &mut Conn, version: i64) -> QueryResult<Option<AppliedMapping>> {
    Ok(mappings::table.find(version).first(conn).optional()?.map(applied))
}

fn applied((version, document, by, at): (i64, String, String, i64)) -> AppliedMapping {
    AppliedMapping { version, document, by, at: Timestamp::from_micros(at) }
}

/// The mapping of a version; `None` if there is none, or if this build cannot read it any more.
pub fn at(conn: &mut Conn, version: i64) -> QueryResult<Option<Mapping>> {
    let document: Option<String> =
        mappings::table.find(version).select(mappings::document).first(conn).optional()?;
    Ok(document.and_then(|document| check(&document).ok()))
}

/// Why the mapping in force cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum InForceError {
    /// The database failed.
    #[error("{0}")]
    Database(#[from] DbError),
    /// This build does not accept the stored document.
    #[error(
        "mapping version {version} was applied by another version of rosterd and cannot be read: line {fault}"
    )]
    Faulty {
        /// The version.
        version: i64,
        /// The first fault of the document.
        fault: MappingFault,
    },
}

/// The mapping in force: the newest applied one, or the built-in one.
pub fn in_force(conn: &mut Conn) -> Result<Mapping, InForceError> {
    let Some(AppliedMapping { version, document, .. }) = newest(conn).map_err(DbError::from)? else {
        return Ok(Mapping::built_in());
    };
    match check(&document) {
        Ok(mapping) => Ok(mapping.as_version(version)),
        Err(faults) => {
            let fault =
                faults.into_iter().next().unwrap_or(MappingFault { line: 0, what: "unknown".to_owned() });
            Err(InForceError::Faulty { version, fault })
        }
    }
}

/// Adds a version.
pub fn insert(conn: &mut Serialized<'_>, applied: &AppliedMapping) -> QueryResult<()> {
    diesel::insert_into(mappings::table)
        .values((
            mappings::version.eq(applied.version),
            mappings::document.eq(&applied.document),
            mappings::applied_by.eq(&applied.by),
            mappings::applied_at.eq(applied.at.micros()),
        ))
        .execute(&mut **conn)?;
    Ok(())
}
