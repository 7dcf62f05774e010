//! The mail with the report of access: figures and the first leavers. The attached lists have all people.

use askama::Template;

use super::{
    Attachment, CSV, HTML, TenantNames,
    clean::{self, Clean},
    page::Page,
    shown::{Count, Organization, Person, Roles, day, rest, time},
};
use crate::config::Product;
use crate::{
    audit::{leaver_receipt::Receipt, page_parts::span, report::Report, review_page, review_table},
    runtime::clock::Timestamp,
};

/// The content of a report mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    /// The beginning of the period.
    pub since: Timestamp,
    /// The end of the period.
    pub until: Timestamp,
    /// The number of people with a privileged role; `None` if no role is privileged.
    pub privileged: Option<usize>,
    /// The report.
    pub report: Report,
}

/// The highest number of leavers in the mail itself.
const MOST_NAMED: usize = 10;

/// The size limit of both lists. Many servers accept 10 MB, and attachments grow by a third when they are encoded.
const MOST_BYTES: usize = 6 << 20;

const LIST: &str = "access-report.csv";
const PAGE: &str = "access-report.html";

/// The mail, and the attached lists.
pub(super) fn page(product: &Product, tenant: &TenantNames, review: &Review) -> (Page, Vec<Attachment>) {
    let (rows, attachments) = attached(&review.report);
    (figures(product, tenant, review, rows), attachments)
}

/// The attached lists within the size limit, and the number of their rows if that is not all.
fn attached(report: &Report) -> (Option<usize>, Vec<Attachment>) {
    let mut report = report.clone();
    loop {
        let (csv, html) = (review_table::write(&report), review_page::write(&report));
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

#[derive(Template)]
#[template(path = "mail/report.txt")]
struct Mail {
    organization: Organization,
    reference: Clean,
    first_day: Clean,
    last_day: Clean,
    since: Clean,
    until: Clean,
    made_at: Clean,
    people: Count,
    assignments: Count,
    privileged: Option<Count>,
    left: Count,
    leavers: Vec<Left>,
    /// People who left and are not named.
    rest: Count,
    /// Rows in the attached files, when they do not have all.
    cut: Option<Count>,
}

/// A leaver with the times of event, change and notification.
struct Left {
    person: Person,
    event: Option<Clean>,
    applied: Clean,
    applied_after: Option<String>,
    notified: Notified,
    lost: Roles,
    returned: Option<Clean>,
    entry: i64,
}

enum Notified {
    At(Clean, Option<String>),
    Waiting,
    No,
}

fn figures(product: &Product, tenant: &TenantNames, review: &Review, cut: Option<usize>) -> Page {
    let (organization, report) = (tenant.shown(product), &review.report);
    let (first_day, last_day) = (day(review.since), day(review.until));
    let leavers: Vec<Left> = report.left.iter().take(MOST_NAMED).map(left).collect();
    Page::of(&Mail {
        reference: organization.reference(Some(format!("report {first_day} to {last_day}"))),
        organization,
        first_day,
        last_day,
        since: time(review.since),
        until: time(review.until),
        made_at: moment(&report.made_at),
        people: Count(report.people),
        assignments: Count(report.assignments),
        privileged: review.privileged.map(Count),
        left: Count(report.departures),
        rest: rest(report.departures, leavers.len()),
        leavers,
        cut: cut.map(Count),
    })
}

fn left(receipt: &Receipt) -> Left {
    let notified = match &receipt.notified_at {
        Some(at) => Notified::At(moment(at), receipt.minutes_applied_to_notified.map(span)),
        None if receipt.mail.as_deref() == Some("waiting") => Notified::Waiting,
        None => Notified::No,
    };
    Left {
        person: Person::new(receipt.name.as_deref(), receipt.email.as_deref()),
        event: receipt.stated_at.as_deref().map(moment),
        applied: moment(&receipt.applied_at),
        applied_after: receipt.minutes_stated_to_applied.map(span),
        notified,
        lost: Roles::new(&receipt.roles_lost),
        returned: receipt.returned_at.as_deref().map(moment),
        entry: receipt.entry,
    }
}

/// A time of a receipt in the form of all mails.
fn moment(at: &str) -> Clean {
    Timestamp::parse(at).map_or_else(|| clean::name(at, 40), time)
}

#[cfg(test)]
mod tests;
