//! Row-level security on PostgreSQL limits the roles that read for the application. rosterd must see all rows: it would
//! take a hidden row for a missing one.

use diesel::{OptionalExtension, QueryResult, QueryableByName, RunQueryDsl, sql_query, sql_types::Text};

use super::Conn;

#[derive(QueryableByName)]
struct Role {
    #[diesel(sql_type = Text)]
    name: String,
}

/// A table of schema rosterd that hides rows from the role of this connection: its policies apply, and none of them lets the
/// role read and write everything.
const HIDDEN: &str = "SELECT current_user::text AS name FROM pg_catalog.pg_class c \
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
     WHERE n.nspname = 'rosterd' AND c.relrowsecurity AND row_security_active(c.oid) AND NOT EXISTS (\
         SELECT FROM pg_catalog.pg_policy p, unnest(p.polroles) AS r (oid) \
         WHERE p.polrelid = c.oid AND p.polcmd = '*' AND p.polpermissive AND r.oid <> 0 \
           AND pg_has_role(r.oid, 'USAGE')) LIMIT 1";

/// The role of this connection, if row-level security hides rows from it.
pub fn limited_role(conn: &mut Conn) -> QueryResult<Option<String>> {
    match conn {
        Conn::Sqlite(_) => Ok(None),
        Conn::Postgres(pg) => Ok(sql_query(HIDDEN).get_result::<Role>(pg).optional()?.map(|role| role.name)),
    }
}
