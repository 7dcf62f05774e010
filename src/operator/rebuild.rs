//! Rebuild: replays the inbox into a shadow database, and compares the tables with it.
//!
//! The shadow is a SQLite file that is filled by the code of `apply`. A dry run reads one snapshot and changes nothing.
//! Otherwise one serialized transaction repairs the differences: reception continues, appliers wait, nobody is
//! notified, and no `access_epoch` decreases. After a crash the tables are unchanged.

mod compare;
mod guarded;
mod keep_held;
mod record;
mod replace_rows;
mod shadow;

use std::sync::Arc;

use diesel::connection::SimpleConnection;

use crate::{
    apply::ApplyError,
    audit,
    db::{Conn, Database, DbError, migrate::MigrateError},
    decide::{Rules, guard::Guard},
    runtime::clock::Timestamp,
    tables::mappings,
};

pub use compare::{Difference, RowChange};

#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    #[error("{0}")]
    Database(#[from] DbError),
    #[error("{0}")]
    Apply(#[from] ApplyError),
    #[error("the shadow database could not be made: {0}; is the temporary directory writable (TMPDIR)?")]
    Shadow(#[from] std::io::Error),
    #[error(
        "this would end the access, or a privileged role, of {losses} of {active} active people of directory {directory} of {tenant}, and nothing was changed: look at it with --dry-run; if the log is right, run it with ROSTERD_GUARD=off"
    )]
    MassChange { tenant: String, directory: String, losses: u64, active: u64 },
    #[error("the shadow database could not be made: {0}")]
    ShadowSchema(#[from] MigrateError),
}

impl From<diesel::result::Error> for RebuildError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Database(error.into())
    }
}

/// The request for a rebuild.
#[derive(Clone, Copy, Debug)]
pub struct Rebuild<'a> {
    /// The mapping in these rules is replaced by the one in force.
    pub rules: &'a Rules,
    /// Only rows of this tenant are compared and repaired.
    pub tenant: Option<&'a str>,
    pub dry_run: bool,
    /// The operator, for the record.
    pub by: &'a str,
}

/// Returns the rows that differed, in the order of tables and keys.
pub fn rebuild(
    database: &Database,
    rebuild: Rebuild<'_>,
    now: Timestamp,
) -> Result<Vec<Difference>, RebuildError> {
    if rebuild.dry_run {
        return database.snapshot(|conn| {
            let rules = in_force(conn, rebuild.rules)?;
            Ok(fold_and_compare(conn, &rules, rebuild.tenant, now)?.1)
        });
    }
    database.write_serialized(|conn| {
        let rules = in_force(conn, rebuild.rules)?;
        let (shadow, mut differences) = fold_and_compare(conn, &rules, rebuild.tenant, now)?;
        guarded::check(conn, &rules, &differences)?;
        replace_rows::exchange(conn, &shadow.database, rebuild.tenant, &mut differences)?;
        audit::record(conn, &record::entries(&differences, rebuild.by), now)?;
        Ok(differences)
    })
}

fn in_force(conn: &mut Conn, rules: &Rules) -> Result<Rules, RebuildError> {
    let mapping = mappings::in_force(conn).map_err(ApplyError::from)?;
    Ok(Rules { mapping: Arc::new(mapping), ..rules.clone() })
}

/// Replays without a guard. The state of held people is copied afterwards.
fn fold_and_compare(
    conn: &mut Conn,
    rules: &Rules,
    tenant: Option<&str>,
    now: Timestamp,
) -> Result<(shadow::Shadow, Vec<Difference>), RebuildError> {
    if let Conn::Postgres(pg) = conn {
        // The replay may take long, and this session is idle in its transaction meanwhile.
        pg.batch_execute("SET LOCAL idle_in_transaction_session_timeout = 0")?;
    }
    let unguarded = Rules { guard: Guard::default(), ..rules.clone() };
    let shadow = shadow::fold(conn, &unguarded, now)?;
    keep_held::copy(conn, &shadow.database)?;
    let differences = compare::compare(conn, &shadow.database, tenant)?;
    Ok((shadow, differences))
}
