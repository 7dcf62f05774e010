//! The simulated API on a port of its own.

use std::{
    net::{SocketAddr, TcpListener},
    thread::JoinHandle,
};

use actix_web::dev::ServerHandle;
use rosterd::{
    broker::Secret,
    simulate::api::{Api, Broker, Faults},
    sync::client::{Client, Settings},
};
use serde_json::Value;

pub const KEY: &str = "sk_test_1";

pub struct TestApi {
    pub api: Api,
    pub address: SocketAddr,
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

impl TestApi {
    pub fn start() -> Self {
        let api = Api::new(KEY, Faults::default());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (send, handle) = std::sync::mpsc::channel();
        let served = api.clone();
        let thread = std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let server = served.serve(listener).unwrap();
                send.send(server.handle()).unwrap();
                server.await.unwrap();
            });
        });
        Self { api, address, handle: handle.recv().unwrap(), thread: Some(thread) }
    }

    pub fn settings(&self) -> Settings {
        Settings {
            url: format!("http://{}", self.address),
            key: Secret::new(KEY).unwrap(),
            per_second: 10_000,
            of_directory_per_second: None,
        }
    }

    pub fn client(&self) -> Client {
        Client::new(&self.settings(), || false).unwrap()
    }

    /// Events without a webhook.
    pub fn emit(&self, events: &[Value]) {
        for event in events {
            self.broker(|broker| broker.emit_body(event.clone()));
        }
    }

    pub fn broker<T>(&self, change: impl FnOnce(&mut Broker) -> T) -> T {
        change(&mut self.api.broker.lock())
    }
}

impl Drop for TestApi {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}
