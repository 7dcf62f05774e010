//! Tests of claims and results of mails, on both databases.

use super::*;
use crate::{
    db::{Database, DbError},
    outbox::{
        bundle::bundle,
        testing::{PACE, at, each_database, is_notified, leave, show, state_of},
        waiting,
    },
};

fn gathered(database: &Database, people: &[&str]) {
    database
        .write(|conn| {
            leave(conn, people, at(0))?;
            bundle(conn, at(60), PACE, 10, "rosterd.example").map_err(DbError::from)
        })
        .unwrap();
}

fn claim_at(database: &Database, seconds: i64) -> Option<ClaimedMail> {
    database.write(|conn| claim(conn, at(seconds), 30, 10).map_err(DbError::from)).unwrap()
}

fn end(database: &Database, mail: &ClaimedMail, outcome: &MailOutcome) {
    database.write(|conn| record(conn, mail, outcome, at(100)).map_err(DbError::from)).unwrap();
}

#[test]
fn a_claimed_mail_is_out_of_reach_until_its_lease_is_over_and_keeps_its_message_id() {
    each_database(|database| {
        gathered(&database, &["ada"]);

        let first = claim_at(&database, 60).unwrap();
        assert_eq!(claim_at(&database, 89), None);
        let second = claim_at(&database, 90).unwrap();

        assert_eq!((first.attempt, second.attempt), (1, 2));
        assert_eq!(first.message_id, second.message_id);
    });
}

#[test]
fn a_person_who_is_active_again_is_left_out_and_not_recorded_as_reported() {
    each_database(|database| {
        gathered(&database, &["ada", "bob"]);
        // The same person under a new id of the broker.
        database.write(|conn| show(conn, "ada_again", "person_ada", "active")).unwrap();

        let mail = claim_at(&database, 60).unwrap();
        end(&database, &mail, &MailOutcome::Sent);

        assert_eq!(mail.named.iter().map(|p| p.name.as_deref()).collect::<Vec<_>>(), [Some("bob")]);
        assert_eq!((is_notified(&database, "ada"), is_notified(&database, "bob")), (false, true));
        assert_eq!(state_of(&database, mail.id), "sent");
    });
}

#[test]
fn when_everybody_is_back_there_is_nothing_to_report() {
    each_database(|database| {
        gathered(&database, &["ada"]);
        database.write(|conn| show(conn, "ada", "person_ada", "active")).unwrap();

        let mail = claim_at(&database, 60).unwrap();
        end(&database, &mail, &MailOutcome::Needless);

        assert!(mail.leavers.is_empty());
        assert_eq!(state_of(&database, mail.id), "needless");
        assert_eq!(database.read(|conn| waiting(conn).map_err(DbError::from)).unwrap(), (0, None));
    });
}

#[test]
fn only_the_last_loss_of_a_person_who_left_twice_is_reported() {
    each_database(|database| {
        gathered(&database, &["ada"]);
        database.write(|conn| leave(conn, &["ada"], at(61))).unwrap();

        let mail = claim_at(&database, 61).unwrap();

        assert!(mail.leavers.is_empty());
    });
}

#[test]
fn an_attempt_that_failed_is_made_again_when_its_pause_is_over() {
    each_database(|database| {
        gathered(&database, &["ada"]);
        let mail = claim_at(&database, 60).unwrap();

        end(&database, &mail, &MailOutcome::Later { due_at: at(500), error: "no".into() });

        assert_eq!(claim_at(&database, 499), None);
        assert_eq!(claim_at(&database, 500).unwrap().attempt, 2);
        assert_eq!(database.read(|conn| waiting(conn).map_err(DbError::from)).unwrap(), (1, Some(at(0))));
    });
}

#[test]
fn a_process_that_outlived_its_lease_cannot_undo_what_another_did() {
    each_database(|database| {
        gathered(&database, &["ada"]);
        let late = claim_at(&database, 60).unwrap();
        let other = claim_at(&database, 90).unwrap();

        end(&database, &late, &MailOutcome::Dead { error: "no".into() });
        assert_eq!(state_of(&database, other.id), "waiting");
        end(&database, &other, &MailOutcome::Sent);
        end(&database, &late, &MailOutcome::Later { due_at: at(200), error: "no".into() });

        assert_eq!(state_of(&database, other.id), "sent");
        assert_eq!(claim_at(&database, 1_000), None);
    });
}

#[test]
fn claims_at_once_never_take_the_same_mail() {
    each_database(|database| {
        for n in 0..40 {
            let tenant = format!("org_{n}");
            database
                .write(|conn| crate::outbox::testing::leave_tenant(conn, &tenant, &["ada"], at(0)))
                .unwrap();
        }
        database.write(|conn| bundle(conn, at(60), PACE, 50, "x.example").map_err(DbError::from)).unwrap();

        let mut taken: Vec<i64> = std::thread::scope(|scope| {
            let claimers: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        std::iter::from_fn(|| claim_at(&database, 60).map(|mail| mail.id)).collect::<Vec<_>>()
                    })
                })
                .collect();
            claimers.into_iter().flat_map(|claimer| claimer.join().unwrap()).collect()
        });

        taken.sort_unstable();
        assert_eq!(taken.len(), 40);
        taken.dedup();
        assert_eq!(taken.len(), 40);
    });
}
