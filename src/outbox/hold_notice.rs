//! The content of a mail about a hold. It is read when the mail is composed, so it describes the current state.

use diesel::QueryResult;

use super::MOST_LISTED;
use crate::{
    db::Conn,
    runtime::clock::Timestamp,
    tables::{
        directories, held_users,
        holds::{self, Hold},
    },
};

/// A hold as its mail describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HoldNotice {
    /// The hold's number.
    pub hold_id: i64,
    /// The name of the directory, if it has one.
    pub directory: Option<String>,
    /// The number of people in the mail before; 0 in the first mail.
    pub people_before: usize,
    /// When the hold was opened, by this machine's clock.
    pub since: Timestamp,
    /// How many people would lose access.
    pub removals: usize,
    /// How many people would lose privileged roles, but not access.
    pub privileged_losses: usize,
    /// How many of the directory's users were active before.
    pub active_before: usize,
    /// How many people lost access in the same window before the threshold was exceeded.
    pub applied_before: usize,
    /// What caused the losses.
    pub cause: HoldCause,
    /// The first people in the hold.
    pub people: Vec<HeldPerson>,
    /// The people for the attached file, if the mail does not name all.
    pub listed: Vec<HeldPerson>,
    /// What happens without a decision.
    pub undecided: IfUndecided,
}

/// One person in the hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeldPerson {
    /// The broker's id.
    pub user_id: String,
    /// The display name.
    pub name: Option<String>,
    /// The address.
    pub email: Option<String>,
    /// Privileged roles that the person would lose; empty if the person would lose access.
    pub roles: Vec<String>,
}

/// What caused the losses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HoldCause {
    /// People are no longer active.
    #[default]
    Inactive,
    /// People are deleted, one by one.
    Deleted,
    /// Their directory, or the organization, is deleted.
    Directory,
    /// New role rules grant no role to people who need one for access.
    Mapping,
    /// Groups, attributes, role fields or role rules have changed.
    Roles,
}

/// The end of a hold without a decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IfUndecided {
    /// The hold remains open.
    #[default]
    Stay,
    /// It is approved this number of hours after its opening.
    ApprovedAfterHours(u32),
}

/// Reads a hold with its first `most` people. `None` if nobody in it waits for a decision: then there is nothing to report.
pub fn of(conn: &mut Conn, tenant_id: &str, hold_id: i64, most: usize) -> QueryResult<Option<HoldNotice>> {
    let Some(hold) = holds::find(conn, hold_id)?.filter(|hold| hold.tenant_id == tenant_id) else {
        return Ok(None);
    };
    let mut open = held_users::of_hold(conn, hold_id)?;
    open.retain(|held| held.state == held_users::OPEN);
    if open.is_empty() {
        return Ok(None);
    }
    let removals = open.iter().filter(|held| held.lost().is_access()).count();
    let person = |held: &held_users::HeldUser| HeldPerson {
        user_id: held.user_id.clone(),
        name: held.name.clone(),
        email: held.email.clone(),
        roles: held.lost().roles().into_iter().map(str::to_owned).collect(),
    };
    let directory = (hold.tenant_id.clone(), hold.directory_id.clone());
    Ok(Some(HoldNotice {
        hold_id,
        directory: directories::name(conn, &directory)?,
        people_before: 0,
        since: hold.opened_at(),
        removals,
        privileged_losses: open.len() - removals,
        active_before: usize::try_from(hold.active_before).unwrap_or_default(),
        applied_before: usize::try_from(hold.applied_before).unwrap_or_default(),
        cause: cause(&hold.cause),
        people: open.iter().take(most).map(person).collect(),
        listed: if open.len() > most {
            open.iter().take(MOST_LISTED).map(person).collect()
        } else {
            Vec::new()
        },
        undecided: undecided(&hold),
    }))
}

fn cause(code: &str) -> HoldCause {
    match code {
        "deleted" => HoldCause::Deleted,
        "directory" => HoldCause::Directory,
        "mapping" => HoldCause::Mapping,
        "roles" => HoldCause::Roles,
        _ => HoldCause::Inactive,
    }
}

fn undecided(hold: &Hold) -> IfUndecided {
    let hours =
        |due: Timestamp| u32::try_from(due.seconds_since(hold.opened_at()) / 3_600).unwrap_or(u32::MAX);
    hold.due_at().map_or(IfUndecided::Stay, |due| IfUndecided::ApprovedAfterHours(hours(due)))
}
