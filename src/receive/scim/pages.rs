//! Pages for reading: descriptions, lists and single resources.

use actix_web::{
    http::header,
    web::{self, Payload},
};
use serde_json::{Map, Value, json};

use super::{
    Visit,
    answer::{Answer, failed},
    body,
    route::{Owner, Page},
};
use crate::{
    db::{Conn, DbError},
    provision::{
        Kind,
        list::{self, ListError, Wanted},
        shown,
    },
    scim::{
        ScimError,
        discovery::{self, BulkLimits},
        etag::Preconditions,
        projection::Projection,
        query::{LIST, ListQuery},
        schema::{ResourceType, resource_type_json, schema_json},
    },
    tables::{
        scim_members,
        scim_resources::{self, ScimResource},
    },
};

impl Visit<'_> {
    /// The parameters of the query string.
    pub(super) fn query(&self) -> Result<ListQuery, ScimError> {
        let pairs: Vec<_> =
            url::form_urlencoded::parse(self.request.query_string().as_bytes()).into_owned().collect();
        ListQuery::from_pairs(pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())))
    }

    /// The parameters of a search message.
    pub(super) async fn search(&self, payload: Payload) -> Result<ListQuery, ScimError> {
        match body::json(&self.scim.parts, self.request, payload).await?.0 {
            Value::Object(message) => ListQuery::from_body(&message),
            _ => Err(ScimError::syntax("the body is not a JSON object")),
        }
    }

    pub(super) fn projection(&self, of: &ResourceType) -> Result<Projection, ScimError> {
        let query = self.query()?;
        Projection::of(of, &query.attributes, &query.excluded)
    }

    pub(super) fn preconditions(&self) -> Preconditions {
        let text = |name| {
            let lines = self.request.headers().get_all(name).filter_map(|value| value.to_str().ok());
            let lines: Vec<&str> = lines.collect();
            (!lines.is_empty()).then(|| lines.join(", "))
        };
        Preconditions { if_match: text(header::IF_MATCH), if_none_match: text(header::IF_NONE_MATCH) }
    }

    /// `/ServiceProviderConfig`, `/ResourceTypes` and `/Schemas`. RFC 7644 4: a filter on them is forbidden.
    pub(super) fn described(&self, page: &Page) -> Result<Answer, ScimError> {
        if self.query()?.filter.is_some() {
            return Err(ScimError::of(403, "this page has no filter"));
        }
        let base = &self.base;
        let types = Kind::ALL.map(Kind::resource_type);
        let one = |entries: Vec<Value>, id: &str| {
            let found = entries.into_iter().find(|entry| {
                entry.get("id").and_then(Value::as_str).is_some_and(|known| known.eq_ignore_ascii_case(id))
            });
            found.map(Answer::ok).ok_or_else(|| ScimError::not_found(id))
        };
        match page {
            Page::ResourceTypes(id) => {
                let entries: Vec<Value> = types.iter().map(|of| resource_type_json(of, base)).collect();
                id.as_deref().map_or_else(
                    || Ok(Answer::ok(discovery::whole_list(entries.clone()))),
                    |id| one(entries.clone(), id),
                )
            }
            Page::Schemas(id) => {
                let schemas = types.iter().flat_map(|of| std::iter::once(&of.core).chain(&of.extensions));
                let entries: Vec<Value> = schemas.map(|schema| schema_json(schema, base)).collect();
                id.as_deref().map_or_else(
                    || Ok(Answer::ok(discovery::whole_list(entries.clone()))),
                    |id| one(entries.clone(), id),
                )
            }
            _ => {
                let has_writes = matches!(self.owner, Owner::Directory(_));
                let bulk = BulkLimits {
                    operations: super::bulk::MOST_OPERATIONS,
                    bytes: self.scim.parts.max_body_bytes,
                };
                Ok(Answer::ok(discovery::service_provider_config(
                    base,
                    has_writes,
                    has_writes.then_some(bulk),
                )))
            }
        }
    }

    /// One resource.
    pub(super) async fn one(&self, kind: Kind, id: String) -> Result<Answer, ScimError> {
        let projection = self.projection(kind.resource_type())?;
        let Owner::Directory(directory_id) = self.owner.clone() else {
            return self.of_tenant_one(kind, id).await;
        };
        let (base, wanted) = (self.base.clone(), id.clone());
        let found = self
            .reading(move |conn| {
                let found = scim_resources::by_ids(conn, &directory_id, &[&wanted])?;
                let found = found.into_iter().find(|one| one.kind == kind.code() && !one.deleted);
                match found {
                    Some(resource) => Ok(shown_all(conn, &base, &projection, vec![resource])?.pop()),
                    None => Ok(None),
                }
            })
            .await?;
        let (resource, body) = found.ok_or_else(|| ScimError::not_found(&id))?;
        if self.preconditions().is_unchanged(resource.version) {
            return Ok(Answer { status: 304, version: Some(resource.version), ..Answer::default() });
        }
        Ok(Answer { version: Some(resource.version), ..Answer::ok(body) })
    }

    /// A list of one kind, or of both.
    pub(super) async fn list(&self, kind: Option<Kind>, query: ListQuery) -> Result<Answer, ScimError> {
        let Owner::Directory(directory_id) = self.owner.clone() else {
            return self.of_tenant_list(kind, query).await;
        };
        let (base, key) = (self.base.clone(), self.client.digest.clone());
        let now = self.scim.parts.clock.now().millis().div_euclid(1_000);
        let asked = Asked { directory_id, base, key, now };
        let read = move |conn: &mut Conn| -> Result<Answer, ListError> {
            let (total, resources, next) = match kind {
                Some(kind) => {
                    let of = kind.resource_type();
                    let projection = Projection::of(of, &query.attributes, &query.excluded)?;
                    let page = list::list(conn, &asked.wanted(kind, &query))?;
                    let shown = shown_all(conn, &asked.base, &projection, page.resources)?;
                    (page.total, bodies(shown), page.next_cursor)
                }
                None => {
                    let (total, resources) = both(conn, &query, &asked)?;
                    (Some(total), resources, None)
                }
            };
            Ok(Answer::ok(list_body(&query, total, resources, next)))
        };
        let database = self.scim.parts.database.clone();
        let outcome = web::block(move || database.read(read)).await.map_err(|error| failed(&error))?;
        outcome.map_err(|error| match error {
            ListError::Refused(refusal) => refusal,
            ListError::Database(error) => failed(&error),
        })
    }

    /// Runs a read in a thread that may block.
    pub(super) async fn reading<T: Send + 'static>(
        &self,
        read: impl FnOnce(&mut Conn) -> Result<T, DbError> + Send + 'static,
    ) -> Result<T, ScimError> {
        let database = self.scim.parts.database.clone();
        let outcome = web::block(move || database.read(read)).await.map_err(|error| failed(&error))?;
        outcome.map_err(|error| failed(&error))
    }
}

