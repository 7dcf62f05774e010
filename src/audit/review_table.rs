//! The access review and receipts as rows of one table. The file is pure.

use serde_json::Value;

use super::{leaver_receipt::Receipt, report::Report};
use crate::text::csv;

pub const RECEIPT: [&str; 15] = [
    "user_id",
    "name",
    "email",
    "roles_lost",
    "because",
    "said_at",
    "received_at",
    "applied_at",
    "told_at",
    "mail",
    "message_id",
    "minutes_said_to_applied",
    "minutes_received_to_applied",
    "minutes_applied_to_told",
    "returned_at",
];

pub fn receipt_row(receipt: &Receipt) -> Vec<Value> {
    let mut row = serde_json::to_value(receipt).unwrap_or_default();
    if let Some(roles) = row.get_mut("roles_lost") {
        *roles = receipt.roles_lost.join(" ").into();
    }
    RECEIPT.iter().map(|column| row.get(*column).cloned().unwrap_or_default()).collect()
}

/// As CSV: a row for each held role, then one for each leaver.
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
    holds.chain(left).fold(csv::head_for_people(&columns), |csv, row| csv + &csv::line_for_people(&row))
}
