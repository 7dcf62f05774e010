//! Visits every user once, page by page, and compares the current row with the row under the new mapping.

use std::collections::{BTreeMap, BTreeSet};

use super::{PlanError, UserPlan, attributes::UnmetAttributes};
use crate::{
    apply::{
        guard,
        load::{self, rows},
        load_context::context,
        namesakes::{Together, together},
        protected_roles::foreseen,
        recompute,
    },
    db::Conn,
    decide::{
        Rules,
        context::RetainedRoles,
        fact::EntityKind,
        mapping::Mapping,
        protected_roles::{self, RoleLoss},
        roles::Because,
        rule_matches::{Examined, examine},
        users::{self, UserAccess, UserChange, UserRow},
    },
    tables::{self, claims, mappings},
};

/// Entities in one page.
const PAGE: usize = 500;

#[derive(Default)]
pub(super) struct Walked {
    pub(super) tenants: BTreeMap<String, BTreeMap<String, UserPlan>>,
    /// By tenant. Only tenants that exist.
    pub(super) matches: BTreeMap<String, Vec<Matches>>,
    /// Slugs in the broker's role field that the mapping ignores, with their number of users.
    pub(super) ignored: BTreeMap<String, usize>,
    /// By (tenant, role). Protected roles only.
    protected: BTreeMap<(String, String), Remaining>,
    pub(super) unmet_attributes: UnmetAttributes,
    /// The mapping in force.
    before: Mapping,
    /// (tenant, user) → directory, for each user who would lose access or a privileged role.
    losers: BTreeMap<(String, String), String>,
    /// (tenant, directory) → the number of people with access.
    active: BTreeMap<(String, String), u64>,
}

impl Walked {
    /// (tenant, directory) → (people who would lose access or a privileged role, people with access).
    pub(super) fn losses(&self) -> BTreeMap<(String, String), (u64, u64)> {
        let mut losses: BTreeMap<(String, String), (u64, u64)> = BTreeMap::new();
        for ((tenant_id, _), directory_id) in &self.losers {
            let key = (tenant_id.clone(), directory_id.clone());
            let active = self.active.get(&key).copied().unwrap_or_default();
            losses.entry(key).or_insert((0, active)).0 += 1;
        }
        losses
    }
}

/// The effect of one rule in one tenant.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Matches {
    pub(super) users: usize,
    /// The number of users with a role that is granted because of this rule.
    pub(super) explains: usize,
}

/// The users who would hold a protected role.
#[derive(Default)]
enum Remaining {
    #[default]
    Nobody,
    Holders,
    /// The newest loss, and its user.
    Lost(RoleLoss, String),
}

impl Remaining {
    fn join(&mut self, record: &protected_roles::HolderRecord, user_id: &str) {
        let later = |known: &(&RoleLoss, &str), loss: &RoleLoss| (loss, user_id) > (known.0, known.1);
        match (&*self, record) {
            (Self::Holders, _) | (_, protected_roles::HolderRecord::Lost { released: true, .. }) => {}
            (_, protected_roles::HolderRecord::Holds) => *self = Self::Holders,
            (Self::Lost(known, of), protected_roles::HolderRecord::Lost { loss, .. })
                if !later(&(known, of), loss) => {}
            (_, protected_roles::HolderRecord::Lost { loss, .. }) => {
                *self = Self::Lost(loss.clone(), user_id.to_owned());
            }
        }
    }
}

pub(super) fn walk(conn: &mut Conn, rules: &Rules, tenant: Option<&str>) -> Result<Walked, PlanError> {
    let mut walked = Walked {
        unmet_attributes: UnmetAttributes::of(&rules.mapping),
        before: mappings::in_force(conn)?,
        ..Walked::default()
    };
    let mut visited = BTreeSet::new();
    for (tenant_id, directory_id) in claims::homes(conn, tenant)? {
        let policy = rules.mapping.of(&tenant_id);
        walked.matches.entry(tenant_id).or_insert_with(|| vec![Matches::default(); policy.rules.len()]);
        let all = claims::of_directories(conn, &[&directory_id])?;
        let claim_ids: Vec<i64> = all.iter().map(|claim| claim.id).collect();
        let mut after = (String::new(), -1);
        loop {
            let page = tables::facts::under(conn, &claim_ids, (&after.0, after.1), PAGE)?;
            let Some(last) = page.last().cloned() else { break };
            after = last;
            let users = page.into_iter().filter(|(_, kind)| tables::kind(*kind) == EntityKind::User);
            let ids: BTreeSet<String> =
                users.map(|(id, _)| id).filter(|id| visited.insert(id.clone())).collect();
            visit(conn, rules, &directory_id, &ids, tenant, None, &mut walked)?;
        }
    }
    retain_the_last(conn, rules, tenant, &mut walked)?;
    walked.tenants.retain(|_, users| !users.is_empty());
    Ok(walked)
}

