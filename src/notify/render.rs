//! A digest as subject, text and HTML; pure. Names come from strangers: see `clean` for what they may contain and
//! `html` for how they are written.

mod clean;
mod html;
mod text;

pub(crate) use html::Escaped;

use crate::clock::Timestamp;

/// What one mail tells, to the administrators of one tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest {
    pub tenant_id: String,
    pub tenant_name: Option<String>,
    /// Those who are named.
    pub leavers: Vec<Leaver>,
    /// All of them.
    pub total: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaver {
    pub name: Option<String>,
    pub email: Option<String>,
    /// The broker's time.
    pub since: Timestamp,
    pub because: Reason,
    pub directory: Option<String>,
    pub inbox_id: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The directory's word on the person.
    Person {
        state: Option<String>,
    },
    DirectoryDeleted,
    OrganizationDeleted,
    /// The mapping lets nobody in to whom it grants no role.
    NoRole,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    pub subject: String,
    pub text: String,
    pub html: String,
}

pub fn render(digest: &Digest) -> Rendered {
    let notice = Notice::of(digest);
    Rendered { subject: notice.subject.clone(), text: text::write(&notice), html: html::write(&notice) }
}

/// What both forms say, in clean words.
struct Notice {
    subject: String,
    headline: String,
    tenant: String,
    people: Vec<Person>,
    more: Option<String>,
    next: String,
    wrong: String,
    reference: String,
}

struct Person {
    name: String,
    email: Option<String>,
    since: String,
    because: String,
    reference: String,
}

impl Notice {
    fn of(digest: &Digest) -> Self {
        let named = digest.tenant_name.as_deref().map(|name| clean::name(name, 80));
        let tenant_id = clean::line(&digest.tenant_id, 64);
        let label = named.clone().filter(|name| !name.is_empty());
        let people: Vec<Person> = digest.leavers.iter().map(Person::of).collect();
        let who = match people.as_slice() {
            [only] if digest.total == 1 => only.name.clone(),
            _ => count(digest.total, "person", "people"),
        };
        let one = digest.total == 1;
        let rest = digest.total.saturating_sub(people.len());
        Self {
            subject: format!("Access removed: {who} ({})", label.as_deref().unwrap_or(&tenant_id)),
            headline: format!("{who} no longer {} access", if one { "has" } else { "have" }),
            more: (rest > 0).then(|| match people.as_slice() {
                [] => format!("{}, not named here.", count(rest, "person", "people")),
                _ => format!("And {}, not named here.", count(rest, "more person", "more people")),
            }),
            next: "Nothing is needed from you. Access, roles and group memberships are withdrawn already; the record \
                   of them is kept."
                .to_owned(),
            wrong: wrong(digest, if one { "this person" } else { "these people" }),
            reference: reference(digest),
            tenant: label.map_or_else(|| tenant_id.clone(), |label| format!("{label} ({tenant_id})")),
            people,
        }
    }
}

impl Person {
    fn of(leaver: &Leaver) -> Self {
        let clean = |text: &Option<String>, most| {
            text.as_deref().map(|text| clean::name(text, most)).filter(|text| !text.is_empty())
        };
        let email =
            leaver.email.as_deref().map(|text| clean::line(text, 254)).filter(|text| !text.is_empty());
        let name = clean(&leaver.name, 80);
        let directory = clean(&leaver.directory, 80)
            .map_or_else(|| "the directory".to_owned(), |name| format!("the directory \"{name}\""));
        let because = match &leaver.because {
            Reason::DirectoryDeleted => format!("{directory} was deleted"),
            Reason::OrganizationDeleted => "the organization was deleted".to_owned(),
            Reason::NoRole => format!("nothing in {directory} grants a role any more"),
            Reason::Person { state } => match state.as_deref() {
                Some("inactive") => format!("deactivated in {directory}"),
                Some(word @ ("suspended" | "deleted")) => format!("{word} in {directory}"),
                Some(word) => format!("\"{}\" in {directory}", clean::line(word, 40)),
                None => format!("no longer active in {directory}"),
            },
        };
        Self {
            // Without a name the address stands for it, once.
            email: name.as_ref().and(email.clone()),
            name: name.or(email).unwrap_or_else(|| "A person without a name".to_owned()),
            since: leaver.since.to_utc().format("%Y-%m-%d %H:%M:%S UTC").to_string(),
            because,
            reference: format!("inbox {}", leaver.inbox_id),
        }
    }
}

fn wrong(digest: &Digest, them: &str) -> String {
    let person = digest.leavers.iter().any(|leaver| matches!(leaver.because, Reason::Person { .. }));
    let mapped = digest.leavers.iter().any(|leaver| leaver.because == Reason::NoRole);
    let gone = digest
        .leavers
        .iter()
        .any(|leaver| matches!(leaver.because, Reason::DirectoryDeleted | Reason::OrganizationDeleted));
    let mut sentences = Vec::new();
    if person || (!gone && !mapped) {
        sentences.push(format!(
            "Activate {them} again in the directory; it is the one that decides. Access, groups and roles come back \
             by themselves."
        ));
    }
    if gone {
        sentences.push(
            "If a directory was deleted by mistake, connect it again: its people get back what it then says of them."
                .to_owned(),
        );
    }
    if mapped {
        sentences.push(
            "Who has no role is not let in here: give back the group or role in the directory that grants one.".to_owned(),
        );
    }
    sentences.join(" ")
}

fn reference(digest: &Digest) -> String {
    let example =
        digest.leavers.first().map_or_else(|| "NUMBER".to_owned(), |leaver| leaver.inbox_id.to_string());
    format!(
        "Give the reference to whoever runs this service: there, \"rosterd inbox show {example}\" shows the message \
         that came from the directory."
    )
}

/// `1 person`, `49,950 people`.
fn count(number: usize, one: &str, many: &str) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{grouped} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests;
