//! How many connections may be open at once: fewer than the process may have files, so that the database, the admin
//! listener and the mail always find one free.

/// Files beside connections and the database: listeners, logs, mail, the runtime's own.
const OTHER_FILES: u64 = 64;

/// A SQLite connection has the database, its log and its index open; one to PostgreSQL a socket.
const FILES_OF_A_DATABASE_CONNECTION: u64 = 3;

/// Connections to the admin listener: a Prometheus or two, and somebody who looks.
pub(super) const ADMIN_CONNECTIONS: usize = 32;

/// Even at a ridiculous limit of files the broker is let in, a few connections at a time.
const FEWEST: usize = 8;

/// Raises the soft limit of open files to the hard one, and returns it; where it cannot be raised, the one that holds.
#[cfg(unix)]
pub fn raise_file_limit() -> u64 {
    rlimit::increase_nofile_limit(u64::MAX)
        .inspect_err(|error| tracing::warn!(error = %error, "the limit of open files could not be raised"))
        .or_else(|_| rlimit::Resource::NOFILE.get_soft())
        // Not known: then the setting alone is the bound.
        .unwrap_or(u64::MAX)
}

/// There is no such limit.
#[cfg(not(unix))]
pub fn raise_file_limit() -> u64 {
    u64::MAX
}

/// How many connections the public listener may have, of `wanted`. Pure.
pub fn public_connections(wanted: usize, files: u64, database_connections: u32) -> usize {
    let database =
        u64::from(database_connections).saturating_add(1).saturating_mul(FILES_OF_A_DATABASE_CONNECTION);
    let reserved = database.saturating_add(OTHER_FILES).saturating_add(ADMIN_CONNECTIONS as u64);
    let free = usize::try_from(files.saturating_sub(reserved)).unwrap_or(usize::MAX);
    wanted.min(free).max(FEWEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_stay_below_the_files_with_a_reserve() {
        assert_eq!(public_connections(8_192, 1_048_576, 8), 8_192);
        assert_eq!(public_connections(8_192, u64::MAX, u32::MAX), 8_192);
        assert_eq!(public_connections(8_192, 1_024, 8), 1_024 - 27 - 64 - 32);
        assert_eq!(public_connections(8_192, 10, 8), FEWEST);
        assert_eq!(public_connections(0, 1_024, 8), FEWEST);
    }
}
