//! Endpoints that fail, for a person or as a whole.

use std::{net::TcpListener, time::Duration};

use rosterd::{operator::erase::erase, operator::manual_roles::OperatorAt};
use serde_json::{Value, json};

use super::{
    Receiver, Sender, add, command, endpoint, leaves, listed, newest, person, settled, waiting_records,
};
use crate::harness::{
    TestApp, both,
    broker::{event, user, with},
    process::{eventually, stdout},
};

/// Moves the clock until it is so.
fn moving(app: &TestApp, step: i64, what: &str, mut done: impl FnMut() -> bool) {
    eventually(what, || {
        app.clock.advance_seconds(step);
        std::thread::sleep(Duration::from_millis(40));
        done()
    });
}

both! {
    fn a_record_that_fails_holds_back_its_person_only(app) {
        let receiver = Receiver::start();
        crate::feed::member(app);
        let (id, _) = add(app, &receiver, &[]);
        receiver.answer(|one| if one.lane() == "bad" { (500, "") } else { (200, "") });
        let sender = Sender::start(app);
        person(app, "bad");
        leaves(app, "bad", 9);
        for n in 0..20 {
            person(app, &format!("p{n}"));
        }
        settled(app, &id);
        let held = waiting_records(app, &id);
        assert_eq!(held.len(), 6, "{held:?}");
        assert_eq!(receiver.taken().len(), 60);
        let tried = || receiver.all().iter().filter(|one| one.lane() == "bad").count();
        assert_eq!(tried(), 1);

        // The pauses grow.
        app.clock.advance_seconds(3);
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(tried(), 1);
        app.clock.advance_seconds(2);
        eventually("the second attempt", || tried() == 2);
        app.clock.advance_seconds(5);
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(tried(), 2);
        // The next process continues.
        drop(sender);
        let _sender = Sender::start(app);
        app.clock.advance_seconds(5);
        eventually("the third attempt", || tried() == 3);

        receiver.answer(|_| (200, ""));
        moving(app, 10, "all records arrive", || receiver.taken().len() == 66);
        receiver.assert_ordered();
        eventually("nothing waits", || waiting_records(app, &id).is_empty());
        let attempts: Vec<Value> = serde_json::from_str(&stdout(&command(app, &["attempts", &id, "--format", "json"]))).unwrap();
        let outcomes: Vec<(i64, &str)> =
            attempts.iter().map(|one| (one["seq"].as_i64().unwrap(), one["outcome"].as_str().unwrap())).collect();
        assert_eq!(outcomes, [(held[0], "200"), (held[0], "500"), (held[0], "500"), (held[0], "500")]);
        let ids: std::collections::BTreeSet<String> =
            receiver.all().iter().filter(|one| one.seq() == held[0]).map(|one| one.id.clone()).collect();
        assert_eq!(ids.len(), 1, "{ids:?}");
    }
}

both! {
    fn an_endpoint_that_answers_410_is_disabled_and_continues_where_it_was(app) {
        let receiver = Receiver::start();
        crate::feed::member(app);
        let (id, _) = add(app, &receiver, &[]);
        receiver.answer(|_| (410, ""));
        let _sender = Sender::start(app);
        person(app, "p1");
        eventually("it is disabled", || endpoint(app, &id).disabled.is_some());
        let list = &listed(app)[0];
        assert_eq!((&list["state"], &list["reason"]), (&json!("disabled"), &json!("it answered 410 Gone")));
        let asked = receiver.all().len();
        person(app, "p2");
        std::thread::sleep(Duration::from_millis(1_500));
        assert_eq!(receiver.all().len(), asked);

        receiver.answer(|_| (200, ""));
        assert!(command(app, &["enable", &id]).status.success());
        settled(app, &id);
        let mut numbers = receiver.numbers();
        numbers.sort_unstable();
        assert_eq!(numbers, (8..=newest(app)).collect::<Vec<_>>());
        receiver.assert_ordered();
    }
}

