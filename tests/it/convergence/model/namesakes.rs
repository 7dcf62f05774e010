//! Decides which users with one `idp_id` in several directories are different people.

use std::collections::{BTreeMap, BTreeSet};

use super::{Fact, Key, Model};

/// A user who exists in a period: [since, until).
struct Span<'a> {
    user: Key<'a>,
    directory: &'a str,
    addresses: BTreeSet<&'a str>,
    since: &'a str,
    until: Option<&'a str>,
}

impl<'a> Model<'a> {
    /// The first known user of the person, for everybody but the first person of each `idp_id`.
    pub(super) fn namesakes(&self, directories: &BTreeSet<Key<'a>>) -> BTreeMap<Key<'a>, &'a str> {
        // Histories have too few users for a crowded `idp_id`.
        let mut spans: BTreeMap<_, Vec<Span<'a>>> = BTreeMap::new();
        for (user, fact) in self.users.visible() {
            let Some(idp_id) = fact.data["idp_id"].as_str() else { continue };
            let provider = self.provider(user.0, fact.directory, directories);
            spans.entry((user.0, provider, idp_id)).or_default().push(self.span(user, fact));
        }
        spans.into_values().flat_map(separate).collect()
    }

    fn span(&self, user: Key<'a>, fact: &Fact<'a>) -> Span<'a> {
        let (facts, _) = self.bearers(user).unwrap_or_default();
        let first = facts.iter().map(|fact| fact.version.0).min().unwrap();
        Span {
            user,
            directory: fact.directory,
            addresses: facts.iter().filter_map(|fact| fact.data["email"].as_str()).collect(),
            since: self.former(user).map_or(first, |(sent, _)| first.max(sent)),
            until: self.left(fact),
        }
    }
}

fn separate(mut spans: Vec<Span<'_>>) -> Vec<(Key<'_>, &str)> {
    spans.sort_by_key(|span| (span.since, span.user));
    // Each user has the number of a person: the smallest one among the linked users.
    let mut linked: Vec<usize> = (0..spans.len()).collect();
    for _ in 0..spans.len() {
        for (a, one) in spans.iter().enumerate() {
            for (b, other) in spans.iter().enumerate() {
                if one.directory == other.directory || !one.addresses.is_disjoint(&other.addresses) {
                    let smaller = linked[a].min(linked[b]);
                    (linked[a], linked[b]) = (smaller, smaller);
                }
            }
        }
    }
    let mut persons: Vec<BTreeSet<usize>> = Vec::new();
    for first in 0..spans.len() {
        let class: BTreeSet<usize> = (0..spans.len()).filter(|n| linked[*n] == first).collect();
        if class.is_empty() {
            continue;
        }
        let meets = |a: usize, b: usize| {
            let (a, b) = (&spans[a], &spans[b]);
            a.until.is_none_or(|until| b.since < until) && b.until.is_none_or(|until| a.since < until)
        };
        // A return, when there was exactly one person before, who has left.
        let is_back = persons.len() == 1 && !class.iter().any(|a| persons[0].iter().any(|b| meets(*a, *b)));
        if is_back { persons[0].extend(class) } else { persons.push(class) }
    }
    let others = persons.iter().skip(1);
    let named = |person: &BTreeSet<usize>| {
        let first = spans[*person.first().unwrap()].user.1;
        person.iter().map(|n| (spans[*n].user, first)).collect::<Vec<_>>()
    };
    others.flat_map(named).collect()
}
