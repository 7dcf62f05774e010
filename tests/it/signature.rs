//! Tests the verifier with vectors that were checked with the official SDKs.
//!
//! Where the SDKs differ, the policy in `broker::workos::signature` decides. `differs_from` names each such case.

use rosterd::{
    broker::{Secret, Source, VerifyError},
    runtime::clock::Timestamp,
};
use serde_json::Value;

use crate::harness::{SECRET, broker::signature};

fn vectors() -> Vec<Value> {
    let file: Value = serde_json::from_str(include_str!("../fixtures/signature_vectors.json")).unwrap();
    file["vectors"].as_array().unwrap().clone()
}

fn text<'a>(vector: &'a Value, field: &str) -> &'a str {
    vector[field].as_str().unwrap()
}

fn judged(vector: &Value) -> Result<(), VerifyError> {
    let secret = Secret::new(text(vector, "verify_secret")).unwrap();
    let now = Timestamp::from_millis(vector["now_ms"].as_i64().unwrap());
    let header = text(vector, "header").as_bytes();
    Source::WorkOs.verify(Some(header), text(vector, "body").as_bytes(), &[secret], 180_000, now)
}

/// The policy's result for each vector.
fn policy(name: &str) -> Result<(), VerifyError> {
    use VerifyError::{MalformedHeader, NoMatch, Seconds, TooNew, TooOld};
    match name {
        "valid_canonical" | "valid_with_object_field" | "valid_no_space" | "surrounding_whitespace" => Ok(()),
        "age_exactly_180000ms" | "future_60000ms" => Ok(()),
        "two_v1_good_first" | "unknown_extra_v0" | "unknown_extra_v2" => Ok(()),
        // Any bytes can be signed. Whether they are an event is another question.
        "body_pretty_printed" | "body_trailing_newline" | "body_utf8" | "body_empty" | "body_not_json" => {
            Ok(())
        }
        "body_json_array" | "body_unknown_event" | "body_without_created_at" => Ok(()),
        "wrong_secret" | "tampered_body" | "tampered_timestamp" | "secret_trailing_newline" => Err(NoMatch),
        "age_180001ms" | "age_300000ms" => Err(TooOld),
        "future_180001ms" => Err(TooNew),
        "seconds_timestamp" | "emulator_0_14_0_form" => Err(Seconds),
        "empty_header" | "missing_t" | "no_keys" => Err(MalformedHeader("it has no t")),
        "missing_v1" | "empty_v1" | "uppercase_hex" | "truncated_v1" | "v1_trailing_char" | "v1_not_hex"
        | "v0_instead_of_v1" => Err(MalformedHeader("it has no v1 of 64 lower-case hex digits")),
        "nonnumeric_t" | "t_with_plus" | "t_float" | "semicolon_separator" => {
            Err(MalformedHeader("t is not 1 to 16 digits"))
        }
        other => panic!("the policy says nothing of {other}"),
    }
}

/// Vectors that an SDK judges unlike the policy.
fn differs_from(sdk: &str) -> &'static [&'static str] {
    match sdk {
        // It reads keys by position without a check, numbers leniently, and accepts any time in the future.
        "node_11_0_0_string" => &[
            "surrounding_whitespace",
            "future_180001ms",
            "nonnumeric_t",
            "t_with_plus",
            "t_float",
            "v0_instead_of_v1",
        ],
        // It splits at comma and blank, and requires exactly two parts.
        "python_10_8_0_bytes" => &[
            "valid_no_space",
            "surrounding_whitespace",
            "t_with_plus",
            "two_v1_good_first",
            "unknown_extra_v0",
            "unknown_extra_v2",
            "v0_instead_of_v1",
        ],
        // It refuses unknown keys, and uses the last of several v1.
        "rust_3_5_0_str" => &["t_with_plus", "two_v1_good_first", "unknown_extra_v0", "unknown_extra_v2"],
        other => panic!("no such SDK: {other}"),
    }
}

#[test]
fn every_vector_is_judged_as_the_policy_says() {
    let vectors = vectors();
    assert_eq!(vectors.len(), 40);
    for vector in vectors {
        let name = text(&vector, "name");
        assert_eq!(judged(&vector), policy(name), "{name}: {}", text(&vector, "why"));
    }
}

#[test]
fn the_policy_differs_from_the_official_sdks_only_where_it_says_so() {
    for sdk in ["node_11_0_0_string", "python_10_8_0_bytes", "rust_3_5_0_str"] {
        let differing: Vec<String> = vectors()
            .iter()
            .filter(|vector| {
                let accepted = vector["results"][sdk].as_str().unwrap().starts_with("accept");
                accepted != judged(vector).is_ok()
            })
            .map(|vector| text(vector, "name").to_owned())
            .collect();
        assert_eq!(differing, differs_from(sdk), "{sdk}");
    }
}

#[test]
fn any_of_several_secrets_and_any_of_several_signatures_will_do() {
    let secrets: Vec<Secret> = ["old", SECRET].iter().filter_map(|text| Secret::new(text)).collect();
    let now = Timestamp::from_millis(1_767_225_600_000);
    let ours = signature(SECRET, now.millis(), b"body");
    let foreign = signature("foreign", now.millis(), b"body");
    let both = format!("{foreign}, {}", ours.split(", ").nth(1).unwrap());

    for header in [&ours, &both] {
        assert_eq!(Source::WorkOs.verify(Some(header.as_bytes()), b"body", &secrets, 180_000, now), Ok(()));
    }
    assert_eq!(
        Source::WorkOs.verify(Some(foreign.as_bytes()), b"body", &secrets, 180_000, now),
        Err(VerifyError::NoMatch)
    );
}

#[test]
fn a_header_that_asks_for_much_work_is_refused() {
    let header = format!("t=1767225600000{}", format!(", v1={}", "0".repeat(64)).repeat(9));
    let now = Timestamp::from_millis(1_767_225_600_000);

    let outcome =
        Source::WorkOs.verify(Some(header.as_bytes()), b"", &[Secret::new("s").unwrap()], 180_000, now);

    assert_eq!(outcome, Err(VerifyError::MalformedHeader("it has more than 8 v1")));
}

#[test]
fn a_secret_is_never_printed() {
    let secret = Secret::new(SECRET).unwrap();

    let printed = format!("{secret:?}");
    assert!(printed.contains("[REDACTED]") && !printed.contains(SECRET), "{printed}");
}

/// More signatures than any rotation of secrets needs are refused before a digest is computed.
#[test]
fn eight_signatures_are_taken_and_nine_are_not() {
    let now = Timestamp::from_millis(1_780_272_000_000);
    let good = signature(SECRET, now.millis(), b"{}");
    let judged = |others: usize| {
        let header = format!("{good}{}", format!(", v1={}", "0".repeat(64)).repeat(others));
        Source::WorkOs.verify(Some(header.as_bytes()), b"{}", &[Secret::new(SECRET).unwrap()], 180_000, now)
    };
    assert_eq!(judged(7), Ok(()));
    assert_eq!(judged(8), Err(VerifyError::MalformedHeader("it has more than 8 v1")));
}
