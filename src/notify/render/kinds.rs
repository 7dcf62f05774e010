//! Every kind as it is previewed, and every kind with names that strangers chose.

use super::*;
use crate::{
    notify::preview,
    outbox::{NoticeKind, hold_notice::HeldPerson, notice::Privileged},
};

fn text_of(kind: NoticeKind) -> String {
    let rendered = preview::rendered(kind);
    format!("{}\n\n{}", rendered.subject, rendered.text)
}

#[test]
fn every_kind_says_what_happens_next_what_to_do_and_where_to_ask() {
    for kind in NoticeKind::ALL {
        let rendered = preview::rendered(kind);
        let text = &rendered.text;
        assert!(text.lines().all(|line| line.chars().count() <= 78), "{text}");
        for part in ["WHAT HAPPENS NEXT", "Because", "Reference", "rosterd "] {
            assert!(text.contains(part), "{part} in {}:\n{text}", kind.name());
        }
        assert!(text.contains("WHAT TO DO") || text.contains("IF THIS IS WRONG"), "{text}");
        assert_eq!(rendered.urgent, kind == NoticeKind::MassChangeHeld);
        assert!(!rendered.html.contains("{") || rendered.html.contains("<style>"), "a hole in the template");
        assert!(rendered.subject.len() <= 100, "{}", rendered.subject);
    }
}

