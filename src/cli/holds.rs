//! `holds list | show | approve | reject`: mass changes that the guard holds.

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::Value;

use super::{
    Failure, Format,
    output::{List, print_text, printable_line},
};
use crate::{
    apply::{ApplyError, Batch},
    config::Config,
    db::{Database, DbError},
    decide::Rules,
    operator::holds::{self, HoldDecision, Verdict},
    runtime::clock::{Clock, Timestamp},
    tables::{self, held_users::HeldUser, holds::Hold, mappings},
};

#[derive(Args)]
pub struct Verbs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// List holds, the newest first
    List {
        #[arg(long)]
        tenant: Option<String>,
        #[arg(long, value_enum)]
        state: Option<State>,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Show one hold: the cause, losses that were applied before, and everybody in it
    Show {
        id: i64,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Apply the current state of the directory to the people in the hold
    Approve(Decision),
    /// Let the people keep access and roles until the directory sends newer facts about them
    Reject(Decision),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum State {
    Open,
    Approved,
    Rejected,
    Ended,
}

#[derive(Args)]
struct Decision {
    id: i64,
    /// Only this user, by id; can be repeated
    #[arg(long = "user", value_name = "ID")]
    users: Vec<String>,
    /// Name of the operator for the record; default: the login name
    #[arg(long)]
    by: Option<String>,
    /// Reason for the record
    #[arg(long)]
    reason: Option<String>,
}

impl Verbs {
    /// The tenant that the command names, as it was written.
    pub(super) fn tenant(&mut self) -> Option<&mut String> {
        match &mut self.verb {
            Verb::List { tenant, .. } => tenant.as_mut(),
            Verb::Show { .. } | Verb::Approve(_) | Verb::Reject(_) => None,
        }
    }
}

pub(super) fn run(database: &Database, config: &Config, verbs: &Verbs) -> Result<ExitCode, Failure> {
    match &verbs.verb {
        Verb::List { tenant, state, format } => {
            let state = state.map(|state| match state {
                State::Open => "open",
                State::Approved => "approved",
                State::Rejected => "rejected",
                State::Ended => "ended",
            });
            let found = database
                .read::<_, DbError>(|conn| Ok(tables::holds::list(conn, tenant.as_deref(), state)?))?;
            let columns = vec![
                "id",
                "tenant_id",
                "directory_id",
                "state",
                "cause",
                "opened_at",
                "due_at",
                "applied_before",
                "active_before",
                "decided_by",
                "decided_at",
                "reason",
            ];
            List { columns, rows: found.iter().map(row).collect() }.print(*format)?;
        }
        Verb::Show { id, format } => {
            let (hold, held) = database
                .read::<_, DbError>(|conn| holds::show(conn, *id))?
                .ok_or(holds::HoldError::Unknown(*id))?;
            show(&hold, &held, *format)?;
        }
        Verb::Approve(decision) => decide(database, config, Verdict::Approve, decision)?,
        Verb::Reject(decision) => decide(database, config, Verdict::Reject, decision)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn decide(database: &Database, config: &Config, verdict: Verdict, of: &Decision) -> Result<(), Failure> {
    let login = || std::env::var("USER").unwrap_or_else(|_| "unknown".to_owned());
    let name = of.by.clone().unwrap_or_else(login);
    let by = HoldDecision { name: &name, reason: of.reason.as_deref(), users: &of.users };
    let decided = holds::decide(database, of.id, verdict, by, Clock::System.now())?;
    match verdict {
        Verdict::Reject => {
            print_text(&format!("{decided} people of hold {} keep access and roles\n", of.id))?;
        }
        Verdict::Approve => {
            let ended = settle(database, &config.rules())?;
            print_text(&format!(
                "hold {} is applied to {decided} people; {ended} have lost access\n",
                of.id
            ))?;
        }
    }
    Ok(())
}

/// Applies the decision. Another process may do the same work at the same time; each step is done once.
fn settle(database: &Database, rules: &Rules) -> Result<usize, Failure> {
    let mapping = database.read::<_, ApplyError>(|conn| Ok(mappings::in_force(conn)?))?;
    let rules = Rules { mapping: mapping.into(), ..rules.clone() };
    let mut ended = 0;
    while let Some(released) = holds::step(database, &rules, Batch::default(), Clock::System.now())? {
        ended += released.leavers;
    }
    Ok(ended)
}

fn time(at: Option<Timestamp>) -> Value {
    at.map_or(Value::Null, |at| at.to_string().into())
}

fn row(hold: &Hold) -> Vec<Value> {
    vec![
        hold.id.into(),
        hold.tenant_id.as_str().into(),
        hold.directory_id.as_str().into(),
        hold.state.as_str().into(),
        hold.cause.as_str().into(),
        hold.opened_at().to_string().into(),
        time(hold.due_at()),
        hold.applied_before.into(),
        hold.active_before.into(),
        hold.decided_by.as_deref().into(),
        time(hold.decided_at()),
        hold.reason.as_deref().into(),
    ]
}

fn show(hold: &Hold, held: &[HeldUser], format: Format) -> std::io::Result<()> {
    if format == Format::Table {
        print_text(&text_of(hold))?;
    }
    let columns = vec!["user_id", "name", "email", "directory_wants", "state", "outcome"];
    let row = |held: &HeldUser| -> Vec<Value> {
        vec![
            held.user_id.as_str().into(),
            held.name.as_deref().into(),
            held.email.as_deref().into(),
            held.lost().to_string().into(),
            held.state.as_str().into(),
            holds::outcome(&held.state).into(),
        ]
    };
    List { columns, rows: held.iter().map(row).collect() }.print(format)
}

fn text_of(hold: &Hold) -> String {
    let Hold { id, state, applied_before, active_before, .. } = hold;
    let (tenant_id, directory_id) = (printable_line(&hold.tenant_id), printable_line(&hold.directory_id));
    let undecided = match (state.as_str(), hold.due_at()) {
        ("open", Some(due)) => format!("Without a decision it is approved at {due}.\n"),
        ("open", None) => "Without a decision it remains open.\n".to_owned(),
        _ => String::new(),
    };
    let decided = match (&hold.decided_by, hold.decided_at()) {
        (Some(by), Some(at)) => {
            format!(
                "Decided by {} at {at}{}.\n",
                printable_line(by),
                hold.reason.as_ref().map_or(String::new(), |why| format!(": {}", printable_line(why)))
            )
        }
        _ => String::new(),
    };
    format!(
        "Hold {id} of {tenant_id}, directory {directory_id}, {state} since {}.\n\
         Before it, {applied_before} of {active_before} people had lost access or a privileged role in the window; that is \
         committed and not part of it.\n{undecided}{decided}\
         Apply what the directory says by now: rosterd holds approve {id}\n\
         Let them keep what they have: rosterd holds reject {id}\n\
         Either for single people with --user ID.\n\n",
        hold.opened_at()
    )
}
