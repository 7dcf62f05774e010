//! One `idp_id` in several directories of a tenant: one person or several.
//!
//! An `idp_id` is unique in its directory only (lesson 48). Yet only the `idp_id` tells that a person has returned
//! under a new id (lessons 36, 37). The rules, for all users with the same tenant, kind of provider and `idp_id`:
//!
//! - The users of one directory are one person. So are users who have ever had the same address, in any number of
//!   steps.
//! - If two of these persons never had access at the same time, the later one is the first one, returned, as long as no
//!   third one is known.
//! - All others are different persons.
//!
//! A user's time begins with the earliest fact about them and ends when the directory ends their access. The first
//! person has the `idp_id`'s own person id, so a newcomer changes nothing for others; each other person is named after
//! the first user known for them. All this follows from the latest facts, so the order of arrival does not matter. An
//! `idp_id` with more users than [`MOST`] identifies nobody (some directories send the same text for all) and
//! separates nobody. Limits: the end is the newest known one, so a leaver who is changed or deleted later counts as
//! present until then; and a former `idp_id` of a user separates nobody.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{
    access::access,
    bearers::bearer_of,
    email_key::email_key,
    newest_fact::{Homes, NewestFact, newest_facts},
    rule_input::known_user,
    state::StateSlice,
    users::UserRow,
};
use crate::{decide::fact::EntityKind, runtime::clock::Timestamp};

/// For each user who is not the first person of their `idp_id`, by (tenant, user): the first user known for the
/// person.
pub type SeparatePersons = HashMap<(String, String), String>;

/// Limit of users with one `idp_id` in all directories of a tenant. More are not compared, because each event about
/// one of them would cost as much as all of them.
pub const MOST: usize = 32;

/// ((tenant, `idp_id`), directory). The same `idp_id` in another directory may mean another person.
pub type Place = ((String, String), String);

/// The places of a user id, by the latest facts and by the rows.
pub fn places(state: &StateSlice, id: &str, current: &[UserRow], homes: &Homes) -> Vec<Place> {
    let place = |tenant_id: &str, idp_id: Option<&str>, directory_id: &str| {
        Some(((tenant_id.to_owned(), idp_id?.to_owned()), directory_id.to_owned()))
    };
    let now = newest_facts(state, EntityKind::User, id, homes).into_iter().filter_map(|newest| {
        place(newest.tenant_id(), known_user(state, &newest, current)?.idp_id(), newest.directory_id)
    });
    let before = current
        .iter()
        .filter_map(|row| place(&row.tenant_id, row.profile.idp_id.as_deref(), &row.directory_id));
    now.chain(before).collect()
}

