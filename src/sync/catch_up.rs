//! Reads events that no webhook delivered from the API into the inbox. The cursor is stored in the transaction that
//! stores the page: after a crash the page is read again, and its events are duplicates.

use crate::{
    broker::{
        Source,
        api::{EventLabel, From, LONGEST_RANGE_SECONDS, Page, Question},
    },
    db::{Database, DbError},
    inbox::{Delivery, Stored, insert::append_within, listing},
    runtime::clock::Timestamp,
    tables::{
        event_cursors::{self, Cursor},
        polled_events,
    },
};

use super::client::{ApiError, Client};

/// The API may return an event some seconds late. So the cursor stays this far behind the broker's clock.
const OVERLAP_SECONDS: i64 = 60;

/// When the API refuses a cursor, reading begins this far before it.
const BEFORE_CURSOR_SECONDS: i64 = 600;

/// Where reading begins at the first start. The broker retries webhooks for three days. With an empty database only the
/// last minutes are read, so that past changes cause no notices.
const FIRST_SECONDS: i64 = 3 * 86_400;
const FIRST_WHEN_EMPTY_SECONDS: i64 = 600;

/// More pages than thirty days of events have. A server with more pages repeats them.
const MOST_PAGES: u32 = 100_000;

#[derive(Debug, thiserror::Error)]
pub enum PollError {
    #[error("{0}")]
    Api(#[from] ApiError),
    #[error("{0}")]
    Database(#[from] DbError),
}

/// The result of one read of the events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Polled {
    pub read: u64,
    /// Events that no webhook had delivered yet.
    pub new: u64,
    /// The events were not in the order of their times.
    pub out_of_order: bool,
    /// The API refused the cursor.
    pub expired: bool,
    /// The last read is longer ago than the API keeps events: some are lost, and only a comparison finds their changes.
    pub too_late: bool,
}

/// Reads all events since the last read. `now` is this service's clock.
pub fn poll(database: &Database, client: &Client, now: Timestamp) -> Result<Polled, PollError> {
    let source = Source::EVENTS;
    let (known, empty) = database
        .read::<_, DbError>(|conn| Ok((event_cursors::of(conn, source.name())?, listing::is_empty(conn)?)))?;
    if client.broker_now().is_none() {
        // Reading begins by the broker's clock, because this service's clock may be wrong.
        client.page(&Question::clock())?;
    }
    let first = if empty { FIRST_WHEN_EMPTY_SECONDS } else { FIRST_SECONDS };
    let mut cursor = known.clone().unwrap_or_else(|| Cursor {
        event: None,
        at: client.broker_now().unwrap_or(now).plus_seconds(-first),
        polled_at: now,
    });
    let mut polled = Polled::default();
    let earliest = client.broker_now().unwrap_or(now).plus_seconds(-LONGEST_RANGE_SECONDS);
    polled.too_late = cursor.event.is_none() && cursor.at < earliest;
    let mut from = match &cursor.event {
        Some(event) => From::After(event.clone()),
        None => From::Time(cursor.at.max(earliest)),
    };
    let floor = cursor.at;
    let mut order = Order::after(cursor.event.is_some().then_some(cursor.at));
    for _ in 0..MOST_PAGES {
        let page = match client.page(&Question::events(&from)) {
            // The event is expired, or the API never knew it.
            Err(error) if error.status() == Some(400) && from == after(&cursor) => {
                polled.expired = true;
                let by_time = cursor.at.plus_seconds(-BEFORE_CURSOR_SECONDS);
                polled.too_late = by_time < earliest;
                from = From::Time(by_time.max(earliest));
                order = Order::after(None);
                cursor.event = None;
                continue;
            }
            page => page?,
        };
        let labels: Vec<EventLabel> = page.data.iter().filter_map(|raw| EventLabel::of(raw.get())).collect();
        for label in &labels {
            order.see(label.at());
        }
        if order.is_broken {
            // An event has no position in an unordered list.
            cursor.event = None;
        } else if let Some(settled) = settled(&labels, client.broker_now(), &order) {
            (cursor.event, cursor.at) =
                (Some(settled.id.clone()), settled.at().unwrap_or(cursor.at).max(cursor.at));
        }
        cursor.polled_at = now;
        polled.read += page.data.len() as u64;
        polled.new += store(database, source, &page, &cursor, now)?;
        let oldest = labels.iter().filter_map(EventLabel::at).min();
        let done =
            order.is_broken && oldest.is_some_and(|oldest| oldest < floor.plus_seconds(-OVERLAP_SECONDS));
        let next = page.next().map(|next| From::After(next.to_owned()));
        match next {
            Some(next) if !page.data.is_empty() && next != from && !done => from = next,
            _ => break,
        }
    }
    if order.is_broken {
        polled.out_of_order = true;
        // The whole window has been read. The next read begins shortly before its end.
        let newest = order.newest.unwrap_or(cursor.at);
        let end = client.broker_now().map_or(newest, |now| now.min(newest));
        cursor.at = cursor.at.max(end.plus_seconds(-OVERLAP_SECONDS));
    }
    database.write::<_, DbError>(|conn| Ok(event_cursors::advance(conn, source.name(), &cursor)?))?;
    Ok(polled)
}

fn after(cursor: &Cursor) -> From {
    cursor.event.clone().map_or(From::Time(cursor.at), From::After)
}

fn store(
    database: &Database,
    source: Source,
    page: &Page,
    cursor: &Cursor,
    now: Timestamp,
) -> Result<u64, DbError> {
    let bodies = page.data.iter().map(|raw| raw.get().as_bytes().to_vec());
    let deliveries: Vec<Delivery> = bodies.map(|body| Delivery::new(source, body.into(), now)).collect();
    database.write::<_, DbError>(|conn| {
        let stored = append_within(conn, &deliveries)?;
        let new: Vec<&str> = deliveries
            .iter()
            .zip(&stored)
            .filter(|(_, stored)| **stored != Stored::Duplicate)
            .map(|(delivery, _)| delivery.label.key.as_str())
            .collect();
        polled_events::add(conn, &new, now)?;
        event_cursors::advance(conn, source.name(), cursor)?;
        Ok(new.len() as u64)
    })
}

/// The newest event of a page that no later event can precede: the order is known, and the time for late events is
/// over.
fn settled<'a>(
    labels: &'a [EventLabel],
    broker_now: Option<Timestamp>,
    order: &Order,
) -> Option<&'a EventLabel> {
    let until = broker_now?.plus_seconds(-OVERLAP_SECONDS);
    labels.iter().rev().find(|label| label.at().is_some_and(|at| at <= until)).filter(|_| order.is_known)
}

