//! Cells for somebody's spreadsheet. Others' texts must not run there as formulas (OWASP, CSV injection).

use serde_json::Value;

pub(crate) fn cell(text: String) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text }
}

pub(crate) fn csv(columns: &[&str], rows: &[Vec<Value>]) -> String {
    let mut csv = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
    let mut write = || {
        csv.write_record(columns)?;
        rows.iter().try_for_each(|row| csv.write_record(row.iter().map(|value| cell(text(value)))))
    };
    // Into memory, rows of any length: writing cannot fail.
    drop::<csv::Result<()>>(write());
    String::from_utf8_lossy(&csv.into_inner().unwrap_or_default()).into_owned()
}

pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
