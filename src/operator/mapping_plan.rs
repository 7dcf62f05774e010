//! Plans: the changes of another role mapping, for each user and with the rule, before it is in force.
//!
//! A plan derives everybody with the code that applies the mapping, and writes nothing. `apply` derives the plan again
//! in the serialized transaction, and refuses a saved plan whose result would differ.

mod attributes;
mod groups;
mod notices;
mod rules;
mod summary;
mod walk;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::{
    apply::ApplyError,
    audit::{self, Actor, AuditEntry, kinds},
    db::{Conn, Database, DbError},
    decide::{
        Rules,
        mapping::{DEFAULT, Mapping, MappingFault, check},
    },
    outbox,
    runtime::clock::Timestamp,
    tables::{
        claims,
        mappings::{self, AppliedMapping, InForceError},
        recompute_jobs, role_holders, role_list, tenants,
    },
};

pub use summary::RoleCounts;

#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error("the mapping has {} faults, the first in line {}", .0.len(), .0.first().map_or(0, |fault| fault.line))]
    Faulty(Vec<MappingFault>),
    #[error(
        "the result would differ from the saved plan, because something has changed since: make a new plan"
    )]
    Stale,
    #[error("there is no mapping version {0}; `rosterd mapping history` lists the versions")]
    UnknownVersion(i64),
    #[error("{0}")]
    Database(#[from] DbError),
    #[error("{0}")]
    Mapping(#[from] InForceError),
    #[error("{0}")]
    Apply(#[from] ApplyError),
}

impl From<diesel::result::Error> for PlanError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Database(error.into())
    }
}

/// The changes, and warnings about the document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The version of the mapping in force. 0 is the built-in mapping.
    pub instead_of: i64,
    pub document: String,
    /// By tenant, then by user.
    pub tenants: BTreeMap<String, BTreeMap<String, UserPlan>>,
    pub warnings: BTreeSet<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserPlan {
    pub name: Option<String>,
    pub email: Option<String>,
    /// Role → reason.
    pub gains: BTreeMap<String, String>,
    pub loses: BTreeSet<String>,
    /// Protected roles that nothing grants under the new mapping. They are retained, because nobody else would hold
    /// them.
    #[serde(default)]
    pub keeps: BTreeSet<String>,
    /// The privileged roles among the gained and lost ones.
    pub privileged: BTreeSet<String>,
    pub loses_access: bool,
    pub gains_access: bool,
}

/// The size of a plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PlanCounts {
    pub users: usize,
    pub gain: usize,
    pub lose: usize,
    pub lose_access: usize,
    pub gain_access: usize,
    pub privileged_gained: usize,
    pub privileged_lost: usize,
}

impl UserPlan {
    /// The guard counts these users.
    fn is_a_loss(&self) -> bool {
        self.loses_access || self.loses.iter().any(|role| self.privileged.contains(role))
    }
}

impl Plan {
    pub fn is_empty(&self) -> bool {
        self.tenants.is_empty()
    }

    pub fn counts(&self) -> PlanCounts {
        counts(self.tenants.values().flat_map(BTreeMap::values))
    }

    /// A hash of everything but the warnings. Equal plans have equal hashes.
    pub fn fingerprint(&self) -> String {
        let effect = (self.instead_of, &self.document, &self.tenants);
        hex::encode(Sha256::digest(serde_json::to_vec(&effect).unwrap_or_default()))
    }
}

fn counts<'a>(users: impl Iterator<Item = &'a UserPlan>) -> PlanCounts {
    let mut counts = PlanCounts::default();
    for user in users {
        let privileged = |role: &&String| user.privileged.contains(*role);
        counts.users += 1;
        counts.gain += usize::from(!user.gains.is_empty());
        counts.lose += usize::from(!user.loses.is_empty());
        counts.lose_access += usize::from(user.loses_access);
        counts.gain_access += usize::from(user.gains_access);
        counts.privileged_gained += user.gains.keys().filter(privileged).count();
        counts.privileged_lost += user.loses.iter().filter(privileged).count();
    }
    counts
}

/// Derives the changes of `document`, for one tenant or for all.
pub fn plan(
    database: &Database,
    rules: &Rules,
    document: &str,
    tenant: Option<&str>,
) -> Result<Plan, PlanError> {
    let mapping = check(document).map_err(PlanError::Faulty)?;
    database.snapshot(|conn| planned(conn, rules, mapping, document, tenant))
}

fn planned(
    conn: &mut Conn,
    rules: &Rules,
    mapping: Mapping,
    document: &str,
    tenant: Option<&str>,
) -> Result<Plan, PlanError> {
    let instead_of = mappings::version(conn)?;
    let rules = Rules { mapping: mapping.into(), ..rules.clone() };
    let walked = walk::walk(conn, &rules, tenant)?;
    let mut warnings = rules::warnings(&rules.mapping, &walked.matches);
    warnings.extend(groups::warnings(conn, &rules.mapping)?);
    // People of one tenant say nothing about rules for all tenants.
    if tenant.is_none() {
        warnings.extend(walked.unmet_attributes.warnings(&rules.mapping));
    }
    let ignored = |(slug, users)| format!("the broker's role {slug} is ignored; {users} users have it");
    let losses = walked.losses();
    warnings.extend(walked.ignored.into_iter().map(ignored));
    let known: BTreeSet<String> = tenants::ids(conn)?.into_iter().collect();
    let unknown = rules.mapping.tenants().filter(|tenant_id| !known.contains(*tenant_id));
    warnings.extend(unknown.map(|tenant_id| {
        format!("the mapping has a section for tenant {tenant_id}, which does not exist yet")
    }));
    let held = |((tenant_id, directory_id), (losses, active)): (&(String, String), &(u64, u64))| {
        rules.guard.of(tenant_id)?.trips(*losses, *active).then(|| {
            format!(
                "{losses} of {active} people in directory {directory_id} of {tenant_id} lose access or a privileged role: \
                 the guard will hold this change until an operator decides"
            )
        })
    };
    warnings.extend(losses.iter().filter_map(held));
    Ok(Plan { instead_of, document: document.to_owned(), tenants: walked.tenants, warnings })
}

