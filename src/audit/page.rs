//! The access review as one page that needs nothing else: to read on any screen, and to print. Pure. Others' words get in
//! through [`Escaped`] only.

use super::{
    receipt::Receipt,
    report::{Report, RoleLine},
};
use crate::text::html::Escaped;

pub fn write(report: &Report) -> String {
    let tenant = report.tenant_name.as_deref().filter(|name| !name.is_empty()).unwrap_or(&report.tenant_id);
    let cut = report.cut.map(|most| {
        format!(include_str!("page/cut.html"), most = most, tenant_id = Escaped(&report.tenant_id))
    });
    format!(
        include_str!("page/page.html"),
        style = include_str!("page/page.css"),
        tenant = Escaped(tenant),
        tenant_id = Escaped(&report.tenant_id),
        made_at = Escaped(&minute(&report.made_at)),
        figures = figures(report),
        cut = cut.unwrap_or_default(),
        period = Escaped(&period(report)),
        holds = or_nobody(holders(&report.holds), 4),
        left = or_nobody(report.left.iter().map(left).collect(), 6),
    )
}

fn figures(report: &Report) -> String {
    let number = |n: usize, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
    format!(
        "{} access, with {}. {} on record.",
        number(report.people, "person has", "people have"),
        number(report.assignments, "role assignment", "role assignments"),
        number(report.departures, "departure is", "departures are")
    )
}

/// Of those who left.
fn period(report: &Report) -> String {
    match (report.since.as_deref().map(minute), report.until.as_deref().map(minute)) {
        (None, None) => "All on record.".to_owned(),
        (Some(since), None) => format!("Since {since}."),
        (None, Some(until)) => format!("Before {until}."),
        (Some(since), Some(until)) => format!("From {since} until {until}."),
    }
}

fn or_nobody(rows: String, columns: usize) -> String {
    if rows.is_empty() { format!("<tr><td colspan=\"{columns}\">Nobody.</td></tr>\n") } else { rows }
}

/// Cells are labelled, for where the table's head is not shown.
fn cell(label: &str, text: &str, small: &[&str]) -> String {
    let small: String =
        small.iter().map(|small| format!("<small><bdi>{}</bdi></small>", Escaped(small))).collect();
    format!("<td data-label=\"{}\"><div><bdi>{}</bdi>{small}</div></td>", Escaped(label), Escaped(text))
}

fn who(name: Option<&str>, email: Option<&str>, user_id: &str) -> String {
    let known = name.or(email).unwrap_or(user_id);
    match (name, email) {
        (Some(_), Some(email)) => cell("Who", known, &[email, user_id]),
        (None, None) => cell("Who", known, &["no name on record"]),
        _ => cell("Who", known, &[user_id]),
    }
}

/// Rows of one person stand together; the first says all of who it is.
fn holders(holds: &[RoleLine]) -> String {
    let mut last = None;
    let rows = holds.iter().map(|one| {
        let again = last.replace(&one.user_id) == Some(&one.user_id);
        let who = match again {
            true => cell("Who", one.name.as_ref().or(one.email.as_ref()).unwrap_or(&one.user_id), &[]),
            false => who(one.name.as_deref(), one.email.as_deref(), &one.user_id),
        };
        format!(
            "<tr>{who}{}{}{}</tr>\n",
            cell("Role", one.role.as_deref().unwrap_or("access, no role"), &[]),
            cell("Because of", one.because.as_deref().unwrap_or("–"), &[]),
            cell("Since", &one.since.as_deref().map_or("–".to_owned(), minute), &[]),
        )
    });
    rows.collect()
}

