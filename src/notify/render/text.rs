//! The plain form: at most 78 columns, for readers that show no HTML.

use super::{Item, Page};

const COLUMNS: usize = 78;

/// The widest term and two blanks.
const TERM: usize = 11;

pub(super) fn write(page: &Page) -> String {
    let mut paper = Paper::default();
    paper.paragraph("", &format!("{}.", page.headline));
    let (label, audience) = &page.audience;
    paper.paragraph("", &format!("{label}: {audience}"));
    for item in &page.items {
        paper.item(item);
    }
    if let Some(more) = &page.more {
        paper.paragraph("  ", more);
    }
    for (title, text) in &page.sections {
        paper.title(title);
        paper.paragraph("", text);
    }
    paper.text
}

#[derive(Default)]
struct Paper {
    text: String,
}

impl Paper {
    fn item(&mut self, item: &Item) {
        self.lines("  ", "  ", &item.title);
        if let Some(subtitle) = &item.subtitle {
            self.lines("    ", "    ", subtitle);
        }
        let rest = " ".repeat(4 + TERM);
        for (term, text) in &item.terms {
            self.lines(&format!("    {term:<TERM$}"), &rest, text);
        }
        self.text.push('\n');
    }

    fn title(&mut self, title: &str) {
        self.text.push_str(&title.to_uppercase());
        self.text.push('\n');
    }

    fn paragraph(&mut self, indent: &str, text: &str) {
        self.lines(indent, indent, text);
        self.text.push('\n');
    }

    /// Broken at blanks, and inside a word that is longer than a line.
    fn lines(&mut self, first: &str, rest: &str, text: &str) {
        let room = COLUMNS - rest.len();
        let mut line = String::new();
        let mut indent = first;
        let mut length = 0;
        let mut flush = |line: &mut String, length: &mut usize| {
            self.text.push_str(indent);
            self.text.push_str(line);
            self.text.push('\n');
            indent = rest;
            line.clear();
            *length = 0;
        };
        for word in text.split(' ') {
            let word: Vec<char> = word.chars().collect();
            for (n, part) in word.chunks(room).enumerate() {
                let blank = usize::from(n == 0 && length > 0);
                if length + blank + part.len() > room {
                    flush(&mut line, &mut length);
                } else if blank == 1 {
                    line.push(' ');
                    length += 1;
                }
                line.extend(part);
                length += part.len();
            }
        }
        flush(&mut line, &mut length);
    }
}
