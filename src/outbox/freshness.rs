//! Decides which notices are news and which only repeat old facts; pure. A rebuild sends no mail, because it does not call
//! this module.
//!
//! A loss of access is always reported, even if its fact is old. Other changes are reported only when they are recent: not
//! from the first synchronization of a directory, and not when they are older than the broker's retries.

use super::notice::Notice;
use crate::runtime::clock::Timestamp;

/// One day longer than the broker retries (docs/broker-workos.md: three days).
const HISTORY_SECONDS: i64 = 4 * 24 * 3_600;

/// Whether a notice is news.
pub fn is_news(notice: &Notice, now: Timestamp) -> bool {
    match notice {
        Notice::DirectoryConnected { directory, .. } | Notice::DirectoryDeleted { directory, .. } => {
            is_recent(Timestamp::from_micros(directory.since), now)
        }
        Notice::Privileged(change) => {
            let at = change.fact.unwrap_or(now);
            let synced = change.first_sync_ends.is_none_or(|end| at >= end);
            synced && is_recent(at, now)
        }
        Notice::Deprovisioned(_)
        | Notice::DirectorySilent { .. }
        | Notice::LastHolderRetained { .. }
        | Notice::MassChangeHeld { .. }
        | Notice::FirstSyncEnded { .. }
        | Notice::MappingApplied { .. }
        | Notice::AccessReport { .. }
        | Notice::DeliveryGivenUp(_)
        | Notice::ClaimRefused(_)
        | Notice::DirectoryMoved(_)
        | Notice::DeliveriesWait(_)
        | Notice::WebhooksAway(_)
        | Notice::NotCompared(_)
        | Notice::AuditHeads => true,
    }
}

fn is_recent(at: Timestamp, now: Timestamp) -> bool {
    now.seconds_since(at) < HISTORY_SECONDS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{decide::privileges::PrivilegeChange, outbox::notice::DirectoryNotice};

    const HOUR: i64 = 3_600;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_millis(1_768_478_400_000).plus_seconds(hours * HOUR)
    }

    fn granted(connected: Option<i64>, fact: Option<i64>) -> Notice {
        Notice::Privileged(PrivilegeChange {
            first_sync_ends: connected.map(|hours| at(hours + 6)),
            fact: fact.map(at),
            ..PrivilegeChange::default()
        })
    }

    #[test]
    fn grants_of_a_first_sync_are_no_news_and_later_grants_are() {
        for (connected, fact, now, news) in [
            (Some(0), Some(1), 1, false),
            (Some(0), Some(-9), 1, false),
            (Some(0), Some(7), 7, true),
            // A recomputation without a fact of its own: the change happens now.
            (Some(0), None, 1, false),
            (Some(0), None, 7, true),
            // A manual grant.
            (None, None, 1, true),
        ] {
            let notice = granted(connected, fact);
            assert_eq!(is_news(&notice, at(now)), news, "{connected:?} {fact:?} {now}");
        }
    }

    #[test]
    fn an_event_older_than_the_brokers_retries_is_history() {
        assert!(is_news(&granted(Some(0), Some(1_000)), at(1_095)));
        assert!(!is_news(&granted(Some(0), Some(1_000)), at(1_096)));
        let deleted = |since: i64| Notice::DirectoryDeleted {
            tenant_id: "org_a".into(),
            directory: DirectoryNotice { since: at(since).micros(), ..DirectoryNotice::default() },
        };
        assert!(is_news(&deleted(0), at(95)) && !is_news(&deleted(0), at(96)));
    }
}
