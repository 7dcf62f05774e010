//! The parameters of a list: from a query string, or from a search message (RFC 7644 3.4.2 and 3.4.3, RFC 9865).

use serde_json::Value;

use super::{ScimError, name::get, resource::Object};

/// The URN of a search message.
pub const SEARCH: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";
/// The URN of a list.
pub const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
/// The number of resources in a page if the client asks for no other.
pub const DEFAULT_COUNT: usize = 100;
/// The highest number of resources in a page.
pub const MOST_COUNT: usize = 1_000;

/// The parameters. Unknown ones are ignored.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListQuery {
    /// The condition.
    pub filter: Option<String>,
    /// The attribute that orders the list.
    pub sort_by: Option<String>,
    /// Whether the order is descending.
    pub descending: bool,
    /// The position of the first resource, from 1.
    pub start_index: Option<i64>,
    /// The wanted number of resources.
    pub count: Option<i64>,
    /// The cursor; empty for the first page by cursor.
    pub cursor: Option<String>,
    /// The attributes of the answer.
    pub attributes: Vec<String>,
    /// The attributes that the answer does not have.
    pub excluded: Vec<String>,
}

impl ListQuery {
    /// From pairs of a query string, whose escapes are decoded.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, ScimError> {
        let mut query = Self::default();
        for (key, value) in pairs {
            let text = || (!value.trim().is_empty()).then(|| value.to_owned());
            match key.to_ascii_lowercase().as_str() {
                "filter" => query.filter = text(),
                "sortby" => query.sort_by = text(),
                "sortorder" => query.descending = descending(value)?,
                "startindex" => query.start_index = number(key, value)?,
                "count" => query.count = number(key, value)?,
                "cursor" => query.cursor = Some(value.to_owned()),
                "attributes" => query.attributes = names(value),
                "excludedattributes" => query.excluded = names(value),
                _ => {}
            }
        }
        query.checked()
    }

    /// From the body of a search.
    pub fn from_body(body: &Object) -> Result<Self, ScimError> {
        let is_search = match get(body, "schemas") {
            Some(Value::Array(urns)) if !urns.is_empty() => {
                urns.iter().filter_map(Value::as_str).any(|urn| urn.eq_ignore_ascii_case(SEARCH))
            }
            _ => true,
        };
        if !is_search {
            return Err(ScimError::syntax(format!("the message is not {SEARCH}")));
        }
        let text = |key| get(body, key).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
        let integer = |key| match get(body, key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Number(value)) => match value.as_i64() {
                Some(value) => Ok(Some(value)),
                None => number(key, &value.to_string()),
            },
            Some(Value::String(text)) => number(key, text),
            Some(_) => Err(ScimError::value(format!("{key} is not a number"))),
        };
        let list = |key| match get(body, key) {
            Some(Value::Array(entries)) => {
                entries.iter().filter_map(Value::as_str).map(str::to_owned).collect()
            }
            Some(Value::String(text)) => names(text),
            _ => Vec::new(),
        };
        let query = Self {
            filter: text("filter").map(str::to_owned),
            sort_by: text("sortBy").map(str::to_owned),
            descending: descending(text("sortOrder").unwrap_or_default())?,
            start_index: integer("startIndex")?,
            count: integer("count")?,
            cursor: get(body, "cursor").and_then(Value::as_str).map(str::to_owned),
            attributes: list("attributes"),
            excluded: list("excludedAttributes"),
        };
        query.checked()
    }

    fn checked(self) -> Result<Self, ScimError> {
        match self.cursor.is_some() && self.start_index.is_some() {
            true => Err(ScimError::value("cursor and startIndex exclude each other; use one of them")),
            false => Ok(self),
        }
    }

    /// The position of the first resource, from 1.
    pub fn start(&self) -> usize {
        self.start_index.and_then(|start| usize::try_from(start).ok()).unwrap_or(1).max(1)
    }

    /// The number of resources in a page.
    pub fn page_size(&self) -> usize {
        match self.count {
            None => DEFAULT_COUNT,
            Some(count) => usize::try_from(count).unwrap_or(0).min(MOST_COUNT),
        }
    }
}

fn descending(value: &str) -> Result<bool, ScimError> {
    match value.trim().to_ascii_lowercase().as_str() {
        "" | "ascending" => Ok(false),
        "descending" => Ok(true),
        _ => Err(ScimError::value("sortOrder is not ascending or descending")),
    }
}

fn number(key: &str, value: &str) -> Result<Option<i64>, ScimError> {
    let value = value.trim();
    if value.is_empty() {
        return Ok(None);
    }
    let digits = value.strip_prefix(['-', '+']).unwrap_or(value);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ScimError::value(format!("{key} is not a whole number")));
    }
    // A number that does not fit is larger or smaller than every other.
    let limit = if value.starts_with('-') { i64::MIN } else { i64::MAX };
    Ok(Some(value.parse().unwrap_or(limit)))
}

fn names(value: &str) -> Vec<String> {
    value.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_outside_the_range_are_clamped_and_others_are_refused() {
        let query =
            ListQuery::from_pairs([("startIndex", "-3"), ("COUNT", "-1"), ("", ""), ("x", "y")]).unwrap();
        assert_eq!((query.start(), query.page_size()), (1, 0));
        let query = ListQuery::from_pairs([("startindex", "0"), ("count", "99999999999999999999")]).unwrap();
        assert_eq!((query.start(), query.page_size()), (1, MOST_COUNT));
        assert_eq!(ListQuery::default().page_size(), DEFAULT_COUNT);
        assert_eq!(ListQuery::from_pairs([("count", "abc")]).unwrap_err().scim_type, Some("invalidValue"));
        assert!(ListQuery::from_pairs([("cursor", ""), ("startIndex", "1")]).is_err());
    }

    #[test]
    fn a_search_message_means_the_same_as_a_query_string() {
        let body = json!({
            "schemas": [SEARCH], "filter": "title pr", "attributes": ["userName", "title"], "sortBy": "userName",
            "sortOrder": "descending", "count": 5, "startIndex": 2,
        });
        let pairs = [
            ("filter", "title pr"),
            ("attributes", "userName, title"),
            ("sortBy", "userName"),
            ("sortOrder", "Descending"),
            ("count", "5"),
            ("startIndex", "2"),
        ];
        assert_eq!(
            ListQuery::from_body(body.as_object().unwrap()).unwrap(),
            ListQuery::from_pairs(pairs).unwrap()
        );
    }
}
