use std::collections::BTreeMap;

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_780_272_000_000);

const LIMITS: EndpointLimits = EndpointLimits {
    in_flight: 16,
    failures_until_pause: 5,
    most_waiting: 10_000,
    give_up_seconds: 3 * 86_400,
    timeout_seconds: 15,
};

const FAILED: Outcome = Outcome::Failed { retry_after: None };

fn course() -> Course {
    Course::new(LIMITS, 0, (Circuit::default(), None), vec![])
}

fn all_next(course: &mut Course, now: Timestamp) -> Vec<i64> {
    std::iter::from_fn(|| course.next(now)).collect()
}

#[test]
fn records_of_a_lane_go_one_after_the_other_and_lanes_at_the_same_time() {
    let mut course = course();
    course.read([(1, "a"), (2, "a"), (3, "b"), (5, "a")], 6, NOW);

    assert_eq!(all_next(&mut course, NOW), [1, 3]);
    assert_eq!(course.settled_seq(), 0);
    course.settle(3, &Outcome::Delivered, NOW);
    assert_eq!((course.settled_seq(), all_next(&mut course, NOW)), (0, vec![]));
    course.settle(1, &Outcome::Delivered, NOW);
    assert_eq!((course.settled_seq(), all_next(&mut course, NOW)), (1, vec![2]));
    course.settle(2, &Outcome::Delivered, NOW);
    assert_eq!(all_next(&mut course, NOW), [5]);
    course.settle(5, &Outcome::Delivered, NOW);
    assert_eq!(course.settled_seq(), 6);
    assert_eq!(course.progress().map(|progress| progress.counts.delivered), Some(4));
    assert_eq!(course.progress(), None);
}

#[test]
fn a_record_that_fails_holds_back_its_lane_only_and_the_position_moves_on() {
    let mut course = course();
    course.read([(1, "a"), (2, "b"), (3, "a")], 3, NOW);
    assert_eq!(all_next(&mut course, NOW), [1, 2]);
    course.settle(1, &FAILED, NOW);
    course.settle(2, &Outcome::Delivered, NOW);
    course.read([(4, "a"), (5, "b")], 5, NOW);
    assert_eq!(all_next(&mut course, NOW), [5]);
    course.settle(5, &Outcome::Delivered, NOW);

    let progress = course.progress().unwrap_or_default();
    assert_eq!(progress.settled_seq, 5);
    let rows: Vec<(i64, i64, bool)> =
        progress.rows.iter().map(|row| (row.seq, row.attempts, row.due_at.is_some())).collect();
    assert_eq!(rows, [(1, 1, true), (3, 0, false), (4, 0, false)]);

    // The next process continues.
    let mut next = Course::new(LIMITS, 5, (progress.circuit, None), progress.rows);
    assert_eq!(all_next(&mut next, NOW), Vec::<i64>::new());
    let due = next.wakes_at().unwrap_or(NOW);
    assert!((4..=5).contains(&due.seconds_since(NOW)), "{due}");
    assert_eq!(all_next(&mut next, due), [1]);
    next.settle(1, &Outcome::Delivered, due);
    assert_eq!(all_next(&mut next, due), [3]);
    next.settle(3, &Outcome::Delivered, due);
    assert_eq!(all_next(&mut next, due), [4]);
    next.settle(4, &Outcome::Delivered, due);
    assert_eq!(next.progress().unwrap_or_default().removed, [1, 3, 4]);
}

#[test]
fn pauses_of_a_lane_grow_and_the_record_is_given_up_after_three_days_while_others_succeed() {
    let mut course = course();
    let (mut now, mut seq, mut pauses) = (NOW, 2, vec![]);
    course.read([(1, "poison"), (2, "poison")], 2, now);
    assert_eq!(course.next(now), Some(1));
    while course.settle(1, &FAILED, now) == Fate::Waits {
        let due = course.wakes_at().unwrap_or(now);
        pauses.push(due.seconds_since(now));
        // Somebody else's record succeeds.
        seq += 1;
        course.read([(seq, "other")], seq, now);
        assert_eq!(all_next(&mut course, now), [seq]);
        course.settle(seq, &Outcome::Delivered, now);
        now = due;
        assert_eq!(all_next(&mut course, now), [1]);
    }
    assert!(pauses.windows(2).take(9).all(|pair| pair[0] < pair[1]), "{pauses:?}");
    assert!((72..=74).contains(&(now.seconds_since(NOW) / 3_600)), "{now}");
    assert_eq!(course.progress().map(|progress| progress.counts.given_up), Some(1));
    assert_eq!(all_next(&mut course, now), [2], "the next one of the lane gets its own time");
}

#[test]
fn while_nothing_succeeds_nothing_is_given_up_and_probes_go_one_at_a_time() {
    let mut course = course();
    let lanes: Vec<String> = (0..40).map(|n| format!("u{n}")).collect();
    course.read((1..).zip(lanes.iter().map(String::as_str)), 40, NOW);
    let first = all_next(&mut course, NOW);
    assert_eq!(first.len(), 16);
    for seq in first {
        assert_eq!(course.settle(seq, &FAILED, NOW), Fate::Waits);
    }
    assert!(course.circuit().is_open());
    let mut now = NOW;
    while now.seconds_since(NOW) < 10 * 86_400 {
        now = course.wakes_at().unwrap_or(now);
        let probe = all_next(&mut course, now);
        assert_eq!(probe.len(), 1, "{now}");
        assert_eq!(course.settle(probe[0], &FAILED, now), Fate::Waits);
    }
    assert!(course.room() <= 64);
    now = course.wakes_at().unwrap_or(now);
    let probe = all_next(&mut course, now);
    course.settle(probe[0], &Outcome::Delivered, now);
    let mut delivered = 1;
    loop {
        let next = all_next(&mut course, now);
        delivered += next.len();
        for seq in next {
            course.settle(seq, &Outcome::Delivered, now);
        }
        match course.wakes_at() {
            Some(due) => now = now.max(due),
            None if course.settled_seq() == 40 => break,
            None => {}
        }
    }
    assert_eq!(delivered, 40);
}

