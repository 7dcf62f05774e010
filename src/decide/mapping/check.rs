//! Makes the mapping from the written document, or lists all its faults with line numbers.

use std::{collections::BTreeSet, fmt, ops::Range, sync::Arc};

use toml::{Spanned, Value};

use super::{
    Mapping, MappingPolicy, Role, Rule, Strategy, UnknownRoles, Unmapped,
    document::{self, Document, Section},
    written_condition::condition,
};

/// One fault of the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappingFault {
    /// The line in the document, from 1.
    pub line: usize,
    /// The fault and its remedy.
    pub what: String,
}

impl fmt::Display for MappingFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.what)
    }
}

/// The mapping of a document, as version 0; or all faults, sorted by line.
pub fn check(text: &str) -> Result<Mapping, Vec<MappingFault>> {
    let mut faults = Faults { text, found: Vec::new() };
    let document: Document = match toml::from_str(text) {
        Ok(document) => document,
        Err(error) => {
            faults.at(error.span().unwrap_or_default(), error.message().trim().to_owned());
            return Err(faults.found);
        }
    };
    let (general, tenants) = document.sections();
    let otherwise = policy(&general, &MappingPolicy::default(), &mut faults);
    let of_tenant = tenants
        .iter()
        .map(|(tenant, section)| (tenant.clone(), Arc::new(policy(section, &otherwise, &mut faults))))
        .collect();
    faults.found.sort_by_key(|fault| fault.line);
    match faults.found.is_empty() {
        true => Ok(Mapping { version: 0, otherwise: Arc::new(otherwise), of_tenant }),
        false => Err(faults.found),
    }
}

pub(super) struct Faults<'a> {
    text: &'a str,
    found: Vec<MappingFault>,
}

impl Faults<'_> {
    pub(super) fn at(&mut self, span: Range<usize>, what: impl Into<String>) {
        let line = self.text.bytes().take(span.start).filter(|byte| *byte == b'\n').count() + 1;
        self.found.push(MappingFault { line, what: what.into() });
    }
}

/// The policy of a section. Missing settings come from `general`; `roles` are joined, `rules` are replaced as a whole.
fn policy(section: &Section, general: &MappingPolicy, faults: &mut Faults<'_>) -> MappingPolicy {
    let mut policy = general.clone();
    let before = faults.found.len();
    for (slug, role) in section.roles.iter().flatten() {
        let name = role.get_ref().name.as_deref().unwrap_or("a name");
        if !is_printable(slug) || !is_printable(name) {
            faults
                .at(role.span(), format!("role {slug:?} needs a slug and a name without control characters"));
        }
        let document::Role { name, priority, privileged, protected } = role.get_ref();
        let name = name.clone().unwrap_or_else(|| slug.clone());
        let (priority, privileged, protected) = (*priority, *privileged, *protected);
        policy.roles.insert(slug.clone(), Role { name, priority, privileged, protected });
    }
    for (slug, role) in section.roles.iter().flatten() {
        let Some(priority) = role.get_ref().priority else { continue };
        let own = |other: &String| section.roles.iter().flatten().any(|(slug, _)| slug == other);
        let like = policy.roles.iter().find(|(other, role)| {
            role.priority == Some(priority) && if own(other) { *other < slug } else { *other != slug }
        });
        if let Some((other, _)) = like {
            faults.at(
                role.span(),
                format!("{slug} and {other} both have priority {priority}: give each its own"),
            );
        }
    }
    if let Some(never) = &section.never_from_directory {
        policy.never_from_directory = never.iter().map(|slug| slug.get_ref().clone()).collect();
        for slug in never {
            declared(slug.get_ref(), slug.span(), &policy, faults);
        }
    }
    if let Some(strategy) = &section.strategy {
        match strategy.get_ref().as_str() {
            "all" => policy.strategy = Strategy::All,
            "highest" => policy.strategy = Strategy::Highest,
            other => {
                faults.at(strategy.span(), format!("strategy is {other:?}: write \"all\" or \"highest\""));
            }
        }
    }
    if let Some(unmapped) = &section.unmapped {
        match fact_or_role(unmapped.get_ref(), "role") {
            Some(Choice::Keyword("none")) => policy.unmapped = Unmapped::None,
            Some(Choice::Keyword("no_access")) => policy.unmapped = Unmapped::NoAccess,
            Some(Choice::Role(role)) => {
                grantable(role, unmapped.span(), &policy, faults);
                policy.unmapped = Unmapped::Role(role.to_owned());
            }
            _ => faults.at(unmapped.span(), "unmapped is \"none\", \"no_access\" or { role = \"…\" }"),
        }
    }
    if let Some(unknown) = &section.unknown_roles {
        match fact_or_role(unknown.get_ref(), "map_to") {
            Some(Choice::Keyword("create")) => policy.unknown_roles = UnknownRoles::Create,
            Some(Choice::Keyword("ignore")) => policy.unknown_roles = UnknownRoles::Ignore,
            Some(Choice::Role(role)) => {
                grantable(role, unknown.span(), &policy, faults);
                policy.unknown_roles = UnknownRoles::MapTo(role.to_owned());
            }
            _ => faults.at(unknown.span(), "unknown_roles is \"create\", \"ignore\" or { map_to = \"…\" }"),
        }
    }
    if let Some(rules) = &section.rules {
        policy.rules = self::rules(rules, &policy, faults);
    }
    if faults.found.len() == before {
        inherited(section, &policy, faults);
    }
    policy
}

