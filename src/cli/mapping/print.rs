//! Prints a plan for people or for programs.

use serde_json::{Value, json};

use super::super::{
    Failure, Format,
    output::{List, print_text, printable_line},
};
use crate::operator::mapping_plan::Plan;

pub(super) fn print(plan: &Plan, format: Format) -> Result<(), Failure> {
    match format {
        Format::Json => {
            let whole = json!({"instead_of": plan.instead_of, "tenants": plan.tenants, "warnings": plan.warnings,
                "counts": plan.counts(), "fingerprint": plan.fingerprint()});
            Ok(print_text(&format!("{whole:#}\n"))?)
        }
        Format::Csv => Ok(rows(plan).print(format)?),
        Format::Table => {
            rows(plan).print(format)?;
            for warning in &plan.warnings {
                print_text(&format!("warning: {}\n", printable_line(warning)))?;
            }
            let counts = plan.counts();
            Ok(print_text(&format!(
                "{} users change: {} gain a role, {} lose one; {} lose access, {} get it; {} privileged roles granted, {} \
                 taken\n",
                counts.users,
                counts.gain,
                counts.lose,
                counts.lose_access,
                counts.gain_access,
                counts.privileged_gained,
                counts.privileged_lost
            ))?)
        }
    }
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
