//! The access review and receipts as rows of one table. The file is pure.

use serde_json::Value;

use super::{leaver_receipt::Receipt, report::Report};
use crate::text::csv;

pub const RECEIPT: [&str; 21] = [
    "user_id",
    "name",
    "email",
    "roles_lost",
    "because",
    "stated_at",
    "received_at",
    "hold_id",
    "held_at",
    "decided_at",
    "decided_by",
    "applied_at",
    "notified_at",
    "mail",
    "message_id",
    "minutes_stated_to_applied",
    "minutes_received_to_applied",
    "minutes_held_to_decided",
    "minutes_decided_to_applied",
    "minutes_applied_to_notified",
    "returned_at",
];

pub fn receipt_row(receipt: &Receipt) -> Vec<Value> {
    let mut row = serde_json::to_value(receipt).unwrap_or_default();
    if let Some(roles) = row.get_mut("roles_lost") {
        *roles = receipt.roles_lost.join(" ").into();
    }
    RECEIPT.iter().map(|column| row.get(*column).cloned().unwrap_or_default()).collect()
}

/// As CSV: a row for each access that the directory denies, then one for each role, then one for each leaver.
pub fn write(report: &Report) -> String {
    let mut columns = vec!["record", "role", "since"];
    columns.extend(RECEIPT);
    let place = |name: &str| RECEIPT.iter().position(|column| *column == name);
    let holds = report.holds.iter().map(|holds| {
        let mut row = vec!["holds".into(), holds.role.as_deref().into(), holds.since.as_deref().into()];
        let mut rest = vec![Value::Null; RECEIPT.len()];
        let known = [
            ("user_id", Some(holds.user_id.as_str())),
            ("name", holds.name.as_deref()),
            ("email", holds.email.as_deref()),
            ("because", holds.because.as_deref()),
        ];
        for (name, text) in known {
            if let Some(value) = place(name).and_then(|n| rest.get_mut(n)) {
                *value = text.into();
            }
        }
        row.extend(rest);
        row
    });
    let left = report.left.iter().map(|receipt| {
        let mut row = vec!["left".into(), Value::Null, Value::Null];
        row.extend(receipt_row(receipt));
        row
    });
    let under_review = report.under_review.iter().map(|under_review| {
        let known = [
            ("user_id", Value::from(under_review.user_id.as_str())),
            ("name", under_review.name.as_deref().into()),
            ("email", under_review.email.as_deref().into()),
            (
                "because",
                format!("{}: the directory wants {}", under_review.reason, under_review.directory_wants)
                    .into(),
            ),
            ("hold_id", under_review.hold_id.into()),
            ("decided_at", under_review.decided_at.as_deref().into()),
            ("decided_by", under_review.decided_by.as_deref().into()),
        ];
        let cells = RECEIPT.iter().map(|column| {
            known.iter().find(|(name, _)| name == column).map(|(_, value)| value.clone()).unwrap_or_default()
        });
        let first = ["under_review".into(), Value::Null, under_review.since.as_str().into()];
        first.into_iter().chain(cells).collect::<Vec<Value>>()
    });
    under_review
        .chain(holds)
        .chain(left)
        .fold(csv::head_for_people(&columns), |csv, row| csv + &csv::line_for_people(&row))
}
