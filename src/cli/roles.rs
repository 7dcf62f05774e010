//! `roles`: the rows that the application reads, and manual grants.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{
    Failure, lists, operator,
    output::{print_text, printable_line},
};
use crate::{
    config::Config,
    db::Database,
    decide::roles::Manual,
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
    List(lists::List),
    /// Grant a role manually; no event removes it, and it shows while the person has access
    Grant {
        #[command(flatten)]
        whom: Person,
        role: String,
        /// Reason for the record and for `explain`
        #[arg(long)]
        reason: String,
        /// Name of the operator for the record; default: the login name
        #[arg(long)]
        by: Option<String>,
    },
    /// Revoke a manual grant
    Revoke {
        #[command(flatten)]
        whom: Person,
        role: String,
        /// Name of the operator for the record; default: the login name
        #[arg(long)]
        by: Option<String>,
    },
    /// Remove a protected role from its last holder, as the directory or the mapping requires
    Release {
        #[arg(long)]
        tenant: String,
        role: String,
        /// Name of the operator for the record; default: the login name
        #[arg(long)]
        by: Option<String>,
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
        Verb::List(of) => return lists::list(database, of, ROLES, &["slug", "name"]),
        Verb::Grant { whom, role, reason, by } => {
            let by = operator(by.as_deref());
            let grant = Manual { role: role.clone(), since: now, by, reason: reason.clone() };
            manual_roles::grant(database, &rules, whom.named(), &grant, now)?;
        }
        Verb::Release { tenant, role, by } => {
            let by = OperatorAt { name: &operator(by.as_deref()), now };
            for user in manual_roles::release(database, &rules, tenant, role, by)? {
                print_text(&format!(
                    "{} does not retain {} any more\n",
                    printable_line(&user),
                    printable_line(role)
                ))?;
            }
        }
        Verb::Revoke { whom, role, by } => {
            let by = OperatorAt { name: &operator(by.as_deref()), now };
            manual_roles::revoke(database, &rules, whom.named(), role, by)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Person {
    fn named(&self) -> GrantTarget<'_> {
        GrantTarget { tenant: &self.tenant, user: &self.user }
    }
}
