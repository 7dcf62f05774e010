//! `roles`: what the host sees, and what is given by hand.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{
    Failure, lists, operator,
    output::{printable_line, say},
};
use crate::{
    config::Config,
    db::Database,
    decide::roles::Manual,
    operator::manual_roles::{self, GrantTarget, OperatorAt},
    runtime::clock::Clock,
    tables::published::ROLES,
};

#[derive(Args)]
pub struct Verbs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// All of one tenant
    List(lists::List),
    /// Give a role by hand; no event takes it away, and it shows while the person has access
    Grant {
        #[command(flatten)]
        whom: Person,
        role: String,
        /// For the record, and for `explain`
        #[arg(long)]
        reason: String,
        /// Who gives it; the login name when not given
        #[arg(long)]
        by: Option<String>,
    },
    /// Take back a role that was given by hand
    Revoke {
        #[command(flatten)]
        whom: Person,
        role: String,
        /// Who takes it, for the record; the login name when not given
        #[arg(long)]
        by: Option<String>,
    },
    /// Let the last holder of a protected role lose it after all, as the directory or the mapping says
    Release {
        #[arg(long)]
        tenant: String,
        role: String,
        /// Who lets them, for the record; the login name when not given
        #[arg(long)]
        by: Option<String>,
    },
}

#[derive(Args)]
struct Person {
    #[arg(long)]
    tenant: String,
    /// A user's id or address; `id:…` or `email:…` where a text is both
    user: String,
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
                say(&format!("{} keeps {} no longer\n", printable_line(&user), printable_line(role)))?;
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