/// Separates the persons. If the users of an `idp_id` are in several directories, all of them must be among `ids`,
/// except for the `crowded` (tenant, `idp_id`), which have more than [`MOST`].
pub fn separate_persons(
    state: &StateSlice,
    ids: &BTreeSet<String>,
    current: &HashMap<String, Vec<UserRow>>,
    homes: &Homes,
    crowded: &BTreeSet<(String, String)>,
) -> SeparatePersons {
    type Bearing<'a> = HashMap<(String, String), Vec<(&'a str, NewestFact<'a>)>>;
    let mut bearing = Bearing::new();
    for id in ids {
        let current = current.get(id).map_or(&[][..], Vec::as_slice);
        for newest in newest_facts(state, EntityKind::User, id, homes) {
            let idp_id = known_user(state, &newest, current)
                .and_then(|known_user| known_user.idp_id().map(str::to_owned));
            let Some(idp_id) = idp_id else { continue };
            bearing.entry((newest.tenant_id().to_owned(), idp_id)).or_default().push((id, newest));
        }
    }
    bearing.retain(|key, users| users.len() <= MOST && !crowded.contains(key));
    let mut separate = SeparatePersons::new();
    for ((tenant_id, _), users) in bearing {
        let mut of_provider: HashMap<Option<&str>, Vec<(&str, NewestFact<'_>)>> = HashMap::new();
        for (id, newest) in users {
            of_provider.entry(newest.home.provider.as_deref()).or_default().push((id, newest));
        }
        for users in of_provider.into_values() {
            separate_in(&tenant_id, &users, state, current, &mut separate);
        }
    }
    separate
}

fn separate_in(
    tenant_id: &str,
    users: &[(&str, NewestFact<'_>)],
    state: &StateSlice,
    current: &HashMap<String, Vec<UserRow>>,
    separate: &mut SeparatePersons,
) {
    let first = users.first().map(|(_, newest)| newest.directory_id);
    if users.iter().all(|(_, newest)| Some(newest.directory_id) == first) {
        return;
    }
    let mut namesakes: Vec<Namesake<'_>> =
        users.iter().map(|(id, newest)| namesake(state, id, newest, current)).collect();
    namesakes.sort_by_key(|one| (one.since, one.id));
    let others = others(&namesakes).into_iter();
    separate.extend(others.map(|(id, first)| ((tenant_id.to_owned(), id.to_owned()), first.to_owned())));
}

#[derive(Debug)]
struct Namesake<'a> {
    id: &'a str,
    directory_id: &'a str,
    addresses: BTreeSet<String>,
    since: Timestamp,
    until: Option<Timestamp>,
}

fn namesake<'a>(
    state: &StateSlice,
    id: &'a str,
    newest: &NewestFact<'a>,
    current: &HashMap<String, Vec<UserRow>>,
) -> Namesake<'a> {
    let now = bearer_of(state, id, newest.tenant_id());
    let mut addresses: BTreeSet<String> = now.pairs.into_iter().filter_map(|(_, address)| address).collect();
    if now.first.is_none() {
        // No bearer is stored for these facts any more, so the row's address counts.
        let rows = current.get(id).into_iter().flatten().filter(|row| row.tenant_id == newest.tenant_id());
        addresses.extend(rows.filter_map(|row| row.profile.email.as_deref()).map(email_key));
    }
    Namesake {
        id,
        directory_id: newest.directory_id,
        addresses,
        since: now.first.unwrap_or(newest.fact.version.at),
        until: access(newest.fact, &newest.home.place).since(),
    }
}

/// (user, first user known for the person) of all but the first person. `namesakes` are sorted by their first time.
fn others<'a>(namesakes: &'a [Namesake<'a>]) -> Vec<(&'a str, &'a str)> {
    let mut persons: Vec<Vec<&'a Namesake<'a>>> = Vec::new();
    for class in classes(namesakes) {
        match persons.as_mut_slice() {
            [only] if !at_once(only, &class) => only.extend(class),
            _ => persons.push(class),
        }
    }
    let of_person = |person: &Vec<&'a Namesake<'a>>| {
        let first = person.first().map(|one| one.id);
        person.iter().filter_map(|one| Some((one.id, first?))).collect::<Vec<_>>()
    };
    persons.iter().skip(1).flat_map(of_person).collect()
}

/// Groups of users who are one person by directory or address. Each group begins with the earliest user.
fn classes<'a>(namesakes: &'a [Namesake<'a>]) -> Vec<Vec<&'a Namesake<'a>>> {
    let marks = |one: &'a Namesake<'a>| {
        let addresses = one.addresses.iter().map(|address| (false, address.as_str()));
        addresses.chain([(true, one.directory_id)])
    };
    let mut marked: HashMap<(bool, &str), Vec<&Namesake<'_>>> = HashMap::new();
    for one in namesakes {
        for mark in marks(one) {
            marked.entry(mark).or_default().push(one);
        }
    }
    let (mut classes, mut seen) = (Vec::new(), HashSet::new());
    for one in namesakes {
        if !seen.insert(one.id) {
            continue;
        }
        let (mut class, mut next) = (vec![one], 0);
        while let Some(member) = class.get(next).copied() {
            for mark in marks(member) {
                let linked = marked.remove(&mark).unwrap_or_default();
                class.extend(linked.into_iter().filter(|other| seen.insert(other.id)));
            }
            next += 1;
        }
        classes.push(class);
    }
    classes
}

