//! Holders of protected roles brought up to date with what is derived (`decide::protect`), in the transaction of the change: so of
//! two losses at once, by however many processes, the second sees the first.

use std::collections::{BTreeSet, HashMap};

use serde_json::json;

use super::load::{self, rows};
use crate::{
    audit::{Actor, AuditEntry, kinds},
    db::{Conn, DbError, Serialized},
    decide::{
        context::Context,
        fact::EntityKind,
        protected_roles::{HolderRecord, RoleLoss, RoleStatus, concerned, record},
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

/// What settling seats leads to.
#[derive(Debug, Default)]
pub struct SettledHolders {
    /// Users outside the batch whose keeping began or ended: they are to be derived again.
    pub others: BTreeSet<String>,
    /// (tenant, user, role) of those who are kept from now on.
    pub kept: Vec<(String, String, String)>,
    /// The same of those who are kept no more.
    pub ended: Vec<(String, String, String)>,
}

/// Costs nothing where no role is protected. The roles that these users retain are put into `context`.
pub fn settle(
    conn: &mut Serialized<'_>,
    state: &StateSlice,
    ids: &BTreeSet<String>,
    shown: &HashMap<String, Vec<UserRow>>,
    context: &mut Context<'_>,
) -> Result<SettledHolders, DbError> {
    let mut settled = SettledHolders::default();
    if !context.mapping.protects() {
        return Ok(settled);
    }
    let keys: Vec<Key> = load::keys(state, EntityKind::User, ids.iter());
    let holders = role_holders::of(conn, &keys)?;
    let examined = examined(state, ids, shown, context);
    let newest = memberships::newest_context(conn, &losers(&examined, shown))?;
    let changes = changes(&examined, shown, &holders, &newest, context);
    role_holders::put(conn, &changes)?;
    let affected: BTreeSet<(&str, &str)> =
        changes.iter().map(|((tenant_id, _, role), _)| (*tenant_id, *role)).collect();
    for (tenant_id, role) in affected {
        let keeper = role_holders::keeper(conn, tenant_id, role)?;
        for user_id in role_holders::settle(conn, tenant_id, role)? {
            let one = (tenant_id.to_owned(), user_id.clone(), role.to_owned());
            match keeper.as_ref() == Some(&user_id) {
                true => settled.kept.push(one),
                false => settled.ended.push(one),
            }
            if !ids.contains(&user_id) {
                settled.others.insert(user_id);
            }
        }
    }
    if !changes.is_empty() {
        context.kept = role_holders::kept(&role_holders::of(conn, &keys)?);
    }
    Ok(settled)
}

/// The audit entries about users who retain a protected role from now on, or do so no more.
pub fn entries(
    conn: &mut Conn,
    kept: &[(String, String, String)],
    ended: &[(String, String, String)],
) -> Result<Vec<AuditEntry>, DbError> {
    let users: Vec<Key> =
        kept.iter().map(|(tenant_id, user_id, _)| (tenant_id.clone(), user_id.clone())).collect();
    let holders = role_holders::of(conn, &users)?;
    let begun = kept.iter().map(|(tenant_id, user_id, role)| {
        let holder = holders.get(&(tenant_id.clone(), user_id.clone())).and_then(|roles| roles.get(role));
        let loss = holder.and_then(|holder| match &holder.record {
            HolderRecord::Lost { loss, .. } => Some(loss),
            HolderRecord::Holds => None,
        });
        let change = json!({"role": role, "lost_by_event": loss.map(|loss| &loss.event)});
        let entry = AuditEntry::new(tenant_id, kinds::ROLE_RETAINED, user_id, &change, last_holder());
        AuditEntry { said_at: loss.map(|loss| loss.at), ..entry }
    });
    let ended = ended.iter().map(|(tenant_id, user_id, role)| {
        let change = json!({"role": role});
        AuditEntry::new(tenant_id, kinds::ROLE_RETENTION_ENDED, user_id, &change, last_holder())
    });
    Ok(begun.chain(ended).collect())
}

fn last_holder() -> Actor {
    Actor::Rule("last holder of a protected role".to_owned())
}

/// The notices to the tenant's administrators about users who retain a protected role from now on.
pub fn notices(conn: &mut Conn, kept: &[(String, String, String)]) -> Result<Vec<Notice>, DbError> {
    let users: Vec<Key> =
        kept.iter().map(|(tenant_id, user_id, _)| (tenant_id.clone(), user_id.clone())).collect();
    let shown = tables::users::shown(conn, &users)?;
    let holders = role_holders::of(conn, &users)?;
    let facts = tables::facts::on(conn, &users.iter().map(|(_, id)| id.as_str()).collect::<Vec<_>>())?;
    let notice = |(tenant_id, user_id, role): &(String, String, String)| {
        let row = shown.iter().find(|row| (&row.tenant_id, &row.id) == (tenant_id, user_id))?;
        let taken = holders.get(&(tenant_id.clone(), user_id.clone()))?.get(role)?;
        let HolderRecord::Lost { loss, .. } = &taken.record else { return None };
        let of_user = facts.iter().filter(|(kind, id, _)| *kind == EntityKind::User && id == user_id);
        let newest = of_user.map(|(_, _, fact)| fact).max_by(|a, b| a.version.cmp(&b.version));
        let whom = NoticePerson {
            tenant_id: tenant_id.clone(),
            user_id: user_id.clone(),
            person_id: row.person_id.clone(),
        };
        let kept = LastHolder {
            user_id: user_id.clone(),
            name: row.name.clone(),
            email: row.email.clone(),
            directory_id: row.directory_id.clone(),
            role: role.clone(),
            access: newest.is_some_and(|fact| !fact.live),
            since: loss.at.micros(),
            inbox_id: newest.map_or(0, |fact| fact.inbox_id),
        };
        Some(Notice::LastHolderKept { whom, kept })
    };
    Ok(kept.iter().filter_map(notice).collect())
}

/// The seats that these users would have, if what is derived were applied; nothing is written.
pub fn foreseen(
    conn: &mut Conn,
    state: &StateSlice,
    ids: &BTreeSet<String>,
    shown: &HashMap<String, Vec<UserRow>>,
    context: &Context<'_>,
) -> Result<RoleHolders, DbError> {
    let mut holders = role_holders::of(conn, &load::keys(state, EntityKind::User, ids.iter()))?;
    let examined = examined(state, ids, shown, context);
    let newest = memberships::newest_context(conn, &losers(&examined, shown))?;
    let before = holders.clone();
    for ((tenant_id, user_id, role), record) in changes(&examined, shown, &before, &newest, context) {
        let of_user = holders.entry((tenant_id.to_owned(), user_id.to_owned())).or_default();
        match record {
            Some(record) => drop(of_user.insert(role.to_owned(), StoredHolder { record, kept: false })),
            None => drop(of_user.remove(role)),
        }
    }
    Ok(holders)
}

fn examined(
    state: &StateSlice,
    ids: &BTreeSet<String>,
    shown: &HashMap<String, Vec<UserRow>>,
    context: &Context<'_>,
) -> Vec<Examined> {
    ids.iter().flat_map(|id| examine(state, id, rows(shown, id), context)).collect()
}

fn row<'a>(examined: &Examined, shown: &'a HashMap<String, Vec<UserRow>>) -> Option<&'a UserRow> {
    rows(shown, &examined.user_id).iter().find(|row| row.tenant_id == examined.tenant_id)
}

