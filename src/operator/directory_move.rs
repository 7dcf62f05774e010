//! Moves: an operator decides that a directory belongs to another organization (`decide::moves`).
//!
//! A move is one serialized transaction. It records the move, derives all people of the directory again, ends the
//! manual grants of the former tenant, and returns the refused events of the new owner to the queue. The preview is the
//! same transaction, rolled back, so it shows exactly the result of the move.

mod check;
mod grants;
mod people;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::{
    apply::{ApplyError, consequences::Consequences, directories, load, recompute},
    audit::{self, Actor, AuditEntry, NO_TENANT, kinds},
    db::{Database, DbError, IN_A_BATCH, Serialized, wait_for_rows},
    decide::{
        Rules,
        moves::DirectoryMove,
        ownership::{place, settle},
    },
    inbox::{self, dead_letters},
    outbox::{Notice, notice::DirectoryMoved},
    runtime::{clock::Timestamp, failpoint},
    tables::{
        claims,
        directory_moves::{self, MovedBy},
        mappings, recompute_jobs, refused_claims, role_list,
    },
};

pub use check::MoveError;
pub use people::MovedPerson;

/// The operator's request.
#[derive(Clone, Copy, Debug)]
pub struct MoveRequest<'a> {
    pub directory: &'a str,
    /// The organization's id at the broker.
    pub to: &'a str,
    pub by: &'a str,
    pub reason: &'a str,
    pub now: Timestamp,
}

/// The changes of a move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovePlan {
    pub directory_id: String,
    pub from_tenant: String,
    pub to_tenant: String,
    /// Everybody with access before or after, by user id.
    pub people: BTreeMap<String, MovedPerson>,
    pub groups: usize,
    /// The number of refused events of the new owner that are applied now.
    pub put_back: usize,
    /// Protected roles that nobody in the former tenant holds after the move.
    pub without_holder: BTreeSet<String>,
}

impl MovePlan {
    /// The number of people with access before the move. The operator confirms this number.
    pub fn with_access(&self) -> usize {
        self.people.values().filter(|person| person.had_access).count()
    }

    /// The number of people who lose access.
    pub fn without_access(&self) -> usize {
        self.people.values().filter(|person| person.had_access && !person.has_access).count()
    }

    /// The number of manual grants that end.
    pub fn grants_ended(&self) -> usize {
        self.people.values().map(|person| person.manual_grants.len()).sum()
    }
}

/// The condition for the move.
#[derive(Clone, Copy, Debug)]
pub enum Confirmed<'a> {
    /// No condition.
    Anything,
    /// This number of people with access moves.
    Count(usize),
    /// The result is equal to this plan.
    Plan(&'a MovePlan),
}

impl Confirmed<'_> {
    fn check(self, plan: &MovePlan) -> Result<(), MoveError> {
        match self {
            Self::Anything => Ok(()),
            Self::Plan(confirmed) if confirmed == plan => Ok(()),
            Self::Plan(_) => Err(MoveError::Changed),
            Self::Count(expected) if expected == plan.with_access() => Ok(()),
            Self::Count(expected) => Err(MoveError::Expected { expected, found: plan.with_access() }),
        }
    }
}

/// Returns the changes of the move, and rolls them back.
pub fn preview(database: &Database, rules: &Rules, request: MoveRequest<'_>) -> Result<MovePlan, MoveError> {
    /// Ends the transaction without a commit.
    enum Undone {
        Previewed(Box<MovePlan>),
        Failed(MoveError),
    }
    impl<E: Into<MoveError>> From<E> for Undone {
        fn from(error: E) -> Self {
            Self::Failed(error.into())
        }
    }
    let undone = database.write_serialized::<(), Undone>(|conn| {
        Err(Undone::Previewed(Box::new(carry_out(conn, rules, request)?)))
    });
    match undone {
        Err(Undone::Previewed(plan)) => Ok(*plan),
        Err(Undone::Failed(error)) => Err(error),
        // The transaction always ends in one of the two ways above.
        Ok(()) => Err(MoveError::Changed),
    }
}

/// Moves the directory if the result meets the confirmed condition.
pub fn move_directory(
    database: &Database,
    rules: &Rules,
    request: MoveRequest<'_>,
    confirmed: Confirmed<'_>,
) -> Result<MovePlan, MoveError> {
    let plan = database.write_serialized::<_, MoveError>(|conn| {
        let plan = carry_out(conn, rules, request)?;
        confirmed.check(&plan)?;
        failpoint::reach("moving");
        Ok(plan)
    })?;
    failpoint::reach("moved");
    Ok(plan)
}

