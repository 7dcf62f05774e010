//! The HTML form. Others' words get in through [`Escaped`] only; the templates beside this file hold the markup.

use super::{Item, Page};
use crate::text::html::Escaped;

/// Inline styles say how it looks; this is what they cannot say. Class names are short, the mail repeats them.
const STYLE: &str = include_str!("notice.css");

pub(super) fn write(page: &Page) -> String {
    let items: String = page.items.iter().map(item).collect();
    let more = page
        .more
        .iter()
        .map(|text| format!(include_str!("more.html"), text = Escaped(text)))
        .collect::<String>();
    let sections: String = page
        .sections
        .iter()
        .map(|(title, text)| {
            format!(include_str!("section.html"), title = Escaped(title), text = Escaped(text))
        })
        .collect();
    let audience = match &page.audience {
        ("Organization", name) => name.clone(),
        (label, name) => format!("{label} {name}"),
    };
    format!(
        include_str!("notice.html"),
        style = STYLE,
        subject = Escaped(&page.subject),
        headline = Escaped(&page.headline),
        audience = Escaped(&audience),
        items = items,
        more = more,
        sections = sections,
    )
}

fn item(item: &Item) -> String {
    let subtitle: String = item
        .subtitle
        .iter()
        .map(|email| format!(include_str!("email.html"), email = Escaped(email)))
        .collect();
    let terms: String = item
        .terms
        .iter()
        .map(|(term, text)| format!(include_str!("term.html"), term = Escaped(term), text = Escaped(text)))
        .collect();
    format!(include_str!("item.html"), title = Escaped(&item.title), subtitle = subtitle, terms = terms)
}
