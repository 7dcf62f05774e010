//! A table of texts for people. On a terminal it fits the width: long texts are wrapped at blanks, and no id is broken. If that
//! needs more columns than there are, each row becomes a record with one value on each line. Pure.

use comfy_table::{Table, presets};
use textwrap::{Options, WordSplitter, core::display_width, wrap};

/// The columns before and after each cell.
const PADDING: usize = 2;
/// The columns between the names and the values of a record.
const GAP: usize = 2;
/// The least width of a value in a record.
const LEAST: usize = 20;

/// Writes the table. Without a width, each row is one line.
pub(super) fn write(columns: &[&str], rows: &[Vec<String>], width: Option<usize>) -> String {
    let Some(width) = width else { return lines(columns, rows) };
    match widths(columns, rows, width) {
        Some(widths) => lines(columns, &wrapped(rows, &widths)),
        None if rows.is_empty() => format!("{}\n", wrap(&columns.join(" "), whole_words(width)).join("\n")),
        None => records(columns, rows, width),
    }
}

fn lines(columns: &[&str], rows: &[Vec<String>]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(columns);
    for row in rows {
        table.add_row(row);
    }
    format!("{table}\n")
}

/// The width of each column, if all columns fit without a broken word.
fn widths(columns: &[&str], rows: &[Vec<String>], width: usize) -> Option<Vec<usize>> {
    let room = width.checked_sub(columns.len() * PADDING)?;
    let of_column = |n: usize, of: fn(&str) -> usize| {
        let cells = rows.iter().filter_map(|row| row.get(n)).map(|cell| of(cell));
        cells.chain(columns.get(n).map(|name| of(name))).max().unwrap_or_default()
    };
    let wanted: Vec<usize> = (0..columns.len()).map(|n| of_column(n, display_width)).collect();
    let mut widths: Vec<usize> = (0..columns.len()).map(|n| of_column(n, longest_word)).collect();
    let mut rest = room.checked_sub(widths.iter().sum())?;
    // Each column that needs more gets the same.
    while rest > 0 && widths != wanted {
        for (width, wanted) in widths.iter_mut().zip(&wanted).filter(|(width, wanted)| **width < **wanted) {
            if rest > 0 {
                *width = (*width + 1).min(*wanted);
                rest -= 1;
            }
        }
    }
    Some(widths)
}

fn longest_word(text: &str) -> usize {
    text.split(' ').map(display_width).max().unwrap_or_default()
}

fn wrapped(rows: &[Vec<String>], widths: &[usize]) -> Vec<Vec<String>> {
    let cell = |(cell, width): (&String, &usize)| wrap(cell, whole_words(*width)).join("\n");
    rows.iter().map(|row| row.iter().zip(widths).map(cell).collect()).collect()
}

fn whole_words<'a>(width: usize) -> Options<'a> {
    Options::new(width).break_words(false).word_splitter(WordSplitter::NoHyphenation)
}

/// One block for each row. Empty values are left out.
fn records(columns: &[&str], rows: &[Vec<String>], width: usize) -> String {
    let label = columns.iter().map(|name| display_width(name)).max().unwrap_or_default() + GAP;
    let room = width.saturating_sub(label).max(LEAST);
    let block = |row: &Vec<String>| -> String {
        let values = columns.iter().zip(row).filter(|(_, value)| !value.is_empty());
        values.map(|(name, value)| record_lines(name, value, label, room)).collect()
    };
    rows.iter().map(block).collect::<Vec<String>>().join("\n")
}

fn record_lines(name: &str, value: &str, label: usize, room: usize) -> String {
    let parts = wrap(value, whole_words(room).break_words(true));
    let line = |(n, part): (usize, &std::borrow::Cow<'_, str>)| {
        format!("{:<label$}{part}\n", if n == 0 { name } else { "" })
    };
    parts.iter().enumerate().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "directory_user_01E1JG7J09H96KYP8HM9B0G5SJ";

    fn rows(rows: &[&[&str]]) -> Vec<Vec<String>> {
        rows.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect()).collect()
    }

    fn widest(text: &str) -> usize {
        text.lines().map(|line| display_width(line.trim_end())).max().unwrap_or_default()
    }

    #[test]
    fn a_table_that_fits_is_the_same_on_a_terminal_and_elsewhere() {
        let rows = rows(&[&["1", "Ada"], &["2", "Grace"]]);
        assert_eq!(write(&["id", "name"], &rows, Some(80)), write(&["id", "name"], &rows, None));
    }

    #[test]
    fn long_texts_are_wrapped_and_ids_stay_whole() {
        let reason = "the directory reports the person as deleted or inactive, and nothing else gives access";
        let rows = rows(&[&[ID, reason], &["u2", "short"]]);

        let text = write(&["id", "because"], &rows, Some(70));

        assert!(widest(&text) <= 70, "{text}");
        assert!(text.contains(ID) && text.lines().count() > 4, "{text}");
        let words: Vec<&str> = reason.split(' ').collect();
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
        assert_eq!(write(&["id", "because"], &rows, None).lines().count(), 3);
    }

    #[test]
    fn a_table_that_cannot_fit_becomes_records() {
        let rows = rows(&[&[ID, "org_1", "Ada"], &["u2", "", "two words"]]);

        let text = write(&["user_id", "tenant_id", "name"], &rows, Some(50));

        let expected = format!(
            "user_id    {}\n           {}\ntenant_id  org_1\nname       Ada\n\nuser_id    u2\nname       two words\n",
            &ID[..39],
            &ID[39..]
        );
        assert_eq!(text, expected);
        assert!(widest(&write(&["user_id", "tenant_id", "name"], &rows, Some(1))) <= LEAST + 11);
    }

    #[test]
    fn an_empty_list_has_its_columns_at_any_width() {
        let columns = ["user_id", "tenant_id", "name"];
        for width in [None, Some(80), Some(10), Some(0)] {
            let text = write(&columns, &[], width);
            assert_eq!(text.split_whitespace().collect::<Vec<_>>(), columns, "{width:?}");
        }
    }

    #[test]
    fn wide_characters_take_two_columns() {
        let rows = rows(&[&["u1", &"山田 太郎 ".repeat(20)]]);
        let text = write(&["id", "name"], &rows, Some(40));
        assert!(widest(&text) <= 40, "{text}");
        assert_eq!(text.matches('郎').count(), 20, "nothing is lost");
    }
}
