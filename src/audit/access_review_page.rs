//! The access review at a point in time as one HTML page (`templates/access_review.html`). The file is pure. The template
//! escapes every value.

use std::collections::HashMap;

use askama::Template;

use super::{
    kept_access::RetainedAccess,
    leaver_receipt::Receipt,
    movement::Movement,
    review::Review,
    review_changes::AccessChange,
    review_directories::ReviewedDirectory,
    review_page::minute,
    review_people::{ReviewedPerson, ReviewedRole},
};

/// The text for an unknown value.
const NONE: &str = "–";

#[derive(Template)]
#[template(path = "access_review.html")]
struct Page<'a> {
    review: &'a Review,
    /// The tenant's name, or its id without a name.
    tenant: &'a str,
    as_of: String,
    since: String,
    begins_at: String,
    made_at: String,
    is_complete: bool,
    kept: Vec<KeptRow<'a>>,
    people: Vec<Block<'a>>,
    moves: Vec<Moves<'a>>,
    changes: Vec<ChangeRow<'a>>,
    directories: Vec<DirectoryRow<'a>>,
}

struct Who<'a> {
    /// The name; without it the address; without both the id.
    known: &'a str,
    /// The address, if `known` is the name.
    email: Option<&'a str>,
    id: &'a str,
}

struct KeptRow<'a> {
    who: Who<'a>,
    wants: &'a str,
    by: String,
    since: String,
    decision: String,
}

/// One person with all roles.
struct Block<'a> {
    who: Who<'a>,
    span: usize,
    more: Vec<String>,
    since: String,
    roles: Vec<RoleRow<'a>>,
}

struct RoleRow<'a> {
    role: &'a str,
    marks: Vec<String>,
    because: &'a str,
    since: String,
}

struct Moves<'a> {
    title: &'static str,
    detail: &'static str,
    rows: Vec<MoveRow<'a>>,
}

struct MoveRow<'a> {
    who: Who<'a>,
    at: String,
    because: &'a str,
    entry: i64,
    roles: String,
    detail: String,
}

struct ChangeRow<'a> {
    who: Who<'a>,
    change: &'a str,
    roles: String,
}

struct DirectoryRow<'a> {
    who: Who<'a>,
    people: usize,
    in_directory: String,
    comparison: String,
}

pub fn write(review: &Review) -> String {
    let receipts: HashMap<i64, &Receipt> =
        review.receipts.iter().map(|receipt| (receipt.entry, receipt)).collect();
    let counts = &review.counts;
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let page = Page {
        review,
        tenant: review.tenant_name.as_deref().filter(|name| !name.is_empty()).unwrap_or(&review.tenant_id),
        as_of: minute(&review.as_of),
        since: minute(&review.since),
        begins_at: minute(&review.trail_begins_at),
        made_at: minute(&review.made_at),
        is_complete: (number(counts.people), number(counts.assignments))
            == (counts.people_in_tables, counts.assignments_in_tables),
        kept: review.kept.iter().map(kept).collect(),
        people: review.people.iter().map(block).collect(),
        moves: vec![
            moves("Who joined", "Stated by the directory", &review.joiners, stated),
            moves("Who moved", "Place", &review.movers, place),
            moves("Who left", "Notified", &review.leavers, |one| notified(receipts.get(&one.entry).copied())),
        ],
        changes: review.changes.iter().map(change).collect(),
        directories: review.directories.iter().map(directory).collect(),
    };
    // Writing into memory cannot fail.
    page.render().unwrap_or_default()
}

fn who<'a>(name: Option<&'a str>, email: Option<&'a str>, id: &'a str) -> Who<'a> {
    Who { known: name.or(email).unwrap_or(id), email: email.filter(|_| name.is_some()), id }
}

fn kept(one: &RetainedAccess) -> KeptRow<'_> {
    let decision = match (&one.decision, &one.decided_by) {
        (Some(decision), Some(by)) => {
            let at = one.decided_at.as_deref().map(minute).unwrap_or_default();
            let reason = one.decision_reason.as_deref().filter(|reason| !reason.is_empty());
            format!("{decision} by {by} {at}{}", reason.map(|text| format!(": {text}")).unwrap_or_default())
        }
        _ if one.hold_id.is_some() => "not decided".to_owned(),
        _ => NONE.to_owned(),
    };
    KeptRow {
        who: who(one.name.as_deref(), one.email.as_deref(), &one.user_id),
        wants: &one.directory_wants,
        by: one.hold_id.map_or_else(|| "last holder".to_owned(), |hold| format!("hold {hold}")),
        since: minute(&one.since),
        decision,
    }
}

