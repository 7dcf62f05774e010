//! All error answers: RFC 9457 problem documents, each with a stable type. The status codes are only here.

use std::fmt;

use actix_web::{
    HttpResponse, ResponseError,
    http::{StatusCode, header},
};
use serde_json::json;

use crate::{
    broker::VerifyError,
    inbox::group_commit::NotStored,
    runtime::metrics::{Metrics, Reason},
};

/// The error answers. The type is `urn:rosterd:problem:` and the name; it never changes its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The signature is missing or wrong.
    Signature(VerifyError),
    /// No broker has this name.
    UnknownSource,
    /// The body exceeds the limit.
    TooLarge {
        /// The limit in bytes.
        most: usize,
    },
    /// The body broke off.
    Unreadable,
    /// The body exceeded its time limit.
    TooSlow,
    /// The bodies of other deliveries use all room.
    NoRoom,
    /// The delivery was not stored.
    NotStored(NotStored),
    /// The path has no page.
    NoSuchPage,
    /// The path is right, but the method is wrong.
    OtherMethod {
        /// The allowed methods.
        allowed: &'static str,
    },
    /// The database cannot be read.
    NotReady,
}

/// The problems of deliveries.
const OF_DELIVERIES: [Problem; 14] = [
    Problem::Signature(VerifyError::MissingHeader),
    Problem::Signature(VerifyError::MalformedHeader("")),
    Problem::Signature(VerifyError::TooOld),
    Problem::Signature(VerifyError::TooNew),
    Problem::Signature(VerifyError::Seconds),
    Problem::Signature(VerifyError::NoMatch),
    Problem::UnknownSource,
    Problem::TooLarge { most: 0 },
    Problem::Unreadable,
    Problem::TooSlow,
    Problem::NoRoom,
    Problem::NotStored(NotStored::Overloaded),
    Problem::NotStored(NotStored::Database),
    Problem::NotStored(NotStored::Stopping),
];

/// Sets the metric `refused` to 0 for each problem of deliveries, so that an alert sees the first refusal.
pub(super) fn count_from_zero(metrics: &Metrics) {
    for problem in OF_DELIVERIES {
        drop(metrics.refused.get_or_create(&Reason { reason: problem.name() }));
    }
}

/// The value of `Retry-After` in seconds. Afterwards the broker uses its own back-off.
const RETRY_AFTER_SECONDS: &str = "5";

impl Problem {
    /// The name in the type; also the label of the metric `refused`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Signature(VerifyError::MissingHeader) => "signature-missing",
            Self::Signature(VerifyError::MalformedHeader(_)) => "signature-malformed",
            Self::Signature(VerifyError::TooOld) => "signature-too-old",
            Self::Signature(VerifyError::TooNew) => "signature-too-new",
            Self::Signature(VerifyError::Seconds) => "signature-in-seconds",
            Self::Signature(VerifyError::NoMatch) => "signature-mismatch",
            Self::UnknownSource => "unknown-source",
            Self::TooLarge { .. } => "too-large",
            Self::Unreadable => "unreadable",
            Self::TooSlow => "too-slow",
            Self::NoRoom => "no-room",
            Self::NotStored(NotStored::Overloaded) => "overloaded",
            Self::NotStored(NotStored::Database) => "not-durable",
            Self::NotStored(NotStored::Stopping) => "stopping",
            Self::NoSuchPage => "no-such-page",
            Self::OtherMethod { .. } => "other-method",
            Self::NotReady => "not-ready",
        }
    }

    fn detail(self) -> String {
        match self {
            Self::Signature(error) => error.to_string(),
            Self::UnknownSource => "no broker of this name is known; use /webhooks/workos".to_owned(),
            Self::TooLarge { most } => format!("the body is larger than {most} bytes (http.max_body_bytes)"),
            Self::Unreadable => "the body could not be read to its end".to_owned(),
            Self::TooSlow => "the body did not arrive in time".to_owned(),
            Self::NoRoom => {
                "too many bytes of deliveries are in flight (http.max_bytes_in_flight); send the delivery again"
                    .to_owned()
            }
            Self::NotStored(error) => format!("{error}; send the delivery again"),
            Self::NoSuchPage => "there is no page at this address".to_owned(),
            Self::OtherMethod { allowed: "POST" } => {
                "this address accepts only signed deliveries by POST; it has no page for a browser".to_owned()
            }
            Self::OtherMethod { allowed } => format!("this address accepts only {allowed}"),
            Self::NotReady => "the database cannot be read".to_owned(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail())
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Signature(VerifyError::MissingHeader | VerifyError::MalformedHeader(_))
            | Self::Unreadable => StatusCode::BAD_REQUEST,
            Self::Signature(_) => StatusCode::UNAUTHORIZED,
            Self::UnknownSource | Self::NoSuchPage => StatusCode::NOT_FOUND,
            Self::OtherMethod { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::NoRoom | Self::NotStored(_) | Self::NotReady => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let status = self.status_code();
        let mut response = HttpResponse::build(status);
        // Only a verified sender keeps its connection, because the headers of a later request have no time limit.
        response.force_close();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.insert_header((header::RETRY_AFTER, RETRY_AFTER_SECONDS));
        }
        if let Self::OtherMethod { allowed } = self {
            response.insert_header((header::ALLOW, *allowed));
        }
        response.content_type("application/problem+json").body(
            json!({
                "type": format!("urn:rosterd:problem:{}", self.name()),
                "title": status.canonical_reason().unwrap_or("Error"),
                "status": status.as_u16(),
                "detail": self.detail(),
            })
            .to_string(),
        )
    }
}

pub(super) async fn no_such_page() -> Result<HttpResponse, Problem> {
    Err(Problem::NoSuchPage)
}

pub(super) async fn other_method(allowed: &'static str) -> Result<HttpResponse, Problem> {
    Err(Problem::OtherMethod { allowed })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_refusal_of_a_delivery_is_counted_from_zero() {
        let metrics = Metrics::default();
        count_from_zero(&metrics);
        let text = metrics.encode().unwrap_or_default();
        let names: BTreeSet<&str> = OF_DELIVERIES.iter().map(|problem| problem.name()).collect();

        assert_eq!(names.len(), OF_DELIVERIES.len(), "no problem is twice in the list");
        for name in names {
            assert!(
                text.contains(&format!("rosterd_refused_total{{reason=\"{name}\"}} 0")),
                "{name} in {text}"
            );
        }
    }
}