both! {
    fn one_endpoint_that_fails_and_one_that_never_answers_delay_no_other_one(app) {
        let (failing, good) = (Receiver::start(), Receiver::start());
        // The system accepts connections, and nobody answers.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        crate::feed::member(app);
        let silent_url = format!("http://{}/", silent.local_addr().unwrap());
        assert!(command(app, &["add", &silent_url, "--allow-private"]).status.success());
        let (bad_id, _) = add(app, &failing, &[]);
        let (id, _) = add(app, &good, &[]);
        failing.answer(|_| (503, "Retry-After: 30\r\n"));
        let _sender = Sender::start(app);
        for n in 0..20 {
            person(app, &format!("p{n}"));
        }
        let begun = std::time::Instant::now();
        settled(app, &id);
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        assert_eq!(good.taken().len(), 60);

        eventually("it pauses", || endpoint(app, &bad_id).circuit.is_open());
        assert_eq!(listed(app)[1]["state"], "paused");
        let asked = failing.all().len();
        assert!(asked <= 16, "{asked}");
        // One at a time.
        app.clock.advance_seconds(31);
        eventually("a probe", || failing.all().len() == asked + 1);
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(failing.all().len(), asked + 1);
        failing.answer(|_| (200, ""));
        moving(app, 31, "all records arrive", || failing.taken().len() == 60);
        failing.assert_ordered();
    }
}

both! {
    fn a_record_is_given_up_after_three_days_while_others_succeed_and_a_replay_brings_it_back(app) {
        let receiver = Receiver::start();
        crate::feed::member(app);
        let (id, _) = add(app, &receiver, &[]);
        receiver.answer(|one| if one.brief() == "user.created bad" { (400, "") } else { (200, "") });
        let _sender = Sender::start(app);
        person(app, "bad");
        settled(app, &id);
        let seq = waiting_records(app, &id)[0];
        moving(app, 3_600, "three days", || app.clock.now().seconds_since(crate::harness::NOW) > 72 * 3_600);
        assert_eq!(endpoint(app, &id).given_up, 0, "nothing shows that the record is at fault");
        leaves(app, "u1", 9);
        moving(app, 600, "it is given up", || endpoint(app, &id).given_up == 1);
        let days = (app.clock.now().micros() - crate::harness::NOW.micros()) / 86_400_000_000;
        assert!((3..=4).contains(&days), "{days}");
        eventually("the next records of the person arrive", || receiver.taken().len() == 5);

        receiver.answer(|_| (200, ""));
        assert!(command(app, &["replay", &id, "--from", &seq.to_string()]).status.success());
        eventually("it arrives", || receiver.numbers().contains(&seq));
        settled(app, &id);
        eventually("all records arrive again", || receiver.taken().len() == 11);
    }
}

both! {
    fn what_waits_for_an_endpoint_has_no_personal_data_after_an_erasure(app) {
        let receiver = Receiver::start();
        crate::feed::member(app);
        let (id, _) = add(app, &receiver, &[]);
        receiver.answer(|one| if one.lane() == "u7" { (500, "") } else { (200, "") });
        let _sender = Sender::start(app);
        let secret = |state: &str, at: i64| {
            with(user("u7", state, at), json!({"email": "secret@acme.example", "first_name": "Secret", "last_name": "Name"}))
        };
        app.play(&[event("e1", "dsync.user.created", 20, secret("active", 20))]);
        app.play(&[event("e2", "dsync.user.deleted", 30, secret("active", 20))]);
        settled(app, &id);
        assert!(!waiting_records(app, &id).is_empty());
        let by = OperatorAt { name: "ada", now: app.clock.now() };
        erase(app.database(), &app.config.rules(), "org_1", "u7", by).unwrap();
        // A webhook that was read before may still be sent.
        std::thread::sleep(Duration::from_millis(2_500));
        let before = receiver.all().len();
        receiver.answer(|_| (200, ""));
        moving(app, 10, "all records arrive", || waiting_records(app, &id).is_empty());
        settled(app, &id);
        let sent: String = receiver.all()[before..].iter().map(|one| one.text.to_lowercase()).collect();
        assert!(sent.contains("user.created") && !sent.contains("secret"), "{sent}");
        let stored = format!("{:?}", app.database().read::<_, rosterd::db::DbError>(|conn| {
            Ok((rosterd::endpoints::waiting::of(conn, &id)?, rosterd::endpoints::attempts::of(conn, &id)?))
        }).unwrap());
        assert!(!stored.to_lowercase().contains("secret"), "{stored}");
    }
}
