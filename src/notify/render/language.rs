//! The language of a mail; pure.

/// The language of the templates in `templates/mail`.
pub(super) const ENGLISH: &str = "en";

/// The languages with templates.
const WRITTEN: [&str; 1] = [ENGLISH];

/// The best language for readers who prefer `hint`, a tag such as `de-CH`.
pub(super) fn for_readers(hint: Option<&str>) -> &'static str {
    let first = hint.and_then(|tag| tag.split(['-', '_']).next()).unwrap_or_default();
    WRITTEN.iter().copied().find(|language| language.eq_ignore_ascii_case(first)).unwrap_or(ENGLISH)
}

#[cfg(test)]
mod tests {
    use super::for_readers;

    #[test]
    fn a_language_without_templates_is_english() {
        for hint in [None, Some(""), Some("en-GB"), Some("EN"), Some("de-CH"), Some("-")] {
            assert_eq!(for_readers(hint), "en", "{hint:?}");
        }
    }
}
