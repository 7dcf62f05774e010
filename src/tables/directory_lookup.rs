//! Finds directories by the texts that operators write: an id, or a name that one directory has.

use diesel::{
    QueryResult, QueryableByName, RunQueryDsl, sql_query,
    sql_types::{Bool, Nullable, Text},
};

use crate::{
    db::{Conn, DbError, on_each},
    text::nearest::{Meant, nearest},
};

/// Why a text does not identify a directory.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryLookupError {
    /// No directory has this id or name.
    #[error("there is no directory {text}{meant}; see `rosterd directories list`")]
    Unknown {
        /// The text.
        text: String,
        /// The directories that may be meant.
        meant: Meant,
    },
    /// Several directories have this name.
    #[error("several directories are named {name:?}; write one of their ids: {}", ids.join(", "))]
    Several {
        /// The name.
        name: String,
        /// Each id, with the tenant.
        ids: Vec<String>,
    },
    /// The database failed.
    #[error("{0}")]
    Database(#[from] DbError),
}

impl From<diesel::result::Error> for DirectoryLookupError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Database(error.into())
    }
}

#[derive(QueryableByName)]
struct Directory {
    #[diesel(sql_type = Text)]
    id: String,
    #[diesel(sql_type = Text)]
    tenant_id: String,
    #[diesel(sql_type = Nullable<Text>)]
    name: Option<String>,
    #[diesel(sql_type = Bool)]
    gone: bool,
}

/// The id of the directory with this id, or of the only directory with this name. The case of letters in a name does not
/// matter. A deleted directory has its name only if no other directory has it.
pub fn named(conn: &mut Conn, text: &str) -> Result<String, DirectoryLookupError> {
    let directories = all(conn)?;
    if directories.iter().any(|directory| directory.id == text) {
        return Ok(text.to_owned());
    }
    let name = text.trim().to_lowercase();
    let has_name =
        |directory: &&Directory| directory.name.as_ref().is_some_and(|own| own.trim().to_lowercase() == name);
    let (gone, living): (Vec<&Directory>, Vec<&Directory>) =
        directories.iter().filter(has_name).partition(|directory| directory.gone);
    let meant = if living.is_empty() { gone } else { living };
    match meant.as_slice() {
        [] => {
            let known: Vec<_> = directories.into_iter().map(|one| (one.id, one.name)).collect();
            Err(DirectoryLookupError::Unknown { text: text.to_owned(), meant: nearest(text, &known).into() })
        }
        [one, others @ ..] if others.iter().all(|other| other.id == one.id) => Ok(one.id.clone()),
        several => Err(DirectoryLookupError::Several {
            name: text.to_owned(),
            ids: several.iter().map(|one| format!("{} of {}", one.id, one.tenant_id)).collect(),
        }),
    }
}

fn all(conn: &mut Conn) -> QueryResult<Vec<Directory>> {
    const ALL: &str =
        "SELECT id, tenant_id, name, deleted_at IS NOT NULL AS gone FROM directories ORDER BY id, tenant_id";
    on_each!(conn, |c| sql_query(ALL).load(c))
}
