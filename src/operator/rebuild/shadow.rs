//! The shadow: a temporary database into which the log is replayed from its beginning.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

use diesel::{ExpressionMethods, QueryDsl, RunQueryDsl, connection::SimpleConnection, dsl::exists};

use super::RebuildError;
use crate::{
    apply::{
        Batch, apply,
        consequences::Consequences,
        parse_batch, recompute,
        users::{Derivation, again},
    },
    audit::row_entries::ChangeCause,
    db::{
        Conn, Database, DbError, Recording, Url,
        migrate::migrate,
        schema::{dead_letters, inbox, inbox_queue},
    },
    decide::{Rules, guard::Extent},
    inbox::queue::{Queued, QueuedBatch},
    runtime::{clock::Timestamp, private_files},
    tables::{directory_moves, manual_grants, mappings, role_holders},
};

/// Deliveries in one step of the replay.
const PAGE: i64 = 500;

pub(super) struct Shadow {
    directory: PathBuf,
    pub(super) database: Database,
}

impl Drop for Shadow {
    fn drop(&mut self) {
        // A file that remains in the temporary directory does no harm.
        drop(std::fs::remove_dir_all(&self.directory));
    }
}

type Row = (i64, String, String, String, i16, i64, Vec<u8>);

/// Replays everything that was applied, as `conn` sees it. Deliveries in the queue are omitted, and dead letters that
/// were never applied.
pub(super) fn fold(conn: &mut Conn, rules: &Rules, now: Timestamp) -> Result<Shadow, RebuildError> {
    let shadow = create()?;
    // The log does not contain who ever held a protected role. So holder records are copied, and users who retain a
    // role are derived again at the end.
    let folding = Rules { mapping: rules.mapping.unprotected().into(), ..rules.clone() };
    shadow.database.write_serialized::<_, DbError>(|shadow| {
        // Each delivery is replayed in the tenure of its number, so the moves come first.
        directory_moves::copy(conn, shadow)?;
        manual_grants::copy(conn, shadow)?;
        if let Some(mapping) = mappings::newest(conn)? {
            mappings::insert(shadow, &mapping)?;
        }
        Ok(())
    })?;
    let mut last = 0;
    loop {
        let page = page(conn, last)?;
        let Some(row) = page.last() else { break };
        last = row.0;
        shadow.database.write_serialized::<_, DbError>(|shadow| {
            let mut queued = Vec::with_capacity(page.len());
            for (id, source, event_key, kind, disposition, received_at, body) in page {
                // Derivations read contents from the log.
                diesel::insert_into(inbox::table)
                    .values((
                        inbox::id.eq(id),
                        inbox::source.eq(&source),
                        inbox::event_key.eq(&event_key),
                        inbox::kind.eq(kind),
                        inbox::disposition.eq(disposition),
                        inbox::received_at.eq(received_at),
                        inbox::body.eq(&body),
                    ))
                    .execute(&mut **shadow)?;
                let received_at = Timestamp::from_micros(received_at);
                let body = body.into();
                queued.push(Queued { inbox_id: id, event_key, source, attempts: 0, received_at, body });
            }
            apply(shadow, &folding, parse_batch::read(QueuedBatch { queued, is_full: false }, now), now)
        })?;
    }
    while recompute::step(&shadow.database, &folding, Batch::default(), now)?.is_some() {}
    let derivation = Derivation { rules, cause: ChangeCause::RetentionEnded, now, extent: Extent::Touched };
    shadow.database.write_serialized::<_, DbError>(|shadow| {
        let retained = role_holders::copy(conn, shadow)?;
        let retained = retained.into_iter().map(|(_, user_id)| user_id).collect();
        // Entries and notices of the shadow are not used.
        again(shadow, retained, &derivation, &mut Consequences::default())?;
        Ok(())
    })?;
    Ok(shadow)
}

fn create() -> Result<Shadow, RebuildError> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::SeqCst);
    let directory = std::env::temp_dir().join(format!("rosterd-rebuild-{}-{count}", std::process::id()));
    private_files::create_directories(&directory)?;
    let database = Database::new(&Url::Sqlite(directory.join("shadow.db").display().to_string()), 1)
        .recording(Recording::Off);
    let shadow = Shadow { directory, database };
    migrate(&shadow.database)?;
    // The file need not survive a crash.
    shadow.database.read::<_, DbError>(|conn| Ok(conn.batch_execute("PRAGMA synchronous = OFF")?))?;
    Ok(shadow)
}

fn page(conn: &mut Conn, after: i64) -> Result<Vec<Row>, DbError> {
    let waiting = inbox_queue::table.filter(inbox_queue::inbox_id.eq(inbox::id));
    // The facts of a delivery that claims the directory of another tenant were stored before it became a dead letter.
    let dead = dead_letters::table
        .filter(dead_letters::inbox_id.eq(inbox::id))
        .filter(dead_letters::reason.ne(crate::inbox::dead_letters::OTHER_TENANT));
    Ok(inbox::table
        .filter(inbox::id.gt(after))
        .filter(inbox::disposition.eq(0))
        .filter(diesel::dsl::not(exists(waiting)))
        .filter(diesel::dsl::not(exists(dead)))
        .order(inbox::id)
        .limit(PAGE)
        .load(conn)?)
}
