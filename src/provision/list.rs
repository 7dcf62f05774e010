//! Lists: a filter, an order and a page over the stored resources of a directory.
//!
//! A filter with an exact comparison of a key (`userName eq`, `externalId eq`, `id eq`, a group's `displayName eq`) reads
//! few rows by an index. Others read the directory in pages, so the memory does not grow with it; only an order by an
//! attribute needs the values of all found resources at once, and is bounded.

use std::cmp::Ordering;

use super::{Kind, shown::whole};
use crate::{
    db::{Conn, DbError},
    scim::{
        ScimError,
        cursor::{Cursor, CursorQuery},
        filter::{self, Filter, Literal, Operator, fold, matches},
        query::ListQuery,
        resource::Object,
        sort::SortKey,
    },
    tables::scim_resources::{self, ScimResource},
};

/// Rows that one statement of a scan reads.
const PAGE: usize = 1_000;
/// The most resources that an order by an attribute sorts.
const MOST_SORTED: usize = 100_000;

/// One page of a list.
#[derive(Debug)]
pub struct Page {
    /// The number of resources that satisfy the filter; `None` in a page by cursor that did not count them.
    pub total: Option<usize>,
    /// The resources.
    pub resources: Vec<ScimResource>,
    /// The cursor of the next page, if there is one.
    pub next_cursor: Option<String>,
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The query is refused.
    #[error("{0}")]
    Refused(#[from] ScimError),
    /// The database failed.
    #[error("{0}")]
    Database(#[from] DbError),
}

impl From<diesel::result::Error> for ListError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Database(error.into())
    }
}

/// The list that a client wants.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// The directory.
    pub directory_id: &'a str,
    /// The kind of the resources.
    pub kind: Kind,
    /// The parameters.
    pub query: &'a ListQuery,
    /// The address of the directory.
    pub base: &'a str,
    /// A secret of the client's token, for cursors.
    pub key: &'a [u8],
    /// The time in seconds.
    pub now: i64,
}

/// Reads one page.
pub fn list(conn: &mut Conn, wanted: &Wanted<'_>) -> Result<Page, ListError> {
    let of = wanted.kind.resource_type();
    let filter = wanted.query.filter.as_deref().map(|text| filter::parse(of, text)).transpose()?;
    let by = wanted.query.sort_by.as_deref();
    let sort = by.map(|name| SortKey::of(of, name, wanted.query.descending)).transpose()?;
    match (&wanted.query.cursor, sort) {
        (Some(_), Some(_)) => {
            Err(ScimError::value("a list by cursor has the order of the ids; leave out sortBy").into())
        }
        (Some(text), None) => by_cursor(conn, wanted, filter.as_ref(), text),
        (None, Some(sort)) => sorted(conn, wanted, filter.as_ref(), &sort),
        (None, None) => by_index(conn, wanted, filter.as_ref()),
    }
}

fn by_index(conn: &mut Conn, wanted: &Wanted<'_>, filter: Option<&Filter>) -> Result<Page, ListError> {
    let (start, count) = (wanted.query.start(), wanted.query.page_size());
    let Some(filter) = filter else {
        let total = scim_resources::count(conn, wanted.directory_id, wanted.kind.code())?;
        let of = (wanted.directory_id, wanted.kind.code());
        let resources = match count {
            0 => Vec::new(),
            count => scim_resources::page(conn, of, "", start - 1, count)?,
        };
        return Ok(Page { total: Some(total), resources, next_cursor: None });
    };
    let (mut total, mut resources) = (0, Vec::new());
    each(conn, wanted, Some(filter), "", |resource, _| {
        total += 1;
        if total >= start && resources.len() < count {
            resources.push(resource);
        }
        true
    })?;
    Ok(Page { total: Some(total), resources, next_cursor: None })
}

fn sorted(
    conn: &mut Conn,
    wanted: &Wanted<'_>,
    filter: Option<&Filter>,
    sort: &SortKey,
) -> Result<Page, ListError> {
    let (start, count) = (wanted.query.start(), wanted.query.page_size());
    let mut found: Vec<(Object, String)> = Vec::new();
    let name = sort.name();
    each(conn, wanted, filter, "", |resource, whole| {
        // Only the value that orders is needed.
        let key = name.urn.as_deref().unwrap_or(&name.attribute);
        let mut part = Object::new();
        if let Some(value) = whole.get(key) {
            part.insert(key.to_owned(), value.clone());
        }
        found.push((part, resource.id));
        found.len() <= MOST_SORTED
    })?;
    if found.len() > MOST_SORTED {
        return Err(ScimError::bad(
            "tooMany",
            format!("more than {MOST_SORTED} resources cannot be sorted; add a filter, or leave out sortBy"),
        )
        .into());
    }
    let order = |a: &(Object, String), b: &(Object, String)| match sort.compare(&a.0, &b.0) {
        Ordering::Equal => a.1.cmp(&b.1),
        order => order,
    };
    found.sort_by(order);
    let ids: Vec<&str> = found.iter().skip(start - 1).take(count).map(|(_, id)| id.as_str()).collect();
    let mut rows = scim_resources::by_ids(conn, wanted.directory_id, &ids)?;
    rows.sort_by_key(|row| ids.iter().position(|id| *id == row.id));
    Ok(Page { total: Some(found.len()), resources: rows, next_cursor: None })
}

