//! Everybody once, page by page: what the rows show, and what they would show.

use std::collections::{BTreeMap, BTreeSet};

use super::{PlanError, UserPlan};
use crate::{
    apply::{
        load,
        people::{around, rows},
        refresh,
    },
    db::Conn,
    decide::{
        Rules,
        examine::{Examined, examine},
        roles::Because,
        users::{self, Seat, ShownUser, UserChange},
    },
    fact::Kind,
    tables::{self, claims},
};

/// Entities at once.
const PAGE: usize = 500;

#[derive(Default)]
pub(super) struct Walked {
    pub(super) tenants: BTreeMap<String, BTreeMap<String, UserPlan>>,
    /// Only tenants that exist.
    pub(super) matches: BTreeMap<String, Vec<Matches>>,
    /// Slugs in the broker's role field that the mapping ignores, and of how many users.
    pub(super) ignored: BTreeMap<String, usize>,
    /// By (tenant, directory): who would lose access or a privileged role, of how many with access.
    pub(super) losses: BTreeMap<(String, String), (u64, u64)>,
}

/// What one rule does in one tenant.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Matches {
    pub(super) users: usize,
    /// Users of whom one of its roles is explained by it.
    pub(super) explains: usize,
}

pub(super) fn walk(conn: &mut Conn, rules: &Rules, tenant: Option<&str>) -> Result<Walked, PlanError> {
    let mut walked = Walked::default();
    let mut met = BTreeSet::new();
    for (tenant_id, directory_id) in claims::homes(conn, tenant)? {
        let policy = rules.mapping.of(&tenant_id);
        walked.matches.entry(tenant_id).or_insert_with(|| vec![Matches::default(); policy.rules.len()]);
        let all = claims::of_directories(conn, &[&directory_id])?;
        let claim_ids: Vec<i64> = all.iter().map(|claim| claim.id).collect();
        let mut after = (String::new(), -1);
        loop {
            let page = tables::words::under(conn, &claim_ids, (&after.0, after.1), PAGE)?;
            let Some(last) = page.last().cloned() else { break };
            after = last;
            let users = page.into_iter().filter(|(_, kind)| tables::kind(*kind) == Kind::User);
            let ids: BTreeSet<String> = users.map(|(id, _)| id).filter(|id| met.insert(id.clone())).collect();
            look_at(conn, rules, &directory_id, &ids, tenant, &mut walked)?;
        }
    }
    walked.tenants.retain(|_, users| !users.is_empty());
    Ok(walked)
}

fn look_at(
    conn: &mut Conn,
    rules: &Rules,
    directory_id: &str,
    ids: &BTreeSet<String>,
    tenant: Option<&str>,
    walked: &mut Walked,
) -> Result<(), PlanError> {
    let mut state = load::entities(conn, directory_id, ids.clone())?;
    let homes = refresh::homes(conn, &state, rules)?;
    let (shown, around) = around(conn, &mut state, ids, &homes, rules)?;
    for id in ids {
        let shown = rows(&shown, id);
        for change in users::derive(&state, id, shown, &around).changes {
            let (UserChange::Put { seat, .. } | UserChange::Restate(seat)) = change else { continue };
            let row = shown.iter().find(|row| row.tenant_id == seat.tenant_id);
            let (Some(row), true) = (row, tenant.is_none_or(|tenant| tenant == seat.tenant_id)) else {
                continue;
            };
            let user = difference(row, &seat, rules);
            if row.active {
                let (losses, active) =
                    walked.losses.entry((row.tenant_id.clone(), row.directory_id.clone())).or_default();
                let privileged =
                    |user: &UserPlan| user.loses.iter().any(|role| user.privileged.contains(role));
                *losses += u64::from(user.as_ref().is_some_and(|user| user.loses_access || privileged(user)));
                *active += 1;
            }
            let Some(user) = user else { continue };
            walked.tenants.entry(seat.tenant_id).or_default().insert(id.clone(), user);
        }
        for examined in examine(&state, id, shown, &around) {
            count(&examined, rules, walked);
        }
    }
    Ok(())
}

fn difference(row: &ShownUser, seat: &Seat, rules: &Rules) -> Option<UserPlan> {
    let active = seat.access.is_active();
    let gained = seat.held.iter().filter(|(role, _)| !row.held.contains(*role));
    let gains: BTreeMap<String, String> =
        gained.map(|(role, because)| (role.clone(), because.to_string())).collect();
    if gains.is_empty() && seat.lost.is_empty() && row.active == active {
        return None;
    }
    let policy = rules.mapping.of(&seat.tenant_id);
    let privileged =
        gains.keys().chain(&seat.lost).filter(|role| policy.is_privileged(role)).cloned().collect();
    Some(UserPlan {
        name: row.name.clone(),
        email: row.email.clone(),
        loses: seat.lost.clone(),
        loses_access: row.active && !active,
        gains_access: !row.active && active,
        gains,
        privileged,
    })
}

fn count(examined: &Examined, rules: &Rules, walked: &mut Walked) {
    let Some(matches) = walked.matches.get_mut(&examined.tenant_id) else { return };
    if !examined.access.is_active() {
        return;
    }
    for slug in &examined.derived.ignored {
        *walked.ignored.entry(slug.clone()).or_default() += 1;
    }
    let policy = rules.mapping.of(&examined.tenant_id);
    for ((rule, matched), matches) in policy.rules.iter().zip(&examined.rules).zip(matches) {
        let explains =
            |because: &Because| matches!(because, Because::Rule { name, .. } if *name == rule.name);
        matches.users += usize::from(matched.is_some());
        matches.explains += usize::from(examined.derived.held.values().any(explains));
    }
}
