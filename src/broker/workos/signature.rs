//! `WorkOS-Signature: t=<ms since epoch>, v1=<hex HMAC-SHA256 of "<t>.<body>">` (docs/broker-workos.md 2).
//!
//! The official SDKs differ. rosterd's policy: parts are found by key, and blanks around them do not count; exactly
//! one `t` of 1 to 16 ASCII digits; at least one `v1` of 64 lower-case hex digits, and any of them may match any
//! secret (rotation); other keys are ignored and never replace `v1`; both ends of the window are inside it.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::{
    broker::{Secret, VerifyError},
    runtime::clock::Timestamp,
};

/// The name of the header.
pub const HEADER: &str = "WorkOS-Signature";

/// A rotation never needs more. The limit bounds the work for one header.
const MOST_SIGNATURES: usize = 8;

/// The claim of a header that somebody signed a body at this time. It is not yet proved.
#[derive(Debug)]
pub struct WorkOsSignature {
    timestamp: String,
    millis: i64,
    signatures: Vec<[u8; 32]>,
}

/// Checks the parts that do not need the body: the header is present and readable, and its time is within the window.
pub fn claim(
    header: Option<&[u8]>,
    tolerance_ms: i64,
    now: Timestamp,
) -> Result<WorkOsSignature, VerifyError> {
    let claim = parse(header.ok_or(VerifyError::MissingHeader)?)?;
    within(claim.millis, now.millis(), tolerance_ms)?;
    Ok(claim)
}

impl WorkOsSignature {
    /// Succeeds if one of `secrets` signed `body`.
    pub fn proved_by(&self, body: &[u8], secrets: &[Secret]) -> Result<(), VerifyError> {
        let signed_by = |secret: &Secret| {
            // HMAC accepts a key of any length, so this cannot fail.
            let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()) else {
                return false;
            };
            mac.update(self.timestamp.as_bytes());
            mac.update(b".");
            mac.update(body);
            // verify_slice compares in constant time.
            self.signatures.iter().any(|signature| mac.clone().verify_slice(signature).is_ok())
        };
        if secrets.iter().any(signed_by) { Ok(()) } else { Err(VerifyError::NoMatch) }
    }
}

fn within(sent: i64, now: i64, tolerance: i64) -> Result<(), VerifyError> {
    let age = now.saturating_sub(sent);
    if age > tolerance {
        // The most common mistake of integrations (lesson 20). It has its own error with its remedy.
        let as_seconds = now.saturating_sub(sent.saturating_mul(1_000)).saturating_abs();
        return Err(if as_seconds <= tolerance { VerifyError::Seconds } else { VerifyError::TooOld });
    }
    if age < -tolerance { Err(VerifyError::TooNew) } else { Ok(()) }
}

fn parse(header: &[u8]) -> Result<WorkOsSignature, VerifyError> {
    let malformed = VerifyError::MalformedHeader;
    let Ok(header) = std::str::from_utf8(header) else {
        return Err(malformed("it is not text"));
    };
    let mut timestamp = None;
    let mut signatures = Vec::new();
    for part in header.split(',') {
        match part.trim_matches([' ', '\t']).split_once('=') {
            Some(("t", value)) if timestamp.is_none() => timestamp = Some(value),
            Some(("t", _)) => return Err(malformed("it has more than one t")),
            Some(("v1", value)) => signatures.extend(digest(value)),
            _ => {}
        }
        if signatures.len() > MOST_SIGNATURES {
            return Err(malformed("it has more than 8 v1"));
        }
    }
    let timestamp = timestamp.ok_or(malformed("it has no t"))?;
    if !(1..=16).contains(&timestamp.len()) || !timestamp.bytes().all(|b| b.is_ascii_digit()) {
        return Err(malformed("t is not 1 to 16 digits"));
    }
    let Ok(millis) = timestamp.parse() else { return Err(malformed("t is not 1 to 16 digits")) };
    if signatures.is_empty() {
        return Err(malformed("it has no v1 of 64 lower-case hex digits"));
    }
    Ok(WorkOsSignature { timestamp: timestamp.to_owned(), millis, signatures })
}

fn digest(text: &str) -> Option<[u8; 32]> {
    if text.bytes().any(|b| b.is_ascii_uppercase()) {
        return None;
    }
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(bytes)
}
