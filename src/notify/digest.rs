//! From a claimed mail to what it tells: payloads joined with the names of their tenant and directories.

use diesel::QueryResult;

use super::render::{Digest, Leaver, Reason};
use crate::{
    clock::Timestamp,
    db::Conn,
    outbox::{
        self, Payload,
        mails::Claimed,
        names::{self, Named},
    },
};

pub fn of(conn: &mut Conn, mail: &Claimed) -> QueryResult<Digest> {
    let tenant = names::of_tenant(conn, &mail.tenant_id)?;
    let mut ids: Vec<String> = mail.named.iter().map(|notice| notice.directory_id.clone()).collect();
    ids.sort_unstable();
    ids.dedup();
    let directories = names::of_directories(conn, &mail.tenant_id, &ids)?;
    let leaver = |notice: &Payload| leaver(notice, directories.get(&notice.directory_id));
    Ok(Digest {
        leavers: mail.named.iter().map(leaver).collect(),
        total: mail.told.len(),
        tenant_id: mail.tenant_id.clone(),
        tenant_name: tenant.and_then(|tenant| tenant.name),
    })
}

fn leaver(notice: &Payload, directory: Option<&Named>) -> Leaver {
    let because = match (notice.cause.as_str(), directory) {
        (outbox::DIRECTORY, Some(directory)) if !directory.gone => Reason::OrganizationDeleted,
        (outbox::DIRECTORY, _) => Reason::DirectoryDeleted,
        (outbox::MAPPING, _) => Reason::NoRole,
        _ => Reason::Person { state: notice.state.clone() },
    };
    Leaver {
        name: notice.name.clone(),
        email: notice.email.clone(),
        since: Timestamp::from_micros(notice.since),
        because,
        directory: directory.and_then(|directory| directory.name.clone()),
        inbox_id: notice.inbox_id,
    }
}
