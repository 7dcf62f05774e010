//! Reads a body again that the ordinary reader rejects, so that a bad value costs no more than itself.
//!
//! A value that cannot be stored is left out and named: a number that is too large, or a value that is nested too
//! deeply. Half a surrogate pair and bytes that are not UTF-8 become NUL. No id may contain NUL, and all other texts
//! show it as U+FFFD, so two ids never become one. If a key is there twice, the last value is used, as in most readers
//! of JSON.

use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use crate::decide::json_number::canonical;

/// The deepest nesting of a value. serde_json reads 127 levels.
const DEEPEST: usize = 64;
const TOO_DEEP: &str = "it is nested too deeply";
/// The number of named values; more are left out without a name.
const MOST_NAMED: usize = 20;
/// The longest key in such a name, in characters.
const LONGEST_KEY: usize = 60;

pub(super) struct Mended {
    pub(super) value: Value,
    /// A text for the operator about each value that was left out.
    pub(super) left_out: Vec<String>,
}

/// `None` if the body is not JSON.
pub(super) fn mended(body: &[u8]) -> Option<Mended> {
    let mut reader = Reader { rest: body, path: Vec::new(), left_out: Vec::new() };
    let value = match reader.value()? {
        Read::Value(value) => value,
        Read::LeftOut(_) => return None,
    };
    reader.skip_blanks();
    reader.rest.is_empty().then_some(Mended { value, left_out: reader.left_out })
}

enum Read {
    Value(Value),
    LeftOut(&'static str),
}

struct Reader<'a> {
    rest: &'a [u8],
    path: Vec<String>,
    left_out: Vec<String>,
}

