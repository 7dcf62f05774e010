//! Sends one mail to several recipients, with a result for each. Sending is an argument, so the rules need no server.

use lettre::Address;

use super::{
    mailer::{MailAnswer, MailFailure},
    recipients::Recipients,
};
use crate::outbox::{
    mails::{ClaimedMail, RefusedRecipient},
    outcomes::{RecipientOutcome, RecipientOutcomes},
};

/// The results after an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Delivered {
    /// The answers of this attempt and of earlier ones.
    pub settled: RecipientOutcomes,
    /// The refusals to record, if this attempt had one or used the fallback.
    pub refused: Option<RefusedRecipient>,
    /// Why a recipient has no final answer yet, or why no recipient has the mail.
    pub failure: Option<MailFailure>,
}

/// Sends to the recipients without a final answer. When the server has refused all recipients for ever, the mail goes to the
/// fallback. When it has refused the fallback too, the cause is probably a setting, so the next attempt tries all again.
///
/// `send` gets the addresses for the header and the addresses to send to, and returns an answer for each of the latter.
pub(super) fn deliver(
    mail: &ClaimedMail,
    recipients: &Recipients,
    send: impl Fn(&[Address], &[Address]) -> Vec<MailAnswer>,
) -> Delivered {
    let Recipients { to, otherwise } = recipients;
    let id = mail.message_id.as_str();
    let outcome_of = |settled: &RecipientOutcomes, address: &Address| settled.of(id, address.as_ref());
    let refuses = |settled: &RecipientOutcomes, address: &Address| {
        outcome_of(settled, address) == Some(RecipientOutcome::Refused)
    };
    let mut settled = mail.settled.clone();
    if to.iter().chain(otherwise).all(|address| refuses(&settled, address)) {
        settled = RecipientOutcomes::default();
    }
    let (mut later, mut refusal) = (None, None);
    let mut round = |settled: &mut RecipientOutcomes, all: &[Address]| {
        let open: Vec<Address> =
            all.iter().filter(|address| outcome_of(settled, address).is_none()).cloned().collect();
        if open.is_empty() {
            return;
        }
        for (address, answer) in open.iter().zip(send(all, &open)) {
            match answer {
                MailAnswer::Taken => settled.set(id, address.as_ref(), RecipientOutcome::Taken),
                MailAnswer::Refused(why) => {
                    settled.set(id, address.as_ref(), RecipientOutcome::Refused);
                    refusal = Some(why);
                }
                MailAnswer::Later(why) => later = Some(why),
            }
        }
    };
    round(&mut settled, to);
    let mut fell_back = false;
    if !otherwise.is_empty() && to.iter().all(|address| refuses(&settled, address)) {
        round(&mut settled, otherwise);
        fell_back =
            otherwise.iter().any(|address| outcome_of(&settled, address) == Some(RecipientOutcome::Taken));
    }
    let count = to.iter().chain(otherwise).filter(|address| refuses(&settled, address)).count();
    let refused = (refusal.is_some() || fell_back).then(|| RefusedRecipient {
        recipients: count,
        why: refusal.as_ref().map(ToString::to_string),
        fell_back,
    });
    let failure = match (later, settled.anybody_took_it()) {
        (Some(later), _) => Some(later),
        (None, true) => None,
        (None, false) => Some(refusal.unwrap_or_else(|| MailFailure::nobody(&mail.tenant_id))),
    };
    Delivered { settled, refused, failure }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, collections::VecDeque};

    use super::*;
    use crate::outbox::kind::Family;

    fn addresses(names: &[&str]) -> Vec<Address> {
        names.iter().map(|name| format!("{name}@a.example").parse().unwrap()).collect()
    }

    fn mail(settled: RecipientOutcomes) -> ClaimedMail {
        ClaimedMail {
            id: 1,
            tenant_id: "org_a".into(),
            message_id: "<1@x>".into(),
            attempt: 1,
            family: Family::Leavers,
            leavers: vec![1],
            named: Vec::new(),
            news: Vec::new(),
            settled,
        }
    }

    /// The recipients of each round. The server's answers: `+` accepts, `-` refuses for ever, `?` refuses for now.
    fn attempts(to: &[&str], otherwise: &[&str], answers: &[&str]) -> (Vec<String>, Delivered) {
        let recipients = Recipients { to: addresses(to), otherwise: addresses(otherwise) };
        let script = RefCell::new(answers.concat().chars().collect::<VecDeque<char>>());
        let asked = RefCell::new(Vec::new());
        let send = |_all: &[Address], open: &[Address]| {
            asked
                .borrow_mut()
                .push(open.iter().map(|one| one.user().to_owned()).collect::<Vec<_>>().join(" "));
            let answer = |_| match script.borrow_mut().pop_front().unwrap() {
                '+' => MailAnswer::Taken,
                '-' => MailAnswer::Refused(MailFailure::new("550")),
                _ => MailAnswer::Later(MailFailure::new("451")),
            };
            open.iter().map(answer).collect()
        };
        let mut delivered = deliver(&mail(RecipientOutcomes::default()), &recipients, send);
        while !script.borrow().is_empty() {
            delivered = deliver(&mail(delivered.settled), &recipients, send);
        }
        (asked.into_inner(), delivered)
    }

    #[test]
    fn a_refusal_keeps_the_mail_from_nobody_else_and_is_on_record() {
        let (asked, delivered) = attempts(&["a", "b", "c"], &["f"], &["+-+"]);

        assert_eq!((asked, delivered.failure), (vec!["a b c".to_owned()], None));
        let refused = delivered.refused.unwrap();
        assert_eq!((refused.recipients, refused.fell_back, refused.why.as_deref()), (1, false, Some("550")));
    }

    #[test]
    fn the_next_attempt_goes_to_those_who_are_still_open() {
        let (asked, delivered) = attempts(&["a", "b", "c"], &["f"], &["+?-", "?", "+"]);

        assert_eq!((asked, delivered.failure), (["a b c", "b", "b"].map(str::to_owned).to_vec(), None));
    }

    #[test]
    fn the_fallback_gets_the_mail_when_the_last_recipient_has_refused_and_is_retried_alone() {
        let (asked, delivered) = attempts(&["a", "b"], &["f"], &["-?", "-", "?", "+"]);

        assert_eq!(asked, ["a b", "b", "f", "f"]);
        assert_eq!((delivered.failure, delivered.refused.unwrap().fell_back), (None, true));
    }

    #[test]
    fn when_everybody_refuses_everybody_is_asked_again() {
        let (asked, delivered) = attempts(&["a"], &["f"], &["--", "-?"]);

        assert_eq!(asked, ["a", "f", "a", "f"]);
        assert_eq!(delivered.failure, Some(MailFailure::new("451")));
    }
}
