//! Reads a filter: `or` of `and` of conditions, with `not ( … )` and groups. Bounded in length and depth.

use super::{
    DEEPEST, Filter, LONGEST, Literal, Operator, Place, instant,
    lexer::{Token, tokens},
};
use crate::scim::{
    ScimError,
    name::{Name, Named, resolve},
    schema::{Attribute, Kind, ResourceType, Returned},
};

/// Reads a filter on resources of a type.
pub fn parse(of: &ResourceType, text: &str) -> Result<Filter, ScimError> {
    read(Scope::Resource(of), text)
}

/// Reads the condition of a value path: its names are sub-attributes of `of`.
pub fn parse_value_filter(of: &Attribute, text: &str) -> Result<Filter, ScimError> {
    read(Scope::Value(of), text)
}

fn read(scope: Scope<'_>, text: &str) -> Result<Filter, ScimError> {
    if text.len() > LONGEST {
        return Err(ScimError::filter(format!("the filter is longer than {LONGEST} bytes")));
    }
    let tokens = tokens(text)?;
    let mut parser = Parser { tokens: &tokens, next: 0, end: text.len() };
    let filter = parser.any_of(scope, 0)?;
    match parser.peek() {
        None => Ok(filter),
        Some(_) => Err(parser.expected("\"and\", \"or\" or the end")),
    }
}

/// The things that names denote.
#[derive(Clone, Copy)]
enum Scope<'a> {
    Resource(&'a ResourceType),
    Value(&'a Attribute),
}

struct Parser<'a> {
    tokens: &'a [(usize, Token)],
    next: usize,
    end: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a Token> {
        self.tokens.get(self.next).map(|(_, token)| token)
    }

    fn position(&self) -> usize {
        self.tokens.get(self.next).map_or(self.end, |(at, _)| *at)
    }

    fn expected(&self, wanted: &str) -> ScimError {
        ScimError::filter(format!("expected {wanted} at position {}", self.position()))
    }

    fn take(&mut self, wanted: &Token) -> bool {
        let is_there = self.peek() == Some(wanted);
        self.next += usize::from(is_there);
        is_there
    }

    fn take_word(&mut self, wanted: &str) -> bool {
        let is_there = matches!(self.peek(), Some(Token::Word(word)) if word.eq_ignore_ascii_case(wanted));
        self.next += usize::from(is_there);
        is_there
    }

    fn any_of(&mut self, scope: Scope<'_>, depth: usize) -> Result<Filter, ScimError> {
        let mut parts = vec![self.all_of(scope, depth)?];
        while self.take_word("or") {
            parts.push(self.all_of(scope, depth)?);
        }
        Ok(joined(parts, Filter::Or))
    }

    fn all_of(&mut self, scope: Scope<'_>, depth: usize) -> Result<Filter, ScimError> {
        let mut parts = vec![self.condition(scope, depth)?];
        while self.take_word("and") {
            parts.push(self.condition(scope, depth)?);
        }
        Ok(joined(parts, Filter::And))
    }

    fn condition(&mut self, scope: Scope<'_>, depth: usize) -> Result<Filter, ScimError> {
        if depth >= DEEPEST {
            return Err(ScimError::filter(format!("the filter is nested deeper than {DEEPEST} levels")));
        }
        if self.take(&Token::Open) {
            return self.group(scope, depth);
        }
        let Some(Token::Word(word)) = self.peek() else {
            return Err(self.expected("the name of an attribute or \"(\""));
        };
        if word.eq_ignore_ascii_case("not") {
            self.next += 1;
            if !self.take(&Token::Open) {
                return Err(self.expected("\"(\" after \"not\""));
            }
            return Ok(Filter::Not(Box::new(self.group(scope, depth)?)));
        }
        self.next += 1;
        match scope {
            Scope::Resource(of) => self.about_resource(of, word, depth),
            Scope::Value(of) => {
                let sub = of
                    .sub(word)
                    .ok_or_else(|| ScimError::filter(format!("{} has no sub-attribute {word:?}", of.name)))?;
                self.comparison(place(Name::core(&sub.name), sub), false)
            }
        }
    }

    fn group(&mut self, scope: Scope<'_>, depth: usize) -> Result<Filter, ScimError> {
        let filter = self.any_of(scope, depth + 1)?;
        match self.take(&Token::Close) {
            true => Ok(filter),
            false => Err(self.expected("\")\"")),
        }
    }

    fn about_resource(&mut self, of: &ResourceType, word: &str, depth: usize) -> Result<Filter, ScimError> {
        let unknown = || ScimError::filter(format!("{} has no attribute {word:?}", of.name));
        let (name, attribute, sub) = match resolve(of, word) {
            Some(Named::Attribute(name, attribute, sub)) => (name, attribute, sub),
            Some(Named::Extension(_) | Named::Undeclared(_)) | None => return Err(unknown()),
        };
        if attribute.returned == Returned::Never {
            return Err(unknown());
        }
        if self.take(&Token::OpenList) {
            if sub.is_some() || attribute.kind != Kind::Complex {
                return Err(ScimError::filter(format!("{word:?} has no sub-attributes to filter by")));
            }
            return self.value_path(name, attribute, depth);
        }
        let is_whole = sub.is_none() && attribute.kind == Kind::Complex;
        if let Some(sub) = sub {
            return self.comparison(place(name, sub), false);
        }
        // `emails eq "x"` compares the values of the list.
        match attribute.sub("value").filter(|_| is_whole) {
            Some(value) => {
                let whole = place(name.clone(), attribute);
                if self.take_word("pr") {
                    return Ok(Filter::Present(whole));
                }
                let name = Name { sub: Some(value.name.clone()), ..name };
                self.comparison(place(name, value), false)
            }
            None => self.comparison(place(name, attribute), is_whole),
        }
    }

    /// `emails[type eq "work"]`, or `emails[type eq "work"].value eq "x"`, which Entra sends: one value satisfies both.
    fn value_path(&mut self, name: Name, attribute: &Attribute, depth: usize) -> Result<Filter, ScimError> {
        let inner = self.any_of(Scope::Value(attribute), depth + 1)?;
        if !self.take(&Token::CloseList) {
            return Err(self.expected("\"]\""));
        }
        let sub = match self.peek() {
            Some(Token::Word(word)) => word.strip_prefix('.'),
            _ => None,
        };
        let inner = match sub {
            Some(sub) => {
                self.next += 1;
                let sub = attribute.sub(sub).ok_or_else(|| {
                    ScimError::filter(format!("{} has no sub-attribute {sub:?}", attribute.name))
                })?;
                let compared = self.comparison(place(Name::core(&sub.name), sub), false)?;
                joined(vec![inner, compared], Filter::And)
            }
            None => inner,
        };
        Ok(Filter::Any(place(name, attribute), Box::new(inner)))
    }

    fn comparison(&mut self, place: Place, is_whole: bool) -> Result<Filter, ScimError> {
        if self.take_word("pr") {
            return Ok(Filter::Present(place));
        }
        let operator = match self.peek() {
            Some(Token::Word(word)) => Operator::named(word),
            _ => None,
        };
        let Some(operator) = operator else {
            return Err(self.expected("one of eq, ne, co, sw, ew, gt, ge, lt, le, pr"));
        };
        self.next += 1;
        let Some(token) = self.peek() else {
            return Err(self.expected("a value"));
        };
        let written = match token {
            Token::Text(text) => Literal::Text(text.clone()),
            Token::Number(number) => Literal::Number(number.clone()),
            Token::Word(word) => match word.to_ascii_lowercase().as_str() {
                "true" => Literal::Boolean(true),
                "false" => Literal::Boolean(false),
                "null" => Literal::Null,
                _ => return Err(self.expected("a value; write texts in double quotes")),
            },
            _ => return Err(self.expected("a value")),
        };
        self.next += 1;
        let literal = checked(&place, operator, written, is_whole)?;
        Ok(Filter::Compare(place, operator, literal))
    }
}

