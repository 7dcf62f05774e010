//! One list, three forms: a table to look at, JSON and CSV to work with.

use std::io::Write;

use comfy_table::{Table, presets};
use serde_json::{Map, Value};

use crate::spreadsheet::{for_machines, text};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    #[default]
    Table,
    /// An array of objects with the columns' names
    Json,
    /// Every field in quotes, values as they are: for programs
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
            Format::Table => self.table(),
            Format::Json => self.json(),
            Format::Csv => for_machines(&self.columns, &self.rows),
        };
        say(&text)
    }

    /// The same with these columns.
    pub fn only(self, columns: &[&str]) -> Self {
        let keep: Vec<bool> = self.columns.iter().map(|name| columns.contains(name)).collect();
        let mut kept = keep.iter().cycle();
        let row =
            |row: Vec<Value>| row.into_iter().filter(|_| kept.next().copied().unwrap_or_default()).collect();
        let rows = self.rows.into_iter().map(row).collect();
        Self { columns: self.columns.into_iter().filter(|name| columns.contains(name)).collect(), rows }
    }

    fn table(&self) -> String {
        if self.rows.is_empty() {
            return "none\n".to_owned();
        }
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_header(self.columns.iter());
        for row in &self.rows {
            table.add_row(row.iter().map(|value| printable(&text(value))));
        }
        format!("{table}\n")
    }

    fn json(&self) -> String {
        let object = |row: &Vec<Value>| {
            let pairs = self.columns.iter().zip(row).map(|(name, value)| ((*name).to_owned(), value.clone()));
            Value::Object(pairs.collect::<Map<_, _>>())
        };
        let rows = Value::Array(self.rows.iter().map(object).collect());
        format!("{rows:#}\n")
    }
}

/// Text for whoever reads; one that has seen enough, as `| head`, is no failure.
pub fn say(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome,
    }
}

/// Names come from other people's directories: they must not steer the operator's terminal.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { char::REPLACEMENT_CHARACTER } else { c }).collect()
}
