//! Whether the endpoints of the application take webhooks.

use super::{Finding, Verdict, finding};
use crate::{
    db::{Database, DbError},
    endpoints::stored::{self, Endpoint},
    feed::head::{self, FeedHead},
};

pub(super) fn of(database: &Database) -> Finding {
    let read = database.read::<_, DbError>(|conn| Ok((stored::all(conn)?, head::get(conn)?)));
    let (all, head) = match read {
        Ok(read) => read,
        Err(error) => return finding("endpoints", Verdict::Fail, error.to_string()),
    };
    let faults: Vec<String> = all.iter().filter_map(|one| fault(one, head)).collect();
    match (all.len(), faults.is_empty()) {
        (0, _) => finding("endpoints", Verdict::Ok, "there is none"),
        (count, true) => finding("endpoints", Verdict::Ok, format!("{count} take webhooks")),
        (_, false) => finding("endpoints", Verdict::Warn, faults.join("; ")),
    }
}

fn fault(one: &Endpoint, head: FeedHead) -> Option<String> {
    let Endpoint { id, name, given_up, lost, .. } = one;
    match one.state(head) {
        "disabled" => {
            let reason = one.disabled.as_deref().unwrap_or_default();
            Some(format!(
                "{id} ({name}) is disabled ({reason}): correct it, then run `rosterd endpoints enable {id}`, or remove it"
            ))
        }
        "overtaken" => Some(format!(
            "{id} ({name}) has lost records, because it took none for too long: its program must read the tables again"
        )),
        "paused" => {
            let error = one.last_error.as_deref().unwrap_or("unknown");
            Some(format!(
                "{id} ({name}) takes no webhooks ({error}): look at `rosterd endpoints attempts {id}`"
            ))
        }
        _ if given_up + lost > 0 => Some(format!(
            "{id} ({name}) has not got {} records: look at `rosterd endpoints list`",
            given_up + lost
        )),
        _ => None,
    }
}