fn carry_out(
    conn: &mut Serialized<'_>,
    rules: &Rules,
    request: MoveRequest<'_>,
) -> Result<MovePlan, MoveError> {
    let MoveRequest { directory, to, by, reason, now } = request;
    let mapping = mappings::in_force(conn).map_err(ApplyError::from)?;
    let rules = Rules { mapping: mapping.into(), ..rules.clone() };
    wait_for_rows(conn, IN_A_BATCH)?;
    let standing = load::entities(conn, directory, BTreeSet::new())?;
    let from = check::owner_before(conn, &standing, &rules, directory, to)?;
    let before = place(&standing, directory, &rules);

    let moves = standing.moves_of(directory);
    let earlier = moves.last().map_or(0, |last| last.until_inbox_id);
    let one = DirectoryMove {
        directory_id: directory.to_owned(),
        from_organization: from.clone(),
        to_organization: to.to_owned(),
        until_inbox_id: inbox::erase::newest(conn)?.max(earlier),
    };
    let tenure = i32::try_from(moves.len() + 1).unwrap_or(i32::MAX);
    directory_moves::add(conn, &one, tenure, &MovedBy { name: by, at: now, reason })?;

    let mut state = load::entities(conn, directory, BTreeSet::new())?;
    settle(&mut state, &rules);
    let settled: Vec<_> = state.touched.claims.iter().filter_map(|id| state.claim(*id)).collect();
    claims::update(conn, &settled)?;
    let (from_tenant, to_tenant) = (before.tenant_id.clone(), place(&state, directory, &rules).tenant_id);
    let tenants = BTreeSet::from([from_tenant.clone(), to_tenant.clone()]);
    let before = [(directory.to_owned(), before)].into();
    let left = BTreeSet::from([from_tenant.clone()]);
    let mut consequences = Consequences::default();
    let settled = directories::directories(conn, &mut state, &rules, &before, &left)?;
    consequences.notices.extend(settled.notices);
    list_roles(conn, &rules, &tenants, by, &mut consequences)?;
    consequences.write(conn, now)?;

    let moving = people::Moving {
        directory_id: directory,
        claim_ids: state.claims_of(directory).map(|claim| claim.id).collect(),
        from_tenant: &from_tenant,
        to_tenant: &to_tenant,
        by,
        now,
    };
    let groups = moving.groups(conn, &rules)?;
    let (mut people, persons) = moving.people(conn, &rules)?;
    let mut consequences = Consequences::default();
    consequences.entries.extend(grants::end(conn, &from_tenant, directory, &persons, &mut people, by)?);
    list_roles(conn, &rules, &left, by, &mut consequences)?;
    // Everybody has been derived already.
    recompute_jobs::forget(conn, directory)?;
    recompute::request_members_of_ended(conn, &rules, &state, &BTreeSet::from([directory.to_owned()]))?;

    let put_back = dead_letters::retry_claiming(conn, directory, to)?;
    refused_claims::forget(conn, directory, to)?;
    let without_holder = grants::without_holder(conn, &rules, &from_tenant, &people)?;
    people.retain(|_, person| person.had_access || person.has_access || !person.manual_grants.is_empty());
    let plan = MovePlan {
        directory_id: directory.to_owned(),
        from_tenant,
        to_tenant,
        people,
        groups,
        put_back: put_back.len(),
        without_holder,
    };
    consequences.notices.push(Notice::DirectoryMoved(moved(&plan, &one, request)));
    consequences.entries.extend(entries_of(&plan, &one, &put_back, request));
    consequences.write(conn, now)?;
    Ok(plan)
}

fn moved(
    plan: &MovePlan,
    one: &DirectoryMove,
    MoveRequest { by, reason, now, .. }: MoveRequest<'_>,
) -> DirectoryMoved {
    DirectoryMoved {
        directory_id: plan.directory_id.clone(),
        from: plan.from_tenant.clone(),
        to: plan.to_tenant.clone(),
        people: plan.with_access(),
        without_access: plan.without_access(),
        by: by.to_owned(),
        reason: reason.to_owned(),
        at: now.micros(),
        inbox_id: one.until_inbox_id,
    }
}

fn list_roles(
    conn: &mut Serialized<'_>,
    rules: &Rules,
    tenants: &BTreeSet<String>,
    by: &str,
    consequences: &mut Consequences,
) -> Result<(), DbError> {
    let relisted = role_list::settle(conn, &rules.mapping, tenants)?;
    consequences.entries.extend(audit::role_list_entries::entries(&relisted, |_| Actor::operator(by)));
    Ok(())
}

/// One entry in the chain of each tenant, and one for each delivery that is applied now.
fn entries_of(
    plan: &MovePlan,
    one: &DirectoryMove,
    put_back: &[i64],
    MoveRequest { by, reason, .. }: MoveRequest<'_>,
) -> Vec<AuditEntry> {
    let change = json!({
        "from": one.from_organization, "to": one.to_organization, "until": one.until_inbox_id,
        "people": plan.with_access(), "without_access": plan.without_access(), "grants_ended": plan.grants_ended(),
        "put_back": plan.put_back, "reason": reason,
    });
    let moved = [&plan.from_tenant, &plan.to_tenant].into_iter().map(|tenant_id| {
        AuditEntry::new(tenant_id, kinds::DIRECTORY_MOVED, &one.directory_id, &change, Actor::operator(by))
    });
    let retried = put_back.iter().map(|inbox_id| {
        let directory = json!({"directory_id": one.directory_id});
        AuditEntry::new(NO_TENANT, kinds::DELIVERY_RETRIED, inbox_id, &directory, Actor::operator(by))
    });
    moved.chain(retried).collect()
}