/// Those who lose a role without losing access: their groups may be why, and tell when.
fn losers(examined: &[Examined], shown: &HashMap<String, Vec<UserRow>>) -> Vec<Key> {
    let demoted = |examined: &&Examined| {
        let holds = examined.holds();
        examined.access.is_active()
            && row(examined, shown).is_some_and(|row| row.held.iter().any(|role| !holds.contains(role)))
    };
    examined.iter().filter(demoted).map(|one| (one.tenant_id.clone(), one.user_id.clone())).collect()
}

fn changes<'a>(
    examined: &'a [Examined],
    shown: &HashMap<String, Vec<UserRow>>,
    holders: &'a RoleHolders,
    newest: &HashMap<Key, RoleLoss>,
    context: &'a Context<'_>,
) -> Vec<HolderChange<'a>> {
    let (mut changes, none) = (Vec::new(), BTreeSet::new());
    for one in examined {
        let (tenant_id, user_id) = (one.tenant_id.as_str(), one.user_id.as_str());
        let key = (one.tenant_id.clone(), one.user_id.clone());
        let holds = one.holds();
        // Whoever bears the id after somebody else keeps nothing of theirs.
        let shown = row(one, shown).filter(|_| !one.succeeds).map_or(&none, |row| &row.held);
        let seen = RoleStatus { holds: &holds, shown, dismissed: one.dismissed };
        let before = |role: &str| holders.get(&key)?.get(role).map(|taken| taken.record.clone());
        let loss = || {
            let fact = RoleLoss { at: one.changed_at(), event: one.event.clone() };
            newest.get(&key).cloned().filter(|group| *group > fact).unwrap_or(fact)
        };
        for role in concerned(context.mapping.of(tenant_id), &holds, shown, |role| before(role).is_some()) {
            let after = record(role, seen, before(role).filter(|_| !one.succeeds), loss);
            if after != before(role) {
                changes.push(((tenant_id, user_id, role), after));
            }
        }
    }
    // Whoever turned out to belong to another tenant.
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

    /// Whether `u`, whose row has these roles, loses one of them by this fact and remains.
    fn is_loser(fact: Fact<User>, roles: &[&str]) -> bool {
        let (mut state, homes) = connected();
        fold(&mut state, 1, Observation::User { scope: scope(), fact });
        let mapping = Mapping::built_in();
        let shown = HashMap::from([("u".to_owned(), vec![row("org_1", "A", roles)])]);
        let ids = BTreeSet::from(["u".to_owned()]);
        let examined = examined(&state, &ids, &shown, &Context::new(&homes, &mapping));
        !losers(&examined, &shown).is_empty()
    }

    #[test]
    fn a_loser_of_a_role_keeps_access() {
        assert!(is_loser(active(1, "A"), &["admin"]));
        assert!(!is_loser(active(1, "A"), &[]), "there was no role");
        assert!(!is_loser(Fact { live: false, ..active(1, "A") }, &["admin"]), "access ends too");
    }
}
