//! Lists: a filter, an order and a page over the resources of a directory or a tenant.
//!
//! A filter with an exact comparison of a key (`userName eq`, `externalId eq`, `id eq`, a group's `displayName eq`) reads
//! few rows by an index. Others read all resources in pages, so the memory does not grow with their number; only an order
//! by an attribute needs the values of all found resources at once, and is bounded.

use std::cmp::Ordering;

use super::Kind;
use crate::{
    db::{Conn, DbError},
    scim::{
        ScimError,
        cursor::{Cursor, CursorQuery},
        filter::{self, Filter, Literal, Operator, matches},
        query::ListQuery,
        resource::Object,
        schema::ResourceType,
        sort::SortKey,
    },
};

/// Resources that one statement of a scan reads.
const PAGE: usize = 1_000;
/// The most resources that an order by an attribute sorts.
const MOST_SORTED: usize = 100_000;

/// A resource of a list.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The id, by which lists are in order.
    pub id: String,
    /// The whole resource. The members of a group are missing.
    pub whole: Object,
}

/// The resources of one kind and one owner.
pub trait Listed {
    /// Their type.
    fn resource_type(&self) -> &ResourceType;

    /// The number of all.
    fn count(&self, conn: &mut Conn) -> Result<usize, DbError>;

    /// In the order of the ids, after `after` and `skip` more.
    fn page(&self, conn: &mut Conn, after: &str, skip: usize, limit: usize) -> Result<Vec<Entry>, DbError>;

    /// Those with a key; `None` if no index has this key.
    fn of_key(&self, conn: &mut Conn, key: &Key) -> Result<Option<Vec<Entry>>, DbError>;
}

/// A key by which an index may find all resources that can satisfy a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// These ids.
    Ids(Vec<String>),
    /// A user's login name.
    UserName(String),
    /// The id that the identity provider uses.
    ExternalId(String),
    /// A group's name.
    Display(String),
}

/// One page of a list.
#[derive(Debug)]
pub struct Page {
    /// The number of resources that satisfy the filter; `None` in a page by cursor that did not count them.
    pub total: Option<usize>,
    /// The resources.
    pub entries: Vec<Entry>,
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
    /// The name of the list; cursors belong to it.
    pub name: &'a str,
    /// The kind of the resources.
    pub kind: Kind,
    /// The parameters.
    pub query: &'a ListQuery,
    /// A secret of the client's token, for cursors.
    pub key: &'a [u8],
    /// The time in seconds.
    pub now: i64,
}

/// Reads one page.
pub fn list(conn: &mut Conn, listed: &impl Listed, wanted: &Wanted<'_>) -> Result<Page, ListError> {
    let of = listed.resource_type();
    let filter = wanted.query.filter.as_deref().map(|text| filter::parse(of, text)).transpose()?;
    let by = wanted.query.sort_by.as_deref();
    let sort = by.map(|name| SortKey::of(of, name, wanted.query.descending)).transpose()?;
    match (&wanted.query.cursor, sort) {
        (Some(_), Some(_)) => {
            Err(ScimError::value("a list by cursor has the order of the ids; leave out sortBy").into())
        }
        (Some(text), None) => by_cursor(conn, listed, wanted, filter.as_ref(), text),
        (None, Some(sort)) => sorted(conn, listed, wanted, filter.as_ref(), &sort),
        (None, None) => by_index(conn, listed, wanted, filter.as_ref()),
    }
}

fn by_index(
    conn: &mut Conn,
    listed: &impl Listed,
    wanted: &Wanted<'_>,
    filter: Option<&Filter>,
) -> Result<Page, ListError> {
    let (start, count) = (wanted.query.start(), wanted.query.page_size());
    let Some(filter) = filter else {
        let total = listed.count(conn)?;
        let entries = match count {
            0 => Vec::new(),
            count => listed.page(conn, "", start - 1, count)?,
        };
        return Ok(Page { total: Some(total), entries, next_cursor: None });
    };
    let (mut total, mut entries) = (0, Vec::new());
    each(conn, listed, wanted.kind, Some(filter), "", |entry| {
        total += 1;
        if total >= start && entries.len() < count {
            entries.push(entry);
        }
        true
    })?;
    Ok(Page { total: Some(total), entries, next_cursor: None })
}

