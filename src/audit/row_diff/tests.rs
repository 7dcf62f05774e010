use std::collections::BTreeMap;

use proptest::{
    collection::{btree_map, btree_set},
    option::of,
    prelude::{Just, any, prop_assert, prop_assert_eq, prop_oneof, proptest},
    sample::select,
    strategy::Strategy,
};
use serde_json::{Value, json};

use super::*;
use crate::decide::{
    access::{Access, AccessCause},
    mapping::condition::ConditionEvidence,
    profile::Profile,
    protected_roles::RoleLoss,
    roles::Manual,
    testing,
};

/// A text that is in all personal data and in nothing else.
const SECRET: &str = "secret";
const ROLES: [&str; 4] = ["admin", "editor", "member", "viewer"];

fn personal(field: &'static str) -> impl Strategy<Value = Option<String>> {
    of((0..2).prop_map(move |n| format!("{SECRET} {field} \"{n}\"")))
}

fn profile() -> impl Strategy<Value = Profile> {
    let texts: Vec<_> = Profile::COLUMNS.iter().map(|column| personal(column.name)).collect();
    texts.prop_map(|texts| {
        let mut profile = Profile::default();
        for (column, text) in Profile::COLUMNS.iter().zip(texts) {
            *(column.get_mut)(&mut profile) = text;
        }
        profile
    })
}

/// Attributes as the broker module writes them: compact, keys sorted.
fn attributes() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        Just(json!(format!("{SECRET} word"))),
        Just(json!([SECRET, 1])),
        Just(json!({ SECRET: null, "a": {"b": SECRET} })),
    ];
    btree_map(select(&["floor", "manager", "team"][..]), value, 0..3)
        .prop_map(|all| serde_json::to_string(&all).unwrap())
}

fn time() -> impl Strategy<Value = Timestamp> {
    (0..3_i64).prop_map(|n| Timestamp::from_micros(1_768_478_400_000_000 + n))
}

fn content() -> impl Strategy<Value = fact::User> {
    (profile(), attributes(), time()).prop_map(|(profile, custom_attributes, at)| fact::User {
        profile,
        state: "active".into(),
        custom_attributes,
        roles: Vec::new(),
        erased: false,
        created_at: at,
        updated_at: at,
    })
}

fn because() -> impl Strategy<Value = Because> {
    let attribute = ConditionEvidence::Attribute { path: "team".into(), value: json!(SECRET) };
    let manual =
        Manual { role: "admin".into(), since: Timestamp::default(), by: "ada".into(), reason: SECRET.into() };
    prop_oneof![
        Just(Because::Rule { name: "staff".into(), evidence: vec![attribute] }),
        Just(Because::BrokerRole("member".into())),
        Just(Because::Unmapped),
        Just(Because::Manual(manual)),
        Just(Because::Retained(RoleLoss { at: Timestamp::default(), event: "e1".into() })),
    ]
}

fn access() -> impl Strategy<Value = Access> {
    prop_oneof![Just(Access::Active), time().prop_map(|at| Access::Inactive(at, AccessCause::Person))]
}

fn id(kind: &'static str) -> impl Strategy<Value = String> {
    (0..2).prop_map(move |n| format!("{kind}_{n}"))
}

fn row() -> impl Strategy<Value = UserRow> {
    let held = btree_set(select(&ROLES[..]).prop_map(str::to_owned), 0..3);
    (content(), access(), held, id("person"), id("directory"), 1..9_i64).prop_map(
        |(content, access, held, person_id, directory_id, access_epoch)| UserRow {
            tenant_id: "org_1".into(),
            id: "u1".into(),
            person_id,
            directory_id,
            profile: content.profile,
            active: access.is_active(),
            access_epoch,
            deprovisioned_at: access.since(),
            role_slugs: Vec::new(),
            custom_attributes: content.custom_attributes,
            digest: 0,
            held: if access.is_active() { held } else { BTreeSet::new() },
            former: None,
        },
    )
}

