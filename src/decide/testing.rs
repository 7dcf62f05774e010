//! Shared by tests: one directory `d` of organization `org_1`, facts about its user `u`, and rows.

use std::collections::BTreeSet;

use super::{
    Rules,
    fact::{Fact, Scope, User, Version},
    newest_fact::{Home, Homes},
    ownership::{place, settle},
    profile::Profile,
    state::{FirstSighting, LatestFact, OwnershipClaim, StateSlice},
    users::UserRow,
};
use crate::runtime::clock::Timestamp;

/// Seconds since 1970.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1_000)
}

/// The version of an event that was sent at this second.
pub(crate) fn version(seconds: i64) -> Version {
    Version { at: at(seconds), emitted: at(seconds), event: format!("e{seconds}") }
}

/// A state with the claim of `org_1` to `d`, and the homes of its directories.
pub(crate) fn connected() -> (StateSlice, Homes) {
    let mut state = StateSlice::default();
    state.insert_claim(OwnershipClaim {
        id: 1,
        directory_id: "d".to_owned(),
        organization_id: "org_1".to_owned(),
        tenure: 0,
        first: FirstSighting { rank: 0, at: at(0), event: "e0".to_owned() },
        first_inbox_id: 1,
        revealed_by: Some(1),
        tenant_id: None,
        fresh: false,
    });
    let rules = Rules::default();
    settle(&mut state, &rules);
    let home = Home { place: place(&state, "d", &rules), provider: None };
    (state, Homes::from([("d".to_owned(), home)]))
}

/// The scope of events of `d`.
pub(crate) fn scope() -> Scope {
    Scope { directory_id: "d".to_owned(), organization_id: Some("org_1".to_owned()) }
}

fn profile(idp_id: &str) -> Profile {
    Profile {
        idp_id: Some(idp_id.to_owned()),
        email: Some(format!("{idp_id}@acme.example")),
        ..Profile::default()
    }
}

/// A fact of this second: `u` is active under this `idp_id`, with the address `<idp_id>@acme.example`.
pub(crate) fn active(seconds: i64, idp_id: &str) -> Fact<User> {
    let content = User {
        profile: profile(idp_id),
        state: "active".to_owned(),
        custom_attributes: "{}".to_owned(),
        roles: Vec::new(),
        erased: false,
        created_at: at(0),
        updated_at: at(0),
    };
    Fact { id: "u".to_owned(), version: version(seconds), reveals: true, live: true, content }
}

/// The latest fact about an entity, under the claim with this id.
pub(crate) fn latest(claim_id: i64, inbox_id: i64, live: bool) -> LatestFact {
    LatestFact {
        claim_id,
        version: version(inbox_id),
        revealed_by: Some(inbox_id),
        live,
        ended: None,
        bearers: Vec::new(),
        deletion: None,
        digest: 0,
        inbox_id,
    }
}

/// The active row of `u` in this tenant, with the profile of [`active`] and these roles.
pub(crate) fn row(tenant_id: &str, idp_id: &str, roles: &[&str]) -> UserRow {
    UserRow {
        tenant_id: tenant_id.to_owned(),
        id: "u".to_owned(),
        person_id: "p".to_owned(),
        directory_id: "d".to_owned(),
        profile: profile(idp_id),
        active: true,
        access_epoch: 0,
        deprovisioned_at: None,
        role_slugs: Vec::new(),
        custom_attributes: "{}".to_owned(),
        digest: 0,
        held: roles.iter().map(|role| (*role).to_owned()).collect::<BTreeSet<_>>(),
        former: None,
    }
}
