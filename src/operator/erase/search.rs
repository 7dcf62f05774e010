//! Finds the deliveries that name the person, in any spelling of JSON.

use std::collections::BTreeSet;

use serde_json::json;

use super::EraseError;
use crate::{
    broker::{Mention, PersonNames, Source},
    db::{Conn, DbError},
    inbox::{self, queue},
    tables::user_lookup,
};

/// The begin of a JSON escape with a character's number.
const ESCAPE: &str = "\\u";

/// The texts by which events name the person: ids, the addresses in current rows, and full names.
pub(super) fn names(conn: &mut Conn, tenant: &str, ids: &BTreeSet<String>) -> Result<PersonNames, DbError> {
    let mut keys = user_lookup::addresses(conn, tenant, ids)?;
    keys.extend(ids.iter().cloned());
    let full = user_lookup::full_names(conn, tenant, ids)?;
    let shared = !user_lookup::of_full_names(conn, tenant, &full)?.is_subset(ids);
    Ok(PersonNames { keys, full, shared })
}

/// The text as JSON with only the necessary escapes.
fn in_json(text: &str) -> String {
    let quoted = json!(text).to_string();
    quoted.trim_matches('"').to_owned()
}

pub(super) fn look(
    conn: &mut Conn,
    names: &PersonNames,
    (after, until): (i64, i64),
    found: &mut BTreeSet<i64>,
) -> Result<(), EraseError> {
    for name in names.keys.iter().chain(&names.full) {
        found.extend(inbox::erase::naming(conn, &in_json(name), after, until)?);
    }
    // JSON may write each character of an id as an escape. So bodies with escapes are read.
    let escaping = inbox::erase::naming(conn, ESCAPE, after, until)?;
    let escaping: Vec<i64> = escaping.into_iter().filter(|inbox_id| !found.contains(inbox_id)).collect();
    for some in escaping.chunks(500) {
        for (inbox_id, source, body) in queue::bodies(conn, some)? {
            let mention = Source::named(&source).map(|source| source.mention(&body, names));
            if mention.is_some_and(|mention| mention != Mention::default()) {
                found.insert(inbox_id);
            }
        }
    }
    Ok(())
}
