//! PostgreSQL's sequences. Logical replication, which many use to move to a new major version, copies rows but leaves the
//! sequences at 1: a new row would get the id of an old row. So each start checks the sequences.

use diesel::{PgConnection, QueryResult, QueryableByName, RunQueryDsl, sql_query, sql_types::Text};

/// Tables with a sequence, and the columns of other tables that contain such an id after its row was deleted: an id is
/// never used for a second row.
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
    ("holds", &[("held_users", "hold_id"), ("hold_decisions", "hold_id")]),
    ("outbox", &[]),
    ("mails", &[("outbox", "mail_id")]),
];

#[derive(QueryableByName)]
struct Counter {
    #[diesel(sql_type = Text)]
    name: String,
}

/// Sets each sequence that is behind its table to the highest known id. A sequence that is ahead is not changed. While
/// rosterd runs, no sequence is behind the visible rows, so this is safe while other processes insert rows. After a crash
/// the next start sets the remaining sequences.
pub(super) fn set_forward(pg: &mut PgConnection) -> QueryResult<()> {
    for (table, remembered) in COUNTED {
        let counter: Counter =
            sql_query(format!("SELECT pg_get_serial_sequence('rosterd_internal.{table}', 'id') AS name"))
                .get_result(pg)?;
        let lags = format!(
            "SELECT 1 FROM {name} WHERE NOT is_called OR last_value < (SELECT max(id) FROM rosterd_internal.{table})",
            name = counter.name
        );
        if sql_query(lags).execute(pg)? > 0 {
            // A bind parameter cannot be a table name. All names here are constants or come from PostgreSQL.
            let highest: Vec<String> = remembered
                .iter()
                .map(|(table, column)| format!("(SELECT max({column}) FROM rosterd_internal.{table})"))
                .chain([format!("(SELECT max(id) FROM rosterd_internal.{table})")])
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
