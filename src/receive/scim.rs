//! SCIM over HTTP: route → gate → bounded body → read or write → answer. A write is answered when its delivery is committed
//! and applied.

mod answer;
mod body;
mod bulk;
mod gate;
mod known_tokens;
mod pages;
mod route;
mod write;

use std::{net::TcpListener, sync::Arc, time::Duration};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    dev::Server,
    http::{Method, header},
    web::{self, Data, Payload},
};

use super::HttpLimits;
use crate::{
    db::Database,
    inbox::bytes_in_flight::Room,
    provision::writer::Writer,
    runtime::{
        clock::Clock,
        metrics::{Metrics, StatusClass},
    },
    scim::ScimError,
};
use answer::Answer;
use gate::{Client, Gate};
use route::{Owner, Page};

/// The parts that all requests share.
pub struct ScimParts {
    /// The database, for reads.
    pub database: Database,
    /// Carries out writes.
    pub writer: Writer,
    /// The time of reception.
    pub clock: Clock,
    /// The address of the service for clients; `None`: as each request names it.
    pub base_url: Option<String>,
    /// The room for all bodies in memory.
    pub room: Room,
    /// The largest body.
    pub max_body_bytes: usize,
    /// The time limit for a body.
    pub body_timeout: Duration,
    /// The time limit for the application of a write. Then the write is answered: it is durable, and will be applied.
    pub apply_timeout: Duration,
    /// The counters.
    pub metrics: Arc<Metrics>,
}

/// The server of all directories.
struct Scim {
    parts: ScimParts,
    gate: Gate,
}

/// A request that was let in.
struct Visit<'a> {
    scim: &'a Scim,
    request: &'a HttpRequest,
    client: Client,
    owner: Owner,
    /// The address of the owner's pages.
    base: String,
}

/// The server for identity providers and applications.
pub fn scim(listener: TcpListener, parts: ScimParts, limits: HttpLimits) -> std::io::Result<Server> {
    let gate = Gate::new(parts.database.clone(), parts.clock.clone());
    let scim = Data::new(Scim { parts, gate });
    let server = HttpServer::new(move || App::new().app_data(scim.clone()).default_service(web::to(handle)));
    Ok(server
        .workers(2)
        .max_connections(limits.connections)
        .client_request_timeout(limits.head_timeout)
        .keep_alive(limits.keep_alive)
        .shutdown_timeout(limits.stop_timeout.as_secs())
        .disable_signals()
        .listen(listener)?
        .run())
}

async fn handle(request: HttpRequest, payload: Payload, scim: Data<Scim>) -> HttpResponse {
    let answer = visit(&request, payload, &scim).await.unwrap_or_else(Answer::from);
    let class = StatusClass::of(answer.status);
    scim.parts.metrics.scim_answers.get_or_create(&class).inc();
    answer.response(wants_json_only(&request))
}

async fn visit(request: &HttpRequest, payload: Payload, scim: &Scim) -> Result<Answer, ScimError> {
    let (owner, page) =
        route::read(request.path()).ok_or_else(|| ScimError::of(404, "there is no page at this address"))?;
    let client = scim.gate.enter(request, &owner).await?;
    let page = page.ok_or_else(|| ScimError::of(404, "there is no page at this address"))?;
    let base = format!("{}{}", origin(scim, request), path_of(&owner));
    let visit = Visit { scim, request, client, owner, base };
    visit.answer(page, payload).await
}

impl Visit<'_> {
    async fn answer(&self, page: Page, payload: Payload) -> Result<Answer, ScimError> {
        let method = self.request.method();
        let is_read = matches!(*method, Method::GET | Method::HEAD);
        let read_only = matches!(self.owner, Owner::Tenant(_));
        match page {
            Page::Me => Err(ScimError::of(501, "a token belongs to no user; ask for /Users")),
            Page::ServiceProviderConfig | Page::ResourceTypes(_) | Page::Schemas(_) if is_read => {
                self.described(&page)
            }
            Page::ServiceProviderConfig | Page::ResourceTypes(_) | Page::Schemas(_) => {
                Ok(Answer::other_method("GET"))
            }
            Page::Search(kind) if *method == Method::POST => {
                let query = self.search(payload).await?;
                self.list(kind, query).await
            }
            Page::Search(_) => Ok(Answer::other_method("POST")),
            Page::Resources(kind) if is_read => self.list(Some(kind), self.query()?).await,
            Page::Resource(kind, id) if is_read => self.one(kind, id).await,
            Page::Resources(_) | Page::Resource(..) | Page::Bulk if read_only => {
                Ok(Answer::other_method("GET"))
            }
            Page::Resources(kind) if *method == Method::POST => self.create(kind, payload).await,
            Page::Resources(_) => Ok(Answer::other_method("GET, POST")),
            Page::Resource(kind, id) => match *method {
                Method::PUT => self.replace(kind, id, payload).await,
                Method::PATCH => self.patch(kind, id, payload).await,
                Method::DELETE => self.delete(kind, id).await,
                _ => Ok(Answer::other_method("GET, PUT, PATCH, DELETE")),
            },
            Page::Bulk if *method == Method::POST => self.bulk(payload).await,
            Page::Bulk => Ok(Answer::other_method("POST")),
        }
    }
}

/// The scheme and host that clients use.
fn origin(scim: &Scim, request: &HttpRequest) -> String {
    match &scim.parts.base_url {
        Some(base) => base.trim_end_matches('/').to_owned(),
        None => {
            let connection = request.connection_info();
            format!("{}://{}", connection.scheme(), connection.host())
        }
    }
}

/// The path of an owner's pages.
fn path_of(owner: &Owner) -> String {
    match owner {
        Owner::Directory(id) => format!("/scim/v2/{id}"),
        Owner::Tenant(id) => format!("/scim/v2/tenants/{id}"),
    }
}

/// Whether the client accepts `application/json` and not the type of SCIM.
fn wants_json_only(request: &HttpRequest) -> bool {
    let accepted: Vec<String> = request
        .headers()
        .get_all(header::ACCEPT)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|part| part.split(';').next())
        .map(|kind| kind.trim().to_ascii_lowercase())
        .collect();
    let has = |kind: &str| accepted.iter().any(|accepted| accepted == kind);
    has("application/json") && !has("application/scim+json")
}
