//! For the operator: deliveries that were set aside, and directories that are claimed for another organization.

use super::{Item, Page, clean, count, inbox, more, time};
use crate::outbox::notice::{ClaimRefused, GivenUp};

pub(super) fn given_up(given_up: &[GivenUp], total: usize) -> Page {
    let item = |one: &GivenUp| Item {
        title: match &one.entity {
            Some(entity) => clean::name(&format!("The change of {entity}"), 120),
            None => format!("Delivery {}", one.inbox_id),
        },
        subtitle: None,
        terms: vec![
            ("Since", time(one.at)),
            ("Because", format!("{}: {}", clean::name(&one.reason, 40), clean::name(&one.detail, 300))),
            (
                "Reference",
                match one.entity {
                    Some(_) => "rosterd inbox refused".to_owned(),
                    None => inbox(one.inbox_id),
                },
            ),
        ],
    };
    let items: Vec<Item> = given_up.iter().map(item).collect();
    let all = count(total, "delivery", "deliveries");
    let example = given_up.iter().find(|one| one.entity.is_none()).map(|one| one.inbox_id);
    let retried = "A user or group that the database refuses to change is tried again by itself: mend the constraint or \
                   trigger that its reason names. \"rosterd inbox refused\" lists them.";
    Page {
        subject: format!("Set aside: {all}"),
        headline: format!("{all} could not be applied and {} set aside", if total == 1 { "was" } else { "were" }),
        audience: ("For", "the operator of rosterd".to_owned()),
        more: more(total.saturating_sub(items.len()), items.len(), "delivery", "deliveries"),
        items,
        sections: vec![
            (
                "What happens next",
                "What was set aside is not in the tables: somebody may have an access that their directory has ended. \
                 Everything else goes on, and nothing is lost until you decide."
                    .to_owned(),
            ),
            (
                "What to do",
                match example {
                    Some(example) => format!(
                        "\"rosterd inbox show {example}\" shows what came and why it was set aside. When the cause is mended, \
                         \"rosterd inbox retry {example}\"; when it is worth nothing, \"rosterd inbox discard {example} \
                         --reason ...\".{}",
                        match given_up.iter().any(|one| one.entity.is_some()) {
                            true => format!(" {retried}"),
                            false => String::new(),
                        }
                    ),
                    None => retried.to_owned(),
                },
            ),
            ("Questions", "\"rosterd inbox list --state dead\" lists all that is set aside.".to_owned()),
        ],
    }
}

pub(super) fn claims_refused(refused: &[ClaimRefused], total: usize) -> Page {
    let items: Vec<Item> = refused.iter().map(claim).collect();
    let all = count(total, "directory", "directories");
    let example = refused.first().map_or(0, |one| one.inbox_id);
    Page {
        subject: format!("Events refused: {all} claimed by another organization"),
        headline: format!("The events of {all} were refused"),
        audience: ("For", "the operator of rosterd".to_owned()),
        more: more(total.saturating_sub(items.len()), items.len(), "directory", "directories"),
        items,
        sections: vec![
            (
                "What happens next",
                "The events name another organization than the one that owns the directory. rosterd applies none of \
                 them, since they could change another customer's users. People whom these events remove keep their access. \
                 If more events are refused, the next mail about the same directory comes after 24 hours."
                    .to_owned(),
            ),
            (
                "What to do",
                format!(
                    "Find out at the broker to which organization the directory belongs. \"rosterd inbox show {example}\" \
                     shows one of the events. If the directory was moved to another organization, end the access of the people \
                     who left by hand, and ask the broker to connect the directory again under the new organization."
                ),
            ),
            ("Questions", "\"rosterd inbox list --state dead\" lists all events that were refused.".to_owned()),
        ],
    }
}

fn claim(one: &ClaimRefused) -> Item {
    let number = |number: i64| usize::try_from(number).unwrap_or(0);
    let events = count(number(one.events), "event", "events");
    let leavers = match number(one.leavers) {
        0 => "none of them ends an access".to_owned(),
        leavers => format!("{} somebody's access", count(leavers, "of them ends", "of them end")),
    };
    let owner = one.owner.as_deref().map_or_else(|| "unknown".to_owned(), |owner| clean::name(owner, 64));
    Item {
        title: format!("Directory {}", clean::name(&one.directory_id, 64)),
        subtitle: None,
        terms: vec![
            ("Belongs to", owner),
            ("Because", format!("the events name organization {}", clean::name(&one.organization_id, 64))),
            ("Refused", format!("{events}, {leavers}")),
            ("Since", time(one.first_at)),
            ("Reference", inbox(one.inbox_id)),
        ],
    }
}
