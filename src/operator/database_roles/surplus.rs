//! Rights of a role beyond those of a reader: its attributes, and what it has by other roles or by PUBLIC.

use diesel::{
    PgConnection, QueryResult, QueryableByName, RunQueryDsl, sql_query,
    sql_types::{Array, Text},
};

use super::{Access, visible};

/// The number of rights that an error names.
const SHOWN: usize = 5;

#[derive(QueryableByName)]
struct Right {
    #[diesel(sql_type = Text)]
    text: String,
}

/// The roles whose rights `$1` can use: itself, and those of which it is a member, directly or not.
const MEMBER_OF: &str = "pg_catalog.pg_roles r WHERE pg_has_role($1, r.oid, 'MEMBER')";

/// Attributes that end all limits.
pub(super) fn attributes(pg: &mut PgConnection, role: &str) -> QueryResult<Vec<String>> {
    // A superuser is a member of every role, so one attribute is named, and first its own.
    let sql = format!(
        "SELECT CASE WHEN r.rolname = $1 THEN 'it' ELSE 'its role ' || r.rolname END || \
         CASE WHEN r.rolsuper THEN ' is a superuser' ELSE ' has BYPASSRLS' END AS text \
         FROM {MEMBER_OF} AND (r.rolsuper OR r.rolbypassrls) ORDER BY r.rolname <> $1, r.rolname LIMIT 1"
    );
    let found: Vec<Right> = sql_query(sql).bind::<Text, _>(role).load(pg)?;
    Ok(found.into_iter().map(|right| right.text).collect())
}

/// Rights on tables, sequences and schemas, and policies of other roles. `$2` names what a reader may read.
const RIGHTS: &str = "relations AS ( \
         SELECT c.oid, c.relkind, n.nspname || '.' || c.relname AS name FROM pg_catalog.pg_class c \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname IN ('rosterd', 'rosterd_internal') AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')) \
     SELECT k.privilege || ' on ' || c.name || r.by AS text FROM holders r CROSS JOIN relations c CROSS JOIN \
         unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS k (privilege) \
         WHERE NOT (k.privilege = 'SELECT' AND c.name = ANY ($2)) AND CASE \
             WHEN c.relkind = 'S' THEN false \
             WHEN k.privilege IN ('DELETE', 'TRUNCATE', 'TRIGGER') THEN has_table_privilege(r.oid, c.oid, k.privilege) \
             ELSE has_any_column_privilege(r.oid, c.oid, k.privilege) END \
     UNION ALL SELECT 'USAGE on sequence ' || c.name || r.by FROM holders r CROSS JOIN relations c \
         WHERE CASE c.relkind WHEN 'S' THEN has_sequence_privilege(r.oid, c.oid, 'USAGE, SELECT, UPDATE') ELSE false END \
     UNION ALL SELECT k.privilege || ' on schema ' || n.nspname || r.by FROM holders r \
         CROSS JOIN pg_catalog.pg_namespace n CROSS JOIN unnest(ARRAY['USAGE', 'CREATE']) AS k (privilege) \
         WHERE n.nspname IN ('rosterd', 'rosterd_internal') \
           AND NOT (k.privilege = 'USAGE' AND n.nspname = 'rosterd') \
           AND has_schema_privilege(r.oid, n.oid, k.privilege) \
     UNION ALL SELECT 'policy ' || p.polname || ' on ' || c.name || r.by FROM holders r \
         JOIN pg_catalog.pg_policy p ON r.oid = ANY (p.polroles) JOIN relations c ON c.oid = p.polrelid \
         WHERE p.polpermissive AND (p.polcmd <> 'r' OR NOT 'rosterd_internal.all_tenants' = ANY ($2))";

/// What the role can do beyond its access, in words.
pub(super) fn rights(pg: &mut PgConnection, role: &str, access: Access) -> QueryResult<Vec<String>> {
    let sql = format!(
        "WITH holders AS (SELECT r.oid, CASE WHEN r.rolname = $1 THEN '' ELSE ' (as a member of ' || r.rolname || ')' END \
         AS by FROM {MEMBER_OF}), {RIGHTS}"
    );
    let found: Vec<Right> =
        sql_query(sql).bind::<Text, _>(role).bind::<Array<Text>, _>(visible(access)).load(pg)?;
    let mut rights: Vec<String> = found.iter().take(SHOWN).map(|right| right.text.clone()).collect();
    if found.len() > SHOWN {
        rights.push(format!("and {} more rights", found.len() - SHOWN));
    }
    Ok(rights)
}
