use proptest::prelude::*;
use textwrap::core::display_width;

use super::*;
use crate::runtime::clock::Timestamp;

fn ada() -> NamedLeaver {
    NamedLeaver {
        user_id: "directory_user_01".into(),
        name: Some("Ada Lovelace".into()),
        email: Some("ada@acme.example".into()),
        since: Timestamp::from_millis(1_768_478_400_000),
        because: LeaverReason::Person { state: Some("suspended".into()) },
        directory: Some("Acme Okta".into()),
        inbox_id: 42,
        found: false,
    }
}

fn digest(leavers: Vec<NamedLeaver>) -> Digest {
    Digest {
        tenant_id: "org_01ACME".into(),
        tenant_name: Some("Acme Corp".into()),
        total: leavers.len(),
        leavers,
        ..Digest::default()
    }
}

/// Writes the mail to a directory for a reader: `ROSTERD_TEST_MAILS=dir cargo nextest run --lib notify`.
pub(super) fn leave_a_picture(name: &str, rendered: &Rendered) {
    let Ok(directory) = std::env::var("ROSTERD_TEST_MAILS") else { return };
    let files = [
        ("html".to_owned(), rendered.html.clone()),
        ("txt".to_owned(), format!("{}\n{}", rendered.subject, rendered.text)),
    ];
    let attached = rendered.attachments.iter().map(|one| (one.file_name.to_owned(), one.text.clone()));
    for (end, text) in files.into_iter().chain(attached) {
        std::fs::write(format!("{directory}/{name}.{end}"), text).unwrap();
    }
}

fn shown(name: &str, digest: &Digest) -> Rendered {
    let rendered = render(&Product::default(), digest);
    leave_a_picture(name, &rendered);
    assert!(rendered.text.lines().all(|line| display_width(line) <= 78), "{}", rendered.text);
    rendered
}

#[test]
fn a_leaver_found_by_comparison_is_marked_as_such_in_the_mail() {
    let found = leavers::because(&NamedLeaver { found: true, ..ada() }).to_string();
    let event = leavers::because(&ada());
    assert_eq!(
        found,
        format!(
            "{event}; found by comparison with the directory, because the event of 2026-01-15 12:00:00 UTC did not arrive"
        )
    );
}

