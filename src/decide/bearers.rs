//! The bearers of a broker's user id. Imported ids change hands: the next bearer is another person and inherits
//! nothing.
//!
//! Stored, with the latest fact under each claim: one [`Bearer`] for each pair of `idp_id` and address that any fact
//! has named, with the latest fact that named it. A join takes the later of two versions, so the list depends on the
//! set of facts and not on their order.
//!
//! Derived from it for a tenant ([`bearer_of`]): the pair of the latest fact is the current bearer, with every pair of
//! the same person. Two pairs are one person if they have the same `idp_id` or the same address, through any number of
//! steps: a new attribute mapping changes everybody's `idp_id` and no address, and a marriage changes the address
//! alone. An equal address does not count if the id was deleted under the one `idp_id` and created again under the
//! other. All other pairs are former bearers. All facts until the latest fact about a former bearer belong to former
//! bearers: their memberships do not count.
//!
//! The time of the earliest fact about each pair is stored too (`super::namesakes`).

use std::collections::HashMap;

use super::state::{Bearer, LatestFact, StateSlice};
use crate::{
    decide::{
        email_key::email_key,
        fact::{self, EntityKind, Fact},
        profile::Profile,
    },
    runtime::clock::Timestamp,
};

/// Limit of stored pairs for one id; the newest remain. No directory reaches it in normal use.
const MOST: usize = 32;

/// The bearer that a fact names; `None` if it has neither `idp_id` nor address, and an empty pair if both were erased
/// (`super::erased`).
pub fn named(fact: &Fact<fact::User>, ends: bool, inbox_id: i64) -> Option<Bearer> {
    let fact::User { profile: Profile { idp_id, email, .. }, erased, .. } = &fact.content;
    if idp_id.is_none() && email.is_none() && !erased {
        return None;
    }
    Some(Bearer {
        idp_id: idp_id.clone(),
        email_key: email.as_deref().map(email_key),
        newest: fact.version.clone(),
        ends,
        inbox_id,
        last_event: (fact.version.emitted, fact.version.event.clone()),
        last_event_by: inbox_id,
        first: fact.version.at,
        first_by: inbox_id,
    })
}

/// The kind of provider that a fact about a directory names. A removal names none, because some removals arrive with a
/// wrong one.
pub fn provided(fact: &Fact<fact::Directory>, inbox_id: i64) -> Option<Bearer> {
    fact.reveals.then(|| Bearer {
        idp_id: fact.content.provider.clone(),
        email_key: None,
        newest: fact.version.clone(),
        ends: false,
        inbox_id,
        last_event: (fact.version.emitted, fact.version.event.clone()),
        last_event_by: inbox_id,
        first: fact.version.at,
        first_by: inbox_id,
    })
}

/// The bearer with the latest fact.
pub fn newest<'a>(bearers: impl Iterator<Item = &'a Bearer>) -> Option<&'a Bearer> {
    bearers.max_by(|a, b| (&a.newest, a.pair()).cmp(&(&b.newest, b.pair())))
}

/// The changes that a fact made to the list of bearers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Joined {
    /// Any stored value has changed.
    pub news: bool,
    /// The earliest time of the bearer has changed.
    pub earlier: bool,
}

/// Joins one bearer into the list: the latest versions and the earliest time win.
pub fn join(bearers: &mut Vec<Bearer>, added: Bearer) -> Joined {
    let Some(known) = bearers.iter_mut().find(|known| known.pair() == added.pair()) else {
        bearers.push(added);
        if bearers.len() > MOST {
            bearers.sort_by(|a, b| b.newest.cmp(&a.newest));
            bearers.truncate(MOST);
        }
        return Joined { news: true, earlier: true };
    };
    let earlier = added.first < known.first;
    if earlier {
        (known.first, known.first_by) = (added.first, added.first_by);
    }
    let (newer, later) = (added.newest > known.newest, added.last_event > known.last_event);
    if newer {
        (known.newest, known.ends, known.inbox_id) = (added.newest, added.ends, added.inbox_id);
    }
    if later {
        (known.last_event, known.last_event_by) = (added.last_event, added.last_event_by);
    }
    Joined { news: newer || later || earlier, earlier }
}

/// (`idp_id`, [`email_key`] of the address).
pub type BearerPair = (Option<String>, Option<String>);

