//! `roles`: the rows that the application reads, and manual grants.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{
    Failure, expect_tenant, list_rows,
    operator::{By, Consent},
    output::{print_text, printable_line},
};
use crate::{
    config::Config,
    db::Database,
    decide::{Rules, roles::Manual},
    operator::manual_roles::{self, GrantTarget, OperatorAt},
    runtime::clock::Clock,
    tables::host_tables::ROLES,
};

#[derive(Args)]
pub struct Verbs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// List all of one tenant
    List(list_rows::List),
    /// Grant a role manually; no event removes it, and it shows while the person has access
    Grant {
        #[command(flatten)]
        whom: Person,
        role: String,
        /// Reason for the record and for `explain`
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        by: By,
    },
    /// Revoke a manual grant
    Revoke {
        #[command(flatten)]
        whom: Person,
        role: String,
        /// Reason for the record
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        by: By,
    },
    /// Remove a protected role from its last holder, as the directory or the mapping requires
    Release {
        #[arg(long)]
        tenant: String,
        role: String,
        /// Reason for the record
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        by: By,
        #[command(flatten)]
        consent: Consent,
    },
}

#[derive(Args)]
struct Person {
    #[arg(long)]
    tenant: String,
    /// A user's id or address; write `id:…` or `email:…` if a text is both
    user: String,
}

impl Verbs {
    /// The tenant that the command names, as it was written.
    pub(super) fn tenant(&mut self) -> Option<&mut String> {
        match &mut self.verb {
            Verb::List(of) => Some(of.tenant()),
            Verb::Grant { whom, .. } | Verb::Revoke { whom, .. } => Some(&mut whom.tenant),
            Verb::Release { tenant, .. } => Some(tenant),
        }
    }
}

pub(super) fn run(database: &Database, config: &Config, verbs: &Verbs) -> Result<ExitCode, Failure> {
    let (rules, now) = (config.rules(), Clock::System.now());
    match &verbs.verb {
        Verb::List(of) => return list_rows::list(database, of, ROLES, &["slug", "name"]),
        Verb::Grant { whom, role, reason, by } => {
            expect_tenant(database, &whom.tenant)?;
            let by = by.name()?;
            let grant = Manual { role: role.clone(), since: now, by, reason: reason.clone() };
            manual_roles::grant(database, &rules, whom.named(), &grant, now)?;
        }
        Verb::Release { tenant, role, reason, by, consent } => {
            expect_tenant(database, tenant)?;
            let name = by.name()?;
            let released = release(database, &rules, (tenant, role), (&name, reason), consent)?;
            for user in released {
                print_text(&format!(
                    "{} does not retain {} any more\n",
                    printable_line(&user),
                    printable_line(role)
                ))?;
            }
        }
        Verb::Revoke { whom, role, reason, by } => {
            expect_tenant(database, &whom.tenant)?;
            let by = OperatorAt { name: &by.name()?, now };
            manual_roles::revoke(database, &rules, whom.named(), role, (by, reason))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Shows the last holders, and asks. They lose the role, and perhaps access.
fn release(
    database: &Database,
    rules: &Rules,
    (tenant, role): (&str, &str),
    (name, reason): (&str, &str),
    consent: &Consent,
) -> Result<Vec<String>, Failure> {
    let retaining = database.read(|conn| manual_roles::retaining(conn, tenant, role))?;
    if let Some(expected) = consent.expected().filter(|expected| *expected != retaining.len()) {
        let found = retaining.len();
        return Err(format!("{found} people retain {role}, and not {expected}; nothing was changed").into());
    }
    let people: Vec<String> = retaining.iter().map(|user| printable_line(user)).collect();
    let question = format!("{} of {tenant} would lose {role}, which nobody else holds.", people.join(", "));
    consent.ask(&printable_line(&question), retaining.len())?;
    let by = OperatorAt { name, now: Clock::System.now() };
    Ok(manual_roles::release(database, rules, tenant, role, (by, reason))?)
}

impl Person {
    fn named(&self) -> GrantTarget<'_> {
        GrantTarget { tenant: &self.tenant, user: &self.user }
    }
}
