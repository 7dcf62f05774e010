//! Nothing to do.

use std::time::Duration;

use diesel::{Connection, PgConnection, QueryableByName, RunQueryDsl, sql_query, sql_types::BigInt};

use crate::{
    Options, Outcome,
    contender::Contender,
    report::{Aim, Report},
    store::Store,
};

const WATCHED: Duration = Duration::from_secs(30);

pub fn measure(options: &Options, report: &mut Report) -> Outcome<()> {
    let store = Contender::RosterdPostgres.store(options)?;
    let running = Contender::RosterdPostgres.start(options, &store)?;
    std::thread::sleep(Duration::from_secs(5));
    let (transactions, cpu) = (transactions(options, &store)?, running.cpu());
    std::thread::sleep(WATCHED);
    let seconds = WATCHED.as_secs_f64();
    let asked = (self::transactions(options, &store)? - transactions) as f64 / seconds;
    let busy = (running.cpu() - cpu).as_secs_f64() * 100.0 / seconds;

    report.figure("idle: memory", running.memory().now, " MiB", Aim::at_most(24.0, 24.0));
    report.figure("idle: CPU", busy, " %", Aim::at_most(0.2, 0.1));
    report.figure("idle: statements to the database", asked, "/s", Aim::at_most(2.0, 2.0));
    Ok(())
}

/// Each statement of an idle service is a transaction of its own.
fn transactions(options: &Options, store: &Store) -> Outcome<i64> {
    #[derive(QueryableByName)]
    struct Number {
        #[diesel(sql_type = BigInt)]
        number: i64,
    }
    let name = store.url().rsplit_once('/').map(|(_, name)| name.to_owned()).unwrap_or_default();
    let sql = format!(
        "SELECT xact_commit + xact_rollback AS number FROM pg_stat_database WHERE datname = '{name}'"
    );
    let found: Number = sql_query(sql).get_result(&mut PgConnection::establish(&options.postgres)?)?;
    Ok(found.number)
}