/// The order of the events, as their times show it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Order {
    last: Option<Timestamp>,
    newest: Option<Timestamp>,
    /// A time was later than the one before.
    is_known: bool,
    /// A time was earlier than the one before.
    is_broken: bool,
}

impl Order {
    fn after(last: Option<Timestamp>) -> Self {
        Self { last, ..Self::default() }
    }

    fn see(&mut self, at: Option<Timestamp>) {
        let Some(at) = at else { return };
        if let Some(last) = self.last {
            self.is_broken |= at < last;
            self.is_known |= at > last;
        }
        self.last = Some(at);
        self.newest = self.newest.max(Some(at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(seconds: &[i64]) -> Order {
        let mut order = Order::default();
        for second in seconds {
            order.see(Some(Timestamp::from_millis(second * 1_000)));
        }
        order
    }

    #[test]
    fn an_order_is_known_when_time_went_on_and_broken_when_it_went_back() {
        for (times, known, broken) in [
            (&[][..], false, false),
            (&[5], false, false),
            (&[5, 5], false, false),
            (&[5, 6], true, false),
            (&[6, 5], false, true),
            (&[5, 6, 6, 5], true, true),
        ] {
            let order = seen(times);
            assert_eq!((order.is_known, order.is_broken), (known, broken), "{times:?}");
        }
    }

    #[test]
    fn the_cursor_is_a_minute_behind_the_broker_and_waits_for_a_known_order() {
        let label = |id: &str, second: i64| {
            let at = Timestamp::from_millis(second * 1_000);
            EventLabel::of(&format!(r#"{{"id":"{id}","created_at":"{at}"}}"#)).unwrap()
        };
        let labels = [label("a", 100), label("b", 140), label("c", 141)];
        let now = |second: i64| Some(Timestamp::from_millis(second * 1_000));
        let id = |now, order| settled(&labels, now, &order).map(|label| label.id.clone());
        assert_eq!(id(now(200), seen(&[100, 140, 141])).as_deref(), Some("b"));
        assert_eq!(id(now(150), seen(&[100, 140, 141])), None);
        assert_eq!(id(now(999), seen(&[100])), None);
        assert_eq!(id(None, seen(&[100, 140, 141])), None);
    }
}
