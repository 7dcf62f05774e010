//! The commands of operators: changes and explanations, without the command line (`cli`).

pub mod database_roles;
pub mod directory_move;
pub mod erase;
pub mod explain;
pub mod holds;
pub mod known_tenant;
pub mod manual_roles;
pub mod mapping_plan;
pub mod rebuild;
pub mod recipients;
pub mod scim_access;
