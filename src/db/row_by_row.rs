//! A statement about many rows of which the application's constraints may refuse some.

use diesel::{
    QueryResult,
    result::{DatabaseErrorKind as Kind, Error},
};

use super::Serialized;

/// A row that the database refuses to change, and its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedRow<T> {
    /// The row, or its key.
    pub row: T,
    /// The database's reason.
    pub detail: String,
}

/// Runs `write` on all rows. If a constraint refuses it, the rows are divided until each refused row is alone; all others are
/// written. Returns the refused rows. Any other error is an error of the whole.
pub fn write_allowed<T: Clone>(
    conn: &mut Serialized<'_>,
    rows: &[T],
    write: &impl Fn(&mut Serialized<'_>, &[T]) -> QueryResult<()>,
) -> QueryResult<Vec<RefusedRow<T>>> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    // A savepoint, so that the transaction goes on after a refusal.
    match conn.savepoint(|conn| write(conn, rows)) {
        Ok(()) => Ok(Vec::new()),
        Err(Error::DatabaseError(kind, information)) if is_by_constraint(&kind) => match rows {
            [row] => Ok(vec![RefusedRow { row: row.clone(), detail: information.message().to_owned() }]),
            _ => {
                let (first, second) = rows.split_at(rows.len() / 2);
                let mut refused = write_allowed(conn, first, write)?;
                refused.extend(write_allowed(conn, second, write)?);
                Ok(refused)
            }
        },
        Err(error) => Err(error),
    }
}

fn is_by_constraint(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::ForeignKeyViolation
            | Kind::RestrictViolation
            | Kind::NotNullViolation
            | Kind::CheckViolation
            | Kind::UniqueViolation
    )
}
