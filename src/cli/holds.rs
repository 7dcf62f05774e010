//! `holds list | show | approve | reject`: mass changes that the guard holds.

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::{
    Failure, Format, expect_any_tenant,
    operator::{By, Consent},
    output::{List, print_text, printable_line},
};
use crate::{
    apply::{ApplyError, Batch},
    config::Config,
    db::{Database, DbError},
    decide::Rules,
    operator::holds::{self, HoldDecision, HoldError, ListedHold, Verdict},
    runtime::clock::{Clock, Timestamp},
    tables::{
        held_users::HeldUser,
        hold_decisions::StoredDecision,
        holds::{self as table, Hold},
        mappings,
    },
};

#[derive(Args)]
pub struct Verbs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// List holds with their decisions, the newest first
    List {
        #[arg(long)]
        tenant: Option<String>,
        #[arg(long, value_enum)]
        state: Option<State>,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Show one hold: the cause, losses that were applied before, the decisions, and everybody in it
    Show {
        id: i64,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Apply the current state of the directory to the people in the hold; asks first
    Approve(Decision),
    /// Let the people keep access and roles until the directory sends newer facts about them
    Reject(Decision),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum State {
    /// Somebody waits for a decision
    Open,
    Approved,
    Rejected,
    /// Some people were approved and others rejected
    Mixed,
    /// Newer facts ended it before anybody decided
    Ended,
}

#[derive(Args)]
struct Decision {
    id: i64,
    /// Only this user, by id; can be repeated
    #[arg(long = "user", value_name = "ID")]
    users: Vec<String>,
    #[command(flatten)]
    by: By,
    /// Reason for the record
    #[arg(long)]
    reason: Option<String>,
    /// Also decide about people who were decided before; the first decision stays on record
    #[arg(long = "override")]
    overrides: bool,
    #[command(flatten)]
    consent: Consent,
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
            expect_any_tenant(database, tenant.as_deref())?;
            let state = state.map(|state| match state {
                State::Open => table::OPEN,
                State::Approved => table::APPROVED,
                State::Rejected => table::REJECTED,
                State::Mixed => table::MIXED,
                State::Ended => table::ENDED,
            });
            let found =
                database.snapshot::<_, DbError>(|conn| holds::list(conn, tenant.as_deref(), state))?;
            let list = List { columns: LISTED.to_vec(), rows: found.iter().map(row).collect() };
            if *format == Format::Table { list.only(&BRIEF).print(*format)? } else { list.print(*format)? }
        }
        Verb::Show { id, format } => {
            let (hold, held, decisions) = database.snapshot::<_, HoldError>(|conn| {
                let (hold, held) = holds::show(conn, *id)?.ok_or(HoldError::Unknown(*id))?;
                Ok((hold, held, holds::decisions(conn, *id)?))
            })?;
            show(&hold, &held, &decisions, *format)?;
        }
        Verb::Approve(decision) => decide(database, config, Verdict::Approve, decision)?,
        Verb::Reject(decision) => decide(database, config, Verdict::Reject, decision)?,
    }
    Ok(ExitCode::SUCCESS)
}

const LISTED: [&str; 15] = [
    "id",
    "tenant_id",
    "directory_id",
    "state",
    "cause",
    "opened_at",
    "due_at",
    "people",
    "waiting",
    "applied_before",
    "active_before",
    "decided_by",
    "decided_at",
    "reason",
    "decisions",
];
const BRIEF: [&str; 7] = ["id", "tenant_id", "state", "people", "waiting", "opened_at", "decided_by"];

