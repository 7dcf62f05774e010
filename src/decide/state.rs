//! What is known: claims, standing words, and the contents at hand. A slice of the database, loaded for one batch.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    clock::Timestamp,
    fact::{self, Kind, Membership, Version},
};

/// Keys are looked up many times for each event, and a broker that signs them does not craft collisions.
pub type HashMap<K, V> = std::collections::HashMap<K, V, foldhash::fast::RandomState>;
pub type HashSet<K> = std::collections::HashSet<K, foldhash::fast::RandomState>;

/// Organizations stand outside any directory.
pub const NO_CLAIM: i64 = 0;

/// That some events of a directory name an organization for it; `organization_id` is empty where they name none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    pub id: i64,
    pub directory_id: String,
    pub organization_id: String,
    pub first: FirstWord,
    /// The delivery that holds the first word.
    pub first_inbox_id: i64,
    /// A delivery that says something else than a removal under this claim.
    pub revealed_by: Option<i64>,
    /// What [`super::place`] made of it: `None` for a claim that lost.
    pub tenant_id: Option<String>,
    /// Met for the first time in this batch.
    pub fresh: bool,
}

/// The rank of a claim that was made for a word still to be folded in: it does not count yet.
pub const UNSPOKEN: i16 = i16::MAX;

/// How old a claim is: the smallest owns the directory. A directory's own events (`rank` 0) go before mentions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FirstWord {
    pub rank: i16,
    pub at: Timestamp,
    pub event: String,
}

/// The newest word on an entity under one claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub claim_id: i64,
    pub version: Version,
    /// A delivery whose word is no removal: the newest, or the first that came when the newest is one.
    pub revealed_by: Option<i64>,
    pub live: bool,
    /// Of a group: its newest deletion. It stays when the group is made again, for memberships of before do not count then.
    pub ended: Option<Ended>,
    /// Of a user: whom the words have named (`super::bearers`).
    pub bearers: Vec<Bearer>,
    /// Of the content, so that a word that says nothing new is known without loading what is shown.
    pub digest: i64,
    /// The delivery that holds the content.
    pub inbox_id: i64,
}

/// A deletion, which ends all memberships that are not said later. The newest of all, so no order of arrival matters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ended {
    /// The event's own time, as memberships have it.
    pub at: Timestamp,
    pub event: String,
    /// The delivery that holds it.
    pub inbox_id: i64,
}

/// A pair of `idp_id` and address that words on a user have named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bearer {
    pub idp_id: Option<String>,
    pub email_key: Option<String>,
    /// The newest word that names it, whether that is a deletion, and the delivery that holds it.
    pub newest: Version,
    pub ends: bool,
    pub inbox_id: i64,
    /// The newest by the event's own time, as memberships have it, and its delivery.
    pub spoken: (Timestamp, String),
    pub spoken_by: i64,
}

impl Bearer {
    pub fn pair(&self) -> (&Option<String>, &Option<String>) {
        (&self.idp_id, &self.email_key)
    }
}

/// The content of a word.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    Organization(fact::Organization),
    Directory(fact::Directory),
    User(fact::User),
    Group(fact::Group),
}

pub type Entity = (Kind, String);

/// By kind and delivery; boxed, since a map that grows moves what it holds.
pub(super) type Contents = HashMap<(Kind, i64), Box<Content>>;

#[derive(Debug, Default)]
pub struct State {
    claims: HashMap<i64, Claim>,
    by_directory: HashMap<String, Vec<i64>>,
    words: BTreeMap<Kind, HashMap<String, Vec<Standing>>>,
    /// By delivery and kind: contents that were read in this batch or loaded for it.
    contents: Contents,
    pub touched: Touched,
}

/// A word that ends access lost to one that was not sent later: by the time of its subject alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overruled {
    pub kind: Kind,
    pub id: String,
    /// The two events.
    pub removal: String,
    pub by: String,
}

