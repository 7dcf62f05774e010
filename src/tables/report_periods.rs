//! Table `report_periods`: the newest period of each tenant's access reports, so that the end of a period is reported
//! once by all processes together.

use std::collections::HashMap;

use diesel::{ExpressionMethods, QueryDsl, QueryResult, QueryableByName, RunQueryDsl, sql_types::Text};

use crate::{
    db::{Conn, bulk::Rows, schema::report_periods},
    runtime::clock::Timestamp,
};

/// (tenant, start of its period).
pub type Begun = (String, Timestamp);

/// The start of the newest period of each tenant.
pub fn all(conn: &mut Conn) -> QueryResult<HashMap<String, Timestamp>> {
    let rows: Vec<(String, i64)> =
        report_periods::table.select((report_periods::tenant_id, report_periods::period)).load(conn)?;
    Ok(rows.into_iter().map(|(tenant_id, period)| (tenant_id, Timestamp::from_micros(period))).collect())
}

/// Adds tenants that are not in the table. Their earlier periods are not reported.
pub fn meet(conn: &mut Conn, met: &[Begun]) -> QueryResult<()> {
    Rows::of(met).text("tenant_id", |begun| &begun.0).integer("period", |begun| begun.1.micros()).execute(
        conn,
        "INSERT INTO report_periods (tenant_id, period) SELECT r.tenant_id, r.period FROM {rows} WHERE true \
         ON CONFLICT (tenant_id) DO NOTHING",
    )?;
    Ok(())
}

/// Begins new periods. Returns the tenants for which no other process did it before. The rows are written in the order
/// of tenant ids, so two processes do not block each other.
pub fn begin(conn: &mut Conn, begun: &[Begun]) -> QueryResult<Vec<String>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        tenant_id: String,
    }
    let rows: Vec<Row> =
        Rows::of(begun).text("tenant_id", |begun| &begun.0).integer("period", |begun| begun.1.micros()).load(
            conn,
            "INSERT INTO report_periods (tenant_id, period) SELECT r.tenant_id, r.period FROM {rows} WHERE true \
             ON CONFLICT (tenant_id) DO UPDATE SET period = excluded.period \
             WHERE report_periods.period < excluded.period RETURNING tenant_id",
        )?;
    Ok(rows.into_iter().map(|row| row.tenant_id).collect())
}

/// Removes tenants without reports. If they get reports again, they are new.
pub fn forget(conn: &mut Conn, tenants: &[String]) -> QueryResult<()> {
    diesel::delete(report_periods::table.filter(report_periods::tenant_id.eq_any(tenants))).execute(conn)?;
    Ok(())
}
