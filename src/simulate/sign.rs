//! Signs a delivery as WorkOS does: `WorkOS-Signature: t=<unix ms>, v1=<hex HMAC-SHA256 over "<t>." and the body>`.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

pub const SIGNATURE_HEADER: &str = "WorkOS-Signature";

/// The value of the header for a body that is sent at `unix_ms`.
pub fn signature_header(secret: &str, unix_ms: i64, body: &[u8]) -> String {
    Signer::new(secret).header(unix_ms, body)
}

/// An HMAC with its key, so that the work for the key is done once for many deliveries.
#[derive(Clone)]
pub(super) struct Signer(Hmac<Sha256>);

impl Signer {
    pub(super) fn new(secret: &str) -> Self {
        // HMAC's rule for keys (RFC 2104): a key longer than a block is hashed, a shorter one is filled with zeros. It
        // is done here, because the constructor for a key of one block cannot fail.
        let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
        let hashed;
        let key = if secret.len() > block.len() {
            hashed = Sha256::digest(secret.as_bytes());
            hashed.as_slice()
        } else {
            secret.as_bytes()
        };
        for (place, byte) in block.iter_mut().zip(key) {
            *place = *byte;
        }
        Self(Hmac::new(&block))
    }

    pub(super) fn header(&self, unix_ms: i64, body: &[u8]) -> String {
        let time = unix_ms.to_string();
        let mut mac = self.0.clone();
        mac.update(time.as_bytes());
        mac.update(b".");
        mac.update(body);
        format!("t={time}, v1={}", hex::encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From `signature_vectors.json`, made with @workos-inc/node 11.0.0.
    const SECRET: &str = "whsec_test_4f1c0d2e9b7a";
    const TIME: i64 = 1_767_225_600_000;

    #[test]
    fn the_header_equals_what_the_official_sdk_signs() {
        let vectors = [
            ("", "c6bd9a488cc1cd3f915f3e7d66716279d2a897b9ff9965d138dac423697f5739"),
            ("not json", "807fb5e6baff78c2ec9e87992e9013496528710734a16ecb3c24b17b682ae9c0"),
            ("[]", "c01509ae44f9666ad1d0f1423723ef246e06cbdeb42731375cc1891cec57fddd"),
            (
                r#"{"id":"wh_123","event":"dsync.user.created","data":{"id":"directory_user_1"}}"#,
                "dba37d67ce60e9cb7020a1f21cfc42e591451c0037951a5a1823eaebf0e03529",
            ),
            (
                concat!(
                    r#"{"id":"event_01KDW0A1B2C3D4E5F6G7H8J9K0","event":"dsync.user.created","data":{"object":"#,
                    r#""directory_user","id":"directory_user_01E1JG7J09H96KYP8HM9B0G5SJ","directory_id":"#,
                    r#""directory_01ECAZ4NV9QMV47GW873HDCX74","organization_id":"org_01EZTR6WYX1A0DSE2CYMGXQ24Y","#,
                    r#""idp_id":"2836","email":"marcelina.davis@example.com","first_name":"Zoë 中文 😀","#,
                    r#""last_name":"Davis","state":"active","custom_attributes":{"department":"Engineering"},"#,
                    r#""raw_attributes":{},"role":{"slug":"member"},"roles":[{"slug":"member"}],"created_at":"#,
                    r#""2026-01-01T00:00:00.000Z","updated_at":"2026-01-01T00:00:00.000Z"},"created_at":"#,
                    r#""2026-01-01T00:00:00.000Z","context":{}}"#
                ),
                "e71fa4151f9735e6551002a907aadc4dff3bfd4e80a39e7344984acab5e15625",
            ),
        ];
        for (body, v1) in vectors {
            assert_eq!(
                signature_header(SECRET, TIME, body.as_bytes()),
                format!("t={TIME}, v1={v1}"),
                "{body}"
            );
        }
    }

    #[test]
    fn a_key_longer_than_a_block_is_hashed_first() {
        let secret = "s".repeat(100);
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok();
        if let Some(mac) = &mut mac {
            mac.update(b"7.body");
        }
        let expected = mac.map(|mac| format!("t=7, v1={}", hex::encode(mac.finalize().into_bytes())));
        assert_eq!(Some(signature_header(&secret, 7, b"body")), expected);
    }
}