fn block(person: &ReviewedPerson) -> Block<'_> {
    let named = |label: &str, text: Option<&str>| text.map(|text| format!("{label} {text}"));
    let more = [
        person.job_title.clone(),
        named("department", person.department.as_deref()),
        named("manager", person.manager.as_deref()),
        named("directory", Some(person.directory_id.as_str()).filter(|id| !id.is_empty())),
        person.erased.then(|| "the name was erased".to_owned()),
    ];
    Block {
        who: who(person.name.as_deref(), person.email.as_deref(), &person.user_id),
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

fn moves<'a>(
    title: &'static str,
    detail: &'static str,
    movements: &'a [Movement],
    of: impl Fn(&Movement) -> String,
) -> Moves<'a> {
    let row = |one: &'a Movement| MoveRow {
        who: who(one.name.as_deref(), one.email.as_deref(), &one.user_id),
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

fn stated(one: &Movement) -> String {
    one.stated_at.as_deref().map_or_else(|| NONE.to_owned(), minute)
}

fn place(one: &Movement) -> String {
    let text = |side: &Option<String>| side.as_deref().unwrap_or("none").to_owned();
    let named = |label: &str, sides: &Option<(Option<String>, Option<String>)>| {
        sides.as_ref().map(|(was, is)| format!("{label} {} → {}", text(was), text(is)))
    };
    let directory = one.directory.as_ref().map(|(was, is)| format!("directory {was} → {is}"));
    let parts = [directory, named("department", &one.department), named("manager", &one.manager)];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { NONE.to_owned() } else { parts.join("; ") }
}

fn notified(receipt: Option<&Receipt>) -> String {
    match receipt.map(|receipt| (receipt.notified_at.as_deref(), receipt.mail.as_deref())) {
        Some((Some(at), _)) => minute(at),
        Some((None, Some("waiting") | None)) => "not yet".to_owned(),
        Some((None, Some(state))) => state.to_owned(),
        None => NONE.to_owned(),
    }
}

fn change(one: &AccessChange) -> ChangeRow<'_> {
    ChangeRow {
        who: who(one.name.as_deref(), one.email.as_deref(), &one.user_id),
        change: &one.change,
        roles: roles(&one.roles_gained, &one.roles_lost),
    }
}

fn directory(one: &ReviewedDirectory) -> DirectoryRow<'_> {
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
        who: who(one.name.as_deref(), None, &one.directory_id),
        people: one.people,
        in_directory: one.people_in_directory.map_or_else(|| NONE.to_owned(), |people| people.to_string()),
        comparison,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_people_are_never_markup() {
        let evil = "<script>alert(1)</script>\"'&".to_owned();
        let some = || Some(evil.clone());
        let person = ReviewedPerson {
            user_id: evil.clone(),
            name: some(),
            email: some(),
            job_title: some(),
            department: some(),
            manager: some(),
            directory_id: evil.clone(),
            roles: vec![ReviewedRole {
                role: evil.clone(),
                because: evil.clone(),
                granted_by: some(),
                manual: true,
                ..ReviewedRole::default()
            }],
            ..ReviewedPerson::default()
        };
        let movement = Movement {
            user_id: evil.clone(),
            because: evil.clone(),
            roles_lost: vec![evil.clone()],
            directory: Some((evil.clone(), evil.clone())),
            department: Some((some(), None)),
            ..Movement::default()
        };
        let page = write(&Review {
            tenant_id: evil.clone(),
            tenant_name: some(),
            as_of: evil.clone(),
            made_by: evil.clone(),
            people: vec![person],
            joiners: vec![movement.clone()],
            movers: vec![movement.clone()],
            leavers: vec![movement],
            changes: vec![AccessChange {
                user_id: evil.clone(),
                change: evil.clone(),
                ..AccessChange::default()
            }],
            kept: vec![RetainedAccess {
                user_id: evil.clone(),
                directory_wants: evil.clone(),
                ..RetainedAccess::default()
            }],
            directories: vec![ReviewedDirectory {
                directory_id: evil.clone(),
                name: some(),
                ..ReviewedDirectory::default()
            }],
            ..Review::default()
        });

        assert!(page.contains("&#60;script&#62;") && !page.contains("<script"), "{page}");
    }

    #[test]
    fn a_person_is_one_block_and_each_table_repeats_the_head_on_paper() {
        let role = |role: &str| ReviewedRole { role: role.into(), ..ReviewedRole::default() };
        let person = |id: &str, roles: &[&str]| ReviewedPerson {
            user_id: id.into(),
            name: Some("Ada".into()),
            roles: roles.iter().map(|name| role(name)).collect(),
            ..ReviewedPerson::default()
        };
        let people = vec![person("u1", &["admin", "member"]), person("u2", &["member"]), person("u3", &[])];
        let page = write(&Review { people, ..Review::default() });

        let count = |text: &str| page.matches(text).count();
        assert_eq!((count("<tbody class=\"person\">"), count("<bdi>Ada</bdi>")), (3, 3), "{page}");
        assert_eq!(count("rowspan=\"2\""), 1, "{page}");
        assert_eq!((count("<thead><tr class=\"head\">"), count("<thead>")), (7, 7), "{page}");
    }
}
