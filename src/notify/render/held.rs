//! A mass change that waits for somebody to decide.

use super::{Item, Page, TenantNames, clean, count, grouped, more, person, the_directory, time};
use crate::outbox::hold_notice::{HeldPerson, HoldNotice, IfUndecided};

pub(super) fn page(tenant: &TenantNames, held: &HoldNotice) -> Page {
    let directory = the_directory(held.directory.as_deref());
    let concerned = held.removals + held.privileged_losses;
    let people = count(concerned, "person", "people");
    let mut terms = vec![("Since", time(held.since.micros())), ("Because", clean::name(&held.cause, 200))];
    if held.removals > 0 {
        terms.push((
            "Held",
            format!(
                "removal of {} of {}",
                grouped(held.removals),
                count(held.active_before, "active person", "active people")
            ),
        ));
    }
    if held.privileged_losses > 0 {
        terms.push((
            "Roles",
            format!("loss of privileged roles by {}", count(held.privileged_losses, "person", "people")),
        ));
    }
    terms.push((
        "Already",
        match held.applied_before {
            0 => "nobody had lost access before it was held".to_owned(),
            n => format!("{} had lost access before it was held", count(n, "person", "people")),
        },
    ));
    terms.push(("Reference", format!("hold {}", held.hold_id)));
    let hold = Item { title: format!("Hold {}", held.hold_id), subtitle: None, terms };
    let named = held.people.len();
    let undecided = match held.undecided {
        IfUndecided::Stay => "If nobody decides, it stays like this.".to_owned(),
        IfUndecided::ApprovedAfterHours(hours) => {
            format!("If nobody decides, it is approved after {}.", count(hours as usize, "hour", "hours"))
        }
    };
    let before = match held.applied_before {
        0 => "Nobody lost access by this change before it was held.".to_owned(),
        n => format!(
            "{} lost access before it was held; that stands.",
            count(n, "person of the same change", "people of the same change")
        ),
    };
    Page {
        subject: format!("Please decide: {people} held ({})", tenant.label()),
        headline: format!("{} would change {people} at once; this is held", capital_first(&directory)),
        audience: tenant.audience(),
        items: std::iter::once(hold).chain(held.people.iter().map(item)).collect(),
        more: more(concerned.saturating_sub(named), named, "person", "people"),
        sections: vec![
            (
                "What happens next",
                format!(
                    "Whoever is held can sign in as before, with their roles. {before} Everything else that the directory \
                     says goes on, newcomers too. {undecided}"
                ),
            ),
            (
                "What to do",
                format!(
                    "Look into the directory: is this meant? Then have whoever runs this service approve it \
                     (\"rosterd holds approve {id}\"): what the directory says then is done. Otherwise put the directory \
                     right, which ends the hold for each person who is back, or have it rejected (\"rosterd holds \
                     reject {id}\"). Single people can be decided alone.",
                    id = held.hold_id
                ),
            ),
            (
                "Questions",
                format!(
                    "Give the reference to whoever runs this service: there, \"rosterd holds show {}\" lists everybody, \
                     and \"rosterd audit log --tenant {}\" what led to it.",
                    held.hold_id,
                    tenant.argument()
                ),
            ),
        ],
    }
}

fn capital_first(directory: &str) -> String {
    directory.replacen('t', "T", 1)
}

fn item(held: &HeldPerson) -> Item {
    let (title, subtitle) = person(held.name.as_deref(), held.email.as_deref());
    let what = match held.roles.as_slice() {
        [] => "access".to_owned(),
        roles => roles.iter().take(10).map(|role| clean::name(role, 60)).collect::<Vec<_>>().join(", "),
    };
    Item { title, subtitle, terms: vec![("Would lose", what), ("Reference", clean::name(&held.user_id, 64))] }
}
