//! Verifies the audit trail: each entry from the first one, and then the head.
//!
//! A person who can write to the database can also write a whole new chain. Only a head that is stored elsewhere
//! (`audit verify` prints the heads) reveals that.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
};

use super::{
    Head,
    chain::{commitment, hash},
    heads, kinds,
    stored_entries::{self, StoredEntry},
};
use crate::db::{Conn, DbError};

/// Entries that are read at once.
const PAGE: i64 = 1_000;
/// The maximum number of reported faults of one chain.
const MOST: usize = 100;

/// The fault of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// The entry differs from its hash, or another entry preceded it when it was written.
    Changed,
    Personal,
    /// The personal part is missing, and no later entry records an erasure of this person.
    ErasedWithoutRecord,
    /// The content was written at this position.
    ExchangedWith(i64),
    /// This entry and all before `until` are missing.
    Missing {
        until: i64,
    },
    /// The head names this entry, but the chain ends before it.
    CutOff {
        last: i64,
    },
    /// The head names an earlier entry, or has another hash.
    Head,
    NoHead,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainFault {
    pub tenant_id: String,
    pub seq: i64,
    pub wrong: Wrong,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed => f.write_str("is not what was written"),
            Self::Personal => f.write_str("its personal part was changed"),
            Self::ErasedWithoutRecord => {
                f.write_str("its personal part is gone, and no erasure of this person is on record")
            }
            Self::ExchangedWith(seq) => write!(f, "was exchanged: what stands here was written as {seq}"),
            Self::Missing { until } => write!(f, "is missing, and all before {until}"),
            Self::CutOff { last } => write!(f, "is missing: the chain was cut off after {last}"),
            Self::Head => f.write_str("is not what the head of the chain says"),
            Self::NoHead => f.write_str("is there, and the chain has no head"),
        }
    }
}

/// The result for one chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    pub tenant_id: String,
    pub entries: i64,
    pub erased: i64,
    /// The position and hash of the last entry.
    pub head: Head,
    pub faults: Vec<ChainFault>,
}

/// Verifies one chain page by page, so memory does not grow with it.
pub fn verify(conn: &mut Conn, tenant_id: &str) -> Result<Verified, DbError> {
    let head = heads(conn, &[tenant_id])?.remove(tenant_id);
    let mut walk = Walk::new(tenant_id);
    loop {
        let page = stored_entries::page(conn, tenant_id, walk.verified.head.seq, PAGE)?;
        if page.is_empty() {
            return Ok(walk.end(head));
        }
        for entry in page {
            walk.step(entry);
        }
    }
}

/// The pure part of the verification.
pub struct Walk {
    verified: Verified,
    /// Erased entries by user, until the entry of the erasure is read.
    erased: HashMap<String, Vec<i64>>,
    /// Entries that differ from their hash.
    changed: BTreeMap<i64, StoredEntry>,
    /// Stored hashes of the entries around changed ones.
    context: HashMap<i64, Vec<u8>>,
}

impl Walk {
    pub fn new(tenant_id: &str) -> Self {
        Self {
            verified: Verified { tenant_id: tenant_id.to_owned(), ..Verified::default() },
            erased: HashMap::new(),
            changed: BTreeMap::new(),
            context: HashMap::new(),
        }
    }

    fn fault(&mut self, seq: i64, wrong: Wrong) {
        if self.verified.faults.len() < MOST {
            let tenant_id = self.verified.tenant_id.clone();
            self.verified.faults.push(ChainFault { tenant_id, seq, wrong });
        }
    }

    pub fn step(&mut self, entry: StoredEntry) {
        let Head { seq: last, hash: before } = std::mem::take(&mut self.verified.head);
        let seq = entry.seq;
        self.verified.entries += 1;
        self.verified.head = Head { seq, hash: entry.hash.clone() };
        let gap = seq != last + 1;
        if gap {
            self.fault(last + 1, Wrong::Missing { until: seq });
        }
        match (&entry.personal, &entry.salt, &entry.commitment) {
            (Some(text), Some(salt), Some(stored))
                if commitment(salt, text).as_slice() == stored.as_slice() => {}
            (None, None, None) => {}
            (None, None, Some(_)) => {
                self.verified.erased += 1;
                self.erased.entry(entry.subject.clone()).or_default().push(seq);
            }
            _ => self.fault(seq, Wrong::Personal),
        }
        if entry.kind == kinds::USER_ERASED {
            self.erased.remove(&entry.subject);
        }
        // After a gap the previous entry is not known.
        if !gap && hash(&before, &entry.link_at(seq)).as_slice() != entry.hash.as_slice() {
            if self.changed.len() < MOST {
                self.context.insert(last, before);
                self.context.insert(seq, entry.hash.clone());
                self.changed.insert(seq, entry);
            } else {
                self.fault(seq, Wrong::Changed);
            }
        }
    }

    pub fn end(mut self, head: Option<Head>) -> Verified {
        for seq in self.changed.keys().copied().collect::<Vec<_>>() {
            let wrong = self.written_as(seq).map_or(Wrong::Changed, Wrong::ExchangedWith);
            self.fault(seq, wrong);
        }
        for seq in std::mem::take(&mut self.erased).into_values().flatten() {
            self.fault(seq, Wrong::ErasedWithoutRecord);
        }
        let last = self.verified.head.clone();
        match head {
            Some(head) if head == last => {}
            None if last.seq == 0 => {}
            None => self.fault(last.seq, Wrong::NoHead),
            Some(head) if head.seq > last.seq => self.fault(head.seq, Wrong::CutOff { last: last.seq }),
            // A changed last entry is reported already.
            Some(head) if head.seq == last.seq && !self.verified.faults.is_empty() => {}
            Some(_) => self.fault(last.seq, Wrong::Head),
        }
        self.verified.faults.sort_by_key(|fault| fault.seq);
        self.verified
    }

    /// The position at which this changed entry would be valid, if the entry there is changed too.
    fn written_as(&self, seq: i64) -> Option<i64> {
        let entry = self.changed.get(&seq)?;
        let others = self.changed.keys().copied().filter(|other| *other != seq);
        others.into_iter().find(|other| {
            // Its predecessor was the entry before that position or, for neighbours, the entry that is there now.
            [other - 1, *other].iter().any(|before| {
                let before = self.context.get(before);
                before.is_some_and(|before| hash(before, &entry.link_at(*other)).as_slice() == entry.hash)
            })
        })
    }
}
