//! Explanations: why a user holds a role, or does not, or has no access. They are derived by the code that grants
//! roles, and are never stored.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::{
    apply::{
        load,
        load::rows,
        load_context::context,
        namesakes::{Together, together},
        recompute,
    },
    audit::leaver_receipt::{self, Receipt},
    db::{Conn, Database, DbError},
    decide::{
        Rules,
        access::{Access, AccessCause},
        mapping::{MappingPolicy, condition::ConditionEvidence},
        roles::Because,
        rule_matches::{Examined, examine},
    },
    runtime::clock::Timestamp,
    tables::{
        held_users, hold_decisions,
        mappings::{self, InForceError},
        user_lookup::{self, LookupError},
    },
};

#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    #[error(
        "{tenant} has no user {user}: give an id or an address from `rosterd users list --tenant {tenant}`"
    )]
    Unknown { tenant: String, user: String },
    #[error("{0}")]
    Lookup(#[from] LookupError),
    #[error("{0}")]
    Database(#[from] DbError),
    #[error("{0}")]
    Mapping(#[from] InForceError),
}

impl From<diesel::result::Error> for ExplainError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Database(error.into())
    }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    pub tenant_id: String,
    pub user_id: String,
    pub person_id: String,
    pub directory_id: String,
    /// 0 is the built-in mapping.
    pub mapping_version: i64,
    /// `None` for a user with access.
    pub no_access: Option<NoAccess>,
    /// The hold that keeps the current row, although the directory requests another state.
    pub held: Option<HeldBack>,
    /// The evidence for the loss of access, of a leaver: as `rosterd audit receipt` has it.
    pub receipt: Option<Receipt>,
    /// The current roles. For a user without access: the roles that return with access.
    pub roles: Vec<Granted>,
    /// Rules of the tenant's mapping that do not match this user, with their conditions.
    pub not_matched: Vec<NotMatched>,
    /// Slugs in the broker's role field that the mapping ignores.
    pub ignored_slugs: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct HeldBack {
    pub hold_id: i64,
    /// The directory's event or the rule that asks for the loss, with its times.
    pub because: String,
    pub stated_at: Option<String>,
    pub received_at: Option<String>,
    pub since: String,
    pub wanted: String,
    /// True when an operator rejected the change.
    pub rejected: bool,
    /// The newest decision about the person.
    pub decided_at: Option<String>,
    pub decided_by: Option<String>,
    pub decision_reason: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NoAccess {
    pub because: String,
    pub since: String,
    /// The event of the latest fact about the user.
    pub event: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Granted {
    pub role: String,
    /// The same text as `user_roles.granted_by`.
    pub because: String,
    /// The rule's name.
    pub rule: Option<String>,
    pub facts: Vec<FoundFact>,
}

/// A fact, and the event that contained it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FoundFact {
    pub fact: String,
    pub event: String,
    pub since: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NotMatched {
    pub rule: String,
    pub grants: Vec<String>,
    pub looks_for: String,
}

/// `user` is an id or an address. Several users may have the same address.
pub fn explain(
    database: &Database,
    rules: &Rules,
    tenant: &str,
    user: &str,
) -> Result<Vec<Explanation>, ExplainError> {
    database.snapshot(|conn| {
        let mapping = mappings::in_force(conn)?;
        let rules = Rules { mapping: mapping.into(), ..rules.clone() };
        let ids = user_lookup::named(conn, tenant, user)?;
        if ids.is_empty() {
            return Err(ExplainError::Unknown { tenant: tenant.to_owned(), user: user.to_owned() });
        }
        let examined = examined(conn, &rules, &ids)?;
        let policy = rules.mapping.of(tenant);
        let here = examined.iter().filter(|examined| examined.tenant_id == tenant);
        let mut explanations: Vec<Explanation> =
            here.map(|examined| explanation(examined, policy, rules.mapping.version)).collect();
        for explanation in &mut explanations {
            explanation.held = held_back(conn, tenant, &explanation.user_id)?;
            explanation.receipt = receipt(conn, tenant, &explanation.user_id)?;
        }
        Ok(explanations)
    })
}

/// As the table of holds has it; the trail adds the event.
fn held_back(conn: &mut Conn, tenant: &str, user_id: &str) -> Result<Option<HeldBack>, DbError> {
    let Some((hold_id, held)) = held_users::keeping(conn, &(tenant.to_owned(), user_id.to_owned()))? else {
        return Ok(None);
    };
    let story = leaver_receipt::held_loss(conn, tenant, user_id)?.filter(|story| story.hold_id == hold_id);
    let story = story.unwrap_or_default();
    let time = |at: Option<i64>| at.map(|at| Timestamp::from_micros(at).to_string());
    let decisions = hold_decisions::of_hold(conn, hold_id)?;
    let decision = decisions.into_iter().find(|one| held.decision_number == Some(one.number));
    Ok(Some(HeldBack {
        hold_id,
        because: story.because,
        stated_at: time(story.stated_at),
        received_at: time(story.received_at),
        since: held.held_at().to_string(),
        wanted: held.lost().to_string(),
        rejected: held.state == held_users::REJECTED,
        decided_at: decision.as_ref().map(|one| one.decided_at().to_string()),
        decision_reason: decision.as_ref().and_then(|one| one.reason.clone()),
        decided_by: decision.map(|one| one.decided_by),
    }))
}

/// The newest loss of access, if the person has none now.
fn receipt(conn: &mut Conn, tenant: &str, user_id: &str) -> Result<Option<Receipt>, DbError> {
    let receipts = leaver_receipt::receipts(conn, tenant, Some(&[user_id.to_owned()]), None)?;
    Ok(receipts.into_iter().next_back().filter(|receipt| receipt.returned_at.is_none()))
}

pub(crate) fn examined(
    conn: &mut Conn,
    rules: &Rules,
    ids: &BTreeSet<String>,
) -> Result<Vec<Examined>, DbError> {
    let mut state = load::entities(conn, "", ids.clone())?;
    let homes = recompute::homes(conn, &state, rules)?;
    let Together { ids: all, current, homes, separate } = together(conn, &mut state, ids, &homes, rules)?;
    let context = context(conn, &state, (&all, &current), (&homes, separate), rules)?;
    Ok(ids.iter().flat_map(|id| examine(&state, id, rows(&current, id), &context)).collect())
}

fn explanation(examined: &Examined, policy: &MappingPolicy, mapping_version: i64) -> Explanation {
    let granted = |(role, because): (&String, &Because)| Granted {
        role: role.clone(),
        because: because.to_string(),
        rule: match because {
            Because::Rule { name, .. } => Some(name.clone()),
            _ => None,
        },
        facts: facts(examined, because),
    };
    let mut held = examined.derived.held.clone();
    for (role, loss) in &examined.retained {
        held.entry(role.clone()).or_insert_with(|| Because::Retained(loss.clone()));
    }
    let not_matched = policy.rules.iter().zip(&examined.rules).filter(|(_, found)| found.is_none());
    Explanation {
        tenant_id: examined.tenant_id.clone(),
        user_id: examined.user_id.clone(),
        person_id: examined.person_id.clone(),
        directory_id: examined.directory_id.clone(),
        mapping_version,
        held: None,
        receipt: None,
        no_access: no_access(examined),
        roles: held.iter().map(granted).collect(),
        not_matched: not_matched
            .map(|(rule, _)| NotMatched {
                rule: rule.name.clone(),
                grants: rule.grants.clone(),
                looks_for: rule.when.to_string(),
            })
            .collect(),
        ignored_slugs: examined.derived.ignored.clone(),
    }
}

fn no_access(examined: &Examined) -> Option<NoAccess> {
    if !examined.retained.is_empty() {
        return None;
    }
    let (because, since) = match examined.access {
        Access::Inactive(since, AccessCause::Person) => {
            ("the directory reports the person as deleted or inactive", since)
        }
        Access::Inactive(since, AccessCause::Directory) => {
            ("the directory, or the organization, was deleted", since)
        }
        Access::Inactive(since, AccessCause::Moved) => {
            ("an operator moved the directory to another organization", since)
        }
        Access::Inactive(since, AccessCause::Mapping) => ("nothing grants a role", since),
        Access::Active if examined.derived.shut_out => {
            ("nothing grants a role, and the mapping gives no access without one", examined.since)
        }
        Access::Active => return None,
    };
    Some(NoAccess { because: because.to_owned(), since: since.to_string(), event: examined.event.clone() })
}

fn facts(examined: &Examined, because: &Because) -> Vec<FoundFact> {
    let found = |fact: String, event: &str, since: Timestamp| FoundFact {
        fact,
        event: event.to_owned(),
        since: since.to_string(),
    };
    match because {
        Because::Rule { evidence, .. } => evidence
            .iter()
            .map(|one| match one {
                ConditionEvidence::Group(group) => found(one.to_string(), &group.event, group.since),
                ConditionEvidence::Role(_) | ConditionEvidence::Attribute { .. } => {
                    found(one.to_string(), &examined.event, examined.since)
                }
            })
            .collect(),
        Because::BrokerRole(slug) => vec![found(format!("role {slug}"), &examined.event, examined.since)],
        Because::Unmapped => Vec::new(),
        Because::Retained(loss) => {
            vec![found("nothing has granted it since".to_owned(), &loss.event, loss.at)]
        }
        Because::Manual(grant) => {
            vec![found(format!("granted by {}: {}", grant.by, grant.reason), "none", grant.since)]
        }
    }
}
