//! Which changes of privileged roles are still to be told when their mail leaves; pure.
//!
//! What is told is true then. The first change of a mail says how it was before, the tables say how it is now: when both
//! are the same there is nothing to tell (the audit trail keeps what was in between), otherwise the last change that
//! led to it is told.

/// One person and role, oldest first: (notice, granted).
pub(super) fn told(changes: &[(i64, bool)], holds_now: bool) -> Option<i64> {
    let (_, granted_first) = *changes.first()?;
    if granted_first != holds_now {
        return None;
    }
    changes.iter().rev().find(|(_, granted)| *granted == holds_now).map(|(id, _)| *id)
}

#[cfg(test)]
mod tests {
    use super::told;

    #[test]
    fn what_is_told_is_what_is_true_when_the_mail_leaves() {
        assert_eq!(told(&[], true), None);
        assert_eq!(told(&[(1, true)], true), Some(1));
        assert_eq!(told(&[(1, false)], false), Some(1));
        // Granted, and taken by something that another mail tells.
        assert_eq!(told(&[(1, true)], false), None);
    }

    #[test]
    fn a_role_granted_and_lost_again_within_a_mail_is_not_told() {
        assert_eq!(told(&[(1, true), (2, false)], false), None);
        assert_eq!(told(&[(1, false), (2, true)], true), None);
        assert_eq!(told(&[(1, true), (2, false), (3, true)], true), Some(3));
    }
}
