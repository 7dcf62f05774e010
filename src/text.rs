//! Texts: invisible characters, CSV, differences of lines, similar names, and causes of errors; pure.

pub(crate) mod csv;
pub(crate) mod error_causes;
pub(crate) mod line_diff;
pub(crate) mod nearest;

/// Whether a reader cannot see a character, or it changes how others look: controls, line and paragraph separators, marks
/// that change the direction of text, characters without a width. Joiners are not included: Persian and emoji need them.
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180e}'
                | '\u{200b}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{2800}'
                | '\u{3164}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}
