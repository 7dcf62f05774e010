//! Tests of each kind of mail, with the contents of the preview.

use textwrap::core::display_width;

use super::*;
use crate::{
    notify::preview,
    outbox::{
        NoticeKind,
        hold_notice::{HeldPerson, IfUndecided},
        notice::{GivenUp, Privileged},
    },
};

fn text_of(kind: NoticeKind) -> String {
    let rendered = preview::rendered(kind, &Product::default());
    format!("{}\n\n{}", rendered.subject, rendered.text)
}

#[test]
fn every_kind_has_the_next_step_the_action_and_a_contact() {
    for &kind in NoticeKind::ALL {
        let rendered = preview::rendered(kind, &Product::default());
        let text = &rendered.text;
        assert!(text.lines().all(|line| display_width(line) <= 78), "{text}");
        let reason = if kind == NoticeKind::AccessReport { "because" } else { "Because" };
        for part in ["WHAT HAPPENS NEXT", reason, "Reference", "QUESTIONS"] {
            assert!(text.contains(part), "{part} in {}:\n{text}", kind.name());
        }
        assert_eq!(
            text.contains("rosterd"),
            kind.family().is_for_operator(),
            "commands are for the operator:\n{text}"
        );
        assert!(text.contains("WHAT TO DO") || text.contains("IF THIS IS WRONG"), "{text}");
        super::tests::leave_a_picture(kind.name(), &rendered);
        assert_eq!(rendered.urgent, kind == NoticeKind::MassChangeHeld);
        assert_eq!(rendered.html.contains(">Decision needed<"), rendered.urgent, "urgent looks urgent");
        assert!(!rendered.html.contains("{") || rendered.html.contains("<style>"), "a hole in the template");
        assert!(rendered.subject.len() <= 100, "{}", rendered.subject);
        let mut paragraphs = text.split("\n\n");
        let [headline, action] = [paragraphs.next().unwrap(), paragraphs.next().unwrap()];
        assert!(headline.ends_with('.') && headline.len() > 10, "what happened: {text}");
        assert!(
            ["do not need to do anything", "lease"].iter().any(|phrase| action.contains(phrase)),
            "what must be done: {text}"
        );
    }
}

