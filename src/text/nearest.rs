//! Finds the names that somebody may have meant. Pure.

use std::fmt;

use strsim::{jaro_winkler, normalized_damerau_levenshtein};

/// Ids have a common prefix, so they are similar only if most characters are equal.
const SIMILAR_ID: f64 = 0.6;
const SIMILAR_NAME: f64 = 0.85;
/// The highest number of names.
const MOST: usize = 3;

/// The (id, name) pairs that are most similar to the text, the most similar first.
pub fn nearest<'a>(text: &str, all: &'a [(String, Option<String>)]) -> Vec<&'a (String, Option<String>)> {
    let text = text.to_lowercase();
    let score = |(id, name): &(String, Option<String>)| {
        let by_id = normalized_damerau_levenshtein(&text, &id.to_lowercase());
        let by_name = name.as_ref().map_or(0.0, |name| jaro_winkler(&text, &name.to_lowercase()));
        let by_id = if by_id >= SIMILAR_ID { by_id } else { 0.0 };
        by_id.max(if by_name >= SIMILAR_NAME { by_name } else { 0.0 })
    };
    let mut scored: Vec<_> =
        all.iter().map(|one| (score(one), one)).filter(|(score, _)| *score > 0.0).collect();
    scored.sort_by(|(a, one), (b, other)| b.total_cmp(a).then_with(|| one.0.cmp(&other.0)));
    scored.into_iter().take(MOST).map(|(_, one)| one).collect()
}

/// The (id, name) pairs that may be meant, as the end of a sentence. Empty if there are none.
#[derive(Debug, Default)]
pub struct Meant(Vec<(String, Option<String>)>);

impl From<Vec<&(String, Option<String>)>> for Meant {
    fn from(nearest: Vec<&(String, Option<String>)>) -> Self {
        Self(nearest.into_iter().cloned().collect())
    }
}

impl fmt::Display for Meant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (id, name)) in self.0.iter().enumerate() {
            f.write_str(if n == 0 { " (did you mean " } else { " or " })?;
            f.write_str(id)?;
            if let Some(name) = name {
                write!(f, " \"{name}\"")?;
            }
        }
        if self.0.is_empty() { Ok(()) } else { f.write_str("?)") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_id_and_a_name_find_their_tenant() {
        let all: Vec<(String, Option<String>)> = [
            ("org_01EHZNVPK3SFK441A1RGBFSHRT", Some("Acme Corp")),
            ("org_01EHWNCE74X7JSDV0X3SZ3KJNY", Some("Globex")),
            ("default", None),
        ]
        .map(|(id, name)| (id.to_owned(), name.map(str::to_owned)))
        .into();
        let ids = |text: &str| nearest(text, &all).into_iter().map(|one| one.0.as_str()).collect::<Vec<_>>();

        assert_eq!(ids("org_01EHZNVPK3SFK441A1RGBFSHTR"), ["org_01EHZNVPK3SFK441A1RGBFSHRT"]);
        assert_eq!(ids("acme"), ["org_01EHZNVPK3SFK441A1RGBFSHRT"]);
        assert_eq!(ids("defualt"), ["default"]);
        assert_eq!(ids("org_01"), Vec::<&str>::new());
    }
}
