//! The list attached to a mail that does not name everybody.

use super::{Attachment, CSV, Digest, clean, leavers::because, time};
use crate::spreadsheet::cell;

/// A mail that carries more is refused by many a server.
pub const MOST_BYTES: usize = 2 << 20;

pub(super) fn people(digest: &Digest) -> Option<Attachment> {
    if digest.listed.is_empty() {
        return None;
    }
    // With a byte order mark, without which Excel takes UTF-8 for something else.
    let mut csv = String::from("\u{feff}name,email,user_id,since,because,reference\r\n");
    for leaver in &digest.listed {
        let clean = |text: Option<&str>, most| text.map(|text| clean::name(text, most)).unwrap_or_default();
        let cells = [
            clean(leaver.name.as_deref(), 80),
            leaver.email.as_deref().map(clean::email).unwrap_or_default(),
            clean::name(&leaver.user_id, 64),
            time(leaver.since.micros()),
            because(leaver),
            format!("inbox {}", leaver.inbox_id),
        ];
        let row: Vec<String> = cells.into_iter().map(|text| quoted(&cell(text))).collect();
        let row = row.join(",");
        if csv.len() + row.len() > MOST_BYTES {
            csv.push_str("\"The list ends here, because a mail cannot carry more.\"\r\n");
            break;
        }
        csv.push_str(&row);
        csv.push_str("\r\n");
    }
    Some(Attachment { file_name: "people.csv", content_type: CSV, text: csv })
}

fn quoted(text: &str) -> String {
    if text.contains(['"', ',']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}
