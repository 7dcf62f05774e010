//! Users: from standing words to the row the host sees, and to the news that somebody lost access.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    access::{Access, Cause, access},
    around::{Around, Stay},
    bearers::{Now, bearer_of},
    protect::Loss,
    roles::{self, Because},
    said::{Said, attributes, facts, said},
    state::State,
    winner::{Homes, Winner, winners},
};
use crate::{clock::Timestamp, fact, fact::Kind};

/// As much of a row as a decision needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownUser {
    pub tenant_id: String,
    pub id: String,
    pub person_id: String,
    pub directory_id: String,
    pub idp_id: Option<String>,
    pub email: Option<String>,
    pub username: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub name: Option<String>,
    pub job_title: Option<String>,
    pub active: bool,
    pub access_epoch: i64,
    pub deprovisioned_at: Option<Timestamp>,
    pub role_slugs: Vec<String>,
    /// JSON, as the row keeps it.
    pub custom_attributes: String,
    pub digest: i64,
    /// The roles shown.
    pub held: BTreeSet<String>,
}

/// The access part of a row: all that changes when only the directory around a user does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    pub tenant_id: String,
    pub user_id: String,
    pub person_id: String,
    pub access: Access,
    /// Roles taken away and roles that hold now; the latter empty for the inactive.
    pub lost: BTreeSet<String>,
    pub held: BTreeMap<String, Because>,
    /// Roles shown that nothing grants any more and that are left as they are ([`super::around::Stay`]).
    pub staying: BTreeSet<String>,
    /// The newest word on whoever bore the id before: what was said of memberships until then is not theirs.
    pub former: Option<(Timestamp, String)>,
    /// Whoever is shown under this id is another person, who is gone.
    pub succeeds: bool,
    /// Access shrank or changed: the host must look again (`access_epoch`).
    pub changed: bool,
}

#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "nearly all are the largest")]
pub enum UserChange {
    /// A new row, or new content.
    Put {
        seat: Seat,
        directory_id: String,
        digest: i64,
        content: fact::User,
    },
    Restate(Seat),
    /// The directory turned out to belong to another tenant.
    Remove {
        tenant_id: String,
        user_id: String,
        roles: Vec<String>,
    },
}

/// Somebody who was shown as active and is not any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaver {
    pub tenant_id: String,
    pub user_id: String,
    pub person_id: String,
    pub directory_id: String,
    pub name: Option<String>,
    pub email: Option<String>,
    pub since: Timestamp,
    pub cause: Cause,
    /// Somebody else bears the id now.
    pub succeeded: bool,
    /// The broker's word on the person: `inactive`, `suspended`, `deleted`; absent when it is not at hand.
    pub state: Option<String>,
    pub inbox_id: i64,
}

#[derive(Debug, Default, PartialEq)]
pub struct UserOutcome {
    pub changes: Vec<UserChange>,
    pub leavers: Vec<Leaver>,
}

impl Seat {
    pub fn former_at(&self) -> Option<i64> {
        Some(self.former.as_ref()?.0.micros())
    }

    pub fn former_event(&self) -> Option<&str> {
        Some(self.former.as_ref()?.1.as_str())
    }
}

impl ShownUser {
    /// Whether another person is shown than bears the id now.
    pub fn is_former(&self, now: &Now) -> bool {
        !now.is(self.idp_id.as_deref(), self.email.as_deref())
    }

    fn shows(&self, winner: &Winner<'_>) -> bool {
        (self.tenant_id.as_str(), self.directory_id.as_str(), self.digest)
            == (winner.tenant_id(), winner.directory_id, winner.word.digest)
    }
}

/// Deliveries whose content `derive` will need and which are not at hand.
pub fn wanted(state: &State, id: &str, shown: &[ShownUser], homes: &Homes) -> Vec<i64> {
    winners(state, Kind::User, id, homes)
        .into_iter()
        .filter(|winner| !shown.iter().any(|row| row.shows(winner)))
        .filter(|winner| state.content(Kind::User, winner.word).is_none())
        .map(|winner| winner.word.inbox_id)
        .collect()
}

/// `shown` are the rows of this id, in any tenant.
pub fn derive(state: &State, id: &str, shown: &[ShownUser], around: &Around<'_>) -> UserOutcome {
    let mut outcome = UserOutcome::default();
    let winners = winners(state, Kind::User, id, around.homes);
    for row in shown.iter().filter(|row| !winners.iter().any(|winner| winner.tenant_id() == row.tenant_id)) {
        outcome.changes.push(UserChange::Remove {
            tenant_id: row.tenant_id.clone(),
            user_id: row.id.clone(),
            roles: row.held.iter().cloned().collect(),
        });
    }
    for winner in winners {
        let Some(said) = said(state, &winner, shown) else { continue };
        let now = bearer_of(state, id, winner.tenant_id());
        let seat = seat(id, &winner, &said, now, around);
        let Said { row, content } = said;
        outcome.leavers.extend(leaver(&seat, &winner, row, content));
        outcome.changes.push(match content {
            Some(content) if row.is_none_or(|row| !row.shows(&winner)) => UserChange::Put {
                seat,
                directory_id: winner.directory_id.to_owned(),
                digest: winner.word.digest,
                content: content.clone(),
            },
            _ => UserChange::Restate(seat),
        });
    }
    outcome
}

