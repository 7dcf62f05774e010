//! No handler: what one bare connection of this database can do with the same events, set-based. The limit.
//!
//! `bare FILE` reads event bodies, one a line, into memory; then it measures, in batches of 1,000, a transaction each:
//! append (raw bodies into the inbox), fold (bodies parsed, the latest fact on each key into the tables), and both, one
//! after the other. It empties the tables before each.

use std::collections::HashMap;
use std::time::Instant;
use std::{env, fs};

use peers::{Directory, Event, Group, User};
use serde::Deserialize;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Statement, Transaction};

const BATCH: usize = 1000;

const EMPTY: &str = "TRUNCATE inbox, processed_events, directories, users, groups, group_members, user_roles";
const INBOX: &str = "
    INSERT INTO inbox (event_id, body) SELECT * FROM unnest($1::text[], $2::bytea[]) ON CONFLICT DO NOTHING";
const USERS: &str = "
    INSERT INTO users (id, organization_id, directory_id, idp_id, email, first_name, last_name, state, role,
                       custom_attributes, updated_at)
    SELECT id, organization, directory, idp, email, first, last, state, role, attributes::jsonb, at::timestamptz
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                $9::text[], $10::text[], $11::text[])
         AS new (id, organization, directory, idp, email, first, last, state, role, attributes, at)
    ON CONFLICT (id) DO UPDATE SET
        organization_id = excluded.organization_id, directory_id = excluded.directory_id, idp_id = excluded.idp_id,
        email = excluded.email, first_name = excluded.first_name, last_name = excluded.last_name,
        state = excluded.state, role = excluded.role, custom_attributes = excluded.custom_attributes,
        updated_at = excluded.updated_at
    WHERE users.updated_at < excluded.updated_at
    RETURNING id";
const REVOKE: &str = "
    DELETE FROM user_roles WHERE user_id = ANY ($1::text[])
    AND (user_id, role) NOT IN (SELECT * FROM unnest($2::text[], $3::text[]))";
const GRANT: &str = "
    INSERT INTO user_roles (user_id, role) SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT DO NOTHING";
const GROUPS: &str = "
    INSERT INTO groups (id, organization_id, directory_id, name, updated_at)
    SELECT id, organization, directory, name, at::timestamptz
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) AS new (id, organization, directory, name, at)
    ON CONFLICT (id) DO UPDATE SET name = excluded.name, updated_at = excluded.updated_at
    WHERE groups.updated_at < excluded.updated_at";
const ADD_MEMBERS: &str = "
    INSERT INTO group_members (group_id, user_id) SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT DO NOTHING";
const REMOVE_MEMBERS: &str = "
    DELETE FROM group_members USING unnest($1::text[], $2::text[]) AS gone (group_id, user_id)
    WHERE group_members.group_id = gone.group_id AND group_members.user_id = gone.user_id";
const EMPTY_GROUPS: &str = "DELETE FROM group_members WHERE group_id = ANY ($1::text[])";
const DELETE_GROUPS: &str = "DELETE FROM groups WHERE id = ANY ($1::text[])";
const DIRECTORY: &str = "
    INSERT INTO directories (id, organization_id, name, state, updated_at)
    VALUES ($1, $2, $3, $4, $5::text::timestamptz)
    ON CONFLICT (id) DO UPDATE SET name = excluded.name, state = excluded.state, updated_at = excluded.updated_at
    WHERE directories.updated_at < excluded.updated_at";
const DELETE_ALL_USERS: &str = "
    WITH gone AS (UPDATE users SET state = 'deleted' WHERE directory_id = $1 RETURNING id)
    DELETE FROM user_roles USING gone WHERE user_id = gone.id";
const DELETE_ALL_GROUPS: &str = "
    WITH gone AS (DELETE FROM groups WHERE directory_id = $1 RETURNING id)
    DELETE FROM group_members USING gone WHERE group_id = gone.id";

type AnyError = Box<dyn std::error::Error>;

/// Statements are prepared once, in the order of their first use.
struct Database {
    client: Client,
    prepared: HashMap<&'static str, Statement>,
}

impl Database {
    async fn connect(url: &str) -> Result<Self, AnyError> {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        tokio::spawn(connection);
        // The tables grow from nothing: plans must follow their size.
        client.batch_execute("SET plan_cache_mode = force_custom_plan").await?;
        let mut prepared = HashMap::new();
        #[rustfmt::skip]
        let all = [
            INBOX, USERS, REVOKE, GRANT, GROUPS, ADD_MEMBERS, REMOVE_MEMBERS, EMPTY_GROUPS, DELETE_GROUPS, DIRECTORY,
            DELETE_ALL_USERS, DELETE_ALL_GROUPS,
        ];
        for sql in all {
            prepared.insert(sql, client.prepare(sql).await?);
        }
        Ok(Self { client, prepared })
    }

