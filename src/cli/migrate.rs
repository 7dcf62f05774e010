//! `migrate`: the schema, and on PostgreSQL the rights of other roles.

use std::process::ExitCode;

use clap::Args;

use super::{Failure, Misuse};
use crate::{
    db::{Database, migrate::migrate},
    operator::database_roles::{Access, set_access},
};

#[derive(Args)]
pub struct Arguments {
    /// Let this PostgreSQL role read the documented tables and views, and nothing else: the rows of the tenant that its
    /// session names with SET rosterd.tenant = '…'. May be repeated
    #[arg(long = "reader", value_name = "ROLE")]
    readers: Vec<String>,
    /// Let the roles of --reader read the rows of all tenants
    #[arg(long, requires = "readers")]
    all_tenants: bool,
    /// Let this PostgreSQL role run rosterd without owning the tables. May be repeated
    #[arg(long = "service", value_name = "ROLE")]
    services: Vec<String>,
}

pub(super) fn run(database: &Database, arguments: &Arguments) -> Result<ExitCode, Failure> {
    let Arguments { readers, all_tenants, services } = arguments;
    if let Some(role) = readers.iter().find(|role| services.contains(role)) {
        let message = format!("{role} cannot be a reader and the role of rosterd: name it once");
        return Err(Misuse(message).into());
    }
    let ran = migrate(database)?;
    println!("{}", if ran.is_empty() { "the schema is up to date".to_owned() } else { ran.join("\n") });
    for role in readers {
        let (access, rows) = match all_tenants {
            true => (Access::AllTenants, "of all tenants"),
            false => (Access::OneTenant, "of the tenant in rosterd.tenant"),
        };
        set_access(database, role, access)?;
        println!("role {role} reads the rows {rows}");
    }
    for role in services {
        set_access(database, role, Access::Service)?;
        println!("role {role} can run rosterd");
    }
    Ok(ExitCode::SUCCESS)
}
