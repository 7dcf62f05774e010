//! The serialized transaction as a type: a function with this argument is the only writer of the tables.

use std::ops::{Deref, DerefMut};

use super::Conn;

/// The connection inside the serialized transaction (docs/decisions/2-one-serialized-transaction.md). Only
/// [`Database::write_serialized`](super::Database::write_serialized) makes one, so a function that takes it cannot run
/// beside another writer. Statements that only read take `&mut Conn`, which it dereferences to.
pub struct Serialized<'a>(&'a mut Conn);

impl<'a> Serialized<'a> {
    pub(super) fn new(conn: &'a mut Conn) -> Self {
        Self(conn)
    }
}

impl Deref for Serialized<'_> {
    type Target = Conn;

    fn deref(&self) -> &Conn {
        self.0
    }
}

impl DerefMut for Serialized<'_> {
    fn deref_mut(&mut self) -> &mut Conn {
        self.0
    }
}