#[test]
fn one_leaver_is_reported_with_name_time_cause_and_reference() {
    let rendered = shown("one", &digest(vec![ada()]));

    insta::assert_snapshot!(rendered.subject, @"Access removed: Ada Lovelace (Acme Corp)");
    insta::assert_snapshot!(rendered.text, @r#"
    Ada Lovelace no longer has access.

    If this is correct, you do not need to do anything.

    Organization: Acme Corp (org_01ACME)

      Ada Lovelace
        ada@acme.example
        Since      2026-01-15 12:00:00 UTC
        Because    suspended in the directory "Acme Okta"
        Reference  inbox 42

    WHAT HAPPENS NEXT
    Access, roles and group memberships have been removed. You can ask for a
    record of each removal with its reference.

    IF THIS IS WRONG
    Activate this person again in your identity provider. Access, groups and roles
    are then restored automatically.

    QUESTIONS
    Send this reference to the team that runs the application: org_01ACME, inbox
    42.
    "#);
    for phrase in [
        "<bdi>Ada Lovelace</bdi>",
        "ada@acme.example",
        "2026-01-15 12:00:00 UTC",
        "&#34;Acme Okta&#34;",
        "inbox 42",
    ] {
        assert!(rendered.html.contains(phrase), "{phrase}");
    }
}

#[test]
fn leavers_of_a_deleted_directory_are_named_up_to_the_bound_and_then_counted() {
    let gone = |name: &str, email: &str, inbox_id| NamedLeaver {
        name: Some(name.into()).filter(|name: &String| !name.is_empty()),
        email: Some(email.into()).filter(|email: &String| !email.is_empty()),
        because: LeaverReason::DirectoryDeleted,
        inbox_id,
        ..ada()
    };
    let many = Digest {
        total: 50_003,
        ..digest(vec![
            ada(),
            gone("Grace Hopper", "grace@acme.example", 43),
            gone("", "alan@acme.example", 44),
            gone("", "", 45),
        ])
    };

    let rendered = shown("many", &many);

    insta::assert_snapshot!(rendered.subject, @"Access removed: 50,003 people (Acme Corp)");
    insta::assert_snapshot!(rendered.text, @r#"
    50,003 people no longer have access.

    If this is correct, you do not need to do anything.

    Organization: Acme Corp (org_01ACME)

      Ada Lovelace
        ada@acme.example
        Since      2026-01-15 12:00:00 UTC
        Because    suspended in the directory "Acme Okta"
        Reference  inbox 42

      Grace Hopper
        grace@acme.example
        Since      2026-01-15 12:00:00 UTC
        Because    the directory "Acme Okta" was deleted
        Reference  inbox 43

      alan@acme.example
        Since      2026-01-15 12:00:00 UTC
        Because    the directory "Acme Okta" was deleted
        Reference  inbox 44

      A person without a name
        Since      2026-01-15 12:00:00 UTC
        Because    the directory "Acme Okta" was deleted
        Reference  inbox 45

      49,999 more people are not named in this mail.

    WHAT HAPPENS NEXT
    Access, roles and group memberships have been removed. You can ask for a
    record of each removal with its reference.

    IF THIS IS WRONG
    Activate these people again in your identity provider. Access, groups and
    roles are then restored automatically. If a directory was deleted by mistake,
    connect it again, as when it was set up. Each person who is active in it then
    gets access, groups and roles again.

    QUESTIONS
    Send this reference to the team that runs the application: org_01ACME, inbox
    42.
    "#);
}

#[test]
fn a_hostile_name_is_one_line_of_text_and_nothing_else() {
    let eve = NamedLeaver {
        name: Some(
            "<script>alert('x')</script>\r\nBcc: all@acme.example\u{202e} \"https://evil.example\"".into(),
        ),
        email: Some(format!("{}@evil.example", "a".repeat(300))),
        because: LeaverReason::Person { state: Some("</td><b>\u{0}".into()) },
        directory: Some("R&D \u{200b}\n".into()),
        ..ada()
    };

    let rendered = shown("hostile", &digest(vec![eve]));

    insta::assert_snapshot!(rendered.subject, @r#"Access removed: <script>alert('x')</script> Bcc: all@acme. example "https evil. example" (Acme Corp)"#);
    insta::assert_snapshot!(rendered.text, @r#"
    <script>alert('x')</script> Bcc: all@acme. example "https evil. example" no
    longer has access.

    If this is correct, you do not need to do anything.

    Organization: Acme Corp (org_01ACME)

      <script>alert('x')</script> Bcc: all@acme. example "https evil. example"
        aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
        aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
        aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
        aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…
        Since      2026-01-15 12:00:00 UTC
        Because    has the state "</td><b>" in the directory "R&D"
        Reference  inbox 42

    WHAT HAPPENS NEXT
    Access, roles and group memberships have been removed. You can ask for a
    record of each removal with its reference.

    IF THIS IS WRONG
    Activate this person again in your identity provider. Access, groups and roles
    are then restored automatically.

    QUESTIONS
    Send this reference to the team that runs the application: org_01ACME, inbox
    42.
    "#);
    assert!(!rendered.html.contains("<script>") && !rendered.html.contains("<b>"));
    assert!(rendered.html.contains("&#60;script&#62;alert(&#39;x&#39;)&#60;/script&#62;"));
    assert!(rendered.html.contains("R&#38;D"));
}

/// Texts of an attacker, and any other text.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[\\r\\n\\t<>&'\": =?.a-zB-D\u{0}\u{202e}\u{2028}]{0,200}",
        "(\\r?\\n)?(Bcc|To|Content-Type): [a-z@.]{1,20}(\\r?\\n){0,2}<(script|/div|!--|img src=x)>?",
    ]
}

proptest! {
    #[test]
    fn no_text_of_strangers_adds_a_header_or_a_tag(
        name in text(), email in text(), state in text(), directory in text(), tenant in text(), id in text(),
    ) {
        let leaver = |name: &str, email: &str, state: &str, directory: &str| NamedLeaver {
            name: Some(format!("N{name}")),
            email: Some(format!("e{email}")),
            because: LeaverReason::Person { state: Some(state.to_owned()) },
            directory: Some(directory.to_owned()),
            ..ada()
        };
        let hostile = Digest {
            tenant_id: id,
            tenant_name: Some(tenant),
            ..digest(vec![leaver(&name, &email, &state, &directory)])
        };
        let harmless = digest(vec![leaver("a", "b", "c", "d")]);

        let (hostile_page, harmless_page) = (render(&Product::default(), &hostile), render(&Product::default(), &harmless));

        let count = |text: &str, c| text.matches(c).count();
        for mark in ['<', '>'] {
            prop_assert_eq!(count(&hostile_page.html, mark), count(&harmless_page.html, mark));
        }
        prop_assert_eq!(count(&hostile_page.html, '"'), count(&harmless_page.html, '"'));
        prop_assert!(hostile_page.text.lines().all(|line| display_width(line) <= 78));
        prop_assert!(!hostile_page.subject.contains(['\r', '\n']));
        prop_assert_eq!(headers(&hostile, &hostile_page), headers(&hostile, &harmless_page));
    }
}

/// The names of the headers of a composed mail, in order.
fn headers(digest: &Digest, rendered: &Rendered) -> Vec<String> {
    let mail = crate::outbox::mails::ClaimedMail {
        id: 1,
        tenant_id: digest.tenant_id.clone(),
        message_id: "<rosterd.1@rosterd.example>".into(),
        attempt: 1,
        family: crate::outbox::kind::Family::Leavers,
        leavers: vec![1],
        named: Vec::new(),
        news: Vec::new(),
        settled: Default::default(),
    };
    let message = crate::notify::message::compose(
        crate::notify::message::Sender {
            from: &"rosterd <rosterd@rosterd.example>".parse().unwrap(),
            reply_to: None,
        },
        &["it@acme.example".parse().unwrap()],
        &mail,
        Timestamp::from_millis(1_768_478_400_000),
        rendered,
    )
    .unwrap();
    let bytes = message.formatted();
    assert!(bytes.is_ascii(), "a server without 8BITMIME would refuse it");
    let text = String::from_utf8(bytes).unwrap();
    let (head, _) = text.split_once("\r\n\r\n").unwrap();
    assert!(text.split("\r\n").all(|line| line.len() <= 998 && !line.contains(['\r', '\n'])));
    let names = head.split("\r\n").filter(|line| !line.starts_with([' ', '\t']));
    names.map(|line| line.split(':').next().unwrap_or_default().to_owned()).collect()
}
