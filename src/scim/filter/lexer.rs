//! The words, literals and brackets of a filter or of a PATCH path, with their positions.

use serde_json::{Number, Value};

use crate::scim::ScimError;

#[derive(Clone, Debug, PartialEq)]
pub(in crate::scim) enum Token {
    Open,
    Close,
    OpenList,
    CloseList,
    /// A name, an operator, or `true`, `false` and `null`.
    Word(String),
    Text(String),
    Number(Number),
}

/// Reads all tokens. The cost is linear.
pub(in crate::scim) fn tokens(text: &str) -> Result<Vec<(usize, Token)>, ScimError> {
    let mut tokens = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let at = text.len() - rest.len();
        let Some(first) = rest.chars().next() else { return Ok(tokens) };
        let (token, length) = match first {
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            '[' => (Token::OpenList, 1),
            ']' => (Token::CloseList, 1),
            '"' => quoted(rest, at)?,
            _ => word(rest, at)?,
        };
        tokens.push((at, token));
        rest = rest.get(length..).unwrap_or_default();
    }
}

/// A JSON string.
fn quoted(rest: &str, at: usize) -> Result<(Token, usize), ScimError> {
    let mut escaped = false;
    let end = rest.char_indices().skip(1).find_map(|(index, c)| match (escaped, c) {
        (true, _) => {
            escaped = false;
            None
        }
        (false, '\\') => {
            escaped = true;
            None
        }
        (false, '"') => Some(index + 1),
        (false, _) => None,
    });
    let written = end.and_then(|end| rest.get(..end));
    let Some(written) = written else {
        return Err(ScimError::filter(format!("the text that begins at position {at} has no closing quote")));
    };
    match serde_json::from_str::<String>(written) {
        Ok(text) => Ok((Token::Text(text), written.len())),
        Err(error) => Err(ScimError::filter(format!(
            "the text at position {at} is not a JSON string ({error}); write \\\" for a quote and \\\\ for a backslash"
        ))),
    }
}

fn word(rest: &str, at: usize) -> Result<(Token, usize), ScimError> {
    let is_end = |c: char| c.is_whitespace() || matches!(c, '(' | ')' | '[' | ']' | '"');
    let word = rest.split(is_end).next().unwrap_or_default();
    let starts_number = word.starts_with(|c: char| c.is_ascii_digit() || c == '-');
    if starts_number {
        return match serde_json::from_str(word) {
            Ok(Value::Number(number)) => Ok((Token::Number(number), word.len())),
            _ => Err(ScimError::filter(format!("{word:?} at position {at} is not a number"))),
        };
    }
    Ok((Token::Word(word.to_owned()), word.len()))
}
