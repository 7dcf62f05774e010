//! The serialized transaction as a type: a function with this argument is the only writer of the tables.

use std::{
    any::Any,
    ops::{Deref, DerefMut},
};

use diesel::{Connection, QueryResult};

use super::Conn;

/// The connection inside the serialized transaction (docs/decisions/2-one-serialized-transaction.md). Only
/// [`Database::write_serialized`](super::Database::write_serialized) makes one, so a function that takes it cannot run
/// beside another writer. Statements that only read take `&mut Conn`, which it dereferences to.
pub struct Serialized<'a> {
    conn: &'a mut Conn,
    ending: &'a mut Ending,
}

/// What the change feed gets from the serialized transactions of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recording {
    /// Nothing: a temporary database has no readers.
    Off,
    /// The records.
    Silent,
    /// The records and, on PostgreSQL, a notification.
    Notifying,
}

/// Work that is done once, as the last statements of the transaction. It is installed by the first function that needs it.
pub trait AtEnd: Any {
    /// Does the work. An error rolls the transaction back.
    fn finish(&mut self, conn: &mut Conn, recording: Recording) -> QueryResult<()>;
}

/// The work at the end of one transaction.
pub(super) struct Ending {
    recording: Recording,
    work: Option<Box<dyn AtEnd>>,
}

impl Ending {
    pub(super) fn new(recording: Recording) -> Self {
        Self { recording, work: None }
    }

    pub(super) fn finish(&mut self, conn: &mut Conn) -> QueryResult<()> {
        match &mut self.work {
            Some(work) => work.finish(conn, self.recording),
            None => Ok(()),
        }
    }
}

impl<'a> Serialized<'a> {
    pub(super) fn new(conn: &'a mut Conn, ending: &'a mut Ending) -> Self {
        Self { conn, ending }
    }

    /// Runs in a savepoint, so that the transaction goes on after an error. The work at the end remains that of the whole
    /// transaction.
    pub(super) fn savepoint<T>(
        &mut self,
        run: impl FnOnce(&mut Serialized<'_>) -> QueryResult<T>,
    ) -> QueryResult<T> {
        let Self { conn, ending } = self;
        conn.transaction(|conn| run(&mut Serialized::new(conn, ending)))
    }

    /// The work at the end; the first call installs it. `None` if this database records nothing.
    pub fn at_end<T: AtEnd + Default>(&mut self) -> Option<&mut T> {
        if self.ending.recording == Recording::Off {
            return None;
        }
        let work = self.ending.work.get_or_insert_with(|| Box::<T>::default());
        let work: &mut dyn Any = work.as_mut();
        work.downcast_mut()
    }
}

impl Deref for Serialized<'_> {
    type Target = Conn;

    fn deref(&self) -> &Conn {
        self.conn
    }
}

impl DerefMut for Serialized<'_> {
    fn deref_mut(&mut self) -> &mut Conn {
        self.conn
    }
}
