//! What a notice of a held mass change tells, read when its mail is composed, so that it says how things stand then.

use diesel::QueryResult;

use crate::{
    clock::Timestamp,
    db::Conn,
    tables::{
        directories, held_users,
        holds::{self, Hold},
    },
};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    pub hold_id: i64,
    /// Its name, where it has one.
    pub directory: Option<String>,
    /// Since when, by this service's clock.
    pub since: Timestamp,
    /// People whose removal is held, and people whose privileged roles are kept.
    pub removals: usize,
    pub privileged_losses: usize,
    /// How many of the directory's users were active before.
    pub active_before: usize,
    /// How many of the same window had lost access before the guard stepped in.
    pub applied_before: usize,
    pub cause: Cause,
    /// The first of them.
    pub people: Vec<HeldPerson>,
    pub undecided: Undecided,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeldPerson {
    pub user_id: String,
    pub name: Option<String>,
    pub email: Option<String>,
    /// Privileged roles they would lose; empty for whoever would lose access.
    pub roles: Vec<String>,
}

/// What would do it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cause {
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
pub enum Undecided {
    #[default]
    Stay,
    ApprovedAfterHours(u32),
}

/// `None` for a hold that keeps nobody any more who waits for a decision: then there is nothing to tell.
pub fn of(conn: &mut Conn, tenant_id: &str, hold_id: i64, most: usize) -> QueryResult<Option<Held>> {
    let Some(hold) = holds::find(conn, hold_id)?.filter(|hold| hold.tenant_id == tenant_id) else {
        return Ok(None);
    };
    let mut open = held_users::of_hold(conn, hold_id)?;
    open.retain(|held| held.state == held_users::OPEN);
    if open.is_empty() {
        return Ok(None);
    }
    let removals = open.iter().filter(|held| held.lost().is_access()).count();
    let person = |held: &held_users::Held| HeldPerson {
        user_id: held.user_id.clone(),
        name: held.name.clone(),
        email: held.email.clone(),
        roles: held.lost().roles().into_iter().map(str::to_owned).collect(),
    };
    let directory = (hold.tenant_id.clone(), hold.directory_id.clone());
    Ok(Some(Held {
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

fn cause(code: &str) -> Cause {
    match code {
        "deleted" => Cause::Deleted,
        "directory" => Cause::Directory,
        "mapping" => Cause::Mapping,
        "roles" => Cause::Roles,
        _ => Cause::Inactive,
    }
}

fn undecided(hold: &Hold) -> Undecided {
    let hours =
        |due: Timestamp| u32::try_from(due.seconds_since(hold.opened_at()) / 3_600).unwrap_or(u32::MAX);
    hold.due_at().map_or(Undecided::Stay, |due| Undecided::ApprovedAfterHours(hours(due)))
}
