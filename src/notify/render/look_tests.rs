//! Tests of the settings that change the look of mails: logo, page for decisions, language.

use super::*;
use crate::{notify::preview, outbox::NoticeKind};

fn product() -> Product {
    Product {
        name: Some("Hub & \"Co\"".into()),
        logo: Some("https://hub.example/logo.png?a=1&b=2".into()),
        decision_url: Some("https://hub.example/{tenant}/holds/{hold}".into()),
        ..Product::default()
    }
}

#[test]
fn a_logo_stands_in_the_html_of_mails_to_tenants_with_words_for_those_who_do_not_see_it() {
    for &kind in NoticeKind::ALL {
        let (plain, with_logo) =
            (preview::rendered(kind, &Product::default()), preview::rendered(kind, &product()));
        assert!(!plain.html.contains("<img"), "{}", kind.name());
        let shown = with_logo.html.contains(
            "<img src=\"https://hub.example/logo.png?a=1&#38;b=2\" alt=\"Hub &#38; &#34;Co&#34;\" height=\"32\"",
        );
        assert_eq!(shown, !kind.family().is_for_operator(), "{}", with_logo.html);
        assert!(!with_logo.text.contains("logo.png"), "{}", with_logo.text);
    }
}

#[test]
fn a_page_for_decisions_is_linked_in_mails_about_holds_only() {
    for &kind in NoticeKind::ALL {
        let rendered = preview::rendered(kind, &product());
        let page = "https://hub.example/org_01EHZNVPK3SFK441A1RGBFSHRT/holds/17";
        let is_hold = kind == NoticeKind::MassChangeHeld;
        assert_eq!(rendered.text.contains(&format!("\n\nDecide on this page:\n{page}\n\n")), is_hold);
        assert_eq!(rendered.html.contains(&format!("<a href=\"{page}\"")), is_hold, "{}", rendered.html);
        assert!(!rendered.text.contains("says how"), "the page is the way: {}", rendered.text);
        let text = rendered.text.replace('\n', " ");
        assert_eq!(
            text.contains("approve it on the page") && text.contains("reject it on the page"),
            is_hold
        );
        assert!(
            !text.contains("approve hold") && !text.contains("reject hold"),
            "the page is the way: {text}"
        );
        assert!(!preview::rendered(kind, &Product::default()).html.contains("<a "), "{}", kind.name());
    }
}

#[test]
fn a_mail_says_in_which_language_it_is_and_not_in_which_one_its_reader_would_like_it() {
    let rendered = news(
        &Product { language: Some("de-CH".into()), ..Product::default() },
        &preview::example(NoticeKind::MassChangeHeld),
    );
    assert_eq!(rendered.language, "en");
    assert!(rendered.html.contains("<html lang=\"en\">"), "{}", rendered.html);
}
