//! Table `consumers`: programs that read the feed, each with the last record that it has processed.

use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, Queryable, RunQueryDsl};

use super::head::FeedHead;
use crate::{
    db::{Conn, bulk::Rows, schema::consumers},
    runtime::clock::Timestamp,
};

/// A program that reads the feed.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct Consumer {
    /// Its name.
    pub name: String,
    /// The last record that it has processed.
    pub seq: i64,
    /// The time when it was added, in microseconds since 1970.
    pub created_at: i64,
    /// The time of its last confirmation, or of its addition.
    pub confirmed_at: i64,
}

impl Consumer {
    /// The number of records that it has not processed yet.
    pub fn lag(&self, head: FeedHead) -> i64 {
        (head.seq - self.seq).max(0)
    }

    /// Records that it has not processed were deleted.
    pub fn is_overtaken(&self, head: FeedHead) -> bool {
        self.seq + 1 < head.first_seq
    }
}

/// All consumers, sorted by name.
pub fn all(conn: &mut Conn) -> QueryResult<Vec<Consumer>> {
    consumers::table.order(consumers::name).load(conn)
}

/// The consumer with this name.
pub fn get(conn: &mut Conn, name: &str) -> QueryResult<Option<Consumer>> {
    consumers::table.find(name).first(conn).optional()
}

/// Adds a consumer. Returns false if the name is known, also if another process has added it meanwhile.
pub fn add(conn: &mut Conn, name: &str, seq: i64, now: Timestamp) -> QueryResult<bool> {
    let added = Rows::of(&[name])
        .text("name", |name| name)
        .integer("seq", |_| seq)
        .integer("now", |_| now.micros())
        .execute(
            conn,
            "INSERT INTO consumers (name, seq, created_at, confirmed_at) \
             SELECT r.name, r.seq, r.now, r.now FROM {rows} WHERE true ON CONFLICT DO NOTHING",
        )?;
    Ok(added > 0)
}

/// Stores the last record that a consumer has processed. Returns false if there is no such consumer.
pub fn confirm(conn: &mut Conn, name: &str, seq: i64, now: Timestamp) -> QueryResult<bool> {
    let updated = diesel::update(consumers::table.find(name))
        .set((consumers::seq.eq(seq), consumers::confirmed_at.eq(now.micros())))
        .execute(conn)?;
    Ok(updated > 0)
}

/// Removes a consumer. Returns false if there is none.
pub fn remove(conn: &mut Conn, name: &str) -> QueryResult<bool> {
    Ok(diesel::delete(consumers::table.find(name)).execute(conn)? > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_consumer_is_overtaken_when_its_next_record_is_gone() {
        let consumer = |seq| Consumer { name: "app".into(), seq, created_at: 0, confirmed_at: 0 };
        let head = FeedHead { seq: 9, first_seq: 5 };

        assert_eq!((consumer(4).lag(head), consumer(4).is_overtaken(head)), (5, false));
        assert_eq!((consumer(3).lag(head), consumer(3).is_overtaken(head)), (6, true));
        assert_eq!(consumer(9).lag(head), 0);
        assert!(!consumer(0).is_overtaken(FeedHead { seq: 0, first_seq: 1 }), "nothing was deleted");
    }
}
