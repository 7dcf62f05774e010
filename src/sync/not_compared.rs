//! Notifies the operator once of directories that were not compared with the broker's lists for too long, and once when
//! they are compared again.

use std::collections::{BTreeMap, BTreeSet};

use diesel::QueryResult;

use super::{runs, subjects};
use crate::{
    db::{Conn, Database, DbError},
    outbox::{self, Notice, notice::NotCompared},
    runtime::clock::Timestamp,
    tables::{comparisons, properties},
};

/// In `properties`: the directories of which the operator was notified, with the time of their last comparison.
const NOTIFIED: &str = "not_compared";

type Times = BTreeMap<String, Timestamp>;

/// The changes since the last look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Directories that are late now, with the time of their last comparison.
    pub late: Times,
    /// Directories that were compared again, with the time of it.
    pub over: Times,
    /// Directories that were deleted while late. They cause no notice.
    gone: BTreeSet<String>,
}

impl Changes {
    fn are_none(&self) -> bool {
        self.late.is_empty() && self.over.is_empty() && self.gone.is_empty()
    }

    /// `compared` has all directories that exist. A directory that was compared before `limit` is late. Pure.
    fn between(notified: &Times, compared: &Times, limit: Timestamp) -> Self {
        let is_late = |at: &Timestamp| *at < limit;
        let all = compared.iter().map(|(id, at)| (id.clone(), *at));
        Self {
            late: all.clone().filter(|(id, at)| is_late(at) && !notified.contains_key(id)).collect(),
            over: all.filter(|(id, at)| !is_late(at) && notified.contains_key(id)).collect(),
            gone: notified.keys().filter(|id| !compared.contains_key(*id)).cloned().collect(),
        }
    }

    fn apply(&self, mut notified: Times) -> Times {
        notified.retain(|id, _| !self.over.contains_key(id) && !self.gone.contains(id));
        notified.extend(self.late.clone());
        notified
    }
}

/// Notifies the operator of the changes. Only complete comparisons count.
pub fn look(database: &Database, alarm_hours: u32, now: Timestamp) -> Result<Changes, DbError> {
    let limit = now.plus_seconds(-i64::from(alarm_hours) * 3_600);
    let changes = |conn: &mut Conn| {
        let notified = notified(conn)?;
        let changes = Changes::between(&notified, &compared(conn)?, limit);
        Ok::<_, DbError>((notified, changes))
    };
    if database.read(changes)?.1.are_none() {
        return Ok(Changes::default());
    }
    // State and notices change in one transaction, so only one process notifies the operator.
    database.write(|conn| {
        let (notified, changes) = changes(conn)?;
        let mut notices = Vec::with_capacity(changes.late.len() + changes.over.len());
        for (id, since) in &changes.late {
            let reason = comparisons::reason(conn, id)?;
            notices.push(NotCompared {
                directory_id: id.clone(),
                since: since.micros(),
                hours: alarm_hours,
                reason,
                again_at: None,
            });
        }
        for (id, again_at) in &changes.over {
            notices.push(NotCompared {
                directory_id: id.clone(),
                since: notified.get(id).unwrap_or(again_at).micros(),
                hours: alarm_hours,
                reason: None,
                again_at: Some(again_at.micros()),
            });
        }
        let notices: Vec<Notice> = notices.into_iter().map(Notice::NotCompared).collect();
        outbox::enqueue(conn, &notices, now)?;
        store(conn, changes.apply(notified))?;
        Ok(changes)
    })
}

/// The time of each directory's last complete comparison. For a directory without one, the time of the first start with
/// an API key.
fn compared(conn: &mut Conn) -> QueryResult<Times> {
    let Some(since) = runs::since(conn)? else { return Ok(Times::new()) };
    let completed = comparisons::completed(conn)?;
    let time = |id: String| {
        let at = completed.get(&id).copied().unwrap_or(since);
        (id, at)
    };
    Ok(subjects::known(conn)?.into_keys().map(time).collect())
}

fn notified(conn: &mut Conn) -> QueryResult<Times> {
    let text = properties::get(conn, NOTIFIED)?.unwrap_or_default();
    let known: BTreeMap<String, i64> = serde_json::from_str(&text).unwrap_or_default();
    Ok(known.into_iter().map(|(id, at)| (id, Timestamp::from_micros(at))).collect())
}

fn store(conn: &mut Conn, notified: Times) -> QueryResult<()> {
    if notified.is_empty() {
        return properties::unset(conn, NOTIFIED);
    }
    let known: BTreeMap<String, i64> = notified.into_iter().map(|(id, at)| (id, at.micros())).collect();
    // The value has only texts and numbers, so this cannot fail.
    properties::set(conn, NOTIFIED, &serde_json::to_string(&known).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(of: &[(&str, i64)]) -> Times {
        of.iter().map(|(id, at)| ((*id).to_owned(), Timestamp::from_micros(*at))).collect()
    }

    #[test]
    fn each_directory_is_late_once_and_over_once_and_one_that_is_deleted_is_neither() {
        let changes = Changes::between(
            &times(&[("known", 1), ("again", 2), ("gone", 3)]),
            &times(&[("known", 1), ("again", 60), ("new", 49), ("fine", 50)]),
            Timestamp::from_micros(50),
        );
        assert_eq!((&changes.late, &changes.over), (&times(&[("new", 49)]), &times(&[("again", 60)])));
        let notified = changes.apply(times(&[("known", 1), ("again", 2), ("gone", 3)]));
        assert_eq!(notified, times(&[("known", 1), ("new", 49)]));
        let again = Changes::between(
            &notified,
            &times(&[("known", 1), ("again", 60), ("new", 49), ("fine", 50)]),
            Timestamp::from_micros(50),
        );
        assert!(again.are_none());
    }
}
