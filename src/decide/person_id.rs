//! Ids of persons. They do not change when the broker gives a person a new user id.

use sha2::{Digest, Sha256};

/// The person id of a (tenant, kind of provider, `idp_id`), for all ids of the broker (lessons 36, 37). E-mail does
/// not matter (lesson 35). Without an `idp_id` the broker's id alone identifies the person.
pub fn person_id(tenant_id: &str, provider: Option<&str>, idp_id: Option<&str>, user_id: &str) -> String {
    named(&match idp_id {
        Some(idp_id) => [tenant_id, provider.unwrap_or_default(), "idp", idp_id],
        None => [tenant_id, "", "broker", user_id],
    })
}

/// The id of a person with the `idp_id` of an earlier person: it also contains the first user known for the person
/// (`super::namesakes`).
pub fn another_person(tenant_id: &str, provider: Option<&str>, idp_id: &str, first_known_as: &str) -> String {
    named(&[tenant_id, provider.unwrap_or_default(), "idp", idp_id, first_known_as])
}

fn named(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        // The length precedes each part, so no two lists of parts have the same hash input.
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let digest = hex::encode(hash.finalize());
    format!("person_{}", digest.get(..32).unwrap_or(&digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_known_by_all_that_tells_people_apart() {
        let ids = [
            person_id("t", Some("okta"), Some("i"), "u"),
            person_id("t2", Some("okta"), Some("i"), "u"),
            person_id("t", Some("google"), Some("i"), "u"),
            person_id("t", Some("okta"), Some("i2"), "u"),
            person_id("t", Some("okta"), None, "u"),
            person_id("t", Some("okta"), None, "u2"),
            another_person("t", Some("okta"), "i", "u"),
            another_person("t", Some("okta"), "i", "u2"),
            another_person("t", Some("okta"), "i2", "u"),
            another_person("t", None, "i", "u"),
        ];
        let apart: std::collections::BTreeSet<&String> = ids.iter().collect();
        assert_eq!(apart.len(), ids.len(), "{ids:?}");
        assert!(ids.iter().all(|id| id.len() == "person_".len() + 32), "{ids:?}");
    }

    #[test]
    fn the_id_that_the_broker_gives_plays_no_part_beside_an_idp_id() {
        assert_eq!(person_id("t", None, Some("i"), "u"), person_id("t", None, Some("i"), "u2"));
    }
}
