//! Erasure: the only case in which a stored delivery is changed. The caller's transaction contains all of it.

use diesel::{QueryDsl, QueryResult, QueryableByName, RunQueryDsl, dsl::max, sql_types::BigInt};

use crate::db::{
    Conn,
    bulk::Rows,
    schema::{dead_letters, inbox, inbox_queue},
};

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

/// The id of the newest delivery; 0 without deliveries.
pub fn newest(conn: &mut Conn) -> QueryResult<i64> {
    let newest: Option<i64> = inbox::table.select(max(inbox::id)).get_result(conn)?;
    Ok(newest.unwrap_or_default())
}

/// The deliveries with ids above `after` and up to `until` whose bodies contain this text, in any meaning.
pub fn naming(conn: &mut Conn, text: &str, after: i64, until: i64) -> QueryResult<Vec<i64>> {
    let stands = match conn {
        Conn::Postgres(_) => "position(r.text in i.body) > 0",
        Conn::Sqlite(_) => "instr(i.body, r.text) > 0",
    };
    let bounds = [(text.as_bytes(), after, until)];
    let found: Vec<Id> = Rows::of(&bounds)
        .bytes("text", |bounds| bounds.0)
        .integer("after", |bounds| bounds.1)
        .integer("until", |bounds| bounds.2)
        .load(
            conn,
            &format!(
                "SELECT i.id FROM {{rows}} JOIN inbox i ON i.id > r.after AND i.id <= r.until AND {stands} ORDER BY i.id"
            ),
        )?;
    Ok(found.into_iter().map(|row| row.id).collect())
}

/// Those of these deliveries that are not applied yet.
pub fn waiting(conn: &mut Conn, inbox_ids: &[i64]) -> QueryResult<Vec<i64>> {
    use diesel::ExpressionMethods;
    inbox_queue::table
        .filter(inbox_queue::inbox_id.eq_any(inbox_ids))
        .select(inbox_queue::inbox_id)
        .load(conn)
}

/// Replaces bodies. Also clears the details of their dead letters, because the database's error text may quote a body.
pub fn rewrite(conn: &mut Conn, bodies: &[(i64, Vec<u8>)]) -> QueryResult<()> {
    use diesel::ExpressionMethods;
    Rows::of(bodies)
        .integer("id", |(id, _)| *id)
        .bytes("body", |(_, body)| body)
        .execute(conn, "UPDATE inbox SET body = r.body FROM {rows} WHERE inbox.id = r.id")?;
    let ids: Vec<i64> = bodies.iter().map(|(id, _)| *id).collect();
    for some in ids.chunks(500) {
        diesel::update(dead_letters::table.filter(dead_letters::inbox_id.eq_any(some)))
            .set(dead_letters::detail.eq("erased"))
            .execute(conn)?;
    }
    Ok(())
}
