//! rosterd's tables from Rust: sign-in, session, roles, change feed, webhook receiver. DATABASE_URL names the database.
#![forbid(unsafe_code)]

use std::error::Error;
use std::io::{Read, Write};

use http::{HeaderMap, HeaderName, HeaderValue};
use postgres::types::{ToSql, Type};
use serde_json::{Value, json};
use standardwebhooks::Webhook;

type Answer<T> = Result<T, Box<dyn Error>>;

enum Database {
    Sqlite(rusqlite::Connection),
    Postgres(Box<postgres::Client>),
}

/// Reads the tables for one tenant.
struct Rosterd {
    database: Database,
    tenant: String,
}

impl Rosterd {
    fn open(url: &str, tenant: &str) -> Answer<Self> {
        let database = match url.strip_prefix("sqlite://") {
            Some(file) => {
                let read_only = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
                Database::Sqlite(rusqlite::Connection::open_with_flags(file, read_only)?)
            }
            // A server that is not on this machine wants TLS: postgres-native-tls.
            None => Database::Postgres(Box::new(postgres::Client::connect(url, postgres::NoTls)?)),
        };
        Ok(Self { database, tenant: tenant.to_owned() })
    }

    /// The rows of a query of which the first parameter is the tenant.
    fn rows(&mut self, sql: &str, others: &[Value]) -> Answer<Vec<Vec<Value>>> {
        match &mut self.database {
            Database::Sqlite(session) => {
                let mut query = session.prepare(sql)?;
                let columns = query.column_count();
                let all = std::iter::once(&json!(self.tenant)).chain(others).cloned().collect::<Vec<_>>();
                // A query without a parameter gets none.
                let used = all.iter().take(query.parameter_count()).map(sqlite_parameter);
                let rows = query.query_map(rusqlite::params_from_iter(used), |row| {
                    (0..columns).map(|n| Ok(sqlite_value(row.get_ref(n)?))).collect()
                })?;
                Ok(rows.collect::<Result<_, _>>()?)
            }
            Database::Postgres(session) => {
                let mut transaction = session.transaction()?;
                // The wall of a reader: the tenant ends with the transaction, so a pool cannot carry it on.
                transaction.execute("SELECT set_config('rosterd.tenant', $1, true)", &[&self.tenant])?;
                transaction.batch_execute("SET LOCAL search_path = rosterd")?;
                let query = transaction.prepare(sql)?;
                let others = others.iter().map(postgres_parameter);
                let all: Vec<Box<dyn ToSql + Sync>> =
                    std::iter::once(Box::new(self.tenant.clone()) as Box<dyn ToSql + Sync>)
                        .chain(others)
                        .collect();
                let used: Vec<_> = all.iter().take(query.params().len()).map(|one| &**one).collect();
                let rows = transaction.query(&query, &used)?;
                rows.iter().map(|row| (0..row.len()).map(|n| postgres_value(row, n)).collect()).collect()
            }
        }
    }

    /// The user of a login, or the reason of a refusal.
    fn sign_in(&mut self, directory: &str, idp_id: &str) -> Answer<Value> {
        let rows = self.rows(
            "SELECT user_id, may_sign_in, reason, access_epoch FROM sign_in
             WHERE found_by = 'idp_id' AND tenant_id = $1 AND directory_id = $2 AND idp_id = $3",
            &[json!(directory), json!(idp_id)],
        )?;
        Ok(match rows.first().map(Vec::as_slice) {
            // SQLite has the numbers 1 and 0 for true and false.
            Some([user, allowed, reason, epoch]) => json!({
                "allowed": *allowed == json!(true) || *allowed == json!(1), "reason": reason, "user": user, "epoch": epoch,
            }),
            _ => json!({"allowed": false, "reason": "unknown"}),
        })
    }

    /// On every request: is the access that the session was given still the same?
    fn is_session_valid(&mut self, user: &str, epoch: i64) -> Answer<bool> {
        let rows = self.rows(
            "SELECT 1 FROM users WHERE tenant_id = $1 AND id = $2 AND status = 'active' AND access_epoch = $3",
            &[json!(user), json!(epoch)],
        )?;
        Ok(!rows.is_empty())
    }

    fn roles(&mut self, user: &str) -> Answer<Vec<Value>> {
        let rows = self.rows(
            "SELECT role_slug FROM user_roles WHERE tenant_id = $1 AND user_id = $2 ORDER BY role_slug",
            &[json!(user)],
        )?;
        Ok(rows.into_iter().flatten().collect())
    }

