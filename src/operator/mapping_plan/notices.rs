//! Notices to a tenant's administrators about an applied mapping: counts, and the people who gain or lose privileged
//! roles.

use std::collections::BTreeMap;

use super::{Plan, UserPlan, counts};
use crate::{
    outbox::{
        MOST_LISTED, Notice,
        notice::{MappingNotice, Privileged},
    },
    runtime::clock::Timestamp,
};

/// One notice for each tenant with at least one changed user.
pub(super) fn notices(plan: &Plan, version: i64, now: Timestamp) -> Vec<Notice> {
    let news = |(tenant_id, users): (&String, &BTreeMap<String, UserPlan>)| Notice::MappingApplied {
        tenant_id: tenant_id.clone(),
        mapping: news(users, version, now),
    };
    plan.tenants.iter().filter(|(_, users)| !users.is_empty()).map(news).collect()
}

fn news(users: &BTreeMap<String, UserPlan>, version: i64, now: Timestamp) -> MappingNotice {
    let counts = counts(users.values());
    let privileged: Vec<Privileged> = users
        .iter()
        .filter(|(_, user)| !user.privileged.is_empty())
        .map(|(id, user)| Privileged {
            user_id: id.clone(),
            name: user.name.clone(),
            email: user.email.clone(),
            gains: user.privileged.iter().filter(|role| user.gains.contains_key(*role)).cloned().collect(),
            loses: user.privileged.iter().filter(|role| user.loses.contains(*role)).cloned().collect(),
        })
        .collect();
    MappingNotice {
        version,
        at: now.micros(),
        users: counts.users,
        gain: counts.gain,
        lose: counts.lose,
        gain_access: counts.gain_access,
        lose_access: counts.lose_access,
        privileged_users: privileged.len(),
        listed: Vec::new(),
        privileged: privileged.into_iter().take(MOST_LISTED).collect(),
    }
}
