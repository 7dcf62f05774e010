//! The people of an access review, and the access that they keep against their directory. The file is pure.

use std::collections::{BTreeSet, HashMap};

use serde::Serialize;

use super::{
    past::Past,
    past_user::{HeldLoss, PastUser},
    report::RoleLine,
    under_review::AccessUnderReview,
};
use crate::runtime::clock::Timestamp;

/// One person with access.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReviewedPerson {
    pub user_id: String,
    pub person_id: String,
    pub name: Option<String>,
    pub email: Option<String>,
    pub job_title: Option<String>,
    pub directory_id: String,
    pub department: Option<String>,
    pub manager: Option<String>,
    pub access_since: Option<String>,
    /// Holds a privileged role.
    pub privileged: bool,
    /// Holds a role that an operator granted.
    pub manual: bool,
    pub erased: bool,
    pub repaired: bool,
    /// Privileged roles come first, then manual ones.
    pub roles: Vec<ReviewedRole>,
}

/// One role of a person.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReviewedRole {
    pub role: String,
    pub privileged: bool,
    pub manual: bool,
    /// The operator who granted it.
    pub granted_by: Option<String>,
    pub last_holder: bool,
    pub because: String,
    pub since: String,
    /// The entry of the gain.
    pub entry: i64,
}

/// Everybody with access.
pub fn people(past: &Past, privileged: &BTreeSet<String>) -> Vec<ReviewedPerson> {
    let active = past.users.iter().filter(|(_, user)| user.is_active);
    let mut people: Vec<ReviewedPerson> = active.map(|(id, user)| person(id, user, privileged)).collect();
    people.sort_by_cached_key(|person| {
        let known = person.name.as_ref().or(person.email.as_ref()).map(|text| text.to_lowercase());
        (!person.privileged, !person.manual, known, person.user_id.clone())
    });
    people
}

fn person(user_id: &str, user: &PastUser, privileged: &BTreeSet<String>) -> ReviewedPerson {
    let role = |(role, held): (&String, &super::past_user::PastRole)| ReviewedRole {
        role: role.clone(),
        privileged: privileged.contains(role),
        manual: user.is_manual(role),
        granted_by: user.granted.get(role).cloned(),
        last_holder: user.retained.contains_key(role),
        because: held.because.clone(),
        since: time(held.since),
        entry: held.entry,
    };
    let mut roles: Vec<ReviewedRole> = user.roles.iter().map(role).collect();
    roles.sort_by_key(|role| (!role.privileged, !role.manual));
    let text = |field: &str| user.text(field).map(str::to_owned);
    ReviewedPerson {
        user_id: user_id.to_owned(),
        person_id: user.person_id.clone(),
        name: text("name"),
        email: text("email"),
        job_title: text("job_title"),
        directory_id: user.directory_id.clone(),
        department: user.department(),
        manager: user.manager(),
        access_since: user.access_since.map(time),
        privileged: roles.iter().any(|role| role.privileged),
        manual: roles.iter().any(|role| role.manual),
        erased: user.is_erased,
        repaired: user.is_repaired,
        roles,
    }
}

fn time(micros: i64) -> String {
    Timestamp::from_micros(micros).to_string()
}

/// Replaces the reasons at the time of each gain by those in the tables, which are newer and longer.
pub fn give_reasons(people: &mut [ReviewedPerson], tables: &[RoleLine]) {
    let reasons: HashMap<(&str, &str), &str> = tables
        .iter()
        .filter_map(|line| Some(((line.user_id.as_str(), line.role.as_deref()?), line.because.as_deref()?)))
        .collect();
    for person in people {
        for role in &mut person.roles {
            if let Some(reason) = reasons.get(&(person.user_id.as_str(), role.role.as_str())) {
                (*reason).clone_into(&mut role.because);
            }
        }
    }
}

/// People in holds, then last holders.
pub fn under_review(past: &Past) -> Vec<AccessUnderReview> {
    let held = past.users.iter().filter_map(|(id, user)| Some(in_hold(past, id, user, user.held.as_ref()?)));
    let retained = past.users.iter().flat_map(|(id, user)| {
        user.retained.values().map(move |role| AccessUnderReview {
            reason: "last_holder".to_owned(),
            directory_wants: role.directory_wants.clone(),
            since: time(role.since),
            ..of(id, user)
        })
    });
    held.chain(retained).collect()
}

fn in_hold(past: &Past, user_id: &str, user: &PastUser, held: &HeldLoss) -> AccessUnderReview {
    let reason = held.decision_number.and_then(|number| past.decision_reasons.get(&(held.hold_id, number)));
    AccessUnderReview {
        reason: "held".to_owned(),
        directory_wants: held.directory_wants.clone(),
        since: time(held.since),
        hold_id: Some(held.hold_id),
        decision: held.decision.map(str::to_owned),
        decided_at: held.decided_at.map(time),
        decided_by: held.decided_by.clone(),
        decision_reason: reason.cloned(),
        ..of(user_id, user)
    }
}

fn of(user_id: &str, user: &PastUser) -> AccessUnderReview {
    let text = |field: &str| user.text(field).map(str::to_owned);
    AccessUnderReview {
        user_id: user_id.to_owned(),
        name: text("name"),
        email: text("email"),
        ..AccessUnderReview::default()
    }
}
