//! Who is told, resolved when a mail leaves: a tenant's addresses and the holders of chosen roles, without those who left
//! in the same mail; and somebody else when nobody is left (lesson 40).

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

/// Most holders of roles in one mail; a role that everybody holds is no way to tell administrators.
const MOST_HOLDERS: usize = 50;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipients {
    /// The tenant's own, or the fallback where it has none.
    pub to: Vec<Address>,
    /// Where it goes when none of them is taken; empty where they are the fallback already.
    pub otherwise: Vec<Address>,
}

pub fn of(conn: &mut Conn, mail: &ClaimedMail, settings: &config::MailSettings) -> QueryResult<Recipients> {
    // Of the service itself, not of a tenant.
    if mail.family.is_for_operator() {
        return Ok(chosen(&[], &[], &BTreeSet::new(), &settings.fallback));
    }
    let own = settings.recipients.get(&mail.tenant_id).map_or(&[][..], Vec::as_slice);
    let roles = settings.roles_told(&mail.tenant_id);
    let holders = match roles.is_empty() {
        true => Vec::new(),
        false => tables::users::addresses_of_holders(conn, &mail.tenant_id, roles, MOST_HOLDERS)?,
    };
    let left = match own.is_empty() {
        true => BTreeSet::new(),
        false => left(conn, mail)?,
    };
    Ok(chosen(own, &holders, &left, &settings.fallback))
}

/// Addresses of those whom the mail tells of as leavers.
fn left(conn: &mut Conn, mail: &ClaimedMail) -> QueryResult<BTreeSet<String>> {
    let emails = still_true::payloads(conn, &mail.told)?.into_iter().filter_map(|leaver| leaver.email);
    Ok(emails.map(|email| email_key(&email)).collect())
}

/// Each once, in this order, as a server may be given it. What a directory gives for an address and is none is left out.
fn chosen(own: &[Address], holders: &[String], left: &BTreeSet<String>, fallback: &[Address]) -> Recipients {
    let mut met = BTreeSet::new();
    let mut fresh = |address: &Address| met.insert(email_key(address.as_ref()));
    let stays = |address: &Address| !left.contains(&email_key(address.as_ref()));
    let holders = holders.iter().filter_map(|email| email.trim().parse().ok());
    let own = own.iter().filter(|address| stays(address)).cloned();
    let own: Vec<Address> = own.chain(holders).collect();
    let mut plain = |addresses: &[Address]| -> Vec<Address> {
        addresses.iter().filter_map(mail_address::plain).filter(|address| fresh(address)).collect()
    };
    // A fallback that is among them has been asked already.
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
    fn addresses_and_holders_are_told_each_once() {
        assert_eq!(
            to(&["it@a.example"], &["Ada@a.example", "IT@a.example", "no address", "ada@a.example"], &[]),
            ["it@a.example", "Ada@a.example"]
        );
    }

    #[test]
    fn lesson_40_whoever_left_in_the_same_mail_is_not_told_and_somebody_always_is() {
        assert_eq!(to(&["ada@a.example", "it@a.example"], &[], &["ada@a.example"]), ["it@a.example"]);
        assert_eq!(to(&["Ada@a.example"], &[], &["ada@a.example"]), ["all@host.example"]);
        assert_eq!(to(&[], &["", "x"], &[]), ["all@host.example"]);
    }
}
