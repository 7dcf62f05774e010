//! The known state: claims, latest facts and loaded contents. It is a slice of the database, loaded for one batch.

use std::collections::{BTreeMap, BTreeSet};

pub use super::content::{Content, FactContent};
use super::moves::{self, DirectoryMove};
use crate::{
    decide::fact::{EntityKind, Membership, Version},
    runtime::clock::Timestamp,
};

/// A map with a fast hash: each event looks up keys many times. The broker signs the keys, so crafted collisions are
/// not expected.
pub type HashMap<K, V> = std::collections::HashMap<K, V, foldhash::fast::RandomState>;
/// A set with the same hash.
pub type HashSet<K> = std::collections::HashSet<K, foldhash::fast::RandomState>;

/// The claim id of facts about organizations, which belong to no directory.
pub const NO_CLAIM: i64 = 0;

/// The statement of events that a directory belongs to an organization. `organization_id` is empty if the events name
/// none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnershipClaim {
    /// Row id.
    pub id: i64,
    /// The broker's id of the directory.
    pub directory_id: String,
    /// The broker's id of the organization, or empty.
    pub organization_id: String,
    /// How many moves of the directory came before ([`super::moves`]).
    pub tenure: i32,
    /// The oldest event with this claim.
    pub first: FirstSighting,
    /// The delivery of that event.
    pub first_inbox_id: i64,
    /// A delivery with this claim that is no removal.
    pub revealed_by: Option<i64>,
    /// The tenant that [`super::ownership`] decided; `None` for a claim that lost.
    pub tenant_id: Option<String>,
    /// The claim was created in this batch.
    pub fresh: bool,
}

/// The rank of a claim without a joined fact. It does not count yet.
pub const UNSPOKEN: i16 = i16::MAX;

/// The age of a claim, compared field by field. The smallest owns the directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FirstSighting {
    /// 0 for the directory's own events, 1 for events that mention it, or [`UNSPOKEN`].
    pub rank: i16,
    /// The event's own time.
    pub at: Timestamp,
    /// The event's id.
    pub event: String,
}

/// The latest fact about an entity under one claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LatestFact {
    /// The claim of its event.
    pub claim_id: i64,
    /// Its version.
    pub version: Version,
    /// A delivery with a fact that is no removal: the newest one, or the first to arrive if the latest fact is a
    /// removal.
    pub revealed_by: Option<i64>,
    /// As in [`super::fact::Fact::live`].
    pub live: bool,
    /// Only for a group: its newest deletion. It remains after the group is created again, because earlier memberships
    /// do not count then.
    pub ended: Option<GroupDeletion>,
    /// For a user: the bearers that facts have named (`super::bearers`). For a directory: the kinds of provider,
    /// stored as `idp_id`.
    pub bearers: Vec<Bearer>,
    /// Only for a user: present while the latest fact is a deletion.
    pub deletion: Option<UserDeletion>,
    /// The digest of the content. It tells whether a fact is news without loading the row.
    pub digest: i64,
    /// The delivery that contains the content.
    pub inbox_id: i64,
}

/// The newest deletion of a group. It ends all memberships that no later event states.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupDeletion {
    /// The event's own time, as in memberships.
    pub at: Timestamp,
    /// The event's id.
    pub event: String,
    /// The delivery of the event.
    pub inbox_id: i64,
}

/// The deletion of a user. It may have no profile (`super::last_profile`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserDeletion {
    /// The newest fact that is no deletion, with its delivery; `None` until one is known.
    pub before: Option<(Version, i64)>,
}

/// A pair of `idp_id` and address that facts about a user have named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bearer {
    /// The id that the identity provider uses.
    pub idp_id: Option<String>,
    /// The key of the address (`super::address`).
    pub email_key: Option<String>,
    /// The version of the latest fact that names the pair.
    pub newest: Version,
    /// Whether that fact is a deletion.
    pub ends: bool,
    /// The delivery of that fact.
    pub inbox_id: i64,
    /// The newest event that names the pair: its own time and its id, as in memberships.
    pub last_event: (Timestamp, String),
    /// The delivery of that event.
    pub last_event_by: i64,
    /// The broker's time of the earliest known fact with this pair.
    pub first: Timestamp,
    /// The delivery of that fact.
    pub first_by: i64,
}

impl Bearer {
    /// The pair (`idp_id`, address key).
    pub fn pair(&self) -> (&Option<String>, &Option<String>) {
        (&self.idp_id, &self.email_key)
    }

    /// It stands for facts whose profile was erased: it is nobody in particular.
    pub fn is_erased(&self) -> bool {
        self.idp_id.is_none() && self.email_key.is_none()
    }
}

/// The kind and the broker's id of an entity.
pub type Entity = (EntityKind, String);

/// Contents by kind and delivery. They are boxed, because a growing map moves its values.
pub(super) type Contents = HashMap<(EntityKind, i64), Box<Content>>;

