//! Brings the holder records of protected roles up to date (`decide::protected_roles`), in the transaction of the
//! change. So of two losses at the same moment, in any process, the second one sees the first.

use std::collections::{BTreeSet, HashMap};

use serde_json::json;

use super::load::{self, rows};
use crate::{
    audit::{Actor, AuditEntry, kinds},
    db::{Conn, DbError, Serialized},
    decide::{
        context::Context,
        fact::EntityKind,
        protected_roles::{HolderRecord, RoleLoss, RoleStatus, affected_roles, directory_wants, record},
        rule_matches::{Examined, examine},
        state::StateSlice,
        users::UserRow,
    },
    outbox::{
        Notice,
        notice::{LastHolder, NoticePerson},
    },
    tables::{
        self, Key, memberships,
        role_holders::{self, HolderChange, RoleHolders, StoredHolder},
    },
};

/// The users whose roles differ after holder records changed.
#[derive(Debug, Default)]
pub struct SettledHolders {
    /// Users outside the batch who begin or cease to retain a role. They must be derived again.
    pub others: BTreeSet<String>,
    /// (tenant, user, role) of users who retain a role from now on.
    pub retained: Vec<(String, String, String)>,
    /// The same of users who retain a role no more.
    pub ended: Vec<(String, String, String)>,
    /// The same of users who retain a role as before, although the directory asks for another state now.
    pub restated: Vec<(String, String, String)>,
}

/// Returns at once when no role is protected. Puts the roles that these users retain into `context`.
pub fn settle(
    conn: &mut Serialized<'_>,
    state: &StateSlice,
    ids: &BTreeSet<String>,
    current: &HashMap<String, Vec<UserRow>>,
    context: &mut Context<'_>,
) -> Result<SettledHolders, DbError> {
    let mut settled = SettledHolders::default();
    if !context.mapping.protects() {
        return Ok(settled);
    }
    let keys: Vec<Key> = load::keys(state, EntityKind::User, ids.iter());
    let holders = role_holders::of(conn, &keys)?;
    let examined = examined(state, ids, current, context);
    let newest = memberships::newest_context(conn, &losers(&examined, current))?;
    let changes = changes(&examined, current, &holders, &newest, context);
    role_holders::put(conn, &changes)?;
    let retaining = |key: &(&str, &str, &str)| {
        let of_user = holders.get(&(key.0.to_owned(), key.1.to_owned()));
        of_user.and_then(|roles| roles.get(key.2)).is_some_and(|holder| holder.retained)
    };
    let lost = changes
        .iter()
        .filter(|(key, record)| matches!(record, Some(HolderRecord::Lost { .. })) && retaining(key));
    settled.restated = lost
        .map(|((tenant_id, user_id, role), _)| (tenant_id.to_string(), user_id.to_string(), role.to_string()))
        .collect();
    let affected: BTreeSet<(&str, &str)> =
        changes.iter().map(|((tenant_id, _, role), _)| (*tenant_id, *role)).collect();
    for (tenant_id, role) in affected {
        let last_holder = role_holders::last_holder(conn, tenant_id, role)?;
        for user_id in role_holders::settle(conn, tenant_id, role)? {
            let one = (tenant_id.to_owned(), user_id.clone(), role.to_owned());
            match last_holder.as_ref() == Some(&user_id) {
                true => settled.retained.push(one),
                false => settled.ended.push(one),
            }
            if !ids.contains(&user_id) {
                settled.others.insert(user_id);
            }
        }
    }
    settled.restated.retain(|one| !settled.ended.contains(one));
    if !changes.is_empty() {
        context.retained = role_holders::retained(&role_holders::of(conn, &keys)?);
    }
    Ok(settled)
}

