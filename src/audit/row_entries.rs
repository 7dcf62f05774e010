//! Audit entries for changes of users and groups: which changes, and the fact that caused each.

use std::collections::{BTreeSet, HashMap};

use diesel::QueryResult;

use super::{
    Actor, AuditEntry,
    loss_story::APPROVED_AND_APPLIED,
    row_diff::{Changed, of_group, of_user},
};
use crate::{
    db::Conn,
    decide::{
        fact::EntityKind,
        groups::{GroupChange, GroupRow},
        ownership::{directory_fact, organization_fact, owner},
        state::{LatestFact, StateSlice},
        users::{UserChange, UserRow},
    },
    inbox::queue,
    runtime::clock::Timestamp,
    tables::facts,
};

/// Why rows were derived.
#[derive(Clone, Copy, Debug)]
pub enum ChangeCause<'a> {
    /// The facts of a batch.
    Deliveries(Deliveries<'a>),
    /// A change of this directory or its organization.
    Directory(&'a str),
    /// A change of this group.
    Group(&'a str),
    Mapping(i64),
    Operator(&'a str),
    /// A protected role has another holder, so its last holder does not retain it any more.
    RetentionEnded,
    /// A held loss was approved by an operator or by the time limit. The entry of the decision names the operator.
    HoldApproved,
    /// An erasure. It has an entry of its own without the erased data.
    Erasure,
}

/// The deliveries of a batch, sorted by id.
#[derive(Clone, Copy, Debug)]
pub struct Deliveries<'a> {
    pub ids: &'a [i64],
    pub event_keys: &'a [String],
    pub received_at: &'a [Timestamp],
}

impl<'a> Deliveries<'a> {
    /// The id of a delivery's event.
    pub fn event_key(&self, inbox_id: i64) -> Option<&'a str> {
        let n = self.ids.binary_search(&inbox_id).ok()?;
        self.event_keys.get(n).map(String::as_str)
    }

    pub(super) fn find(&self, inbox_id: i64) -> Option<Actor> {
        let n = self.ids.binary_search(&inbox_id).ok()?;
        let key = self.event_keys.get(n)?.clone();
        Some(Actor::Event { key, inbox_id, received_at: *self.received_at.get(n)? })
    }
}

/// The fact that caused a change.
#[derive(Clone, Copy)]
struct CausingFact {
    inbox_id: i64,
    at: Timestamp,
}

impl From<&LatestFact> for CausingFact {
    fn from(fact: &LatestFact) -> Self {
        Self { inbox_id: fact.inbox_id, at: fact.version.at }
    }
}

struct Open {
    tenant_id: String,
    subject: String,
    changed: Changed,
    causing: Option<CausingFact>,
}

pub fn users(
    conn: &mut Conn,
    state: &StateSlice,
    current: &HashMap<String, Vec<UserRow>>,
    changes: &[UserChange],
    cause: ChangeCause<'_>,
) -> QueryResult<Vec<AuditEntry>> {
    if matches!(cause, ChangeCause::Erasure) {
        return Ok(Vec::new());
    }
    let mut facts = CausingFacts::new(conn, state, cause)?;
    let mut open = Vec::new();
    for change in changes {
        let (tenant_id, user_id, ended_at) = match change {
            UserChange::Put { user, .. } | UserChange::Restate(user) => {
                (&user.tenant_id, &user.user_id, user.access.since())
            }
            UserChange::Remove { tenant_id, user_id, .. } => (tenant_id, user_id, None),
        };
        let row = current.get(user_id).and_then(|rows| rows.iter().find(|row| row.tenant_id == *tenant_id));
        let Some(changed) = of_user(row, change) else { continue };
        let causing = facts.of(tenant_id, user_id, ended_at);
        open.push(Open { tenant_id: tenant_id.clone(), subject: user_id.clone(), changed, causing });
    }
    close(conn, open, cause)
}

/// What happens to the loss of one user, instead of the loss.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LossEvent {
    pub tenant_id: String,
    pub user_id: String,
    /// The time at which a directory or an organization ended, if it was the cause.
    pub ended_at: Option<Timestamp>,
    pub changed: Changed,
}

/// Entries for losses that are held, and for held losses that newer facts overtook.
pub fn losses(
    conn: &mut Conn,
    state: &StateSlice,
    losses: Vec<LossEvent>,
    cause: ChangeCause<'_>,
) -> QueryResult<Vec<AuditEntry>> {
    if losses.is_empty() {
        return Ok(Vec::new());
    }
    let mut facts = CausingFacts::new(conn, state, cause)?;
    let open = losses.into_iter().map(|LossEvent { tenant_id, user_id, ended_at, changed }| Open {
        causing: facts.of(&tenant_id, &user_id, ended_at),
        tenant_id,
        subject: user_id,
        changed,
    });
    let open = open.collect();
    close(conn, open, cause)
}

