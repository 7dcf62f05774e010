//! What is known: claims, latest facts, and the contents at hand. A slice of the database, loaded for one batch.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::moves::{self, DirectoryMove};
use crate::{
    decide::fact::{self, EntityKind, Membership, Version},
    runtime::clock::Timestamp,
};

/// Keys are looked up many times for each event, and a broker that signs them does not craft collisions.
pub type HashMap<K, V> = std::collections::HashMap<K, V, foldhash::fast::RandomState>;
pub type HashSet<K> = std::collections::HashSet<K, foldhash::fast::RandomState>;

/// Organizations stand outside any directory.
pub const NO_CLAIM: i64 = 0;

/// That some events of a directory name an organization for it; `organization_id` is empty where they name none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnershipClaim {
    pub id: i64,
    pub directory_id: String,
    pub organization_id: String,
    /// How many moves of the directory came before ([`super::moves`]).
    pub tenure: i32,
    pub first: FirstSighting,
    /// The delivery that holds the first fact.
    pub first_inbox_id: i64,
    /// A delivery that says something else than a removal under this claim.
    pub revealed_by: Option<i64>,
    /// What [`super::ownership`] made of it: `None` for a claim that lost.
    pub tenant_id: Option<String>,
    /// Met for the first time in this batch.
    pub fresh: bool,
}

/// The rank of a claim that was made for a fact still to be folded in: it does not count yet.
pub const UNSPOKEN: i16 = i16::MAX;

/// How old a claim is: the smallest owns the directory. A directory's own events (`rank` 0) go before mentions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FirstSighting {
    pub rank: i16,
    pub at: Timestamp,
    pub event: String,
}

/// The latest fact about an entity under one claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LatestFact {
    pub claim_id: i64,
    pub version: Version,
    /// A delivery whose fact is no removal: the newest, or the first that came when the newest is one.
    pub revealed_by: Option<i64>,
    pub live: bool,
    /// Of a group: its newest deletion. It stays when the group is made again, for memberships of before do not count then.
    pub ended: Option<GroupDeletion>,
    /// Of a user: whom the facts have named (`super::bearers`). Of a directory: the kinds of provider, as their `idp_id`.
    pub bearers: Vec<Bearer>,
    /// Of a user: present while the latest fact is a deletion.
    pub deletion: Option<UserDeletion>,
    /// Of the content, so that a fact that says nothing new is known without loading what is shown.
    pub digest: i64,
    /// The delivery that holds the content.
    pub inbox_id: i64,
}

/// A deletion, which ends all memberships that are not said later. The newest of all, so no order of arrival matters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupDeletion {
    /// The event's own time, as memberships have it.
    pub at: Timestamp,
    pub event: String,
    /// The delivery that holds it.
    pub inbox_id: i64,
}

/// The deletion of a user, which may come without the profile (`super::last_profile`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserDeletion {
    /// The newest fact that is no deletion, and the delivery that holds it; `None` until one is known.
    pub before: Option<(Version, i64)>,
}

/// A pair of `idp_id` and address that facts about a user have named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bearer {
    pub idp_id: Option<String>,
    pub email_key: Option<String>,
    /// The latest fact that names it, whether that is a deletion, and the delivery that holds it.
    pub newest: Version,
    pub ends: bool,
    pub inbox_id: i64,
    /// The newest by the event's own time, as memberships have it, and its delivery.
    pub spoken: (Timestamp, String),
    pub spoken_by: i64,
    /// Since when the user has been there under this pair, as far as any fact tells, and the delivery that says so.
    pub first: Timestamp,
    pub first_by: i64,
}

impl Bearer {
    pub fn pair(&self) -> (&Option<String>, &Option<String>) {
        (&self.idp_id, &self.email_key)
    }
}

/// The content of a fact.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    Organization(fact::Organization),
    Directory(fact::Directory),
    User(fact::User),
    Group(fact::Group),
}

pub type Entity = (EntityKind, String);

/// By kind and delivery; boxed, since a map that grows moves what it holds.
pub(super) type Contents = HashMap<(EntityKind, i64), Box<Content>>;

#[derive(Debug, Default)]
pub struct StateSlice {
    claims: HashMap<i64, OwnershipClaim>,
    by_directory: HashMap<String, Vec<i64>>,
    moves: HashMap<String, Vec<DirectoryMove>>,
    facts: BTreeMap<EntityKind, HashMap<String, Vec<LatestFact>>>,
    /// By delivery and kind: contents that were read in this batch or loaded for it.
    contents: Contents,
    pub touched: Touched,
}

/// A fact that ends access lost to one that was not sent later: by the time of its subject alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overruled {
    pub kind: EntityKind,
    pub id: String,
    /// The two events.
    pub removal: String,
    pub by: String,
}

/// What a fold has changed.
#[derive(Debug, Default)]
pub struct Touched {
    /// LatestFact facts to be written, by entity and claim.
    pub facts: HashSet<(Entity, i64)>,
    /// Entities whose outcome may differ now; a mere newer version with the same content is not one.
    pub entities: HashSet<Entity>,
    pub claims: HashSet<i64>,
    /// Groups of which a newer deletion became known, by claim: members of before are none.
    pub emptied: HashSet<(String, i64)>,
    /// Newest membership facts of the batch, by (group, user, claim), with the delivery that says so.
    pub memberships: HashMap<(String, String, i64), (Membership, i64)>,
    /// For the log: a removal is never without effect in silence.
    pub overruled: Vec<Overruled>,
    /// Role slugs named under a claim, and a delivery that names them.
    pub mentions: HashMap<(i64, String), i64>,
}

