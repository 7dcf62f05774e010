//! Pages for reading: descriptions, lists and single resources.

use std::collections::HashMap;

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
        directory::OfDirectory,
        list::{self, Entry, Key, ListError, Listed, Wanted},
        shown,
        tenant::{self, OfTenant},
    },
    scim::{
        ScimError,
        discovery::{self, BulkLimits},
        etag::Preconditions,
        projection::Projection,
        query::{LIST, ListQuery},
        resource::Object,
        schema::{ResourceType, resource_type_json, schema_json},
    },
    tables::{
        scim_members::{self, ScimMember},
        scim_resources::ScimResource,
        tenant_listing,
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
        let types = Kind::ALL.map(|kind| match self.owner {
            Owner::Directory(_) => kind.resource_type(),
            Owner::Tenant(_) => tenant::resource_type(kind),
        });
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
        let source = Source::of(&self.owner, kind, &self.base);
        let projection = self.projection(source.resource_type())?;
        let key = Key::Ids(vec![id.clone()]);
        let found = self
            .reading(move |conn| {
                let entries = source.of_key(conn, &key)?.unwrap_or_default();
                let version = entries.first().map(|entry| version(&entry.whole));
                Ok(version.zip(shown(conn, &source, &projection, entries)?.pop()))
            })
            .await?;
        let (version, body) = found.ok_or_else(|| ScimError::not_found(&id))?;
        if self.preconditions().is_unchanged(version) {
            return Ok(Answer { status: 304, version: Some(version), ..Answer::default() });
        }
        Ok(Answer { version: Some(version), ..Answer::ok(body) })
    }

    /// A list of one kind, or of both.
    pub(super) async fn list(&self, kind: Option<Kind>, query: ListQuery) -> Result<Answer, ScimError> {
        let asked = Asked {
            owner: self.owner.clone(),
            base: self.base.clone(),
            key: self.client.digest.clone(),
            now: self.scim.parts.clock.now().millis().div_euclid(1_000),
        };
        let read = move |conn: &mut Conn| -> Result<Answer, ListError> {
            let (total, resources, next) = match kind {
                Some(kind) => asked.page(conn, kind, &query)?,
                None => {
                    let (total, resources) = asked.both(conn, &query)?;
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

/// The resources of one kind and owner.
enum Source {
    Directory(OfDirectory),
    Tenant(OfTenant),
}

impl Source {
    fn of(owner: &Owner, kind: Kind, base: &str) -> Self {
        let base = base.to_owned();
        match owner.clone() {
            Owner::Directory(directory_id) => Self::Directory(OfDirectory { directory_id, kind, base }),
            Owner::Tenant(tenant_id) => Self::Tenant(OfTenant { tenant_id, kind, base }),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Directory(of) => of.kind,
            Self::Tenant(of) => of.kind,
        }
    }

    /// The members of these groups, at most `limit` of each.
    fn members(
        &self,
        conn: &mut Conn,
        group_ids: &[&str],
        limit: usize,
    ) -> Result<HashMap<String, Vec<Value>>, DbError> {
        let mut members: HashMap<String, Vec<Value>> = HashMap::new();
        match self {
            Self::Directory(of) => {
                // Of a large group, nobody is shown unless all are wanted; to read them takes long.
                let small = match limit {
                    0..=shown::MOST_MEMBERS_READ => {
                        scim_members::small_groups(conn, group_ids, shown::MOST_MEMBERS)?
                    }
                    _ => group_ids.iter().map(|id| (*id).to_owned()).collect(),
                };
                let small: Vec<&str> = small.iter().map(String::as_str).collect();
                for member in scim_members::of_groups(conn, &small, limit)? {
                    let shown = shown::member(&member, &of.base);
                    members.entry(member.group_id).or_default().push(shown);
                }
            }
            Self::Tenant(of) => {
                for group_id in group_ids {
                    for member_id in tenant_listing::members(conn, &of.tenant_id, group_id, limit)? {
                        let group_id = (*group_id).to_owned();
                        let member = ScimMember {
                            group_id: group_id.clone(),
                            member_id,
                            kind: Some(Kind::User.code()),
                        };
                        members.entry(group_id).or_default().push(shown::member(&member, &of.base));
                    }
                }
            }
        }
        Ok(members)
    }
}

impl Listed for Source {
    fn resource_type(&self) -> &ResourceType {
        match self {
            Self::Directory(of) => of.resource_type(),
            Self::Tenant(of) => of.resource_type(),
        }
    }

    fn count(&self, conn: &mut Conn) -> Result<usize, DbError> {
        match self {
            Self::Directory(of) => of.count(conn),
            Self::Tenant(of) => of.count(conn),
        }
    }

    fn page(&self, conn: &mut Conn, after: &str, skip: usize, limit: usize) -> Result<Vec<Entry>, DbError> {
        match self {
            Self::Directory(of) => of.page(conn, after, skip, limit),
            Self::Tenant(of) => of.page(conn, after, skip, limit),
        }
    }

    fn of_key(&self, conn: &mut Conn, key: &Key) -> Result<Option<Vec<Entry>>, DbError> {
        match self {
            Self::Directory(of) => of.of_key(conn, key),
            Self::Tenant(of) => of.of_key(conn, key),
        }
    }
}

/// The parts of a list request that do not depend on the kind.
struct Asked {
    owner: Owner,
    base: String,
    key: Vec<u8>,
    now: i64,
}

/// The number of all, the resources of the page, and the next cursor.
type Paged = (Option<usize>, Vec<Value>, Option<String>);

impl Asked {
    fn page(&self, conn: &mut Conn, kind: Kind, query: &ListQuery) -> Result<Paged, ListError> {
        let source = Source::of(&self.owner, kind, &self.base);
        let projection = Projection::of(source.resource_type(), &query.attributes, &query.excluded)?;
        let wanted =
            Wanted { name: &super::path_of(&self.owner), kind, query, key: &self.key, now: self.now };
        let page = list::list(conn, &source, &wanted)?;
        Ok((page.total, shown(conn, &source, &projection, page.entries)?, page.next_cursor))
    }

    /// Users, then groups. A kind that does not have an attribute of the filter has no resource that satisfies it.
    fn both(&self, conn: &mut Conn, query: &ListQuery) -> Result<(usize, Vec<Value>), ListError> {
        if query.cursor.is_some() {
            return Err(ScimError::value(
                "a search of all resources has no cursor; search /Users or /Groups",
            )
            .into());
        }
        let (mut total, mut resources, mut refusal) = (0, Vec::new(), None);
        let mut read_one = false;
        for kind in Kind::ALL {
            // The page continues with groups where the users end.
            let start = i64::try_from(query.start().saturating_sub(total).max(1)).unwrap_or(i64::MAX);
            let count = i64::try_from(query.page_size() - resources.len()).unwrap_or(0);
            let part = ListQuery { start_index: Some(start), count: Some(count), ..query.clone() };
            match self.page(conn, kind, &part) {
                Ok((number, found, _)) => {
                    read_one = true;
                    total += number.unwrap_or(0);
                    resources.extend(found);
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
}

/// The number in `meta.version`.
fn version(whole: &Object) -> i64 {
    let text = whole.get("meta").and_then(|meta| meta.get("version")).and_then(Value::as_str);
    let digits = text.map(|text| text.trim_start_matches("W/").trim_matches('"'));
    digits.and_then(|digits| digits.parse().ok()).unwrap_or_default()
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

/// Resources with the parts that the client wants.
fn shown(
    conn: &mut Conn,
    source: &Source,
    projection: &Projection,
    entries: Vec<Entry>,
) -> Result<Vec<Value>, DbError> {
    let limit = shown::members_wanted(source.kind(), projection);
    let ids: Vec<&str> =
        if limit > 0 { entries.iter().map(|entry| entry.id.as_str()).collect() } else { Vec::new() };
    let mut members = source.members(conn, &ids, limit)?;
    let shown = entries.into_iter().map(|Entry { id, mut whole }| {
        shown::with_members(&mut whole, members.remove(&id).unwrap_or_default(), projection);
        Value::Object(projection.apply(source.resource_type(), whole))
    });
    Ok(shown.collect())
}

/// A resource after a write, with the parts that the client wants.
pub(super) fn written(
    conn: &mut Conn,
    (directory_id, base): (String, String),
    projection: &Projection,
    resource: &ScimResource,
) -> Result<Option<Value>, DbError> {
    let of = OfDirectory { directory_id, kind: Kind::of_code(resource.kind), base };
    let entry = Entry { id: resource.id.clone(), whole: shown::whole(resource, &of.base) };
    Ok(shown(conn, &Source::Directory(of), projection, vec![entry])?.pop())
}