/// Finds the fact that caused the change of a user.
struct CausingFacts<'a> {
    state: &'a StateSlice,
    cause: ChangeCause<'a>,
    /// Facts about the context, sorted by likelihood.
    context: Vec<CausingFact>,
    memberships: Option<HashMap<&'a str, CausingFact>>,
}

impl<'a> CausingFacts<'a> {
    fn new(conn: &mut Conn, state: &'a StateSlice, cause: ChangeCause<'a>) -> QueryResult<Self> {
        let context = causing_context(conn, state, cause)?;
        Ok(Self { state, cause, context, memberships: None })
    }

    fn of(&mut self, tenant_id: &str, user_id: &str, ended_at: Option<Timestamp>) -> Option<CausingFact> {
        let causing = match self.cause {
            ChangeCause::Deliveries(batch) => {
                let facts = self.state.facts(EntityKind::User, user_id);
                causing_fact_in(batch, self.state, tenant_id, facts).or_else(|| {
                    let state = self.state;
                    self.memberships.get_or_insert_with(|| newest_memberships(state)).get(user_id).copied()
                })
            }
            // The most likely of several causes.
            ChangeCause::Directory(_) => {
                self.context.iter().find(|causing| ended_at == Some(causing.at)).copied()
            }
            _ => None,
        };
        causing.or(self.context.first().copied())
    }
}

pub fn groups(
    conn: &mut Conn,
    state: &StateSlice,
    current: &HashMap<String, Vec<GroupRow>>,
    changes: &[GroupChange],
    cause: ChangeCause<'_>,
) -> QueryResult<Vec<AuditEntry>> {
    let context = causing_context(conn, state, cause)?;
    let mut open = Vec::new();
    for change in changes {
        let (GroupChange::Put { tenant_id, group_id, .. } | GroupChange::Remove { tenant_id, group_id }) =
            change;
        let row = current.get(group_id).and_then(|rows| rows.iter().find(|row| row.tenant_id == *tenant_id));
        let Some(changed) = of_group(row, change) else { continue };
        let causing = match cause {
            ChangeCause::Deliveries(batch) => {
                causing_fact_in(batch, state, tenant_id, state.facts(EntityKind::Group, group_id))
            }
            _ => None,
        };
        let causing = causing.or(context.first().copied());
        open.push(Open { tenant_id: tenant_id.clone(), subject: group_id.clone(), changed, causing });
    }
    close(conn, open, cause)
}

/// A fact of the batch about this entity: the tenant's newest one, or any (if a claim won or lost).
fn causing_fact_in(
    batch: Deliveries<'_>,
    state: &StateSlice,
    tenant_id: &str,
    facts: &[LatestFact],
) -> Option<CausingFact> {
    let of_batch = |inbox_id: i64| batch.ids.binary_search(&inbox_id).is_ok();
    let newest = facts
        .iter()
        .filter(|fact| {
            state.claim(fact.claim_id).is_some_and(|claim| claim.tenant_id.as_deref() == Some(tenant_id))
        })
        .max_by(|a, b| a.version.cmp(&b.version));
    let causing = newest.into_iter().chain(facts).find(|fact| of_batch(fact.inbox_id)).map(CausingFact::from);
    let revealing =
        || newest.and_then(|fact| Some(CausingFact { inbox_id: fact.revealed_by?, at: fact.version.at }));
    causing.or_else(|| revealing().filter(|causing| of_batch(causing.inbox_id)))
}

fn newest_memberships(state: &StateSlice) -> HashMap<&str, CausingFact> {
    let mut newest: HashMap<&str, CausingFact> = HashMap::new();
    for ((_, user_id, _), (membership, inbox_id)) in &state.touched.memberships {
        let causing = CausingFact { inbox_id: *inbox_id, at: membership.version.at };
        let slot = newest.entry(user_id).or_insert(causing);
        if (slot.at, slot.inbox_id) < (causing.at, causing.inbox_id) {
            *slot = causing;
        }
    }
    newest
}

/// The first fact of the batch about a directory or an organization.
pub(super) fn of_places<'a>(state: &'a StateSlice, batch: Deliveries<'_>) -> Option<&'a LatestFact> {
    let places = state.touched.entities.iter();
    let places = places.filter(|(kind, _)| matches!(kind, EntityKind::Directory | EntityKind::Organization));
    let facts = places.flat_map(|(kind, id)| state.facts(*kind, id));
    facts.filter(|fact| batch.ids.binary_search(&fact.inbox_id).is_ok()).min_by_key(|fact| fact.inbox_id)
}

