//! View `group_members` as the change feed watches it. A membership appears and disappears with its fact, its user and its
//! group, so a selection names a user, a group, or one of both: `[group, user]`, and an empty text for all.

use diesel::{QueryResult, QueryableByName, sql_types::Text};

use super::{facts, host_tables::GROUP_MEMBERS};
use crate::{
    db::{Conn, Serialized, bulk::Rows},
    feed::{
        CauseOf, RowDifference, kinds, watch,
        watch::{RowKey, Selection, WatchedTable},
    },
};

/// The memberships that the application reads.
pub struct GroupMembers;

/// The only one.
pub static MEMBERS: GroupMembers = GroupMembers;

/// One membership.
pub fn of_pair(group_id: &str, user_id: &str) -> Selection {
    vec![group_id.to_owned(), user_id.to_owned()]
}

/// All memberships of a user.
pub fn of_user(user_id: &str) -> Selection {
    of_pair("", user_id)
}

/// All memberships of a group.
pub fn of_group(group_id: &str) -> Selection {
    of_pair(group_id, "")
}

/// All memberships.
pub fn all() -> Selection {
    of_pair("", "")
}

/// Says that these memberships may change from now on. One without a fact is not there.
pub fn begin_pairs(conn: &mut Serialized<'_>, pairs: &[(&str, &str)]) -> QueryResult<()> {
    #[derive(QueryableByName)]
    struct Known {
        #[diesel(sql_type = Text)]
        group_id: String,
        #[diesel(sql_type = Text)]
        user_id: String,
    }
    let known: Vec<Known> = Rows::of(pairs).text("group_id", |pair| pair.0).text("user_id", |pair| pair.1).load(
        conn,
        "SELECT m.group_id, m.user_id FROM {rows} JOIN memberships m ON m.group_id = r.group_id AND m.user_id = r.user_id",
    )?;
    watch::begin(conn, &MEMBERS, known.iter().map(|pair| of_pair(&pair.group_id, &pair.user_id)))?;
    watch::begin_absent(conn, &MEMBERS, pairs.iter().map(|pair| of_pair(pair.0, pair.1)));
    Ok(())
}

/// The same for all memberships with facts under these claims, and for groups that were deleted under them: facts from
/// before such a deletion do not count.
pub fn begin_claims(conn: &mut Serialized<'_>, claim_ids: &[i64]) -> QueryResult<()> {
    if claim_ids.is_empty() {
        return Ok(());
    }
    #[derive(QueryableByName)]
    struct Under {
        #[diesel(sql_type = Text)]
        group_id: String,
        #[diesel(sql_type = Text)]
        user_id: String,
    }
    let under: Vec<Under> = Rows::of(claim_ids).integer("claim_id", |id| *id).load(
        conn,
        "SELECT m.group_id, m.user_id FROM {rows} JOIN memberships m ON m.claim_id = r.claim_id",
    )?;
    let ended = facts::ended_groups(conn, claim_ids)?;
    let pairs = under.iter().map(|pair| of_pair(&pair.group_id, &pair.user_id));
    watch::begin(conn, &MEMBERS, pairs.chain(ended.iter().map(|id| of_group(id))))
}

#[derive(QueryableByName)]
struct Member {
    #[diesel(sql_type = Text)]
    tenant_id: String,
    #[diesel(sql_type = Text)]
    group_id: String,
    #[diesel(sql_type = Text)]
    user_id: String,
}