    /// The records of the tenant after one, and the number from which to go on.
    fn changes(&mut self, after: i64) -> Answer<Value> {
        let next = self
            .rows("SELECT seq FROM changes_head", &[])?
            .concat()
            .pop()
            .ok_or("changes_head has no row")?;
        let rows = self.rows(
            "SELECT kind, CAST(subject AS text) FROM changes WHERE tenant_id = $1 AND seq > $2 AND seq <= $3 ORDER BY seq",
            &[json!(after), next.clone()],
        )?;
        let mut records = Vec::new();
        for row in &rows {
            let subject: Value = serde_json::from_str(row[1].as_str().ok_or("a record has no subject")?)?;
            records.push(json!([row[0], subject]));
        }
        Ok(json!({"next": next, "records": records}))
    }
}

fn sqlite_parameter(value: &Value) -> rusqlite::types::Value {
    match value.as_i64() {
        Some(number) => number.into(),
        None => value.as_str().map(str::to_owned).into(),
    }
}

fn sqlite_value(value: rusqlite::types::ValueRef) -> Value {
    match value {
        rusqlite::types::ValueRef::Integer(number) => json!(number),
        other => json!(other.as_str().ok()),
    }
}

fn postgres_parameter(value: &Value) -> Box<dyn ToSql + Sync> {
    match value.as_i64() {
        Some(number) => Box::new(number),
        None => Box::new(value.as_str().map(str::to_owned)),
    }
}

fn postgres_value(row: &postgres::Row, n: usize) -> Answer<Value> {
    Ok(match *row.columns()[n].type_() {
        Type::BOOL => json!(row.try_get::<_, Option<bool>>(n)?),
        Type::INT4 => json!(row.try_get::<_, Option<i32>>(n)?),
        Type::INT8 => json!(row.try_get::<_, Option<i64>>(n)?),
        _ => json!(row.try_get::<_, Option<String>>(n)?),
    })
}

/// Receives webhooks, and believes only signed ones.
fn receive(port: &str) -> Answer<()> {
    let webhook = Webhook::new(&std::env::var("WEBHOOK_SECRET")?)?;
    let server = tiny_http::Server::http(format!("127.0.0.1:{port}")).map_err(|error| error.to_string())?;
    for mut request in server.incoming_requests() {
        let status = match record(&webhook, &mut request) {
            Ok(record) => {
                // Store it, or end sessions. The same webhook-id may come again.
                println!("{}", json!([record["type"], record["data"]["subject"]]));
                std::io::stdout().flush()?;
                204
            }
            Err(_) => 400,
        };
        // A sender that has gone away sends again.
        let _ = request.respond(tiny_http::Response::empty(status));
    }
    Ok(())
}

fn record(webhook: &Webhook, request: &mut tiny_http::Request) -> Answer<Value> {
    let mut headers = HeaderMap::new();
    for header in request.headers() {
        let name = HeaderName::from_bytes(header.field.as_str().as_str().as_bytes())?;
        headers.insert(name, HeaderValue::from_str(header.value.as_str())?);
    }
    let mut body = Vec::new();
    request.as_reader().take(1 << 20).read_to_end(&mut body)?;
    webhook.verify(&body, &headers)?;
    Ok(serde_json::from_slice(&body)?)
}

fn main() -> Answer<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if let ["receive", port] = arguments[..] {
        return receive(port);
    }
    let [tenant, verb, rest @ ..] = &arguments[..] else {
        return Err("usage: receive PORT | TENANT sign-in DIRECTORY IDP_ID | session USER EPOCH | roles USER | changes SEQ".into());
    };
    let mut rosterd = Rosterd::open(&std::env::var("DATABASE_URL")?, tenant)?;
    let answer = match (*verb, rest) {
        ("sign-in", [directory, idp_id]) => rosterd.sign_in(directory, idp_id)?,
        ("session", [user, epoch]) => json!(rosterd.is_session_valid(user, epoch.parse()?)?),
        ("roles", [user]) => json!(rosterd.roles(user)?),
        ("changes", [after]) => rosterd.changes(after.parse()?)?,
        _ => return Err(format!("there is no {verb} with {} arguments", rest.len()).into()),
    };
    println!("{answer}");
    Ok(())
}