    async fn append(&mut self, bodies: &[Vec<u8>]) -> Result<(), AnyError> {
        #[derive(Deserialize)]
        struct Head<'a> {
            id: &'a str,
        }
        let ids: Result<Vec<_>, _> = bodies.iter().map(|body| serde_json::from_slice(body)).collect();
        let ids: Vec<_> = ids?.into_iter().map(|Head { id }| id).collect();
        self.client.execute(&self.prepared[INBOX], &[&ids, &bodies]).await?; // a transaction by itself
        Ok(())
    }

    async fn fold(&mut self, bodies: &[Vec<u8>]) -> Result<(), AnyError> {
        let changes = Changes::of(bodies)?;
        let tx = Writer { tx: self.client.transaction().await?, prepared: &self.prepared };
        changes.write(&tx).await?;
        tx.tx.commit().await?;
        Ok(())
    }
}

struct Writer<'a> {
    tx: Transaction<'a>,
    prepared: &'a HashMap<&'static str, Statement>,
}

impl Writer<'_> {
    async fn run(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Result<(), AnyError> {
        self.tx.execute(&self.prepared[sql], values).await?;
        Ok(())
    }
}

/// A membership event tells of its user and its group as well, perhaps before their own events come.
#[derive(Deserialize)]
struct Snapshots {
    user: User,
    group: Group,
}

/// The latest fact of a batch on each key. Times are of one form, so their texts sort as they do.
#[derive(Default)]
struct Changes {
    users: HashMap<String, User>,
    /// None is a deletion.
    groups: HashMap<String, (String, Option<Group>)>,
    /// By group and user: when, and whether added.
    members: HashMap<(String, String), (String, bool)>,
    directories: Vec<(Directory, &'static str)>,
}

impl Changes {
    fn of(bodies: &[Vec<u8>]) -> Result<Self, AnyError> {
        let mut changes = Self::default();
        for body in bodies {
            changes.add(serde_json::from_slice(body)?)?;
        }
        Ok(changes)
    }

    fn add(&mut self, event: Event) -> Result<(), AnyError> {
        let data = event.data.get();
        match event.event.as_str() {
            "dsync.user.created" | "dsync.user.updated" => self.add_user(serde_json::from_str(data)?),
            "dsync.user.deleted" => {
                let user: User = serde_json::from_str(data)?;
                self.add_user(user.deleted(&event.created_at));
            }
            "dsync.group.created" | "dsync.group.updated" => {
                let group: Group = serde_json::from_str(data)?;
                self.add_group(group.id.clone(), group.updated_at.clone(), Some(group));
            }
            "dsync.group.deleted" => {
                let group: Group = serde_json::from_str(data)?;
                self.add_group(group.id, event.created_at, None);
            }
            "dsync.group.user_added" | "dsync.group.user_removed" => {
                let Snapshots { group, user } = serde_json::from_str(data)?;
                let new = (event.created_at, event.event.ends_with("added"));
                let known = self.members.entry((group.id.clone(), user.id.clone())).or_default();
                if known.0 < new.0 {
                    *known = new;
                }
                self.add_user(user);
                self.add_group(group.id.clone(), group.updated_at.clone(), Some(group));
            }
            "dsync.activated" => self.directories.push((serde_json::from_str(data)?, "active")),
            "dsync.deleted" => {
                let directory: Directory = serde_json::from_str(data)?;
                self.directories.push((Directory { updated_at: event.created_at, ..directory }, "deleted"));
            }
            _ => {}
        }
        Ok(())
    }

    fn add_user(&mut self, user: User) {
        if self.users.get(&user.id).is_none_or(|known| known.updated_at < user.updated_at) {
            self.users.insert(user.id.clone(), user);
        }
    }

    fn add_group(&mut self, id: String, at: String, group: Option<Group>) {
        if self.groups.get(&id).is_none_or(|(known, _)| *known < at) {
            self.groups.insert(id, (at, group));
        }
    }

