//! HTTP: all routes, and the two servers. A delivery gets 200 only after its commit.

mod health;
mod listener;
mod metrics;
mod problem;
mod ready;
mod scim;
mod sockets;
mod webhook;

use std::{net::TcpListener, sync::Arc, time::Duration};

use actix_web::{
    App, FromRequest, Handler, HttpServer, Resource, Responder,
    dev::Server,
    web::{self, Data},
};

pub use health::Health;
pub use listener::listen;
use ready::Readiness;
pub use scim::{ScimParts, scim};
pub use sockets::{public_connections, raise_file_limit};
pub use webhook::Receiver;

use crate::{broker::Source, runtime::metrics::Metrics};

/// The limits of the public listener.
#[derive(Clone, Copy, Debug)]
pub struct HttpLimits {
    /// The highest number of open connections.
    pub connections: usize,
    /// From the start of a connection to the end of its first headers. An answer other than 200 for a delivery closes the
    /// connection, so only the broker sends a second request on it.
    pub head_timeout: Duration,
    /// How long a connection may be idle after an answer.
    pub keep_alive: Duration,
    /// How long open requests may take after the signal to stop.
    pub stop_timeout: Duration,
}

/// A path with and without a slash at the end is the same page.
const SLASHES: [&str; 2] = ["", "/"];

/// A page for `GET` and `HEAD`. The answer to `HEAD` has no body.
fn page<F, Args>(path: &str, slash: &str, read: F) -> Resource
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    web::resource(format!("{path}{slash}"))
        .route(web::get().to(read.clone()))
        .route(web::head().to(read))
        .default_service(web::to(|| problem::other_method("GET, HEAD")))
}

/// The public server. Its handlers only verify, store and answer. One thread does that faster than the database commits,
/// and causes fewer context switches than two.
pub fn public(
    listener: TcpListener,
    receiver: Receiver,
    health: Health,
    limits: HttpLimits,
) -> std::io::Result<Server> {
    problem::count_from_zero(&receiver.metrics);
    let (receiver, readiness) = (Data::new(receiver), Data::new(Readiness::of(health)));
    let server = HttpServer::new(move || {
        let mut app = App::new().app_data(receiver.clone()).app_data(readiness.clone());
        // One fixed path for each broker, because actix finds it without a regular expression.
        for source in Source::SENDERS {
            for slash in SLASHES {
                let receive =
                    move |request, payload, receiver| webhook::receive(source, request, payload, receiver);
                let page = web::resource(format!("/webhooks/{}{slash}", source.name()))
                    .route(web::post().to(receive))
                    .default_service(web::to(|| problem::other_method("POST")));
                app = app.service(page);
            }
        }
        for slash in SLASHES {
            app = app
                .route(&format!("/webhooks/{{source}}{slash}"), web::to(webhook::unknown_source))
                .service(page("/healthz", slash, health::alive))
                .service(page("/readyz", slash, ready::ready));
        }
        app.default_service(web::to(problem::no_such_page))
    });
    Ok(server
        .workers(1)
        .max_connections(limits.connections)
        .client_request_timeout(limits.head_timeout)
        .keep_alive(limits.keep_alive)
        .shutdown_timeout(limits.stop_timeout.as_secs())
        .disable_signals()
        .listen(listener)?
        .run())
}

/// The operator's server, without authentication: its address must not be public.
pub fn admin(listener: TcpListener, metrics: Arc<Metrics>, health: Health) -> std::io::Result<Server> {
    let (metrics, health) = (Data::from(metrics), Data::new(health));
    let server = HttpServer::new(move || {
        let mut app = App::new().app_data(metrics.clone()).app_data(health.clone());
        for slash in SLASHES {
            app = app.service(page("/metrics", slash, metrics::metrics)).service(page(
                "/readyz",
                slash,
                health::details,
            ));
        }
        app.default_service(web::to(problem::no_such_page))
    });
    Ok(server
        .workers(1)
        .max_connections(sockets::ADMIN_CONNECTIONS)
        .shutdown_timeout(1)
        .disable_signals()
        .listen(listener)?
        .run())
}
