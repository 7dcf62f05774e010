use super::*;
use crate::{
    notify::{
        preview,
        render::{News, news},
    },
    outbox::NoticeKind,
};

#[test]
fn a_report_of_access_says_who_has_it_who_left_and_what_is_attached() {
    let rendered = preview::rendered(NoticeKind::AccessReport, &Product::default());
    insta::assert_snapshot!(format!("{}\n\n{}", rendered.subject, rendered.text), @r"
    Access report: 2 people have access, 2 lost it (Acme Corp)

    2 people have access; 2 lost it in this period.

    Please review the attached list. There is no deadline.

    Organization: Acme Corp (org_01EHZNVPK3SFK441A1RGBFSHRT)

      2026-01-05 to 2026-01-12
        People       2 with access on 2026-01-12 06:01:01 UTC
        Roles        these people together have 3 roles
        Privileged   1 person has privileged roles
        Lost access  2 people
        Period       2026-01-05 06:00:00 UTC to 2026-01-12 06:00:00 UTC
        Reference    report 2026-01-05 to 2026-01-12

      Ada Lovelace (lost access)
        ada.lovelace@acme.example
        Left         2026-01-06 12:00:00 UTC, in the directory
        Applied      2026-01-06 12:00:06 UTC, less than a minute later
        Notified     2026-01-06 12:02:06 UTC, 2 min later
        Lost roles   editor, member
        Reference    entry 341

      Alan Turing (lost access)
        alan.turing@acme.example
        Left         2026-01-10 12:00:00 UTC, in the directory
        Applied      2026-01-10 12:00:06 UTC, less than a minute later
        Notified     2026-01-10 12:02:06 UTC, 2 min later
        Lost roles   member
        Reference    entry 367

    WHAT HAPPENS NEXT
    This report changes nothing. You get it because it is switched on for your
    organization. The next report comes when the next period has ended.

    WHAT TO DO
    Read the attached list. Does each person still need this access and these
    roles? If not, correct it in your identity provider. You do not need to answer
    this mail. If the list says that a role was granted manually, ask the team
    that runs the application to remove it.

    ATTACHED FILES
    access-report.csv has one row for each role of a person, with its reason, and
    one row for each person who left. access-report.html is the same list as a
    page to read and to print.

    QUESTIONS
    Send this reference to the team that runs the application:
    org_01EHZNVPK3SFK441A1RGBFSHRT, report 2026-01-05 to 2026-01-12.
    ");

    let attached = rendered.attachments;
    let names: Vec<_> = attached.iter().map(|one| (one.file_name, one.text.lines().count())).collect();
    assert_eq!(names[0], ("access-report.csv", 6));
    assert!(
        attached[1].content_type.starts_with("text/html") && attached[1].text.contains("<!DOCTYPE html>")
    );
}

#[test]
fn a_report_that_no_mail_could_carry_is_cut_says_so_and_keeps_those_who_left() {
    let News::Report(tenant, mut review) = preview::example(NoticeKind::AccessReport) else { panic!() };
    let one = review.report.holds[0].clone();
    review.report.holds = vec![one; 20_000];

    let rendered = news(&Product::default(), &News::Report(tenant, review));

    let bytes: usize = rendered.attachments.iter().map(|one| one.text.len()).sum();
    assert!(bytes <= MOST_BYTES, "{bytes}");
    let rows = rendered.attachments[0].text.lines().count() - 1;
    assert!(rows > 4_000 && rendered.attachments[0].text.contains("\"left\","), "{rows}");
    let text = rendered.text.replace('\n', " ");
    assert!(text.contains(&format!("Both files end after {} rows", Count(rows))), "{text}");
    assert!(rendered.attachments[1].text.contains(&format!("This page has only the first {rows} rows.")));
}
