//! Errors with their causes.

use std::error::Error;

/// The text of an error, followed by the texts of its causes. Some libraries, reqwest among them, leave the causes out of
/// the error's own text, although the last one says most.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("connection refused")]
    struct Refused;

    #[derive(Debug, thiserror::Error)]
    #[error("the request failed")]
    struct Failed(#[source] Refused);

    #[test]
    fn the_causes_follow_the_error() {
        assert_eq!(with_causes(&Failed(Refused)), "the request failed: connection refused");
        assert_eq!(with_causes(&Refused), "connection refused");
    }
}
