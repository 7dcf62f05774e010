//! PostgreSQL's counters of ids. A logical replication, by which databases move to a new major version, copies rows and
//! leaves the counters at 1: each new row would meet the id of an old one.

use diesel::{PgConnection, QueryResult, QueryableByName, RunQueryDsl, sql_query, sql_types::Text};

/// Tables whose ids the database counts, and the columns elsewhere that remember such an id longer than its row: an id
/// that was given once is never given to another row.
const COUNTED: [(&str, &[(&str, &str)]); 5] = [
    (
        "inbox",
        &[
            ("audit", "inbox_id"),
            ("facts", "inbox_id"),
            ("memberships", "inbox_id"),
            ("claims", "first_inbox_id"),
            ("refused_claims", "inbox_id"),
            ("directory_moves", "until_inbox_id"),
        ],
    ),
    ("claims", &[("facts", "claim_id"), ("memberships", "claim_id")]),
    ("holds", &[("held_users", "hold_id")]),
    ("outbox", &[]),
    ("mails", &[("outbox", "mail_id")]),
];

#[derive(QueryableByName)]
struct Counter {
    #[diesel(sql_type = Text)]
    name: String,
}

/// Sets forward each counter that lags behind its table. A counter that is ahead is not touched: while rosterd runs, a
/// counter is never behind the rows that can be seen, so this is safe beside processes that add rows. A crash
/// in between leaves some counters set, and the next start sets the others.
pub(super) fn set_forward(pg: &mut PgConnection) -> QueryResult<()> {
    for (table, remembered) in COUNTED {
        let counter: Counter =
            sql_query(format!("SELECT pg_get_serial_sequence('rosterd.{table}', 'id') AS name"))
                .get_result(pg)?;
        let lags = format!(
            "SELECT 1 FROM {name} WHERE NOT is_called OR last_value < (SELECT max(id) FROM rosterd.{table})",
            name = counter.name
        );
        if sql_query(lags).execute(pg)? > 0 {
            // No parameter can name a table: all the names here are constants, or PostgreSQL's own.
            let highest: Vec<String> = remembered
                .iter()
                .map(|(table, column)| format!("(SELECT max({column}) FROM rosterd.{table})"))
                .chain([format!("(SELECT max(id) FROM rosterd.{table})")])
                .collect();
            sql_query(format!(
                "SELECT setval('{name}', highest) FROM (SELECT greatest({highest}) AS highest) AS h, {name} \
                 WHERE highest > last_value OR (highest = last_value AND NOT is_called)",
                name = counter.name,
                highest = highest.join(", ")
            ))
            .execute(pg)?;
        }
    }
    Ok(())
}