/// The operator who applies, and the time.
pub struct PlanOperator<'a> {
    pub name: &'a str,
    pub now: Timestamp,
}

/// Puts `document` into force. A saved plan must be equal to the result. The rows are derived in steps afterwards
/// (`apply::recompute`), by the first process that is free. Returns the plan and the new version.
pub fn apply(
    database: &Database,
    rules: &Rules,
    document: &str,
    saved: Option<&Plan>,
    by: &PlanOperator<'_>,
) -> Result<(Plan, i64), PlanError> {
    apply_document(database, rules, (document, None), saved, by)
}

/// Applies the document of an earlier version once more, as a new version. 0 is the built-in mapping.
pub fn rollback(
    database: &Database,
    rules: &Rules,
    to: i64,
    saved: Option<&Plan>,
    by: &PlanOperator<'_>,
) -> Result<(Plan, i64), PlanError> {
    let document = document_of(database, to)?;
    apply_document(database, rules, (&document, Some(to)), saved, by)
}

/// The document of a version. 0 is the built-in mapping.
pub fn document_of(database: &Database, version: i64) -> Result<String, PlanError> {
    if version == 0 {
        return Ok(DEFAULT.to_owned());
    }
    let stored = database.read::<_, DbError>(|conn| Ok(mappings::stored(conn, version)?))?;
    Ok(stored.ok_or(PlanError::UnknownVersion(version))?.document)
}

/// `restores` is the earlier version that the document is from, for the record.
fn apply_document(
    database: &Database,
    rules: &Rules,
    (document, restores): (&str, Option<i64>),
    saved: Option<&Plan>,
    by: &PlanOperator<'_>,
) -> Result<(Plan, i64), PlanError> {
    let mapping = check(document).map_err(PlanError::Faulty)?;
    // Without a saved plan, all users are derived before the serialized transaction. That takes seconds, and deliveries
    // do not wait for it.
    let derived = match saved {
        Some(_) => None,
        None => Some(plan(database, rules, document, None)?),
    };
    database.write_serialized(|conn| {
        let plan = match (&derived, saved) {
            (Some(derived), _) => derived.clone(),
            (None, saved) => {
                let plan = planned(conn, rules, mapping.clone(), document, None)?;
                if saved.is_some_and(|saved| saved.fingerprint() != plan.fingerprint()) {
                    return Err(PlanError::Stale);
                }
                plan
            }
        };
        let was = mappings::in_force(conn)?;
        let version = was.version + 1;
        let applied =
            AppliedMapping { version, document: document.to_owned(), by: by.name.to_owned(), at: by.now };
        mappings::insert(conn, &applied)?;
        let mapping = mapping.as_version(version);
        let is_affected = |tenant_id: &str| was.of(tenant_id) != mapping.of(tenant_id);
        let mut tenants: BTreeSet<String> = tenants::ids(conn)?.into_iter().collect();
        tenants.retain(|tenant_id| is_affected(tenant_id));
        let relisted = role_list::settle(conn, &mapping, &tenants)?;
        role_holders::retain(conn, &mapping)?;
        let mut entries = entries(&plan, &tenants, (version, restores), by.name);
        entries.extend(audit::role_list_entries::entries(&relisted, |_| {
            Actor::Rule(format!("mapping {version}"))
        }));
        audit::record(conn, &entries, by.now)?;
        let homes = claims::homes(conn, None)?.into_iter();
        let directories = homes.filter(|(tenant_id, _)| is_affected(tenant_id)).map(|(_, id)| id);
        recompute_jobs::request_mapped(conn, &directories.collect::<Vec<_>>())?;
        outbox::enqueue(conn, &notices::notices(&plan, version, by.now), by.now)?;
        Ok((plan, version))
    })
}

/// One entry for all tenants, and one for each tenant whose policy changes. The entries of the users contain the
/// changes themselves.
fn entries(
    plan: &Plan,
    tenants: &BTreeSet<String>,
    (version, restores): (i64, Option<i64>),
    by: &str,
) -> Vec<AuditEntry> {
    let entry = |tenant_id: &str, users: usize| {
        let mut change = json!({"version": [plan.instead_of, version], "users": users});
        if let (Some(restored), Some(change)) = (restores, change.as_object_mut()) {
            change.insert("restores".to_owned(), restored.into());
        }
        AuditEntry::new(tenant_id, kinds::MAPPING_APPLIED, version, &change, Actor::operator(by))
    };
    let of_tenant = |tenant_id: &String| plan.tenants.get(tenant_id).map_or(0, BTreeMap::len);
    let everybody = entry(audit::NO_TENANT, plan.counts().users);
    tenants.iter().map(|tenant_id| entry(tenant_id, of_tenant(tenant_id))).chain([everybody]).collect()
}