/// The parts of a list request that do not depend on the kind.
struct Asked {
    directory_id: String,
    base: String,
    key: Vec<u8>,
    now: i64,
}

impl Asked {
    fn wanted<'a>(&'a self, kind: Kind, query: &'a ListQuery) -> Wanted<'a> {
        let Self { directory_id, base, key, now } = self;
        Wanted { directory_id, kind, query, base, key, now: *now }
    }
}

/// Users, then groups. A kind that does not have an attribute of the filter has no resource that satisfies it.
fn both(conn: &mut Conn, query: &ListQuery, asked: &Asked) -> Result<(usize, Vec<Value>), ListError> {
    if query.cursor.is_some() {
        return Err(
            ScimError::value("a search of all resources has no cursor; search /Users or /Groups").into()
        );
    }
    let (mut total, mut resources, mut refusal) = (0, Vec::new(), None);
    let mut read_one = false;
    for kind in Kind::ALL {
        let of = kind.resource_type();
        // The page continues with groups where the users end.
        let start = i64::try_from(query.start().saturating_sub(total).max(1)).unwrap_or(i64::MAX);
        let count = i64::try_from(query.page_size() - resources.len()).unwrap_or(0);
        let part = ListQuery { start_index: Some(start), count: Some(count), ..query.clone() };
        match list::list(conn, &asked.wanted(kind, &part)) {
            Ok(page) => {
                read_one = true;
                total += page.total.unwrap_or(0);
                let projection = Projection::of(of, &query.attributes, &query.excluded)?;
                resources.extend(bodies(shown_all(conn, &asked.base, &projection, page.resources)?));
            }
            Err(ListError::Refused(error)) => refusal = Some(error),
            Err(error) => return Err(error),
        }
    }
    match refusal {
        Some(refusal) if !read_one => Err(refusal.into()),
        _ => Ok((total, resources)),
    }
}

pub(super) fn list_body(
    query: &ListQuery,
    total: Option<usize>,
    resources: Vec<Value>,
    next_cursor: Option<String>,
) -> Value {
    let mut body = Map::new();
    body.insert("schemas".to_owned(), json!([LIST]));
    if let Some(total) = total {
        body.insert("totalResults".to_owned(), total.into());
    }
    if query.cursor.is_none() {
        body.insert("startIndex".to_owned(), query.start().into());
    }
    body.insert("itemsPerPage".to_owned(), resources.len().into());
    if let Some(next) = next_cursor {
        body.insert("nextCursor".to_owned(), next.into());
    }
    body.insert("Resources".to_owned(), Value::Array(resources));
    Value::Object(body)
}

fn bodies(shown: Vec<(ScimResource, Value)>) -> Vec<Value> {
    shown.into_iter().map(|(_, body)| body).collect()
}

/// Resources with the parts that the client wants.
pub(super) fn shown_all(
    conn: &mut Conn,
    base: &str,
    projection: &Projection,
    resources: Vec<ScimResource>,
) -> Result<Vec<(ScimResource, Value)>, DbError> {
    let Some(kind) = resources.first().map(|first| Kind::of_code(first.kind)) else { return Ok(Vec::new()) };
    let limit = shown::members_wanted(kind, projection);
    let ids: Vec<&str> =
        if limit > 0 { resources.iter().map(|one| one.id.as_str()).collect() } else { Vec::new() };
    let members = scim_members::of_groups(conn, &ids, limit)?;
    let mut members = members.into_iter().peekable();
    let mut shown = Vec::with_capacity(resources.len());
    for resource in resources {
        let mut whole = shown::whole(&resource, base);
        let mut own = Vec::new();
        while let Some(member) = members.next_if(|member| member.group_id == resource.id) {
            own.push(shown::member(&member, base));
        }
        shown::with_members(&mut whole, own, projection);
        let body = Value::Object(projection.apply(kind.resource_type(), whole));
        shown.push((resource, body));
    }
    Ok(shown)
}
