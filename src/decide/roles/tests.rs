use std::collections::BTreeSet;

use proptest::{
    collection::vec,
    prelude::{Just, any, prop_assert, prop_assert_eq, prop_oneof, proptest},
    sample::select,
    strategy::{Strategy as Generate, ValueTree},
    test_runner::TestRunner,
};
use serde_json::{Value, json};

use super::*;
use crate::decide::mapping::{
    Role, Rule,
    condition::{Condition, GroupMembership, GroupSelector, Test},
};

const ROLES: [&str; 4] = ["admin", "editor", "member", "viewer"];
const GROUPS: [&str; 3] = ["g1", "g2", "g3"];

fn role() -> impl Generate<Value = String> {
    select(&ROLES[..]).prop_map(str::to_owned)
}

fn condition() -> impl Generate<Value = Condition> {
    let leaf = prop_oneof![
        vec(role(), 1..3).prop_map(Condition::Role),
        select(&GROUPS[..])
            .prop_map(|id| Condition::Group { is: GroupSelector::Id(id.into()), directory: None }),
        (0..3_i64)
            .prop_map(|n| Condition::Attribute { path: vec!["n".into()], test: Test::OneOf(vec![json!(n)]) }),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 1..3).prop_map(Condition::All),
            vec(inner.clone(), 1..3).prop_map(Condition::Any),
            inner.prop_map(|one| Condition::Not(Box::new(one))),
        ]
    })
}

/// A new kind of condition does not compile here. Then [`condition`] must make it, too.
#[test]
fn every_kind_of_condition_is_generated() {
    let kind = |condition: &Condition| match condition {
        Condition::Role(_) => "role",
        Condition::Group { .. } => "group",
        Condition::Attribute { .. } => "attribute",
        Condition::All(_) => "all",
        Condition::Any(_) => "any",
        Condition::Not(_) => "not",
    };
    let (mut runner, generate) = (TestRunner::deterministic(), condition());
    let generated = (0..500).map(|_| generate.new_tree(&mut runner).unwrap().current());
    let kinds: BTreeSet<&str> = generated.map(|condition| kind(&condition)).collect();
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), ["all", "any", "attribute", "group", "not", "role"]);
}

fn policy() -> impl Generate<Value = MappingPolicy> {
    let rules = vec((condition(), vec(role(), 1..3)), 0..4);
    let unmapped =
        prop_oneof![Just(Unmapped::None), Just(Unmapped::NoAccess), role().prop_map(Unmapped::Role)];
    let unknown = prop_oneof![
        Just(UnknownRoles::Create),
        Just(UnknownRoles::Ignore),
        role().prop_map(UnknownRoles::MapTo)
    ];
    (rules, unmapped, unknown, any::<bool>(), proptest::option::of(role())).prop_map(
        |(rules, unmapped, unknown_roles, highest, never)| {
            let rule = |(n, (when, grants)): (usize, (Condition, Vec<String>))| Rule {
                name: format!("r{n}"),
                when,
                grants,
            };
            let never_from_directory = never.into_iter().collect();
            let above = |role: &String| BTreeSet::contains(&never_from_directory, role);
            let mut rules: Vec<Rule> = rules.into_iter().enumerate().map(rule).collect();
            rules.iter_mut().for_each(|rule| rule.grants.retain(|role| !above(role)));
            let unmapped = match unmapped {
                Unmapped::Role(role) if above(&role) => Unmapped::None,
                other => other,
            };
            let ranked = |(n, slug): (usize, &&str)| {
                (
                    (*slug).to_owned(),
                    Role {
                        name: (*slug).to_owned(),
                        priority: Some(n as i64),
                        privileged: false,
                        protected: false,
                    },
                )
            };
            MappingPolicy {
                strategy: if highest { Strategy::Highest } else { Strategy::All },
                unmapped,
                unknown_roles,
                never_from_directory,
                roles: ROLES.iter().enumerate().map(ranked).collect(),
                rules,
            }
        },
    )
}

#[derive(Debug, Clone)]
struct Known {
    slugs: Vec<String>,
    attributes: Value,
    groups: Vec<GroupMembership>,
    manual: Vec<Manual>,
}

