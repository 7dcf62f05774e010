//! The webhook about a record: its id and its body. The file is pure.

use serde::Serialize;

use super::lane;
use crate::feed::read::Record;

/// A webhook before it is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The number of the record.
    pub seq: i64,
    /// Records of one lane are sent one after the other.
    pub lane: String,
    /// The same for each attempt, by any process.
    pub id: String,
    /// The body.
    pub body: String,
}

#[derive(Serialize)]
struct Body<'a, T> {
    r#type: &'a str,
    timestamp: &'a str,
    data: &'a T,
}

/// The body of a webhook.
pub fn body<T: Serialize>(kind: &str, timestamp: &str, data: &T) -> String {
    serde_json::to_string(&Body { r#type: kind, timestamp, data }).unwrap_or_default()
}

/// The webhook about this record.
pub fn about(endpoint_id: &str, record: &Record) -> Message {
    Message {
        seq: record.seq,
        lane: lane::of(&record.tenant_id, &record.subject),
        id: id(endpoint_id, record.seq, &record.at),
        body: body(&record.kind, &record.at, record),
    }
}

/// With the time of the record: after the loss of committed transactions, a number is used again.
fn id(endpoint_id: &str, seq: i64, at: &str) -> String {
    let digits: String = at.chars().filter(char::is_ascii_digit).collect();
    format!("{endpoint_id}_{seq}_{digits}")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn the_body_has_the_record_and_the_id_follows_from_it() {
        let record = Record {
            seq: 7,
            at: "2026-06-01T00:00:00.000001Z".to_owned(),
            tenant_id: "org_1".to_owned(),
            kind: "user.deprovisioned".to_owned(),
            subject: json!({"user_id": "u1"}),
            before: json!({"status": "active"}),
            after: json!({"status": "inactive"}),
            cause: json!({"event_id": "e1"}),
        };
        let message = about("ep_1", &record);
        assert_eq!((message.id.as_str(), message.lane.as_str()), ("ep_1_7_20260601000000000001", "u1"));
        let body: Value = serde_json::from_str(&message.body).unwrap_or_default();
        assert_eq!(
            body,
            json!({"type": "user.deprovisioned", "timestamp": record.at, "data": serde_json::to_value(&record).unwrap_or_default()})
        );
    }
}
