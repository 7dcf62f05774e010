//! The hand-written handler: actix-web, one transaction of two or three statements an event, then 200.

use std::env;
use std::time::{SystemTime, UNIX_EPOCH};

use actix_web::error::{ErrorBadRequest, ErrorInternalServerError, ErrorUnauthorized};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Transaction};
use hmac::{Hmac, KeyInit, Mac};
use peers::{Directory, Event, Group, Membership, User};
use sha2::Sha256;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Config, NoTls};

const TOLERANCE_MS: u64 = 180_000;

const SEEN: &str = "INSERT INTO processed_events (event_id) VALUES ($1) ON CONFLICT DO NOTHING";
const USER: &str = "
    INSERT INTO users (id, organization_id, directory_id, idp_id, email, first_name, last_name, state, role,
                       custom_attributes, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::text::jsonb, $11::text::timestamptz)
    ON CONFLICT (id) DO UPDATE SET
        organization_id = excluded.organization_id, directory_id = excluded.directory_id, idp_id = excluded.idp_id,
        email = excluded.email, first_name = excluded.first_name, last_name = excluded.last_name,
        state = excluded.state, role = excluded.role, custom_attributes = excluded.custom_attributes,
        updated_at = excluded.updated_at
    WHERE users.updated_at < excluded.updated_at";
const ROLES: &str = "
    WITH gone AS (DELETE FROM user_roles WHERE user_id = $1 AND role <> ALL ($2::text[]))
    INSERT INTO user_roles (user_id, role) SELECT $1, unnest($2::text[]) ON CONFLICT DO NOTHING";
const GROUP: &str = "
    INSERT INTO groups (id, organization_id, directory_id, name, updated_at)
    VALUES ($1, $2, $3, $4, $5::text::timestamptz)
    ON CONFLICT (id) DO UPDATE SET name = excluded.name, updated_at = excluded.updated_at
    WHERE groups.updated_at < excluded.updated_at";
const EMPTY_GROUP: &str = "DELETE FROM group_members WHERE group_id = $1";
const DELETE_GROUP: &str = "DELETE FROM groups WHERE id = $1";
const ADD_MEMBER: &str =
    "INSERT INTO group_members (group_id, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING";
const REMOVE_MEMBER: &str = "DELETE FROM group_members WHERE group_id = $1 AND user_id = $2";
const DIRECTORY: &str = "
    INSERT INTO directories (id, organization_id, name, state, updated_at)
    VALUES ($1, $2, $3, $4, $5::text::timestamptz)
    ON CONFLICT (id) DO UPDATE SET name = excluded.name, state = excluded.state, updated_at = excluded.updated_at
    WHERE directories.updated_at < excluded.updated_at";
const DELETE_USERS: &str = "
    WITH gone AS (UPDATE users SET state = 'deleted' WHERE directory_id = $1 RETURNING id)
    DELETE FROM user_roles USING gone WHERE user_id = gone.id";
const DELETE_GROUPS: &str = "
    WITH gone AS (DELETE FROM groups WHERE directory_id = $1 RETURNING id)
    DELETE FROM group_members USING gone WHERE group_id = gone.id";

type AnyError = Box<dyn std::error::Error>;

async fn webhook(
    request: HttpRequest,
    body: web::Bytes,
    state: web::Data<State>,
) -> actix_web::Result<HttpResponse> {
    let header = request.headers().get("workos-signature").and_then(|value| value.to_str().ok());
    if !header.is_some_and(|header| is_signed(header, &body, &state.secret)) {
        return Err(ErrorUnauthorized("bad signature"));
    }
    let event: Event = serde_json::from_slice(&body).map_err(ErrorBadRequest)?;
    keep(&event, &state.pool).await.map_err(ErrorInternalServerError)?;
    Ok(HttpResponse::Ok().finish())
}

fn is_signed(header: &str, body: &[u8], secret: &str) -> bool {
    let Some((time, v1)) = header.split_once(',') else { return false };
    let (Some(time), Some(v1)) = (time.trim().strip_prefix("t="), v1.trim().strip_prefix("v1=")) else {
        return false;
    };
    let (Ok(sent), Ok(v1)) = (time.parse::<u64>(), hex::decode(v1)) else { return false };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis() as u64);
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key length will do");
    mac.update(time.as_bytes());
    mac.update(b".");
    mac.update(body);
    now.abs_diff(sent) <= TOLERANCE_MS && mac.verify_slice(&v1).is_ok()
}

