//! `explain`: why a person holds a role or has no access.

use std::process::ExitCode;

use clap::Args;

use super::{
    Failure, Format, expect_tenant,
    output::{print_text, printable_line},
};
use crate::{
    audit::leaver_receipt::Receipt,
    config::Config,
    db::Database,
    operator::explain::{Explanation, HeldBack, explain},
};

#[derive(Args)]
pub struct Arguments {
    /// The tenant's id: the broker's organization id, or `default`
    #[arg(long)]
    pub(super) tenant: String,
    /// A user's id or address; write `id:…` or `email:…` if a text is both
    user: String,
    /// Also show the rules that did not match, with their conditions
    #[arg(long)]
    all: bool,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(database: &Database, config: &Config, arguments: &Arguments) -> Result<ExitCode, Failure> {
    expect_tenant(database, &arguments.tenant)?;
    let mut explanations = explain(database, &config.rules(), &arguments.tenant, &arguments.user)?;
    if !arguments.all {
        explanations.iter_mut().for_each(|one| one.not_matched.clear());
    }
    match arguments.format {
        Format::Json => print_text(&format!("{}\n", serde_json::to_string_pretty(&explanations)?))?,
        Format::Jsonl => {
            for explanation in &explanations {
                print_text(&format!("{}\n", serde_json::to_string(explanation)?))?;
            }
        }
        Format::Table | Format::Csv => {
            for explanation in &explanations {
                print_text(&text(explanation))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn text(explained: &Explanation) -> String {
    let Explanation { tenant_id, user_id, person_id, directory_id, mapping_version, .. } = explained;
    let mut text = format!(
        "{} of {}, {person_id}, from {}; mapping version {mapping_version}\n",
        printable_line(user_id),
        printable_line(tenant_id),
        printable_line(directory_id)
    );
    if let Some(held) = &explained.held {
        text += &held_back(held);
    }
    if let Some(receipt) = &explained.receipt {
        text += &left(receipt);
    }
    if let Some(no_access) = &explained.no_access {
        text += &format!(
            "no access since {}: {} (event {})\nwith access they would hold:\n",
            no_access.since,
            no_access.because,
            printable_line(&no_access.event)
        );
    }
    if explained.roles.is_empty() {
        text += "  no role\n";
    }
    for role in &explained.roles {
        text += &format!("  {}  {}\n", printable_line(&role.role), printable_line(&role.because));
        for fact in &role.facts {
            text += &format!(
                "      {}, since {}, by event {}\n",
                printable_line(&fact.fact),
                fact.since,
                printable_line(&fact.event)
            );
        }
    }
    for slug in &explained.ignored_slugs {
        text += &format!("  the directory names role {}, which the mapping ignores\n", printable_line(slug));
    }
    for rule in &explained.not_matched {
        text += &format!(
            "  not rule {} ({}): it looks for {}\n",
            rule.rule,
            rule.grants.join(", "),
            rule.looks_for
        );
    }
    text
}

fn held_back(held: &HeldBack) -> String {
    let kept = if held.rejected { "rejected, so access and roles remain" } else { "undecided" };
    let mut text = format!(
        "held in hold {} since {} ({kept}): the directory wants {}\n",
        held.hold_id,
        held.since,
        printable_line(&held.wanted)
    );
    if let Some(said) = &held.stated_at {
        let received = held.received_at.as_deref().unwrap_or("an unknown time");
        text += &format!("  said at {said} by {}, received at {received}\n", printable_line(&held.because));
    }
    if let (Some(by), Some(at)) = (&held.decided_by, &held.decided_at) {
        let reason = held.decision_reason.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        text += &format!("  decided by {} at {at}{}\n", printable_line(by), printable_line(&reason));
    }
    text
}

fn left(receipt: &Receipt) -> String {
    let mut text = format!("lost access at {} (entry {})\n", receipt.applied_at, receipt.entry);
    let mut line = |what: &str, at: &Option<String>| {
        if let Some(at) = at {
            text += &format!("  {what} {}\n", printable_line(at));
        }
    };
    line("said at", &receipt.stated_at);
    line("received at", &receipt.received_at);
    line(&format!("held in hold {} since", receipt.hold_id.unwrap_or_default()), &receipt.held_at);
    let by = receipt.decided_by.as_deref().unwrap_or_default();
    line(&format!("approved by {by} at"), &receipt.decided_at);
    line("administrators notified at", &receipt.notified_at);
    text
}