/// Facts about the context of the rows, sorted by likelihood as the cause.
fn causing_context(
    conn: &mut Conn,
    state: &StateSlice,
    cause: ChangeCause<'_>,
) -> QueryResult<Vec<CausingFact>> {
    let of_directory = |id: &str| {
        let organization = owner(state, id).and_then(|owner| organization_fact(state, owner));
        let mut facts: Vec<&LatestFact> = directory_fact(state, id).into_iter().chain(organization).collect();
        facts.sort_by(|a, b| (a.live, &b.version).cmp(&(b.live, &a.version)));
        facts.into_iter().map(CausingFact::from).collect::<Vec<_>>()
    };
    Ok(match cause {
        ChangeCause::Deliveries(batch) => {
            of_places(state, batch).map(CausingFact::from).into_iter().collect()
        }
        ChangeCause::Directory(id) => of_directory(id),
        ChangeCause::Group(id) => {
            let facts = facts::on(conn, &[id])?;
            let groups = facts.iter().filter(|(kind, ..)| *kind == EntityKind::Group).map(|(.., fact)| fact);
            groups.max_by(|a, b| a.version.cmp(&b.version)).map(CausingFact::from).into_iter().collect()
        }
        ChangeCause::Mapping(_)
        | ChangeCause::Operator(_)
        | ChangeCause::Erasure
        | ChangeCause::RetentionEnded
        | ChangeCause::HoldApproved => Vec::new(),
    })
}

/// Adds the deliveries to the entries. The batch's are in memory; a recompute loads one or two others.
fn close(conn: &mut Conn, open: Vec<Open>, cause: ChangeCause<'_>) -> QueryResult<Vec<AuditEntry>> {
    let in_batch = |inbox_id: i64| match cause {
        ChangeCause::Deliveries(batch) => batch.find(inbox_id),
        _ => None,
    };
    let elsewhere: BTreeSet<i64> = open
        .iter()
        .filter_map(|open| open.causing.map(|causing| causing.inbox_id))
        .filter(|inbox_id| in_batch(*inbox_id).is_none())
        .collect();
    let elsewhere = queue::named(conn, &elsewhere.into_iter().collect::<Vec<_>>())?;
    let elsewhere: HashMap<i64, (String, Timestamp)> =
        elsewhere.into_iter().map(|(id, key, received_at)| (id, (key, received_at))).collect();
    let actor = |causing: Option<CausingFact>| match cause {
        ChangeCause::Mapping(version) => Actor::Rule(format!("mapping {version}")),
        ChangeCause::RetentionEnded => Actor::Rule("protected role, held by another now".to_owned()),
        ChangeCause::HoldApproved => Actor::Rule(APPROVED_AND_APPLIED.to_owned()),
        ChangeCause::Operator(name) => Actor::operator(name),
        _ => {
            let found = causing.and_then(|CausingFact { inbox_id, .. }| {
                in_batch(inbox_id).or_else(|| {
                    let (key, received_at) = elsewhere.get(&inbox_id)?.clone();
                    Some(Actor::Event { key, inbox_id, received_at })
                })
            });
            found.unwrap_or_else(|| Actor::Rule("derived again".to_owned()))
        }
    };
    let entries = open.into_iter().map(|Open { tenant_id, subject, changed, causing }| AuditEntry {
        tenant_id,
        subject,
        kind: changed.kind,
        change: changed.change,
        personal: changed.personal,
        actor: actor(causing),
        stated_at: causing.map(|causing| causing.at),
    });
    Ok(entries.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        decide::fact::{Membership, Version},
        runtime::clock::Timestamp,
    };

    #[test]
    fn the_newest_of_several_memberships_in_a_batch_is_the_cause() {
        let mut state = StateSlice::default();
        for (n, at) in [(1, 3), (2, 7), (3, 9), (4, 9), (5, 2), (6, 8)] {
            let at = Timestamp::from_millis(at);
            let version = Version { at, emitted: at, event: format!("e{n}") };
            let (group_id, user_id) = (format!("g{n}"), "u".to_owned());
            let key = (group_id.clone(), user_id.clone(), 1);
            let membership = Membership { group_id, user_id, version, added: true };
            state.touched.memberships.insert(key, (membership, n));
        }

        let newest = newest_memberships(&state);

        assert_eq!((newest["u"].inbox_id, newest["u"].at), (4, Timestamp::from_millis(9)));
    }
}
