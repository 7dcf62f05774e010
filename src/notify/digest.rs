//! Reads the content of a claimed mail: its notices, with the names of their tenant and directories.

use std::collections::HashMap;

use diesel::QueryResult;
use serde::de::DeserializeOwned;

use super::{
    attached_report,
    render::{self, Digest, FirstSyncOver, LateAndOver, NamedLeaver, News, PrivilegedPerson, TenantNames},
};
use crate::{
    db::{Conn, DbError},
    decide::mapping::MappingPolicy,
    outbox::{
        MOST_LISTED, Payload, hold_notice,
        kind::Family,
        mails::ClaimedMail,
        notice::{
            self, ChangeHeld, EndedFirstSync, LastHolder, MappingNotice, NotCompared, Privilege,
            SilentDirectory,
        },
        still_true::{self, StoredNotice},
    },
    runtime::clock::Timestamp,
    tables::{
        display_names::{self, DisplayName},
        users::{self, RoleHolder},
    },
};

/// Reads the content. `None` when a hold has ended in the meantime, and for reports and heads, which are read
/// later.
pub fn of(conn: &mut Conn, mail: &ClaimedMail, most: usize) -> Result<Option<News>, DbError> {
    let named = display_names::of_tenant(conn, &mail.tenant_id)?;
    let name = named.and_then(|tenant| tenant.name);
    let tenant = |directories| TenantNames { id: mail.tenant_id.clone(), name: name.clone(), directories };
    let first = |n: usize| mail.news.get(..n.min(mail.news.len())).unwrap_or(&mail.news);
    Ok(Some(match mail.family {
        Family::Leavers => News::Leavers(leavers(conn, mail, name, most)?),
        Family::Connected => News::Connected(tenant(HashMap::new()), read(&mail.news)),
        Family::Silent => {
            let silences: Vec<SilentDirectory> = read(&mail.news);
            let names = names_of(conn, mail, silences.iter().map(|one| &one.directory_id))?;
            News::Silent(tenant(names), silences)
        }
        Family::FirstSync => {
            let ended: Vec<EndedFirstSync> = read(&mail.news);
            let names = names_of(conn, mail, ended.iter().map(|one| &one.directory_id))?;
            let over = first_syncs(conn, &mail.tenant_id, ended, most)?;
            News::FirstSync(tenant(names), over)
        }
        Family::Privileges => {
            let changes: Vec<Privilege> = first(most)
                .iter()
                .map(|one| Privilege { user_id: one.user_id.clone(), ..notice::read(&one.payload) })
                .collect();
            let names = names_of(conn, mail, changes.iter().map(|one| &one.directory_id))?;
            News::Privileges(tenant(names), changes, mail.news.len())
        }
        Family::Retained => {
            let retained: Vec<LastHolder> = mail
                .news
                .iter()
                .map(|one| LastHolder { user_id: one.user_id.clone(), ..notice::read(&one.payload) })
                .collect();
            let names = names_of(conn, mail, retained.iter().map(|one| &one.directory_id))?;
            News::Retained(tenant(names), retained)
        }
        Family::Held => {
            let change: ChangeHeld =
                mail.news.first().map(|one| notice::read(&one.payload)).unwrap_or_default();
            let Some(mut held) = hold_notice::of(conn, &mail.tenant_id, change.hold_id, most)? else {
                return Ok(None);
            };
            let names = names_of(conn, mail, std::iter::once(&change.directory_id))?;
            held.people_before = usize::try_from(change.people_before).unwrap_or_default();
            held.directory = held.directory.or_else(|| names.get(&change.directory_id).cloned());
            News::Held(tenant(names), held)
        }
        Family::Mapping => News::Mapping(tenant(HashMap::new()), mappings(read(&mail.news), most)),
        // `attached_report` and `attached_heads` read them after the claim.
        Family::Report | Family::AuditHeads => return Ok(None),
        Family::GivenUp => News::GivenUp(read(first(most)), mail.news.len()),
        Family::ClaimsRefused => News::ClaimsRefused(read(first(most)), mail.news.len()),
        Family::Moved => News::Moved(read(first(most)), mail.news.len()),
        Family::Waiting => {
            News::Waiting(mail.news.last().map(|one| notice::read(&one.payload)).unwrap_or_default())
        }
        Family::Webhooks => News::Webhooks(read(first(most))),
        Family::NotCompared => News::NotCompared(not_compared(read(&mail.news), most)),
    }))
}

