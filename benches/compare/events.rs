//! The events that everybody gets: the first syncs of a few customers, then their life.

use std::time::{SystemTime, UNIX_EPOCH};

use rosterd::simulate::{Census, DEFAULT_START, Event, Plan, SIGNATURE_HEADER, signature_header};

pub const SECRET: &str = "whsec_bench_5a1f";
pub const PATH: &str = "/webhooks/workos";

pub struct Stream {
    pub events: Vec<Event>,
    /// What a correct receiver shows in the end.
    pub census: Census,
}

/// About half of `events` are the first sync.
pub fn stream(events: u64, seed: u64) -> Stream {
    let users = u32::try_from(events / 8).unwrap_or(u32::MAX);
    let mut world = Plan { tenants: 3, users, events, seed, start: DEFAULT_START }.events();
    let events: Vec<Event> = world.by_ref().collect();
    Stream { events, census: world.census() }
}

/// A whole HTTP request, signed now: a signature is good for minutes.
pub fn request(event: &Event) -> Vec<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
    let signature = signature_header(SECRET, now, &event.body);
    let mut request = format!(
        "POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n\
         {SIGNATURE_HEADER}: {signature}\r\nContent-Length: {}\r\n\r\n",
        event.body.len()
    )
    .into_bytes();
    request.extend_from_slice(&event.body);
    request
}
