//! The access review as tables: one kind of record in each, for CSV files and workbooks. The file is pure.

mod columns;

use serde_json::{Value, json};
use strum::{EnumIter, IntoStaticStr};

use super::{
    movement::Movement,
    review::Review,
    review_people::ReviewedPerson,
    review_table::{RECEIPT, receipt_row},
};
use crate::text::csv;
use columns::{CHANGE, DIRECTORY, HOLDER, MOVEMENT, PERSON, ROLE, UNDER_REVIEW};

/// A kind of record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, IntoStaticStr, clap::ValueEnum)]
#[strum(serialize_all = "kebab-case")]
pub enum SheetKind {
    /// Tenant, time, head, versions, author and counts
    Summary,
    /// Access that somebody has although the directory says otherwise
    UnderReview,
    /// One row for each person with access
    People,
    /// One row for each role of each person
    #[default]
    Roles,
    /// People who gained access in the period
    Joiners,
    /// People whose roles, directory, department or manager changed in the period
    Movers,
    /// People who lost access in the period
    Leavers,
    /// The evidence for the leavers
    Receipts,
    /// The difference between the beginning and the end of the period
    Changes,
    /// Directories with their last comparison
    Directories,
}

pub struct Sheet {
    pub columns: Vec<&'static str>,
    pub rows: Vec<Vec<Value>>,
}

impl Sheet {
    /// For spreadsheets: formulas are texts.
    pub fn csv(&self) -> String {
        let head = csv::head_for_people(&self.columns);
        self.rows.iter().fold(head, |csv, row| csv + &csv::line_for_people(row))
    }
}

pub fn sheet(review: &Review, kind: SheetKind) -> Sheet {
    match kind {
        SheetKind::Summary => summary(review),
        SheetKind::UnderReview => records(&UNDER_REVIEW, review.under_review.iter().map(|one| json!(one))),
        SheetKind::People => people(review),
        SheetKind::Roles => roles(review),
        SheetKind::Joiners => movements(&review.joiners),
        SheetKind::Movers => movements(&review.movers),
        SheetKind::Leavers => movements(&review.leavers),
        SheetKind::Receipts => {
            Sheet { columns: RECEIPT.to_vec(), rows: review.receipts.iter().map(receipt_row).collect() }
        }
        SheetKind::Changes => records(&CHANGE, review.changes.iter().map(|one| json!(one))),
        SheetKind::Directories => records(&DIRECTORY, review.directories.iter().map(|one| json!(one))),
    }
}

/// The members of each object under the columns.
fn records(columns: &[&'static str], records: impl Iterator<Item = Value>) -> Sheet {
    Sheet { columns: columns.to_vec(), rows: records.map(|record| cells(columns, &record)).collect() }
}

fn cells(columns: &[&'static str], record: &Value) -> Vec<Value> {
    columns.iter().map(|column| cell(record.get(*column))).collect()
}

/// A list becomes one text.
fn cell(value: Option<&Value>) -> Value {
    match value {
        Some(Value::Array(list)) => {
            list.iter().filter_map(Value::as_str).collect::<Vec<&str>>().join(" ").into()
        }
        value => value.cloned().unwrap_or_default(),
    }
}

fn people(review: &Review) -> Sheet {
    let mut columns = PERSON.to_vec();
    columns.push("roles");
    let row = |person: &ReviewedPerson| {
        let mut row = cells(&PERSON, &json!(person));
        let roles: Vec<&str> = person.roles.iter().map(|role| role.role.as_str()).collect();
        row.push(roles.join(" ").into());
        row
    };
    Sheet { columns, rows: review.people.iter().map(row).collect() }
}

/// A person without roles has one row, too.
fn roles(review: &Review) -> Sheet {
    let columns = HOLDER.into_iter().chain(ROLE).collect();
    let rows = |person: &ReviewedPerson| -> Vec<Vec<Value>> {
        let holder = cells(&HOLDER, &json!(person));
        let of = |role: &Value| holder.iter().cloned().chain(cells(&ROLE, role)).collect();
        match person.roles.is_empty() {
            true => vec![of(&Value::Null)],
            false => person.roles.iter().map(|role| of(&json!(role))).collect(),
        }
    };
    Sheet { columns, rows: review.people.iter().flat_map(rows).collect() }
}

fn movements(movements: &[Movement]) -> Sheet {
    let row = |one: &Movement| {
        let mut record = json!(one);
        for name in ["directory", "department", "manager"] {
            for (side, when) in ["before", "after"].into_iter().enumerate() {
                let value = record.get(name).and_then(|sides| sides.get(side)).cloned().unwrap_or_default();
                if let Some(record) = record.as_object_mut() {
                    record.insert(format!("{name}_{when}"), value);
                }
            }
        }
        cells(&MOVEMENT, &record)
    };
    Sheet { columns: MOVEMENT.to_vec(), rows: movements.iter().map(row).collect() }
}

/// Names and values of all that is neither a list nor about one person.
fn summary(review: &Review) -> Sheet {
    let mut rows = Vec::new();
    let all = json!(review);
    for (name, value) in all.as_object().into_iter().flatten() {
        match value {
            Value::Array(_) => {}
            Value::Object(members) => rows.extend(
                members.iter().map(|(member, value)| vec![format!("{name}.{member}").into(), value.clone()]),
            ),
            value => rows.push(vec![name.as_str().into(), value.clone()]),
        }
    }
    Sheet { columns: vec!["name", "value"], rows }
}
