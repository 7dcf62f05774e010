//! Replays inputs that a coverage-guided fuzzer has found: `tests/fixtures/corpus/{header,event,sequence}`.
//!
//! One file is one input. The checks are those of the fuzzer, so a new input is one more file.

use std::collections::{BTreeMap, BTreeSet};

use hmac::{Hmac, KeyInit, Mac};
use rosterd::{
    broker::{Disposition, LONGEST_ID, Secret, Source},
    decide::{
        DirectoryDeleted, People, Rules, Tenancy,
        context::Context,
        directories::{DirectoryRow, TenantRow, directory_row, tenant_row},
        fact::{EntityKind, Fact, Observation, Reading, User, Version},
        fold_facts::{claim_of, fold},
        groups::{self, GroupChange, GroupRow},
        newest_fact::{Home, Homes},
        ownership::{place, settle},
        state::{FirstSighting, OwnershipClaim, StateSlice, UNSPOKEN},
        still_needed::{NeededEvidence, needed},
        users::{self, UserAccess, UserChange, UserRow},
    },
    runtime::clock::Timestamp,
};
use serde_json::{Map, Value, json};
use sha2::Sha256;

fn replay(target: &str, check: fn(&[u8])) {
    let directory = format!("{}/tests/fixtures/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<_> =
        std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{directory} is empty");
    for file in files {
        let input = std::fs::read(&file).unwrap();
        let held = std::panic::catch_unwind(|| check(&input)).is_ok();
        assert!(held, "{} fails its check", file.display());
    }
}

#[test]
fn a_header_is_accepted_exactly_when_the_policy_read_literally_accepts_it() {
    replay("header", header);
}

#[test]
fn a_body_is_labelled_and_read_alike_and_its_content_can_be_stored() {
    replay("event", event);
}

#[test]
fn one_set_of_events_ends_in_one_outcome_in_any_order_in_any_batches_and_compacted() {
    replay("sequence", sequence);
}

// Header: the first line, in which {1}, {2} and {3} stand for the signature with each key. The body follows.

const NOW: i64 = 1_767_225_601_000;
const TOLERANCE: i64 = 180_000;
const KEYS: [&str; 3] = ["whsec_test_4f1c0d2e9b7a", "whsec_test_next", "whsec_test_stranger"];

fn signed(key: &str, time: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(time.as_bytes());
    mac.update(b".");
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

/// Finds the values of a key character by character, unlike the code under test.
fn values(text: &str, key: &str) -> Vec<String> {
    let (mut found, mut name, mut value) = (Vec::new(), String::new(), None::<String>);
    for c in text.chars().chain([',']) {
        match (c, &mut value) {
            (',', part) => {
                if let Some(value) = part.take().filter(|_| name.trim_start_matches([' ', '\t']) == key) {
                    // A blank before the comma, or alone between commas, is no part of a value.
                    found.push(value.trim_end_matches([' ', '\t']).to_owned());
                }
                name.clear();
            }
            ('=', part @ None) => *part = Some(String::new()),
            (c, Some(value)) => value.push(c),
            (c, None) => name.push(c),
        }
    }
    found
}

/// The policy of `broker::workos::signature`, implemented literally.
fn accepted(header: &[u8], body: &[u8], now: i64) -> bool {
    let Ok(text) = std::str::from_utf8(header) else { return false };
    let [time] = &values(text, "t")[..] else { return false };
    if !(1..=16).contains(&time.len()) || !time.bytes().all(|b| b.is_ascii_digit()) {
        return false;
    }
    let mut signatures = values(text, "v1");
    signatures
        .retain(|text| text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')));
    (1..=8).contains(&signatures.len())
        && (now - time.parse::<i64>().unwrap()).abs() <= TOLERANCE
        && KEYS[..2].iter().any(|key| signatures.contains(&signed(key, time, body)))
}

pub fn header(input: &[u8]) {
    let end = input.iter().position(|b| *b == b'\n').unwrap_or(input.len());
    let (line, body) = (&input[..end], input.get(end + 1..).unwrap_or_default());
    let line = match std::str::from_utf8(line) {
        Ok(text) => {
            let time = values(text, "t").into_iter().next().unwrap_or_default();
            let fill = |text: String, (n, key): (usize, &&str)| {
                text.replace(&format!("{{{}}}", n + 1), &signed(key, &time, body))
            };
            KEYS.iter().enumerate().fold(text.to_owned(), fill).into_bytes()
        }
        Err(_) => line.to_vec(),
    };
    let secrets: Vec<Secret> = KEYS[..2].iter().filter_map(|key| Secret::new(key)).collect();
    let verify = |now| Source::WorkOs.verify(Some(&line), body, &secrets, TOLERANCE, now);
    let judged = verify(Timestamp::from_millis(NOW));
    assert_eq!(judged.is_ok(), accepted(&line, body, NOW), "{judged:?}");
    assert_eq!(verify(Timestamp::from_millis(0)).is_ok(), accepted(&line, body, 0));
    for now in [i64::MIN, i64::MAX] {
        assert!(verify(Timestamp::from_millis(now)).is_err());
    }
    assert!(Source::WorkOs.verify(Some(&line), body, &[], TOLERANCE, Timestamp::from_millis(NOW)).is_err());
}

// Event: the file is the body.

pub fn event(body: &[u8]) {
    let (label, reading) = (Source::WorkOs.label(body), Source::WorkOs.read(body));
    assert_eq!(Source::WorkOs.label(body), label);
    assert_eq!(Source::WorkOs.read(body), reading);
    assert_id(&label.key);
    match &label.disposition {
        Disposition::Apply => assert!(!matches!(reading, Ok(Reading::Nothing)), "{label:?}"),
        Disposition::Ignore => assert!(!matches!(reading, Ok(Reading::Fact(_, _))), "{label:?}"),
        Disposition::NotUnderstood(_) => assert!(reading.is_err(), "{label:?}, {reading:?}"),
    }
    let understood = !matches!(label.disposition, Disposition::NotUnderstood(_));
    assert_eq!(understood, !label.kind.is_empty());
    assert!(label.kind.len() <= LONGEST_ID && !label.kind.contains('\0'));
    let first = body.iter().find(|b| !b" \t\r\n".contains(b));
    assert!(!understood || first == Some(&b'{'), "what is no object is understood: {label:?}");
    let Ok(Reading::Fact(observation, _)) = reading else { return };
    let deleted = label.kind.ends_with(".deleted");
    if let Some((directory_id, organization_id)) = claim_of(&observation) {
        assert_id(directory_id);
        assert!(organization_id.len() <= LONGEST_ID && !organization_id.contains('\0'));
    }
    match &*observation {
        Observation::Organization(fact) => {
            assert_fact(fact, &label.key, deleted);
            assert_text(&fact.content.name);
        }
        Observation::Directory { scope, fact } => {
            assert_fact(fact, &label.key, deleted);
            assert_eq!(scope.directory_id, fact.id);
            [&fact.content.name, &fact.content.provider].into_iter().flatten().for_each(|t| assert_text(t));
            assert_text(&fact.content.state);
        }
        Observation::User { fact, .. } => assert_user(fact, &label.key, deleted),
        Observation::Group { fact, .. } => {
            assert_fact(fact, &label.key, deleted);
            assert_text(&fact.content.name);
        }
        Observation::Membership { membership, user, group, .. } => {
            assert_user(user, &label.key, false);
            assert_fact(group, &label.key, false);
            assert_eq!((&membership.user_id, &membership.group_id), (&user.id, &group.id));
            assert_eq!((user.reveals, group.reveals), (membership.added, membership.added));
            assert_eq!(membership.version.event, label.key);
        }
        Observation::Members { group, changes, .. } => {
            if let Some(group) = group {
                assert_fact(group, &label.key, deleted);
            }
            for change in changes {
                assert_id(&change.group_id);
                assert_id(&change.user_id);
                assert_eq!(change.version.event, label.key);
            }
        }
    }
}

fn assert_id(id: &str) {
    assert!((1..=LONGEST_ID).contains(&id.len()) && !id.contains('\0'), "{id:?} is no key");
}

fn assert_text(text: &str) {
    assert!(!text.contains('\0') && text.chars().count() <= 1_024, "{text:?} cannot be stored");
}

fn assert_fact<T>(fact: &Fact<T>, event: &str, deleted: bool) {
    assert_id(&fact.id);
    assert_eq!(fact.version.event, event);
    assert!(!deleted || !fact.live && !fact.reveals && fact.version.at >= fact.version.emitted);
}

fn assert_user(fact: &Fact<User>, event: &str, deleted: bool) {
    assert_fact(fact, event, deleted);
    let content = &fact.content;
    assert!(!fact.live || content.state == "active");
    assert!(content.roles.is_sorted_by(|a, b| a < b));
    content.roles.iter().for_each(|slug| assert_id(slug));
    content.profile.idp_id.iter().for_each(|id| assert_id(id));
    assert!(content.profile.email.as_ref().is_none_or(|email| email.len() <= 320));
    // The display name may be made of two texts.
    let single = content.profile.texts().filter(|(column, _)| *column != "name");
    single.filter_map(|(_, text)| text).for_each(assert_text);
    assert_text(&content.state);
    let attributes: Map<String, Value> = serde_json::from_str(&content.custom_attributes).unwrap();
    assert!(!Value::Object(attributes).to_string().contains("\\u0000"));
}

// Sequence: a byte of rules, a byte that seeds the other order, then six bytes for each event.

const MOST_EVENTS: usize = 32;

fn bodies(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes.chunks_exact(6).take(MOST_EVENTS).enumerate().map(|(n, event)| body(n, event)).collect()
}

/// Few ids, times and contents, so that events collide.
fn body(n: usize, bytes: &[u8]) -> Vec<u8> {
    let pick = |byte: usize, shift: u32, values: u8| usize::from((bytes[byte] >> shift) & (values - 1));
    let time = |at: usize| match at {
        7 => Value::Null,
        at => json!(format!("2026-01-15T12:00:0{at}Z")),
    };
    let directory = format!("d{}", pick(1, 0, 4));
    let organization = [Value::Null, json!("o1"), json!("o2"), json!("o3")][pick(1, 2, 4)].clone();
    let updated_at = time(pick(3, 0, 8));
    let slugs = ["admin", "member", "billing"].into_iter().enumerate();
    let roles: Vec<Value> =
        slugs.filter(|(n, _)| bytes[5] >> n & 1 == 1).map(|(_, slug)| json!({"slug": slug})).collect();
    let idp_id = [Value::Null, json!("i1"), json!("i2"), json!("i1")][pick(2, 6, 4)].clone();
    let state = ["active", "active", "inactive", "suspended"][pick(2, 4, 4)];
    let user = json!({
        "id": format!("u{}", pick(2, 0, 4)), "directory_id": directory, "organization_id": organization,
        "idp_id": idp_id, "state": state,
        "name": format!("n{}", pick(5, 3, 4)), "roles": roles, "updated_at": updated_at,
    });
    let group = json!({
        "id": format!("g{}", pick(2, 2, 4)), "directory_id": directory, "organization_id": organization,
        "name": format!("n{}", pick(5, 5, 2)), "updated_at": time(pick(1, 4, 8)),
    });
    let provider = ["okta scim v2.0", "azure scim v2.0"][pick(5, 6, 2)];
    let activated = json!({
        "id": directory, "organization_id": organization, "state": "linked", "type": provider,
        "updated_at": updated_at,
    });
    let named = json!({"id": organization, "name": format!("n{}", pick(5, 3, 4)), "updated_at": updated_at});
    let both = json!({"directory_id": directory, "user": user, "group": group});
    let (kind, data) = match bytes[0] % 16 {
        0 => ("dsync.activated", activated),
        1 => ("dsync.deleted", activated),
        2 | 13 => ("dsync.user.created", user),
        3 | 14 => ("dsync.user.updated", user),
        4 => ("dsync.user.deleted", user),
        5 => ("dsync.group.created", group),
        6 => ("dsync.group.updated", group),
        7 => ("dsync.group.deleted", group),
        8 | 15 => ("dsync.group.user_added", both),
        9 => ("dsync.group.user_removed", both),
        10 => ("organization.created", named),
        11 => ("organization.updated", named),
        _ => ("organization.deleted", named),
    };
    // The inbox stores one delivery of each id. The order of ids does not depend on the order of arrival.
    let id = format!("e{:03}{n:02}", bytes[4]);
    let event = json!({"id": id, "event": kind, "data": data, "created_at": time(pick(3, 3, 8))});
    serde_json::to_vec(&event).unwrap()
}

type Pair = (String, String);
/// The first sighting of a claim, whether it is revealed, and its tenant.
type ClaimSeen = (FirstSighting, bool, Option<String>);

/// The place of a fact, then its version, whether it is live, its digest, and whether it is revealed.
type Place = (EntityKind, String, Option<Pair>);
type FactSeen = (Version, bool, i64, bool);

/// Everything that must be a function of the set of events.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    facts: BTreeMap<Place, FactSeen>,
    claims: BTreeMap<Pair, ClaimSeen>,
    memberships: BTreeMap<(String, String, Pair), (Version, bool)>,
    mentions: BTreeSet<(Pair, String)>,
    rows: Rows,
    directories: Vec<DirectoryRow>,
    tenants: Vec<TenantRow>,
}

/// The rows of people that an application sees, by tenant and id.
#[derive(Clone, Debug, Default, PartialEq)]
struct Rows {
    users: BTreeMap<Pair, UserRow>,
    groups: BTreeMap<Pair, GroupRow>,
}

fn observed(body: &[u8]) -> Option<Observation> {
    match Source::WorkOs.read(body) {
        Ok(Reading::Fact(observation, _)) => Some(*observation),
        _ => None,
    }
}

/// Does the same as `apply::load` for claims that the database does not have.
fn claim(state: &mut StateSlice, observation: &Observation) {
    let Some((directory_id, organization_id)) = claim_of(observation) else { return };
    if state.claim_between(directory_id, organization_id, 0).is_some() {
        return;
    }
    let first = FirstSighting { rank: UNSPOKEN, at: Timestamp::default(), event: String::new() };
    state.insert_claim(OwnershipClaim {
        id: state.claims().count() as i64 + 1,
        directory_id: directory_id.to_owned(),
        organization_id: organization_id.to_owned(),
        tenure: 0,
        first,
        first_inbox_id: 0,
        revealed_by: None,
        tenant_id: None,
        fresh: true,
    });
}

/// Folds one batch. Each body has the number of its delivery, as in the log.
fn folded(bodies: &[(i64, &[u8])], rules: &Rules) -> StateSlice {
    let mut state = StateSlice::default();
    for (_, body) in bodies {
        observed(body).iter().for_each(|observation| claim(&mut state, observation));
    }
    for (inbox_id, body) in bodies {
        observed(body).into_iter().for_each(|observation| fold(&mut state, *inbox_id, observation));
    }
    settle(&mut state, rules);
    state
}

fn homes(state: &StateSlice, rules: &Rules) -> Homes {
    let home = |id: &String| Home {
        place: place(state, id, rules),
        provider: directory_row(state, id, rules).and_then(|row| row.provider),
    };
    state.directories().map(|id| (id.clone(), home(id))).collect()
}

fn ids(state: &StateSlice, wanted: EntityKind) -> BTreeSet<String> {
    state.all_facts().filter(|((kind, _), _)| *kind == wanted).map(|((_, id), _)| id.clone()).collect()
}

fn of_id<T: Clone>(rows: &BTreeMap<Pair, T>, id: &str) -> Vec<T> {
    rows.iter().filter(|((_, of), _)| of == id).map(|(_, row)| row.clone()).collect()
}

/// Derives everybody from `rows`, and changes the rows as the tables would change.
fn derive(state: &StateSlice, rules: &Rules, rows: &mut Rows) {
    let homes = homes(state, rules);
    let context = Context::new(&homes, &rules.mapping);
    for id in ids(state, EntityKind::User) {
        let outcome = users::derive(state, &id, &of_id(&rows.users, &id), &context);
        for leaver in &outcome.leavers {
            assert!(rows.users[&(leaver.tenant_id.clone(), id.clone())].active);
        }
        for change in outcome.changes {
            put_user(&mut rows.users, change);
        }
    }
    for id in ids(state, EntityKind::Group) {
        for change in groups::derive(state, &id, &of_id(&rows.groups, &id), &homes) {
            match change {
                GroupChange::Remove { tenant_id, group_id } => {
                    assert!(rows.groups.remove(&(tenant_id, group_id)).is_some());
                }
                GroupChange::Put { tenant_id, group_id: id, directory_id, digest, content } => {
                    let key = (tenant_id.clone(), id.clone());
                    rows.groups
                        .insert(key, GroupRow { tenant_id, id, directory_id, name: content.name, digest });
                }
            }
        }
    }
}

fn put_user(rows: &mut BTreeMap<Pair, UserRow>, change: UserChange) {
    let check = |user: &UserAccess| {
        assert!(user.access.is_active() || user.held.is_empty());
        assert!(user.lost.iter().all(|role| !user.held.contains_key(role)));
    };
    match change {
        UserChange::Put { user, directory_id, digest, content } => {
            check(&user);
            let row = UserRow {
                tenant_id: user.tenant_id.clone(),
                id: user.user_id.clone(),
                person_id: user.person_id,
                directory_id,
                profile: content.profile,
                active: user.access.is_active(),
                access_epoch: 1,
                deprovisioned_at: user.access.since(),
                role_slugs: content.roles,
                custom_attributes: content.custom_attributes,
                held: user.held.into_keys().collect(),
                former: user.former,
                digest,
            };
            rows.insert((user.tenant_id, user.user_id), row);
        }
        UserChange::Restate(user) => {
            check(&user);
            let row = rows.get_mut(&(user.tenant_id, user.user_id)).unwrap();
            (row.deprovisioned_at, row.former) = (user.access.since(), user.former);
            (row.active, row.person_id) = (user.access.is_active(), user.person_id);
            row.held = user.held.into_keys().collect();
        }
        UserChange::Remove { tenant_id, user_id, .. } => {
            assert!(rows.remove(&(tenant_id, user_id)).is_some());
        }
    }
}

fn seen(state: &StateSlice, rules: &Rules) -> Seen {
    let pair =
        |id: i64| state.claim(id).map(|claim| (claim.directory_id.clone(), claim.organization_id.clone()));
    let mut seen = Seen::default();
    for ((kind, id), fact) in state.all_facts() {
        let key = (kind, id.clone(), pair(fact.claim_id));
        let stored = (fact.version.clone(), fact.live, fact.digest, fact.revealed_by.is_some());
        assert_eq!(seen.facts.insert(key, stored), None, "two words under one claim");
    }
    for claim in state.claims() {
        let outcome = (claim.first.clone(), claim.revealed_by.is_some(), claim.tenant_id.clone());
        assert_eq!(seen.claims.insert(pair(claim.id).unwrap(), outcome), None, "two claims for one pair");
    }
    for ((group, user, claim), (fact, _)) in &state.touched.memberships {
        let key = (group.clone(), user.clone(), pair(*claim).unwrap());
        seen.memberships.insert(key, (fact.version.clone(), fact.added));
    }
    seen.mentions =
        state.touched.mentions.keys().map(|(claim, slug)| (pair(*claim).unwrap(), slug.clone())).collect();
    derive(state, rules, &mut seen.rows);
    let directories: BTreeSet<&String> = state.directories().collect();
    seen.directories = directories.into_iter().filter_map(|id| directory_row(state, id, rules)).collect();
    let mut tenants: BTreeSet<String> = ids(state, EntityKind::Organization);
    tenants.extend(seen.directories.iter().map(|row| row.tenant_id.clone()));
    let owned = |id: &str| seen.directories.iter().any(|row| row.tenant_id == id);
    seen.tenants = tenants.iter().filter_map(|id| tenant_row(state, id, rules, owned(id))).collect();
    seen
}

fn shuffled<T>(mut items: Vec<T>, seed: u8) -> Vec<T> {
    let mut random = u64::from(seed) + 1;
    for n in (1..items.len()).rev() {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        items.swap(n, (random >> 33) as usize % (n + 1));
    }
    items
}

fn numbered<'a>(bodies: impl IntoIterator<Item = &'a [u8]>) -> Vec<(i64, &'a [u8])> {
    (1..).zip(bodies).collect()
}

pub fn sequence(input: &[u8]) {
    let [flags, seed, events @ ..] = input else { return };
    let people = |bit: u8| if flags >> bit & 1 == 1 { People::Keep } else { People::Deprovision };
    let rules = Rules {
        tenancy: if flags & 1 == 1 { Tenancy::Single } else { Tenancy::Multi },
        directory_deleted: DirectoryDeleted {
            otherwise: people(1),
            of_tenant: BTreeMap::from([("o1".to_owned(), people(2))]),
        },
        ..Rules::default()
    };
    let bodies = bodies(events);
    let log = numbered(bodies.iter().map(Vec::as_slice));
    let state = folded(&log, &rules);
    let expected = seen(&state, &rules);

    let mut again = expected.rows.clone();
    derive(&state, &rules, &mut again);
    assert_eq!(again, expected.rows, "derived twice");

    // Another order of arrival has other numbers, too.
    let backwards = numbered(bodies.iter().rev().map(Vec::as_slice));
    let other = numbered(shuffled(bodies.iter().map(Vec::as_slice).collect(), *seed));
    for log in [&backwards, &other] {
        assert_eq!(seen(&folded(log, &rules), &rules), expected, "in another order");
    }

    let twice: Vec<_> = log.iter().chain(&other).copied().collect();
    assert_eq!(seen(&folded(&twice, &rules), &rules), expected, "each said twice");

    // One event in each batch, with rows that remain.
    let (mut state_of_batches, mut rows) = (StateSlice::default(), Rows::default());
    for (inbox_id, body) in &other {
        let Some(observation) = observed(body) else { continue };
        claim(&mut state_of_batches, &observation);
        fold(&mut state_of_batches, *inbox_id, observation);
        settle(&mut state_of_batches, &rules);
        derive(&state_of_batches, &rules, &mut rows);
    }
    assert_eq!(rows, expected.rows, "one event a batch");

    let mut evidence: NeededEvidence =
        state.touched.memberships.values().map(|(_, inbox_id)| *inbox_id).collect();
    evidence.extend(state.touched.mentions.values());
    let mut rest = log.clone();
    rest.retain(|(inbox_id, body)| {
        observed(body).is_some_and(|observation| needed(&state, *inbox_id, &observation, &evidence))
    });
    assert_eq!(seen(&folded(&rest, &rules), &rules), expected, "without what is not needed");
}
