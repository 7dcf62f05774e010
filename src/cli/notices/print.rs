//! Prints mails and the notices that have no mail yet.

use serde_json::Value;

use crate::{
    cli::output::{Format, List, print_text, printable_line},
    config::Config,
    db::{Database, DbError},
    outbox::{
        kind::Family,
        list::{self, Gathering, ListedMail, MailState},
    },
    runtime::clock::Timestamp,
};

/// The mails to list.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) state: Option<MailState>,
    pub(super) tenant: Option<&'a str>,
    pub(super) limit: i64,
}

pub(super) fn listed(database: &Database, config: &Config, wanted: Wanted<'_>) -> Result<List, DbError> {
    let Wanted { state, tenant, limit } = wanted;
    let (gathering, mails, counts) = database.snapshot::<_, DbError>(|conn| {
        let gathering = match state.is_none_or(|state| state == MailState::Gathering) {
            true => list::gathering(conn, tenant, limit)?,
            false => Vec::new(),
        };
        let mails = list::list(conn, state, tenant, limit)?;
        let counts = list::notice_counts(conn, &mails)?;
        Ok((gathering, mails, counts))
    })?;
    let columns = vec![
        "id",
        "tenant_id",
        "about",
        "state",
        "notices",
        "attempts",
        "created_at",
        "due_at",
        "finished_at",
        "refused",
        "fell_back",
        "error",
    ];
    let window = config.mail.window_seconds.into();
    let mut rows: Vec<Vec<Value>> = gathering.iter().map(|one| gathering_row(one, window)).collect();
    rows.extend(mails.iter().map(|mail| row(mail, counts.get(&mail.id).copied().unwrap_or_default())));
    rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(List { columns, rows })
}

fn time(micros: i64) -> String {
    Timestamp::from_micros(micros).to_string()
}

/// The mail is due when the window of its oldest notice is over, or later.
fn gathering_row(of: &Gathering, window_seconds: i64) -> Vec<Value> {
    let is_urgent = Family::of_bundle(&of.bundle).is_some_and(Family::is_urgent);
    let due = of.since().plus_seconds(if is_urgent { 0 } else { window_seconds });
    vec![
        Value::Null,
        of.tenant_id.as_str().into(),
        of.bundle.as_str().into(),
        MailState::Gathering.name().into(),
        of.notices.into(),
        0.into(),
        of.since().to_string().into(),
        due.to_string().into(),
        Value::Null,
        0.into(),
        false.into(),
        Value::Null,
    ]
}

fn row(mail: &ListedMail, notices: i64) -> Vec<Value> {
    vec![
        mail.id.into(),
        mail.tenant_id.as_str().into(),
        mail.bundle.as_str().into(),
        mail.state.as_str().into(),
        notices.into(),
        mail.attempts.into(),
        time(mail.created_at).into(),
        (mail.state == "waiting").then(|| time(mail.due_at)).into(),
        mail.finished_at.map(time).into(),
        mail.refused.into(),
        mail.fell_back.into(),
        mail.last_error.as_deref().into(),
    ]
}

pub(super) fn show(mail: &ListedMail, notices: &[list::ListedNotice], count: i64) -> std::io::Result<()> {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| text.push_str(&format!("{name:<13}{}\n", printable_line(value)));
    line("id", &mail.id.to_string());
    line("tenant_id", if mail.tenant_id.is_empty() { "(the operator)" } else { &mail.tenant_id });
    line("about", &mail.bundle);
    line("message_id", &mail.message_id);
    line("state", &mail.state);
    line("attempts", &mail.attempts.to_string());
    line("created_at", &time(mail.created_at));
    match mail.finished_at {
        Some(finished_at) => line("finished_at", &time(finished_at)),
        None => line("due_at", &time(mail.due_at)),
    }
    if let Some(error) = &mail.last_error {
        line("error", error);
    }
    if let Some(refusal) = &mail.refusal {
        let fell_back = if mail.fell_back { "; sent to mail.fallback instead" } else { "" };
        line("refused", &format!("{} recipients: {refusal}{fell_back}", mail.refused));
    }
    line("notices", &count.to_string());
    print_text(&text)?;
    let columns = vec!["id", "kind", "user_id", "created_at", "notified_at"];
    let row = |notice: &list::ListedNotice| -> Vec<Value> {
        vec![
            notice.id.into(),
            notice.kind.as_str().into(),
            notice.user_id.as_str().into(),
            time(notice.created_at).into(),
            notice.notified_at.map(time).into(),
        ]
    };
    List { columns, rows: notices.iter().map(row).collect() }.print(Format::Table)
}