fn seat(id: &str, winner: &Winner<'_>, said: &Said<'_>, now: Now, around: &Around<'_>) -> Seat {
    let tenant_id = winner.tenant_id();
    let person_id = said.person(id, winner);
    let succeeds = said.row.is_some_and(|row| row.is_former(&now));
    let access = access(winner.word, &winner.home.place);
    let attributes = attributes(said, around);
    let facts = facts(id, tenant_id, said, attributes.as_ref(), around);
    let derived = roles::derive(around.mapping.of(tenant_id), facts, around.manual(tenant_id, &person_id));
    let access = match access {
        Access::Active if derived.shut_out => Access::Inactive(winner.word.version.at, Cause::Mapping),
        access => access,
    };
    let (access, held) = match around.kept(tenant_id, id) {
        Some(kept) => (Access::Active, keeping(derived.held, kept)),
        None if access.is_active() => (access, derived.held),
        None => (access, BTreeMap::new()),
    };
    let (access, staying) = match (said.row, around.stay(tenant_id, id)) {
        (Some(row), Some(stay)) if !succeeds => stayed(row, stay, access, &held),
        _ => (access, BTreeSet::new()),
    };
    let holds = |role: &String| held.contains_key(role) || staying.contains(role);
    let lost =
        said.row.map(|row| row.held.iter().filter(|role| !holds(role)).cloned().collect::<BTreeSet<_>>());
    let gains = |row: &ShownUser| held.keys().any(|role| !row.held.contains(role));
    let loses = lost.as_ref().is_some_and(|lost| !lost.is_empty());
    Seat {
        access,
        changed: succeeds
            || said.row.is_some_and(|row| row.active != access.is_active() || loses || gains(row)),
        former: now.since,
        succeeds,
        lost: lost.unwrap_or_default(),
        held,
        staying,
        person_id,
        user_id: id.to_owned(),
        tenant_id: tenant_id.to_owned(),
    }
}

/// Access is kept with the role, and with access whatever else the facts grant.
fn keeping(mut held: BTreeMap<String, Because>, kept: &BTreeMap<String, Loss>) -> BTreeMap<String, Because> {
    for (role, loss) in kept {
        held.entry(role.clone()).or_insert_with(|| Because::Kept(loss.clone()));
    }
    held
}

/// Nobody comes in by it: access stays only where it is shown.
fn stayed(
    row: &ShownUser,
    stay: &Stay,
    access: Access,
    held: &BTreeMap<String, Because>,
) -> (Access, BTreeSet<String>) {
    let access = if stay.access && row.active { Access::Active } else { access };
    let left = row.held.iter().filter(|role| stay.roles.contains(*role) && !held.contains_key(*role));
    let staying = if access.is_active() { left.cloned().collect() } else { BTreeSet::new() };
    (access, staying)
}

fn leaver(
    seat: &Seat,
    winner: &Winner<'_>,
    row: Option<&ShownUser>,
    content: Option<&fact::User>,
) -> Option<Leaver> {
    let row = row.filter(|row| row.active)?;
    if seat.succeeds {
        return Some(succeeded(seat, winner, row));
    }
    let Access::Inactive(since, cause) = seat.access else { return None };
    Some(Leaver {
        tenant_id: seat.tenant_id.clone(),
        user_id: seat.user_id.clone(),
        person_id: seat.person_id.clone(),
        directory_id: winner.directory_id.to_owned(),
        name: content.and_then(|content| content.name.clone()).or_else(|| row.name.clone()),
        email: content.and_then(|content| content.email.clone()).or_else(|| row.email.clone()),
        since,
        cause,
        succeeded: false,
        state: content.map(|content| content.state.clone()),
        inbox_id: winner.word.inbox_id,
    })
}

/// Whoever is shown under an id that somebody else has now. They left with the first word on the other at the latest.
fn succeeded(seat: &Seat, winner: &Winner<'_>, row: &ShownUser) -> Leaver {
    Leaver {
        tenant_id: seat.tenant_id.clone(),
        user_id: seat.user_id.clone(),
        person_id: row.person_id.clone(),
        directory_id: row.directory_id.clone(),
        name: row.name.clone(),
        email: row.email.clone(),
        since: winner.word.version.at,
        cause: Cause::Person,
        succeeded: true,
        state: None,
        inbox_id: winner.word.inbox_id,
    }
}
