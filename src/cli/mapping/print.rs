//! Prints a plan for people or for programs.

use serde_json::{Value, json};

use super::super::{
    Failure, Format,
    output::{List, print_text, printable_line},
};
use crate::operator::mapping_plan::{Plan, RoleCounts};

/// The plan in short, and for each person.
pub(super) fn plan(plan: &Plan, format: Format) -> Result<(), Failure> {
    match format {
        Format::Json => {
            let whole = json!({"instead_of": plan.instead_of, "roles": plan.by_role(), "tenants": plan.tenants,
                "warnings": plan.warnings, "counts": plan.counts(), "fingerprint": plan.fingerprint()});
            Ok(print_text(&format!("{whole:#}\n"))?)
        }
        Format::Table => {
            summary(plan)?;
            if !plan.is_empty() {
                print_text("\n")?;
                rows(plan).print(format)?;
            }
            Ok(())
        }
        _ => Ok(rows(plan).print(format)?),
    }
}

/// The plan in short: each role with the number of people who gain or lose it, access, and warnings.
pub(super) fn summary(plan: &Plan) -> Result<(), Failure> {
    let counts = plan.counts();
    if plan.is_empty() {
        print_text("nobody gains or loses anything\n")?;
    } else {
        let row = |(role, counts): (&str, RoleCounts)| -> Vec<Value> {
            let privileged = if counts.privileged { "yes" } else { "" };
            vec![role.into(), counts.gain.into(), counts.lose.into(), counts.keep.into(), privileged.into()]
        };
        let columns = vec!["role", "people_gain", "people_lose", "people_keep", "privileged"];
        let rows: Vec<Vec<Value>> = plan.by_role().into_iter().map(row).collect();
        if !rows.is_empty() {
            List { columns, rows }.print(Format::Table)?;
        }
        print_text(&format!(
            "{} users change: {} gain a role, {} lose one; {} lose access, {} get it; {} privileged roles granted, {} \
             taken\n",
            counts.users,
            counts.gain,
            counts.lose,
            counts.lose_access,
            counts.gain_access,
            counts.privileged_gained,
            counts.privileged_lost
        ))?;
    }
    for warning in &plan.warnings {
        print_text(&format!("warning: {}\n", printable_line(warning)))?;
    }
    Ok(())
}

fn rows(plan: &Plan) -> List {
    let columns = vec!["tenant", "user", "email", "change", "role", "because"];
    let mut rows = Vec::new();
    for (tenant, users) in &plan.tenants {
        for (id, user) in users {
            let mut row = |change: &str, role: &str, because: &str| {
                let email = user.email.clone().map_or(Value::Null, Value::from);
                rows.push(vec![
                    tenant.clone().into(),
                    id.clone().into(),
                    email,
                    change.into(),
                    role.into(),
                    because.into(),
                ]);
            };
            if user.loses_access {
                row("loses access", "", "nothing grants a role");
            }
            if user.gains_access {
                row("gets access", "", "");
            }
            for (role, because) in &user.gains {
                row("+", role, because);
            }
            for role in &user.loses {
                row("-", role, "");
            }
            for role in &user.keeps {
                row("keeps", role, "protected: nobody else would hold it");
            }
        }
    }
    List { columns, rows }
}
