//! Why the service does not start.

use std::net::SocketAddr;

use crate::{
    db::{DbError, migrate::MigrateError},
    notify::NotifyError,
    worker::event_poller::ApiReaderError,
};

/// Why the service does not start. The operator reads this text.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No webhook secret is set: no signature could be checked.
    #[error(
        "no webhook secret is set: set WORKOS_WEBHOOK_SECRET (or workos.webhook_secrets) to the secret that the WorkOS dashboard shows for this endpoint"
    )]
    NoSecret,
    /// The schema could not be brought up to date.
    #[error("{0}")]
    Schema(#[from] MigrateError),
    /// The database failed.
    #[error("{0}")]
    Database(#[from] DbError),
    /// The tenancy differs from the stored one.
    #[error(
        "this database was set up with tenancy = \"{was}\"; set it back, or start with an empty database"
    )]
    Tenancy { was: String },
    /// An address could not be bound.
    #[error(
        "cannot listen on {address}: {error}; if another process uses this address, stop it, or set {variable} to another address"
    )]
    Listen { address: SocketAddr, variable: &'static str, error: std::io::Error },
    /// The mail settings cannot work.
    #[error("{0}")]
    Mail(#[from] NotifyError),
    /// The reader of the broker's API could not start.
    #[error("{0}")]
    Api(#[from] ApiReaderError),
    /// The operating system refused a thread or a socket.
    #[error("the service could not start: {0}")]
    System(#[from] std::io::Error),
}

impl StartError {
    /// Whether the next start fails in the same way, until somebody corrects the settings.
    pub fn is_about_settings(&self) -> bool {
        match self {
            Self::NoSecret | Self::Tenancy { .. } | Self::Mail(_) => true,
            Self::Schema(_) | Self::Database(_) | Self::Listen { .. } | Self::Api(_) | Self::System(_) => {
                false
            }
        }
    }
}

impl From<diesel::result::Error> for StartError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Database(error.into())
    }
}
