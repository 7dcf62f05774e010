//! The access review as a workbook (XLSX): one sheet for each kind of record.
//!
//! A cell has the type of its value, so no text becomes a number, a date or a formula. `rust_xlsxwriter` writes control
//! characters as `_xHHHH_`, and escapes texts that look like that.

use rust_xlsxwriter::{Format, Workbook, XlsxError};
use serde_json::Value;
use strum::IntoEnumIterator;

use super::{
    review::Review,
    review_sheets::{SheetKind, sheet},
};
use crate::text::csv;

/// The maximum length of a text in a cell, in characters.
const LONGEST: usize = 32_767;
const WIDTH: f64 = 24.0;
/// Beyond this, numbers of a workbook are not exact.
const LARGEST: u64 = 1 << 53;

/// The bytes of the file. Fails when there are more rows than a sheet can have.
pub fn write(review: &Review) -> Result<Vec<u8>, XlsxError> {
    let mut workbook = Workbook::new();
    let bold = Format::new().set_bold();
    for kind in SheetKind::iter() {
        let sheet = sheet(review, kind);
        let name: &str = kind.into();
        let page = workbook.add_worksheet();
        page.set_name(name)?.set_landscape().set_print_fit_to_pages(1, 0).set_freeze_panes(1, 0)?;
        page.set_repeat_rows(0, 0)?;
        page.set_header(format!("&L{}&R{}", plain(&review.tenant_id), plain(&review.as_of)));
        for (column, name) in (0..).zip(&sheet.columns) {
            page.set_column_width(column, WIDTH)?.write_string_with_format(0, column, *name, &bold)?;
        }
        for (row, cells) in (1..).zip(&sheet.rows) {
            for (column, value) in (0..).zip(cells) {
                match (value, exact(value)) {
                    (Value::Null, _) => {}
                    (Value::Bool(value), _) => {
                        page.write_boolean(row, column, *value)?;
                    }
                    (_, Some(number)) => {
                        page.write_number(row, column, number)?;
                    }
                    (value, None) => {
                        page.write_string(row, column, text(value))?;
                    }
                }
            }
        }
    }
    workbook.save_to_buffer()
}

/// A number that a workbook can have.
fn exact(value: &Value) -> Option<f64> {
    let number = value.as_i64().filter(|number| number.unsigned_abs() < LARGEST)?;
    number.to_string().parse().ok()
}

/// XML has no form for two characters.
fn text(value: &Value) -> String {
    let text = csv::text(value).replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}");
    // Long characters count twice.
    let mut left = LONGEST;
    text.chars()
        .take_while(|c| {
            let fits = left >= c.len_utf16();
            left = left.saturating_sub(c.len_utf16());
            fits
        })
        .collect()
}

/// For a page header, in which `&` begins a command and the length is limited.
fn plain(text: &str) -> String {
    text.chars().filter(|c| *c != '&' && !c.is_control()).take(80).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use calamine::{Data, Reader, Xlsx};

    use super::*;
    use crate::audit::{
        review::ReviewCounts,
        review_people::{ReviewedPerson, ReviewedRole},
    };

    /// Texts that other writers change, or that a spreadsheet would read as something else.
    const TEXTS: [&str; 16] = [
        "dir_x0041_7",
        "_x0041_x0042_",
        "_x005F_",
        "=1+1",
        "+49 30 1",
        "-2+3",
        "@SUM(A1)",
        "0012",
        "1e5",
        "2026-06-01",
        "1/2",
        "TRUE",
        "https://acme.example/?a=1&b=<2>",
        "mailto:ada@acme.example",
        "Zoë \u{1F600} \"quoted\" 'x'",
        " two\r\nlines\tand a tab ",
    ];

    #[test]
    fn texts_are_read_back_as_they_are_and_numbers_as_numbers() {
        let person = |text: &&str| ReviewedPerson {
            user_id: (*text).to_owned(),
            name: Some((*text).to_owned()),
            privileged: true,
            roles: vec![ReviewedRole { role: (*text).to_owned(), entry: 7, ..ReviewedRole::default() }],
            ..ReviewedPerson::default()
        };
        let review = Review {
            tenant_id: "org_1&A".into(),
            people: TEXTS.iter().map(person).collect(),
            counts: ReviewCounts { later_entries: i64::MAX, people: 16, ..ReviewCounts::default() },
            ..Review::default()
        };

        let bytes = write(&review).unwrap();

        let mut book: Xlsx<_> = calamine::open_workbook_from_rs(Cursor::new(bytes)).unwrap();
        let names: Vec<&str> = SheetKind::iter().map(Into::into).collect();
        assert_eq!(book.sheet_names(), names);
        let roles = book.worksheet_range("roles").unwrap();
        let column = |name: &str| {
            let head = roles.rows().next().unwrap();
            head.iter().position(|cell| *cell == Data::String(name.to_owned())).unwrap()
        };
        let (id, role, privileged, entry) =
            (column("user_id"), column("role"), column("privileged"), column("entry"));
        for (row, text) in roles.rows().skip(1).zip(TEXTS) {
            assert_eq!((&row[id], &row[role]), (&Data::String(text.into()), &Data::String(text.into())));
            assert_eq!((&row[privileged], &row[entry]), (&Data::Bool(false), &Data::Float(7.0)));
        }
        assert_eq!(roles.rows().count(), TEXTS.len() + 1);
        let summary = book.worksheet_range("summary").unwrap();
        let value = |name: &str| {
            let row = summary.rows().find(|row| row[0] == Data::String(name.to_owned())).unwrap();
            row[1].clone()
        };
        assert_eq!(value("counts.people"), Data::Float(16.0));
        assert_eq!(value("counts.later_entries"), Data::String(i64::MAX.to_string()), "every digit remains");
    }

    #[test]
    fn a_text_that_is_too_long_is_cut_at_a_character() {
        let long = "\u{1F600}".repeat(20_000);
        assert_eq!(text(&Value::from(long)).encode_utf16().count(), LONGEST - 1);
        assert_eq!(text(&Value::from("a\u{ffff}b")), "a\u{fffd}b");
    }
}
