//! New ids and secrets of endpoints.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::sign::PREFIX;

/// A new secret of 32 random bytes.
pub fn new_secret() -> String {
    format!("{PREFIX}{}", STANDARD.encode(rand::random::<[u8; 32]>()))
}

/// A new id.
pub fn new_id() -> String {
    format!("ep_{}", hex::encode(rand::random::<[u8; 10]>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_and_ids_differ_and_a_secret_signs() {
        let secret = new_secret();
        assert_ne!(secret, new_secret());
        assert_ne!(new_id(), new_id());
        assert!(super::super::sign::signature([secret.as_str()], "m", 1, b"{}").is_some());
    }
}