/// The change from `row`: roles that are not held any more are lost, and a loss of access raises the epoch.
fn user(
    row: Option<&UserRow>,
    access: Access,
    held: BTreeMap<String, Because>,
    person_id: String,
) -> UserAccess {
    let held = if access.is_active() { held } else { BTreeMap::new() };
    let had = row.map(|row| row.held.clone()).unwrap_or_default();
    let lost: BTreeSet<String> = had.into_iter().filter(|role| !held.contains_key(role)).collect();
    let changed = !lost.is_empty() || row.is_some_and(|row| row.active && !access.is_active());
    UserAccess {
        former: None,
        succeeds: false,
        tenant_id: "org_1".into(),
        user_id: "u1".into(),
        person_id,
        access,
        lost,
        held,
        held_back: BTreeSet::new(),
        changed,
    }
}

fn users() -> impl Strategy<Value = (Option<UserRow>, UserAccess)> {
    let held = btree_map(select(&ROLES[..]).prop_map(str::to_owned), because(), 0..3);
    (of(row()), access(), held, id("person")).prop_map(|(row, access, held, person_id)| {
        let user = user(row.as_ref(), access, held, person_id);
        (row, user)
    })
}

fn changes() -> impl Strategy<Value = (Option<UserRow>, UserChange)> {
    (users(), content(), id("directory"), 0..8).prop_map(|((row, user), content, directory_id, which)| {
        let change = match which {
            0 => UserChange::Remove {
                tenant_id: "org_1".into(),
                user_id: "u1".into(),
                roles: row.iter().flat_map(|row| row.held.clone()).collect(),
            },
            1 | 2 => UserChange::Restate(user),
            _ => UserChange::Put { user, directory_id, digest: 0, content },
        };
        (row, change)
    })
}

fn same_content(row: &UserRow) -> fact::User {
    fact::User {
        profile: row.profile.clone(),
        state: "active".into(),
        custom_attributes: row.custom_attributes.clone(),
        roles: Vec::new(),
        erased: false,
        created_at: Timestamp::default(),
        updated_at: Timestamp::default(),
    }
}

/// The profile as one object, with attributes by name; empty without a profile.
fn flat(content: &fact::User) -> BTreeMap<String, Value> {
    let fields = content.profile.texts().filter_map(|(name, text)| Some((name.to_owned(), json!(text?))));
    let attributes: BTreeMap<String, Value> = serde_json::from_str(&content.custom_attributes).unwrap();
    let attributes = attributes.into_iter().map(|(name, value)| (format!("custom_attributes.{name}"), value));
    fields.chain(attributes).collect()
}

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

