//! The files that the binary creates, and their permissions.

use std::{os::unix::fs::PermissionsExt, path::Path};

use diesel::{Connection, SqliteConnection, connection::SimpleConnection};
use rosterd::db::{Database, DbError, Url, migrate::count_tables};
use serde_json::Value;

use crate::{
    binary::{drained, simulate},
    harness::{
        Backend, TestDatabase,
        process::{Served, eventually, output, rosterd, stdout},
    },
};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn database_and_reports_are_for_this_user_alone() {
    let home = tempfile::tempdir().unwrap();
    let database = format!("sqlite://{}/rosterd.db", home.path().display());
    let served = Served::start(|command| {
        command.env("DATABASE_URL", &database);
    });
    simulate(&served, &["--users", "2", "--events", "0"]);
    eventually("everything applied", || drained(&served));
    let tenants = stdout(&output(
        rosterd().env("DATABASE_URL", &database).args(["tenants", "list", "--format", "json"]),
    ));
    let tenants: Value = serde_json::from_str(&tenants).unwrap();
    let review = home.path().join("review.csv");
    let mut report = rosterd();
    report.args(["audit", "report", "--tenant", tenants[0]["id"].as_str().unwrap(), "--out"]).arg(&review);
    stdout(&output(report.env("DATABASE_URL", &database)));

    for name in ["rosterd.db", "rosterd.db-wal", "rosterd.db-shm", "rosterd.db.lock", "review.csv"] {
        assert_eq!(mode(&home.path().join(name)), 0o600, "{name}");
    }
}

#[test]
fn mails_as_files_are_for_this_user_alone() {
    let home = tempfile::tempdir().unwrap();
    stdout(&output(rosterd().arg("demo").env("TMPDIR", home.path())));

    let demo = std::fs::read_dir(home.path()).unwrap().next().unwrap().unwrap().path();
    let mails: Vec<_> =
        std::fs::read_dir(demo.join("mail")).unwrap().map(|mail| mail.unwrap().path()).collect();
    assert!(!mails.is_empty());
    for mail in mails {
        assert_eq!(mode(&mail), 0o600, "{}", mail.display());
    }
}

#[test]
fn a_verb_that_reads_makes_no_database_and_says_where_there_is_none() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("rosterd.db");
    for verb in [
        &["users", "list", "--tenant", "org_1"][..],
        &["groups", "list", "--tenant", "org_1"],
        &["roles", "list", "--tenant", "org_1"],
        &["inbox", "list"],
        &["inbox", "retry", "--all"],
        &["notices", "list"],
        &["holds", "list"],
        &["audit", "verify"],
        &["mapping", "show"],
        &["explain", "--tenant", "org_1", "u1"],
        &["rebuild", "--dry-run"],
    ] {
        let mut command = rosterd();
        command.args(verb).env("DATABASE_URL", format!("sqlite://{}", file.display()));
        let refused = output(&mut command);
        let printed = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(1), "{verb:?}: {printed}");
        assert!(
            printed.contains(&format!("there is no database at {}", file.display())),
            "{verb:?}: {printed}"
        );
    }
    let mut doctor = rosterd();
    doctor.args(["doctor", "--format", "json"]).env("DATABASE_URL", format!("sqlite://{}", file.display()));
    let examined = String::from_utf8(output(&mut doctor).stdout).unwrap();
    assert!(examined.contains("there is no database at"), "{examined}");
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
}

/// An empty database, and on SQLite the file of another program.
#[test]
fn a_verb_that_finds_no_tables_of_rosterd_says_so_in_a_sentence_and_makes_none() {
    for backend in Backend::offered() {
        let empty = TestDatabase::create(backend);
        if let TestDatabase::Sqlite(directory) = &empty {
            let mut other =
                SqliteConnection::establish(&directory.path().join("rosterd.db").to_string_lossy()).unwrap();
            other.batch_execute("CREATE TABLE inbox (id INTEGER)").unwrap();
        }
        for verb in [&["users", "list", "--tenant", "org_1"][..], &["inbox", "list"], &["sync", "status"]] {
            let refused = output(rosterd().args(verb).env("DATABASE_URL", empty.url()));
            let said = String::from_utf8_lossy(&refused.stderr).into_owned();
            assert_eq!(refused.status.code(), Some(1), "{verb:?}: {said}");
            assert!(
                said.contains("the database has no tables of rosterd") && said.contains("rosterd migrate"),
                "{said}"
            );
        }
        let tables = Database::new(&Url::parse(&empty.url()).unwrap(), 1)
            .read::<_, DbError>(|conn| Ok(count_tables(conn)?))
            .unwrap();
        assert_eq!(tables, if backend == Backend::Sqlite { 1 } else { 0 });
    }
}

#[test]
fn one_sqlite_file_is_served_once_by_whatever_name_until_that_process_ends() {
    let home = tempfile::tempdir().unwrap();
    let url = |name: &str| format!("sqlite://{}/{name}", home.path().display());
    let start = |name: &str| {
        Served::try_start(|command| {
            command.env("DATABASE_URL", url(name));
        })
    };
    let first = start("rosterd.db").unwrap_or_else(|(_, seen)| panic!("{seen:?}"));
    std::os::unix::fs::symlink(home.path().join("rosterd.db"), home.path().join("link.db")).unwrap();

    for name in ["rosterd.db", "link.db"] {
        let Err((status, seen)) = start(name) else { panic!("{name} is served twice") };
        assert_eq!(status.code(), Some(1));
        assert!(
            seen.iter().any(|line| line.contains("serves sqlite://") && line.contains("already")),
            "{seen:?}"
        );
    }
    first.signal("-KILL");
    first.end();
    assert!(start("link.db").is_ok(), "the lock outlives its process");
}

#[test]
fn the_demo_refuses_a_database_that_holds_something() {
    for backend in Backend::offered() {
        let store = TestDatabase::create(backend);
        let home = tempfile::tempdir().unwrap();
        let demo = || {
            let mut command = rosterd();
            output(command.args(["demo", "--database", &store.url()]).env("TMPDIR", home.path()))
        };
        stdout(&demo());

        let refused = demo();

        assert_eq!(refused.status.code(), Some(1), "{backend:?}");
        let printed = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(printed.contains("is not empty"), "{printed}");
    }
}
