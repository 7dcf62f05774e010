//! A membership event → facts: who joined or left which group, and a snapshot of both.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    event::{Stamp, Thing, group, organization_id, user_word},
    json::{Object, Text, parsed},
    snapshot::{Snapshot, Whole},
};
use crate::{
    broker::NotUnderstood,
    fact::{Membership, Observation, Scope, Version},
};

#[derive(Deserialize)]
struct Pair<'a> {
    #[serde(borrow, default)]
    directory_id: Text<'a>,
    #[serde(borrow)]
    user: Object<Whole<'a>>,
    #[serde(borrow)]
    group: Object<Thing<'a>>,
}

/// The same with a user who cannot be read in one pass.
#[derive(Deserialize)]
struct RawPair<'a> {
    #[serde(borrow, default)]
    directory_id: Text<'a>,
    #[serde(borrow)]
    user: &'a RawValue,
    #[serde(borrow)]
    group: Object<Thing<'a>>,
}

fn pair(data: &str) -> Result<(Text<'_>, Snapshot<'_>, Thing<'_>), NotUnderstood> {
    parsed(data)
        .map(|Pair { directory_id, user: Object(user), group: Object(group) }| {
            (directory_id, user.into(), group)
        })
        .or_else(|_error| {
            let RawPair { directory_id, user, group: Object(group) } = parsed(data)?;
            Ok((directory_id, Snapshot::read(user.get())?, group))
        })
}

pub(super) fn read(data: &str, stamp: &Stamp, added: bool) -> Result<Observation, NotUnderstood> {
    let (directory_id, snapshot, thing) = pair(data)?;
    let directory_id = directory_id.id("data.directory_id")?;
    let identity = &snapshot.identity;
    for inner in [&identity.directory_id, &thing.directory_id] {
        if inner.raw().is_some_and(|inner| inner != directory_id) {
            return Err(NotUnderstood::Contradiction("its user or group is of another directory"));
        }
    }
    let organization_id =
        match (organization_id(&identity.organization_id)?, organization_id(&thing.organization_id)?) {
            (Some(of_user), Some(of_group)) if of_user != of_group => {
                return Err(NotUnderstood::Contradiction("its user and its group are of two organizations"));
            }
            (of_user, of_group) => of_user.or(of_group),
        };
    let user = user_word(snapshot, stamp, added, false)?;
    let group = group(&thing, stamp, added, false)?;
    let emitted = stamp.emitted.unwrap_or(user.version.emitted);
    let membership = Membership {
        group_id: group.id.clone(),
        user_id: user.id.clone(),
        version: Version { at: emitted, emitted, event: stamp.id.clone() },
        added,
    };
    Ok(Observation::Membership { scope: Scope { directory_id, organization_id }, membership, user, group })
}