proptest! {
    /// An erasure deletes `personal`. `change` remains for ever in the chain.
    #[test]
    fn nothing_personal_is_in_the_part_that_is_chained((row, change) in changes()) {
        if let Some(changed) = of_user(row.as_ref(), &change) {
            prop_assert!(!changed.change.contains(SECRET), "{}", changed.change);
        }
    }

    #[test]
    fn a_change_without_effect_is_no_entry(
        row in row(),
        because in because(),
        restated in any::<bool>(),
        spaced in any::<bool>(),
    ) {
        let held = row.held.iter().map(|role| (role.clone(), because.clone())).collect();
        let access = row.deprovisioned_at.map_or(Access::Active, |at| Access::Inactive(at, AccessCause::Person));
        let user = user(Some(&row), access, held, row.person_id.clone());
        let mut content = same_content(&row);
        if spaced {
            // The text that the other database writes.
            content.custom_attributes = content.custom_attributes.replace(':', ": ").replace(',', ", ");
        }
        let directory_id = row.directory_id.clone();
        let change = match restated {
            true => UserChange::Restate(user),
            false => UserChange::Put { user, directory_id, digest: 1, content },
        };
        prop_assert_eq!(of_user(Some(&row), &change), None);
    }

    #[test]
    fn an_entry_about_a_profile_has_the_values_before_and_after((row, change) in changes()) {
        let UserChange::Put { content, .. } = &change else { return Ok(()) };
        let (before, after) = (row.as_ref().map(|row| flat(&same_content(row))).unwrap_or_default(), flat(content));
        let mut expected: BTreeMap<String, (Value, Value)> = BTreeMap::new();
        for name in before.keys().chain(after.keys()) {
            let of = |side: &BTreeMap<String, Value>| side.get(name).cloned().unwrap_or_default();
            if of(&before) != of(&after) {
                expected.insert(name.clone(), (of(&before), of(&after)));
            }
        }

        let changed = of_user(row.as_ref(), &change);

        let personal = changed.as_ref().and_then(|changed| changed.personal.as_deref()).map(read).unwrap_or_default();
        let mut named: BTreeMap<String, (Value, Value)> = BTreeMap::new();
        for (name, sides) in personal.as_object().into_iter().flatten().filter(|(name, _)| *name != "because") {
            match (name.as_str(), &sides[1]) {
                // A new user has all of it in one entry.
                ("custom_attributes", Value::Object(all)) => named.extend(
                    all.iter().map(|(name, to)| (format!("custom_attributes.{name}"), (Value::Null, to.clone()))),
                ),
                (name, to) => drop(named.insert(name.to_owned(), (sides[0].clone(), to.clone()))),
            }
        }
        prop_assert_eq!(&named, &expected);
        if let (Some(_), Some(changed)) = (&row, &changed) {
            let change = read(&changed.change);
            let named: BTreeSet<&str> = change["fields"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            prop_assert_eq!(named, expected.keys().map(String::as_str).collect::<BTreeSet<_>>());
        }
    }

    #[test]
    fn an_entry_about_access_and_roles_has_the_state_before_and_after((row, change) in changes()) {
        let (user, directory_id) = match &change {
            UserChange::Put { user, directory_id, .. } => (user, Some(directory_id)),
            UserChange::Restate(user) => (user, None),
            UserChange::Remove { .. } => {
                let entry = of_user(row.as_ref(), &change).map(|changed| read(&changed.change));
                let expected = row.as_ref().map(|row| json!([status(row.active), null]));
                prop_assert_eq!(entry.map(|entry| entry["status"].clone()), expected);
                return Ok(());
            }
        };
        let Some(changed) = of_user(row.as_ref(), &change) else {
            // No change, or no other change.
            prop_assert!(row.is_none_or(|row| row.active == user.access.is_active() && row.held.iter().eq(user.held.keys())));
            return Ok(());
        };
        let entry = read(&changed.change);
        let moved = |name: &str, from: Value, to: Value| match from == to {
            true => (name.to_owned(), Value::Null),
            false => (name.to_owned(), json!([from, to])),
        };
        let time = |at: Option<Timestamp>| json!(at.map(|at| at.to_string()));
        let was = |of: &dyn Fn(&UserRow) -> Value| row.as_ref().map(of).unwrap_or_default();
        let directory = directory_id.map(|id| json!(id)).unwrap_or_else(|| was(&|row| json!(row.directory_id)));
        for (name, expected) in [
            moved("status", was(&|row| json!(status(row.active))), json!(user.access.status())),
            moved("deprovisioned_at", was(&|row| time(row.deprovisioned_at)), time(user.access.since())),
            moved("person_id", was(&|row| json!(row.person_id)), json!(user.person_id)),
            moved("directory_id", was(&|row| json!(row.directory_id)), directory),
        ] {
            prop_assert_eq!(&entry[name.as_str()], &expected, "{} in {}", name, entry);
        }
        let mut held: BTreeSet<String> = row.map(|row| row.held).unwrap_or_default();
        for role in entry["lost"].as_array().into_iter().flatten() {
            prop_assert!(held.remove(role.as_str().unwrap()), "{} takes what was not held", entry);
        }
        for role in entry["gained"].as_object().into_iter().flatten().map(|(role, _)| role) {
            prop_assert!(held.insert(role.clone()), "{} gives what was held", entry);
        }
        prop_assert!(held.iter().eq(user.held.keys()), "{} does not lead to {:?}", entry, user.held);
    }
}

#[test]
fn another_person_under_the_same_id_ends_access_and_does_not_return() {
    let kind = |was_active, access, succeeds| {
        let row = UserRow { active: was_active, ..testing::row("org_1", "A", &[]) };
        let user = user(Some(&row), access, BTreeMap::new(), "p2".to_owned());
        let user = UserAccess { succeeds, changed: succeeds || user.changed, ..user };
        of_user(Some(&row), &UserChange::Restate(user)).map(|changed| changed.kind)
    };
    let gone = Access::Inactive(Timestamp::default(), AccessCause::Person);
    assert_eq!(kind(true, gone, false), Some(kinds::ACCESS_LOST));
    assert_eq!(kind(false, Access::Active, false), Some(kinds::ACCESS_RETURNED));
    assert_eq!(kind(true, Access::Active, true), Some(kinds::ACCESS_LOST));
    assert_eq!(kind(false, Access::Active, true), Some(kinds::USER_CHANGED));
}
