//! The slice of the database that a batch needs, in a handful of statements however large the batch.

use std::collections::{BTreeSet, HashMap, HashSet};

use diesel::QueryResult;

use crate::{
    broker::Source,
    db::Conn,
    decide::{
        DEFAULT_TENANT,
        fact::{EntityKind, Fact, Observation, Reading},
        fold_facts::claim_of,
        state::{Content, NO_CLAIM, StateSlice},
        tenant,
    },
    inbox::queue,
    tables::{Key, claims, facts},
};

/// Everything known about the entities that `observations` speak of: their facts, the claims under which those stand,
/// and the facts about the directories and organizations behind the claims.
pub fn slice<'a>(
    conn: &mut Conn,
    observations: impl Iterator<Item = &'a Observation> + Clone,
) -> QueryResult<StateSlice> {
    let mut state = StateSlice::default();
    let (mut pairs, mut ids, mut organizations) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for observation in observations {
        pairs.extend(claim_of(observation));
        match observation {
            Observation::Organization(fact) => drop(organizations.insert(fact.id.as_str())),
            Observation::Directory { .. } => {}
            Observation::User { fact, .. } => drop(ids.insert(fact.id.as_str())),
            Observation::Group { fact, .. } => drop(ids.insert(fact.id.as_str())),
            Observation::Membership { user, group, .. } => ids.extend([user.id.as_str(), &group.id]),
        }
    }
    let organizations: BTreeSet<String> = organizations.into_iter().map(str::to_owned).collect();
    let mut directories: BTreeSet<String> =
        pairs.iter().map(|(directory, _)| (*directory).to_owned()).collect();
    // A fact about an organization concerns every directory for which it is named.
    directories.extend(claims::directories_naming(conn, &borrowed(&organizations))?);
    add_claims(conn, &mut state, &directories)?;
    let missing = pairs.into_iter().filter(|(d, o)| state.claim_between(d, o).is_none());
    let missing: Vec<Key> = missing.map(|(d, o)| (d.to_owned(), o.to_owned())).collect();
    if !missing.is_empty() {
        claims::insert_missing(conn, &missing)?;
        let known: HashSet<i64> = state.claims().map(|claim| claim.id).collect();
        let touched: BTreeSet<String> = missing.into_iter().map(|(directory_id, _)| directory_id).collect();
        for mut claim in claims::of_directories(conn, &borrowed(&touched))? {
            claim.fresh = !known.contains(&claim.id);
            if claim.fresh {
                state.insert_claim(claim);
            }
        }
    }
    let ids = ids.into_iter().map(str::to_owned).collect();
    add_facts(conn, &mut state, ids, &organizations)?;
    Ok(state)
}

/// The same for entities alone: what a refresh derives again.
pub fn entities(conn: &mut Conn, directory_id: &str, ids: BTreeSet<String>) -> QueryResult<StateSlice> {
    let mut state = StateSlice::default();
    add_claims(conn, &mut state, &BTreeSet::from([directory_id.to_owned()]))?;
    add_facts(conn, &mut state, ids, &BTreeSet::new())?;
    Ok(state)
}

/// Adds what is known of these, who turned out to matter, as it is written.
pub fn more(conn: &mut Conn, state: &mut StateSlice, ids: BTreeSet<String>) -> QueryResult<()> {
    add_facts(conn, state, ids, &BTreeSet::new())
}

fn add_claims(conn: &mut Conn, state: &mut StateSlice, directories: &BTreeSet<String>) -> QueryResult<()> {
    if directories.is_empty() {
        return Ok(());
    }
    for claim in claims::of_directories(conn, &borrowed(directories))? {
        state.insert_claim(claim);
    }
    Ok(())
}

