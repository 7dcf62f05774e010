//! Makes facts from a membership event: the change of the membership, and a snapshot of the user and the group.

use serde::Deserialize;

use super::{
    event::{Stamp, Thing, group, organization_id, user_fact},
    json::{Object, Text, parsed},
    user_fields::{Snapshot, Whole},
};
use crate::{
    broker::NotUnderstood,
    decide::fact::{Membership, Observation, Scope, Version},
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

pub(super) fn read(
    data: &str,
    stamp: &Stamp,
    added: bool,
    left_out: &mut Vec<String>,
) -> Result<Observation, NotUnderstood> {
    let Pair { directory_id, user: Object(whole), group: Object(thing) } = parsed(data)?;
    let snapshot = Snapshot::from(whole);
    let directory_id = directory_id.id("data.directory_id")?;
    let identity = &snapshot.identity;
    for inner in [&identity.directory_id, &thing.directory_id] {
        if inner.raw().is_some_and(|inner| inner != directory_id) {
            return Err(NotUnderstood::Contradiction("its user or group belongs to another directory"));
        }
    }
    let organization_id =
        match (organization_id(&identity.organization_id)?, organization_id(&thing.organization_id)?) {
            (Some(of_user), Some(of_group)) if of_user != of_group => {
                return Err(NotUnderstood::Contradiction(
                    "its user and its group belong to two organizations",
                ));
            }
            (of_user, of_group) => of_user.or(of_group),
        };
    let user = user_fact(snapshot, stamp, added, false, left_out)?;
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
