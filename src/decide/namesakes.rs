//! One `idp_id` in several directories of a tenant: one person, or several.
//!
//! An `idp_id` is unique in its directory only (lesson 48), and yet it is all that tells that somebody is back under a new id
//! (lessons 36, 37). Of all users of a tenant, a kind of provider and an `idp_id`:
//!
//! - those of one directory are one person, and so are those who have ever had the same address, in any number of steps;
//! - when two of these were never there at once, the later one is the first one come back, as long as no third is known;
//! - all others are other persons.
//!
//! Somebody was there from the earliest fact about them until the directory ended their access. The first
//! person has the `idp_id`'s own person id, so a newcomer changes nothing for whoever was there before; every other one is
//! named after the user whom they were first known as. All this follows from the latest facts, so no order of arrival
//! matters. An `idp_id` of more users than [`MOST`] is no id of anybody, as where a directory sends the same text for all, and
//! tells nobody apart. Not covered: an end is the newest one that was said, so a leaver whom the directory changes or deletes afterwards
//! counts as there until then; and an `idp_id` that a user had before and has no more tells nobody apart.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{
    access::access,
    bearers::bearer_of,
    email_key::email_key,
    newest_fact::{Homes, NewestFact, newest_facts},
    rule_input::said,
    state::StateSlice,
    users::ShownUser,
};
use crate::{decide::fact::EntityKind, runtime::clock::Timestamp};

/// By (tenant, user), of those who are not the first person of their `idp_id`: the user whom they were first known as.
pub type Apart = HashMap<(String, String), String>;

/// Users of a tenant who have one `idp_id`, in all its directories; more are not looked at, since each event on one of them
/// would cost as much as all of them.
pub const MOST: usize = 32;

/// Where the same `idp_id` may mean somebody else: (tenant, `idp_id`), and the directory that it is of.
pub type Place = ((String, String), String);

/// Where these users have an `idp_id`, or are shown with one.
pub fn places(state: &StateSlice, id: &str, shown: &[ShownUser], homes: &Homes) -> Vec<Place> {
    let place = |tenant_id: &str, idp_id: Option<&str>, directory_id: &str| {
        Some(((tenant_id.to_owned(), idp_id?.to_owned()), directory_id.to_owned()))
    };
    let now = newest_facts(state, EntityKind::User, id, homes).into_iter().filter_map(|newest| {
        place(newest.tenant_id(), said(state, &newest, shown)?.idp_id(), newest.directory_id)
    });
    let before =
        shown.iter().filter_map(|row| place(&row.tenant_id, row.idp_id.as_deref(), &row.directory_id));
    now.chain(before).collect()
}

