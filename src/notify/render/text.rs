//! The plain form: at most 78 columns, for readers that show no HTML.

use super::{Notice, Person};

const COLUMNS: usize = 78;

pub(super) fn write(notice: &Notice) -> String {
    let mut page = Page::default();
    page.paragraph("", &format!("{}.", notice.headline));
    page.paragraph("", &format!("Organization: {}", notice.tenant));
    for person in &notice.people {
        page.person(person);
    }
    if let Some(more) = &notice.more {
        page.paragraph("  ", more);
    }
    for (title, text) in sections(notice) {
        page.title(title);
        page.paragraph("", text);
    }
    page.text
}

/// In the order of reading; the HTML form has the same.
pub(super) fn sections(notice: &Notice) -> [(&'static str, &str); 3] {
    [
        ("What happens next", &notice.next),
        ("If this is wrong", &notice.wrong),
        ("Questions", &notice.reference),
    ]
}

#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn person(&mut self, person: &Person) {
        self.lines("  ", "  ", &person.name);
        if let Some(email) = &person.email {
            self.lines("    ", "    ", email);
        }
        self.lines("    Since      ", "               ", &person.since);
        self.lines("    Because    ", "               ", &person.because);
        self.lines("    Reference  ", "               ", &person.reference);
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
