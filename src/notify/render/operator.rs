//! For whoever runs the service: deliveries that were set aside.

use super::{Item, Page, clean, count, inbox, more, time};
use crate::outbox::notice::GivenUp;

pub(super) fn given_up(given_up: &[GivenUp], total: usize) -> Page {
    let item = |one: &GivenUp| Item {
        title: match &one.entity {
            Some(entity) => clean::name(&format!("The change of {entity}"), 120),
            None => format!("Delivery {}", one.inbox_id),
        },
        subtitle: None,
        terms: vec![
            ("Since", time(one.at)),
            ("Because", format!("{}: {}", clean::line(&one.reason, 40), clean::name(&one.detail, 300))),
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
