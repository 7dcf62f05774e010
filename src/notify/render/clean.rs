//! Makes text from outside harmless: one line without controls, links or hidden characters. People can choose their display
//! names, and an attacker would use a name to write false sentences into an administrator's mail.

use std::fmt;

use crate::text::is_hidden;

/// One line without controls, hidden characters and changes of direction. Templates get no other text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Clean(String);

impl Clean {
    /// A text of rosterd itself: times, numbers, and clean texts joined by them.
    pub(super) fn own(text: String) -> Self {
        Self(text)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }
}

impl fmt::Display for Clean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// At most `most` characters in one line, without line ends, controls, hidden characters and changes of direction.
///
/// For attached files, which have no links. A mail uses [`name`] or [`email`].
pub(super) fn line(text: &str, most: usize) -> Clean {
    Clean(cut(text, most))
}

fn cut(text: &str, most: usize) -> String {
    let mut line = String::new();
    let mut length = 0;
    // The input is limited too: a name may have megabytes.
    for word in text.chars().take(most * 4).map(visible).collect::<String>().split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
            length += 1;
        }
        line.push_str(word);
        length += word.chars().count();
    }
    if length <= most && text.chars().nth(most * 4).is_none() {
        return line;
    }
    let mut cut: String = line.chars().take(most.saturating_sub(1)).collect();
    cut.truncate(cut.trim_end().len());
    cut.push('…');
    cut
}

/// Like `line`, but never a link: mail programs make a link of a text that looks like a URL, a domain, a scheme or a network
/// path. A visible blank prevents this and remains readable; an invisible character would remain in a copied text.
pub(super) fn name(text: &str, most: usize) -> Clean {
    let text = cut(text, most).replace("://", " ").replace("\\\\", " ");
    let mut unlinked = String::with_capacity(text.len() + 8);
    let mut chars = text.chars().peekable();
    let mut before = ' ';
    while let Some(c) = chars.next() {
        unlinked.push(c);
        let next = chars.peek().copied().unwrap_or(' ');
        // `evil.example`, also with other characters that count as dots in domains. `3.14` is no domain.
        let domain = is_dot(c) && !before.is_whitespace() && (next.is_alphabetic() || !next.is_ascii());
        // `mailto:eve`, `tel:1`; `12:30` is no scheme.
        let scheme = c == ':' && before.is_alphabetic() && !next.is_whitespace();
        if (domain || scheme) && !next.is_whitespace() {
            unlinked.push(' ');
        }
        before = c;
    }
    line(&unlinked, most)
}

/// A sentence of rosterd or the database about a fault, with names of fields and tables: `data·state is missing`. It is never
/// a link, as in [`name`], and remains readable: a dot between two words becomes a dot that no domain has.
pub(super) fn detail(text: &str, most: usize) -> Clean {
    let text = cut(text, most);
    let mut shown = String::with_capacity(text.len() + 8);
    let mut chars = text.chars().peekable();
    let mut before = ' ';
    while let Some(c) = chars.next() {
        let next = chars.peek().copied().unwrap_or(' ');
        let is_inside = !before.is_whitespace() && (next.is_alphanumeric() || !next.is_ascii());
        shown.push(if is_dot(c) && is_inside && !next.is_ascii_digit() { '·' } else { c });
        before = c;
    }
    name(&shown, most)
}

/// An unchanged mail address. Any other text is treated as a name.
pub(super) fn email(text: &str) -> Clean {
    let plain = line(text, MOST_OF_ADDRESS);
    if is_address(&plain.0) { plain } else { name(text, MOST_OF_ADDRESS) }
}

const MOST_OF_ADDRESS: usize = 254;

fn is_dot(c: char) -> bool {
    matches!(c, '.' | '\u{3002}' | '\u{ff0e}' | '\u{ff61}')
}

fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    // Without `/`, `?` and `#`: with them, the text before the `@` can be a link.
    let in_local = |c: char| c.is_alphanumeric() || "!$%&'*+-=^_`{|}~.".contains(c);
    let in_domain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.');
    let page = local.to_ascii_lowercase().starts_with("www.");
    !local.is_empty()
        && !page
        && local.chars().all(in_local)
        && !domain.is_empty()
        && domain.chars().all(in_domain)
}

/// Replaces a hidden character by a blank.
fn visible(c: char) -> char {
    if is_hidden(c) { ' ' } else { c }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl PartialEq<&str> for Clean {
        fn eq(&self, text: &&str) -> bool {
            self.0 == *text
        }
    }

    #[test]
    fn line_ends_controls_and_turned_directions_become_one_blank() {
        assert_eq!(line("  Ada\r\nBcc: eve@evil.example\u{202e}\0x ", 80), "Ada Bcc: eve@evil.example x");
    }

    #[test]
    fn a_long_text_is_cut_visibly() {
        assert_eq!(line("Ada Lovelace", 12), "Ada Lovelace");
        assert_eq!(line("Ada Lovelace", 5), "Ada…");
        assert_eq!(line(&"é".repeat(1_000_000), 3), "éé…");
        assert_eq!(line(&format!("Ada{}", " ".repeat(1_000)), 10), "Ada…");
    }

    #[test]
    fn a_name_is_no_link() {
        for (text, shown) in [
            ("https://evil.example/now", "https evil. example/now"),
            ("Visit www.evil.example", "Visit www. evil. example"),
            ("evil\u{ff0e}example", "evil\u{ff0e} example"),
            ("mailto:eve@evil.example", "mailto: eve@evil. example"),
            ("javascript:alert(1)", "javascript: alert(1)"),
            ("\\\\evil\\share", "evil\\share"),
            ("J.R.R. Tolkien", "J. R. R. Tolkien"),
            ("Rev 3.14 at 12:30", "Rev 3.14 at 12:30"),
            ("=?utf-8?B?QWRh?=", "=?utf-8?B?QWRh?="),
        ] {
            assert_eq!(name(text, 80), shown);
        }
        assert_eq!(name(&"a.".repeat(1_000), 9), "a. a. a.…");
    }

    #[test]
    fn a_detail_is_no_link_and_remains_readable() {
        for (text, shown) in [
            ("data.state is missing in dsync.user.updated.", "data·state is missing in dsync·user·updated."),
            ("UNIQUE constraint failed: users.tenant_id", "UNIQUE constraint failed: users·tenant_id"),
            ("see https://evil.example/now", "see https evil·example/now"),
            ("eve@evil\u{ff0e}example", "eve@evil·example"),
            ("10.5 s at line 1. Then", "10.5 s at line 1. Then"),
        ] {
            assert_eq!(detail(text, 80), shown);
        }
    }

    #[test]
    fn an_address_stays_as_it_is_and_only_an_address() {
        for address in ["ada.lovelace+x@acme.example", "o'neil@acme.example", "jörg@bücher.example"] {
            assert_eq!(email(address), address);
        }
        assert_eq!(email("https://evil.example/@x.example"), "https evil. example/@x. example");
        assert_eq!(email("//evil.example/@x.example"), "//evil. example/@x. example");
        assert_eq!(email("evil.example/@x.example"), "evil. example/@x. example");
        assert_eq!(email("=?utf-8?Q?a?=@x.example"), "=?utf-8?Q?a?=@x. example");
        assert_eq!(email("WWW.evil.example@x"), "WWW. evil. example@x");
        assert_eq!(email("mailto:a@x.example"), "mailto: a@x. example");
        assert_eq!(email("see evil.example a@x"), "see evil. example a@x");
    }
}
