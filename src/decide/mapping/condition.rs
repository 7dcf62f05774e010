//! Conditions: the tests of rules on the facts about a user, and the facts that matched.

use std::fmt;

use serde_json::Value;
use wildmatch::WildMatch;

use crate::runtime::clock::Timestamp;

/// The test of one rule.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// The broker's role field names one of these.
    Role(Vec<String>),
    /// The user is in a group.
    Group {
        /// Which group.
        is: GroupSelector,
        /// The directory of the group; `None` for any directory.
        directory: Option<String>,
    },
    /// An attribute has a value.
    Attribute {
        /// Keys from the top of `custom_attributes` inwards.
        path: Vec<String>,
        /// The test of the value.
        test: Test,
    },
    /// All of these are true.
    All(Vec<Condition>),
    /// At least one of these is true.
    Any(Vec<Condition>),
    /// This is false.
    Not(Box<Condition>),
}

/// The groups that a condition means.
#[derive(Clone, Debug, PartialEq)]
pub enum GroupSelector {
    /// The group of this id, whatever its name.
    Id(String),
    /// Groups of exactly this name.
    Name(String),
    /// Groups with a name that matches the pattern.
    Pattern(WildMatch),
}

/// The test of an attribute's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// The value equals one of these, by type and value.
    OneOf(Vec<Value>),
    /// The value is a text that matches the pattern.
    Pattern(WildMatch),
    /// The value is a list that contains this value.
    Contains(Value),
}

/// All facts that a rule may use.
#[derive(Clone, Copy, Debug)]
pub struct UserFacts<'a> {
    /// The slugs of the broker's role field.
    pub role_slugs: &'a [String],
    /// The custom attributes, a JSON object; `None` if no rule uses attributes.
    pub attributes: Option<&'a Value>,
    /// The user's existing groups, sorted by id.
    pub groups: &'a [GroupMembership],
}

/// One of a user's groups.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupMembership {
    /// The broker's id of the group.
    pub group_id: String,
    /// The group's current name.
    pub name: String,
    /// The directory of the group.
    pub directory_id: String,
    /// The broker's time of the event that added the user.
    pub since: Timestamp,
    /// The id of that event.
    pub event: String,
}

/// A fact that matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConditionEvidence {
    /// This slug of the role field.
    Role(String),
    /// This membership.
    Group(GroupMembership),
    /// This attribute had this value.
    Attribute {
        /// The keys, joined by dots.
        path: String,
        /// The value.
        value: Value,
    },
}

impl Condition {
    /// The facts that fulfil the condition; of several possible ones the first. `Not` is fulfilled without a fact.
    pub fn matches(&self, facts: UserFacts<'_>) -> Option<Vec<ConditionEvidence>> {
        match self {
            Self::Role(slugs) => {
                let slug = facts.role_slugs.iter().find(|slug| slugs.contains(slug))?;
                Some(vec![ConditionEvidence::Role(slug.clone())])
            }
            Self::Group { is, directory } => {
                let group = facts.groups.iter().find(|group| {
                    is.is(&group.group_id, &group.name)
                        && directory.as_ref().is_none_or(|directory| *directory == group.directory_id)
                })?;
                Some(vec![ConditionEvidence::Group(group.clone())])
            }
            Self::Attribute { path, test } => {
                let value = path.iter().try_fold(facts.attributes?, |value, key| value.get(key))?;
                test.holds(value).then(|| {
                    vec![ConditionEvidence::Attribute { path: path.join("."), value: value.clone() }]
                })
            }
            Self::All(all) => {
                let found: Option<Vec<_>> = all.iter().map(|one| one.matches(facts)).collect();
                Some(found?.concat())
            }
            Self::Any(any) => any.iter().find_map(|one| one.matches(facts)),
            Self::Not(not) => not.matches(facts).is_none().then(Vec::new),
        }
    }

    /// Whether it tests groups.
    pub fn uses_groups(&self) -> bool {
        self.any(&|one| matches!(one, Self::Group { .. }))
    }

