//! Text from strangers as one harmless line. Whoever may choose their own display name would like to write the
//! administrators' mail for them.

use crate::text::is_hidden;

/// At most `most` characters in one line: no line ends, no controls, nothing that turns the direction of what follows
/// or hides in between.
pub(super) fn line(text: &str, most: usize) -> String {
    let mut line = String::new();
    let mut length = 0;
    // The bound holds for what is read, too: a name may be megabytes long.
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

/// As `line`, and no link: mail programs make one of whatever looks like a URL.
pub(super) fn name(text: &str, most: usize) -> String {
    line(&line(text, most).replace("://", " "), most)
}

/// What a reader cannot see is a blank.
fn visible(c: char) -> char {
    if is_hidden(c) { ' ' } else { c }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_controls_and_turned_directions_become_one_blank() {
        assert_eq!(line("  Ada\r\nBcc: eve@evil.example\u{202e}\0x ", 80), "Ada Bcc: eve@evil.example x");
    }

    #[test]
    fn what_is_too_long_is_cut_and_shows_it() {
        assert_eq!(line("Ada Lovelace", 12), "Ada Lovelace");
        assert_eq!(line("Ada Lovelace", 5), "Ada…");
        assert_eq!(line(&"é".repeat(1_000_000), 3), "éé…");
        assert_eq!(line(&format!("Ada{}", " ".repeat(1_000)), 10), "Ada…");
    }

    #[test]
    fn a_name_is_no_link() {
        assert_eq!(name("https://evil.example/now", 80), "https evil.example/now");
    }
}