    async fn write(&self, to: &Writer<'_>) -> Result<(), AnyError> {
        self.write_users(to).await?;
        self.write_members(to).await?;
        self.write_groups(to).await?;
        for (directory, state) in &self.directories {
            let Directory { id, organization_id, name, updated_at } = directory;
            to.run(DIRECTORY, &[id, organization_id, name, state, updated_at]).await?;
            if *state == "deleted" {
                to.run(DELETE_ALL_USERS, &[id]).await?;
                to.run(DELETE_ALL_GROUPS, &[id]).await?;
            }
        }
        Ok(())
    }

    async fn write_users(&self, to: &Writer<'_>) -> Result<(), AnyError> {
        if self.users.is_empty() {
            return Ok(());
        }
        let users: Vec<_> = self.users.values().collect();
        #[rustfmt::skip]
        let newer = to.tx.query(&to.prepared[USERS], &[
            &column(&users, |user| &user.id), &column(&users, |user| &user.organization_id),
            &column(&users, |user| &user.directory_id), &column(&users, |user| &user.idp_id),
            &column(&users, |user| &user.email), &column(&users, |user| &user.first_name),
            &column(&users, |user| &user.last_name), &column(&users, |user| &user.state),
            &users.iter().map(|user| user.role()).collect::<Vec<_>>(),
            &users.iter().map(|user| user.custom_attributes.get()).collect::<Vec<_>>(),
            &column(&users, |user| &user.updated_at),
        ]).await?;
        let newer: Vec<&str> = newer.iter().map(|row| row.get(0)).collect();
        let (mut owners, mut roles) = (Vec::new(), Vec::new());
        for &id in &newer {
            for role in self.users[id].roles() {
                owners.push(id);
                roles.push(role);
            }
        }
        to.run(REVOKE, &[&newer, &owners, &roles]).await?;
        to.run(GRANT, &[&owners, &roles]).await
    }

    async fn write_members(&self, to: &Writer<'_>) -> Result<(), AnyError> {
        for (sql, wanted) in [(ADD_MEMBERS, true), (REMOVE_MEMBERS, false)] {
            let pairs = self.members.iter().filter(|(_, (_, added))| *added == wanted);
            let (groups, users): (Vec<&str>, Vec<&str>) =
                pairs.map(|((group, user), _)| (group.as_str(), user.as_str())).unzip();
            if !groups.is_empty() {
                to.run(sql, &[&groups, &users]).await?;
            }
        }
        Ok(())
    }

    async fn write_groups(&self, to: &Writer<'_>) -> Result<(), AnyError> {
        let groups: Vec<_> = self.groups.values().filter_map(|(_, group)| group.as_ref()).collect();
        if !groups.is_empty() {
            #[rustfmt::skip]
            to.run(GROUPS, &[
                &column(&groups, |group| &group.id), &column(&groups, |group| &group.organization_id),
                &column(&groups, |group| &group.directory_id), &column(&groups, |group| &group.name),
                &column(&groups, |group| &group.updated_at),
            ]).await?;
        }
        let deleted = self.groups.iter().filter(|(_, (_, group))| group.is_none());
        let deleted: Vec<&str> = deleted.map(|(id, _)| id.as_str()).collect();
        if !deleted.is_empty() {
            to.run(EMPTY_GROUPS, &[&deleted]).await?;
            to.run(DELETE_GROUPS, &[&deleted]).await?;
        }
        Ok(())
    }
}

fn column<'a, T, C>(rows: &[&'a T], of: impl Fn(&'a T) -> &'a C) -> Vec<&'a C> {
    rows.iter().map(|row| of(row)).collect()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), AnyError> {
    let file = env::args().nth(1).ok_or("usage: bare FILE, with DATABASE_URL set")?;
    let bodies: Vec<Vec<u8>> =
        fs::read_to_string(file)?.lines().map(|line| line.as_bytes().to_vec()).collect();
    let mut database = Database::connect(&env::var("DATABASE_URL")?).await?;
    let mut rates = Vec::new();
    for (appends, folds) in [(true, false), (false, true), (true, true)] {
        database.client.batch_execute(EMPTY).await?;
        let start = Instant::now();
        for batch in bodies.chunks(BATCH) {
            if appends {
                database.append(batch).await?;
            }
            if folds {
                database.fold(batch).await?;
            }
        }
        rates.push((bodies.len() as f64 / start.elapsed().as_secs_f64()).round() as u64);
    }
    let [append, fold, both] = rates[..] else { unreachable!("three were measured") };
    println!(
        r#"{{"events":{},"append_per_s":{append},"fold_per_s":{fold},"both_per_s":{both}}}"#,
        bodies.len()
    );
    Ok(())
}
