//! Limits the number of open connections below the limit of open files, so that files remain for the database, the admin
//! listener and mail.

/// Other open files: listeners, logs, mail, and those of the runtime.
const OTHER_FILES: u64 = 64;

/// A SQLite connection opens the database, its log and the index of the log. A PostgreSQL connection needs one socket.
const FILES_OF_A_DATABASE_CONNECTION: u64 = 3;

/// Connections to the admin listener: metrics collectors and operators.
pub(super) const ADMIN_CONNECTIONS: usize = 32;

/// The lowest limit: with a very low limit of files, the broker can still connect.
const FEWEST: usize = 8;

/// Raises the soft limit of open files to the hard limit. Returns the limit that is in force.
#[cfg(unix)]
pub fn raise_file_limit() -> u64 {
    rlimit::increase_nofile_limit(u64::MAX)
        .inspect_err(|error| tracing::warn!(error = %error, "the limit of open files could not be raised"))
        .or_else(|_| rlimit::Resource::NOFILE.get_soft())
        // If the limit is unknown, only the setting limits the connections.
        .unwrap_or(u64::MAX)
}

/// Without such a limit on this system.
#[cfg(not(unix))]
pub fn raise_file_limit() -> u64 {
    u64::MAX
}

/// The number of connections for the public listener: `wanted`, or fewer if `files` allows fewer. Pure.
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