/// The current bearer of an id in a tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CurrentBearer {
    /// All pairs of the person under this id; empty if no fact has named anybody.
    pub pairs: Vec<BearerPair>,
    /// All pairs of former bearers.
    pub former: Vec<BearerPair>,
    /// The latest fact about a former bearer: the time of its event and the event. Nothing until then belongs to the
    /// current bearer.
    pub since: Option<(Timestamp, String)>,
    /// The earliest time of the current bearer under this id, but not before the latest fact about a former bearer.
    pub first: Option<Timestamp>,
}

impl CurrentBearer {
    /// Whether a row with this `idp_id` and address is about this person. A row without both names nobody in
    /// particular, so it is. A pair that no fact of the tenant names any more (its claim lost later) counts if the
    /// `idp_id` or the address alone is equal.
    pub fn is(&self, idp_id: Option<&str>, email: Option<&str>) -> bool {
        if self.pairs.is_empty() || (idp_id.is_none() && email.is_none()) {
            return true;
        }
        let of_row: BearerPair = (idp_id.map(str::to_owned), email.map(email_key));
        if self.pairs.contains(&of_row) || self.former.contains(&of_row) {
            return self.pairs.contains(&of_row);
        }
        let linked = |pair: &BearerPair| {
            (of_row.0.is_some() && pair.0 == of_row.0) || (of_row.1.is_some() && pair.1 == of_row.1)
        };
        self.pairs.iter().any(linked)
    }
}

/// The current bearer of the id in this tenant, from all facts about the id.
pub fn bearer_of(state: &StateSlice, id: &str, tenant_id: &str) -> CurrentBearer {
    let of_tenant = |fact: &&LatestFact| {
        state.claim(fact.claim_id).is_some_and(|claim| claim.tenant_id.as_deref() == Some(tenant_id))
    };
    let mut bearers: Vec<Bearer> = Vec::new();
    for fact in state.facts(EntityKind::User, id).iter().filter(of_tenant) {
        for bearer in &fact.bearers {
            join(&mut bearers, bearer.clone());
        }
    }
    now(&bearers)
}

fn now(bearers: &[Bearer]) -> CurrentBearer {
    let bearers: Vec<&Bearer> = bearers.iter().filter(|bearer| !bearer.is_erased()).collect();
    let Some(last) = newest(bearers.iter().copied()) else { return CurrentBearer::default() };
    // The latest fact under each idp_id. It tells whether the id was deleted under it.
    let mut under: HashMap<&str, &Bearer> = HashMap::new();
    for bearer in &bearers {
        let Some(idp_id) = bearer.idp_id.as_deref() else { continue };
        let known_bearer = under.entry(idp_id).or_insert(bearer);
        if bearer.newest > known_bearer.newest {
            *known_bearer = bearer;
        }
    }
    let (mut same, mut others): (Vec<&Bearer>, Vec<&Bearer>) =
        bearers.iter().copied().partition(|bearer| bearer.pair() == last.pair());
    let mut seen = 0;
    while let Some(one) = same.get(seen).copied() {
        let (linked, rest): (Vec<&Bearer>, Vec<&Bearer>) =
            others.into_iter().partition(|other| are_one(one, other, &under));
        same.extend(linked);
        others = rest;
        seen += 1;
    }
    let pair = |bearer: &&Bearer| (bearer.idp_id.clone(), bearer.email_key.clone());
    let (pairs, former) = (same.iter().map(pair).collect(), others.iter().map(pair).collect());
    let since = others.into_iter().map(|bearer| bearer.last_event.clone()).max();
    let first = same.into_iter().map(|bearer| bearer.first).min();
    let after = since.as_ref().map(|(at, _)| *at);
    CurrentBearer { pairs, former, since, first: first.max(after) }
}

