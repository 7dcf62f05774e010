//! CSV (RFC 4180) in two forms. Both quote each field, so that no separator of a locale splits a text:
//!
//! - for machines, with unchanged values;
//! - for people, whose spreadsheet would run some texts as formulas (OWASP, CSV injection; lesson 54): such a text gets an
//!   apostrophe, which marks it as text. Numbers are not changed.

use serde_json::Value;

use crate::text::is_hidden;

/// A whole file for machines. Lines end with LF.
pub(crate) fn for_machines(columns: &[&str], rows: &[Vec<Value>]) -> String {
    let head = line(columns.iter().map(|name| (*name).to_owned()), csv::Terminator::Any(b'\n'));
    rows.iter().fold(head, |csv, row| csv + &line(row.iter().map(text), csv::Terminator::Any(b'\n')))
}

/// The first line of a file for people. It begins with a byte order mark, without which Excel misreads UTF-8.
pub(crate) fn head_for_people(columns: &[&str]) -> String {
    format!("\u{feff}{}", line(columns.iter().map(|name| (*name).to_owned()), csv::Terminator::CRLF))
}

/// One more line of that file.
pub(crate) fn line_for_people(row: &[Value]) -> String {
    line(row.iter().map(cell), csv::Terminator::CRLF)
}

fn line(fields: impl Iterator<Item = String>, terminator: csv::Terminator) -> String {
    let mut csv = csv::WriterBuilder::new()
        .quote_style(csv::QuoteStyle::Always)
        .terminator(terminator)
        .from_writer(Vec::new());
    // Writing one record into memory cannot fail.
    drop::<csv::Result<()>>(csv.write_record(fields.map(String::into_bytes)));
    String::from_utf8_lossy(&csv.into_inner().unwrap_or_default()).into_owned()
}

fn cell(value: &Value) -> String {
    match value {
        Value::String(text) if is_formula(text) => format!("'{text}"),
        other => text(other),
    }
}

/// Whether a spreadsheet would run a text as a formula. Some ignore blanks, line ends and invisible characters before the
/// sign, and accept the full-width forms of the signs. A negative number is no formula.
fn is_formula(text: &str) -> bool {
    let begins = text.trim_start_matches(|c: char| c.is_whitespace() || is_hidden(c));
    let signed = begins.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠', '\u{2212}']);
    // A tab or a line end at the start moves the rest into another cell.
    (signed && text.parse::<f64>().is_err()) || text.starts_with(['\t', '\r', '\n'])
}

pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_formula_is_a_text_for_people_and_as_it_is_for_machines() {
        let formulas = [
            "=1+1",
            " =1+1",
            "\u{a0}@x",
            "\n=1+1",
            "\r+x",
            "\t-x",
            "＝1+1",
            "\u{200b}=1",
            "+cmd",
            "-2+3",
            "−1",
        ];
        for formula in formulas {
            let row = vec![json!(formula)];
            assert!(line_for_people(&row).starts_with("\"'"), "{formula:?}");
            assert_eq!(for_machines(&["name"], &[row]), format!("\"name\"\n\"{formula}\"\n"));
        }
    }

    #[test]
    fn numbers_ids_and_names_are_not_spoiled() {
        let row = [
            json!(-3),
            json!("-3"),
            json!("+4.5"),
            json!("user_01"),
            json!("Ada;=1+1;x"),
            json!("a \"b\", c"),
            Value::Null,
        ];
        assert_eq!(
            line_for_people(&row),
            "\"-3\",\"-3\",\"+4.5\",\"user_01\",\"Ada;=1+1;x\",\"a \"\"b\"\", c\",\"\"\r\n"
        );
    }

    proptest! {
        #[test]
        fn whatever_is_written_for_machines_is_read_back(rows in prop::collection::vec(prop::collection::vec(".*", 3), 0..5)) {
            let values: Vec<Vec<Value>> =
                rows.iter().map(|row| row.iter().map(|text| json!(text)).collect()).collect();
            let written = for_machines(&["a", "b", "c"], &values);
            let mut reader = csv::Reader::from_reader(written.as_bytes());
            let read: Vec<Vec<String>> = reader
                .records()
                .map(|record| record.unwrap().iter().map(str::to_owned).collect())
                .collect();
            prop_assert_eq!(read, rows);
        }
    }
}
