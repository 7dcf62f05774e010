//! The parts of a mail before layout, read from the output of its template; pure.
//!
//! A template writes its parts in order (`templates/mail/parts.txt`). Each part begins with a [`MARK`] and its name.
//! No value can contain a mark or begin a line: values are [`Clean`](super::clean::Clean), which is one line without
//! controls, and each line begins with a text of the template.

use askama::Template;

use super::language;

/// The beginning of a part. It is a control character, so no clean value contains it.
pub(crate) const MARK: char = '\u{1e}';

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) subject: String,
    pub(super) audience: String,
    /// A short mark of an urgent mail, in the HTML form only.
    pub(super) flag: String,
    /// What happened.
    pub(super) headline: String,
    /// Whether somebody must do something, and until when.
    pub(super) action: String,
    /// The page on which something can be decided.
    pub(super) link: Option<Link>,
    /// The language of its sentences.
    pub(super) language: &'static str,
    /// An image above the mail, in the HTML form only.
    pub(super) logo: Option<Logo>,
    pub(super) items: Vec<Item>,
    /// The number of items that are not in the mail.
    pub(super) more: String,
    pub(super) sections: Vec<Section>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) title: String,
    /// The person's address, or empty.
    pub(super) address: String,
    /// Label and text.
    pub(super) terms: Vec<(String, String)>,
}

/// An address with the words that lead to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) words: String,
    pub(super) url: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Logo {
    pub(super) url: String,
    /// The words for a reader who does not see the image.
    pub(super) words: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) title: String,
    pub(super) text: String,
}

impl Page {
    pub(super) fn of(template: &impl Template) -> Self {
        // Rendering into memory cannot fail.
        let words = template.render().unwrap_or_default();
        let mut page = Self { language: language::ENGLISH, ..Self::default() };
        for part in words.split(MARK) {
            let (head, body) = part.split_once('\n').unwrap_or((part, ""));
            let (name, title) = head.split_once(' ').unwrap_or((head, ""));
            match name {
                "subject" => page.subject = one_line(body),
                "audience" => page.audience = one_line(body),
                "flag" => page.flag = one_line(body),
                "headline" => page.headline = one_line(body),
                "action" => page.action = one_line(body),
                "link" => page.link = link(body),
                "items" => page.items = items(body),
                "more" => page.more = one_line(body),
                "section" => {
                    let section = Section { title: one_line(title), text: one_line(body) };
                    page.sections.extend(Some(section).filter(|section| !section.text.is_empty()));
                }
                _ => {}
            }
        }
        page
    }
}

/// Joins lines, because line ends and indentation of a template have no meaning.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

/// Reads `words: address`.
fn link(body: &str) -> Option<Link> {
    let line = one_line(body);
    let (words, url) = line.split_once(": ")?;
    Some(Link { words: words.to_owned(), url: url.to_owned() })
}

/// Reads lines of three forms: `* title`, `> address` and `Label: text`.
fn items(body: &str) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    for line in body.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(title) = line.strip_prefix('*') {
            items.push(Item { title: one_line(title), ..Item::default() });
            continue;
        }
        let Some(item) = items.last_mut() else { continue };
        if let Some(address) = line.strip_prefix('>') {
            item.address = one_line(address);
        } else {
            let (label, text) = line.split_once(':').unwrap_or((line, ""));
            item.terms.push((one_line(label), one_line(text)));
        }
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Template)]
    #[template(path = "mail/parts.txt")]
    struct Nothing;

    #[test]
    fn a_part_without_a_text_is_left_out() {
        let language = language::ENGLISH;
        assert_eq!(Page::of(&Nothing), Page { language, ..Page::default() });
    }

    #[test]
    fn lines_of_items_are_titles_addresses_and_labelled_texts() {
        let ada = Item {
            title: "Ada: Lovelace".into(),
            address: "ada@acme.example".into(),
            terms: vec![("Since".into(), "12:00:01".into()), ("Lost".into(), "> * a: b".into())],
        };
        let bob = Item { title: "Bob".into(), ..Item::default() };
        let lines = "Label: of no item\n* Ada:  Lovelace\n> ada@acme.example\n\n Since: 12:00:01\nLost: > * a: b\n* Bob\n>\n";
        assert_eq!(items(lines), [ada, bob]);
    }
}
