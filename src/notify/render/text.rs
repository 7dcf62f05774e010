//! The plain text form with at most 78 columns, for mail programs without HTML; pure.

use textwrap::{Options, WordSplitter, WrapAlgorithm, core::display_width, wrap};

use super::page::{Item, Page};

pub(super) const COLUMNS: usize = 78;

/// The columns between the longest label of a mail and the texts.
const GAP: usize = 2;

/// A longer label moves only its own text.
const WIDEST_LABEL: usize = 20;

pub(super) fn write(page: &Page) -> String {
    let labels = page.items.iter().flat_map(|item| &item.terms).map(|(label, _)| display_width(label));
    let mut paper = Paper {
        text: String::new(),
        label_columns: labels.filter(|columns| *columns <= WIDEST_LABEL).max().unwrap_or(0) + GAP,
    };
    paper.paragraph("", &format!("{}.", page.headline));
    paper.paragraph("", &page.action);
    if let Some(link) = &page.link {
        // An address stays in one piece, however long it is.
        paper.text.push_str(&format!("{}:\n{}\n\n", link.words, link.url));
    }
    paper.paragraph("", &page.audience);
    for item in &page.items {
        paper.item(item);
    }
    if !page.more.is_empty() {
        paper.paragraph("  ", &page.more);
    }
    for section in &page.sections {
        paper.lines("", "", &section.title.to_uppercase());
        paper.paragraph("", &section.text);
    }
    paper.text
}

struct Paper {
    text: String,
    label_columns: usize,
}

impl Paper {
    fn item(&mut self, item: &Item) {
        self.lines("  ", "  ", &item.title);
        if !item.address.is_empty() {
            self.lines("    ", "    ", &item.address);
        }
        let rest = " ".repeat(4 + self.label_columns);
        for (label, text) in &item.terms {
            let fill = self.label_columns.saturating_sub(display_width(label)).max(1);
            self.lines(&format!("    {label}{}", " ".repeat(fill)), &rest, text);
        }
        self.text.push('\n');
    }

    fn paragraph(&mut self, indent: &str, text: &str) {
        self.lines(indent, indent, text);
        self.text.push('\n');
    }

    /// Breaks lines at blanks, and inside a word that is longer than a line. Counts columns, not characters.
    fn lines(&mut self, first: &str, rest: &str, text: &str) {
        let options = Options::new(COLUMNS)
            .initial_indent(first)
            .subsequent_indent(rest)
            .wrap_algorithm(WrapAlgorithm::FirstFit)
            .word_splitter(WordSplitter::NoHyphenation);
        for line in wrap(text, &options) {
            self.text.push_str(line.trim_end());
            self.text.push('\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(title: &str, label: &str, text: &str) -> String {
        let item =
            Item { title: title.into(), address: String::new(), terms: vec![(label.into(), text.into())] };
        let page = Page { headline: title.into(), items: vec![item], ..Page::default() };
        write(&page)
    }

    #[test]
    fn wide_characters_take_two_columns() {
        let name = "山田太郎".repeat(20);
        let text = written(&name, "名前", &name);

        assert!(text.lines().all(|line| display_width(line) <= COLUMNS), "{text}");
        let shown: String = text.lines().map(str::trim).collect();
        assert_eq!(shown.matches('郎').count(), 60, "nothing is lost");
        assert!(text.contains("\n    名前  山田"), "{text}");
    }

    #[test]
    fn a_label_without_an_end_leaves_room_for_its_text() {
        let text = written("Ada", &"label".repeat(30), "text");

        assert!(text.lines().any(|line| line.ends_with("text")), "{text}");
    }
}