/// Checks inherited settings against the section's own ones.
fn inherited(section: &Section, policy: &MappingPolicy, faults: &mut Faults<'_>) {
    let ceiling = section.never_from_directory.iter().flatten().next().map(Spanned::span);
    let strategy = section.strategy.as_ref().map(Spanned::span);
    let role = section.roles.iter().flatten().next().map(|(_, role)| role.span());
    let span = ceiling.or(strategy).or(role).unwrap_or_default();
    let above = |role: &String| policy.never_from_directory.contains(role);
    if let Unmapped::Role(role) = &policy.unmapped
        && above(role)
    {
        faults.at(span.clone(), format!("unmapped grants {role}: give the tenant an unmapped of its own"));
    }
    if let UnknownRoles::MapTo(role) = &policy.unknown_roles
        && above(role)
    {
        faults.at(span.clone(), format!("unknown_roles maps to {role}: give the tenant its own"));
    }
    for (rule, role) in policy.rules.iter().flat_map(|rule| rule.grants.iter().map(move |role| (rule, role)))
    {
        if above(role) {
            faults.at(
                span.clone(),
                format!("rule {:?} grants {role}: give the tenant rules of its own", rule.name),
            );
        }
        let unranked = policy.roles.get(role).is_none_or(|role| role.priority.is_none());
        if policy.strategy == Strategy::Highest && unranked {
            let what = format!("strategy \"highest\" needs a priority for {role}");
            faults.at(span.clone(), format!("{what}: write it in [roles.{role}]"));
        }
    }
}

fn rules(rules: &[Spanned<document::Rule>], policy: &MappingPolicy, faults: &mut Faults<'_>) -> Vec<Rule> {
    let mut names = BTreeSet::new();
    let mut checked = Vec::new();
    for rule in rules {
        let document::Rule { name, grants, when } = rule.get_ref();
        if !is_printable(name.get_ref()) {
            faults.at(name.span(), "a rule needs a name without control characters: explanations cite it");
        }
        if !names.insert(name.get_ref()) {
            faults.at(
                name.span(),
                format!("there are two rules named {:?}: give each its own", name.get_ref()),
            );
        }
        if grants.is_empty() {
            faults
                .at(rule.span(), format!("rule {:?} grants nothing: name a role in grants", name.get_ref()));
        }
        for role in grants {
            grantable(role.get_ref(), role.span(), policy, faults);
        }
        if let Some(when) = condition(when, faults) {
            let grants = grants.iter().map(|role| role.get_ref().clone()).collect();
            checked.push(Rule { name: name.get_ref().clone(), when, grants });
        }
    }
    checked
}

/// Names appear in tables, in mails and on terminals.
fn is_printable(name: &str) -> bool {
    !name.trim().is_empty() && !name.chars().any(char::is_control)
}

fn declared(role: &str, span: Range<usize>, policy: &MappingPolicy, faults: &mut Faults<'_>) -> bool {
    let known = policy.roles.contains_key(role);
    if !known {
        let all: Vec<&str> = policy.roles.keys().map(String::as_str).collect();
        let all = if all.is_empty() {
            "no role is declared".to_owned()
        } else {
            format!("declared: {}", all.join(", "))
        };
        faults.at(span, format!("{role} is not declared ({all}): add [roles.{role}]"));
    }
    known
}

fn grantable(role: &str, span: Range<usize>, policy: &MappingPolicy, faults: &mut Faults<'_>) {
    if declared(role, span.clone(), policy, faults) && policy.never_from_directory.contains(role) {
        faults.at(span, format!("{role} is in never_from_directory: remove it here or there"));
    }
}

enum Choice<'a> {
    Keyword(&'a str),
    Role(&'a str),
}

fn fact_or_role<'a>(value: &'a Value, key: &str) -> Option<Choice<'a>> {
    match value {
        Value::String(fact) => Some(Choice::Keyword(fact)),
        Value::Table(table) if table.len() == 1 => table.get(key)?.as_str().map(Choice::Role),
        _ => None,
    }
}
