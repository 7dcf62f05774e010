//! An example of each kind of mail, with invented people and without a database.

use lettre::message::Mailbox;

use super::{
    MailFailure,
    message::{self, Sender},
    render::{
        self, Digest, FirstSyncOver, Heads, LateAndOver, LeaverReason, NamedLeaver, News, PrivilegedPerson,
        Rendered, Review, TenantNames,
    },
};
use crate::config::Product;
use crate::{
    audit::{
        leaver_receipt::Receipt,
        report::{Report, RoleLine},
        stored_heads::StoredHead,
    },
    outbox::{
        NoticeKind,
        hold_notice::{HeldPerson, HoldCause, HoldNotice, IfUndecided},
        mails::ClaimedMail,
        notice::{
            ClaimRefused, DirectoryMoved, DirectoryNotice, GivenUp, LastHolder, MappingNotice, NotCompared,
            Privilege, Privileged, SilentDirectory, Waiting, WebhooksAway,
        },
    },
    runtime::clock::Timestamp,
};

const DIRECTORY: &str = "directory_01ECAZ4NV9QMV47GW873HDCX74";
const USER: &str = "directory_user_01E1JG7J09H96KYP8HM9B0G5SJ";
const ANOTHER_USER: &str = "directory_user_01E1JG7J7Z4QWE9CXN4T6P2R8M";

/// This number of seconds after 2026-01-15T12:00:00Z.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_768_478_400_000).plus_seconds(seconds)
}

fn tenant() -> TenantNames {
    TenantNames {
        id: "org_01EHZNVPK3SFK441A1RGBFSHRT".into(),
        name: Some("Acme Corp".into()),
        directories: [(DIRECTORY.to_owned(), "Acme Okta".to_owned())].into(),
    }
}

fn directory() -> DirectoryNotice {
    DirectoryNotice {
        id: DIRECTORY.into(),
        name: Some("Acme Okta".into()),
        provider: Some("okta scim v2.0".into()),
        since: at(0).micros(),
        inbox_id: 42,
        access_retained: false,
    }
}

fn leaver(name: &str, email: &str, seconds: i64, because: LeaverReason) -> NamedLeaver {
    NamedLeaver {
        user_id: USER.into(),
        name: Some(name.into()),
        email: Some(email.into()),
        since: at(seconds),
        because,
        directory: Some("Acme Okta".into()),
        inbox_id: 42 + seconds,
        found: false,
    }
}

fn privilege(granted: bool) -> Privilege {
    Privilege {
        user_id: USER.into(),
        name: Some("Grace Hopper".into()),
        email: Some("grace.hopper@acme.example".into()),
        directory_id: DIRECTORY.into(),
        role: "admin".into(),
        granted,
        because: granted
            .then(|| "rule administrators: group IT Admins (directory_group_01E64QTDNS0EGJ)".into()),
        since: at(0).micros(),
        inbox_id: 57,
    }
}

