//! The report of access: figures and the first of those who left in the mail, everybody in lists attached to it.

use super::{
    Attachment, CSV, HTML, Item, Page, Rendered, TenantNames, clean, count, grouped, more, person, written,
};
use crate::{
    audit::{
        page::{self, span},
        receipt::Receipt,
        report::Report,
        table,
    },
    runtime::clock::Timestamp,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    pub since: Timestamp,
    pub until: Timestamp,
    /// Who holds a privileged role, where some role is one.
    pub privileged: Option<usize>,
    pub report: Report,
}

/// Leavers in the mail itself.
const MOST_NAMED: usize = 10;

/// Both lists together. Many a server takes 10 MB, and what is attached grows by a third.
const MOST_BYTES: usize = 6 << 20;

const LIST: &str = "access-report.csv";
const PAGE: &str = "access-report.html";

pub(super) fn rendered(tenant: &TenantNames, review: &Review) -> Rendered {
    let (rows, attachments) = attached(&review.report);
    Rendered { attachments, ..written(&page(tenant, review, rows)) }
}

/// As much as a mail can carry, and how many rows it is when that is not all.
fn attached(report: &Report) -> (Option<usize>, Vec<Attachment>) {
    let mut report = report.clone();
    loop {
        let (csv, html) = (table::write(&report), page::write(&report));
        if csv.len() + html.len() > MOST_BYTES && report.rows() > 0 {
            report.cut_to(report.rows() / 2);
            continue;
        }
        let attachments = vec![
            Attachment { file_name: LIST, content_type: CSV, text: csv },
            Attachment { file_name: PAGE, content_type: HTML, text: html },
        ];
        return (report.cut, attachments);
    }
}

fn page(tenant: &TenantNames, review: &Review, cut: Option<usize>) -> Page {
    let report = &review.report;
    let (people, left) = (count(report.people, "person", "people"), grouped(report.departures));
    let leavers: Vec<Item> = report.left.iter().take(MOST_NAMED).map(leaver).collect();
    let mut unnamed = more(
        report.departures.saturating_sub(leavers.len()),
        leavers.len(),
        "person who left",
        "people who left",
    );
    if let Some(text) = &mut unnamed {
        text.push_str(&format!(" See the attached {LIST}."));
    }
    let have = if report.people == 1 { "has" } else { "have" };
    Page {
        subject: format!("Access report: {people} with access, {left} left ({})", tenant.label()),
        headline: format!("{people} {have} access; {left} lost it in this period"),
        audience: tenant.audience(),
        items: std::iter::once(figures(review)).chain(leavers).collect(),
        more: unnamed,
        sections: vec![
            (
                "What happens next",
                "Nothing by itself: this report changes nothing. The next one comes when the next period is over.".to_owned(),
            ),
            (
                "What to do",
                "Look through the attached list: does everybody in it still need what they have? Whoever should not have \
                 it is corrected in the directory, which is the one that decides. Roles given by hand are taken back by \
                 whoever runs this service."
                    .to_owned(),
            ),
            ("Attached", lists(cut)),
            ("Questions", questions(tenant, review)),
        ],
    }
}

fn figures(review: &Review) -> Item {
    let report = &review.report;
    let made_at = Timestamp::parse(&report.made_at).unwrap_or_default();
    let mut terms = vec![
        (
            "People",
            format!("{} with access, as of {}", grouped(report.people), super::time(made_at.micros())),
        ),
        ("Roles", count(report.assignments, "assignment", "assignments")),
    ];
    if let Some(privileged) = review.privileged {
        terms.push((
            "Privileged",
            format!("{} privileged roles", count(privileged, "person holds", "people hold")),
        ));
    }
    terms.extend([
        ("Left", count(report.departures, "person", "people")),
        ("Since", super::time(review.since.micros())),
        ("Until", super::time(review.until.micros())),
        ("Because", "this report is switched on for your organization".to_owned()),
        ("Reference", format!("report {} to {}", day(review.since), day(review.until))),
    ]);
    let title = format!("{} to {}", day(review.since), day(review.until));
    Item { title, subtitle: None, terms }
}

/// The directory's word, what this service made of it and whom it told, with the minutes between.
fn leaver(receipt: &Receipt) -> Item {
    let (title, subtitle) = person(receipt.name.as_deref(), receipt.email.as_deref());
    let after = |at: &str, minutes: Option<i64>, of: &str| match minutes {
        Some(minutes) => format!("{}, {} after {of}", moment(at), span(minutes)),
        None => moment(at),
    };
    let mut terms = Vec::new();
    if let Some(said_at) = &receipt.said_at {
        terms.push(("Word", moment(said_at)));
    }
    terms.push(("Applied", after(&receipt.applied_at, receipt.minutes_said_to_applied, "the word")));
    terms.push((
        "Told",
        match &receipt.told_at {
            Some(told_at) => after(told_at, receipt.minutes_applied_to_told, "that"),
            None if receipt.mail.as_deref() == Some("waiting") => "not yet".to_owned(),
            None => "not by mail".to_owned(),
        },
    ));
    if !receipt.roles_lost.is_empty() {
        let shown: Vec<String> =
            receipt.roles_lost.iter().take(10).map(|role| clean::name(role, 60)).collect();
        let rest = receipt.roles_lost.len() - shown.len();
        let rest = if rest > 0 { format!(" and {} more", grouped(rest)) } else { String::new() };
        terms.push(("Lost", format!("{}{rest}", shown.join(", "))));
    }
    if let Some(returned_at) = &receipt.returned_at {
        terms.push(("Came back", moment(returned_at)));
    }
    terms.push(("Reference", format!("entry {}", receipt.entry)));
    Item { title, subtitle, terms }
}

fn lists(cut: Option<usize>) -> String {
    let what = format!(
        "{LIST} has a row for each role that somebody holds, with its reason, and for each person who left. {PAGE} is \
         the same as a page to read and to print."
    );
    match cut {
        None => what,
        Some(rows) => format!(
            "{what} They end after {} rows, those who left before those who are here, because a mail cannot carry more: \
             whoever runs this service has all of it by the command below.",
            grouped(rows)
        ),
    }
}

fn questions(tenant: &TenantNames, review: &Review) -> String {
    let time = |at: Timestamp| at.to_utc().format("%Y-%m-%dT%H:%M:%SZ");
    format!(
        "Give the reference to whoever runs this service: there, \"rosterd audit report --tenant {id} --since {} \
         --until {}\" makes it anew, and \"rosterd audit log --tenant {id}\" shows every change.",
        time(review.since),
        time(review.until),
        id = tenant.argument()
    )
}

fn day(at: Timestamp) -> String {
    at.to_utc().format("%Y-%m-%d").to_string()
}

/// Of a time in a receipt, as the other notices write times.
fn moment(at: &str) -> String {
    Timestamp::parse(at).map_or_else(|| clean::name(at, 40), |at| super::time(at.micros()))
}

#[cfg(test)]
mod tests;