/// What a fold has changed.
#[derive(Debug, Default)]
pub struct Touched {
    /// Standing words to be written, by entity and claim.
    pub words: HashSet<(Entity, i64)>,
    /// Entities whose outcome may differ now; a mere newer version with the same content is not one.
    pub entities: HashSet<Entity>,
    pub claims: HashSet<i64>,
    /// Groups of which a newer deletion became known, by claim: members of before are none.
    pub emptied: HashSet<(String, i64)>,
    /// Newest membership words of the batch, by (group, user, claim), with the delivery that says so.
    pub memberships: HashMap<(String, String, i64), (Membership, i64)>,
    /// For the log: a removal is never without effect in silence.
    pub overruled: Vec<Overruled>,
    /// Role slugs named under a claim, and a delivery that names them.
    pub mentions: HashMap<(i64, String), i64>,
}

impl State {
    pub fn insert_claim(&mut self, claim: Claim) {
        let ids = self.by_directory.entry(claim.directory_id.clone()).or_default();
        if !ids.contains(&claim.id) {
            ids.push(claim.id);
        }
        self.claims.insert(claim.id, claim);
    }

    pub fn insert_word(&mut self, kind: Kind, id: String, standing: Standing) {
        let words = self.words.entry(kind).or_default().entry(id).or_default();
        words.retain(|word| word.claim_id != standing.claim_id);
        words.push(standing);
    }

    pub fn insert_content(&mut self, inbox_id: i64, content: Content) {
        self.contents.insert((content.kind(), inbox_id), Box::new(content));
    }

    pub fn claim(&self, id: i64) -> Option<&Claim> {
        self.claims.get(&id)
    }

    pub(super) fn claim_mut(&mut self, id: i64) -> Option<&mut Claim> {
        self.claims.get_mut(&id)
    }

    pub fn claims(&self) -> impl Iterator<Item = &Claim> {
        self.claims.values()
    }

    pub fn claims_of<'a>(&'a self, directory_id: &str) -> impl Iterator<Item = &'a Claim> {
        self.by_directory.get(directory_id).into_iter().flatten().filter_map(|id| self.claims.get(id))
    }

    pub fn claim_between(&self, directory_id: &str, organization_id: &str) -> Option<&Claim> {
        self.claims_of(directory_id).find(|claim| claim.organization_id == organization_id)
    }

    pub fn directories(&self) -> impl Iterator<Item = &String> {
        self.by_directory.keys()
    }

    pub fn words(&self, kind: Kind, id: &str) -> &[Standing] {
        self.words.get(&kind).and_then(|words| words.get(id)).map_or(&[], Vec::as_slice)
    }

    /// The words on an entity, to be changed, with the contents at hand.
    pub(super) fn words_mut(&mut self, kind: Kind, id: &str) -> (&mut Vec<Standing>, &Contents) {
        (self.words.entry(kind).or_default().entry(id.to_owned()).or_default(), &self.contents)
    }

    pub fn all_words(&self) -> impl Iterator<Item = ((Kind, &String), &Standing)> {
        let entities =
            self.words.iter().flat_map(|(kind, words)| words.iter().map(|(id, words)| (*kind, id, words)));
        entities.flat_map(|(kind, id, words)| words.iter().map(move |word| ((kind, id), word)))
    }

    pub fn content(&self, kind: Kind, standing: &Standing) -> Option<&Content> {
        self.contents.get(&(kind, standing.inbox_id)).map(Box::as_ref)
    }
}

/// What a word may be about.
pub trait Said: Serialize + PartialEq {
    const KIND: Kind;
    fn into_content(self) -> Content;
    fn of(content: &Content) -> Option<&Self>;
}

macro_rules! said {
    ($($kind:ident)*) => {$(
        impl Said for fact::$kind {
            const KIND: Kind = Kind::$kind;

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
    pub fn kind(&self) -> Kind {
        match self {
            Self::Organization(_) => Kind::Organization,
            Self::Directory(_) => Kind::Directory,
            Self::User(_) => Kind::User,
            Self::Group(_) => Kind::Group,
        }
    }
}
