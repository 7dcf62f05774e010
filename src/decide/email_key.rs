//! E-mail addresses in the form in which they are compared: ASCII letters in lower case, all else unchanged.

/// The key of an address (column `email_key`). Two addresses with equal keys are the same address. Databases and
/// languages change the case of other letters by different rules (the kelvin sign `K`, `İ`, `Å`), so by their rules
/// one address could find another person's row.
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
