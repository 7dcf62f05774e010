//! Answers: JSON of SCIM, also for every error.

use actix_web::{
    HttpResponse, HttpResponseBuilder,
    http::{StatusCode, header},
};
use serde_json::Value;

use crate::{
    inbox::group_commit::NotStored,
    provision::request::WriteError,
    scim::{ScimError, etag},
};

/// The value of `Retry-After` in seconds.
const RETRY_AFTER_SECONDS: &str = "5";

/// An answer without its transport.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Option<Value>,
    /// The address of the resource.
    pub location: Option<String>,
    /// The version of the resource.
    pub version: Option<i64>,
    /// The allowed methods, with 405.
    pub allowed: Option<&'static str>,
}

impl Answer {
    /// 200 with this body.
    pub fn ok(body: Value) -> Self {
        Self { status: 200, body: Some(body), ..Self::default() }
    }

    /// The answer of a page without this method.
    pub fn other_method(allowed: &'static str) -> Self {
        let error = ScimError::of(405, format!("this address accepts only {allowed}"));
        Self { allowed: Some(allowed), ..error.into() }
    }

    /// The HTTP response in the client's type of JSON.
    pub fn response(self, json_only: bool) -> HttpResponse {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = HttpResponseBuilder::new(status);
        if let Some(location) = self.location {
            response.insert_header((header::LOCATION, location));
        }
        if let Some(version) = self.version {
            response.insert_header((header::ETAG, etag::version(version)));
        }
        if let Some(allowed) = self.allowed {
            response.insert_header((header::ALLOW, allowed));
        }
        match self.status {
            401 => drop(response.insert_header((header::WWW_AUTHENTICATE, "Bearer realm=\"scim\""))),
            429 | 503 => drop(response.insert_header((header::RETRY_AFTER, RETRY_AFTER_SECONDS))),
            _ => {}
        }
        match self.body {
            None => response.finish(),
            Some(body) => {
                let kind = if json_only { "application/json" } else { "application/scim+json" };
                response.content_type(kind).body(body.to_string())
            }
        }
    }
}

impl From<ScimError> for Answer {
    fn from(error: ScimError) -> Self {
        Self { status: error.status, body: Some(error.to_json()), ..Self::default() }
    }
}

/// An error as the client sees it.
pub fn of_write(error: WriteError) -> ScimError {
    match error {
        WriteError::Refused(refusal) => refusal,
        WriteError::NotStored(reason) => not_stored(reason),
    }
}

/// A write that may be repeated.
pub fn not_stored(reason: NotStored) -> ScimError {
    ScimError::of(503, format!("{reason}; send the request again"))
}

/// A failure of the database.
pub fn failed(error: &impl std::fmt::Display) -> ScimError {
    tracing::error!(%error, "a request by SCIM failed and was answered 503");
    ScimError::of(503, "the database cannot be read; send the request again")
}
