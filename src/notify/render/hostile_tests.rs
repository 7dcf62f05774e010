//! Tests of hostile names in each kind of mail.

use textwrap::core::display_width;

use super::*;
use crate::{
    notify::preview,
    outbox::{NoticeKind, hold_notice::HeldPerson, notice::Privileged},
    runtime::clock::Timestamp,
};

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
        found: false,
    };
    let digest =
        |leavers: Vec<NamedLeaver>| Digest { total: leavers.len() + 1, listed: leavers, ..Digest::default() };

    let csv =
        render(&Product::default(), &digest(vec![leaver("=HYPERLINK(1)\r\n@x")])).attachments.remove(0).text;
    insta::assert_snapshot!(csv.trim_start_matches('\u{feff}').replace("\r\n", "\n"), @r#"
    "name","email","user_id","since","because","reference"
    "'=HYPERLINK(1) @x","a,b@acme.example","u1","2026-01-15 12:00:00 UTC","the directory ""say ""A"""" was deleted","inbox 7"
    "#);

    let long = render(&Product::default(), &digest(vec![leaver(&"x".repeat(80)); 20_000]))
        .attachments
        .remove(0)
        .text;
    assert!(long.len() < 2_100_000 && long.trim_end().ends_with("cannot carry more.\""));
}

#[test]
fn no_name_of_a_stranger_gets_into_the_markup_of_any_kind() {
    let forged = "\u{1e}section You must log in\n* Eve\n> eve@acme.example\nSince: now";
    let evil = "<script>alert(1)</script>\r\nBcc: all@acme.example\u{202e}\u{0}\"'&";
    for (&kind, evil) in
        NoticeKind::ALL.iter().flat_map(|kind| [(kind, evil), (kind, forged), (kind, "> * a: b")])
    {
        let harmless = preview::rendered(kind, &Product::default());
        let hostile = news(&Product::default(), &spoiled(preview::example(kind), evil));

        let count = |text: &str, c| text.matches(c).count();
        assert_eq!(count(&hostile.html, '<'), count(&harmless.html, '<'), "{}", hostile.html);
        assert!(!hostile.subject.contains(['\r', '\n', '\u{202e}', '\u{0}']), "{}", hostile.subject);
        assert!(hostile.text.lines().all(|line| display_width(line) <= 78), "{}", hostile.text);
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
        for &kind in NoticeKind::ALL {
            let hostile = news(&Product::default(), &spoiled(preview::example(kind), evil));
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

/// The same content with each text from outside replaced.
fn spoiled(news: News, evil: &str) -> News {
    let text = || evil.to_owned();
    let some = || Some(evil.to_owned());
    // Different from the name, because an address that equals the name is shown only once.
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
            for silence in &mut silences {
                silence.directory_id = text();
                silence.not_compared = silence.not_compared.is_some().then(text);
            }
            News::Silent(tenant(of), silences)
        }
        News::Privileges(of, mut changes, total) => {
            for change in &mut changes {
                (change.name, change.email, change.role) = (some(), mail(), text());
                change.because = change.because.is_some().then(text);
            }
            News::Privileges(tenant(of), changes, total)
        }
        News::FirstSync(of, mut over) => {
            for one in over.iter_mut().flat_map(|one| &mut one.people) {
                (one.user_id, one.name, one.email, one.roles) = (text(), some(), mail(), vec![text()]);
            }
            News::FirstSync(tenant(of), over)
        }
        News::Retained(of, mut last_holders) => {
            last_holders
                .iter_mut()
                .for_each(|one| (one.name, one.email, one.role) = (some(), mail(), text()));
            News::Retained(tenant(of), last_holders)
        }
        News::Held(of, mut held) => {
            held.directory = some();
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
        News::Moved(mut moved, total) => {
            for one in &mut moved {
                (one.directory_id, one.from, one.to, one.by, one.reason) =
                    (text(), text(), text(), text(), text());
            }
            News::Moved(moved, total)
        }
        News::Waiting(waiting) => News::Waiting(waiting),
        News::Webhooks(away) => News::Webhooks(away),
        News::NotCompared(mut all) => {
            for one in &mut all.named {
                (one.directory_id, one.reason) = (text(), some());
            }
            News::NotCompared(all)
        }
        News::AuditHeads(mut of) => {
            of.heads.iter_mut().for_each(|head| head.tenant_id = text());
            News::AuditHeads(of)
        }
    }
}