fn by_cursor(
    conn: &mut Conn,
    wanted: &Wanted<'_>,
    filter: Option<&Filter>,
    text: &str,
) -> Result<Page, ListError> {
    let count = wanted.query.page_size();
    let query = format!(
        "{}/{:?}?{}",
        wanted.directory_id,
        wanted.kind,
        wanted.query.filter.as_deref().unwrap_or_default()
    );
    let of = CursorQuery { key: wanted.key, query: &query };
    let after = match text {
        "" => String::new(),
        text => Cursor::read(text, of, count, wanted.now)?.after,
    };
    // One more than the page tells whether there is a next one.
    let mut resources: Vec<ScimResource> = Vec::new();
    if count > 0 {
        each(conn, wanted, filter, &after, |resource, _| {
            resources.push(resource);
            resources.len() <= count
        })?;
    }
    let has_more = resources.len() > count;
    resources.truncate(count);
    let last = resources.last().filter(|_| has_more);
    let next_cursor =
        last.map(|last| Cursor { made_at: wanted.now, count, after: last.id.clone() }.to_text(of));
    let total = match (text, filter) {
        ("", None) => Some(scim_resources::count(conn, wanted.directory_id, wanted.kind.code())?),
        _ => None,
    };
    Ok(Page { total, resources, next_cursor })
}

/// Calls `found` for each resource that satisfies the filter, in the order of the ids, until it returns false.
fn each(
    conn: &mut Conn,
    wanted: &Wanted<'_>,
    filter: Option<&Filter>,
    after: &str,
    mut found: impl FnMut(ScimResource, &Object) -> bool,
) -> Result<(), ListError> {
    let kind = wanted.kind.code();
    let mut visit = |rows: Vec<ScimResource>| {
        rows.into_iter().all(|row| {
            let whole = whole(&row, wanted.base);
            if filter.is_none_or(|filter| matches(filter, &whole)) { found(row, &whole) } else { true }
        })
    };
    if let Some(key) = filter.and_then(|filter| key_of(wanted.kind, filter)) {
        let directory_id = wanted.directory_id;
        let mut rows = match &key {
            Key::Id(id) => scim_resources::by_ids(conn, directory_id, &[id])?,
            Key::UserName(name) => scim_resources::by_user_names(conn, directory_id, &[name])?,
            Key::ExternalId(id) => scim_resources::by_external_ids(conn, directory_id, &[id])?,
            Key::Display(name) => scim_resources::by_display(conn, directory_id, &[name])?,
        };
        rows.retain(|row| row.kind == kind && !row.deleted && row.id.as_str() > after);
        rows.sort_by(|a, b| a.id.cmp(&b.id));
        visit(rows);
        return Ok(());
    }
    let mut after = after.to_owned();
    loop {
        let rows = scim_resources::page(conn, (wanted.directory_id, kind), &after, 0, PAGE)?;
        let is_last = rows.len() < PAGE;
        after = rows.last().map(|row| row.id.clone()).unwrap_or_default();
        if !visit(rows) || is_last {
            return Ok(());
        }
    }
}

/// A key by which an index finds all resources that can satisfy a filter.
enum Key {
    Id(String),
    UserName(String),
    ExternalId(String),
    Display(String),
}

fn key_of(kind: Kind, filter: &Filter) -> Option<Key> {
    match filter {
        Filter::And(parts) => parts.iter().find_map(|part| key_of(kind, part)),
        Filter::Compare(place, Operator::Eq, Literal::Text(text)) if place.name.urn.is_none() => {
            match (place.name.attribute.as_str(), kind) {
                ("id", _) => Some(Key::Id(text.clone())),
                ("externalId", _) => Some(Key::ExternalId(text.clone())),
                ("userName", Kind::User) => Some(Key::UserName(fold(text.trim()))),
                ("displayName", Kind::Group) => Some(Key::Display(fold(text.trim()))),
                _ => None,
            }
        }
        _ => None,
    }
}
