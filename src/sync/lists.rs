//! Reads a list page by page, to its end or to the first failure.

use serde_json::value::RawValue;

use super::client::{ApiError, Client};
use crate::broker::api::{Listed, Page, Question};

/// More pages than the largest directory has. A server with more pages repeats them.
const MOST_PAGES: u32 = 200_000;

/// An object of a list: the original text, and the fields that all objects have.
pub struct Item {
    pub listed: Listed,
    pub raw: Box<RawValue>,
}

/// Gives each page to `take`. After an error the list is incomplete, even if pages were taken.
pub fn read<E: From<ApiError>>(
    client: &Client,
    question: impl Fn(Option<&str>) -> Question,
    mut take: impl FnMut(Vec<Item>) -> Result<(), E>,
) -> Result<(), E> {
    let mut after: Option<String> = None;
    for _ in 0..MOST_PAGES {
        let page: Page = client.page(&question(after.as_deref()))?;
        let next = page.next().map(str::to_owned);
        let is_empty = page.data.is_empty();
        take(items(page)?)?;
        match next {
            None => return Ok(()),
            Some(_) if is_empty => return Ok(()),
            next if next == after => return Err(endless().into()),
            next => after = next,
        }
    }
    Err(endless().into())
}

fn endless() -> ApiError {
    ApiError::Unreadable("the pages of the list repeat without an end".to_owned())
}

/// An object that cannot be read would seem absent, so it is an error.
fn items(page: Page) -> Result<Vec<Item>, ApiError> {
    let item = |raw: Box<RawValue>| match Listed::of(raw.get()) {
        Some(listed) if !listed.id.is_empty() => Ok(Item { listed, raw }),
        _ => Err(ApiError::Unreadable("an object of the list has no id".to_owned())),
    };
    page.data.into_iter().map(item).collect()
}