/// The content of an example.
pub fn example(kind: NoticeKind) -> News {
    let (name, email) = (Some("Grace Hopper".to_owned()), Some("grace.hopper@acme.example".to_owned()));
    let digest = Digest { tenant_id: tenant().id, tenant_name: tenant().name, ..Digest::default() };
    match kind {
        NoticeKind::Deprovisioned => News::Leavers(leavers()),
        NoticeKind::DirectoryConnected => News::Connected(tenant(), vec![directory()]),
        NoticeKind::DirectoryDeleted => {
            let gone = |name: &str, email: &str| leaver(name, email, 0, LeaverReason::DirectoryDeleted);
            let leavers = vec![
                gone("Ada Lovelace", "ada.lovelace@acme.example"),
                gone("Alan Turing", "alan.turing@acme.example"),
            ];
            let listed = leavers.iter().cycle().take(1_204).cloned().collect();
            News::Leavers(Digest { gone: vec![directory()], total: 1_204, leavers, listed, ..digest })
        }
        NoticeKind::DirectorySilent => {
            let last_event_at = at(-31 * 86_400).micros();
            News::Silent(
                tenant(),
                vec![SilentDirectory {
                    directory_id: DIRECTORY.into(),
                    last_event_at,
                    days: 30,
                    not_compared: Some("the directory is not active but invalid_credentials".into()),
                }],
            )
        }
        NoticeKind::PrivilegedGranted => News::Privileges(tenant(), vec![privilege(true)], 1),
        NoticeKind::PrivilegedLost => News::Privileges(tenant(), vec![privilege(false)], 1),
        NoticeKind::LastHolderRetained => News::Retained(
            tenant(),
            vec![LastHolder {
                user_id: USER.into(),
                name,
                email,
                directory_id: DIRECTORY.into(),
                role: "owner".into(),
                access: true,
                since: at(0).micros(),
                inbox_id: 61,
            }],
        ),
        NoticeKind::FirstSyncEnded => News::FirstSync(
            tenant(),
            vec![FirstSyncOver {
                directory_id: DIRECTORY.into(),
                ended_at: at(6 * 3_600).micros(),
                people: vec![PrivilegedPerson {
                    user_id: USER.into(),
                    name: Some("Grace Hopper".into()),
                    email: Some("grace.hopper@acme.example".into()),
                    roles: vec!["admin".into()],
                }],
                total: 3,
                listed: Vec::new(),
            }],
        ),
        NoticeKind::MassChangeHeld => News::Held(tenant(), held()),
        NoticeKind::MappingApplied => News::Mapping(
            tenant(),
            vec![MappingNotice {
                version: 3,
                at: at(0).micros(),
                users: 212,
                gain: 200,
                lose: 14,
                gain_access: 0,
                lose_access: 2,
                privileged: vec![Privileged {
                    user_id: USER.into(),
                    name,
                    email,
                    gains: vec!["admin".into()],
                    loses: vec!["owner".into()],
                }],
                privileged_users: 3,
                listed: Vec::new(),
            }],
        ),
        NoticeKind::AccessReport => News::Report(tenant(), review()),
        NoticeKind::DeliveryGivenUp => News::GivenUp(
            vec![GivenUp {
                entity: None,
                inbox_id: 63,
                reason: "not_understood".into(),
                detail: "data.state is missing in dsync.user.updated".into(),
                at: at(0).micros(),
            }],
            1,
        ),
        NoticeKind::ClaimRefused => News::ClaimsRefused(
            vec![ClaimRefused {
                directory_id: DIRECTORY.into(),
                organization_id: "org_01F8MBZTR1K4XW2N6CQG5V9HDE".into(),
                owner: Some(tenant().id),
                events: 214,
                leavers: 3,
                inbox_id: 63,
                first_at: at(0).micros(),
            }],
            1,
        ),
        NoticeKind::DirectoryMoved => News::Moved(
            vec![DirectoryMoved {
                directory_id: DIRECTORY.into(),
                from: tenant().id,
                to: "org_01F8MBZTR1K4XW2N6CQG5V9HDE".into(),
                people: 1_204,
                without_access: 3,
                by: "ada".into(),
                reason: "the customer merged its organizations, ticket 4711".into(),
                at: at(0).micros(),
                inbox_id: 63,
            }],
            1,
        ),
        NoticeKind::DeliveriesWait => {
            News::Waiting(Waiting { deliveries: 1_204, since: at(-2_400).micros(), inbox_id: 63 })
        }
        NoticeKind::WebhooksAway => {
            News::Webhooks(vec![WebhooksAway { since: at(0).micros(), back_at: None }])
        }
        NoticeKind::NotCompared => News::NotCompared(LateAndOver {
            named: vec![NotCompared {
                directory_id: DIRECTORY.into(),
                since: at(-50 * 3_600).micros(),
                hours: 48,
                reason: Some("the directory is not active but invalid_credentials".into()),
                again_at: None,
            }],
            late: 1,
            over: 0,
        }),
        NoticeKind::AuditHeads => {
            let head = |tenant_id: &str, seq| StoredHead {
                tenant_id: tenant_id.to_owned(),
                seq,
                hash: "5f".repeat(32),
                at: Some(at(0).to_string()),
            };
            News::AuditHeads(Heads { at: at(0), heads: vec![head("", 12), head(&tenant().id, 367)] })
        }
    }
}

fn held() -> HoldNotice {
    let person = |user_id: &str, name: &str, email: &str, roles: &[&str]| HeldPerson {
        user_id: user_id.into(),
        name: Some(name.into()),
        email: Some(email.into()),
        roles: roles.iter().map(|&role| role.to_owned()).collect(),
    };
    HoldNotice {
        hold_id: 17,
        people_before: 0,
        directory: Some("Acme Okta".into()),
        since: at(0),
        removals: 118,
        privileged_losses: 2,
        active_before: 240,
        applied_before: 9,
        cause: HoldCause::Deleted,
        people: vec![
            person(USER, "Ada Lovelace", "ada.lovelace@acme.example", &[]),
            person(ANOTHER_USER, "Grace Hopper", "grace.hopper@acme.example", &["admin"]),
        ],
        listed: Vec::new(),
        undecided: IfUndecided::Stay,
    }
}