fn joined(mut parts: Vec<Filter>, join: impl Fn(Vec<Filter>) -> Filter) -> Filter {
    match parts.len() {
        1 => parts.remove(0),
        _ => join(parts),
    }
}

fn place(name: Name, of: &Attribute) -> Place {
    Place { name, kind: of.kind, case_exact: of.case_exact }
}

/// The literal with the type of the attribute.
fn checked(
    place: &Place,
    operator: Operator,
    literal: Literal,
    is_whole: bool,
) -> Result<Literal, ScimError> {
    let name = &place.name;
    let wrong = |wanted: &str| ScimError::filter(format!("{name} {} needs {wanted}", operator.word()));
    if literal == Literal::Null {
        return match operator {
            Operator::Eq | Operator::Ne => Ok(literal),
            _ => Err(wrong("a value other than null")),
        };
    }
    if is_whole || place.kind == Kind::Complex {
        return Err(ScimError::filter(format!("{name} is an object; compare one of its sub-attributes")));
    }
    match (place.kind, literal) {
        (Kind::Boolean, _) if operator.orders() || operator.searches() => {
            Err(ScimError::filter(format!("{name} is true or false; use eq or ne")))
        }
        (Kind::Binary, _) if operator.orders() => {
            Err(ScimError::filter(format!("{name} is binary and has no order; use eq or ne")))
        }
        (Kind::Boolean, literal @ Literal::Boolean(_)) => Ok(literal),
        (Kind::Boolean, Literal::Text(text)) if text.eq_ignore_ascii_case("true") => {
            Ok(Literal::Boolean(true))
        }
        (Kind::Boolean, Literal::Text(text)) if text.eq_ignore_ascii_case("false") => {
            Ok(Literal::Boolean(false))
        }
        (Kind::Boolean, _) => Err(wrong("true or false")),
        (Kind::Integer | Kind::Decimal, _) if operator.searches() => {
            Err(ScimError::filter(format!("{name} is a number, which has no parts")))
        }
        (Kind::Integer | Kind::Decimal, literal @ Literal::Number(_)) => Ok(literal),
        (Kind::Integer | Kind::Decimal, _) => Err(wrong("a number")),
        (Kind::DateTime, Literal::Text(text)) if operator.searches() || instant(&text).is_some() => {
            Ok(Literal::Text(text))
        }
        (Kind::DateTime, _) => Err(wrong("an instant such as \"2026-11-27T08:00:00Z\"")),
        (_, literal @ Literal::Text(_)) => Ok(literal),
        _ => Err(wrong("a text in double quotes")),
    }
}
