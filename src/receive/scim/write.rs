//! Writes: a request becomes a change, which the writer stores, and the answer waits until its delivery is applied.

use std::time::Duration;

use actix_web::web::{self, Payload};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use super::{
    Visit,
    answer::{Answer, of_write},
    body, pages,
};
use crate::{
    broker::Source,
    db::DbError,
    inbox::{bytes_in_flight::RoomTaken, queue, waiters::Waiting},
    provision::{
        Kind,
        request::{Change, Write, without_passwords},
        shown,
        writer::Accepted,
    },
    scim::{
        ScimError,
        etag::Preconditions,
        name::get,
        patch::{member_refs, read_message},
        projection::Projection,
        resource::normal,
    },
};

/// How often to look whether another process has applied a delivery.
const LOOK: Duration = Duration::from_millis(250);

/// A write of a request, or of one operation of a bulk request.
pub(super) struct Wished {
    pub(super) kind: Kind,
    /// `POST`, `PUT`, `PATCH` or `DELETE`.
    pub(super) method: &'static str,
    pub(super) id: Option<String>,
    pub(super) body: Value,
    pub(super) preconditions: Preconditions,
}

impl Visit<'_> {
    pub(super) async fn create(&self, kind: Kind, payload: Payload) -> Result<Answer, ScimError> {
        self.write_body("POST", kind, None, payload).await
    }

    pub(super) async fn replace(
        &self,
        kind: Kind,
        id: String,
        payload: Payload,
    ) -> Result<Answer, ScimError> {
        self.write_body("PUT", kind, Some(id), payload).await
    }

    pub(super) async fn patch(&self, kind: Kind, id: String, payload: Payload) -> Result<Answer, ScimError> {
        self.write_body("PATCH", kind, Some(id), payload).await
    }

    pub(super) async fn delete(&self, kind: Kind, id: String) -> Result<Answer, ScimError> {
        let preconditions = self.preconditions();
        let wished = Wished { kind, method: "DELETE", id: Some(id), body: Value::Null, preconditions };
        self.write(wished, &Projection::Default, self.scim.parts.room.enter()).await
    }

    async fn write_body(
        &self,
        method: &'static str,
        kind: Kind,
        id: Option<String>,
        payload: Payload,
    ) -> Result<Answer, ScimError> {
        let projection = self.projection(kind.resource_type())?;
        let (body, room) = body::json(&self.scim.parts, self.request, payload).await?;
        let wished = Wished { kind, method, id, body, preconditions: self.preconditions() };
        self.write(wished, &projection, room).await
    }

    /// Stores a write and waits until it is applied.
    pub(super) async fn write(
        &self,
        wished: Wished,
        projection: &Projection,
        room: RoomTaken,
    ) -> Result<Answer, ScimError> {
        let (kind, method) = (wished.kind, wished.method);
        let write = self.write_of(wished)?;
        let accepted = self.scim.parts.writer.write(write, room).await.map_err(of_write)?;
        let Accepted { written, applied } = accepted;
        if let (Some(waiting), Some(event)) = (applied, &written.event) {
            self.wait(waiting, event).await;
        }
        let resource = written.resource;
        let version = Some(resource.version);
        if method == "DELETE" {
            return Ok(Answer { status: 204, ..Answer::default() });
        }
        let location = shown::location(&resource, &self.base);
        let body = if shown::members_wanted(kind, projection) == 0 {
            let whole = shown::whole(&resource, &self.base);
            Some(Value::Object(projection.apply(kind.resource_type(), whole)))
        } else {
            let place = (resource.directory_id.clone(), self.base.clone());
            let projection = projection.clone();
            self.reading(move |conn| pages::written(conn, place, &projection, &resource)).await?
        };
        let (status, location) = if method == "POST" { (201, Some(location)) } else { (200, None) };
        Ok(Answer { status, body, location, version, allowed: None })
    }

    fn write_of(&self, wished: Wished) -> Result<Write, ScimError> {
        let Wished { kind, method, id, body, preconditions } = wished;
        let mut record = json!({"method": method, "body": body.clone()});
        without_passwords(&mut record);
        let change = match (method, id) {
            ("PATCH", Some(id)) => Change::Patch(id, read_message(body)?),
            ("DELETE", Some(id)) => Change::Delete(id),
            (_, id) => {
                let (body, members) = without_members(kind, body)?;
                let document = normal(kind.resource_type(), body)?;
                match id {
                    Some(id) => Change::Replace(id, document, members),
                    None => Change::Create(document, members.unwrap_or_default()),
                }
            }
        };
        Ok(Write {
            directory_id: self.client.token.directory_id.clone(),
            token_id: self.client.token.id.clone(),
            at: self.scim.parts.clock.now(),
            kind,
            change,
            preconditions,
            record,
        })
    }

    /// Waits until the delivery is applied, by this process or by another one. After the time limit the write is answered
    /// all the same: it is durable.
    async fn wait(&self, mut waiting: Waiting, event: &str) {
        let parts = &self.scim.parts;
        let until = Instant::now() + parts.apply_timeout;
        while Instant::now() < until {
            if timeout(LOOK, waiting.applied()).await.is_ok() {
                return;
            }
            let (database, event) = (parts.database.clone(), event.to_owned());
            let looked = web::block(move || {
                database.read::<_, DbError>(|conn| Ok(queue::waits(conn, Source::Scim.name(), &event)?))
            });
            if matches!(looked.await, Ok(Ok(false))) {
                break;
            }
        }
    }
}

/// A group's members, apart from its attributes. Without the key there are none to set; null is an empty list.
fn without_members(
    kind: Kind,
    body: Value,
) -> Result<(Value, Option<Vec<crate::scim::patch::MemberRef>>), ScimError> {
    let Value::Object(mut body) = body else { return Ok((body, None)) };
    if kind == Kind::User {
        return Ok((Value::Object(body), None));
    }
    let members = get(&body, "members").map(member_refs).transpose()?;
    body.retain(|key, _| !key.eq_ignore_ascii_case("members"));
    Ok((Value::Object(body), members))
}
