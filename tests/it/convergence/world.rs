//! A database that many cases share, one after the other, with both ends of the data path: the inbox and the published
//! tables. Without HTTP, so that a case takes milliseconds.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::AtomicU32},
};

use actix_web::web::Bytes;
use diesel::{
    ExpressionMethods, QueryDsl, QueryableByName, RunQueryDsl, connection::SimpleConnection, sql_query,
    sql_types::Text,
};
use rosterd::{
    apply::{Batch, prefetch_batch::Prefetcher},
    broker::Source,
    db::{Conn, Database, DbError, Url, migrate::migrate, schema},
    decide::Rules,
    feed::retention::FeedRetention,
    inbox::{Delivery, Stored, dead_letters, insert::append, memory_queue::MemoryQueue, waiters::Waiters},
    operator::rebuild::{Rebuild, rebuild},
    retention::{self, Retention},
    runtime::{clock::Clock, metrics::Metrics, wake::Wake},
    tables::{
        host_tables::{TABLES, USERS},
        mappings::{self, AppliedMapping},
    },
    worker::{
        applier::{Applier, ApplyStep},
        checkpointer::WalGrowth,
    },
};
use serde_json::{Map, Value};

use super::{
    mapped::Mapped,
    model::Tables,
    trial::{Outcome, failed},
};
use crate::harness::{Backend, NOW, TestDatabase, feed};

/// Deliveries older than a day may be deleted. Their ids remain.
const AT_ONCE: Retention = Retention { delivery_days: 1, event_id_days: 0, changes: FeedRetention::FOR_EVER };

/// Tenant and id.
pub type User = [String; 2];

pub struct World {
    pub database: Database,
    recent: MemoryQueue,
    url: Url,
    clear: String,
    // Dropped last, because it deletes the database.
    _store: TestDatabase,
}

#[derive(QueryableByName)]
struct Name {
    #[diesel(sql_type = Text)]
    name: String,
}

impl World {
    pub fn create(backend: Backend) -> Self {
        let store = TestDatabase::create(backend);
        let url = Url::parse(&store.url()).unwrap();
        let database = Database::new(&url, 4);
        migrate(&database).unwrap();
        // Read from the database and not listed here, so that a later table is not forgotten.
        let tables: Vec<Name> = database
            .read::<_, DbError>(|conn| {
                Ok(sql_query(match conn {
                    Conn::Postgres(_) => {
                        "SELECT tablename::text AS name FROM pg_tables WHERE schemaname IN ('rosterd', 'rosterd_internal')"
                    }
                    Conn::Sqlite(_) => {
                        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
                    }
                })
                .load(conn)?)
            })
            .unwrap();
        let ours = tables.iter().map(|table| &table.name).filter(|name| !name.starts_with("__diesel"));
        let clear = ours.map(|name| format!("DELETE FROM {name};")).collect();
        Self { database, recent: MemoryQueue::default(), url, clear, _store: store }
    }

    /// An applier like that of another process on PostgreSQL, with connections of its own. SQLite has one process.
    pub fn applier(&self, rules: Rules, batch: Batch) -> Applier {
        let database = match &self.url {
            Url::Sqlite(_) => self.database.clone(),
            Url::Postgres(_) => Database::new(&self.url, 2),
        };
        Applier {
            database,
            rules: rules.into(),
            batch,
            prefetcher: Prefetcher::of(self.recent.clone()),
            log: WalGrowth::default(),
            retention: AT_ONCE,
            clock: Clock::fixed(NOW),
            metrics: Arc::new(Metrics::default()),
            notices: Wake::default(),
            changes: Arc::default(),
            failures: AtomicU32::new(0),
            waiters: Waiters::default(),
        }
    }

    pub fn clear(&self) {
        self.database.write::<_, DbError>(|conn| Ok(conn.batch_execute(&self.clear)?)).unwrap();
        self.recent.forget();
    }

    /// Empty except for the mapping.
    pub fn begin(&self, mapped: Option<Mapped>) {
        self.clear();
        if let Some(mapped) = mapped {
            let (document, by) = (mapped.document(), "history".to_owned());
            let applied = AppliedMapping { version: 1, document, by, at: NOW };
            self.database
                .write_serialized::<_, DbError>(|conn| Ok(mappings::insert(conn, &applied)?))
                .unwrap();
        }
    }

