//! `users`: the rows that the application reads, and the erasure of leavers.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{Failure, expect_tenant, list_rows, operator::By, output::print_text};
use crate::{
    config::Config,
    db::Database,
    operator::{erase::erase, manual_roles::OperatorAt},
    runtime::clock::Clock,
    tables::host_tables::USERS,
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
    /// Erase a leaver's personal data
    ///
    /// The directory must have removed or deactivated the person before. The command erases, under all ids of the person:
    /// the profile and the custom attributes in `users`, names and addresses in the audit trail and in notices, the profile
    /// in the bodies of deliveries, and manual grants. It retains ids, times, states and role slugs, the tombstone (so no late
    /// event gives access again), and the audit trail with its proof. It cannot reach mails that were sent, logs and
    /// backups. Deliveries that come later about the time before are rewritten when they are applied. If the directory
    /// creates or changes the person anew, its events bring data again.
    Erase {
        #[arg(long)]
        tenant: String,
        /// An id or an address; write `id:…` or `email:…` if a text is both
        user: String,
        #[command(flatten)]
        by: By,
    },
}

impl Verbs {
    /// The tenant that the command names, as it was written.
    pub(super) fn tenant(&mut self) -> Option<&mut String> {
        match &mut self.verb {
            Verb::List(of) => Some(of.tenant()),
            Verb::Erase { tenant, .. } => Some(tenant),
        }
    }
}

pub(super) fn run(database: &Database, config: &Config, verbs: &Verbs) -> Result<ExitCode, Failure> {
    match &verbs.verb {
        Verb::List(of) => {
            let brief = ["id", "name", "email", "job_title", "status", "deprovisioned_at"];
            return list_rows::list(database, of, USERS, &brief);
        }
        Verb::Erase { tenant, user, by } => {
            expect_tenant(database, tenant)?;
            let by = OperatorAt { name: &by.name()?, now: Clock::System.now() };
            let erased = erase(database, &config.rules(), tenant, user, by)?;
            print_text(&format!(
                "erased {}: {} deliveries, {} audit entries, {} notices, {} records of the change feed\n",
                erased.user_ids.join(", "),
                erased.deliveries,
                erased.entries,
                erased.notices,
                erased.changes
            ))?;
            for id in erased.left {
                print_text(&format!(
                    "delivery {id} still names the person, in data about another person or because the body cannot be read; \
                     see it with `rosterd inbox show {id}`\n"
                ))?;
            }
            for id in erased.unclear {
                print_text(&format!(
                    "delivery {id} has the person's full name, and it could not be told apart whether it means this person; look at it with `rosterd inbox show {id}`\n"
                ))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
