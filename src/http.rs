//! HTTP: the whole route table, and the servers that carry it.

mod health;
mod listener;
mod metrics;
mod problem;
mod webhook;

use std::{net::TcpListener, sync::Arc, time::Duration};

use actix_web::{
    App, HttpServer,
    dev::Server,
    web::{self, Data},
};

pub use health::Health;
pub use listener::listen;
pub use webhook::Receiver;

use crate::{broker::Source, metrics::Metrics};

/// The public side. Handlers only verify, keep and answer: one thread does that faster than a database commits, and
/// costs the others fewer switches than two.
pub fn public(
    listener: TcpListener,
    receiver: Receiver,
    health: Health,
    stop_timeout: Duration,
) -> std::io::Result<Server> {
    let (receiver, health) = (Data::new(receiver), Data::new(health));
    let server = HttpServer::new(move || {
        let app = App::new().app_data(receiver.clone()).app_data(health.clone());
        // Spelled out: found without a regular expression.
        let app = Source::ALL.into_iter().fold(app, |app, source| {
            let receive =
                move |request, payload, receiver| webhook::receive(source, request, payload, receiver);
            app.route(&format!("/webhooks/{}", source.name()), web::post().to(receive))
        });
        app.route("/webhooks/{source}", web::post().to(webhook::unknown_source))
            .route("/healthz", web::get().to(health::alive))
            .route("/readyz", web::get().to(health::ready))
            .default_service(web::to(problem::no_such_page))
    });
    Ok(server
        .workers(1)
        .client_request_timeout(Duration::from_secs(10))
        .keep_alive(Duration::from_secs(75))
        .shutdown_timeout(stop_timeout.as_secs())
        .disable_signals()
        .listen(listener)?
        .run())
}

/// The operator's side; nothing here is authenticated.
pub fn admin(listener: TcpListener, metrics: Arc<Metrics>, health: Health) -> std::io::Result<Server> {
    let (metrics, health) = (Data::from(metrics), Data::new(health));
    let server = HttpServer::new(move || {
        App::new()
            .app_data(metrics.clone())
            .app_data(health.clone())
            .route("/metrics", web::get().to(metrics::metrics))
            .default_service(web::to(problem::no_such_page))
    });
    Ok(server.workers(1).shutdown_timeout(1).disable_signals().listen(listener)?.run())
}