/// The report of the week that begins on Monday, 2026-01-05.
fn review() -> Review {
    let (since, until) = (at(-10 * 86_400 - 6 * 3_600), at(-3 * 86_400 - 6 * 3_600));
    let holds = |name: &str, email: &str, role: &str, because: &str| RoleLine {
        user_id: USER.into(),
        name: Some(name.into()),
        email: Some(email.into()),
        role: Some(role.into()),
        because: Some(because.into()),
        since: Some(at(-40 * 86_400).to_string()),
    };
    let left = |name: &str, email: &str, seconds: i64, entry: i64, roles: &[&str]| Receipt {
        user_id: USER.into(),
        name: Some(name.into()),
        email: Some(email.into()),
        entry,
        because: format!("event event_01HX{entry}"),
        roles_lost: roles.iter().map(|&role| role.to_owned()).collect(),
        stated_at: Some(at(seconds).to_string()),
        received_at: Some(at(seconds + 5).to_string()),
        applied_at: at(seconds + 6).to_string(),
        notified_at: Some(at(seconds + 126).to_string()),
        message_id: Some("<rosterd.preview@rosterd.example>".into()),
        mail: Some("sent".into()),
        minutes_stated_to_applied: Some(0),
        minutes_received_to_applied: Some(0),
        minutes_applied_to_notified: Some(2),
        ..Receipt::default()
    };
    let report = Report {
        tenant_id: tenant().id,
        tenant_name: tenant().name,
        made_at: until.plus_seconds(61).to_string(),
        since: Some(since.to_string()),
        until: Some(until.to_string()),
        people: 2,
        assignments: 3,
        departures: 2,
        cut: None,
        compared: Vec::new(),
        under_review: Vec::new(),
        holds: vec![
            holds(
                "Grace Hopper",
                "grace.hopper@acme.example",
                "admin",
                "rule administrators: group IT Admins",
            ),
            holds("Grace Hopper", "grace.hopper@acme.example", "member", "rule members: group Staff"),
            RoleLine {
                user_id: ANOTHER_USER.into(),
                ..holds("Radia Perlman", "radia.perlman@acme.example", "member", "rule members: group Staff")
            },
        ],
        left: vec![
            left("Ada Lovelace", "ada.lovelace@acme.example", -9 * 86_400, 341, &["editor", "member"]),
            left("Alan Turing", "alan.turing@acme.example", -5 * 86_400, 367, &["member"]),
        ],
    };
    Review { since, until, privileged: Some(1), report }
}

/// The example with subject, text and HTML.
pub fn rendered(kind: NoticeKind, product: &Product) -> Rendered {
    render::news(product, &example(kind))
}

/// The mail of an example, without notices.
pub(super) fn mail(kind: NoticeKind, tenant_id: &str, message_id: String) -> ClaimedMail {
    ClaimedMail {
        id: 1,
        tenant_id: if kind.family().is_for_operator() { String::new() } else { tenant_id.to_owned() },
        message_id,
        attempt: 1,
        family: kind.family(),
        leavers: Vec::new(),
        named: Vec::new(),
        news: Vec::new(),
        settled: Default::default(),
    }
}

/// The leavers of the examples.
pub(super) fn leavers() -> Digest {
    let state = |state: &str| LeaverReason::Person { state: Some(state.into()) };
    let leavers = vec![
        leaver("Ada Lovelace", "ada.lovelace@acme.example", 0, state("suspended")),
        leaver("Alan Turing", "alan.turing@acme.example", 20, state("deleted")),
    ];
    let TenantNames { id, name, .. } = tenant();
    Digest { tenant_id: id, tenant_name: name, total: leavers.len(), leavers, ..Digest::default() }
}

/// The complete message.
pub fn eml(kind: NoticeKind, from: &Mailbox, product: &Product) -> Result<Vec<u8>, MailFailure> {
    let mail = mail(kind, &tenant().id, "<rosterd.preview@rosterd.example>".into());
    let to = "it@acme.example".parse().map_err(|error| MailFailure::new(format!("{error}")))?;
    let sender = Sender { from, reply_to: product.reply_to.as_ref().filter(|_| !mail.tenant_id.is_empty()) };
    Ok(message::compose(sender, &[to], &mail, at(60), &rendered(kind, product))?.formatted())
}
