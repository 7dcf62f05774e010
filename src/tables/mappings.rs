//! Table `mappings`: every mapping that was ever applied; the newest holds.

use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, RunQueryDsl, dsl::max};

use crate::{
    db::{Conn, DbError, Serialized, schema::mappings},
    decide::mapping::{Mapping, MappingFault, check},
    runtime::clock::Timestamp,
};

/// A version of the role mapping.
pub struct AppliedMapping {
    /// From 1; 0 is the compiled-in mapping.
    pub version: i64,
    /// The TOML document.
    pub document: String,
    /// Who applied it.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// 0 when none was applied.
pub fn version(conn: &mut Conn) -> QueryResult<i64> {
    let newest: Option<i64> = mappings::table.select(max(mappings::version)).get_result(conn)?;
    Ok(newest.unwrap_or_default())
}

/// The version in force; `None` if none was applied.
pub fn newest(conn: &mut Conn) -> QueryResult<Option<AppliedMapping>> {
    let row: Option<(i64, String, String, i64)> =
        mappings::table.order(mappings::version.desc()).first(conn).optional()?;
    Ok(row.map(|(version, document, by, at)| AppliedMapping {
        version,
        document,
        by,
        at: Timestamp::from_micros(at),
    }))
}

/// The mapping that held as this version; `None` where there was none, or it cannot be read any more.
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
    #[error(
        "mapping version {version} was applied by another version of rosterd and cannot be read: line {fault}"
    )]
    /// This build does not accept the stored document.
    Faulty { version: i64, fault: MappingFault },
}

/// The mapping that holds.
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
