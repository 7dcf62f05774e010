//! Rotation, replay and retention.

use rosterd::{
    feed::retention::FeedRetention,
    retention::{self, Retention},
};

use super::{Receiver, Sender, add, command, endpoint, leaves, newest, person, settled};
use crate::harness::{
    Backend, TestApp, both,
    process::{eventually, stdout},
};

both! {
    fn after_a_rotation_both_secrets_sign_for_a_day(app) {
        let receiver = Receiver::start();
        crate::feed::member(app);
        let (id, old) = add(app, &receiver, &[]);
        let _sender = Sender::start(app);
        person(app, "p1");
        settled(app, &id);
        assert!(receiver.all().iter().all(|one| one.is_signed_by(&[&old])));

        let printed: serde_json::Value =
            serde_json::from_str(&stdout(&command(app, &["rotate", &id, "--format", "json"]))).unwrap();
        let new = printed["secret"].as_str().unwrap().to_owned();
        assert_ne!(new, old);
        let before = receiver.all().len();
        // The process that posts notices it within seconds.
        eventually("the endpoint is read again", || endpoint(app, &id).fence >= 2);
        leaves(app, "p1", 9);
        settled(app, &id);
        assert!(receiver.all()[before..].iter().all(|one| one.is_signed_by(&[&new, &old])));
        assert!(receiver.all().len() > before);

        // The command has the real clock.
        let until = endpoint(app, &id).previous.unwrap().1;
        app.clock.advance_seconds(until.seconds_since(app.clock.now()) + 1);
        let before = receiver.all().len();
        person(app, "p2");
        settled(app, &id);
        assert!(receiver.all()[before..].iter().all(|one| one.is_signed_by(&[&new])));
        assert!(receiver.all().len() > before);
    }
}

both! {
    fn a_replay_sends_all_records_from_a_number_on_once_more(app) {
        let receiver = Receiver::start();
        crate::feed::member(app);
        let (id, _) = add(app, &receiver, &["--from", "1"]);
        let _sender = Sender::start(app);
        person(app, "p1");
        settled(app, &id);
        let first = receiver.all();
        let count = usize::try_from(newest(app)).unwrap();
        assert_eq!(first.len(), count);

        assert!(command(app, &["replay", &id, "--from", "3"]).status.success());
        eventually("they arrive again", || receiver.all().len() == 2 * count - 2);
        settled(app, &id);
        let mut again: Vec<(i64, String)> = receiver.all()[count..].iter().map(|one| (one.seq(), one.id.clone())).collect();
        again.sort();
        let mut were: Vec<(i64, String)> = first.iter().filter(|one| one.seq() >= 3).map(|one| (one.seq(), one.id.clone())).collect();
        were.sort();
        assert_eq!(again, were);
        receiver.assert_ordered();
    }
}

#[test]
fn records_wait_for_an_endpoint_but_not_for_ever_and_lost_ones_are_counted() {
    for backend in Backend::offered() {
        let app = TestApp::start(backend, |_| {});
        let receiver = Receiver::start();
        crate::feed::member(&app);
        let (id, _) = add(&app, &receiver, &["--from", "1"]);
        let changes = FeedRetention { days: 30, most_days: 90 };
        let short = Retention { delivery_days: 0, event_id_days: 0, changes };
        let deleted = || retention::step(app.database(), short, app.clock.now()).unwrap().changes.deleted;
        app.clock.advance_seconds(31 * 86_400);
        assert_eq!(deleted(), 0);
        app.clock.advance_seconds(60 * 86_400);
        person(&app, "p1");
        assert_eq!(deleted(), 7);
        let _sender = Sender::start(&app);
        settled(&app, &id);
        eventually("the loss is counted", || endpoint(&app, &id).lost == 7);
        assert_eq!(receiver.taken().len(), 3);
        // What it has got is deleted as usual.
        app.clock.advance_seconds(31 * 86_400);
        assert_eq!(deleted(), 3);
    }
}
