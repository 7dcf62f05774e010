//! A value that one thread replaces while others read it.

use std::sync::Arc;

use parking_lot::RwLock;

/// Cheap to clone; all clones are one place.
pub struct Shared<T>(Arc<RwLock<Arc<T>>>);

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Shared<T> {
    /// A place with this value.
    pub fn new(value: T) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(value))))
    }

    /// The value now. It stays with its reader, also when it is replaced.
    pub fn get(&self) -> Arc<T> {
        self.0.read().clone()
    }

    /// Replaces the value for all later readers.
    pub fn replace(&self, value: T) {
        *self.0.write() = Arc::new(value);
    }
}