    /// Stores deliveries in one commit. An even number is stored by the process that applies, which has them in memory.
    /// An odd number is stored by another process.
    pub fn deliver<'a>(&self, bodies: impl IntoIterator<Item = &'a Value>) {
        let deliveries: Vec<Delivery> = bodies
            .into_iter()
            .map(|body| {
                let body = Bytes::from(body.to_string());
                let (label, received_at) = (Source::WorkOs.label(&body), NOW.plus_seconds(-2 * 24 * 3_600));
                Delivery { source: Source::WorkOs, label, body, received_at }
            })
            .collect();
        let stored = append(&self.database, &deliveries).unwrap();
        if deliveries.len().is_multiple_of(2) {
            self.recent.add(deliveries.into_iter().zip(stored).filter_map(
                |(delivery, stored)| match stored {
                    Stored::Accepted { inbox_id } => Some((inbox_id, delivery)),
                    Stored::Duplicate => None,
                },
            ));
        }
    }

    /// Retries all dead letters.
    pub fn retry_dead_letters(&self) {
        self.database
            .write::<_, DbError>(|conn| {
                let letters: Vec<i64> =
                    schema::dead_letters::table.select(schema::dead_letters::inbox_id).load(conn)?;
                for id in letters {
                    dead_letters::retry(conn, id)?;
                }
                Ok(())
            })
            .unwrap();
    }

    /// Deletes every delivery from which no current row is derived.
    pub fn compact(&self) {
        retention::step(&self.database, AT_ONCE, NOW).unwrap();
    }

    /// All records of the change feed together give the tables.
    pub fn folds(&self) -> Outcome {
        feed::folds(&self.database, true).map_err(failed)
    }

    /// The changes that a rebuild from the log would make.
    pub fn rebuilt(&self, rules: &Rules) -> Outcome {
        let differences =
            rebuild(&self.database, Rebuild { rules, tenant: None, dry_run: true, by: "test" }, NOW)
                .map_err(failed)?;
        if differences.is_empty() {
            Ok(())
        } else {
            Err(failed(format!("a rebuild differs: {differences:?}")))
        }
    }

    /// The stored deliveries, the newest first.
    pub fn stored(&self) -> Vec<Value> {
        let all = schema::inbox::table.order(schema::inbox::id.desc()).select(schema::inbox::body);
        let bodies: Vec<Vec<u8>> = self.database.read::<_, DbError>(|conn| Ok(all.load(conn)?)).unwrap();
        bodies.iter().map(|body| serde_json::from_slice(body).unwrap()).collect()
    }

    /// The published tables, in the model's form.
    pub fn tables(&self) -> Tables {
        let read = |conn: &mut Conn| {
            let mut tables = Tables::new();
            for table in TABLES {
                let rows = table.rows(conn, None)?;
                let object = |row| table.names().map(str::to_owned).zip(row).collect::<Map<_, _>>();
                tables.insert(table.name, rows.into_iter().map(|row| Value::Object(object(row))).collect());
            }
            Ok::<_, DbError>(tables)
        };
        let mut tables = self.database.read(read).unwrap();
        for user in tables.get_mut(USERS.name).into_iter().flatten() {
            user.as_object_mut().unwrap().remove("access_epoch");
        }
        tables
    }

    /// (tenant, user) of the active users, and of the others.
    pub fn users(&self) -> (BTreeSet<User>, BTreeSet<User>) {
        let tables = self.tables();
        let user = |row: &Value| ["tenant_id", "id"].map(|column| row[column].as_str().unwrap().to_owned());
        let (active, others): (Vec<_>, Vec<_>) =
            tables[USERS.name].iter().partition(|row| row["status"] == "active");
        (active.into_iter().map(user).collect(), others.into_iter().map(user).collect())
    }

    /// (tenant, user) of the active users, with their name in the customer's directory.
    pub fn active(&self) -> BTreeMap<User, Value> {
        let tables = self.tables();
        let rows = tables[USERS.name].iter().filter(|row| row["status"] == "active");
        let user = |row: &Value| ["tenant_id", "id"].map(|column| row[column].as_str().unwrap().to_owned());
        rows.map(|row| (user(row), row["idp_id"].clone())).collect()
    }

    /// The users of the notices, sorted.
    pub fn notified(&self) -> Vec<User> {
        use schema::outbox::{kind, table, tenant_id, user_id};
        let users =
            table.filter(kind.eq("deprovisioned")).select((tenant_id, user_id)).order((tenant_id, user_id));
        let users: Vec<(String, String)> =
            self.database.read::<_, DbError>(|conn| Ok(users.load(conn)?)).unwrap();
        users.into_iter().map(<[String; 2]>::from).collect()
    }
}

/// Applies until the queue is empty. After each transaction `between` is called.
pub fn drain(applier: &Applier, mut between: impl FnMut() -> Outcome) -> Outcome {
    while applier.step().map_err(failed)? != ApplyStep::Idle {
        between()?;
    }
    Ok(())
}