/// The audit entries about users who retain a protected role, with the state that the directory asks for, and about users who
/// do so no more.
pub fn entries(
    conn: &mut Conn,
    retained: &[(String, String, String)],
    ended: &[(String, String, String)],
) -> Result<Vec<AuditEntry>, DbError> {
    let users: Vec<Key> =
        retained.iter().map(|(tenant_id, user_id, _)| (tenant_id.clone(), user_id.clone())).collect();
    let holders = role_holders::of(conn, &users)?;
    let begun = retained.iter().map(|(tenant_id, user_id, role)| {
        let holder = holders.get(&(tenant_id.clone(), user_id.clone())).and_then(|roles| roles.get(role));
        let (loss, ends_access) = match holder.map(|holder| &holder.record) {
            Some(HolderRecord::Lost { loss, ends_access, .. }) => (Some(loss), *ends_access),
            Some(HolderRecord::Holds) | None => (None, false),
        };
        let change = json!({
            "role": role,
            "lost_by_event": loss.map(|loss| &loss.event),
            "directory_wants": directory_wants(role, ends_access),
        });
        let entry = AuditEntry::new(tenant_id, kinds::ROLE_RETAINED, user_id, &change, by_protection());
        AuditEntry { stated_at: loss.map(|loss| loss.at), ..entry }
    });
    let ended = ended.iter().map(|(tenant_id, user_id, role)| {
        let change = json!({"role": role});
        AuditEntry::new(tenant_id, kinds::ROLE_RETENTION_ENDED, user_id, &change, by_protection())
    });
    Ok(begun.chain(ended).collect())
}

fn by_protection() -> Actor {
    Actor::Rule("last holder of a protected role".to_owned())
}

/// The notices to the tenant's administrators about users who retain a protected role from now on.
pub fn notices(conn: &mut Conn, retained: &[(String, String, String)]) -> Result<Vec<Notice>, DbError> {
    let users: Vec<Key> =
        retained.iter().map(|(tenant_id, user_id, _)| (tenant_id.clone(), user_id.clone())).collect();
    let current = tables::users::current(conn, &users)?;
    let holders = role_holders::of(conn, &users)?;
    let facts = tables::facts::on(conn, &users.iter().map(|(_, id)| id.as_str()).collect::<Vec<_>>())?;
    let notice = |(tenant_id, user_id, role): &(String, String, String)| {
        let row = current.iter().find(|row| (&row.tenant_id, &row.id) == (tenant_id, user_id))?;
        let taken = holders.get(&(tenant_id.clone(), user_id.clone()))?.get(role)?;
        let HolderRecord::Lost { loss, ends_access, .. } = &taken.record else { return None };
        let of_user = facts.iter().filter(|(kind, id, _)| *kind == EntityKind::User && id == user_id);
        let newest = of_user.map(|(_, _, fact)| fact).max_by(|a, b| a.version.cmp(&b.version));
        let person = NoticePerson {
            tenant_id: tenant_id.clone(),
            user_id: user_id.clone(),
            person_id: row.person_id.clone(),
        };
        let retained = LastHolder {
            user_id: user_id.clone(),
            name: row.profile.name.clone(),
            email: row.profile.email.clone(),
            directory_id: row.directory_id.clone(),
            role: role.clone(),
            access: *ends_access,
            since: loss.at.micros(),
            inbox_id: newest.map_or(0, |fact| fact.inbox_id),
        };
        Some(Notice::LastHolderRetained { person, retained })
    };
    Ok(retained.iter().filter_map(notice).collect())
}

/// The holder records of these users if the derived rows were applied. Writes nothing.
pub fn foreseen(
    conn: &mut Conn,
    state: &StateSlice,
    ids: &BTreeSet<String>,
    current: &HashMap<String, Vec<UserRow>>,
    context: &Context<'_>,
) -> Result<RoleHolders, DbError> {
    let mut holders = role_holders::of(conn, &load::keys(state, EntityKind::User, ids.iter()))?;
    let examined = examined(state, ids, current, context);
    let newest = memberships::newest_context(conn, &losers(&examined, current))?;
    let before = holders.clone();
    for ((tenant_id, user_id, role), record) in changes(&examined, current, &before, &newest, context) {
        let of_user = holders.entry((tenant_id.to_owned(), user_id.to_owned())).or_default();
        match record {
            Some(record) => drop(of_user.insert(role.to_owned(), StoredHolder { record, retained: false })),
            None => drop(of_user.remove(role)),
        }
    }
    Ok(holders)
}