impl StateSlice {
    pub fn insert_claim(&mut self, claim: OwnershipClaim) {
        let ids = self.by_directory.entry(claim.directory_id.clone()).or_default();
        if !ids.contains(&claim.id) {
            ids.push(claim.id);
        }
        self.claims.insert(claim.id, claim);
    }

    /// Of a directory, after those that are known.
    pub fn insert_move(&mut self, one: DirectoryMove) {
        self.moves.entry(one.directory_id.clone()).or_default().push(one);
    }

    /// Whether its claims and moves are here.
    pub fn knows(&self, directory_id: &str) -> bool {
        self.by_directory.contains_key(directory_id) || self.moves.contains_key(directory_id)
    }

    /// The moves of a directory, in their order.
    pub fn moves_of(&self, directory_id: &str) -> &[DirectoryMove] {
        self.moves.get(directory_id).map_or(&[], Vec::as_slice)
    }

    pub fn tenure(&self, directory_id: &str, inbox_id: i64) -> i32 {
        moves::tenure(self.moves_of(directory_id), inbox_id)
    }

    pub fn insert_fact(&mut self, kind: EntityKind, id: String, standing: LatestFact) {
        let facts = self.facts.entry(kind).or_default().entry(id).or_default();
        facts.retain(|fact| fact.claim_id != standing.claim_id);
        facts.push(standing);
    }

    pub fn insert_content(&mut self, inbox_id: i64, content: Content) {
        self.contents.insert((content.kind(), inbox_id), Box::new(content));
    }

    pub fn claim(&self, id: i64) -> Option<&OwnershipClaim> {
        self.claims.get(&id)
    }

    pub(super) fn claim_mut(&mut self, id: i64) -> Option<&mut OwnershipClaim> {
        self.claims.get_mut(&id)
    }

    pub fn claims(&self) -> impl Iterator<Item = &OwnershipClaim> {
        self.claims.values()
    }

    pub fn claims_of<'a>(&'a self, directory_id: &str) -> impl Iterator<Item = &'a OwnershipClaim> {
        self.by_directory.get(directory_id).into_iter().flatten().filter_map(|id| self.claims.get(id))
    }

    pub fn claim_between(
        &self,
        directory_id: &str,
        organization_id: &str,
        tenure: i32,
    ) -> Option<&OwnershipClaim> {
        self.claims_of(directory_id)
            .find(|claim| claim.organization_id == organization_id && claim.tenure == tenure)
    }

    /// Every organization that is named for a directory, by an event or by a move.
    pub fn organizations_of(&self, directory_id: &str) -> BTreeSet<&str> {
        let claimed = self.claims_of(directory_id).map(|claim| claim.organization_id.as_str());
        let moved = self.moves_of(directory_id).iter();
        let moved = moved.flat_map(|one| [one.from_organization.as_str(), one.to_organization.as_str()]);
        claimed.chain(moved).filter(|organization_id| !organization_id.is_empty()).collect()
    }

    pub fn directories(&self) -> impl Iterator<Item = &String> {
        self.by_directory.keys()
    }

    pub fn facts(&self, kind: EntityKind, id: &str) -> &[LatestFact] {
        self.facts.get(&kind).and_then(|facts| facts.get(id)).map_or(&[], Vec::as_slice)
    }

    /// The facts about an entity, to be changed, with the contents at hand.
    pub(super) fn facts_mut(&mut self, kind: EntityKind, id: &str) -> (&mut Vec<LatestFact>, &Contents) {
        (self.facts.entry(kind).or_default().entry(id.to_owned()).or_default(), &self.contents)
    }

    pub fn all_facts(&self) -> impl Iterator<Item = ((EntityKind, &String), &LatestFact)> {
        let entities =
            self.facts.iter().flat_map(|(kind, facts)| facts.iter().map(|(id, facts)| (*kind, id, facts)));
        entities.flat_map(|(kind, id, facts)| facts.iter().map(move |fact| ((kind, id), fact)))
    }

    pub fn content(&self, kind: EntityKind, standing: &LatestFact) -> Option<&Content> {
        self.content_of(kind, standing.inbox_id)
    }

    pub fn content_of(&self, kind: EntityKind, inbox_id: i64) -> Option<&Content> {
        self.contents.get(&(kind, inbox_id)).map(Box::as_ref)
    }
}

/// What a fact may be about.
pub trait Said: Serialize + PartialEq {
    const KIND: EntityKind;
    fn into_content(self) -> Content;
    fn of(content: &Content) -> Option<&Self>;
}

macro_rules! said {
    ($($kind:ident)*) => {$(
        impl Said for fact::$kind {
            const KIND: EntityKind = EntityKind::$kind;

            fn into_content(self) -> Content {
                Content::$kind(self)
            }

            fn of(content: &Content) -> Option<&Self> {
                match content {
                    Content::$kind(said) => Some(said),
                    _ => None,
                }
            }
        }
    )*};
}

said!(Organization Directory User Group);

impl Content {
    pub fn kind(&self) -> EntityKind {
        match self {
            Self::Organization(_) => EntityKind::Organization,
            Self::Directory(_) => EntityKind::Directory,
            Self::User(_) => EntityKind::User,
            Self::Group(_) => EntityKind::Group,
        }
    }
}