fn visit(
    conn: &mut Conn,
    rules: &Rules,
    directory_id: &str,
    ids: &BTreeSet<String>,
    tenant: Option<&str>,
    retained: Option<&RetainedRoles>,
    walked: &mut Walked,
) -> Result<(), PlanError> {
    let mut state = load::entities(conn, directory_id, ids.clone())?;
    let homes = recompute::homes(conn, &state, rules)?;
    let Together { ids: all, current, homes, separate } = together(conn, &mut state, ids, &homes, rules)?;
    let mut context = context(conn, &state, (&all, &current), (&homes, separate), rules)?;
    context.held_states = guard::held_states(conn, &current)?;
    let retains_already = std::mem::replace(&mut context.retained, retained.cloned().unwrap_or_default());
    if rules.mapping.protects() && retained.is_none() {
        for ((tenant_id, user_id), holders) in foreseen(conn, &state, ids, &current, &context)? {
            for (role, taken) in holders {
                walked.protected.entry((tenant_id.clone(), role)).or_default().join(&taken.record, &user_id);
            }
        }
    }
    for id in ids {
        let current = rows(&current, id);
        for change in users::derive(&state, id, current, &context).changes {
            let (UserChange::Put { user, .. } | UserChange::Restate(user)) = change else { continue };
            let row = current.iter().find(|row| row.tenant_id == user.tenant_id);
            let (Some(row), true) = (row, tenant.is_none_or(|tenant| tenant == user.tenant_id)) else {
                continue;
            };
            let key = (user.tenant_id.clone(), id.clone());
            let plan = difference(row, &user, (&walked.before, &rules.mapping), retains_already.get(&key));
            if retained.is_none() && row.active {
                *walked.active.entry((key.0.clone(), row.directory_id.clone())).or_default() += 1;
            }
            match plan.as_ref().is_some_and(UserPlan::is_a_loss) {
                true => drop(walked.losers.insert(key, row.directory_id.clone())),
                false => drop(walked.losers.remove(&key)),
            }
            let users = walked.tenants.entry(user.tenant_id.clone()).or_default();
            match plan {
                Some(plan) => drop(users.insert(id.clone(), plan)),
                None => drop(users.remove(id)),
            }
        }
        if retained.is_some() {
            continue;
        }
        for row in current.iter().filter(|row| row.active) {
            walked.unmet_attributes.meet(row);
        }
        for examined in examine(&state, id, current, &context) {
            count(&examined, rules, walked);
        }
    }
    Ok(())
}

/// Visits the last user of each protected role again, as somebody who retains it.
fn retain_the_last(
    conn: &mut Conn,
    rules: &Rules,
    tenant: Option<&str>,
    walked: &mut Walked,
) -> Result<(), PlanError> {
    let mut retained = RetainedRoles::new();
    for ((tenant_id, role), remaining) in std::mem::take(&mut walked.protected) {
        let protected = rules.mapping.of(&tenant_id).protected().any(|protected| protected == role);
        if let (Remaining::Lost(loss, user_id), true) = (remaining, protected) {
            retained.entry((tenant_id, user_id)).or_default().insert(role, loss);
        }
    }
    let ids: BTreeSet<String> = retained.keys().map(|(_, user_id)| user_id.clone()).collect();
    match ids.is_empty() {
        true => Ok(()),
        false => visit(conn, rules, "", &ids, tenant, Some(&retained), walked),
    }
}

/// A lost role is privileged too if only the mapping in force says so, as for the guard.
fn difference(
    row: &UserRow,
    user: &UserAccess,
    (before, after): (&Mapping, &Mapping),
    retains_already: Option<&BTreeMap<String, RoleLoss>>,
) -> Option<UserPlan> {
    let mut keeps = keeps(user);
    keeps.retain(|role| retains_already.is_none_or(|already| !already.contains_key(role)));
    let active = user.access.is_active();
    let gained = user.held.iter().filter(|(role, _)| !row.held.contains(*role));
    let gains: BTreeMap<String, String> =
        gained.map(|(role, because)| (role.clone(), because.to_string())).collect();
    if gains.is_empty() && user.lost.is_empty() && keeps.is_empty() && row.active == active {
        return None;
    }
    let (before, after) = (before.of(&user.tenant_id), after.of(&user.tenant_id));
    let gained = gains.keys().filter(|role| after.is_privileged(role));
    let lost = user.lost.iter().filter(|role| after.is_privileged(role) || before.is_privileged(role));
    let privileged = gained.chain(lost).cloned().collect();
    Some(UserPlan {
        name: row.profile.name.clone(),
        email: row.profile.email.clone(),
        loses: user.lost.clone(),
        loses_access: row.active && !active,
        gains_access: !row.active && active,
        gains,
        keeps,
        privileged,
    })
}

fn keeps(user: &UserAccess) -> BTreeSet<String> {
    let retained = user.held.iter().filter(|(_, because)| matches!(because, Because::Retained(_)));
    retained.map(|(role, _)| role.clone()).collect()
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