/// The people of each directory who hold privileged roles now.
fn first_syncs(
    conn: &mut Conn,
    tenant_id: &str,
    ended: Vec<EndedFirstSync>,
    most: usize,
) -> Result<Vec<FirstSyncOver>, DbError> {
    let mapping = attached_report::readable_mapping(conn)?;
    let policy = mapping.as_ref().map(|mapping| mapping.of(tenant_id));
    let roles: Vec<&str> = policy.into_iter().flat_map(MappingPolicy::privileged).collect();
    let mut over = Vec::with_capacity(ended.len());
    for EndedFirstSync { directory_id, ended_at } in ended {
        let mut people: Vec<PrivilegedPerson> = Vec::new();
        for RoleHolder { user_id, name, email, role } in
            users::role_holders(conn, (tenant_id, &directory_id), &roles)?
        {
            match people.last_mut().filter(|last| last.user_id == user_id) {
                Some(last) => last.roles.push(role),
                None => people.push(PrivilegedPerson { user_id, name, email, roles: vec![role] }),
            }
        }
        let (total, listed) = (people.len(), people.iter().take(MOST_LISTED).cloned().collect());
        people.truncate(most);
        over.push(FirstSyncOver { directory_id, ended_at, people, total, listed });
    }
    // The list is only for a mail that does not name all.
    if over.iter().all(|one| one.total <= most) {
        over.iter_mut().for_each(|one| one.listed.clear());
    }
    Ok(over)
}

/// The mail names the first people, and a list has all of them.
fn mappings(mut all: Vec<MappingNotice>, most: usize) -> Vec<MappingNotice> {
    if all.iter().any(|one| one.privileged.len() > most) {
        for one in &mut all {
            one.listed.clone_from(&one.privileged);
            one.privileged.truncate(most);
        }
    }
    all
}

fn read<T: DeserializeOwned + Default>(news: &[StoredNotice]) -> Vec<T> {
    news.iter().map(|one| notice::read(&one.payload)).collect()
}

/// Those that are still late come first.
fn not_compared(mut all: Vec<NotCompared>, most: usize) -> LateAndOver {
    all.sort_by_key(|one| one.again_at.is_some());
    let over = all.iter().filter(|one| one.again_at.is_some()).count();
    let late = all.len() - over;
    all.truncate(most);
    LateAndOver { named: all, late, over }
}

fn names_of<'a>(
    conn: &mut Conn,
    mail: &ClaimedMail,
    ids: impl Iterator<Item = &'a String>,
) -> QueryResult<HashMap<String, String>> {
    let mut ids: Vec<String> = ids.cloned().collect();
    ids.sort_unstable();
    ids.dedup();
    let named = display_names::of_directories(conn, &mail.tenant_id, &ids)?;
    Ok(named.into_iter().filter_map(|(id, named)| Some((id, named.name?))).collect())
}

fn leavers(conn: &mut Conn, mail: &ClaimedMail, name: Option<String>, most: usize) -> QueryResult<Digest> {
    let listed = match mail.leavers.len() > most {
        true => still_true::payloads(conn, mail.leavers.get(..MOST_LISTED).unwrap_or(&mail.leavers))?,
        false => Vec::new(),
    };
    let mut ids: Vec<String> =
        mail.named.iter().chain(&listed).map(|notice| notice.directory_id.clone()).collect();
    ids.sort_unstable();
    ids.dedup();
    let directories = display_names::of_directories(conn, &mail.tenant_id, &ids)?;
    let leaver = |notice: &Payload| leaver(notice, directories.get(&notice.directory_id));
    Ok(Digest {
        leavers: mail.named.iter().map(leaver).collect(),
        listed: listed.iter().map(leaver).collect(),
        total: mail.leavers.len(),
        gone: read(&mail.news),
        tenant_id: mail.tenant_id.clone(),
        tenant_name: name,
    })
}

fn leaver(notice: &Payload, directory: Option<&DisplayName>) -> NamedLeaver {
    NamedLeaver {
        user_id: notice.user_id.clone(),
        name: notice.name.clone(),
        email: notice.email.clone(),
        since: Timestamp::from_micros(notice.since),
        because: render::reason(notice, directory.map(|directory| directory.gone)),
        directory: directory.and_then(|directory| directory.name.clone()),
        inbox_id: notice.inbox_id,
        found: notice.found,
    }
}
