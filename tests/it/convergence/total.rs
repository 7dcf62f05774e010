//! One delivery at a time: every input is read without a failure of the service (promise 8, lesson 19).

use proptest::{prelude::*, sample::Index};
use rosterd::broker::{Disposition, LONGEST_ID, Secret, Source};
use serde_json::value::RawValue;

use super::{
    damage::{any_json, damaged},
    trial::{Trial, holds},
};
use crate::harness::{NOW, SECRET, broker::signature};

fn any_body() -> BoxedStrategy<Vec<u8>> {
    let cut = (damaged(), any::<Index>(), prop::collection::vec(any::<u8>(), 0..4)).prop_map(
        |(body, place, bytes)| {
            let mut body = body.to_string().into_bytes();
            let from = place.index(body.len());
            let to = body.len().min(from + bytes.len());
            body.splice(from..to, bytes);
            body
        },
    );
    prop_oneof![
        4 => damaged().prop_map(|body| body.to_string().into_bytes()),
        4 => cut,
        1 => any_json().prop_map(|body| body.to_string().into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..64),
    ]
    .boxed()
}

impl Trial for Vec<u8> {
    fn describe(&self) -> String {
        String::from_utf8_lossy(self).into_owned()
    }
}

/// Valid by JSON's grammar. A number that no machine can store is valid, and affects nothing where it is not read.
/// Bytes that a text may not contain affect only that text.
fn is_object(body: &[u8]) -> bool {
    let plain = |byte: &u8| match *byte {
        0..0x20 => b' ',
        0x80.. => b'?',
        byte => byte,
    };
    let body: Vec<u8> = body.iter().map(plain).collect();
    serde_json::from_slice::<Box<RawValue>>(&body).is_ok() && body.trim_ascii_start().starts_with(b"{")
}

#[test]
fn whatever_bytes_are_sent_they_are_labelled_and_read_without_a_panic() {
    holds(4_000, any_body(), |body| {
        let label = Source::WorkOs.label(body);
        prop_assert!(
            (1..=LONGEST_ID).contains(&label.key.len()) && !label.key.contains('\0'),
            "{:?}",
            label.key
        );
        let reading = Source::WorkOs.read(body);
        prop_assert!(label.disposition != Disposition::Ignore || reading.is_ok(), "{reading:?}");
        let is_event = !matches!(label.disposition, Disposition::NotUnderstood(_));
        prop_assert!(!is_event || is_object(body), "{label:?}");
        Ok(())
    });
}

/// A header of parts that are right, nearly right, or arbitrary.
#[derive(Clone, Debug)]
struct Header(Vec<u8>);

impl Trial for Header {
    fn describe(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }
}

#[test]
fn whatever_header_is_sent_it_is_read_without_a_panic_and_proves_only_what_was_signed() {
    const BODY: &[u8] = b"{}";
    let right = signature(SECRET, NOW.millis(), BODY);
    let (time, proof) = right.split_once(", ").unwrap();
    let (time, proof) = (time.to_owned(), proof.to_owned());
    let part = prop_oneof![
        4 => Just(time.clone().into_bytes()),
        4 => Just(proof.clone().into_bytes()),
        1 => "t=[0-9]{0,18}".prop_map(String::into_bytes),
        1 => "v1=[0-9a-fA-F]{62,66}".prop_map(String::into_bytes),
        1 => "[ \tt=v1,0-9]{0,12}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..12),
    ];
    let between = prop::sample::select(vec![&b", "[..], b",", b" ,\t", b"=", b""]);
    let header = prop::collection::vec((part, between), 0..6).prop_map(|parts| {
        Header(parts.into_iter().flat_map(|(part, between)| [part, between.to_vec()].concat()).collect())
    });
    let secrets = [Secret::new(SECRET).unwrap()];
    holds(4_000, header, |Header(header)| {
        let verified = Source::WorkOs.verify(Some(header), BODY, &secrets, 180_000, NOW);
        let holds = |part: &str| header.windows(part.len()).any(|window| window == part.as_bytes());
        prop_assert!(verified.is_err() || holds(&time) && holds(&proof), "accepted without the right parts");
        Ok(())
    });
}