fn left(receipt: &Receipt) -> String {
    let time = |at: Option<&str>| at.map_or("–".to_owned(), minute);
    let after =
        |minutes: Option<i64>, of: &str| minutes.map(|minutes| format!("{} after {of}", span(minutes)));
    let told = match (&receipt.told_at, receipt.mail.as_deref()) {
        (Some(at), _) => minute(at),
        (None, Some("waiting")) | (None, None) => "not yet".to_owned(),
        (None, Some(state)) => state.to_owned(),
    };
    let back = receipt.returned_at.as_deref().map(|at| format!("came back {}", minute(at)));
    let lost =
        if receipt.roles_lost.is_empty() { "no roles".to_owned() } else { receipt.roles_lost.join(", ") };
    let lost = back.map_or(lost.clone(), |back| format!("{lost}; {back}"));
    let applied = after(receipt.minutes_said_to_applied, "the word");
    let told_after = after(receipt.minutes_applied_to_told, "that");
    format!(
        "<tr>{}{}{}{}{}{}</tr>\n",
        who(receipt.name.as_deref(), receipt.email.as_deref(), &receipt.user_id),
        cell("Lost", &lost, &[]),
        cell(
            "Said",
            &time(receipt.said_at.as_deref()),
            &[&receipt.because, &format!("entry {}", receipt.entry)]
        ),
        cell("Received", &time(receipt.received_at.as_deref()), &[]),
        cell(
            "Applied",
            &minute(&receipt.applied_at),
            &applied.iter().map(String::as_str).collect::<Vec<_>>()
        ),
        cell("Told", &told, &told_after.iter().map(String::as_str).collect::<Vec<_>>()),
    )
}

/// `2026-01-15 12:00`, of what a timestamp writes.
pub(crate) fn minute(at: &str) -> String {
    at.get(..16).unwrap_or(at).replace('T', " ")
}

pub(crate) fn span(minutes: i64) -> String {
    match minutes {
        ..=119 => format!("{minutes} min"),
        120..=2_879 => format!("{} h", minutes / 60),
        _ => format!("{} days", minutes / 1_440),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_directories_call_people_is_never_markup() {
        let evil = "<script>alert(1)</script>\"'&".to_owned();
        let receipt = Receipt {
            user_id: evil.clone(),
            name: Some(evil.clone()),
            email: None,
            entry: 1,
            because: evil.clone(),
            roles_lost: vec![evil.clone()],
            said_at: None,
            received_at: None,
            applied_at: evil.clone(),
            told_at: None,
            message_id: None,
            mail: Some(evil.clone()),
            minutes_said_to_applied: None,
            minutes_received_to_applied: None,
            minutes_applied_to_told: None,
            returned_at: Some(evil.clone()),
        };
        let holds = RoleLine {
            user_id: evil.clone(),
            name: None,
            email: Some(evil.clone()),
            role: Some(evil.clone()),
            because: Some(evil.clone()),
            since: Some(evil.clone()),
        };
        let page = write(&Report {
            tenant_id: evil.clone(),
            tenant_name: Some(evil.clone()),
            made_at: evil.clone(),
            since: Some(evil.clone()),
            until: Some(evil),
            cut: Some(1),
            holds: vec![holds],
            left: vec![receipt],
            ..Report::default()
        });

        assert!(page.contains("&lt;script&gt;") && !page.contains("<script"), "{page}");
    }

    #[test]
    fn who_holds_several_roles_is_described_once() {
        let holds = |user_id: &str, role: &str| RoleLine {
            user_id: user_id.into(),
            name: Some("Ada".into()),
            email: Some(format!("{user_id}@acme.example")),
            role: Some(role.into()),
            because: None,
            since: None,
        };
        // Two people of one name stay two.
        let holds = vec![holds("u1", "admin"), holds("u1", "member"), holds("u2", "member")];
        let page = write(&Report { holds, ..Report::default() });

        let count = |text: &str| page.matches(text).count();
        assert_eq!((count("<bdi>Ada</bdi>"), count("u1@acme"), count("u2@acme")), (3, 1, 1), "{page}");
    }

    #[test]
    fn times_and_spans_are_short() {
        assert_eq!(minute("2026-01-15T12:00:59.000001Z"), "2026-01-15 12:00");
        assert_eq!(
            (span(0), span(125), span(3_000)),
            ("0 min".to_owned(), "2 h".to_owned(), "2 days".to_owned())
        );
    }
}
