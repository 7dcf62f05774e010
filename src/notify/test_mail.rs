//! A test mail to one address: the real templates, composition and mailer, with invented people.

use lettre::Address;

use super::{
    MailFailure, Mailer, NotifyError,
    mailer::MailAnswer,
    message::{self, Sender},
    preview,
    render::{self, TenantNames},
};
use crate::{config::MailSettings, outbox::NoticeKind, runtime::clock::Timestamp};

/// Why a test mail did not arrive at the mail server.
#[derive(Debug, thiserror::Error)]
pub enum TestMailError {
    /// `mail.url` cannot be used.
    #[error("{0}")]
    Settings(#[from] NotifyError),
    /// The mail could not be composed.
    #[error("{0}")]
    Composed(#[from] MailFailure),
    /// The server refused it for ever. A real mail would go to the other recipients, or to `mail.fallback`.
    #[error("the mail server refuses this mail to {to}: {why}")]
    Refused { to: Address, why: MailFailure },
    /// The server did not accept it now. A real mail would be sent again later.
    #[error("the mail to {to} was not sent: {why}")]
    NotNow { to: Address, why: MailFailure },
}

/// Sends a test mail to `to`, in the name of `tenant` or of an invented one.
pub fn send(
    settings: &MailSettings,
    tenant: Option<TenantNames>,
    to: &Address,
    now: Timestamp,
) -> Result<(), TestMailError> {
    let mailer = Mailer::new(settings)?;
    let mut digest = preview::leavers();
    if let Some(TenantNames { id, name, .. }) = tenant {
        (digest.tenant_id, digest.tenant_name) = (id, name);
    }
    let id = rand::random::<u64>();
    let message_id = format!("<rosterd.test.{id:016x}@{}>", message::domain(&settings.from));
    let mail = preview::mail(NoticeKind::Deprovisioned, &digest.tenant_id, message_id);
    let product = settings.product(&digest.tenant_id);
    let rendered = render::test_mail(&product, &digest);
    let sender = Sender { from: &settings.from, reply_to: product.reply_to.as_ref() };
    let letter = message::compose(sender, std::slice::from_ref(to), &mail, now, &rendered)?;
    let answers = mailer.send(&letter, std::slice::from_ref(to), &message::file_name(&mail.message_id), 1);
    match answers.into_iter().next() {
        Some(MailAnswer::Taken) => Ok(()),
        Some(MailAnswer::Refused(why)) => Err(TestMailError::Refused { to: to.clone(), why }),
        Some(MailAnswer::Later(why)) => Err(TestMailError::NotNow { to: to.clone(), why }),
        None => Err(MailFailure::nobody(&mail.tenant_id).into()),
    }
}
