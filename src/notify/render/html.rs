//! The HTML form. Others' words get in through [`Escaped`] only; the templates beside this file hold the markup.

use std::fmt::{self, Display, Write};

use super::{Notice, Person, text::sections};

/// Text that stands in markup, inside an element or a quoted attribute.
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// Inline styles say how it looks; this is what they cannot say. Class names are short, the mail repeats them.
const STYLE: &str = include_str!("notice.css");

pub(super) fn write(notice: &Notice) -> String {
    let people: String = notice.people.iter().map(person).collect();
    let more = notice
        .more
        .iter()
        .map(|text| format!(include_str!("more.html"), text = Escaped(text)))
        .collect::<String>();
    let sections: String = sections(notice)
        .iter()
        .map(|(title, text)| {
            format!(include_str!("section.html"), title = Escaped(title), text = Escaped(text))
        })
        .collect();
    format!(
        include_str!("notice.html"),
        style = STYLE,
        subject = Escaped(&notice.subject),
        headline = Escaped(&notice.headline),
        tenant = Escaped(&notice.tenant),
        people = people,
        more = more,
        sections = sections,
    )
}

fn person(person: &Person) -> String {
    let email: String = person
        .email
        .iter()
        .map(|email| format!(include_str!("email.html"), email = Escaped(email)))
        .collect();
    format!(
        include_str!("person.html"),
        name = Escaped(&person.name),
        email = email,
        since = Escaped(&person.since),
        because = Escaped(&person.because),
        reference = Escaped(&person.reference),
    )
}