impl Reader<'_> {
    fn value(&mut self) -> Option<Read> {
        self.skip_blanks();
        Some(match self.rest.first()? {
            b'{' | b'[' if self.path.len() >= DEEPEST => self.skip()?,
            b'{' => self.object()?,
            b'[' => self.array()?,
            b'"' => Read::Value(Value::String(self.text()?)),
            _ => self.plain()?,
        })
    }

    fn object(&mut self) -> Option<Read> {
        self.take(b'{')?;
        let mut map = Map::new();
        if self.take(b'}').is_some() {
            return Some(Read::Value(Value::Object(map)));
        }
        loop {
            self.skip_blanks();
            let key = self.text()?;
            self.take(b':')?;
            self.path.push(key.chars().take(LONGEST_KEY).collect());
            let twice = map.remove(&key).is_some();
            match self.value()? {
                Read::Value(value) => {
                    if twice {
                        self.name("the key is there twice; the last value is used");
                    }
                    map.insert(key, value);
                }
                Read::LeftOut(why) => self.name(why),
            }
            self.path.pop();
            if self.take(b',').is_none() {
                self.take(b'}')?;
                return Some(Read::Value(Value::Object(map)));
            }
        }
    }

    fn array(&mut self) -> Option<Read> {
        self.take(b'[')?;
        let mut items = Vec::new();
        let mut is_too_deep = false;
        if self.take(b']').is_some() {
            return Some(Read::Value(Value::Array(items)));
        }
        loop {
            self.path.push("[]".to_owned());
            match self.value()? {
                Read::Value(value) => items.push(value),
                // Nested empty lists have no content, so the outermost list is left out and named.
                Read::LeftOut(TOO_DEEP) => is_too_deep = true,
                Read::LeftOut(why) => self.name(why),
            }
            self.path.pop();
            if self.take(b',').is_none() {
                self.take(b']')?;
                return Some(if is_too_deep {
                    Read::LeftOut(TOO_DEEP)
                } else {
                    Read::Value(Value::Array(items))
                });
            }
        }
    }

    fn name(&mut self, why: &str) {
        if self.left_out.len() < MOST_NAMED {
            self.left_out.push(format!("{}: {why}", self.path.join(".").replace('\0', "\u{fffd}")));
        }
    }

    /// A number, true, false or null.
    fn plain(&mut self) -> Option<Read> {
        let end = self.rest.iter().position(|byte| b",]} \t\r\n".contains(byte)).unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        let is_json = serde_json::from_slice::<IgnoredAny>(token).is_ok();
        match serde_json::from_slice(token) {
            Ok(Value::Number(number)) if canonical(&number).is_none() => {
                Some(Read::LeftOut("the number is too large"))
            }
            Ok(value) => Some(Read::Value(value)),
            Err(_) if is_json => Some(Read::LeftOut("the number is too large")),
            Err(_) => None,
        }
    }

    /// Skips a value without recursion, at any depth.
    fn skip(&mut self) -> Option<Read> {
        let mut values = serde_json::Deserializer::from_slice(self.rest).into_iter::<IgnoredAny>();
        values.next()?.ok()?;
        let end = values.byte_offset();
        self.rest = self.rest.get(end..)?;
        Some(Read::LeftOut(TOO_DEEP))
    }

    fn text(&mut self) -> Option<String> {
        let rest = self.rest.strip_prefix(b"\"")?;
        self.rest = rest;
        let mut bytes = Vec::new();
        loop {
            match self.byte()? {
                b'"' => break,
                b'\\' => {
                    let escaped = self.escaped()?;
                    bytes.extend_from_slice(escaped.encode_utf8(&mut [0; 4]).as_bytes());
                }
                byte => bytes.push(byte),
            }
        }
        let mut text = String::with_capacity(bytes.len());
        for chunk in bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            if !chunk.invalid().is_empty() {
                text.push('\0');
            }
        }
        Some(text)
    }

    fn escaped(&mut self) -> Option<char> {
        Some(match self.byte()? {
            plain @ (b'"' | b'\\' | b'/') => plain.into(),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.unit()?;
                let rest = self.rest;
                let second = match rest.strip_prefix(b"\\u") {
                    Some(after) if (0xd800..0xdc00).contains(&first) => {
                        self.rest = after;
                        self.unit()
                    }
                    _ => None,
                };
                let pair = second.and_then(|second| char::decode_utf16([first, second]).next()?.ok());
                if pair.is_none() {
                    // The second escape is a character of its own, or half of one.
                    self.rest = rest;
                }
                pair.or_else(|| char::decode_utf16([first]).next()?.ok()).unwrap_or('\0')
            }
            _ => return None,
        })
    }

    fn unit(&mut self) -> Option<u16> {
        let (digits, rest) = self.rest.split_at_checked(4)?;
        self.rest = rest;
        let digits =
            std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()))?;
        u16::from_str_radix(digits, 16).ok()
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        self.skip_blanks();
        self.rest = self.rest.strip_prefix(&[byte])?;
        Some(())
    }

    fn skip_blanks(&mut self) {
        let blanks = self.rest.iter().take_while(|byte| b" \t\r\n".contains(byte)).count();
        self.rest = self.rest.get(blanks..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::mended;

    fn both(body: &[u8]) -> Option<(serde_json::Value, Vec<String>)> {
        mended(body).map(|mended| (mended.value, mended.left_out))
    }

    #[test]
    fn one_bad_value_costs_no_more_than_itself() {
        let body = br#" {"a":"Ada \ud83d","b":"\ud83d\u0041\ud83d\ude00\n","c":{"big":1e400,"ok":[1,-2.5,true,null,1e999]}} "#;
        let value = json!({"a": "Ada \0", "b": "\0A😀\n", "c": {"ok": [1, -2.5, true, null]}});
        let named = ["c.big: the number is too large", "c.ok.[]: the number is too large"];
        assert_eq!(both(body), Some((value, named.map(str::to_owned).to_vec())));
    }

    #[test]
    fn every_escape_of_json_is_its_character() {
        let body = br#"{"a":"\"\\\/\b\f\n\r\t\u00e9","b":1e400}"#;
        let named = vec!["b: the number is too large".to_owned()];
        assert_eq!(both(body), Some((json!({"a": "\"\\/\u{8}\u{c}\n\r\té"}), named)));
        assert_eq!(both(br#"{"a":"\x"}"#), None);
    }

    #[test]
    fn the_last_value_of_a_repeated_key_counts_and_the_key_is_named() {
        let named = vec!["a: the key is there twice; the last value is used".to_owned()];
        assert_eq!(both(br#"{"a":1,"a":{"b":2}}"#), Some((json!({"a": {"b": 2}}), named)));
    }

    #[test]
    fn deeply_nested_values_are_left_out_without_recursion() {
        let body = format!(r#"{{"a":{}1{},"b":2}}"#, "[".repeat(200_000), "]".repeat(200_000));
        let named = vec!["a: it is nested too deeply".to_owned()];
        assert_eq!(both(body.as_bytes()), Some((json!({"b": 2}), named)));
    }

    #[test]
    fn bytes_that_are_no_utf_8_become_nul_inside_texts_only() {
        assert_eq!(both(b"{\"a\":\"x\xffy\"}"), Some((json!({"a": "x\0y"}), vec![])));
        assert_eq!(both(b"\xff{}"), None);
    }

    #[test]
    fn a_body_that_is_not_json_gives_none() {
        for bad in [
            "",
            "{",
            "{]",
            "[1,]",
            "{\"a\" 1}",
            "{\"a\":1,}",
            "nul",
            "01",
            "1e",
            "-",
            "{}x",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\u+123\"",
            "\"",
            "[1 2]",
            "{1:2}",
            "\"\\ud83d",
        ] {
            assert_eq!(both(bad.as_bytes()), None, "{bad}");
        }
    }
}