/// Facts about `ids`, and on all directories and organizations in play; facts about an id may stand under claims of another
/// directory (somebody moved), whose claims are then in play too.
fn add_facts(
    conn: &mut Conn,
    state: &mut StateSlice,
    ids: BTreeSet<String>,
    organizations: &BTreeSet<String>,
) -> QueryResult<()> {
    let mut wanted = ids;
    wanted.extend(organizations.iter().cloned());
    let mut loaded = BTreeSet::new();
    loop {
        wanted.extend(state.directories().cloned());
        wanted
            .extend(state.claims().map(|claim| &claim.organization_id).filter(|id| !id.is_empty()).cloned());
        let next: Vec<&str> = wanted.difference(&loaded).map(String::as_str).collect();
        if next.is_empty() {
            return Ok(());
        }
        let mut strange = BTreeSet::new();
        for (kind, id, standing) in facts::on(conn, &next)? {
            if standing.claim_id != NO_CLAIM && state.claim(standing.claim_id).is_none() {
                strange.insert(standing.claim_id);
            }
            state.insert_fact(kind, id, standing);
        }
        loaded = wanted.clone();
        if !strange.is_empty() {
            let strange: Vec<i64> = strange.into_iter().collect();
            let directories = claims::directories_of(conn, &strange)?.into_iter().collect();
            add_claims(conn, state, &directories)?;
        }
    }
}

fn borrowed(ids: &BTreeSet<String>) -> Vec<&str> {
    ids.iter().map(String::as_str).collect()
}

/// The keys under which rows of these entities may be shown: their ids in every tenant that any claim names.
pub fn keys<'a>(state: &StateSlice, kind: EntityKind, ids: impl Iterator<Item = &'a String>) -> Vec<Key> {
    let mut keys = BTreeSet::new();
    for id in ids {
        for fact in state.facts(kind, id) {
            let Some(claim) = state.claim(fact.claim_id) else { continue };
            keys.insert((DEFAULT_TENANT.to_owned(), id.clone()));
            for claim in
                state.claims_of(&claim.directory_id).filter(|claim| !claim.organization_id.is_empty())
            {
                keys.insert((tenant::of_organization(&claim.organization_id).into_owned(), id.clone()));
            }
        }
    }
    keys.into_iter().collect()
}

/// Reads contents again from the deliveries that hold them.
pub fn contents(conn: &mut Conn, state: &mut StateSlice, inbox_ids: &BTreeSet<i64>) -> QueryResult<()> {
    let ids: Vec<i64> = inbox_ids.iter().copied().collect();
    for (inbox_id, source, body) in queue::bodies(conn, &ids)? {
        let reading = Source::named(&source).map(|source| source.read(&body));
        let Some(Ok(Reading::Fact(observation, _))) = reading else {
            tracing::error!(inbox.id = inbox_id, "a delivery that was applied cannot be read any more");
            continue;
        };
        for content in said(*observation) {
            state.insert_content(inbox_id, content);
        }
    }
    Ok(())
}

fn said(observation: Observation) -> Vec<Content> {
    fn content<T>(fact: Fact<T>, wrap: impl Fn(T) -> Content) -> Content {
        wrap(fact.content)
    }
    match observation {
        Observation::Organization(fact) => vec![content(fact, Content::Organization)],
        Observation::Directory { fact, .. } => vec![content(fact, Content::Directory)],
        Observation::User { fact, .. } => vec![content(fact, Content::User)],
        Observation::Group { fact, .. } => vec![content(fact, Content::Group)],
        Observation::Membership { user, group, .. } => {
            vec![content(user, Content::User), content(group, Content::Group)]
        }
    }
}

/// Rows by id, for derivations that look at all tenants of one id.
pub fn by_id<T>(rows: Vec<T>, id: impl Fn(&T) -> &str) -> HashMap<String, Vec<T>> {
    let mut map: HashMap<String, Vec<T>> = HashMap::new();
    for row in rows {
        map.entry(id(&row).to_owned()).or_default().push(row);
    }
    map
}

/// The rows of one id.
pub fn rows<'a, T>(map: &'a HashMap<String, Vec<T>>, id: &str) -> &'a [T] {
    map.get(id).map_or(&[], Vec::as_slice)
}

/// The ids of a kind about which the batch has facts.
pub fn touched(state: &StateSlice, kind: EntityKind) -> BTreeSet<String> {
    state.touched.entities.iter().filter(|(k, _)| *k == kind).map(|(_, id)| id.clone()).collect()
}
