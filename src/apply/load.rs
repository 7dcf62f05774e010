//! Loads the slice of the database that a batch needs. The number of statements does not grow with the batch.

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
    tables::{Key, claims, claims::Claimed, directory_moves, facts},
};

/// Loads everything known about the entities of `observations`: their facts, the claims of those facts, and the facts
/// about the directories and organizations of those claims.
pub fn slice<'a>(
    conn: &mut Conn,
    observations: impl Iterator<Item = (i64, &'a Observation)> + Clone,
) -> QueryResult<StateSlice> {
    let mut state = StateSlice::default();
    let (mut ids, mut organizations) = (BTreeSet::new(), BTreeSet::new());
    for (_, observation) in observations.clone() {
        match observation {
            Observation::Organization(fact) => drop(organizations.insert(fact.id.as_str())),
            Observation::Directory { .. } => {}
            Observation::User { fact, .. } => drop(ids.insert(fact.id.as_str())),
            Observation::Group { fact, .. } => drop(ids.insert(fact.id.as_str())),
            Observation::Membership { user, group, .. } => ids.extend([user.id.as_str(), &group.id]),
            Observation::Members { group, changes, .. } => {
                ids.extend(group.iter().map(|group| group.id.as_str()));
                ids.extend(changes.iter().flat_map(|one| [one.group_id.as_str(), &one.user_id]));
            }
        }
    }
    let organizations: BTreeSet<String> = organizations.into_iter().map(str::to_owned).collect();
    let claimed = observations.filter_map(|(inbox_id, observation)| Some((inbox_id, claim_of(observation)?)));
    let mut directories: BTreeSet<String> =
        claimed.clone().map(|(_, (directory, _))| directory.to_owned()).collect();
    // A fact about an organization affects every directory for which the organization is named.
    directories.extend(claims::directories_naming(conn, &borrowed(&organizations))?);
    directories.extend(directory_moves::directories_moved_to(conn, &borrowed(&organizations))?);
    add_claims(conn, &mut state, &directories)?;
    let claims: BTreeSet<(&str, &str, i32)> =
        claimed.map(|(inbox_id, (d, o))| (d, o, state.tenure(d, inbox_id))).collect();
    let missing = claims.into_iter().filter(|(d, o, tenure)| state.claim_between(d, o, *tenure).is_none());
    let missing: Vec<Claimed> = missing.map(|(d, o, tenure)| (d.to_owned(), o.to_owned(), tenure)).collect();
    if !missing.is_empty() {
        claims::insert_missing(conn, &missing)?;
        let known: HashSet<i64> = state.claims().map(|claim| claim.id).collect();
        let touched: BTreeSet<String> = missing.into_iter().map(|(directory_id, ..)| directory_id).collect();
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

/// Loads the same for entities without an observation, for a recomputation.
pub fn entities(conn: &mut Conn, directory_id: &str, ids: BTreeSet<String>) -> QueryResult<StateSlice> {
    let mut state = StateSlice::default();
    add_claims(conn, &mut state, &BTreeSet::from([directory_id.to_owned()]))?;
    add_facts(conn, &mut state, ids, &BTreeSet::new())?;
    Ok(state)
}

/// Adds the stored state of these entities to the slice.
pub fn more(conn: &mut Conn, state: &mut StateSlice, ids: BTreeSet<String>) -> QueryResult<()> {
    add_facts(conn, state, ids, &BTreeSet::new())
}

fn add_claims(conn: &mut Conn, state: &mut StateSlice, directories: &BTreeSet<String>) -> QueryResult<()> {
    if directories.is_empty() {
        return Ok(());
    }
    let directories: Vec<&str> =
        directories.iter().filter(|id| !state.knows(id)).map(String::as_str).collect();
    for claim in claims::of_directories(conn, &directories)? {
        state.insert_claim(claim);
    }
    for one in directory_moves::of_directories(conn, &directories)? {
        state.insert_move(one);
    }
    Ok(())
}

/// Adds the facts about `ids`, and about all directories and organizations of the slice. A fact about an id may belong
/// to a claim of another directory (the person moved). Then the claims of that directory are added, too.
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
        let organizations = state.directories().flat_map(|id| state.organizations_of(id));
        wanted.extend(organizations.map(str::to_owned));
        let next: Vec<&str> = wanted.difference(&loaded).map(String::as_str).collect();
        if next.is_empty() {
            return Ok(());
        }
        let mut unloaded_claims = BTreeSet::new();
        for (kind, id, latest) in facts::on(conn, &next)? {
            if latest.claim_id != NO_CLAIM && state.claim(latest.claim_id).is_none() {
                unloaded_claims.insert(latest.claim_id);
            }
            state.insert_fact(kind, id, latest);
        }
        loaded = wanted.clone();
        if !unloaded_claims.is_empty() {
            let unloaded_claims: Vec<i64> = unloaded_claims.into_iter().collect();
            let directories = claims::directories_of(conn, &unloaded_claims)?.into_iter().collect();
            add_claims(conn, state, &directories)?;
        }
    }
}

fn borrowed(ids: &BTreeSet<String>) -> Vec<&str> {
    ids.iter().map(String::as_str).collect()
}

/// The keys under which rows of these entities may exist: their ids in every tenant that a claim names.
pub fn keys<'a>(state: &StateSlice, kind: EntityKind, ids: impl Iterator<Item = &'a String>) -> Vec<Key> {
    let mut keys = BTreeSet::new();
    for id in ids {
        for fact in state.facts(kind, id) {
            let Some(claim) = state.claim(fact.claim_id) else { continue };
            keys.insert((DEFAULT_TENANT.to_owned(), id.clone()));
            for organization_id in state.organizations_of(&claim.directory_id) {
                keys.insert((tenant::of_organization(organization_id).into_owned(), id.clone()));
            }
        }
    }
    keys.into_iter().collect()
}

/// Reads contents from the stored bodies of their deliveries.
pub fn contents(conn: &mut Conn, state: &mut StateSlice, inbox_ids: &BTreeSet<i64>) -> QueryResult<()> {
    let ids: Vec<i64> = inbox_ids.iter().copied().collect();
    for (inbox_id, source, body) in queue::bodies(conn, &ids)? {
        let reading = Source::named(&source).map(|source| source.read(&body));
        let Some(Ok(Reading::Fact(observation, _))) = reading else {
            tracing::error!(inbox.id = inbox_id, "a delivery that was applied before cannot be read now");
            continue;
        };
        for content in contents_of(*observation) {
            state.insert_content(inbox_id, content);
        }
    }
    Ok(())
}

fn contents_of(observation: Observation) -> Vec<Content> {
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
        Observation::Members { group, .. } => {
            group.into_iter().map(|group| content(group, Content::Group)).collect()
        }
    }
}

/// Groups rows by id, for derivations that look at all tenants of an id.
pub fn by_id<T>(rows: Vec<T>, id: impl Fn(&T) -> &str) -> HashMap<String, Vec<T>> {
    let mut map: HashMap<String, Vec<T>> = HashMap::new();
    for row in rows {
        map.entry(id(&row).to_owned()).or_default().push(row);
    }
    map
}

/// The rows of an id.
pub fn rows<'a, T>(map: &'a HashMap<String, Vec<T>>, id: &str) -> &'a [T] {
    map.get(id).map_or(&[], Vec::as_slice)
}

/// The ids of a kind about which the batch has facts.
pub fn touched(state: &StateSlice, kind: EntityKind) -> BTreeSet<String> {
    state.touched.entities.iter().filter(|(k, _)| *k == kind).map(|(_, id)| id.clone()).collect()
}