async fn keep(event: &Event, pool: &Pool) -> Result<(), AnyError> {
    let mut client = pool.get().await?;
    let tx = client.transaction().await?;
    if run(&tx, SEEN, &[&event.id]).await? == 0 {
        return Ok(()); // a duplicate
    }
    let data = event.data.get();
    match event.event.as_str() {
        "dsync.user.created" | "dsync.user.updated" => put_user(&tx, serde_json::from_str(data)?).await?,
        "dsync.user.deleted" => {
            let user: User = serde_json::from_str(data)?;
            put_user(&tx, user.deleted(&event.created_at)).await?;
        }
        "dsync.group.created" | "dsync.group.updated" => {
            let group: Group = serde_json::from_str(data)?;
            let Group { id, organization_id, directory_id, name, updated_at } = &group;
            run(&tx, GROUP, &[id, organization_id, directory_id, name, updated_at]).await?;
        }
        "dsync.group.deleted" => {
            let group: Group = serde_json::from_str(data)?;
            run(&tx, EMPTY_GROUP, &[&group.id]).await?;
            run(&tx, DELETE_GROUP, &[&group.id]).await?;
        }
        "dsync.group.user_added" => {
            let Membership { group, user } = serde_json::from_str(data)?;
            run(&tx, ADD_MEMBER, &[&group.id, &user.id]).await?;
        }
        "dsync.group.user_removed" => {
            let Membership { group, user } = serde_json::from_str(data)?;
            run(&tx, REMOVE_MEMBER, &[&group.id, &user.id]).await?;
        }
        "dsync.activated" => put_directory(&tx, serde_json::from_str(data)?, "active").await?,
        "dsync.deleted" => {
            let mut directory: Directory = serde_json::from_str(data)?;
            directory.updated_at.clone_from(&event.created_at);
            run(&tx, DELETE_USERS, &[&directory.id]).await?;
            run(&tx, DELETE_GROUPS, &[&directory.id]).await?;
            put_directory(&tx, directory, "deleted").await?;
        }
        _ => {}
    }
    tx.commit().await?;
    Ok(())
}

async fn put_user(tx: &Transaction<'_>, user: User) -> Result<(), AnyError> {
    #[rustfmt::skip]
    let newer = run(tx, USER, &[
        &user.id, &user.organization_id, &user.directory_id, &user.idp_id, &user.email, &user.first_name,
        &user.last_name, &user.state, &user.role(), &user.custom_attributes.get(), &user.updated_at,
    ]).await? == 1;
    if newer {
        run(tx, ROLES, &[&user.id, &user.roles()]).await?;
    }
    Ok(())
}

async fn put_directory(tx: &Transaction<'_>, directory: Directory, state: &str) -> Result<(), AnyError> {
    let Directory { id, organization_id, name, updated_at } = &directory;
    run(tx, DIRECTORY, &[id, organization_id, name, &state, updated_at]).await?;
    Ok(())
}

/// Prepared once a connection.
async fn run(tx: &Transaction<'_>, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Result<u64, AnyError> {
    Ok(tx.execute(&tx.prepare_cached(sql).await?, values).await?)
}

struct State {
    secret: String,
    pool: Pool,
}

#[actix_web::main]
async fn main() -> Result<(), AnyError> {
    let number = |name, default: usize| env::var(name).map_or(Ok(default), |value| value.parse());
    let (port, processes, size) = (number("PORT", 3000)?, number("PROCESSES", 2)?, number("POOL", 16)?);
    let database: Config = env::var("DATABASE_URL")?.parse()?;
    let secret = env::var("WORKOS_WEBHOOK_SECRET")?;

    // Each worker thread has its own connections, driven on that thread.
    let app = move || {
        let config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(database.clone(), NoTls, config);
        let pool = Pool::builder(manager).max_size(size).build().expect("a pool without timeouts");
        App::new()
            .app_data(web::Data::new(State { secret: secret.clone(), pool }))
            .app_data(web::PayloadConfig::new(1 << 20))
            .route("/webhooks/workos", web::post().to(webhook))
            .route("/healthz", web::get().to(HttpResponse::Ok))
    };
    HttpServer::new(app).workers(processes).bind(("127.0.0.1", u16::try_from(port)?))?.run().await?;
    Ok(())
}
