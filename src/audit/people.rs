//! Entries for what becomes of users and groups: which change, and because of whose word.

use std::collections::{BTreeSet, HashMap};

use diesel::QueryResult;

use super::{
    Actor, Entry,
    change::{Changed, of_group, of_user},
};
use crate::{
    clock::Timestamp,
    db::Conn,
    decide::{
        access::Access,
        groups::{GroupChange, ShownGroup},
        place::{directory_word, organization_word, owner},
        state::{Standing, State},
        users::{ShownUser, UserChange},
    },
    fact::Kind,
    inbox::queue,
    tables::words,
};

/// Why rows are derived.
#[derive(Clone, Copy, Debug)]
pub enum Cause<'a> {
    /// What a batch says.
    Deliveries(Deliveries<'a>),
    /// What happened to this directory, or its organization.
    Directory(&'a str),
    /// What happened to this group.
    Group(&'a str),
    Mapping(i64),
    Operator(&'a str),
    /// A protected role that was kept for its last holder has another.
    AnotherHolds,
    /// A held loss that was approved, by an operator or by policy; the entry of the decision tells by whom.
    HoldApproved,
    /// Which has an entry of its own, that says nothing of what is erased.
    Erasure,
}

/// The deliveries of a batch, in the order of their ids.
#[derive(Clone, Copy, Debug)]
pub struct Deliveries<'a> {
    pub ids: &'a [i64],
    pub event_keys: &'a [String],
    pub received_at: &'a [Timestamp],
}

impl Deliveries<'_> {
    pub(super) fn find(&self, inbox_id: i64) -> Option<Actor> {
        let n = self.ids.binary_search(&inbox_id).ok()?;
        let key = self.event_keys.get(n)?.clone();
        Some(Actor::Event { key, inbox_id, received_at: *self.received_at.get(n)? })
    }
}

/// The word that an entry goes back to.
#[derive(Clone, Copy)]
struct Spoken {
    inbox_id: i64,
    at: Timestamp,
}

impl From<&Standing> for Spoken {
    fn from(word: &Standing) -> Self {
        Self { inbox_id: word.inbox_id, at: word.version.at }
    }
}

struct Open {
    tenant_id: String,
    subject: String,
    changed: Changed,
    spoken: Option<Spoken>,
}

pub fn users(
    conn: &mut Conn,
    state: &State,
    shown: &HashMap<String, Vec<ShownUser>>,
    changes: &[UserChange],
    cause: Cause<'_>,
) -> QueryResult<Vec<Entry>> {
    if matches!(cause, Cause::Erasure) {
        return Ok(Vec::new());
    }
    let around = spoken_around(conn, state, cause)?;
    let mut memberships: Option<HashMap<&str, Spoken>> = None;
    let mut open = Vec::new();
    for change in changes {
        let (tenant_id, user_id, access) = match change {
            UserChange::Put { seat, .. } | UserChange::Restate(seat) => {
                (&seat.tenant_id, &seat.user_id, Some(seat.access))
            }
            UserChange::Remove { tenant_id, user_id, .. } => (tenant_id, user_id, None),
        };
        let row = shown.get(user_id).and_then(|rows| rows.iter().find(|row| row.tenant_id == *tenant_id));
        let Some(changed) = of_user(row, change) else { continue };
        let spoken = match cause {
            Cause::Deliveries(batch) => {
                let words = state.words(Kind::User, user_id);
                spoken_in(batch, state, tenant_id, words).or_else(|| {
                    memberships
                        .get_or_insert_with(|| newest_memberships(state))
                        .get(user_id.as_str())
                        .copied()
                })
            }
            // Of several reasons the one that counts.
            Cause::Directory(_) => around
                .iter()
                .find(|spoken| matches!(access, Some(Access::Inactive(since, _)) if since == spoken.at))
                .or(around.first())
                .copied(),
            _ => around.first().copied(),
        };
        let spoken = spoken.or(around.first().copied());
        open.push(Open { tenant_id: tenant_id.clone(), subject: user_id.clone(), changed, spoken });
    }
    close(conn, open, cause)
}

pub fn groups(
    conn: &mut Conn,
    state: &State,
    shown: &HashMap<String, Vec<ShownGroup>>,
    changes: &[GroupChange],
    cause: Cause<'_>,
) -> QueryResult<Vec<Entry>> {
    let around = spoken_around(conn, state, cause)?;
    let mut open = Vec::new();
    for change in changes {
        let (GroupChange::Put { tenant_id, group_id, .. } | GroupChange::Remove { tenant_id, group_id }) =
            change;
        let row = shown.get(group_id).and_then(|rows| rows.iter().find(|row| row.tenant_id == *tenant_id));
        let Some(changed) = of_group(row, change) else { continue };
        let spoken = match cause {
            Cause::Deliveries(batch) => {
                spoken_in(batch, state, tenant_id, state.words(Kind::Group, group_id))
            }
            _ => None,
        };
        let spoken = spoken.or(around.first().copied());
        open.push(Open { tenant_id: tenant_id.clone(), subject: group_id.clone(), changed, spoken });
    }
    close(conn, open, cause)
}

/// A word of the batch on this entity: the newest of the tenant's, or any (a claim that came or went).
fn spoken_in(batch: Deliveries<'_>, state: &State, tenant_id: &str, words: &[Standing]) -> Option<Spoken> {
    let of_batch = |inbox_id: i64| batch.ids.binary_search(&inbox_id).is_ok();
    let newest = words
        .iter()
        .filter(|word| {
            state.claim(word.claim_id).is_some_and(|claim| claim.tenant_id.as_deref() == Some(tenant_id))
        })
        .max_by(|a, b| a.version.cmp(&b.version));
    let spoken = newest.into_iter().chain(words).find(|word| of_batch(word.inbox_id)).map(Spoken::from);
    let revealing =
        || newest.and_then(|word| Some(Spoken { inbox_id: word.revealed_by?, at: word.version.at }));
    spoken.or_else(|| revealing().filter(|spoken| of_batch(spoken.inbox_id)))
}

fn newest_memberships(state: &State) -> HashMap<&str, Spoken> {
    let mut newest: HashMap<&str, Spoken> = HashMap::new();
    for ((_, user_id, _), (membership, inbox_id)) in &state.touched.memberships {
        let spoken = Spoken { inbox_id: *inbox_id, at: membership.version.at };
        let slot = newest.entry(user_id).or_insert(spoken);
        if (slot.at, slot.inbox_id) < (spoken.at, spoken.inbox_id) {
            *slot = spoken;
        }
    }
    newest
}

/// The first word of the batch on a directory or an organization.
pub(super) fn of_places<'a>(state: &'a State, batch: Deliveries<'_>) -> Option<&'a Standing> {
    let places = state.touched.entities.iter();
    let places = places.filter(|(kind, _)| matches!(kind, Kind::Directory | Kind::Organization));
    let words = places.flat_map(|(kind, id)| state.words(*kind, id));
    words.filter(|word| batch.ids.binary_search(&word.inbox_id).is_ok()).min_by_key(|word| word.inbox_id)
}

/// Words on what stands around the rows; the likeliest reason first.
fn spoken_around(conn: &mut Conn, state: &State, cause: Cause<'_>) -> QueryResult<Vec<Spoken>> {
    let of_directory = |id: &str| {
        let organization =
            owner(state, id).and_then(|owner| organization_word(state, &owner.organization_id));
        let mut words: Vec<&Standing> = directory_word(state, id).into_iter().chain(organization).collect();
        words.sort_by(|a, b| (a.live, &b.version).cmp(&(b.live, &a.version)));
        words.into_iter().map(Spoken::from).collect::<Vec<_>>()
    };
    Ok(match cause {
        Cause::Deliveries(batch) => of_places(state, batch).map(Spoken::from).into_iter().collect(),
        Cause::Directory(id) => of_directory(id),
        Cause::Group(id) => {
            let words = words::on(conn, &[id])?;
            let groups = words.iter().filter(|(kind, ..)| *kind == Kind::Group).map(|(.., word)| word);
            groups.max_by(|a, b| a.version.cmp(&b.version)).map(Spoken::from).into_iter().collect()
        }
        Cause::Mapping(_)
        | Cause::Operator(_)
        | Cause::Erasure
        | Cause::AnotherHolds
        | Cause::HoldApproved => Vec::new(),
    })
}

/// Names the deliveries. Those of the batch are at hand; a refresh goes back to one or two others.
fn close(conn: &mut Conn, open: Vec<Open>, cause: Cause<'_>) -> QueryResult<Vec<Entry>> {
    let at_hand = |inbox_id: i64| match cause {
        Cause::Deliveries(batch) => batch.find(inbox_id),
        _ => None,
    };
    let elsewhere: BTreeSet<i64> = open
        .iter()
        .filter_map(|open| open.spoken.map(|spoken| spoken.inbox_id))
        .filter(|inbox_id| at_hand(*inbox_id).is_none())
        .collect();
    let elsewhere = queue::named(conn, &elsewhere.into_iter().collect::<Vec<_>>())?;
    let elsewhere: HashMap<i64, (String, Timestamp)> =
        elsewhere.into_iter().map(|(id, key, received_at)| (id, (key, received_at))).collect();
    let actor = |spoken: Option<Spoken>| match cause {
        Cause::Mapping(version) => Actor::Rule(format!("mapping {version}")),
        Cause::AnotherHolds => Actor::Rule("protected role, held by another now".to_owned()),
        Cause::HoldApproved => Actor::Rule("held mass change, approved".to_owned()),
        Cause::Operator(name) => Actor::operator(name),
        _ => {
            let found = spoken.and_then(|Spoken { inbox_id, .. }| {
                at_hand(inbox_id).or_else(|| {
                    let (key, received_at) = elsewhere.get(&inbox_id)?.clone();
                    Some(Actor::Event { key, inbox_id, received_at })
                })
            });
            found.unwrap_or_else(|| Actor::Rule("derived again".to_owned()))
        }
    };
    let entries = open.into_iter().map(|Open { tenant_id, subject, changed, spoken }| Entry {
        tenant_id,
        subject,
        kind: changed.kind,
        change: changed.change,
        personal: changed.personal,
        actor: actor(spoken),
        said_at: spoken.map(|spoken| spoken.at),
    });
    Ok(entries.collect())
}