fn examined(
    state: &StateSlice,
    ids: &BTreeSet<String>,
    current: &HashMap<String, Vec<UserRow>>,
    context: &Context<'_>,
) -> Vec<Examined> {
    ids.iter().flat_map(|id| examine(state, id, rows(current, id), context)).collect()
}

fn row<'a>(examined: &Examined, current: &'a HashMap<String, Vec<UserRow>>) -> Option<&'a UserRow> {
    rows(current, &examined.user_id).iter().find(|row| row.tenant_id == examined.tenant_id)
}

/// Users who lose a role without losing access. The reason may be a group, which then gives the time of the loss.
fn losers(examined: &[Examined], current: &HashMap<String, Vec<UserRow>>) -> Vec<Key> {
    let demoted = |examined: &&Examined| {
        let holds = examined.holds();
        examined.access.is_active()
            && row(examined, current).is_some_and(|row| row.held.iter().any(|role| !holds.contains(role)))
    };
    examined.iter().filter(demoted).map(|one| (one.tenant_id.clone(), one.user_id.clone())).collect()
}

fn changes<'a>(
    examined: &'a [Examined],
    current: &HashMap<String, Vec<UserRow>>,
    holders: &'a RoleHolders,
    newest: &HashMap<Key, RoleLoss>,
    context: &'a Context<'_>,
) -> Vec<HolderChange<'a>> {
    let (mut changes, none) = (Vec::new(), BTreeSet::new());
    for one in examined {
        let (tenant_id, user_id) = (one.tenant_id.as_str(), one.user_id.as_str());
        let key = (one.tenant_id.clone(), one.user_id.clone());
        let holds = one.holds();
        // A new bearer of an id retains nothing of the former one.
        let current = row(one, current).filter(|_| !one.succeeds).map_or(&none, |row| &row.held);
        let ends_access = !one.access.is_active();
        let seen = RoleStatus { holds: &holds, current, dismissed: one.dismissed, ends_access };
        let before = |role: &str| holders.get(&key)?.get(role).map(|taken| taken.record.clone());
        let loss = || {
            let fact = RoleLoss { at: one.changed_at(), event: one.event.clone() };
            newest.get(&key).cloned().filter(|group| *group > fact).unwrap_or(fact)
        };
        for role in
            affected_roles(context.mapping.of(tenant_id), &holds, current, |role| before(role).is_some())
        {
            let after = record(role, seen, before(role).filter(|_| !one.succeeds), loss);
            if after != before(role) {
                changes.push(((tenant_id, user_id, role), after));
            }
        }
    }
    // Users who turned out to belong to another tenant lose their records here.
    let here: BTreeSet<(&str, &str)> =
        examined.iter().map(|one| (one.tenant_id.as_str(), one.user_id.as_str())).collect();
    for ((tenant_id, user_id), taken) in holders {
        if !here.contains(&(tenant_id, user_id)) {
            let none = |role: &'a String| {
                ((tenant_id.as_str(), user_id.as_str(), role.as_str()), None::<HolderRecord>)
            };
            changes.extend(taken.keys().map(none));
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::{
        fact::{Fact, Observation, User},
        fold_facts::fold,
        mapping::Mapping,
        testing::{active, connected, row, scope},
    };

    /// Whether `u`, whose row has these roles, loses one of them by this fact and keeps access.
    fn is_loser(fact: Fact<User>, roles: &[&str]) -> bool {
        let (mut state, homes) = connected();
        fold(&mut state, 1, Observation::User { scope: scope(), fact });
        let mapping = Mapping::built_in();
        let current = HashMap::from([("u".to_owned(), vec![row("org_1", "A", roles)])]);
        let ids = BTreeSet::from(["u".to_owned()]);
        let examined = examined(&state, &ids, &current, &Context::new(&homes, &mapping));
        !losers(&examined, &current).is_empty()
    }

    #[test]
    fn a_loser_of_a_role_keeps_access() {
        assert!(is_loser(active(1, "A"), &["admin"]));
        assert!(!is_loser(active(1, "A"), &[]), "there was no role");
        assert!(!is_loser(Fact { live: false, ..active(1, "A") }, &["admin"]), "access ends too");
    }
}
