//! Another mapping over any history: the plan is equal to the result, every grant is explained, and nothing else is.

use std::collections::{BTreeMap, BTreeSet};

use rosterd::{
    operator::{
        explain::explain,
        mapping_plan::{self, Plan, PlanOperator},
    },
    tables::host_tables::{USER_ROLES, USERS},
};
use serde_json::Value;

use super::{
    equal,
    history::Case,
    mapped::Mapped,
    model::{self, Tables},
    trial::{Outcome, failed},
    world::{World, drain},
};
use crate::harness::NOW;

/// (tenant, user, role).
type Assignments = BTreeSet<[String; 3]>;

fn text(row: &Value, column: &str) -> String {
    row[column].as_str().unwrap_or_default().to_owned()
}

fn assignments(tables: &Tables) -> Assignments {
    let rows = tables[USER_ROLES.name].iter();
    rows.map(|row| ["tenant_id", "user_id", "role_slug"].map(|column| text(row, column))).collect()
}

fn promised(plan: &Plan) -> (Assignments, Assignments) {
    let (mut gained, mut lost) = (Assignments::new(), Assignments::new());
    for (tenant, users) in &plan.tenants {
        for (id, user) in users {
            let assignment = |role: &String| [tenant.clone(), id.clone(), role.clone()];
            gained.extend(user.gains.keys().map(assignment));
            lost.extend(user.loses.iter().map(assignment));
        }
    }
    (gained, lost)
}

pub fn a_plan_comes_true(world: &World, case: &Case) -> Outcome {
    world.begin(case.mapped);
    let rules = case.rules();
    let applier = world.applier(rules.clone(), case.batch);
    for part in case.deliveries() {
        world.deliver(&part);
    }
    drain(&applier, || Ok(()))?;
    let before = world.tables();

    let next = if case.mapped == Some(Mapped::Strict) { Mapped::Generous } else { Mapped::Strict };
    let document = next.document();
    let planned = mapping_plan::plan(&world.database, &rules, &document, None).map_err(failed)?;
    let by = PlanOperator { name: "history", now: NOW };
    mapping_plan::apply(&world.database, &rules, &document, Some(&planned), &by).map_err(failed)?;
    drain(&applier, || Ok(()))?;

    let after = world.tables();
    equal(model::tables(&case.events(), &rules, Some(next)), world.tables())?;
    let (was, is) = (assignments(&before), assignments(&after));
    let happened = (&is - &was, &was - &is);
    if promised(&planned) != happened {
        return Err(failed(format!("planned {planned:?}, happened {happened:?}")));
    }
    every_grant_is_explained(world, case, &after)
}

fn every_grant_is_explained(world: &World, case: &Case, tables: &Tables) -> Outcome {
    for user in &tables[USERS.name] {
        let (tenant, id) = (text(user, "tenant_id"), text(user, "id"));
        let explained = explain(&world.database, &case.rules(), &tenant, &id).map_err(failed)?;
        let [explained] = explained.as_slice() else {
            return Err(failed(format!("{id} is explained {} times", explained.len())));
        };
        let rows = tables[USER_ROLES.name].iter();
        let shown: BTreeMap<String, String> = rows
            .filter(|row| text(row, "tenant_id") == tenant && text(row, "user_id") == id)
            .map(|row| (text(row, "role_slug"), text(row, "granted_by")))
            .collect();
        let explained_roles =
            explained.roles.iter().map(|role| (role.role.clone(), role.because.clone())).collect();
        let active = user["status"] == "active";
        if explained.no_access.is_none() != active || (active && shown != explained_roles) {
            return Err(failed(format!("{user} with {shown:?} is explained by {explained:?}")));
        }
    }
    Ok(())
}
