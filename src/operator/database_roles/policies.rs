//! The row-level security policies of one role. A role without a policy of its own sees the tenant that its session names.

use std::collections::BTreeMap;

use diesel::{
    PgConnection, QueryResult, QueryableByName, RunQueryDsl,
    connection::SimpleConnection,
    sql_query,
    sql_types::{Nullable, Oid, Text},
};

use super::{Access, quoted};

#[derive(QueryableByName)]
struct Policy {
    #[diesel(sql_type = Text)]
    relation: String,
    /// NULL for a table on which the role has none.
    #[diesel(sql_type = Nullable<Text>)]
    policy: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    command: Option<String>,
}

/// Each table with row-level security, with the policies that show rows to this role alone.
const OWN: &str = "SELECT c.relname::text AS relation, p.polname::text AS policy, p.polcmd::text AS command \
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
     LEFT JOIN pg_catalog.pg_policy p ON p.polrelid = c.oid AND p.polpermissive AND p.polroles = ARRAY[$1] \
     WHERE n.nspname = 'rosterd' AND c.relrowsecurity";

/// Creates the policies that the role needs and has not, and drops its others. Each such statement locks its table for an
/// instant, so none is run without need.
pub(super) fn set(pg: &mut PgConnection, role: &str, oid: u32, access: Access) -> QueryResult<()> {
    let wanted = match access {
        Access::OneTenant => None,
        Access::AllTenants => Some(("r", "all_tenants", "SELECT")),
        Access::Service => Some(("*", "service", "ALL")),
    };
    let mut tables: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for found in sql_query(OWN).bind::<Oid, _>(oid).load::<Policy>(pg)? {
        tables.entry(found.relation).or_default().extend(found.policy.zip(found.command));
    }
    for (table, policies) in tables {
        let table = quoted(&table);
        let is_wanted = |command: &str| wanted.is_some_and(|(letter, ..)| letter == command);
        for (policy, _) in policies.iter().filter(|(_, command)| !is_wanted(command)) {
            pg.batch_execute(&format!("DROP POLICY {} ON rosterd.{table}", quoted(policy)))?;
        }
        if let Some((_, kind, verb)) = wanted
            && !policies.iter().any(|(_, command)| is_wanted(command))
        {
            let name = quoted(&format!("{kind}_{role}"));
            let role = quoted(role);
            pg.batch_execute(&format!(
                "CREATE POLICY {name} ON rosterd.{table} FOR {verb} TO {role} USING (true)"
            ))?;
        }
    }
    Ok(())
}
