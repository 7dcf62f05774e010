//! Lists in three forms: a table for people, JSON and CSV for programs.

mod table;

use std::{
    borrow::Cow,
    io::{IsTerminal, Write},
};

use console::Term;
use serde_json::{Map, Value};

use crate::text::{
    csv::{for_machines, text},
    is_hidden,
};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    #[default]
    Table,
    /// JSON, for programs; a list is an array of objects with the names of the columns (docs/schemas)
    Json,
    /// JSON, for programs; one object on each line
    Jsonl,
    /// CSV, for programs; every field is quoted, values are unchanged
    Csv,
}

/// Rows under named columns.
pub struct List {
    pub columns: Vec<&'static str>,
    pub rows: Vec<Vec<Value>>,
}

impl List {
    pub fn print(&self, format: Format) -> std::io::Result<()> {
        let text = match format {
            Format::Table => self.table(terminal_width()),
            Format::Json => self.json(),
            Format::Jsonl => self.jsonl(),
            // No program reads the values from a terminal, and a name with a line end would look like a second row.
            Format::Csv if std::io::stdout().is_terminal() => for_machines(&self.columns, &self.shown()),
            Format::Csv => for_machines(&self.columns, &self.rows),
        };
        print_text(&text)
    }

    /// The list with these columns only.
    pub fn only(self, columns: &[&str]) -> Self {
        let keep: Vec<bool> = self.columns.iter().map(|name| columns.contains(name)).collect();
        let mut kept = keep.iter().cycle();
        let row =
            |row: Vec<Value>| row.into_iter().filter(|_| kept.next().copied().unwrap_or_default()).collect();
        let rows = self.rows.into_iter().map(row).collect();
        Self { columns: self.columns.into_iter().filter(|name| columns.contains(name)).collect(), rows }
    }

    /// Each value as one line of text.
    fn shown(&self) -> Vec<Vec<Value>> {
        let row = |row: &Vec<Value>| row.iter().map(|value| printable_line(&text(value)).into()).collect();
        self.rows.iter().map(row).collect()
    }

    fn table(&self, width: Option<usize>) -> String {
        let row = |row: &Vec<Value>| row.iter().map(|value| printable_line(&text(value))).collect();
        table::write(&self.columns, &self.rows.iter().map(row).collect::<Vec<_>>(), width)
    }

    fn json(&self) -> String {
        format!("{:#}\n", Value::Array(self.objects().collect()))
    }

    fn jsonl(&self) -> String {
        self.objects().map(|object| format!("{object}\n")).collect()
    }

    fn objects(&self) -> impl Iterator<Item = Value> {
        self.rows.iter().map(|row| {
            let pairs = self.columns.iter().zip(row).map(|(name, value)| ((*name).to_owned(), value.clone()));
            Value::Object(pairs.collect::<Map<_, _>>())
        })
    }
}

/// The columns of the terminal; `None` if the output goes elsewhere.
fn terminal_width() -> Option<usize> {
    let terminal = Term::stdout();
    let size = terminal.is_term().then(|| terminal.size_checked()).flatten()?;
    // A terminal that does not know its size says 0.
    Some(usize::from(size.1)).filter(|columns| *columns > 0)
}

/// Prints text. A reader that closes early, such as `| head`, is not an error.
pub fn print_text(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let text = match out.is_terminal() {
        true => Cow::Owned(printable(text.trim_start_matches('\u{feff}'))),
        false => Cow::Borrowed(text),
    };
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome,
    }
}

/// Removes control and direction characters. Names come from customers' directories: they must not control the
/// operator's terminal nor reverse the text next to them.
pub fn printable(text: &str) -> String {
    let shown = |c| match c {
        '\n' => '\n',
        // Errors of libpq begin their second line with one.
        '\t' => ' ',
        c if is_hidden(c) => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    text.chars().map(shown).collect()
}

/// The same in one line, so a name with a line end does not look like another row.
pub fn printable_line(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\r' | '\t' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => ' ',
            c if is_hidden(c) => char::REPLACEMENT_CHARACTER,
            c => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_neither_steers_a_terminal_nor_turns_a_line_nor_forges_a_row() {
        let name = "Ada\u{1b}[31m\u{202e}x\u{9b}1m\u{200b}\r\nu9  eve  active\u{2028}y";
        let shown = "Ada\u{fffd}[31m\u{fffd}x\u{fffd}1m\u{fffd}";

        assert_eq!(printable_line(name), format!("{shown}  u9  eve  active y"));
        assert_eq!(printable(name), format!("{shown}\u{fffd}\nu9  eve  active\u{fffd}y"));
        let list = List { columns: vec!["id", "name"], rows: vec![vec!["u1".into(), name.into()]] };
        assert_eq!(list.table(None).lines().count(), 2, "{}", list.table(None));
        let csv = for_machines(&list.columns, &list.shown());
        assert_eq!(csv.lines().count(), 2, "{csv}");
    }

    #[test]
    fn an_empty_list_has_its_columns_in_each_form_that_has_columns() {
        let list = List { columns: vec!["id", "name"], rows: Vec::new() };
        assert_eq!(list.table(None).split_whitespace().collect::<Vec<_>>(), ["id", "name"]);
        assert_eq!(for_machines(&list.columns, &list.rows).trim(), "\"id\",\"name\"");
        assert_eq!((list.json().as_str(), list.jsonl().as_str()), ("[]\n", ""));
    }

    #[test]
    fn a_list_for_programs_may_have_an_object_on_each_line() {
        let list = List {
            columns: vec!["id", "name"],
            rows: vec![vec![1.into(), "A\nB".into()], vec![2.into(), Value::Null]],
        };
        assert_eq!(list.jsonl(), "{\"id\":1,\"name\":\"A\\nB\"}\n{\"id\":2,\"name\":null}\n");
    }

    #[test]
    fn words_that_need_joiners_stay() {
        for fact in ["می\u{200c}خواهم", "👩\u{200d}💻", "Łukasz"] {
            assert_eq!(printable_line(fact), fact);
        }
    }
}