/// The view's definition without DISTINCT, which would read all of it for each selection. Scalar selects find each row by its
/// whole key: of a join, PostgreSQL makes a scan of all users for each selection as long as the tables have no statistics.
const SHOWN: &str = "SELECT m.tenant_id, m.group_id, m.user_id FROM near m \
     WHERE (SELECT u.status = 'active' AND (u.former_at IS NULL OR (m.at, m.event) > (u.former_at, u.former_event)) \
     FROM users u WHERE u.tenant_id = m.tenant_id AND u.id = m.user_id) \
     AND (SELECT g.id FROM groups g WHERE g.tenant_id = m.tenant_id AND g.id = m.group_id) IS NOT NULL \
     AND NOT EXISTS (SELECT 1 FROM memberships n WHERE n.group_id = m.group_id AND n.user_id = m.user_id \
     AND (n.at, n.event) > (m.at, m.event) \
     AND (SELECT d.tenant_id FROM claims d WHERE d.id = n.claim_id) = m.tenant_id) \
     AND NOT EXISTS (SELECT 1 FROM facts f WHERE f.id = m.group_id AND f.kind = 3 \
     AND (f.ended_at, f.ended_event) >= (m.at, m.event) \
     AND (SELECT e.tenant_id FROM claims e WHERE e.id = f.claim_id) = m.tenant_id)";

fn shown(conn: &mut Conn, selections: &[&Selection], joined: &str) -> QueryResult<Vec<Member>> {
    let part = |one: &'_ Selection, place: usize| -> String { one.get(place).cloned().unwrap_or_default() };
    let pairs: Vec<(String, String)> = selections.iter().map(|one| (part(one, 0), part(one, 1))).collect();
    Rows::of(&pairs).text("group_id", |pair| &pair.0).text("user_id", |pair| &pair.1).load(
        conn,
        &format!(
            "WITH near AS MATERIALIZED (SELECT m.group_id, m.user_id, m.at, m.event, \
             (SELECT c.tenant_id FROM claims c WHERE c.id = m.claim_id) AS tenant_id \
             FROM {{rows}} JOIN memberships m ON {joined} WHERE m.added) {SHOWN}"
        ),
    )
}

impl WatchedTable for GroupMembers {
    fn name(&self) -> &'static str {
        GROUP_MEMBERS.name
    }

    fn read(&self, conn: &mut Conn, selections: &[Selection]) -> QueryResult<Vec<(RowKey, String)>> {
        let (mut pairs, mut users, mut groups, mut every) = (vec![], vec![], vec![], vec![]);
        for selection in selections {
            let is_empty = |place: usize| selection.get(place).is_none_or(String::is_empty);
            match (is_empty(0), is_empty(1)) {
                (false, false) => pairs.push(selection),
                (true, false) => users.push(selection),
                (false, true) => groups.push(selection),
                (true, true) => every.push(selection),
            }
        }
        let mut found = shown(conn, &pairs, "m.group_id = r.group_id AND m.user_id = r.user_id")?;
        found.extend(shown(conn, &users, "m.user_id = r.user_id")?);
        found.extend(shown(conn, &groups, "m.group_id = r.group_id")?);
        found.extend(shown(conn, &every, "m.group_id <> r.group_id")?);
        let row = |one: Member| (vec![one.tenant_id, one.group_id, one.user_id], "{}".to_owned());
        Ok(found.into_iter().map(row).collect())
    }

    fn selections_of(&self, key: &RowKey) -> Vec<Selection> {
        let part = |place: usize| key.get(place).map_or("", String::as_str);
        let (group, user) = (part(1), part(2));
        vec![of_pair(group, user), of_user(user), of_group(group), all()]
    }

    fn difference(
        &self,
        key: RowKey,
        before: Option<String>,
        after: Option<String>,
        renamed: Option<&'static str>,
    ) -> RowDifference {
        let mut parts = key.into_iter();
        let mut next = || parts.next().unwrap_or_default();
        let (tenant_id, group, user) = (next(), next(), next());
        let usual = if after.is_some() { kinds::MEMBERSHIP_ADDED } else { kinds::MEMBERSHIP_REMOVED };
        let causes = vec![
            CauseOf::Membership(group.clone(), user.clone()),
            CauseOf::Subject(tenant_id.clone(), user.clone()),
            CauseOf::Subject(tenant_id.clone(), group.clone()),
            CauseOf::Entity(user.clone()),
            CauseOf::Entity(group.clone()),
        ];
        let subject = vec![("group_id", group), ("user_id", user)];
        RowDifference { kind: renamed.unwrap_or(usual), tenant_id, subject, before, after, causes }
    }
}
