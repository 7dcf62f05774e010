//! Decides which changes of privileged roles a mail reports; pure.
//!
//! A mail reports only what is true when it is sent. The first change shows the state before it, the tables show the
//! current state. If both are equal, nothing is reported (the audit log has the changes in between). Otherwise the last
//! change that led to the current state is reported.

/// The notice to report for one person and role. `changes` are (notice, granted), oldest first.
pub(super) fn reported(changes: &[(i64, bool)], holds_now: bool) -> Option<i64> {
    let (_, granted_first) = *changes.first()?;
    if granted_first != holds_now {
        return None;
    }
    changes.iter().rev().find(|(_, granted)| *granted == holds_now).map(|(id, _)| *id)
}

#[cfg(test)]
mod tests {
    use super::reported;

    #[test]
    fn a_mail_reports_only_facts_that_are_true_when_it_is_sent() {
        assert_eq!(reported(&[], true), None);
        assert_eq!(reported(&[(1, true)], true), Some(1));
        assert_eq!(reported(&[(1, false)], false), Some(1));
        // Granted, and lost by a change that another mail reports.
        assert_eq!(reported(&[(1, true)], false), None);
    }

    #[test]
    fn a_role_granted_and_lost_again_within_a_mail_is_not_reported() {
        assert_eq!(reported(&[(1, true), (2, false)], false), None);
        assert_eq!(reported(&[(1, false), (2, true)], true), None);
        assert_eq!(reported(&[(1, true), (2, false), (3, true)], true), Some(3));
    }
}
