//! Versions of resources: weak entity tags (RFC 7644 3.14, RFC 9110 8.8).

use super::ScimError;

/// The version as it is in `meta.version` and in the header `ETag`.
pub fn version(number: i64) -> String {
    format!("W/\"{number}\"")
}

/// The preconditions of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preconditions {
    /// The header `If-Match`.
    pub if_match: Option<String>,
    /// The header `If-None-Match`.
    pub if_none_match: Option<String>,
}

impl Preconditions {
    /// Refuses a write of a resource with this version if a precondition fails.
    pub fn check_write(&self, number: i64) -> Result<(), ScimError> {
        let wrong = self.if_match.as_deref().is_some_and(|tags| !names(tags, number))
            || self.if_none_match.as_deref().is_some_and(|tags| names(tags, number));
        match wrong {
            true => Err(ScimError::of(
                412,
                format!(
                    "the resource has the version {}; read it again, then repeat the change",
                    version(number)
                ),
            )),
            false => Ok(()),
        }
    }

    /// Whether the client of a read has this version already, so the answer is 304.
    pub fn is_unchanged(&self, number: i64) -> bool {
        self.if_none_match.as_deref().is_some_and(|tags| names(tags, number))
    }
}

/// Whether a list of entity tags names the version. The comparison is weak, and a tag without quotes is accepted.
fn names(tags: &str, number: i64) -> bool {
    let number = number.to_string();
    tags.split(',').map(str::trim).any(|tag| {
        let tag = tag.strip_prefix("W/").or_else(|| tag.strip_prefix("w/")).unwrap_or(tag);
        tag == "*" || tag.trim_matches('"') == number
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_compared_weakly_and_lists_and_stars_are_read() {
        for (tags, expected) in [
            ("W/\"7\"", true),
            ("\"7\"", true),
            ("W/\"6\", W/\"7\"", true),
            ("*", true),
            ("W/\"77\"", false),
            ("", false),
        ] {
            assert_eq!(names(tags, 7), expected, "{tags}");
            let wanted = Preconditions { if_match: Some(tags.to_owned()), if_none_match: None };
            assert_eq!(wanted.check_write(7).is_ok(), expected);
            let unwanted = Preconditions { if_match: None, if_none_match: Some(tags.to_owned()) };
            assert_eq!(unwanted.is_unchanged(7), expected);
        }
        assert!(Preconditions::default().check_write(7).is_ok());
    }
}