    /// Whether it tests attributes.
    pub fn uses_attributes(&self) -> bool {
        self.any(&|one| matches!(one, Self::Attribute { .. }))
    }

    /// Whether it names this slug of the role field.
    pub fn names_role(&self, slug: &str) -> bool {
        self.any(&|one| matches!(one, Self::Role(slugs) if slugs.iter().any(|named| named == slug)))
    }

    /// The groups that it names, each with its directory.
    pub fn groups(&self) -> Vec<(&GroupSelector, Option<&str>)> {
        match self {
            Self::Group { is, directory } => vec![(is, directory.as_deref())],
            Self::Role(_) | Self::Attribute { .. } => Vec::new(),
            Self::All(some) | Self::Any(some) => some.iter().flat_map(Self::groups).collect(),
            Self::Not(one) => one.groups(),
        }
    }

    /// The paths of the attributes that it tests.
    pub fn attributes(&self) -> Vec<&[String]> {
        match self {
            Self::Attribute { path, .. } => vec![path.as_slice()],
            Self::Role(_) | Self::Group { .. } => Vec::new(),
            Self::All(some) | Self::Any(some) => some.iter().flat_map(Self::attributes).collect(),
            Self::Not(one) => one.attributes(),
        }
    }

    fn any(&self, is: &dyn Fn(&Self) -> bool) -> bool {
        is(self)
            || match self {
                Self::Role(_) | Self::Group { .. } | Self::Attribute { .. } => false,
                Self::All(some) | Self::Any(some) => some.iter().any(|one| one.any(is)),
                Self::Not(one) => one.any(is),
            }
    }
}

impl GroupSelector {
    /// Whether it means the group with this id and name.
    pub fn is(&self, id: &str, name: &str) -> bool {
        match self {
            Self::Id(wanted) => wanted == id,
            Self::Name(wanted) => wanted == name,
            Self::Pattern(pattern) => pattern.matches(name),
        }
    }
}

impl Test {
    fn holds(&self, value: &Value) -> bool {
        match self {
            Self::OneOf(wanted) => wanted.contains(value),
            Self::Pattern(pattern) => value.as_str().is_some_and(|text| pattern.matches(text)),
            Self::Contains(wanted) => value.as_array().is_some_and(|list| list.contains(wanted)),
        }
    }
}

impl fmt::Display for ConditionEvidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Role(slug) => write!(f, "role {slug}"),
            Self::Group(group) => write!(f, "group {} ({})", group.name, group.group_id),
            Self::Attribute { path, value } => write!(f, "{path} = {value}"),
        }
    }
}

/// The condition in words. `explain` shows it for a rule that did not match.
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |some: &[Self], word: &str| {
            some.iter().map(|one| format!("({one})")).collect::<Vec<_>>().join(&format!(" {word} "))
        };
        match self {
            Self::Role(slugs) => write!(f, "role is {}", slugs.join(" or ")),
            Self::Group { is, directory: None } => write!(f, "in a group {is}"),
            Self::Group { is, directory: Some(directory) } => write!(f, "in a group {is} of {directory}"),
            Self::Attribute { path, test } => write!(f, "{} {test}", path.join(".")),
            Self::All(all) => f.write_str(&joined(all, "and")),
            Self::Any(any) => f.write_str(&joined(any, "or")),
            Self::Not(not) => write!(f, "not ({not})"),
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OneOf(values) => {
                let values: Vec<String> = values.iter().map(Value::to_string).collect();
                write!(f, "is {}", values.join(" or "))
            }
            Self::Pattern(pattern) => write!(f, "is like {:?}", pattern.to_string()),
            Self::Contains(value) => write!(f, "contains {value}"),
        }
    }
}

impl fmt::Display for GroupSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(f, "with id {id}"),
            Self::Name(name) => write!(f, "named {name:?}"),
            Self::Pattern(pattern) => write!(f, "like {:?}", pattern.to_string()),
        }
    }
}
