//! Addresses as they are compared: ASCII letters folded, nothing else.

/// What two addresses that are one have in common. Databases and languages fold other letters each in their own way (`K`
/// as the sign of kelvin, `İ`, `Å`), so by their rules one text could find another person's row. Column `email_key` keeps it.
pub fn email_key(email: &str) -> String {
    email.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::email_key;

    #[test]
    fn only_ascii_letters_are_folded() {
        let keys =
            ["Kim@Acme.example", "\u{212a}im@acme.example", "İpek@x.example", "Åsa@X.example"].map(email_key);

        assert_eq!(keys, ["kim@acme.example", "\u{212a}im@acme.example", "İpek@x.example", "Åsa@x.example"]);
    }
}
