//! `audit verify` and `audit heads`: the hash chains, and the heads that an operator stores elsewhere.

use std::{path::Path, process::ExitCode};

use serde_json::Value;

use crate::{
    audit::{
        daily_heads, stored_entries,
        stored_heads::{self, HeadFault, StoredHead},
        verify::{self, Verified},
    },
    cli::{Failure, Format, Misuse, expect_any_tenant, output::List},
    db::{Conn, Database, DbError},
    runtime::clock::Clock,
};

/// The chain of one tenant, and its differences from stored heads.
struct Chain {
    verified: Verified,
    /// `None` without a file.
    against: Option<Against>,
}

#[derive(Default)]
struct Against {
    is_new: bool,
    faults: Vec<(i64, HeadFault)>,
}

impl Against {
    fn verdict(&self) -> &'static str {
        match self.faults.first() {
            Some((_, HeadFault::Shorter { .. })) => "shorter",
            Some((_, HeadFault::Other)) => "another chain",
            None if self.is_new => "new",
            None => "contained",
        }
    }
}

pub(super) fn verify(
    database: &Database,
    tenant: Option<&str>,
    against: Option<&Path>,
    format: Format,
) -> Result<ExitCode, Failure> {
    let stored = against.map(stored).transpose()?;
    let of = |tenant: &str| -> Option<Vec<&StoredHead>> {
        Some(stored.as_ref()?.iter().filter(|head| head.tenant_id == tenant).collect())
    };
    // A tenant of the file may have no chain any more.
    if tenant.is_none_or(|tenant| of(tenant).is_none_or(|heads| heads.is_empty())) {
        expect_any_tenant(database, tenant)?;
    }
    let chains: Vec<Chain> = database.snapshot::<_, DbError>(|conn| {
        let tenants = match tenant {
            Some(tenant) => vec![tenant.to_owned()],
            None => {
                let mut tenants = stored_entries::tenants(conn)?;
                tenants.extend(stored.iter().flatten().map(|head| head.tenant_id.clone()));
                tenants.sort_unstable();
                tenants.dedup();
                tenants
            }
        };
        tenants.iter().map(|tenant| chain(conn, tenant, of(tenant))).collect()
    })?;
    print(&chains, against.is_some(), format)?;
    Ok(if report(&chains) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn stored(file: &Path) -> Result<Vec<StoredHead>, Misuse> {
    let misuse = |error: &dyn std::fmt::Display| Misuse(format!("{} {error}", file.display()));
    let text = std::fs::read_to_string(file)
        .map_err(|error| Misuse(format!("{} cannot be read: {error}", file.display())))?;
    stored_heads::read(&text).map_err(|error| misuse(&error))
}

fn chain(conn: &mut Conn, tenant: &str, heads: Option<Vec<&StoredHead>>) -> Result<Chain, DbError> {
    let verified = verify::verify(conn, tenant)?;
    let Some(heads) = heads else { return Ok(Chain { verified, against: None }) };
    let mut against = Against { is_new: heads.is_empty(), ..Against::default() };
    for head in heads {
        let hash = stored_entries::hash_at(conn, tenant, head.seq)?;
        let fault = stored_heads::compare(head, hash.as_deref(), verified.head.seq);
        against.faults.extend(fault.map(|fault| (head.seq, fault)));
    }
    Ok(Chain { verified, against: Some(against) })
}

fn print(chains: &[Chain], compared: bool, format: Format) -> std::io::Result<()> {
    let mut columns = vec!["tenant", "entries", "erased", "head", "verdict"];
    if compared {
        columns.push("against");
    }
    let row = |Chain { verified, against }: &Chain| -> Vec<Value> {
        let verdict = if verified.faults.is_empty() { "ok" } else { "altered" };
        let head = format!("{} {}", verified.head.seq, hex::encode(&verified.head.hash));
        let mut row: Vec<Value> = vec![
            verified.tenant_id.as_str().into(),
            verified.entries.into(),
            verified.erased.into(),
            head.into(),
            verdict.into(),
        ];
        row.extend(against.as_ref().map(|against| Value::from(against.verdict())));
        row
    };
    List { columns, rows: chains.iter().map(row).collect() }.print(format)
}

/// Writes each fault to standard error. Returns whether there are any.
fn report(chains: &[Chain]) -> bool {
    let mut is_faulty = false;
    for Chain { verified, against } in chains {
        let tenant = &verified.tenant_id;
        for fault in &verified.faults {
            eprintln!("tenant {:?}, entry {}: {}", fault.tenant_id, fault.seq, fault.wrong);
            is_faulty = true;
        }
        for (seq, fault) in against.iter().flat_map(|against| &against.faults) {
            eprintln!("tenant {tenant:?}, entry {seq}: {fault}");
            is_faulty = true;
        }
        if against.as_ref().is_some_and(|against| against.is_new) {
            eprintln!("tenant {tenant:?}: new, the file has no head of it");
        }
    }
    is_faulty
}

pub(super) fn heads(database: &Database, tenant: Option<&str>, format: Format) -> Result<(), Failure> {
    expect_any_tenant(database, tenant)?;
    let heads = database.snapshot(|conn| daily_heads::current(conn, tenant, Clock::System.now()))?;
    let row = |head: &StoredHead| -> Vec<Value> {
        let StoredHead { tenant_id, seq, hash, at } = head;
        vec![tenant_id.as_str().into(), (*seq).into(), hash.as_str().into(), at.as_deref().into()]
    };
    let columns = vec!["tenant_id", "seq", "hash", "at"];
    List { columns, rows: heads.iter().map(row).collect() }.print(format)?;
    Ok(())
}
