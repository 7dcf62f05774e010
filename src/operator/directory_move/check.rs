//! Checks whether a directory can be moved. Each reason against it has a sentence.

use crate::{
    apply::ApplyError,
    db::{Conn, DbError},
    decide::{
        Rules, Tenancy,
        fact::EntityKind,
        ownership::{directory_fact, owner, place},
        state::{NO_CLAIM, StateSlice},
    },
    tables::{claims, facts},
};

#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    #[error("there is no directory {0}; `rosterd directories list` shows all")]
    UnknownDirectory(String),
    #[error(
        "no event names organization {0}: give the id as the broker writes it; `rosterd inbox show ID` shows it in a refused event"
    )]
    UnknownOrganization(String),
    #[error("directory {directory} belongs to organization {organization} already")]
    Same { directory: String, organization: String },
    #[error("directory {0} is deleted, so nobody in it has access: connect a new directory at the broker")]
    DirectoryDeleted(String),
    #[error(
        "organization {0} is deleted, so nobody would have access: find out at the broker which organization owns the directory"
    )]
    OrganizationDeleted(String),
    #[error("there is one tenant only (tenancy = \"single\"): all directories belong to it")]
    SingleTenant,
    #[error(
        "hold {0} has people of the directory who wait for a decision: run `rosterd holds approve {0}` or `rosterd holds reject {0}`, then move the directory"
    )]
    Held(i64),
    #[error("hold {0} is approved and not yet applied: run the command again in a minute")]
    Releasing(i64),
    #[error("the result would differ from the preview, so nothing was changed: run the command again")]
    Changed,
    #[error(
        "{found} people with access would move, and not {expected}; nothing was changed. Look at the list, then run the command with --expect {found}"
    )]
    Expected { expected: usize, found: usize },
    #[error("{0}")]
    Database(#[from] DbError),
    #[error("{0}")]
    Apply(#[from] ApplyError),
}

impl From<diesel::result::Error> for MoveError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Database(error.into())
    }
}

/// The organization that owns the directory now, if the directory can be moved to the other one. Empty when nobody owns
/// it.
pub(super) fn owner_before(
    conn: &mut Conn,
    state: &StateSlice,
    rules: &Rules,
    directory: &str,
    to: &str,
) -> Result<String, MoveError> {
    if rules.tenancy == Tenancy::Single {
        return Err(MoveError::SingleTenant);
    }
    if !place(state, directory, rules).revealed {
        return Err(MoveError::UnknownDirectory(directory.to_owned()));
    }
    let from = owner(state, directory).unwrap_or_default();
    if from == to {
        return Err(MoveError::Same { directory: directory.to_owned(), organization: to.to_owned() });
    }
    if directory_fact(state, directory).is_some_and(|fact| !fact.live) {
        return Err(MoveError::DirectoryDeleted(directory.to_owned()));
    }
    let known = facts::on(conn, &[to])?;
    let known =
        known.iter().find(|(kind, _, fact)| *kind == EntityKind::Organization && fact.claim_id == NO_CLAIM);
    match known {
        Some((_, _, fact)) if !fact.live => Err(MoveError::OrganizationDeleted(to.to_owned())),
        None if to.is_empty() || claims::directories_naming(conn, &[to])?.is_empty() => {
            Err(MoveError::UnknownOrganization(to.to_owned()))
        }
        _ => Ok(from.to_owned()),
    }
}
