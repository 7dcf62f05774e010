//! 50,000 people derived again: by another mapping, and by another name of the one group in which all of them are.
//!
//!   cargo bench --bench recompute -- sqlite:///tmp/recompute.db [people]
//!
//! The database must be empty; a SQLite file is deleted first.

use std::time::{Duration, Instant};

use rosterd::{
    apply::{self, Batch, prefetch_batch::Prefetcher, recompute},
    broker::Source,
    db::{Database, Url, migrate::migrate},
    decide::Rules,
    inbox::{Delivery, insert::append},
    operator::mapping_plan::{self, PlanOperator},
    runtime::clock::{Clock, Timestamp},
    tables::mappings,
};
use serde_json::{Value, json};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const MAPPING: &str = r#"
unknown_roles = "ignore"
[roles.member]
[roles.staff]
[[rules]]
name = "staff"
grants = ["staff"]
when.group.pattern = "Staff*"
[[rules]]
name = "members"
grants = ["member"]
when.role = "member"
"#;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let Some(url) = arguments.first() else {
        println!("give a database URL");
        return Ok(());
    };
    let people: usize = arguments.get(1).map_or(Ok(50_000), |text| text.parse())?;
    if let Some(path) = url.strip_prefix("sqlite://") {
        for end in ["", "-wal", "-shm"] {
            drop(std::fs::remove_file(format!("{path}{end}")));
        }
    }
    let database = Database::new(&Url::parse(url)?, 4);
    migrate(&database)?;
    let rules = Rules::default();
    let joins = (0..people).map(|n| {
        event(
            "dsync.group.user_added",
            n,
            &json!({"directory_id": "directory_1", "user": user(n), "group": group("Staff", 1)}),
        )
    });
    deliver(&database, &rules, joins)?;

    let begun = Instant::now();
    let planned = mapping_plan::plan(&database, &rules, MAPPING, None)?;
    print_row(&format!("plan: {} people would change", planned.counts().users), begun.elapsed(), people);

    if planned.counts().users != people {
        return Err("not everybody is there: look into the dead letters".into());
    }
    let begun = Instant::now();
    mapping_plan::apply(
        &database,
        &rules,
        MAPPING,
        Some(&planned),
        &PlanOperator { name: "bench", now: Clock::System.now() },
    )?;
    print_row("apply, a saved plan compared", begun.elapsed(), people);
    let mapping = database.read::<_, apply::ApplyError>(|conn| Ok(mappings::in_force(conn)?))?;
    let rules = Rules { mapping: mapping.into(), ..rules };
    recompute_all("recomputed after the mapping changed", &database, &rules, people)?;

    let renamed = event("dsync.group.updated", people, &group("People", 2));
    deliver(&database, &rules, std::iter::once(renamed))?;
    recompute_all("recomputed after the group was renamed", &database, &rules, people)
}

/// In steps, between which other work goes on.
fn recompute_all(what: &str, database: &Database, rules: &Rules, people: usize) -> Outcome<()> {
    let (begun, mut longest, mut steps) = (Instant::now(), Duration::ZERO, 0);
    loop {
        let step = Instant::now();
        if recompute::step(database, rules, Batch::default(), Clock::System.now())?.is_none() {
            break;
        }
        longest = longest.max(step.elapsed());
        steps += 1;
    }
    print_row(&format!("{what}: {steps} steps, the longest {longest:.1?}"), begun.elapsed(), people);
    Ok(())
}

fn deliver(database: &Database, rules: &Rules, events: impl Iterator<Item = Value>) -> Outcome<()> {
    let new = |event: Value| Delivery::new(Source::WorkOs, event.to_string().into(), Clock::System.now());
    let deliveries: Vec<Delivery> = events.map(new).collect();
    for some in deliveries.chunks(1_000) {
        append(database, some)?;
    }
    let prefetcher = Prefetcher::default();
    while apply::step(database, rules, Batch::default(), &prefetcher, Clock::System.now())?.deliveries > 0 {}
    Ok(())
}

fn at(seconds: i64) -> String {
    Timestamp::from_millis(1_767_225_600_000 + seconds * 1_000).to_string()
}

fn event(kind: &str, n: usize, data: &Value) -> Value {
    json!({"id": format!("event_{n}"), "event": kind, "created_at": at(3), "data": data})
}

fn user(n: usize) -> Value {
    json!({
        "id": format!("directory_user_{n:08}"), "directory_id": "directory_1", "organization_id": "org_1",
        "idp_id": n.to_string(), "email": format!("u{n}@acme.example"), "state": "active", "custom_attributes": {},
        "role": {"slug": "member"}, "created_at": at(0), "updated_at": at(1),
    })
}

fn group(name: &str, seconds: i64) -> Value {
    json!({
        "id": "directory_group_1", "directory_id": "directory_1", "organization_id": "org_1", "name": name,
        "created_at": at(0), "updated_at": at(seconds),
    })
}

fn print_row(what: &str, took: Duration, people: usize) {
    println!("{what}: {took:.2?}, {:.1} µs a person", took.as_secs_f64() * 1e6 / people as f64);
}
