//! `notices list | show | retry | preview | test`.

mod print;

use std::{io::Write, process::ExitCode};

use super::{Failure, Format, expect_any_tenant, output::print_text};
use crate::{
    config::Config,
    db::{Database, DbError},
    notify::{
        mail_address::{self, AddressFault},
        preview,
        render::TenantNames,
        test_mail,
    },
    outbox::{
        NoticeKind,
        list::{self, MailState},
    },
    runtime::clock::Clock,
    tables::display_names,
};
use clap::{Args, Subcommand};
use lettre::Address;

#[derive(Args)]
pub struct Verbs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// List notices that have no mail yet, then mails, the newest first
    List {
        #[arg(long, value_enum)]
        state: Option<MailState>,
        #[arg(long)]
        tenant: Option<String>,
        #[arg(long, default_value_t = 50)]
        limit: u32,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Show one mail: its state, the reason, and its notices
    Show { id: i64 },
    /// Retry a failed mail, with the full number of attempts
    Retry { id: i64 },
    /// Show the mail of one kind of notice with invented people; needs no database
    Preview {
        #[arg(value_parser = kind)]
        kind: NoticeKind,
        #[arg(long, value_enum, default_value_t)]
        format: Form,
    },
    /// Send a test mail with invented people through the mail server of the settings, and say what the server answers
    Test {
        /// The address that gets it
        #[arg(long, value_name = "ADDRESS", value_parser = address)]
        to: Address,
        /// In the name of this tenant, by id or name, with its settings
        #[arg(long)]
        tenant: Option<String>,
    },
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    #[default]
    Text,
    Html,
    /// The whole mail
    Eml,
}

impl Verbs {
    /// The tenant that the command names, as it was written.
    pub(super) fn tenant(&mut self) -> Option<&mut String> {
        match &mut self.verb {
            Verb::List { tenant, .. } | Verb::Test { tenant, .. } => tenant.as_mut(),
            Verb::Show { .. } | Verb::Retry { .. } | Verb::Preview { .. } => None,
        }
    }
}

/// The maximum number of listed notices of a mail.
const MOST: i64 = 100;

fn kind(text: &str) -> Result<NoticeKind, String> {
    let known = || NoticeKind::ALL.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ");
    NoticeKind::named(text).ok_or_else(|| format!("there is no such kind; the kinds are {}", known()))
}

fn address(text: &str) -> Result<Address, AddressFault> {
    mail_address::recipient(text)
}

pub fn is_offline(verbs: &Verbs) -> bool {
    matches!(verbs.verb, Verb::Preview { .. } | Verb::Test { tenant: None, .. })
}

pub(super) fn run_offline(config: &Config, verbs: &Verbs) -> Result<ExitCode, Failure> {
    let (kind, format) = match &verbs.verb {
        Verb::Preview { kind, format } => (*kind, *format),
        Verb::Test { to, .. } => return test(config, None, to),
        _ => return Ok(ExitCode::SUCCESS),
    };
    let product = config.mail.product("");
    let rendered = preview::rendered(kind, &product);
    match format {
        Form::Text => print_text(&format!("Subject: {}\n\n{}", rendered.subject, rendered.text))?,
        Form::Html => print_text(&rendered.html)?,
        Form::Eml => std::io::stdout().lock().write_all(&preview::eml(kind, &config.mail.from, &product)?)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn test(config: &Config, tenant: Option<TenantNames>, to: &Address) -> Result<ExitCode, Failure> {
    test_mail::send(&config.mail, tenant, to, Clock::System.now())?;
    let place = config.mail.url.as_ref().map(|url| format!("{url:?}")).unwrap_or_default();
    print_text(&format!(
        "{place} accepted the test mail for {to}. If it is not in the mailbox within some minutes, look into the folder for \
         unwanted mail, and into the log of the mail server\n"
    ))?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn run(database: &Database, config: &Config, verbs: &Verbs) -> Result<ExitCode, Failure> {
    match &verbs.verb {
        Verb::List { state, tenant, limit, format } => {
            expect_any_tenant(database, tenant.as_deref())?;
            let wanted = print::Wanted { state: *state, tenant: tenant.as_deref(), limit: (*limit).into() };
            print::listed(database, config, wanted)?.print(*format)?;
        }
        Verb::Show { id } => {
            let found = database.read::<_, DbError>(|conn| Ok(list::show(conn, *id, MOST)?))?;
            let (mail, notices, count) =
                found.ok_or_else(|| format!("there is no mail {id}; see `rosterd notices list`"))?;
            print::show(&mail, &notices, count)?;
        }
        Verb::Retry { id } => {
            let now = Clock::System.now();
            if !database.write::<_, DbError>(|conn| Ok(list::retry(conn, *id, now)?))? {
                return Err(
                    format!("{id} is not a failed mail; see `rosterd notices list --state dead`").into()
                );
            }
            println!("mail {id} is due again; a running `rosterd serve` sends it within seconds");
        }
        Verb::Preview { .. } => {}
        Verb::Test { to, tenant } => {
            let tenant = tenant.as_deref().map(|text| names(database, text)).transpose()?;
            return test(config, tenant, to);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn names(database: &Database, tenant_id: &str) -> Result<TenantNames, DbError> {
    let named = database.read::<_, DbError>(|conn| Ok(display_names::of_tenant(conn, tenant_id)?))?;
    Ok(TenantNames {
        id: tenant_id.to_owned(),
        name: named.and_then(|named| named.name),
        ..TenantNames::default()
    })
}