/// The part of the database that one batch needs, and the batch's changes of it.
#[derive(Debug, Default)]
pub struct StateSlice {
    claims: HashMap<i64, OwnershipClaim>,
    by_directory: HashMap<String, Vec<i64>>,
    moves: HashMap<String, Vec<DirectoryMove>>,
    facts: BTreeMap<EntityKind, HashMap<String, Vec<LatestFact>>>,
    /// Contents that were read in this batch or loaded for it.
    contents: Contents,
    /// The changes.
    pub touched: Touched,
}

/// A fact that ends access lost to a fact that was not sent later. Only the time of the subject decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overruled {
    /// The kind of the entity.
    pub kind: EntityKind,
    /// The broker's id of the entity.
    pub id: String,
    /// The event of the fact that lost.
    pub removal: String,
    /// The event of the fact that won.
    pub by: String,
}

/// The changes of a fold.
#[derive(Debug, Default)]
pub struct Touched {
    /// Latest facts that must be written, by entity and claim.
    pub facts: HashSet<(Entity, i64)>,
    /// Entities with a possibly different result. A newer version with the same content does not count.
    pub entities: HashSet<Entity>,
    /// Claims that must be written.
    pub claims: HashSet<i64>,
    /// Groups with a newly known deletion, by claim. Earlier memberships do not count any more.
    pub emptied: HashSet<(String, i64)>,
    /// The newest membership facts of the batch by (group, user, claim), each with its delivery.
    pub memberships: HashMap<(String, String, i64), (Membership, i64)>,
    /// Removals without effect, for the log.
    pub overruled: Vec<Overruled>,
    /// Role slugs that events under a claim name, each with one delivery that names it.
    pub mentions: HashMap<(i64, String), i64>,
}

impl StateSlice {
    /// Adds or replaces a claim.
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

    /// The number of moves that were decided before this delivery arrived.
    pub fn tenure(&self, directory_id: &str, inbox_id: i64) -> i32 {
        moves::tenure(self.moves_of(directory_id), inbox_id)
    }

    /// Adds the latest fact about an entity under one claim, or replaces it.
    pub fn insert_fact(&mut self, kind: EntityKind, id: String, latest: LatestFact) {
        let facts = self.facts.entry(kind).or_default().entry(id).or_default();
        facts.retain(|fact| fact.claim_id != latest.claim_id);
        facts.push(latest);
    }

    /// Adds the content of a delivery.
    pub fn insert_content(&mut self, inbox_id: i64, content: Content) {
        self.contents.insert((content.kind(), inbox_id), Box::new(content));
    }

    /// The claim with this row id.
    pub fn claim(&self, id: i64) -> Option<&OwnershipClaim> {
        self.claims.get(&id)
    }

    pub(super) fn claim_mut(&mut self, id: i64) -> Option<&mut OwnershipClaim> {
        self.claims.get_mut(&id)
    }

    /// All claims of the slice.
    pub fn claims(&self) -> impl Iterator<Item = &OwnershipClaim> {
        self.claims.values()
    }

    /// The claims to a directory.
    pub fn claims_of<'a>(&'a self, directory_id: &str) -> impl Iterator<Item = &'a OwnershipClaim> {
        self.by_directory.get(directory_id).into_iter().flatten().filter_map(|id| self.claims.get(id))
    }

    /// The claim of an organization to a directory, in one tenure.
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

    /// The ids of all directories with a claim in the slice.
    pub fn directories(&self) -> impl Iterator<Item = &String> {
        self.by_directory.keys()
    }

    /// The latest facts about an entity, one for each claim.
    pub fn facts(&self, kind: EntityKind, id: &str) -> &[LatestFact] {
        self.facts.get(&kind).and_then(|facts| facts.get(id)).map_or(&[], Vec::as_slice)
    }

    /// The latest facts about an entity for changes, and the loaded contents.
    pub(super) fn facts_mut(&mut self, kind: EntityKind, id: &str) -> (&mut Vec<LatestFact>, &Contents) {
        (self.facts.entry(kind).or_default().entry(id.to_owned()).or_default(), &self.contents)
    }

    /// All latest facts of the slice, each with its entity.
    pub fn all_facts(&self) -> impl Iterator<Item = ((EntityKind, &String), &LatestFact)> {
        let entities =
            self.facts.iter().flat_map(|(kind, facts)| facts.iter().map(|(id, facts)| (*kind, id, facts)));
        entities.flat_map(|(kind, id, facts)| facts.iter().map(move |fact| ((kind, id), fact)))
    }

    /// The content of a latest fact; `None` if it is not loaded.
    pub fn content(&self, kind: EntityKind, latest: &LatestFact) -> Option<&Content> {
        self.content_of(kind, latest.inbox_id)
    }

    /// The content of a delivery; `None` if it is not loaded.
    pub fn content_of(&self, kind: EntityKind, inbox_id: i64) -> Option<&Content> {
        self.contents.get(&(kind, inbox_id)).map(Box::as_ref)
    }
}
