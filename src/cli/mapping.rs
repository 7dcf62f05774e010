//! `mapping`: shows, checks, previews and applies the role mapping.

mod print;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Subcommand};
use print::print;

use super::{Failure, Format, expect_any_tenant, operator::By, output::print_text};
use crate::{
    apply::{Batch, recompute},
    config::Config,
    db::{Database, DbError},
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
    /// Show the mapping in force
    Show,
    /// Check whether a file is a valid mapping; needs no database
    Check { file: PathBuf },
    /// Show what a file would change, with warnings; changes nothing
    Plan {
        file: PathBuf,
        /// Only this tenant
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
    /// Apply a mapping file or a saved plan
    Apply {
        file: PathBuf,
        #[command(flatten)]
        by: By,
    },
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
        Verb::Check { .. } => check_only(verbs),
        Verb::Show => show(database),
        Verb::Plan { file, tenant, format, out, detailed_exitcode } => {
            expect_any_tenant(database, tenant.as_deref())?;
            let plan = mapping_plan::plan(database, &rules, &read(file)?, tenant.as_deref())
                .map_err(|error| with_file(file, error))?;
            if let Some(out) = out {
                private_files::write(out, &serde_json::to_string_pretty(&plan)?)
                    .map_err(|error| format!("{}: {error}", out.display()))?;
            }
            print(&plan, *format)?;
            let changed = *detailed_exitcode && !plan.is_empty();
            Ok(if changed { ExitCode::from(2) } else { ExitCode::SUCCESS })
        }
        Verb::Apply { file, by } => apply(database, &rules, file, by),
    }
}

fn show(database: &Database) -> Result<ExitCode, Failure> {
    let newest = database.read::<_, DbError>(|conn| Ok(mappings::newest(conn)?))?;
    print_text(&match newest {
        Some(applied) => {
            format!(
                "# version {}, applied by {} at {}\n{}",
                applied.version, applied.by, applied.at, applied.document
            )
        }
        None => {
            format!("# no mapping was applied: this is the built-in one\n{}", crate::decide::mapping::DEFAULT)
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

fn apply(database: &Database, rules: &Rules, file: &Path, by: &By) -> Result<ExitCode, Failure> {
    let text = read(file)?;
    // A saved plan is JSON, and a mapping never is.
    let saved: Option<Plan> = serde_json::from_str(&text).ok();
    let document = saved.as_ref().map_or(text.as_str(), |plan| &plan.document);
    let by = by.name()?;
    let by = PlanOperator { name: &by, now: Clock::System.now() };
    let (plan, version) = mapping_plan::apply(database, rules, document, saved.as_ref(), &by)
        .map_err(|error| with_file(file, error))?;
    print(&plan, Format::Table)?;
    settle(database, rules)?;
    print_text(&format!("applied as version {version}\n"))?;
    Ok(ExitCode::SUCCESS)
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