fn sorted(
    conn: &mut Conn,
    listed: &impl Listed,
    wanted: &Wanted<'_>,
    filter: Option<&Filter>,
    sort: &SortKey,
) -> Result<Page, ListError> {
    let (start, count) = (wanted.query.start(), wanted.query.page_size());
    let mut found: Vec<(Object, String)> = Vec::new();
    let key = sort.name().urn.as_deref().unwrap_or(&sort.name().attribute);
    each(conn, listed, wanted.kind, filter, "", |mut entry| {
        // Only the value that orders is needed.
        let value = entry.whole.remove(key);
        found.push((value.map(|value| (key.to_owned(), value)).into_iter().collect(), entry.id));
        found.len() <= MOST_SORTED
    })?;
    if found.len() > MOST_SORTED {
        return Err(ScimError::bad(
            "tooMany",
            format!("more than {MOST_SORTED} resources cannot be sorted; add a filter, or leave out sortBy"),
        )
        .into());
    }
    found.sort_by(|a, b| match sort.compare(&a.0, &b.0) {
        Ordering::Equal => a.1.cmp(&b.1),
        order => order,
    });
    let ids: Vec<String> = found.iter().skip(start - 1).take(count).map(|(_, id)| id.clone()).collect();
    let mut entries = listed.of_key(conn, &Key::Ids(ids.clone()))?.unwrap_or_default();
    entries.sort_by_key(|entry| ids.iter().position(|id| *id == entry.id));
    Ok(Page { total: Some(found.len()), entries, next_cursor: None })
}

fn by_cursor(
    conn: &mut Conn,
    listed: &impl Listed,
    wanted: &Wanted<'_>,
    filter: Option<&Filter>,
    text: &str,
) -> Result<Page, ListError> {
    let count = wanted.query.page_size();
    let query =
        format!("{}/{:?}?{}", wanted.name, wanted.kind, wanted.query.filter.as_deref().unwrap_or_default());
    let of = CursorQuery { key: wanted.key, query: &query };
    let after = match text {
        "" => String::new(),
        text => Cursor::read(text, of, count, wanted.now)?.after,
    };
    // One more than the page tells whether there is a next one.
    let mut entries: Vec<Entry> = Vec::new();
    if count > 0 {
        each(conn, listed, wanted.kind, filter, &after, |entry| {
            entries.push(entry);
            entries.len() <= count
        })?;
    }
    let has_more = entries.len() > count;
    entries.truncate(count);
    let last = entries.last().filter(|_| has_more);
    let next_cursor =
        last.map(|last| Cursor { made_at: wanted.now, count, after: last.id.clone() }.to_text(of));
    let total = match (text, filter) {
        ("", None) => Some(listed.count(conn)?),
        _ => None,
    };
    Ok(Page { total, entries, next_cursor })
}

/// Calls `found` for each resource that satisfies the filter, in the order of the ids, until it returns false.
fn each(
    conn: &mut Conn,
    listed: &impl Listed,
    kind: Kind,
    filter: Option<&Filter>,
    after: &str,
    mut found: impl FnMut(Entry) -> bool,
) -> Result<(), ListError> {
    let satisfies = |entry: &Entry| filter.is_none_or(|filter| matches(filter, &entry.whole));
    let mut visit = |entries: Vec<Entry>| {
        entries.into_iter().all(|entry| if satisfies(&entry) { found(entry) } else { true })
    };
    if let Some(key) = filter.and_then(|filter| key_of(kind, filter))
        && let Some(mut entries) = listed.of_key(conn, &key)?
    {
        entries.retain(|entry| entry.id.as_str() > after);
        entries.sort_by(|a, b| a.id.cmp(&b.id));
        visit(entries);
        return Ok(());
    }
    let mut after = after.to_owned();
    loop {
        let entries = listed.page(conn, &after, 0, PAGE)?;
        let is_last = entries.len() < PAGE;
        after = entries.last().map(|entry| entry.id.clone()).unwrap_or_default();
        if !visit(entries) || is_last {
            return Ok(());
        }
    }
}

fn key_of(kind: Kind, filter: &Filter) -> Option<Key> {
    match filter {
        Filter::And(parts) => parts.iter().find_map(|part| key_of(kind, part)),
        Filter::Compare(place, Operator::Eq, Literal::Text(text)) if place.name.urn.is_none() => {
            match (place.name.attribute.as_str(), kind) {
                ("id", _) => Some(Key::Ids(vec![text.clone()])),
                ("externalId", _) => Some(Key::ExternalId(text.clone())),
                ("userName", Kind::User) => Some(Key::UserName(text.clone())),
                ("displayName", Kind::Group) => Some(Key::Display(text.clone())),
                _ => None,
            }
        }
        _ => None,
    }
}
