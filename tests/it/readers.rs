//! Roles that read for the application (PostgreSQL): each sees the published tables of its tenant, whatever it tries.

mod granted;
mod hostile;
mod service;

use diesel::{
    Connection, PgConnection, QueryableByName, RunQueryDsl,
    connection::SimpleConnection,
    sql_query,
    sql_types::{Nullable, Text},
};
use serde_json::json;

use crate::harness::{
    Backend, TestApp,
    broker::{directory, event, group, membership, organization, user, with},
    database::execute,
    process::{output, rosterd},
};

/// A role of this test, which is dropped at its end.
struct Role {
    name: String,
    url: String,
}

impl Role {
    fn create(app: &TestApp, options: &str) -> Self {
        let name = format!("reader_{:08x}", rand::random::<u32>());
        execute(&app.store.url(), &format!("CREATE ROLE {name} LOGIN PASSWORD 'read' {options}"));
        Self { name, url: app.store.url() }
    }

    /// A role after `rosterd migrate --reader`.
    fn reader(app: &TestApp, arguments: &[&str]) -> Self {
        let role = Self::create(app, "");
        role.migrated(app, &[&["--reader", &role.name], arguments].concat());
        role
    }

    /// `rosterd migrate` as the owner of the tables.
    fn migrated(&self, app: &TestApp, arguments: &[&str]) {
        assert_eq!(migrate(app, arguments), Ok(()), "{}", self.name);
    }

    fn url(&self) -> String {
        let mut url = url::Url::parse(&self.url).unwrap();
        url.set_username(&self.name).unwrap();
        url.set_password(Some("read")).unwrap();
        url.to_string()
    }

    fn connect(&self) -> PgConnection {
        PgConnection::establish(&self.url()).unwrap()
    }

    /// A session that reads for one tenant.
    fn of_tenant(&self, tenant: &str) -> PgConnection {
        let mut session = self.connect();
        session.batch_execute(&format!("SET rosterd.tenant = '{tenant}'")).unwrap();
        session
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        execute(&self.url, &format!("DROP OWNED BY {}", self.name));
        execute(&self.url, &format!("DROP ROLE {}", self.name));
    }
}

/// `rosterd migrate` as the owner of the tables; its error.
fn migrate(app: &TestApp, arguments: &[&str]) -> Result<(), String> {
    let ended = output(rosterd().env("DATABASE_URL", app.store.url()).arg("migrate").args(arguments));
    match ended.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8(ended.stderr).unwrap()),
    }
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Nullable<Text>)]
    found: Option<String>,
}

/// One text for each row of `SELECT … AS found`, or the error.
fn ask(session: &mut PgConnection, sql: &str) -> Result<Vec<String>, String> {
    let rows: Result<Vec<Found>, _> = sql_query(sql).load(session);
    let rows = rows.map_err(|error| error.to_string())?;
    Ok(rows.into_iter().map(|row| row.found.unwrap_or_default()).collect())
}

/// Two tenants, each with two people, a group and roles. u1 and v1 are in a hold, so each published table has rows of
/// both.
fn two_tenants() -> TestApp {
    let app = TestApp::start(Backend::Postgres, |config| config.guard.otherwise.everybody = 2);
    for (tenant, dir, people) in [("org_1", "dir_1", ["u1", "u2"]), ("org_2", "dir_2", ["v1", "v2"])] {
        let of = json!({"organization_id": tenant, "directory_id": dir});
        let person = |id, state, at| with(user(id, state, at), of.clone());
        let group = with(group(&format!("group_{tenant}"), 1), of.clone());
        let named = |what: &str| format!("{what}_{tenant}");
        let mut events = vec![
            event(&named("o"), "organization.created", 1, organization(tenant, 1)),
            event(&named("d"), "dsync.activated", 1, directory(dir, tenant, 1)),
            event(&named("g"), "dsync.group.created", 1, group.clone()),
        ];
        for id in people {
            events.push(event(&named(id), "dsync.user.created", 1, person(id, "active", 1)));
            let added = membership(person(id, "active", 1), group.clone());
            events.push(event(&format!("m{id}"), "dsync.group.user_added", 2, added));
        }
        app.play(&events);
        let left =
            people.map(|id| event(&format!("left_{id}"), "dsync.user.deleted", 9, person(id, "active", 1)));
        app.play(&left);
    }
    app
}

/// Each published table and view with rows of tenants, with an expression for a whole row.
fn every_row() -> Vec<(&'static str, String)> {
    const ABOUT_NO_TENANT: [&str; 2] = ["schema_version", "changes_head"];
    let tables = rosterd::tables::published::PUBLISHED.iter();
    let tables = tables.filter(|table| !ABOUT_NO_TENANT.contains(&table.name));
    tables
        .map(|table| (table.name, format!("SELECT t::text AS found FROM rosterd.{} t", table.name)))
        .collect()
}
