//! The sources as tokens, without their tests and comments.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

pub fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every file below a directory of `src`, with its path from `src`, in order.
pub fn files(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path.strip_prefix(src()).unwrap().to_str().unwrap().to_owned());
        }
    }
    found.sort();
    found
}

pub fn text(file: &str) -> String {
    std::fs::read_to_string(src().join(file)).unwrap()
}

/// The comment at the head of the file.
pub fn head(text: &str) -> String {
    text.lines().take_while(|line| line.starts_with("//!")).collect::<Vec<_>>().join("\n")
}

/// The name of the top-level module of a file.
pub fn module(file: &str) -> &str {
    let first = file.split('/').next().unwrap();
    first.strip_suffix(".rs").unwrap_or(first)
}

/// Whether a file is compiled for tests only.
pub fn is_test(file: &str) -> bool {
    file.split('/').any(|part| matches!(part, "tests" | "tests.rs" | "testing.rs"))
}

pub struct Source {
    tokens: Vec<TokenTree>,
}

impl Source {
    pub fn read(file: &str) -> Self {
        let tokens: TokenStream = text(file).parse().unwrap();
        let mut flat = Vec::new();
        flatten(tokens, &mut flat);
        Self { tokens: flat }
    }

    /// Names outside of texts.
    pub fn names(&self) -> BTreeSet<String> {
        let names = self.tokens.iter().filter_map(|token| match token {
            TokenTree::Ident(name) => Some(name.to_string()),
            _ => None,
        });
        names.collect()
    }

    /// Literal texts, as they are written.
    pub fn texts(&self) -> impl Iterator<Item = String> {
        self.tokens.iter().filter_map(|token| match token {
            TokenTree::Literal(text) => Some(text.to_string()).filter(|text| text.contains('"')),
            _ => None,
        })
    }

    /// The names after `root::`, wherever it is written: `crate::{db::Conn, fact}` has `db` and `fact` after `crate`.
    pub fn after(&self, root: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for (at, token) in self.tokens.iter().enumerate() {
            let separated = [1, 2].iter().all(|next| is_punct(self.tokens.get(at + next), ':'));
            if !matches!(token, TokenTree::Ident(name) if name == root) || !separated {
                continue;
            }
            match self.tokens.get(at + 3) {
                Some(TokenTree::Ident(name)) => drop(found.insert(name.to_string())),
                Some(TokenTree::Group(names)) => found.extend(heads(names.stream())),
                _ => {}
            }
        }
        found
    }
}

fn is_punct(token: Option<&TokenTree>, c: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == c)
}

/// The first name of each part of `{a::b, c}`.
fn heads(names: TokenStream) -> Vec<String> {
    let mut found = Vec::new();
    let mut begins = true;
    for token in names {
        match token {
            TokenTree::Ident(name) if begins => {
                found.push(name.to_string());
                begins = false;
            }
            TokenTree::Punct(punct) if punct.as_char() == ',' => begins = true,
            _ => begins = false,
        }
    }
    found
}

/// Every token in order, each group followed by its content. Comments and items with `#[cfg(test)]` are omitted.
fn flatten(tokens: TokenStream, into: &mut Vec<TokenTree>) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let attribute = is_punct(Some(&token), '#');
        if attribute {
            if is_punct(tokens.peek(), '!') {
                tokens.next();
            }
            let Some(TokenTree::Group(content)) = tokens.next() else { continue };
            if content.to_string().replace(' ', "") == "[cfg(test)]" {
                skip_item(&mut tokens);
            } else if !content.stream().to_string().starts_with("doc") {
                flatten(content.stream(), into);
            }
            continue;
        }
        if let TokenTree::Group(group) = &token {
            let inside = group.stream();
            into.push(token);
            flatten(inside, into);
        } else {
            into.push(token);
        }
    }
}

fn skip_item(tokens: &mut impl Iterator<Item = TokenTree>) {
    for token in tokens {
        let block = matches!(&token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace);
        if block || is_punct(Some(&token), ';') {
            return;
        }
    }
}