#[test]
fn a_held_mass_change_says_what_is_done_already_what_is_held_and_how_to_decide() {
    insta::assert_snapshot!(text_of(NoticeKind::MassChangeHeld), @r#"
    Please decide: 120 people held (Acme Corp)

    The directory "Acme Okta" would change 120 people at once; this is held.

    Organization: Acme Corp (org_01EHZNVPK3SFK441A1RGBFSHRT)

      Hold 17
        Since      2026-01-15 12:00:00 UTC
        Because    the directory removes them, one by one, within 4 minutes
        Held       removal of 118 of 240 active people
        Roles      loss of privileged roles by 2 people
        Already    9 people had lost access before it was held
        Reference  hold 17

      Ada Lovelace
        ada.lovelace@acme.example
        Would lose access
        Reference  directory_user_01E1JG7J09H96KYP8HM9B0G5SJ

      Grace Hopper
        grace.hopper@acme.example
        Would lose admin
        Reference  directory_user_01E1JG7J09H96KYP8HM9B0G5SJ

      And 118 more people, not named here.

    WHAT HAPPENS NEXT
    Whoever is held can sign in as before, with their roles. 9 people of the same
    change lost access before it was held; that stands. Everything else that the
    directory says goes on, newcomers too. If nobody decides, it stays like this.

    WHAT TO DO
    Look into the directory: is this meant? Then have whoever runs this service
    approve it ("rosterd holds approve 17"): what the directory says then is done.
    Otherwise put the directory right, which ends the hold for each person who is
    back, or have it rejected ("rosterd holds reject 17"). Single people can be
    decided alone.

    QUESTIONS
    Give the reference to whoever runs this service: there, "rosterd holds show
    17" lists everybody, and "rosterd audit log --tenant
    org_01EHZNVPK3SFK441A1RGBFSHRT" what led to it.
    "#);
}

#[test]
fn a_deleted_directory_and_its_people_are_one_mail_with_a_list() {
    let rendered = preview::rendered(NoticeKind::DirectoryDeleted);

    insta::assert_snapshot!(rendered.subject, @"Directory deleted: Acme Okta, 1,204 people without access (Acme Corp)");
    assert!(
        rendered.text.contains("And 1,202 more people, not named here. All are in the attached people.csv.")
    );
    assert_eq!(rendered.attachments[0].text.lines().count(), 1_205);
}

#[test]
fn a_last_holder_is_told_with_what_ends_it() {
    insta::assert_snapshot!(text_of(NoticeKind::LastHolderKept), @r#"
    Last owner kept: Grace Hopper (Acme Corp)

    Grace Hopper stays, as the last holder of owner.

    Organization: Acme Corp (org_01EHZNVPK3SFK441A1RGBFSHRT)

      Grace Hopper
        grace.hopper@acme.example
        Role       owner
        Keeps      their access and the role
        Since      2026-01-15 12:00:00 UTC
        Because    the directory "Acme Okta" ended their access, and nobody else
                   holds this role
        Reference  inbox 61

    WHAT HAPPENS NEXT
    As soon as somebody else of your organization holds the role, what the
    directory says happens by itself. Until then they can sign in as before.

    WHAT TO DO
    Give the role to somebody else in the directory. If the person must be out at
    once, whoever runs this service can take the role and the access away by hand.

    QUESTIONS
    Give the reference to whoever runs this service: there, "rosterd inbox show
    61" shows the message that came from the directory, and "rosterd audit log
    --tenant org_01EHZNVPK3SFK441A1RGBFSHRT --user
    directory_user_01E1JG7J09H96KYP8HM9B0G5SJ" everything that was done for this
    person.
    "#);
}

#[test]
fn a_list_runs_no_formula_and_says_when_it_is_cut() {
    let leaver = |name: &str| NamedLeaver {
        user_id: "u1".into(),
        name: Some(name.into()),
        email: Some("a,b@acme.example".into()),
        since: Timestamp::from_millis(1_768_478_400_000),
        because: LeaverReason::DirectoryDeleted,
        directory: Some("say \"A\"".into()),
        inbox_id: 7,
    };
    let digest =
        |leavers: Vec<NamedLeaver>| Digest { total: leavers.len() + 1, listed: leavers, ..Digest::default() };

    let csv = render(&digest(vec![leaver("=HYPERLINK(1)\r\n@x")])).attachments.remove(0).text;
    insta::assert_snapshot!(csv.trim_start_matches('\u{feff}').replace("\r\n", "\n"), @r#"
    "name","email","user_id","since","because","reference"
    "'=HYPERLINK(1) @x","a,b@acme.example","u1","2026-01-15 12:00:00 UTC","the directory ""say ""A"""" was deleted","inbox 7"
    "#);

    let long = render(&digest(vec![leaver(&"x".repeat(80)); 20_000])).attachments.remove(0).text;
    assert!(long.len() < 2_100_000 && long.trim_end().ends_with("cannot carry more.\""));
}

#[test]
fn no_name_of_a_stranger_gets_into_the_markup_of_any_kind() {
    let evil = "<script>alert(1)</script>\r\nBcc: all@acme.example\u{202e}\u{0}\"'&";
    for kind in NoticeKind::ALL {
        let harmless = preview::rendered(kind);
        let hostile = news(&spoiled(preview::example(kind), evil));

        let count = |text: &str, c| text.matches(c).count();
        assert_eq!(count(&hostile.html, '<'), count(&harmless.html, '<'), "{}", hostile.html);
        assert!(!hostile.subject.contains(['\r', '\n', '\u{202e}', '\u{0}']), "{}", hostile.subject);
        assert!(hostile.text.lines().all(|line| line.chars().count() <= 78), "{}", hostile.text);
    }
}

#[test]
fn no_name_of_a_stranger_is_a_link_or_part_of_a_command() {
    for evil in [
        "www.evil.example",
        "evil.example",
        "mailto:eve@evil.example",
        "https://evil.example/",
        "$(reboot)",
        "x;reboot",
    ] {
        for kind in NoticeKind::ALL {
            let hostile = news(&spoiled(preview::example(kind), evil));
            let whole = format!("{}\n{}\n{}", hostile.subject, hostile.text, hostile.html);
            assert!(!whole.contains("evil.example"), "{}: {whole}", kind.name());
            for command in
                hostile.text.replace('\n', " ").split('"').filter(|part| part.starts_with("rosterd "))
            {
                assert!(!command.contains("reboot") && !command.contains("evil"), "{command}");
            }
        }
    }
}

/// With every text that comes from outside replaced.
fn spoiled(news: News, evil: &str) -> News {
    let text = || evil.to_owned();
    let some = || Some(evil.to_owned());
    // Another text than the name: an address that is the name is shown once.
    let mail = || Some(format!("at {evil}"));
    let tenant = |tenant: TenantNames| TenantNames {
        id: text(),
        name: some(),
        directories: tenant.directories.into_keys().map(|id| (id, text())).collect(),
    };
    match news {
        News::Leavers(mut digest) => {
            (digest.tenant_id, digest.tenant_name) = (text(), some());
            digest.leavers.iter_mut().for_each(|leaver| {
                (leaver.name, leaver.email, leaver.directory, leaver.user_id) =
                    (some(), mail(), some(), text());
            });
            digest.gone.iter_mut().for_each(|directory| (directory.name, directory.id) = (some(), text()));
            News::Leavers(digest)
        }
        News::Connected(of, mut directories) => {
            for directory in &mut directories {
                (directory.id, directory.name, directory.provider) = (text(), some(), some());
            }
            News::Connected(tenant(of), directories)
        }
        News::Silent(of, mut silences) => {
            silences.iter_mut().for_each(|silence| silence.directory_id = text());
            News::Silent(tenant(of), silences)
        }
        News::Privileges(of, mut changes, total) => {
            for change in &mut changes {
                (change.name, change.email, change.role) = (some(), mail(), text());
                change.because = change.because.is_some().then(text);
            }
            News::Privileges(tenant(of), changes, total)
        }
        News::Kept(of, mut kept) => {
            kept.iter_mut().for_each(|one| (one.name, one.email, one.role) = (some(), mail(), text()));
            News::Kept(tenant(of), kept)
        }
        News::Held(of, mut held) => {
            (held.directory, held.cause) = (some(), text());
            let person = HeldPerson { user_id: text(), name: some(), email: mail(), roles: vec![text()] };
            held.people = vec![person; held.people.len()];
            News::Held(tenant(of), held)
        }
        News::Mapping(of, mut mappings) => {
            let user = Privileged {
                user_id: text(),
                name: some(),
                email: mail(),
                gains: vec![text()],
                loses: vec![text()],
            };
            mappings.iter_mut().for_each(|mapping| mapping.privileged = vec![user.clone()]);
            News::Mapping(tenant(of), mappings)
        }
        News::Report(of, mut review) => {
            for left in &mut review.report.left {
                (left.name, left.email, left.user_id, left.because) = (some(), mail(), text(), text());
                (left.roles_lost, left.mail) = (vec![text()], some());
            }
            News::Report(tenant(of), review)
        }
        News::GivenUp(mut given_up, total) => {
            for one in &mut given_up {
                (one.reason, one.detail) = (text(), text());
                one.entity = one.entity.is_some().then(text);
            }
            News::GivenUp(given_up, total)
        }
        News::ClaimsRefused(mut refused, total) => {
            for one in &mut refused {
                (one.directory_id, one.organization_id, one.owner) = (text(), text(), some());
            }
            News::ClaimsRefused(refused, total)
        }
    }
}