fn decide(database: &Database, config: &Config, verdict: Verdict, of: &Decision) -> Result<(), Failure> {
    let name = of.by.name()?;
    let mut by = HoldDecision {
        name: &name,
        reason: of.reason.as_deref(),
        users: &of.users,
        overrides: of.overrides,
        expect: of.consent.expected(),
    };
    if verdict == Verdict::Approve && !of.consent.is_given() {
        let (hold, people, of_people) = database.snapshot(|conn| holds::preview(conn, of.id, by))?;
        of.consent.ask(&question(&hold, people, of_people), people)?;
        by.expect = Some(people);
    }
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

fn question(hold: &Hold, people: usize, of_people: usize) -> String {
    format!(
        "The loss of access or roles of {people} of {of_people} people in hold {} ({}, directory {}) would be applied.",
        hold.id,
        printable_line(&hold.tenant_id),
        printable_line(&hold.directory_id)
    )
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

fn row(of: &ListedHold) -> Vec<Value> {
    let ListedHold { hold, people, waiting, decisions } = of;
    let newest = decisions.last();
    vec![
        hold.id.into(),
        hold.tenant_id.as_str().into(),
        hold.directory_id.as_str().into(),
        hold.state.as_str().into(),
        hold.cause.as_str().into(),
        hold.opened_at().to_string().into(),
        time(hold.due_at()),
        (*people).into(),
        (*waiting).into(),
        hold.applied_before.into(),
        hold.active_before.into(),
        newest.map(|one| one.decided_by.as_str()).into(),
        time(newest.map(StoredDecision::decided_at)),
        newest.and_then(|one| one.reason.as_deref()).into(),
        decisions.iter().map(decision).collect::<Vec<Value>>().into(),
    ]
}

fn decision(one: &StoredDecision) -> Value {
    json!({
        "at": one.decided_at().to_string(), "by": one.decided_by, "decision": one.decision, "reason": one.reason,
        "people": one.people, "of_people": one.of_people, "overrides": one.overrides,
    })
}

fn show(hold: &Hold, held: &[HeldUser], decisions: &[StoredDecision], format: Format) -> std::io::Result<()> {
    if format == Format::Table {
        print_text(&text_of(hold, decisions))?;
    }
    let columns = vec![
        "user_id",
        "name",
        "email",
        "directory_wants",
        "held_at",
        "state",
        "outcome",
        "decided_by",
        "decided_at",
        "reason",
    ];
    let row = |held: &HeldUser| -> Vec<Value> {
        let decision = decisions.iter().find(|one| held.decision_number == Some(one.number));
        vec![
            held.user_id.as_str().into(),
            held.name.as_deref().into(),
            held.email.as_deref().into(),
            held.lost().to_string().into(),
            held.held_at().to_string().into(),
            held.state.as_str().into(),
            holds::outcome(&held.state).into(),
            decision.map(|one| one.decided_by.as_str()).into(),
            time(decision.map(StoredDecision::decided_at)),
            decision.and_then(|one| one.reason.as_deref()).into(),
        ]
    };
    let list = List { columns, rows: held.iter().map(row).collect() };
    match format {
        Format::Table => {
            list.only(&["user_id", "name", "email", "directory_wants", "outcome", "decided_by"]).print(format)
        }
        _ => list.print(format),
    }
}

fn text_of(hold: &Hold, decisions: &[StoredDecision]) -> String {
    let Hold { id, state, applied_before, active_before, .. } = hold;
    let (tenant_id, directory_id) = (printable_line(&hold.tenant_id), printable_line(&hold.directory_id));
    let is_open = state == table::OPEN;
    let undecided = match hold.due_at() {
        _ if !is_open => String::new(),
        Some(due) => format!("Without a decision it is approved at {due}.\n"),
        None => "Without a decision it remains open.\n".to_owned(),
    };
    let decided: String = decisions.iter().map(line).collect();
    let commands = match is_open {
        true => format!(
            "Apply what the directory says by now: rosterd holds approve {id}\n\
             Let them keep what they have: rosterd holds reject {id}\n\
             Either for single people with --user ID.\n"
        ),
        false => String::new(),
    };
    format!(
        "Hold {id} of {tenant_id}, directory {directory_id}: {state}, opened at {}.\n\
         Before it, {applied_before} of {active_before} people had lost access or a privileged role in the window; that is \
         committed and not part of it.\n{undecided}{decided}{commands}\n",
        hold.opened_at()
    )
}

fn line(one: &StoredDecision) -> String {
    format!(
        "Decision {} at {}: {} {} {} of {} people{}{}.\n",
        one.number,
        one.decided_at(),
        printable_line(&one.decided_by),
        one.decision,
        one.people,
        one.of_people,
        if one.overrides { ", in place of an earlier decision" } else { "" },
        one.reason.as_ref().map_or(String::new(), |why| format!(": {}", printable_line(why)))
    )
}
