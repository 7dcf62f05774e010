//! The API of the simulated broker: its entities as lists and events, as strict as its documentation
//! (docs/broker-workos.md 4).
//!
//! The clock follows the events: `Date` is the time of the newest event, so later events have later times.

mod events;
mod limits;
mod lists;
mod state;

use std::{net::TcpListener, sync::Arc, time::Duration};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpResponseBuilder, HttpServer,
    dev::Server,
    http::StatusCode,
    web::{self, Data},
};
use parking_lot::Mutex;
use serde_json::{Value, json};

pub use state::{Broker, Faults};

/// Cheap to clone. All clones share one state.
#[derive(Clone)]
pub struct Api {
    pub broker: Arc<Mutex<Broker>>,
    key: Arc<str>,
}

/// An answer of the API before it is sent.
pub(super) struct Answer {
    status: u16,
    body: Value,
}

impl Answer {
    fn ok(body: Value) -> Self {
        Self { status: 200, body }
    }

    fn refused(status: u16, message: impl Into<String>) -> Self {
        Self { status, body: json!({ "message": message.into() }) }
    }

    fn invalid(field: &str, code: &str) -> Self {
        let errors = json!([{ "field": field, "code": code }]);
        Self { status: 422, body: json!({ "message": "Validation failed.", "errors": errors }) }
    }
}

impl Api {
    pub fn new(key: &str, faults: Faults) -> Self {
        Self { broker: Arc::new(Mutex::new(Broker::new(faults))), key: key.into() }
    }

    /// Serves until the returned server is stopped. The server must be awaited.
    pub fn serve(&self, listener: TcpListener) -> std::io::Result<Server> {
        let api = self.clone();
        let app = move || App::new().app_data(Data::new(api.clone())).default_service(web::to(answer));
        Ok(HttpServer::new(app).workers(1).disable_signals().listen(listener)?.run())
    }

    fn answer(&self, request: &HttpRequest) -> (HttpResponseBuilder, String, Duration) {
        let pairs = url::form_urlencoded::parse(request.query_string().as_bytes());
        let query = Query(pairs.into_owned().collect());
        let mut broker = self.broker.lock();
        broker.requests += 1;
        let answered = match self.is_known(request) {
            false => Answer::refused(401, "Unauthorized"),
            true => routed(&mut broker, request.path(), &query),
        };
        let mut response = HttpResponse::build(StatusCode::from_u16(answered.status).unwrap_or_default());
        response.content_type("application/json");
        if broker.faults.sends_date {
            let date = broker.now().to_utc().format("%a, %d %b %Y %H:%M:%S GMT").to_string();
            response.insert_header(("date", date));
        }
        if let (429, Some(after)) = (answered.status, broker.faults.retry_after.clone()) {
            response.insert_header(("retry-after", after));
        }
        (response, answered.body.to_string(), broker.faults.answer_after)
    }

    fn is_known(&self, request: &HttpRequest) -> bool {
        let given = request.headers().get("authorization").and_then(|value| value.to_str().ok());
        given.and_then(|given| given.strip_prefix("Bearer ")) == Some(&*self.key)
    }
}

async fn answer(request: HttpRequest, api: Data<Api>) -> HttpResponse {
    let (mut response, body, pause) = api.answer(&request);
    if !pause.is_zero() {
        actix_web::rt::time::sleep(pause).await;
    }
    response.body(body)
}

fn routed(broker: &mut Broker, path: &str, query: &Query) -> Answer {
    if let Some(failure) = broker.faults.failure(path) {
        return failure;
    }
    match path {
        "/events" => events::events(broker, query),
        "/organizations" => lists::organizations(broker, query),
        "/directories" => lists::directories(broker, query),
        "/directory_groups" => lists::groups(broker, query),
        "/directory_users" => lists::users(broker, query),
        _ => match path.strip_prefix("/directories/") {
            Some(id) => lists::directory(broker, id),
            None => Answer::refused(404, "Not found"),
        },
    }
}

/// The query parameters of a request.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// All values of a parameter: `events=a,b` and the older `events[]=a`.
    fn all(&self, name: &str) -> Vec<&str> {
        let list = format!("{name}[]");
        let given = self.0.iter().filter(|(key, _)| key == name || *key == list);
        given.flat_map(|(_, value)| value.split(',')).filter(|value| !value.is_empty()).collect()
    }

    fn limit(&self) -> Result<usize, Answer> {
        match self.get("limit").map_or(Ok(10), str::parse) {
            Ok(limit @ 1..=100) => Ok(limit),
            _ => Err(Answer::invalid("limit", "limit must be between 1 and 100")),
        }
    }
}
