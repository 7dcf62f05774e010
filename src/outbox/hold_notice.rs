//! What a notice of a held mass change tells, read when its mail is composed, so that it says how things stand then.

use diesel::QueryResult;

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
    /// Its name, where it has one.
    pub directory: Option<String>,
    /// Since when, by this service's clock.
    pub since: Timestamp,
    /// People whose removal is held, and people whose privileged roles are kept.
    pub removals: usize,
    /// How many people would lose privileged roles and no access.
    pub privileged_losses: usize,
    /// How many of the directory's users were active before.
    pub active_before: usize,
    /// How many of the same window had lost access before the guard stepped in.
    pub applied_before: usize,
    /// What would do it.
    pub cause: HoldCause,
    /// The first of them.
    pub people: Vec<HeldPerson>,
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
    /// Privileged roles they would lose; empty for whoever would lose access.
    pub roles: Vec<String>,
}

/// What would do it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HoldCause {
    /// People are not active any more.
    #[default]
    Inactive,
    /// People are deleted, one by one.
    Deleted,
    /// Their directory, or the organization, is deleted.
    Directory,
    /// New role rules grant no role to people who need one for access.
    Mapping,
    /// Groups, attributes, role fields or role rules change.
    Roles,
}

/// What happens when nobody decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IfUndecided {
    /// The hold stays open.
    #[default]
    Stay,
    /// It is approved after so many hours.
    ApprovedAfterHours(u32),
}

/// `None` for a hold that keeps nobody any more who waits for a decision: then there is nothing to tell.
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
        since: hold.opened_at(),
        removals,
        privileged_losses: open.len() - removals,
        active_before: usize::try_from(hold.active_before).unwrap_or_default(),
        applied_before: usize::try_from(hold.applied_before).unwrap_or_default(),
        cause: cause(&hold.cause),
        people: open.iter().take(most).map(person).collect(),
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