fn are_one(a: &Bearer, b: &Bearer, under: &HashMap<&str, &Bearer>) -> bool {
    if a.idp_id.is_some() && a.idp_id == b.idp_id {
        return true;
    }
    if a.email_key.is_none() || a.email_key != b.email_key {
        return false;
    }
    let last_under = |bearer: &Bearer| bearer.idp_id.as_deref().and_then(|idp_id| under.get(idp_id).copied());
    match (last_under(a), last_under(b)) {
        // The id was deleted under the older idp_id and created again under the newer one.
        (Some(a), Some(b)) => !if a.newest < b.newest { a.ends } else { b.ends },
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::fact::Version;

    /// (time in seconds, idp_id, address, whether the fact is a deletion).
    type TestFact<'a> = (i64, &'a str, &'a str, bool);

    fn bearer((at, idp_id, email, ends): TestFact<'_>) -> Bearer {
        let at = Timestamp::from_millis(at * 1_000);
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let version = Version { at, emitted: at, event: format!("e{at}") };
        let last_event = (at, version.event.clone());
        Bearer {
            idp_id: text(idp_id),
            email_key: text(email),
            newest: version,
            ends,
            inbox_id: 0,
            last_event,
            last_event_by: 0,
            first: at,
            first_by: 0,
        }
    }

    /// The end of the last former bearer. All tested orders of arrival, each fact twice, give the same result.
    fn since(added: &[TestFact<'_>]) -> Option<i64> {
        let mut outcomes: Vec<Option<i64>> = Vec::new();
        let orders = (0..added.len()).flat_map(|start| [(start, false), (start, true)]);
        for (start, backwards) in orders {
            let mut order: Vec<_> = added.iter().cycle().skip(start).take(added.len() * 2).collect();
            if backwards {
                order.reverse();
            }
            let mut bearers = Vec::new();
            for added in order {
                join(&mut bearers, bearer(*added));
            }
            outcomes.push(now(&bearers).since.map(|(at, _)| at.micros() / 1_000_000));
        }
        outcomes.dedup();
        assert_eq!(outcomes.len(), 1, "{added:?} {outcomes:?}");
        outcomes[0]
    }

    #[test]
    fn it_is_another_person_when_both_are_others_or_when_the_id_is_made_anew_under_another_idp_id() {
        assert_eq!(since(&[(1, "A", "a", false), (2, "B", "b", false)]), Some(1));
        assert_eq!(since(&[(1, "A", "a", false), (2, "A", "a", true), (3, "B", "a", false)]), Some(2));
        assert_eq!(since(&[(1, "A", "a", false), (2, "A", "", true), (3, "B", "a", false)]), Some(2));
        assert_eq!(since(&[(1, "A", "a", false), (2, "B", "b", false), (3, "A", "a", false)]), Some(2));
    }

    #[test]
    fn a_person_is_the_same_when_each_step_changes_only_one_of_both_keys() {
        assert_eq!(since(&[(1, "A", "a", false), (2, "B", "a", false)]), None, "another attribute mapping");
        assert_eq!(since(&[(1, "A", "a", false), (2, "A", "b", false)]), None, "another address");
        assert_eq!(
            since(&[(1, "A", "a", false), (2, "B", "a", false), (3, "B", "b", false)]),
            None,
            "both, in turn"
        );
        assert_eq!(
            since(&[(1, "A", "a", false), (2, "A", "a", true), (3, "A", "a", false)]),
            None,
            "a return"
        );
        assert_eq!(since(&[(1, "A", "a", false), (2, "A", "a", true), (3, "A", "b", false)]), None);
        assert_eq!(since(&[(1, "A", "a", false), (2, "", "a", false)]), None, "no idp_id any more");
    }

    #[test]
    fn a_fact_that_is_joined_again_changes_nothing() {
        let mut bearers = Vec::new();
        let added = bearer((1, "A", "a", false));
        assert_eq!(join(&mut bearers, added.clone()), Joined { news: true, earlier: true });
        assert_eq!(
            join(&mut bearers, Bearer { first_by: 9, inbox_id: 9, ..added.clone() }),
            Joined::default()
        );
        assert_eq!(bearers, [added]);
    }

    #[test]
    fn a_row_whose_pair_no_fact_names_any_more_shows_the_same_person_by_one_of_both() {
        let pair = |idp_id: &str, email: &str| (Some(idp_id.to_owned()), Some(email.to_owned()));
        let now = CurrentBearer {
            pairs: vec![pair("A", "a@acme.example")],
            former: vec![pair("B", "b@acme.example")],
            ..CurrentBearer::default()
        };
        assert!(now.is(Some("A"), Some("A@acme.example")) && now.is(None, None));
        assert!(now.is(Some("A"), Some("other@acme.example")), "the idp_id is the same");
        assert!(now.is(Some("C"), Some("a@acme.example")), "the address is the same");
        assert!(now.is(None, Some("a@acme.example")) && now.is(Some("A"), None));
        assert!(!now.is(Some("B"), Some("b@acme.example")), "a former bearer");
        assert!(
            !now.is(Some("C"), Some("c@acme.example"))
                && !now.is(Some("C"), None)
                && !now.is(None, Some("c"))
        );
    }

    #[test]
    fn erased_facts_name_nobody_and_leave_the_others_as_they_are() {
        let nobody = bearer((3, "", "", true));
        assert!(nobody.is_erased());
        assert_eq!(
            now(&[bearer((1, "A", "a", false)), nobody.clone()]),
            now(&[bearer((1, "A", "a", false))])
        );
        assert_eq!(now(&[nobody]), CurrentBearer::default());
    }
}