fn known() -> impl Generate<Value = Known> {
    let slugs = proptest::collection::btree_set(prop_oneof![role(), Just("guest".to_owned())], 0..3);
    let groups = proptest::sample::subsequence(&GROUPS[..], 0..=3);
    let manual = proptest::sample::subsequence(&ROLES[..], 0..=1);
    (slugs, 0..4_i64, groups, manual).prop_map(|(slugs, n, groups, manual)| Known {
        slugs: slugs.into_iter().collect(),
        attributes: json!({"n": n}),
        groups: groups.into_iter().map(membership).collect(),
        manual: manual
            .into_iter()
            .map(|role| Manual {
                role: role.to_owned(),
                since: Timestamp::from_micros(7),
                by: "ada".to_owned(),
                reason: "r".to_owned(),
            })
            .collect(),
    })
}

fn membership(id: &str) -> GroupMembership {
    GroupMembership {
        group_id: id.to_owned(),
        name: format!("Group {id}"),
        directory_id: "d".to_owned(),
        since: Timestamp::from_micros(1),
        event: format!("joined {id}"),
    }
}

impl Known {
    fn facts(&self) -> UserFacts<'_> {
        UserFacts { role_slugs: &self.slugs, attributes: Some(&self.attributes), groups: &self.groups }
    }
}

proptest! {
    #[test]
    fn every_role_held_is_explained_by_a_reason_that_really_holds(policy in policy(), known in known()) {
        let derived = derive(&policy, known.facts(), &known.manual);
        for (role, because) in &derived.held {
            match because {
                Because::Rule { name, evidence } => {
                    let rule = policy.rules.iter().find(|rule| rule.name == *name).unwrap();
                    prop_assert!(rule.grants.contains(role));
                    prop_assert_eq!(rule.when.matches(known.facts()), Some(evidence.clone()));
                }
                Because::BrokerRole(slug) => prop_assert!(known.slugs.contains(slug) && !policy.knows(slug)),
                Because::Unmapped => prop_assert_eq!(&policy.unmapped, &Unmapped::Role(role.clone())),
                Because::Retained(_) => prop_assert!(false, "a derivation keeps nothing"),
                Because::Manual(grant) => prop_assert!(known.manual.contains(grant) && grant.role == *role),
            }
        }
    }

    #[test]
    fn a_rule_that_matches_grants_unless_a_higher_role_counts_or_a_ceiling_forbids(policy in policy(), known in known()) {
        let derived = derive(&policy, known.facts(), &known.manual);
        for rule in policy.rules.iter().filter(|rule| rule.when.matches(known.facts()).is_some()) {
            for role in &rule.grants {
                let higher = policy.strategy == Strategy::Highest && derived.held.keys().any(|other| other != role);
                prop_assert!(derived.held.contains_key(role) || higher);
            }
        }
    }

    #[test]
    fn only_a_manual_grant_exceeds_the_ceiling(policy in policy(), known in known()) {
        let derived = derive(&policy, known.facts(), &known.manual);
        for (role, because) in &derived.held {
            prop_assert!(!policy.never_from_directory.contains(role) || matches!(because, Because::Manual(_)));
        }
    }

    #[test]
    fn only_a_policy_without_access_shuts_out_people_without_roles(policy in policy(), known in known()) {
        let derived = derive(&policy, known.facts(), &known.manual);
        let shut_out = policy.unmapped == Unmapped::NoAccess && derived.held.is_empty();
        prop_assert_eq!(derived.shut_out, shut_out);
    }

    #[test]
    fn manual_grants_add_roles_and_take_nothing_that_rules_grant(policy in policy(), known in known()) {
        let with = derive(&policy, known.facts(), &known.manual).held;
        let without = derive(&policy, known.facts(), &[]).held;
        let unmapped = |because: &Because| matches!(because, Because::Unmapped);
        for (role, because) in &without {
            prop_assert!(with.get(role) == Some(because) || unmapped(because));
        }
        for grant in &known.manual {
            prop_assert!(with.contains_key(&grant.role));
        }
    }

    #[test]
    fn the_highest_strategy_leaves_one_role_of_the_directory(policy in policy(), known in known()) {
        let derived = derive(&policy, known.facts(), &known.manual);
        let of_directory = derived.held.values().filter(|because| !matches!(because, Because::Manual(_))).count();
        prop_assert!(policy.strategy == Strategy::All || of_directory <= 1);
    }
}
