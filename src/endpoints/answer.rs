//! The meaning of an answer to a webhook. The file is pure.

/// The result of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The endpoint has taken the record.
    Delivered,
    /// The record is sent again. `retry_after`: for so many seconds the endpoint wants no request.
    Failed { retry_after: Option<i64> },
    /// The endpoint wants no webhook any more.
    Gone,
}

/// A status, with the header Retry-After if it is a number of seconds.
pub fn meaning(status: u16, retry_after: Option<&str>) -> Outcome {
    let asked = || retry_after.and_then(|text| text.trim().parse().ok()).filter(|seconds| *seconds >= 0);
    match status {
        200..300 => Outcome::Delivered,
        410 => Outcome::Gone,
        429 | 503 => Outcome::Failed { retry_after: asked() },
        _ => Outcome::Failed { retry_after: None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn success_is_any_2xx_and_410_ends() {
        assert_eq!(meaning(200, None), Outcome::Delivered);
        assert_eq!(meaning(204, Some("9")), Outcome::Delivered);
        assert_eq!(meaning(410, None), Outcome::Gone);
        for status in [199, 301, 308, 400, 404, 500] {
            assert_eq!(meaning(status, Some("9")), Outcome::Failed { retry_after: None }, "{status}");
        }
        assert_eq!(meaning(429, Some(" 9 ")), Outcome::Failed { retry_after: Some(9) });
        assert_eq!(meaning(503, Some("99999999999999999999")), Outcome::Failed { retry_after: None });
        assert_eq!(
            meaning(503, Some("Wed, 21 Oct 2026 07:28:00 GMT")),
            Outcome::Failed { retry_after: None }
        );
        assert_eq!(meaning(503, Some("-1")), Outcome::Failed { retry_after: None });
    }
}