/// All users of an `idp_id` must be among `ids` where those of one directory are not all, but for the `crowded` ones, (tenant,
/// `idp_id`): of those there are more than [`MOST`].
pub fn apart(
    state: &StateSlice,
    ids: &BTreeSet<String>,
    shown: &HashMap<String, Vec<ShownUser>>,
    homes: &Homes,
    crowded: &BTreeSet<(String, String)>,
) -> Apart {
    type Bearing<'a> = HashMap<(String, String), Vec<(&'a str, NewestFact<'a>)>>;
    let mut bearing = Bearing::new();
    for id in ids {
        let shown = shown.get(id).map_or(&[][..], Vec::as_slice);
        for newest in newest_facts(state, EntityKind::User, id, homes) {
            let idp_id = said(state, &newest, shown).and_then(|said| said.idp_id().map(str::to_owned));
            let Some(idp_id) = idp_id else { continue };
            bearing.entry((newest.tenant_id().to_owned(), idp_id)).or_default().push((id, newest));
        }
    }
    bearing.retain(|key, users| users.len() <= MOST && !crowded.contains(key));
    let mut apart = Apart::new();
    for ((tenant_id, _), users) in bearing {
        let mut of_provider: HashMap<Option<&str>, Vec<(&str, NewestFact<'_>)>> = HashMap::new();
        for (id, newest) in users {
            of_provider.entry(newest.home.provider.as_deref()).or_default().push((id, newest));
        }
        for users in of_provider.into_values() {
            apart_in(&tenant_id, &users, state, shown, &mut apart);
        }
    }
    apart
}

fn apart_in(
    tenant_id: &str,
    users: &[(&str, NewestFact<'_>)],
    state: &StateSlice,
    shown: &HashMap<String, Vec<ShownUser>>,
    apart: &mut Apart,
) {
    let first = users.first().map(|(_, newest)| newest.directory_id);
    if users.iter().all(|(_, newest)| Some(newest.directory_id) == first) {
        return;
    }
    let mut namesakes: Vec<Namesake<'_>> =
        users.iter().map(|(id, newest)| namesake(state, id, newest, shown)).collect();
    namesakes.sort_by_key(|one| (one.since, one.id));
    let others = others(&namesakes).into_iter();
    apart.extend(others.map(|(id, first)| ((tenant_id.to_owned(), id.to_owned()), first.to_owned())));
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
    shown: &HashMap<String, Vec<ShownUser>>,
) -> Namesake<'a> {
    let now = bearer_of(state, id, newest.tenant_id());
    let mut addresses: BTreeSet<String> = now.pairs.into_iter().filter_map(|(_, address)| address).collect();
    if now.first.is_none() {
        // Facts of which nothing is stored any more.
        let rows = shown.get(id).into_iter().flatten().filter(|row| row.tenant_id == newest.tenant_id());
        addresses.extend(rows.filter_map(|row| row.email.as_deref()).map(email_key));
    }
    Namesake {
        id,
        directory_id: newest.directory_id,
        addresses,
        since: now.first.unwrap_or(newest.fact.version.at),
        until: access(newest.fact, &newest.home.place).since(),
    }
}

/// (user, whom they were first known as) of all but the first person; `namesakes` are in the order of their coming.
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

/// Those who are one by directory or address, each beginning with the one who came first.
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

    /// (user, directory, addresses, since, until).
    type One<'a> = (&'a str, &'a str, &'a [&'a str], i64, Option<i64>);

    fn apart(of: &[One<'_>]) -> Vec<String> {
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
        assert_eq!(apart(&[ann, ("u2", "d2", &["bob"], 2, None)]), ["u2 is u2"]);
        assert_eq!(apart(&[ann, ("u2", "d2", &[], 2, None)]), ["u2 is u2"], "no address is not the same one");
        assert_eq!(
            apart(&[("u1", "d1", &["ann"], 1, Some(9)), ("u2", "d2", &["bob"], 2, Some(8))]),
            ["u2 is u2"]
        );
    }

    #[test]
    fn one_address_or_one_directory_is_one_person_in_any_number_of_steps() {
        let ann = ("u1", "d1", &["ann"][..], 1, None);
        assert!(apart(&[ann, ("u2", "d2", &["ann"], 2, None)]).is_empty());
        assert!(apart(&[ann, ("u2", "d1", &["bob"], 2, None)]).is_empty());
        assert!(
            apart(&[ann, ("u3", "d3", &["lee"], 3, None), ("u2", "d2", &["lee", "ann"], 2, None)]).is_empty()
        );
        let bob = ("u2", "d2", &["bob"][..], 2, None);
        assert_eq!(apart(&[ann, ("u3", "d3", &["bob"], 3, None), bob]), ["u2 is u2", "u3 is u2"]);
    }

    #[test]
    fn whoever_comes_when_the_only_other_one_is_gone_is_back() {
        let ann = ("u1", "d1", &["ann"][..], 1, Some(5));
        assert!(apart(&[ann, ("u2", "d2", &["lee"], 5, None)]).is_empty());
        assert_eq!(
            apart(&[ann, ("u2", "d2", &["lee"], 7, None), ("u3", "d3", &["bob"], 8, None)]),
            ["u3 is u3"],
            "who has come back stays so"
        );
        assert_eq!(
            apart(&[ann, ("u2", "d2", &["bob"], 2, Some(4)), ("u3", "d3", &["lee"], 9, None)]),
            ["u2 is u2", "u3 is u3"],
            "of two who are gone, neither is known to be back"
        );
    }
}
