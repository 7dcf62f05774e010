//! The access review as one HTML page (`templates/review.html`). The file is pure. The template escapes every value.

use std::borrow::Cow;

use askama::Template;

use super::{
    leaver_receipt::Receipt,
    page_parts::{NONE, UnderReviewRow, Who, minute, span, time},
    report::{Report, RoleLine},
};

#[derive(Template)]
#[template(path = "review.html")]
struct Review<'a> {
    report: &'a Report,
    /// The tenant's name, or its id without a name.
    tenant: &'a str,
    made_at: String,
    since: Option<String>,
    until: Option<String>,
    under_review: Vec<UnderReviewRow<'a>>,
    holds: Vec<Holder<'a>>,
    left: Vec<Left<'a>>,
}

struct Holder<'a> {
    who: Who<'a>,
    role: &'a str,
    because: &'a str,
    since: Cow<'a, str>,
}

struct Left<'a> {
    who: Who<'a>,
    held: Option<String>,
    lost: String,
    returned: Option<String>,
    event: Cow<'a, str>,
    because: &'a str,
    entry: i64,
    received: Cow<'a, str>,
    applied: String,
    applied_after: Option<String>,
    notified: Notified<'a>,
    notified_after: Option<String>,
}

enum Notified<'a> {
    At(String),
    Waiting,
    /// The state of the mail.
    Mail(&'a str),
}

pub fn write(report: &Report) -> String {
    let page = Review {
        report,
        tenant: report.tenant_name.as_deref().filter(|name| !name.is_empty()).unwrap_or(&report.tenant_id),
        made_at: minute(&report.made_at),
        since: report.since.as_deref().map(minute),
        until: report.until.as_deref().map(minute),
        under_review: report.under_review.iter().map(UnderReviewRow::new).collect(),
        holds: holders(&report.holds),
        left: report.left.iter().map(left).collect(),
    };
    // Writing into memory cannot fail.
    page.render().unwrap_or_default()
}

/// The rows of one person are neighbours. Only the first one describes the person.
fn holders(holds: &[RoleLine]) -> Vec<Holder<'_>> {
    let mut last = None;
    let displayed = |one| {
        let RoleLine { user_id, name, email, role, because, since }: &RoleLine = one;
        let again = last.replace(user_id) == Some(user_id);
        Holder {
            who: Who { again, ..Who::new(name.as_deref(), email.as_deref(), user_id) },
            role: role.as_deref().unwrap_or_default(),
            because: because.as_deref().unwrap_or(NONE),
            since: time(since.as_deref()),
        }
    };
    holds.iter().map(displayed).collect()
}

fn left(receipt: &Receipt) -> Left<'_> {
    let notified = match (&receipt.notified_at, receipt.mail.as_deref()) {
        (Some(at), _) => Notified::At(minute(at)),
        (None, Some("waiting") | None) => Notified::Waiting,
        (None, Some(state)) => Notified::Mail(state),
    };
    Left {
        who: Who::new(receipt.name.as_deref(), receipt.email.as_deref(), &receipt.user_id),
        held: receipt.hold_id.map(|hold| {
            let decided = receipt.decided_by.as_deref().unwrap_or("nobody");
            let since = receipt.held_at.as_deref().map(minute).unwrap_or_default();
            format!("in hold {hold} since {since}, approved by {decided}")
        }),
        lost: receipt.roles_lost.join(", "),
        returned: receipt.returned_at.as_deref().map(minute),
        event: time(receipt.stated_at.as_deref()),
        because: &receipt.because,
        entry: receipt.entry,
        received: time(receipt.received_at.as_deref()),
        applied: minute(&receipt.applied_at),
        applied_after: receipt.minutes_stated_to_applied.map(span),
        notified,
        notified_after: receipt.minutes_applied_to_notified.map(span),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{report::Compared, under_review::AccessUnderReview};

    #[test]
    fn names_of_people_are_never_markup() {
        let evil = "<script>alert(1)</script>\"'&".to_owned();
        let receipt = Receipt {
            user_id: evil.clone(),
            name: Some(evil.clone()),
            because: evil.clone(),
            roles_lost: vec![evil.clone()],
            applied_at: evil.clone(),
            held_at: Some(evil.clone()),
            decided_by: Some(evil.clone()),
            mail: Some(evil.clone()),
            returned_at: Some(evil.clone()),
            ..Receipt::default()
        };
        let under_review = AccessUnderReview {
            user_id: evil.clone(),
            email: Some(evil.clone()),
            directory_wants: evil.clone(),
            since: evil.clone(),
            decision: Some(evil.clone()),
            decided_by: Some(evil.clone()),
            ..AccessUnderReview::default()
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
            under_review: vec![under_review],
            holds: vec![holds],
            left: vec![receipt],
            ..Report::default()
        });

        assert!(page.contains("&#60;script&#62;") && !page.contains("<script"), "{page}");
    }

    #[test]
    fn a_holder_of_several_roles_is_described_once() {
        let holds = |user_id: &str, role: &str| RoleLine {
            user_id: user_id.into(),
            name: Some("Ada".into()),
            email: Some(format!("{user_id}@acme.example")),
            role: Some(role.into()),
            because: None,
            since: None,
        };
        // Two people with one name remain two.
        let holds = vec![holds("u1", "admin"), holds("u1", "member"), holds("u2", "member")];
        let page = write(&Report { holds, ..Report::default() });

        let count = |text: &str| page.matches(text).count();
        assert_eq!((count("<bdi>Ada</bdi>"), count("u1@acme"), count("u2@acme")), (3, 1, 1), "{page}");
    }

    #[test]
    fn the_page_says_when_the_tenant_was_compared_with_its_directory() {
        let of = |complete, differences| Compared {
            directory_id: "directory_1<b>".into(),
            compared_at: Some("2026-01-15T12:00:00.000000Z".into()),
            complete,
            differences,
            held: 1,
        };
        let compared = vec![of(true, 0), of(true, 3), of(false, 0)];
        let page = write(&Report { compared, ..Report::default() });
        let sentence = "<bdi>directory_1&#60;b&#62;</bdi> on 2026-01-15 12:00: no differences.";
        assert!(page.contains(sentence), "{page}");
        assert!(
            page.contains(": 3 differences, 1 of them on hold.")
                && page.contains(": the comparison did not reach its end."),
            "{page}"
        );
    }
}
