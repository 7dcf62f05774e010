//! `mapping`: shows, compares, checks, previews and applies versions of the role mapping.

mod print;
mod versions;

use std::{
    io::IsTerminal,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Subcommand};

use super::{DIFFERENT, Failure, Format, expect_any_tenant, operator, operator::By, output::print_text};
use crate::{
    apply::{Batch, recompute},
    config::Config,
    db::Database,
    decide::{Rules, mapping::check},
    operator::mapping_plan::{self, Plan, PlanError, PlanOperator},
    runtime::{clock::Clock, private_files},
    tables::mappings,
};

#[derive(Args)]
pub struct Verbs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Show the mapping in force, or an earlier version
    Show {
        /// This version instead; 0 is the built-in mapping
        #[arg(long, value_name = "N")]
        version: Option<i64>,
    },
    /// List all versions: when each was applied, and by whom
    History {
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Show the lines that differ between two versions; 0 is the built-in mapping
    Diff { former: i64, new: i64 },
    /// Check whether a file is a valid mapping; needs no database
    Check { file: PathBuf },
    /// Show what a file would change, in short and for each person, with warnings; changes nothing
    Plan {
        file: PathBuf,
        /// Only this tenant, by id or name
        #[arg(long)]
        tenant: Option<String>,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
        /// Save the plan in this file, so that exactly it can be applied
        #[arg(long, value_name = "FILE", conflicts_with = "tenant")]
        out: Option<PathBuf>,
        /// Exit with 2 if there are changes
        #[arg(long)]
        detailed_exitcode: bool,
    },
    /// Apply a mapping file or a saved plan; on a terminal, show first what changes, and ask
    Apply {
        file: PathBuf,
        #[command(flatten)]
        confirmed: Confirmed,
    },
    /// Apply an earlier version once more, as a new version; on a terminal, show first what changes, and ask
    Rollback {
        /// The earlier version; 0 is the built-in mapping
        #[arg(long, value_name = "N")]
        to: i64,
        #[command(flatten)]
        confirmed: Confirmed,
    },
}

#[derive(Args)]
struct Confirmed {
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    by: By,
}

impl Verbs {
    /// The tenant that the command names, as it was written.
    pub(super) fn tenant(&mut self) -> Option<&mut String> {
        match &mut self.verb {
            Verb::Plan { tenant, .. } => tenant.as_mut(),
            _ => None,
        }
    }
}

/// Whether the verb needs no settings and no database.
pub(super) fn is_offline(verbs: &Verbs) -> bool {
    matches!(verbs.verb, Verb::Check { .. })
}

pub(super) fn check_only(verbs: &Verbs) -> Result<ExitCode, Failure> {
    if let Verb::Check { file } = &verbs.verb {
        let text = read(file)?;
        if let Err(faults) = check(&text) {
            return Err(fault_list(file, &faults).into());
        }
        print_text(&format!("{} is a valid mapping\n", file.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn run(database: &Database, config: &Config, verbs: &Verbs) -> Result<ExitCode, Failure> {
    let rules = config.rules();
    match &verbs.verb {
        Verb::Check { .. } => return check_only(verbs),
        Verb::Show { version } => versions::show(database, *version)?,
        Verb::History { format } => versions::history(database, *format)?,
        Verb::Diff { former, new } => versions::diff(database, *former, *new)?,
        Verb::Plan { file, tenant, format, out, detailed_exitcode } => {
            expect_any_tenant(database, tenant.as_deref())?;
            let plan = mapping_plan::plan(database, &rules, &read(file)?, tenant.as_deref())
                .map_err(|error| with_file(file, error))?;
            if let Some(out) = out {
                private_files::write(out, &serde_json::to_string_pretty(&plan)?)
                    .map_err(|error| format!("{}: {error}", out.display()))?;
            }
            print::plan(&plan, *format)?;
            let changed = *detailed_exitcode && !plan.is_empty();
            return Ok(if changed { ExitCode::from(DIFFERENT) } else { ExitCode::SUCCESS });
        }
        Verb::Apply { file, confirmed } => apply(database, &rules, file, confirmed)?,
        Verb::Rollback { to, confirmed } => rollback(database, &rules, *to, confirmed)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn apply(database: &Database, rules: &Rules, file: &Path, confirmed: &Confirmed) -> Result<(), Failure> {
    let text = read(file)?;
    let by = confirmed.by.name()?;
    // A saved plan is JSON, and a mapping never is.
    let saved: Option<Plan> = serde_json::from_str(&text).ok();
    let document = saved.as_ref().map_or_else(|| text.clone(), |plan| plan.document.clone());
    let failed = |error| with_file(file, error);
    let shown = match saved {
        None if asks(confirmed) => {
            Some(mapping_plan::plan(database, rules, &document, None).map_err(failed)?)
        }
        saved => saved,
    };
    confirm(shown.as_ref(), confirmed)?;
    let by = PlanOperator { name: &by, now: Clock::System.now() };
    let applied = mapping_plan::apply(database, rules, &document, shown.as_ref(), &by).map_err(failed)?;
    done(database, rules, &applied, confirmed)
}

fn rollback(database: &Database, rules: &Rules, to: i64, confirmed: &Confirmed) -> Result<(), Failure> {
    let by = confirmed.by.name()?;
    let document = mapping_plan::document_of(database, to)?;
    let shown = match asks(confirmed) {
        true => Some(mapping_plan::plan(database, rules, &document, None)?),
        false => None,
    };
    confirm(shown.as_ref(), confirmed)?;
    let by = PlanOperator { name: &by, now: Clock::System.now() };
    let applied = mapping_plan::rollback(database, rules, to, shown.as_ref(), &by)?;
    done(database, rules, &applied, confirmed)
}

/// Whether somebody can answer a question.
fn asks(confirmed: &Confirmed) -> bool {
    !confirmed.yes && std::io::stdin().is_terminal()
}

/// Shows the plan and asks, on a terminal.
fn confirm(shown: Option<&Plan>, confirmed: &Confirmed) -> Result<(), Failure> {
    let (Some(plan), true) = (shown, asks(confirmed)) else { return Ok(()) };
    print::summary(plan)?;
    operator::confirm("Apply it?")
}

fn done(
    database: &Database,
    rules: &Rules,
    (plan, version): &(Plan, i64),
    confirmed: &Confirmed,
) -> Result<(), Failure> {
    if !asks(confirmed) {
        print::summary(plan)?;
    }
    settle(database, rules)?;
    Ok(print_text(&format!("applied as version {version}\n"))?)
}

/// Recomputes all directories. Another process may do the same work at the same time; each step is done once.
fn settle(database: &Database, rules: &Rules) -> Result<(), Failure> {
    let mapping = database.read::<_, crate::apply::ApplyError>(|conn| Ok(mappings::in_force(conn)?))?;
    let rules = Rules { mapping: mapping.into(), ..rules.clone() };
    while recompute::step(database, &rules, Batch::default(), Clock::System.now())?.is_some() {}
    Ok(())
}

fn read(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()).into())
}

fn fault_list(file: &Path, faults: &[crate::decide::mapping::MappingFault]) -> String {
    let lines: Vec<String> = faults.iter().map(|fault| format!("{}:{fault}", file.display())).collect();
    format!("this is not a valid mapping\n{}", lines.join("\n"))
}

fn with_file(file: &Path, error: PlanError) -> Failure {
    match error {
        PlanError::Faulty(faults) => fault_list(file, &faults).into(),
        other => other.into(),
    }
}
