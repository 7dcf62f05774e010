//! A hold is announced when no more people join it, and again when their number has doubled.

use serde_json::Value;

use super::{beginning, created, decide, update};
use crate::harness::{TestApp, both};

/// The kind and the number of people of each announcement in the trail, and the number of notices.
fn announced(app: &TestApp) -> (Vec<(String, i64)>, usize) {
    let found = crate::audit::trail(app, "org_1").into_iter().filter(|entry| entry.kind.starts_with("hold."));
    let count = |entry: rosterd::audit::stored_entries::StoredEntry| {
        let change: Value = serde_json::from_str(&entry.change).unwrap();
        (entry.kind, change["people"].as_i64().unwrap())
    };
    let entries = found.filter(|entry| entry.kind != "hold.ended").map(count).collect();
    (entries, app.noticed("mass_change_held").len())
}

fn opened(people: i64) -> (String, i64) {
    ("hold.opened".to_owned(), people)
}

both! {
    fn the_announcement_counts_the_people_who_joined_one_after_another(app) {
        beginning(app, 60);
        // The tenth loss exceeds the limit; then one comes every ten seconds.
        for n in 0..14 {
            app.play(&[update(n, "inactive", 9)]);
            app.clock.advance_seconds(10);
        }
        assert_eq!(announced(app), (vec![], 0), "people still join");
        app.clock.advance_seconds(20);
        app.drain();

        let (entries, notices) = announced(app);
        assert_eq!((entries.len(), notices), (1, 1));
        assert_eq!(entries[0].0, "hold.opened");
        // 60 active people: more than a fifth are 13.
        assert_eq!(entries[0].1, 2);
        app.drain();
        assert_eq!(announced(app).1, 1);
    }
}

both! {
    fn it_waits_no_longer_than_two_minutes_and_a_doubled_number_is_announced_again(app) {
        beginning(app, 40);
        app.play(&(0..10).map(|n| update(n, "inactive", 9)).collect::<Vec<_>>());
        for n in 10..22 {
            app.clock.advance_seconds(11);
            app.play(&[update(n, "inactive", 9)]);
        }
        // 121 seconds after the first, at the eleventh step.
        assert_eq!(announced(app), (vec![opened(21)], 1));

        app.play(&(22..40).map(|n| update(n, "inactive", 9)).collect::<Vec<_>>());
        app.clock.advance_seconds(30);
        app.drain();
        assert_eq!(announced(app), (vec![opened(21)], 1), "40 are not twice 21");

        app.play(&(40..42).map(created).collect::<Vec<_>>());
        app.play(&(40..42).map(|n| update(n, "inactive", 9)).collect::<Vec<_>>());
        app.clock.advance_seconds(30);
        app.drain();
        assert_eq!(announced(app), (vec![opened(21), ("hold.grown".to_owned(), 42)], 2));
    }
}

both! {
    fn a_hold_that_is_decided_before_is_announced_in_the_trail_first(app) {
        beginning(app, 30);
        app.play(&(0..20).map(|n| update(n, "inactive", 9)).collect::<Vec<_>>());
        decide(app, 1, rosterd::operator::holds::Verdict::Reject, &[]);

        let (entries, _) = announced(app);
        assert_eq!(entries, [opened(20), ("hold.rejected".to_owned(), 20)]);
    }
}

both! {
    fn a_hold_that_newer_facts_end_before_is_on_record_and_told_to_nobody(app) {
        beginning(app, 30);
        app.play(&(0..20).map(|n| update(n, "inactive", 9)).collect::<Vec<_>>());
        app.play(&(0..20).map(|n| update(n, "active", 10)).collect::<Vec<_>>());
        app.clock.advance_seconds(200);
        app.drain();

        assert_eq!(announced(app), (vec![opened(20)], 0));
    }
}
