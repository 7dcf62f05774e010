//! Roles of PostgreSQL beside the owner of the tables: readers, which see the published tables and views and nothing else,
//! and the role with which rosterd runs when it does not own its tables.
//!
//! Each command ends in the same rights, whatever the role had before. A reader that would have more rights, for example as a
//! member of another role, is refused, and nothing is changed.

mod policies;
mod surplus;

use diesel::{
    OptionalExtension, PgConnection, QueryResult, QueryableByName, RunQueryDsl,
    connection::SimpleConnection,
    sql_query,
    sql_types::{Bool, Oid, Text},
};

use crate::{
    db::{Conn, Database, DbError},
    tables::published::PUBLISHED,
};

/// What a role may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read the rows of the tenant that its session names.
    OneTenant,
    /// Read the rows of all tenants.
    AllTenants,
    /// Read and write everything, as rosterd does.
    Service,
}

/// Why a role did not get its rights.
#[derive(Debug, thiserror::Error)]
pub enum RoleError {
    /// SQLite has no roles.
    #[error(
        "SQLite has no roles: the permissions of the file decide who reads it; --reader and --service need PostgreSQL"
    )]
    Sqlite,
    /// There is no such role.
    #[error("there is no role {0}: create it with CREATE ROLE {quoted} LOGIN PASSWORD '…', and run the command again", quoted = quoted(.0))]
    Unknown(String),
    /// The role of this connection does not own the tables.
    #[error(
        "role {current} does not own rosterd's tables, so it cannot set the rights of others: run the command as {owner}"
    )]
    NotOwner {
        /// The role of this connection.
        current: String,
        /// The owner of the tables.
        owner: String,
    },
    /// The role has rights that this command cannot revoke.
    #[error("role {role} would read more than it may, and nothing was changed: {}; revoke this, or take another role", surplus.join("; "))]
    Surplus {
        /// The role.
        role: String,
        /// Its other rights, in words.
        surplus: Vec<String>,
    },
    /// The database failed.
    #[error("{0}")]
    Database(#[from] DbError),
}

impl From<diesel::result::Error> for RoleError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Database(error.into())
    }
}

/// Gives the role its rights, and revokes all others on rosterd's schemas. A repetition changes nothing. After a crash the
/// role has its former rights or the new ones.
pub fn set_access(database: &Database, role: &str, access: Access) -> Result<(), RoleError> {
    database.write(|conn| {
        let Conn::Postgres(pg) = conn else { return Err(RoleError::Sqlite) };
        // The lock of the migrations: two GRANTs at once would fail.
        pg.batch_execute("SELECT pg_advisory_xact_lock(7381240)")?;
        expect_owner(pg)?;
        let oid = role_oid(pg, role)?.ok_or_else(|| RoleError::Unknown(role.to_owned()))?;
        let own = surplus::attributes(pg, role)?;
        if !own.is_empty() && access != Access::Service {
            return Err(RoleError::Surplus { role: role.to_owned(), surplus: own });
        }
        pg.batch_execute(&grants(role, access))?;
        policies::set(pg, role, oid, access)?;
        let surplus = if access == Access::Service { Vec::new() } else { surplus::rights(pg, role, access)? };
        match surplus.is_empty() {
            true => Ok(()),
            false => Err(RoleError::Surplus { role: role.to_owned(), surplus }),
        }
    })
}

/// An identifier in SQL.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The tables and views that a reader may read. A role that may read the last one sees all tenants in the views.
fn visible(access: Access) -> Vec<String> {
    let mut names: Vec<String> = PUBLISHED.iter().map(|table| format!("rosterd.{}", table.name)).collect();
    if access == Access::AllTenants {
        names.push("rosterd_internal.all_tenants".to_owned());
    }
    names
}

/// The statements that give a role its rights on schemas, tables and sequences.
fn grants(role: &str, access: Access) -> String {
    const BOTH: &str = "SCHEMA rosterd, rosterd_internal";
    let role = quoted(role);
    if access == Access::Service {
        return format!(
            "GRANT USAGE ON {BOTH} TO {role}; \
             GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN {BOTH} TO {role}; \
             GRANT ALL ON ALL SEQUENCES IN {BOTH} TO {role};"
        );
    }
    format!(
        "REVOKE ALL ON ALL TABLES IN {BOTH} FROM {role}; \
         REVOKE ALL ON ALL SEQUENCES IN {BOTH} FROM {role}; \
         REVOKE ALL ON ALL ROUTINES IN {BOTH} FROM {role}; \
         REVOKE ALL ON {BOTH} FROM {role}; \
         GRANT USAGE ON SCHEMA rosterd TO {role}; \
         GRANT SELECT ON {} TO {role};",
        visible(access).join(", ")
    )
}

#[derive(QueryableByName)]
struct RoleId {
    #[diesel(sql_type = Oid)]
    oid: u32,
}

fn role_oid(pg: &mut PgConnection, role: &str) -> QueryResult<Option<u32>> {
    let found = sql_query("SELECT oid FROM pg_catalog.pg_roles WHERE rolname = $1").bind::<Text, _>(role);
    Ok(found.get_result::<RoleId>(pg).optional()?.map(|role| role.oid))
}

#[derive(QueryableByName)]
struct Owner {
    #[diesel(sql_type = Text)]
    current: String,
    #[diesel(sql_type = Text)]
    owner: String,
    #[diesel(sql_type = Bool)]
    may_grant: bool,
}

fn expect_owner(pg: &mut PgConnection) -> Result<(), RoleError> {
    let owner: Owner = sql_query(
        "SELECT current_user::text AS current, pg_get_userbyid(c.relowner)::text AS owner, \
         pg_has_role(c.relowner, 'USAGE') AS may_grant FROM pg_catalog.pg_class c \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = 'rosterd' AND c.relname = 'tenants'",
    )
    .get_result(pg)?;
    match owner.may_grant {
        true => Ok(()),
        false => Err(RoleError::NotOwner { current: owner.current, owner: owner.owner }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_is_granted_the_published_tables_by_name() {
        let sql = grants("app", Access::OneTenant);
        assert!(
            sql.contains("GRANT SELECT ON rosterd.tenants, rosterd.directories, rosterd.users,"),
            "{sql}"
        );
        assert!(!sql.contains("all_tenants") && !sql.contains("INSERT"), "{sql}");
        assert!(grants("app", Access::AllTenants).contains("rosterd_internal.all_tenants TO \"app\""));
    }

    #[test]
    fn the_name_of_a_role_cannot_end_its_quotation() {
        let sql = grants("a\"; DROP TABLE x; --", Access::OneTenant);
        assert!(sql.contains("TO \"a\"\"; DROP TABLE x; --\";"), "{sql}");
        assert_eq!(
            RoleError::Unknown("Web App".to_owned()).to_string(),
            "there is no role Web App: create it with CREATE ROLE \"Web App\" LOGIN PASSWORD '…', and run the command again"
        );
    }
}
