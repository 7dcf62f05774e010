//! The recipients of a mail, read when it is sent: the tenant's addresses of the settings and of table `recipients`, and the
//! holders of some roles, but never a leaver whom the mail reports. Without a recipient, the mail goes to the fallback
//! (lesson 40).

use std::collections::BTreeSet;

use diesel::QueryResult;
use lettre::Address;

use super::mail_address;
use crate::{
    config,
    db::Conn,
    decide::email_key::email_key,
    outbox::{mails::ClaimedMail, still_true},
    tables,
};

/// The highest number of role holders in one mail: a role that all people hold does not identify administrators.
const MOST_HOLDERS: usize = 50;

/// The recipients of one mail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipients {
    /// The tenant's recipients; the fallback if it has none.
    pub to: Vec<Address>,
    /// The fallback for a mail that the server refuses for all of `to`; empty if `to` is the fallback.
    pub otherwise: Vec<Address>,
}

/// Reads the recipients of a mail.
pub fn of(conn: &mut Conn, mail: &ClaimedMail, settings: &config::MailSettings) -> QueryResult<Recipients> {
    // These mails are about the service and not about a tenant.
    if mail.family.is_for_operator() {
        return Ok(chosen(&[], &[], &BTreeSet::new(), &settings.fallback));
    }
    let mut own = settings.recipients.get(&mail.tenant_id).cloned().unwrap_or_default();
    let added = tables::recipients::list(conn, Some(&mail.tenant_id))?;
    own.extend(added.iter().filter_map(|row| row.address.parse::<Address>().ok()));
    let holders = holders(conn, &mail.tenant_id, settings)?;
    let left = match own.is_empty() {
        true => BTreeSet::new(),
        false => left(conn, mail)?,
    };
    Ok(chosen(&own, &holders, &left, &settings.fallback))
}

/// The addresses of the people who hold a role whose holders get the mails of this tenant.
fn holders(conn: &mut Conn, tenant_id: &str, settings: &config::MailSettings) -> QueryResult<Vec<String>> {
    let holders = match settings.roles_notified(tenant_id) {
        [] => Vec::new(),
        roles => tables::users::addresses_of_holders(conn, tenant_id, roles, MOST_HOLDERS)?,
    };
    let unusable = holders.iter().filter(|email| usable(email).is_none()).count();
    if unusable > 0 {
        tracing::warn!(
            tenant.id = tenant_id,
            holders = unusable,
            "holders of a notified role get no mail, because their addresses in the directory cannot be used; `rosterd recipients list` shows who gets it"
        );
    }
    Ok(holders)
}

/// An address of a directory in the form for a mail server; `None` for a text that is no such address.
fn usable(email: &str) -> Option<Address> {
    mail_address::plain(&email.trim().parse().ok()?)
}

/// Why an address gets the mails of a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The settings name it.
    Settings,
    /// An operator added it to table `recipients`.
    Database,
    /// A person with this address holds one of `recipient_roles`.
    Role,
}

/// The addresses that would get a mail of this tenant now, each once with its first origin. The fallback is not among them.
pub fn standing(
    conn: &mut Conn,
    tenant_id: &str,
    settings: &config::MailSettings,
) -> QueryResult<Vec<(Address, Origin)>> {
    let own = settings.recipients.get(tenant_id).into_iter().flatten().cloned();
    let added = tables::recipients::list(conn, Some(tenant_id))?;
    let added = added.into_iter().filter_map(|row| row.address.parse().ok());
    let holders = holders(conn, tenant_id, settings)?;
    let holders = holders.iter().filter_map(|email| usable(email));
    let all = own
        .map(|address| (address, Origin::Settings))
        .chain(added.map(|address| (address, Origin::Database)))
        .chain(holders.map(|address| (address, Origin::Role)));
    let mut met = BTreeSet::new();
    let plain = all.filter_map(|(address, origin)| Some((mail_address::plain(&address)?, origin)));
    Ok(plain.filter(|(address, _)| met.insert(email_key(address.as_ref()))).collect())
}

/// The addresses of the leavers that the mail reports.
fn left(conn: &mut Conn, mail: &ClaimedMail) -> QueryResult<BTreeSet<String>> {
    let emails = still_true::payloads(conn, &mail.leavers)?.into_iter().filter_map(|leaver| leaver.email);
    Ok(emails.map(|email| email_key(&email)).collect())
}

/// Each address once, in this order, in the form for a mail server. Texts of directories that are no addresses are omitted.
fn chosen(own: &[Address], holders: &[String], left: &BTreeSet<String>, fallback: &[Address]) -> Recipients {
    let mut met = BTreeSet::new();
    let mut fresh = |address: &Address| met.insert(email_key(address.as_ref()));
    let held_states = |address: &Address| !left.contains(&email_key(address.as_ref()));
    let holders = holders.iter().filter_map(|email| usable(email));
    let own = own.iter().filter(|address| held_states(address)).cloned();
    let own: Vec<Address> = own.chain(holders).collect();
    let mut plain = |addresses: &[Address]| -> Vec<Address> {
        addresses.iter().filter_map(mail_address::plain).filter(|address| fresh(address)).collect()
    };
    // A fallback address that is among the recipients already is not used again.
    let (all, fallback) = (plain(&own), plain(fallback));
    match all.is_empty() {
        true => Recipients { to: fallback, otherwise: Vec::new() },
        false => Recipients { to: all, otherwise: fallback },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<Address> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn to(own: &[&str], holders: &[&str], left: &[&str]) -> Vec<String> {
        let holders: Vec<String> = holders.iter().map(|&text| text.to_owned()).collect();
        let left = left.iter().map(|&text| text.to_owned()).collect();
        let chosen = chosen(&addresses(own), &holders, &left, &addresses(&["all@host.example"]));
        chosen.to.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_address_and_each_holder_is_notified_once() {
        assert_eq!(
            to(&["it@a.example"], &["Ada@a.example", "IT@a.example", "no address", "ada@a.example"], &[]),
            ["it@a.example", "Ada@a.example"]
        );
    }

    #[test]
    fn lesson_40_a_leaver_in_the_same_mail_is_not_notified_but_somebody_always_is() {
        assert_eq!(to(&["ada@a.example", "it@a.example"], &[], &["ada@a.example"]), ["it@a.example"]);
        assert_eq!(to(&["Ada@a.example"], &[], &["ada@a.example"]), ["all@host.example"]);
        assert_eq!(to(&[], &["", "x"], &[]), ["all@host.example"]);
    }
}
