//! Signs a webhook by Standard Webhooks 1.0: the HMAC-SHA256 of id, time and body with the bytes of the secret. The file is pure.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The begin of each secret.
pub(super) const PREFIX: &str = "whsec_";

/// The value of the header webhook-signature: a signature for each secret, separated by blanks. `None` if a secret cannot be
/// read.
pub fn signature<'a>(
    secrets: impl IntoIterator<Item = &'a str>,
    id: &str,
    seconds: i64,
    body: &[u8],
) -> Option<String> {
    let signed = |secret: &str| {
        let key = STANDARD.decode(secret.strip_prefix(PREFIX)?).ok()?;
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
        mac.update(format!("{id}.{seconds}.").as_bytes());
        mac.update(body);
        Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
    };
    let all: Option<Vec<String>> = secrets.into_iter().map(signed).collect();
    Some(all?.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_equals_the_published_one() {
        // From the tests of the reference libraries (standard-webhooks).
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let one = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        let sign = |secrets: &[&'static str]| {
            signature(
                secrets.iter().copied(),
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                br#"{"test": 2432232314}"#,
            )
        };
        assert_eq!(sign(&[secret]).as_deref(), Some(one));
        let two = sign(&[secret, "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]);
        assert!(
            two.is_some_and(|two| two.starts_with(&format!("{one} v1,")) && two.len() == 2 * one.len() + 1)
        );
        assert_eq!(sign(&["no prefix"]), None);
    }
}
