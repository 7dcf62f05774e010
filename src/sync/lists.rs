//! A list, page by page, to its end or to what broke it off.

use serde_json::value::RawValue;

use super::client::{ApiError, Client};
use crate::broker::api::{Listed, Page, Question};

/// More pages than the largest directory has; whatever answers so much goes in a circle.
const MOST_PAGES: u32 = 200_000;

/// An object of a list: as it was written, and what is known of it at once.
pub struct Item {
    pub listed: Listed,
    pub raw: Box<RawValue>,
}

/// Gives each page to `take`. An error means that the list is not complete, whatever was taken of it.
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
            next if next == after => return Err(circle().into()),
            next => after = next,
        }
    }
    Err(circle().into())
}

fn circle() -> ApiError {
    ApiError::Unreadable("the list does not come to its end".to_owned())
}

/// One that cannot be read would otherwise seem absent.
fn items(page: Page) -> Result<Vec<Item>, ApiError> {
    let item = |raw: Box<RawValue>| match Listed::of(raw.get()) {
        Some(listed) if !listed.id.is_empty() => Ok(Item { listed, raw }),
        _ => Err(ApiError::Unreadable("an object of the list has no id".to_owned())),
    };
    page.data.into_iter().map(item).collect()
}
