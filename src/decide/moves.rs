//! Moves: an operator's decision that a directory belongs to another organization from a position in the log on.
//!
//! The moves of a directory divide the log into tenures, numbered from 0. A delivery belongs to the tenure of its number in
//! the log, whenever it is applied. A fact counts when its organization owns the directory in the tenure of the fact or
//! in a later one. So facts of the owner from before a move count for the new owner, and facts of the former owner from
//! after it do not count. Early facts of the new owner count from the move on. The tables depend on the set of deliveries
//! and moves, and not on the order in which they are applied.

/// One move. The organization that owned the directory is part of it, so that no late claim changes the past.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryMove {
    /// The broker's id of the directory.
    pub directory_id: String,
    /// Empty where nobody owned it.
    pub from_organization: String,
    /// The organization that owns it from then on.
    pub to_organization: String,
    /// The last delivery before the tenure that begins with this move.
    pub until_inbox_id: i64,
}

/// The tenure of a delivery, among the moves of its directory in their order.
pub fn tenure(moves: &[DirectoryMove], inbox_id: i64) -> i32 {
    let before = moves.iter().filter(|one| one.until_inbox_id < inbox_id).count();
    i32::try_from(before).unwrap_or(i32::MAX)
}

/// The owner after the last move; `None` where the directory was never moved.
pub fn owner(moves: &[DirectoryMove]) -> Option<&str> {
    moves.last().map(|last| last.to_organization.as_str())
}

/// Whether a statement of this tenure that names this organization counts. The directory has been moved.
pub fn counts(moves: &[DirectoryMove], organization_id: &str, tenure: i32) -> bool {
    let tenure = usize::try_from(tenure).unwrap_or_default();
    let first = moves.first().filter(|_| tenure == 0).map(|first| first.from_organization.as_str());
    let begun = moves.iter().skip(tenure.saturating_sub(1)).map(|one| one.to_organization.as_str());
    first.into_iter().chain(begun).any(|owner| owner == organization_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moves(steps: &[(&str, &str, i64)]) -> Vec<DirectoryMove> {
        let one = |(from, to, until): &(&str, &str, i64)| DirectoryMove {
            directory_id: "d".to_owned(),
            from_organization: (*from).to_owned(),
            to_organization: (*to).to_owned(),
            until_inbox_id: *until,
        };
        steps.iter().map(one).collect()
    }

    #[test]
    fn a_delivery_is_of_the_tenure_of_its_number() {
        let moves = moves(&[("a", "b", 10), ("b", "a", 20), ("a", "c", 20)]);

        assert_eq!([1, 10, 11, 20, 21].map(|id| tenure(&moves, id)), [0, 0, 1, 1, 3]);
        assert_eq!(tenure(&[], 5), 0);
        assert_eq!((owner(&moves), owner(&[])), (Some("c"), None));
    }

    #[test]
    fn a_statement_counts_when_its_organization_owns_the_directory_then_or_later() {
        let moves = moves(&[("a", "b", 10), ("b", "a", 20)]);
        let counting = |organization| [0, 1, 2].map(|tenure| counts(&moves, organization, tenure));

        assert_eq!(counting("a"), [true, true, true], "the owner before, and again in the end");
        assert_eq!(counting("b"), [true, true, false]);
        assert_eq!(counting("c"), [false; 3]);
    }

    #[test]
    fn the_former_owner_counts_no_more_after_the_move() {
        let moves = moves(&[("a", "b", 10)]);

        assert_eq!((counts(&moves, "a", 0), counts(&moves, "a", 1)), (true, false));
        assert_eq!((counts(&moves, "b", 0), counts(&moves, "b", 1)), (true, true));
    }
}
