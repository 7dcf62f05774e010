//! `doctor`: checks everything that `serve` needs, and names the remedies.

mod endpoints;
mod mail;
mod scim;

use std::{path::Path, process::ExitCode, time::Duration};

use clap::Args;
use diesel::{QueryableByName, RunQueryDsl, sql_query, sql_types::BigInt};
use serde_json::Value;

use super::{Format, output::List};
use crate::{
    broker::api::Question,
    config::{Config, ConfigError},
    db::{
        Conn, Database, DbError, Url,
        migrate::{expect_all_rows, pending},
        probe,
    },
    runtime::clock::Clock,
    sync::client::Client,
};

#[derive(Args)]
pub struct Options {
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// The largest clock difference to the database server without a finding.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Ok,
    Warn,
    Fail,
}

struct Finding {
    check: &'static str,
    verdict: Verdict,
    message: String,
}

pub(super) fn run(config: Result<Config, ConfigError>, options: &Options) -> ExitCode {
    let findings = match config {
        Err(error) => vec![finding("settings", Verdict::Fail, error.to_string())],
        Ok(config) => examine(&config),
    };
    let failed = findings.iter().any(|finding| finding.verdict == Verdict::Fail);
    let row = |finding: &Finding| -> Vec<Value> {
        let verdict = match finding.verdict {
            Verdict::Ok => "ok",
            Verdict::Warn => "warn",
            Verdict::Fail => "fail",
        };
        vec![finding.check.into(), verdict.into(), finding.message.as_str().into()]
    };
    let list = List { columns: vec!["check", "verdict", "says"], rows: findings.iter().map(row).collect() };
    let printed = list.print(options.format);
    if failed || printed.is_err() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn finding(check: &'static str, verdict: Verdict, message: impl Into<String>) -> Finding {
    Finding { check, verdict, message: message.into() }
}

fn examine(config: &Config) -> Vec<Finding> {
    let secret = match config.workos.webhook_secrets.len() {
        0 => finding(
            "secret",
            Verdict::Fail,
            "there is none: set WORKOS_WEBHOOK_SECRET to the endpoint's secret",
        ),
        1 => finding("secret", Verdict::Ok, "one webhook secret"),
        n => finding(
            "secret",
            Verdict::Warn,
            format!("{n} webhook secrets are accepted; remove the old one after the rotation"),
        ),
    };
    let mut findings = vec![finding("settings", Verdict::Ok, "read"), secret];
    findings.extend(database(config));
    findings.push(mail::finding(config));
    findings.push(broker(config));
    findings
}

/// Makes one request to the API.
fn broker(config: &Config) -> Finding {
    let Some(settings) = config.api() else {
        let message = "WORKOS_API_KEY is not set: missed events cannot be fetched, nor directories compared";
        return finding("broker", Verdict::Warn, message);
    };
    let asked = Client::new(&settings, || false).and_then(|client| {
        client.page(&Question::clock())?;
        Ok(client.broker_now())
    });
    let url = &config.workos.api_url;
    match asked {
        Err(error) => finding("broker", Verdict::Fail, format!("{url}: {error}")),
        Ok(now) => {
            let offset = now.map_or(0, |now| now.seconds_since(Clock::System.now()));
            match offset.unsigned_abs() <= 30 {
                true => finding("broker", Verdict::Ok, format!("{url} accepts the API key")),
                false => finding(
                    "broker",
                    Verdict::Warn,
                    format!(
                        "{url} accepts the API key, but its clock differs from this machine's by {offset} s"
                    ),
                ),
            }
        }
    }
}

fn database(config: &Config) -> Vec<Finding> {
    if let Url::Sqlite(path) = &config.database_url
        && !Path::new(path).exists()
    {
        let message =
            format!("there is no database at {path} yet; `rosterd migrate` or `rosterd serve` creates it");
        return vec![
            finding("database", Verdict::Warn, message),
            finding("schema", Verdict::Warn, "there is none yet"),
        ];
    }
    let database = Database::new(&config.database_url, 1);
    if let Err(error) = database.expect_suitable() {
        return vec![finding("database", Verdict::Fail, format!("{}: {error}", config.database_url))];
    }
    let reached = match database.read::<_, DbError>(|conn| Ok(clock_offset(conn)?)) {
        Err(error) => {
            let message = format!("{} cannot be used: {error}; check DATABASE_URL", config.database_url);
            return vec![finding("database", Verdict::Fail, message)];
        }
        Ok(offset) => offset,
    };
    let (mut privileges, mut scim, mut endpoints) = (None, None, None);
    let schema = match pending(&database) {
        Ok(0) => {
            privileges = Some(privileges_of(&database));
            scim = Some(scim::of(config, &database));
            endpoints = Some(endpoints::of(&database));
            finding("schema", Verdict::Ok, "up to date")
        }
        Ok(n) => finding(
            "schema",
            Verdict::Warn,
            format!("{n} migrations are missing: run `rosterd migrate` or `rosterd serve`"),
        ),
        Err(error) => finding("schema", Verdict::Fail, error.to_string()),
    };
    let clock = match reached {
        None => finding(
            "clock",
            Verdict::Ok,
            "it is this machine's; keep it synchronised, because signatures are checked against it",
        ),
        Some(offset) if offset.unsigned_abs() <= CLOCK_TOLERANCE.as_micros() as u64 => {
            finding("clock", Verdict::Ok, "agrees with the database server's")
        }
        Some(offset) => finding(
            "clock",
            Verdict::Warn,
            format!("differs from the database server's by {} s: synchronise both", offset / 1_000_000),
        ),
    };
    let reached = match database.may_meet_a_standby() {
        false => finding("database", Verdict::Ok, format!("{} answers", config.database_url)),
        true => finding(
            "database",
            Verdict::Warn,
            format!(
                "{} answers; add target_session_attrs=read-write to DATABASE_URL, because after a change of roles the first host may \
                 be read-only",
                config.database_url
            ),
        ),
    };
    [reached, schema].into_iter().chain(privileges).chain([clock]).chain(scim).chain(endpoints).collect()
}

fn privileges_of(database: &Database) -> Finding {
    if let Err(error) = expect_all_rows(database) {
        return finding("privileges", Verdict::Fail, error.to_string());
    }
    match probe::missing_privileges(database) {
        Ok(missing_privileges) if missing_privileges.is_empty() => {
            finding("privileges", Verdict::Ok, "all that are needed")
        }
        Ok(missing_privileges) => finding(
            "privileges",
            Verdict::Fail,
            format!("{}; {}", missing_privileges.join("; "), probe::ADVICE),
        ),
        Err(error) => finding("privileges", Verdict::Fail, error.to_string()),
    }
}

/// The time in microseconds by which the database server's clock is ahead; `None` if it is this machine's clock.
fn clock_offset(conn: &mut Conn) -> diesel::QueryResult<Option<i64>> {
    #[derive(QueryableByName)]
    struct Now {
        #[diesel(sql_type = BigInt)]
        micros: i64,
    }
    match conn {
        Conn::Sqlite(sqlite) => {
            let _one: Now = sql_query("SELECT 1 AS micros").get_result(sqlite)?;
            Ok(None)
        }
        Conn::Postgres(pg) => {
            let server: Now =
                sql_query("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS micros")
                    .get_result(pg)?;
            Ok(Some(server.micros - Clock::System.now().micros()))
        }
    }
}
