//! The rows of the page: one block for each person, movements, differences and directories. The file is pure.

use crate::audit::{
    leaver_receipt::Receipt,
    movement::Movement,
    page_parts::{NONE, Who, minute},
    review_changes::AccessChange,
    review_directories::ReviewedDirectory,
    review_people::{ReviewedPerson, ReviewedRole},
};

/// One person with all roles.
pub(super) struct Block<'a> {
    pub(super) who: Who<'a>,
    pub(super) span: usize,
    pub(super) more: Vec<String>,
    pub(super) since: String,
    pub(super) roles: Vec<RoleRow<'a>>,
}

pub(super) struct RoleRow<'a> {
    pub(super) role: &'a str,
    pub(super) marks: Vec<String>,
    pub(super) because: &'a str,
    pub(super) since: String,
}

pub(super) struct Moves<'a> {
    pub(super) title: &'static str,
    pub(super) detail: &'static str,
    pub(super) rows: Vec<MoveRow<'a>>,
}

pub(super) struct MoveRow<'a> {
    pub(super) who: Who<'a>,
    pub(super) at: String,
    pub(super) because: &'a str,
    pub(super) entry: i64,
    pub(super) roles: String,
    pub(super) detail: String,
}

pub(super) struct ChangeRow<'a> {
    pub(super) who: Who<'a>,
    pub(super) change: &'a str,
    pub(super) roles: String,
}

pub(super) struct DirectoryRow<'a> {
    pub(super) who: Who<'a>,
    pub(super) people: usize,
    pub(super) in_directory: String,
    pub(super) comparison: String,
}

pub(super) fn block(person: &ReviewedPerson) -> Block<'_> {
    let named = |label: &str, text: Option<&str>| text.map(|text| format!("{label} {text}"));
    let more = [
        person.job_title.clone(),
        named("department", person.department.as_deref()),
        named("manager", person.manager.as_deref()),
        named("directory", Some(person.directory_id.as_str()).filter(|id| !id.is_empty())),
        person.erased.then(|| "the name was erased".to_owned()),
    ];
    Block {
        who: Who::new(person.name.as_deref(), person.email.as_deref(), &person.user_id),
        span: person.roles.len().max(1),
        more: more.into_iter().flatten().collect(),
        since: person.access_since.as_deref().map(minute).unwrap_or_default(),
        roles: person.roles.iter().map(role).collect(),
    }
}

fn role(role: &ReviewedRole) -> RoleRow<'_> {
    let manual = || match &role.granted_by {
        Some(by) => format!("manual, granted by {by}"),
        None => "manual".to_owned(),
    };
    let marks = [
        role.privileged.then(|| "privileged".to_owned()),
        role.manual.then(manual),
        role.last_holder.then(|| "last holder".to_owned()),
    ];
    RoleRow {
        role: &role.role,
        marks: marks.into_iter().flatten().collect(),
        because: &role.because,
        since: minute(&role.since),
    }
}

pub(super) fn moves<'a>(
    title: &'static str,
    detail: &'static str,
    movements: &'a [Movement],
    of: impl Fn(&Movement) -> String,
) -> Moves<'a> {
    let row = |one: &'a Movement| MoveRow {
        who: Who::new(one.name.as_deref(), one.email.as_deref(), &one.user_id),
        at: minute(&one.at),
        because: &one.because,
        entry: one.entry,
        roles: roles(&one.roles_gained, &one.roles_lost),
        detail: of(one),
    };
    Moves { title, detail, rows: movements.iter().map(row).collect() }
}

fn roles(gained: &[String], lost: &[String]) -> String {
    let of = |sign: &str, roles: &[String]| {
        if roles.is_empty() { String::new() } else { format!("{sign} {}", roles.join(", ")) }
    };
    match (gained, lost) {
        ([], []) => NONE.to_owned(),
        _ => [of("gained", gained), of("lost", lost)].join("; ").trim_matches([';', ' ']).to_owned(),
    }
}

pub(super) fn stated(one: &Movement) -> String {
    one.stated_at.as_deref().map_or_else(|| NONE.to_owned(), minute)
}

pub(super) fn place(one: &Movement) -> String {
    let text = |side: &Option<String>| side.as_deref().unwrap_or("none").to_owned();
    let named = |label: &str, sides: &Option<(Option<String>, Option<String>)>| {
        sides.as_ref().map(|(was, is)| format!("{label} {} → {}", text(was), text(is)))
    };
    let directory = one.directory.as_ref().map(|(was, is)| format!("directory {was} → {is}"));
    let parts = [directory, named("department", &one.department), named("manager", &one.manager)];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { NONE.to_owned() } else { parts.join("; ") }
}

pub(super) fn notified(receipt: Option<&Receipt>) -> String {
    match receipt.map(|receipt| (receipt.notified_at.as_deref(), receipt.mail.as_deref())) {
        Some((Some(at), _)) => minute(at),
        Some((None, Some("waiting") | None)) => "not yet".to_owned(),
        Some((None, Some(state))) => state.to_owned(),
        None => NONE.to_owned(),
    }
}

pub(super) fn change(one: &AccessChange) -> ChangeRow<'_> {
    ChangeRow {
        who: Who::new(one.name.as_deref(), one.email.as_deref(), &one.user_id),
        change: &one.change,
        roles: roles(&one.roles_gained, &one.roles_lost),
    }
}

pub(super) fn directory(one: &ReviewedDirectory) -> DirectoryRow<'_> {
    let comparison = match (one.compared_at.as_deref().map(minute), one.comparison_complete) {
        (Some(at), Some(true)) => {
            let (differences, held) =
                (one.differences.unwrap_or_default(), one.differences_held.unwrap_or_default());
            format!("{at}: {differences} differences, {held} of them on hold")
        }
        (_, Some(false)) => "the comparison did not reach its end".to_owned(),
        _ => "never compared".to_owned(),
    };
    DirectoryRow {
        who: Who::new(one.name.as_deref(), None, &one.directory_id),
        people: one.people,
        in_directory: one.people_in_directory.map_or_else(|| NONE.to_owned(), |people| people.to_string()),
        comparison,
    }
}