#[test]
fn one_record_that_fails_again_and_again_does_not_pause_the_endpoint() {
    let mut course = course();
    let mut now = NOW;
    course.read([(1, "poison")], 1, now);
    // Nothing else happens, so nothing shows that the record is at fault.
    while now.seconds_since(NOW) < 10 * 86_400 {
        assert_eq!(all_next(&mut course, now), [1]);
        assert_eq!(course.settle(1, &FAILED, now), Fate::Waits);
        assert!(!course.circuit().is_open());
        now = course.wakes_at().unwrap_or(now);
    }
    course.read([(2, "other")], 2, now);
    assert_eq!(all_next(&mut course, now), [1, 2]);
    course.settle(2, &Outcome::Delivered, now);
    assert_eq!(course.settle(1, &FAILED, now), Fate::GivenUp);
}

#[test]
fn a_slow_answer_does_not_stop_the_position() {
    let mut course = course();
    course.read([(1, "slow")], 1, NOW);
    assert_eq!(course.next(NOW), Some(1));
    for seq in 2..=SPAN + 10 {
        course.read([(seq, "fast")], seq, NOW);
        assert_eq!(course.next(NOW), Some(seq));
        course.settle(seq, &Outcome::Delivered, NOW);
    }
    let progress = course.progress().unwrap_or_default();
    assert_eq!(progress.settled_seq, SPAN + 10);
    assert_eq!(progress.rows.iter().map(|row| (row.seq, row.attempts)).collect::<Vec<_>>(), [(1, 0)]);
    course.settle(1, &Outcome::Delivered, NOW);
    assert_eq!(course.progress().unwrap_or_default().removed, [1]);
}

#[test]
fn too_many_waiting_records_stop_the_reading() {
    let limits = EndpointLimits { most_waiting: 3, ..LIMITS };
    let mut course = Course::new(limits, 0, (Circuit::default(), None), vec![]);
    course.read([(1, "a"), (2, "a"), (3, "a")], 3, NOW);
    course.next(NOW);
    assert!(course.room() > 0);
    course.settle(1, &FAILED, NOW);
    assert_eq!(course.room(), 0);
}

/// Any answers, ends of the process at any time, and any arrival of records: each lane gets its records in order, apart from
/// repetitions of older ones after a new begin, and nothing is left out.
#[test]
fn every_history_delivers_all_records_in_the_order_of_each_lane() {
    for round in 0..300_i64 {
        let mut dice = (0..).map(|step| pause::millis(1_000, 1_000, step + 1, round));
        let mut roll = |sides: i64| dice.next().unwrap_or_default() % sides;
        let (mut tables, mut position, mut circuit) = (BTreeMap::new(), 0, Circuit::default());
        let mut course = course();
        let (mut now, mut under_way, mut got) = (NOW, vec![], BTreeMap::<i64, Vec<i64>>::new());
        let last = 120_i64;
        let mut steps = 0;
        while course.settled_seq() < last || !course.items.is_empty() {
            steps += 1;
            assert!(steps < 100_000, "round {round}: {course:?}");
            match roll(8) {
                0 | 1 if course.room() > 0 => {
                    let to = (course.read_to() + 1 + roll(9)).min(last);
                    let lanes: Vec<(i64, String)> =
                        (course.read_to() + 1..=to).map(|seq| (seq, format!("{}", seq % 7))).collect();
                    course.read(lanes.iter().map(|(seq, lane)| (*seq, lane.as_str())), to, now);
                }
                2..=4 => under_way.extend(course.next(now)),
                5 if !under_way.is_empty() => {
                    let seq =
                        under_way.swap_remove(usize::try_from(roll(under_way.len() as i64)).unwrap_or(0));
                    let outcome = if roll(3) == 0 { FAILED } else { Outcome::Delivered };
                    if outcome == Outcome::Delivered {
                        got.entry(seq % 7).or_default().push(seq);
                    }
                    course.settle(seq, &outcome, now);
                }
                6 => {
                    if let Some(progress) = course.progress() {
                        position = progress.settled_seq;
                        circuit = progress.circuit;
                        progress.removed.iter().for_each(|seq| drop(tables.remove(seq)));
                        tables.extend(progress.rows.into_iter().map(|row| (row.seq, row)));
                    }
                }
                7 if roll(6) == 0 => {
                    under_way.clear();
                    course =
                        Course::new(LIMITS, position, (circuit, None), tables.values().cloned().collect());
                }
                _ => now = now.plus_seconds(roll(20)),
            }
        }
        for (lane, seqs) in got {
            let mut newest = 0;
            for seq in seqs {
                let next = if newest == 0 { if lane == 0 { 7 } else { lane } } else { newest + 7 };
                assert!(seq <= next, "round {round}, lane {lane}: {seq} before {next}");
                newest = newest.max(seq);
            }
            assert!(newest + 7 > last, "round {round}, lane {lane}: {newest}");
        }
    }
}
