//! The access review at a point in time as one HTML page (`templates/access_review.html`). The file is pure. The template
//! escapes every value.

mod rows;

use std::collections::HashMap;

use askama::Template;

use super::{
    leaver_receipt::Receipt,
    page_parts::{UnderReviewRow, minute},
    review::Review,
};
use rows::{Block, ChangeRow, DirectoryRow, Moves, block, change, directory, moves, notified, place, stated};

#[derive(Template)]
#[template(path = "access_review.html")]
struct Page<'a> {
    review: &'a Review,
    /// The tenant's name, or its id without a name.
    tenant: &'a str,
    as_of: String,
    since: String,
    begins_at: String,
    made_at: String,
    is_complete: bool,
    under_review: Vec<UnderReviewRow<'a>>,
    people: Vec<Block<'a>>,
    moves: Vec<Moves<'a>>,
    changes: Vec<ChangeRow<'a>>,
    directories: Vec<DirectoryRow<'a>>,
}

pub fn write(review: &Review) -> String {
    let receipts: HashMap<i64, &Receipt> =
        review.receipts.iter().map(|receipt| (receipt.entry, receipt)).collect();
    let counts = &review.counts;
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let page = Page {
        review,
        tenant: review.tenant_name.as_deref().filter(|name| !name.is_empty()).unwrap_or(&review.tenant_id),
        as_of: minute(&review.as_of),
        since: minute(&review.since),
        begins_at: minute(&review.trail_begins_at),
        made_at: minute(&review.made_at),
        is_complete: (number(counts.people), number(counts.assignments))
            == (counts.people_in_tables, counts.assignments_in_tables),
        under_review: review.under_review.iter().map(UnderReviewRow::new).collect(),
        people: review.people.iter().map(block).collect(),
        moves: vec![
            moves("Who joined", "Stated by the directory", &review.joiners, stated),
            moves("Who moved", "Place", &review.movers, place),
            moves("Who left", "Notified", &review.leavers, |one| notified(receipts.get(&one.entry).copied())),
        ],
        changes: review.changes.iter().map(change).collect(),
        directories: review.directories.iter().map(directory).collect(),
    };
    // Writing into memory cannot fail.
    page.render().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{
        movement::Movement,
        review_changes::AccessChange,
        review_directories::ReviewedDirectory,
        review_people::{ReviewedPerson, ReviewedRole},
        under_review::AccessUnderReview,
    };

    #[test]
    fn names_of_people_are_never_markup() {
        let evil = "<script>alert(1)</script>\"'&".to_owned();
        let some = || Some(evil.clone());
        let person = ReviewedPerson {
            user_id: evil.clone(),
            name: some(),
            email: some(),
            job_title: some(),
            department: some(),
            manager: some(),
            directory_id: evil.clone(),
            roles: vec![ReviewedRole {
                role: evil.clone(),
                because: evil.clone(),
                granted_by: some(),
                manual: true,
                ..ReviewedRole::default()
            }],
            ..ReviewedPerson::default()
        };
        let movement = Movement {
            user_id: evil.clone(),
            because: evil.clone(),
            roles_lost: vec![evil.clone()],
            directory: Some((evil.clone(), evil.clone())),
            department: Some((some(), None)),
            ..Movement::default()
        };
        let page = write(&Review {
            tenant_id: evil.clone(),
            tenant_name: some(),
            as_of: evil.clone(),
            made_by: evil.clone(),
            people: vec![person],
            joiners: vec![movement.clone()],
            movers: vec![movement.clone()],
            leavers: vec![movement],
            changes: vec![AccessChange {
                user_id: evil.clone(),
                change: evil.clone(),
                ..AccessChange::default()
            }],
            under_review: vec![AccessUnderReview {
                user_id: evil.clone(),
                directory_wants: evil.clone(),
                ..AccessUnderReview::default()
            }],
            directories: vec![ReviewedDirectory {
                directory_id: evil.clone(),
                name: some(),
                ..ReviewedDirectory::default()
            }],
            ..Review::default()
        });

        assert!(page.contains("&#60;script&#62;") && !page.contains("<script"), "{page}");
    }

    #[test]
    fn a_person_is_one_block_and_each_table_repeats_the_head_on_paper() {
        let role = |role: &str| ReviewedRole { role: role.into(), ..ReviewedRole::default() };
        let person = |id: &str, roles: &[&str]| ReviewedPerson {
            user_id: id.into(),
            name: Some("Ada".into()),
            roles: roles.iter().map(|name| role(name)).collect(),
            ..ReviewedPerson::default()
        };
        let people = vec![person("u1", &["admin", "member"]), person("u2", &["member"]), person("u3", &[])];
        let page = write(&Review { people, ..Review::default() });

        let count = |text: &str| page.matches(text).count();
        assert_eq!((count("<tbody class=\"person\">"), count("<bdi>Ada</bdi>")), (3, 3), "{page}");
        assert_eq!(count("rowspan=\"2\""), 1, "{page}");
        assert_eq!((count("<thead><tr class=\"head\">"), count("<thead>")), (7, 7), "{page}");
    }
}
