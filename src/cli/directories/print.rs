//! Prints a move: who moves, and the losses and gains of each person.

use crate::{
    cli::output::{Format, List, print_text, printable_line},
    operator::directory_move::{MovePlan, MovedPerson},
};

/// People in the list.
const MOST: usize = 200;

pub(super) fn plan(plan: &MovePlan) -> std::io::Result<()> {
    let MovePlan { directory_id, from_tenant, to_tenant, people, .. } = plan;
    print_text(&format!(
        "Directory {} would move from {} to {}.\n{}",
        printable_line(directory_id),
        printable_line(from_tenant),
        printable_line(to_tenant),
        consequences(plan)
    ))?;
    if people.is_empty() {
        return Ok(());
    }
    let columns = vec!["user_id", "name", "email", "access", "loses", "gains", "manual_grants_ended"];
    let rows = people.iter().take(MOST).map(|(user_id, person)| row(user_id, person)).collect();
    List { columns, rows }.print(Format::Table)?;
    match people.len().saturating_sub(MOST) {
        0 => Ok(()),
        rest => print_text(&format!("and {rest} more people\n")),
    }
}

pub(super) fn done(plan: &MovePlan) -> std::io::Result<()> {
    let MovePlan { directory_id, from_tenant, to_tenant, .. } = plan;
    print_text(&format!(
        "moved directory {} from {} to {}\n{}",
        printable_line(directory_id),
        printable_line(from_tenant),
        printable_line(to_tenant),
        consequences(plan)
    ))?;
    match plan.put_back {
        0 => Ok(()),
        _ => print_text(
            "The deliveries are in the queue again; a running `rosterd serve` applies them within seconds.\n",
        ),
    }
}

fn consequences(plan: &MovePlan) -> String {
    let gain = plan.people.values().filter(|person| !person.had_access && person.has_access).count();
    let mut lines = vec![
        format!("people with access who move: {}", plan.with_access()),
        format!("people of them without access after the move: {}", plan.without_access()),
        format!("people who have access only after the move: {gain}"),
        format!("groups: {}", plan.groups),
        format!("manual grants of the former tenant that end: {}", plan.grants_ended()),
        format!("refused deliveries that are applied: {}", plan.put_back),
    ];
    for role in &plan.without_holder {
        let (role, tenant) = (printable_line(role), printable_line(&plan.from_tenant));
        lines.push(format!("warning: nobody of {tenant} holds the protected role {role} any more"));
    }
    lines.into_iter().map(|line| format!("  {line}\n")).collect()
}

fn row(user_id: &str, person: &MovedPerson) -> Vec<serde_json::Value> {
    let access = match (person.had_access, person.has_access) {
        (true, true) => "moves",
        (true, false) => "ends",
        (false, true) => "begins",
        (false, false) => "none",
    };
    vec![
        user_id.into(),
        person.name.as_deref().into(),
        person.email.as_deref().into(),
        access.into(),
        person.loses().join(" ").into(),
        person.gains().join(" ").into(),
        person.manual_grants.iter().cloned().collect::<Vec<_>>().join(" ").into(),
    ]
}
