//! The difference of access between the beginning and the end of a period. The file is pure.

use std::collections::BTreeSet;

use serde::Serialize;

use super::past::Past;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AccessChange {
    pub user_id: String,
    pub name: Option<String>,
    pub email: Option<String>,
    /// `access gained`, `access lost` or `roles changed`.
    pub change: String,
    pub roles_gained: Vec<String>,
    pub roles_lost: Vec<String>,
}

pub(super) fn changes(past: &Past) -> Vec<AccessChange> {
    let held = |user_id: &str| -> Option<BTreeSet<String>> {
        let user = past.users.get(user_id).filter(|user| user.is_active)?;
        Some(user.roles.keys().cloned().collect())
    };
    let ids: BTreeSet<&String> = past.before.keys().chain(past.users.keys()).collect();
    let changed = |user_id: &String| {
        let (was, is) = (past.before.get(user_id), held(user_id));
        let change = match (was, &is) {
            (None, Some(_)) => "access gained",
            (Some(_), None) => "access lost",
            (Some(was), Some(is)) if was != is => "roles changed",
            _ => return None,
        };
        let (none, user) = (BTreeSet::new(), past.user(user_id));
        let (was, is) = (was.unwrap_or(&none), is.as_ref().unwrap_or(&none));
        let text = |name: &str| user?.text(name).map(str::to_owned);
        Some(AccessChange {
            user_id: user_id.clone(),
            name: text("name"),
            email: text("email"),
            change: change.to_owned(),
            roles_gained: is.difference(was).cloned().collect(),
            roles_lost: was.difference(is).cloned().collect(),
        })
    };
    ids.into_iter().filter_map(changed).collect()
}
