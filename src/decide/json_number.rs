//! JSON numbers in one form, so that equal numbers are equal texts on both databases. The file is pure.
//!
//! PostgreSQL's jsonb stores the value of a number and not its text: `1e16` is read as `10000000000000000`. SQLite
//! stores the text. So each number is written without an exponent and without zeros at its end before it is stored.
//! Rules compare this form: `3`, `3.0` and `30e-1` are one number.

use serde_json::{Number, Value};

/// The maximum number of digits of a written-out number. A double-precision number never needs more.
const MOST_DIGITS: usize = 400;

/// The number in its one form; `None` if that needs more than 400 digits.
pub fn canonical(number: &Number) -> Option<Number> {
    if is_canonical(number) {
        return Some(number.clone());
    }
    serde_json::from_str(&written_out(number.as_str())?).ok()
}

/// Whether a number is an integer in its one form, as most numbers are.
fn is_canonical(number: &Number) -> bool {
    let text = number.as_str();
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.len() <= 19 && digits.bytes().all(|byte| byte.is_ascii_digit()) && text != "-0"
}

fn written_out(text: &str) -> Option<String> {
    let (sign, unsigned) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_start_matches('0');
    if significant.is_empty() {
        return Some("0".to_owned());
    }
    // The position of the decimal point, counted from the first significant digit.
    let leading = i64::try_from(digits.len() - significant.len()).ok()?;
    let exponent: i64 = exponent.parse().ok()?;
    let point = i64::try_from(whole.len()).ok()?.checked_sub(leading)?.checked_add(exponent)?;
    let significant = significant.trim_end_matches('0');
    let length = i64::try_from(significant.len()).ok()?;
    let most = i64::try_from(MOST_DIGITS).ok()?;
    if point > most || point < -most || length > most {
        return None;
    }
    let zeros = |count: i64| "0".repeat(usize::try_from(count).unwrap_or_default());
    Some(match point {
        point if point <= 0 => format!("{sign}0.{}{significant}", zeros(-point)),
        point if point >= length => format!("{sign}{significant}{}", zeros(point - length)),
        point => {
            let (whole, fraction) = significant.split_at_checked(usize::try_from(point).ok()?)?;
            format!("{sign}{whole}.{fraction}")
        }
    })
}

/// Writes each number of the value in its one form. A number with too many digits is removed, and `leave_out` is called
/// with its key. Returns false when the value itself is such a number. Nothing is copied when all numbers have that form.
pub fn canonicalize(value: &mut Value, key: &str, leave_out: &mut impl FnMut(&str)) -> bool {
    match value {
        Value::Number(number) if is_canonical(number) => true,
        Value::Number(number) => match canonical(number) {
            Some(one_form) => {
                *number = one_form;
                true
            }
            None => {
                leave_out(key);
                false
            }
        },
        Value::Array(items) => {
            items.retain_mut(|item| canonicalize(item, key, leave_out));
            true
        }
        Value::Object(map) => {
            map.retain(|key, value| canonicalize(value, key, leave_out));
            true
        }
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn form(text: &str) -> Option<String> {
        let number: Number = serde_json::from_str(text).unwrap();
        canonical(&number).map(|number| number.to_string())
    }

    #[test]
    fn equal_numbers_have_one_form_and_no_digit_is_lost() {
        for (written, one) in [
            ("0", "0"),
            ("-0", "0"),
            ("0.00", "0"),
            ("-0e7", "0"),
            ("3", "3"),
            ("3.0", "3"),
            ("30e-1", "3"),
            ("0.3E1", "3"),
            ("1e16", "10000000000000000"),
            ("1.2345678901234568E16", "12345678901234568"),
            ("-1.50", "-1.5"),
            ("0.0012e2", "0.12"),
            ("12e-4", "0.0012"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            ("1234567890123456789012345678901.50", "1234567890123456789012345678901.5"),
        ] {
            assert_eq!(form(written).as_deref(), Some(one), "{written}");
        }
        for too_long in ["1e400", "1e-402", "1e99999999999999999999"] {
            assert_eq!(form(too_long), None, "{too_long}");
        }
    }

    proptest! {
        #[test]
        fn the_form_has_the_same_value_and_is_its_own_form(
            whole in "-?(0|[1-9][0-9]{0,12})", fraction in "(\\.[0-9]{1,8})?", exponent in prop::option::of(-12..12_i32),
        ) {
            let exponent = exponent.map_or_else(String::new, |exponent| format!("e{exponent}"));
            let text = format!("{whole}{fraction}{exponent}");
            let one = form(&text).unwrap();
            prop_assert!(!one.contains('e') && (!one.contains('.') || !one.ends_with('0')), "{}", one);
            prop_assert_eq!(one.parse::<f64>().unwrap() + 0.0, text.parse::<f64>().unwrap() + 0.0);
            prop_assert_eq!(form(&one), Some(one));
        }
    }
}