fn at_once(one: &[&Namesake<'_>], other: &[&Namesake<'_>]) -> bool {
    let before = |since: Timestamp, until: Option<Timestamp>| until.is_none_or(|until| since < until);
    let meet = |a: &Namesake<'_>, b: &Namesake<'_>| before(a.since, b.until) && before(b.since, a.until);
    one.iter().any(|a| other.iter().any(|b| meet(a, b)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::testing::{connected, latest, row};

    /// (user, directory, addresses, since, until), times in seconds.
    type One<'a> = (&'a str, &'a str, &'a [&'a str], i64, Option<i64>);

    fn separate(of: &[One<'_>]) -> Vec<String> {
        let time = |seconds: i64| Timestamp::from_millis(seconds * 1_000);
        let mut namesakes: Vec<_> = of
            .iter()
            .map(|(id, directory_id, addresses, since, until)| Namesake {
                id,
                directory_id,
                addresses: addresses.iter().map(|address| (*address).to_owned()).collect(),
                since: time(*since),
                until: until.map(time),
            })
            .collect();
        namesakes.sort_by_key(|one| (one.since, one.id));
        let mut others: Vec<_> =
            others(&namesakes).into_iter().map(|(id, first)| format!("{id} is {first}")).collect();
        others.sort();
        others
    }

    #[test]
    fn two_who_are_there_at_once_are_two_also_after_both_have_left() {
        let ann = ("u1", "d1", &["ann"][..], 1, None);
        assert_eq!(separate(&[ann, ("u2", "d2", &["bob"], 2, None)]), ["u2 is u2"]);
        assert_eq!(
            separate(&[ann, ("u2", "d2", &[], 2, None)]),
            ["u2 is u2"],
            "no address is not the same one"
        );
        assert_eq!(
            separate(&[("u1", "d1", &["ann"], 1, Some(9)), ("u2", "d2", &["bob"], 2, Some(8))]),
            ["u2 is u2"]
        );
    }

    #[test]
    fn one_address_or_one_directory_is_one_person_in_any_number_of_steps() {
        let ann = ("u1", "d1", &["ann"][..], 1, None);
        assert!(separate(&[ann, ("u2", "d2", &["ann"], 2, None)]).is_empty());
        assert!(separate(&[ann, ("u2", "d1", &["bob"], 2, None)]).is_empty());
        assert!(
            separate(&[ann, ("u3", "d3", &["lee"], 3, None), ("u2", "d2", &["lee", "ann"], 2, None)])
                .is_empty()
        );
        let bob = ("u2", "d2", &["bob"][..], 2, None);
        assert_eq!(separate(&[ann, ("u3", "d3", &["bob"], 3, None), bob]), ["u2 is u2", "u3 is u2"]);
    }

    #[test]
    fn a_new_user_is_the_same_person_when_the_only_other_one_has_left() {
        let ann = ("u1", "d1", &["ann"][..], 1, Some(5));
        assert!(separate(&[ann, ("u2", "d2", &["lee"], 5, None)]).is_empty());
        assert_eq!(
            separate(&[ann, ("u2", "d2", &["lee"], 7, None), ("u3", "d3", &["bob"], 8, None)]),
            ["u3 is u3"],
            "who has come back stays so"
        );
        assert_eq!(
            separate(&[ann, ("u2", "d2", &["bob"], 2, Some(4)), ("u3", "d3", &["lee"], 9, None)]),
            ["u2 is u2", "u3 is u3"],
            "of two who are gone, neither is known to be back"
        );
    }

    #[test]
    fn without_a_stored_bearer_the_address_of_the_row_in_the_same_tenant_counts() {
        let (mut state, homes) = connected();
        state.insert_fact(EntityKind::User, "u".to_owned(), latest(1, 1, true));
        let rows = vec![row("org_1", "Ann", &[]), row("org_2", "Bob", &[])];
        let current = HashMap::from([("u".to_owned(), rows)]);
        let newest = newest_facts(&state, EntityKind::User, "u", &homes).pop().unwrap();

        let namesake = namesake(&state, "u", &newest, &current);

        assert_eq!(namesake.addresses, BTreeSet::from(["ann@acme.example".to_owned()]));
        assert_eq!(namesake.since, newest.fact.version.at);
    }
}
