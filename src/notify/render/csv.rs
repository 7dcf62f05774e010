//! The attached list of a mail that does not name all leavers.

use serde_json::Value;

use super::{
    Attachment, CSV, Digest,
    clean::{self, Clean},
    leavers::because,
    shown::time,
};
use crate::text::csv::{head_for_people, line_for_people};

/// The largest list. Many servers refuse larger mails.
pub const MOST_BYTES: usize = 2 << 20;

const LIST_END: &str = include_str!("../../../templates/mail/list-end.txt");

pub(super) fn people(digest: &Digest) -> Option<Attachment> {
    if digest.listed.is_empty() {
        return None;
    }
    let mut csv = head_for_people(&["name", "email", "user_id", "since", "because", "reference"]);
    for leaver in &digest.listed {
        // Dots are not separated: a file has no links, and a reader must find an id in it.
        let clean = |text: Option<&str>, most| {
            text.map(|text| clean::line(text, most)).map(Clean::into_text).unwrap_or_default()
        };
        let cells = [
            clean(leaver.name.as_deref(), 80),
            clean(leaver.email.as_deref(), 254),
            clean(Some(&leaver.user_id), 64),
            time(leaver.since).into_text(),
            because(leaver).to_string(),
            format!("inbox {}", leaver.inbox_id),
        ];
        let row = line_for_people(&cells.map(Value::from));
        if csv.len() + row.len() > MOST_BYTES {
            csv.push_str(&line_for_people(&[Value::from(LIST_END.trim())]));
            break;
        }
        csv.push_str(&row);
    }
    Some(Attachment { file_name: "people.csv", content_type: CSV, text: csv })
}
