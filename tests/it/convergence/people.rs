//! Persons and their ids.

use std::collections::HashMap;

use rosterd::decide::person_id::{another_person, person_id};

use super::model::Tables;

/// The model decides who a person is, and rosterd the id of the person. So a wrong id is visible even without a second
/// user to compare with.
pub fn with_people_named(mut tables: Tables) -> Tables {
    for user in tables.get_mut("users").into_iter().flatten() {
        let part = |n: usize| user["person_id"][n].as_str();
        let id = match part(3) {
            Some(first) => another_person(part(0).unwrap(), part(1), part(2).unwrap(), first),
            None => person_id(part(0).unwrap(), part(1), part(2), user["id"].as_str().unwrap()),
        };
        user["person_id"] = id.into();
    }
    tables
}

#[test]
fn people_of_another_tenant_provider_or_idp_id_have_another_id() {
    let mut ids = HashMap::new();
    for tenant in ["a", "b", "ab"] {
        for provider in [None, Some("a"), Some("b"), Some("ab")] {
            for idp_id in [None, Some("a"), Some("b"), Some("ab"), Some("")] {
                // Without an idp_id only the broker's id counts, for any provider.
                let person = (tenant, idp_id.map(|idp_id| (provider, idp_id)));
                let id = person_id(tenant, provider, idp_id, "a");
                assert_eq!(ids.entry(id).or_insert((person, None)), &(person, None));
                for first in ["a", "b"] {
                    let Some(idp_id) = idp_id else { continue };
                    let id = another_person(tenant, provider, idp_id, first);
                    assert_eq!(ids.entry(id).or_insert((person, Some(first))), &(person, Some(first)));
                }
            }
        }
    }
}