#[test]
fn a_held_mass_change_says_what_is_done_already_what_is_held_and_how_to_decide() {
    insta::assert_snapshot!(text_of(NoticeKind::MassChangeHeld), @r#"
    Please decide: 120 people would lose access or roles (Acme Corp)

    A change in the directory "Acme Okta" would end access or roles of 120 people,
    and needs a decision.

    Please approve, reject or correct this change. There is no deadline. These
    people keep access and roles until a decision. "What to do" below says how.

    Organization: Acme Corp (org_01EHZNVPK3SFK441A1RGBFSHRT)

      Hold 17
        Since       2026-01-15 12:00:00 UTC
        Because     most of these people were deleted in the directory
        On hold     118 of 240 active people would lose access
        Roles       2 people would lose privileged roles
        Before      9 other people lost access before the hold
        Reference   hold 17

      Ada Lovelace
        ada.lovelace@acme.example
        Would lose  access
        Reference   directory_user_01E1JG7J09H96KYP8HM9B0G5SJ

      Grace Hopper
        grace.hopper@acme.example
        Would lose  admin
        Reference   directory_user_01E1JG7J7Z4QWE9CXN4T6P2R8M

      118 more people are not named in this mail.

    WHAT HAPPENS NEXT
    Until the decision, the affected people can sign in as before, with their
    roles. This includes people who really left. Changes of other people are
    applied as usual. 9 people lost access by this change before the hold. A
    rejection does not give these people access again.

    WHAT TO DO
    Look at the directory in your identity provider. If the change is intended,
    send "approve hold 17" to the team that runs the application. The people then
    lose access or roles, as the directory says at that time. If the change is a
    mistake, correct it in your identity provider. The hold then ends by itself,
    and you do not need to send anything. If you cannot correct it there, send
    "reject hold 17". These people then keep their access and roles until the
    directory changes again. To decide for some of the people only, add their
    references.

    QUESTIONS
    Send this reference to the team that runs the application:
    org_01EHZNVPK3SFK441A1RGBFSHRT, hold 17.
    "#);
}

#[test]
fn a_hold_that_ends_by_itself_says_when() {
    let News::Held(tenant, mut held) = preview::example(NoticeKind::MassChangeHeld) else { panic!() };
    held.undecided = IfUndecided::ApprovedAfterHours(48);
    held.privileged_losses = 0;
    held.removals = 12;
    held.applied_before = 0;
    let rendered = news(&Product::default(), &News::Held(tenant, held));

    insta::assert_snapshot!(rendered.subject, @"Please decide: 12 people would lose access (Acme Corp)");
    let text = rendered.text.replace('\n', " ");
    for phrase in [
        "Please approve, reject or correct this change before 2026-01-17 12:00:00 UTC. If nobody decides, it is approved \
         automatically 48 hours after it was held.",
        "On hold     12 of 240 active people would lose access     Before      nobody lost access before the hold",
    ] {
        assert!(text.contains(phrase), "{phrase} in {text}");
    }
}

#[test]
fn each_long_list_of_people_is_attached_as_a_file_with_all_of_them() {
    let of = |kind| preview::example(kind);
    let person = |n: usize| format!("u{n}");
    let News::Held(tenant, mut held) = of(NoticeKind::MassChangeHeld) else { panic!() };
    held.listed = (0..120).map(|n| HeldPerson { user_id: person(n), ..held.people[1].clone() }).collect();
    let News::FirstSync(_, mut over) = of(NoticeKind::FirstSyncEnded) else { panic!() };
    over[0].total = 120;
    over[0].listed =
        (0..120).map(|n| PrivilegedPerson { user_id: person(n), ..over[0].people[0].clone() }).collect();
    let News::Mapping(_, mut mappings) = of(NoticeKind::MappingApplied) else { panic!() };
    mappings[0].privileged_users = 120;
    mappings[0].listed =
        (0..120).map(|n| Privileged { user_id: person(n), ..mappings[0].privileged[0].clone() }).collect();

    for (mail, row) in [
        (News::Held(tenant.clone(), held), "\"u7\",\"admin\",\"hold 17\""),
        (News::FirstSync(tenant.clone(), over), "\"u7\",\"admin\",\"directory_01ECAZ4NV9QMV47GW873HDCX74\""),
        (News::Mapping(tenant, mappings), "\"u7\",\"admin\",\"owner\",\"role rules 3\""),
    ] {
        let rendered = news(&Product::default(), &mail);
        let [file] = rendered.attachments.as_slice() else { panic!("{}", rendered.text) };
        assert_eq!((file.file_name, file.text.lines().count()), ("people.csv", 121));
        let first = "\"Grace Hopper\",\"grace.hopper@acme.example\",";
        assert!(file.text.contains(&format!("{first}{row}")), "{}", file.text.lines().nth(8).unwrap());
        let text = rendered.text.replace("\n ", "");
        assert!(text.contains("The attached file people.csv lists all of them."), "{text}");
    }
}

#[test]
fn a_deleted_directory_and_its_people_are_one_mail_with_a_list() {
    let rendered = preview::rendered(NoticeKind::DirectoryDeleted, &Product::default());

    insta::assert_snapshot!(rendered.subject, @"Directory deleted: Acme Okta, 1,204 people lost access (Acme Corp)");
    let text = rendered.text.replace("\n ", "");
    let more =
        "1,202 more people are not named in this mail. The attached file people.csv lists all of them.";
    assert!(text.contains(more), "{text}");
    assert_eq!(rendered.attachments[0].text.lines().count(), 1_205);
}

#[test]
fn a_retained_role_is_reported_with_the_way_to_end_it() {
    insta::assert_snapshot!(text_of(NoticeKind::LastHolderRetained), @r#"
    Last owner not removed: Grace Hopper (Acme Corp)

    Grace Hopper should lose access but keeps it, because nobody else has the role
    owner.

    Please give the role to another person. There is no deadline.

    Organization: Acme Corp (org_01EHZNVPK3SFK441A1RGBFSHRT)

      Grace Hopper
        grace.hopper@acme.example
        Role       owner
        Keeps      access and the role
        Since      2026-01-15 12:00:00 UTC
        Because    this person is not active any more in the directory "Acme
                   Okta", and nobody else has the role
        Reference  inbox 61

    WHAT HAPPENS NEXT
    When another person in your organization gets the role, the removal is applied
    automatically. Until then this person can sign in as before.

    WHAT TO DO
    Give the role to another person in your identity provider. If this person must
    lose access at once, ask the team that runs the application to remove the role
    and the access manually.

    QUESTIONS
    Send this reference to the team that runs the application:
    org_01EHZNVPK3SFK441A1RGBFSHRT, inbox 61.
    "#);
}

/// The same content with two items.
fn doubled(news: News) -> News {
    fn twice<T: Clone>(all: Vec<T>) -> Vec<T> {
        [all.clone(), all].concat()
    }
    match news {
        News::Leavers(digest) if digest.gone.is_empty() => News::Leavers(digest),
        News::Leavers(digest) => News::Leavers(Digest { gone: twice(digest.gone.clone()), ..digest }),
        News::Connected(tenant, directories) => News::Connected(tenant, twice(directories)),
        News::Silent(tenant, silences) => News::Silent(tenant, twice(silences)),
        News::FirstSync(tenant, over) => News::FirstSync(tenant, twice(over)),
        News::Privileges(tenant, changes, _) => News::Privileges(tenant, twice(changes), 3),
        News::Retained(tenant, last_holders) => News::Retained(tenant, twice(last_holders)),
        News::Held(tenant, held) => News::Held(tenant, held),
        News::Mapping(tenant, mappings) => News::Mapping(tenant, twice(mappings)),
        News::Report(tenant, review) => News::Report(tenant, review),
        News::GivenUp(given_up, _) => {
            let refused = GivenUp { entity: Some("user u1".into()), inbox_id: 0, ..given_up[0].clone() };
            News::GivenUp(vec![given_up[0].clone(), refused], 3)
        }
        News::ClaimsRefused(refused, _) => News::ClaimsRefused(twice(refused), 3),
        News::Moved(moved, _) => News::Moved(twice(moved), 3),
        News::Waiting(waiting) => News::Waiting(waiting),
        News::Webhooks(away) => News::Webhooks(twice(away)),
        News::NotCompared(all) => {
            News::NotCompared(LateAndOver { named: twice(all.named), late: 3, over: 0 })
        }
        News::AuditHeads(of) => News::AuditHeads(of),
    }
}

#[test]
fn two_of_a_kind_are_counted() {
    let lines = |kind: &NoticeKind| {
        let rendered = news(&Product::default(), &doubled(preview::example(*kind)));
        let paragraphs: Vec<&str> = rendered.text.split("\n\n").collect();
        let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let is_more = |text: &&&str| text.starts_with("  ") && one_line(text).contains(" in this mail");
        let more = paragraphs.iter().find(is_more);
        let texts =
            [rendered.subject.as_str(), paragraphs[0], paragraphs[1], more.map_or("", |text| text.trim())];
        texts.map(one_line).join("\n").trim_end().to_owned()
    };
    let shown: Vec<String> = NoticeKind::ALL.iter().map(lines).collect();
    insta::assert_snapshot!(shown.join("\n---\n"), @r#"
    Access removed: 2 people (Acme Corp)
    2 people no longer have access.
    If this is correct, you do not need to do anything.
    ---
    2 directories connected (Acme Corp)
    2 new directories now control who has access.
    If your organization connected them, you do not need to do anything.
    ---
    2 directories deleted, 1,204 people lost access (Acme Corp)
    2 directories were deleted, and 1,204 people lost access.
    If this is correct, you do not need to do anything.
    1,202 more people are not named in this mail. The attached file people.csv lists all of them.
    ---
    No updates from 2 directories (Acme Corp)
    2 directories have sent no update for more than 30 days.
    Did people join, leave or change roles in this time? If so, please check the connection.
    ---
    Directory synchronized: 6 people hold privileged roles (Acme Corp)
    The first synchronization of 2 directories is over: 6 people hold privileged roles.
    If this is correct, you do not need to do anything.
    4 more people are not named in this mail.
    ---
    Privileged roles: 3 changes (Acme Corp)
    3 privileged roles were granted or lost.
    If this is correct, you do not need to do anything.
    1 more change is not in this mail.
    ---
    Privileged roles: 3 changes (Acme Corp)
    3 privileged roles were granted or lost.
    If this is correct, you do not need to do anything.
    1 more change is not in this mail.
    ---
    Last holders of 2 roles not removed: 1 person (Acme Corp)
    1 person should lose 2 roles but keeps them, because nobody else has them.
    Please give each of these roles to another person. There is no deadline.
    ---
    Please decide: 120 people would lose access or roles (Acme Corp)
    A change in the directory "Acme Okta" would end access or roles of 120 people, and needs a decision.
    Please approve, reject or correct this change. There is no deadline. These people keep access and roles until a decision. "What to do" below says how.
    118 more people are not named in this mail.
    ---
    Role rules changed: 424 people affected (Acme Corp)
    New role rules change the roles of 424 people.
    If you expected this change, you do not need to do anything.
    Privileged roles of 4 more people change. These people are not named in this mail.
    ---
    Access report: 2 people have access, 2 lost it (Acme Corp)
    2 people have access; 2 lost it in this period.
    Please review the attached list. There is no deadline.
    ---
    Not applied: 3 deliveries
    3 deliveries could not be applied.
    Please look at the cause today. A person may still have access that has ended in the directory.
    1 more delivery is not in this mail.
    ---
    Events refused: 3 directories claimed by another organization
    The events of 3 directories were refused.
    Please find out today which organization owns each directory. People who left may still have access.
    1 more directory is not in this mail.
    ---
    Moved to another organization: 3 directories
    3 directories were moved to another organization.
    If you expected this change, you do not need to do anything.
    1 more directory is not in this mail.
    ---
    Not applied: 1,204 deliveries wait
    1,204 deliveries wait, the oldest for more than half an hour.
    Please look at the cause now. A person may still have access that has ended in the directory.
    ---
    The broker's webhooks do not arrive
    The broker's webhooks do not arrive at this service.
    Please check the endpoint today. Until then changes are applied later than usual.
    ---
    Not compared for 48 hours: 3 directories
    3 directories were not compared with the broker's lists for more than 48 hours.
    Please look at the reason today. A person whose removal was missed may still have access.
    1 more directory is not in this mail.
    ---
    Heads of the audit trail, 2026-01-15
    The attached file audit-heads.json has the last entry of 2 chains of the audit trail.
    Please store this mail where a person who can write to the database cannot change it. You do not need to do anything else.
    "#);
}
