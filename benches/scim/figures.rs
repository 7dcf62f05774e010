//! The figures of each server, and the table of them.

use std::{fmt::Write, time::Instant};

use hdrhistogram::Histogram;

use crate::{
    Options, Outcome,
    load::{Answer, converse, number_of, send, text_of},
    requests::At,
    server::{Contender, Running},
};

/// The members of one request that fills the group.
const MEMBERS_AT_ONCE: usize = 1_000;
/// Single changes of the group.
const CHANGES: usize = 2_000;

/// One turn of one server.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    creates: f64,
    creates_p99: f64,
    patches: f64,
    patches_p99: f64,
    /// Changes of one member of a large group; `None` if the server refuses them.
    member_p99: Option<f64>,
    member_p50: Option<f64>,
    /// The longest answer to such a change, in bytes.
    member_answer: usize,
    listed: f64,
    memory: u64,
}

/// All users in pages.
#[derive(Clone, Debug)]
pub struct Listed {
    users: usize,
    rate: f64,
    before: u64,
    highest: u64,
}

/// Measures one server, which starts empty.
pub fn measure(contender: Contender, options: &Options) -> Outcome<Figures> {
    let is_own = contender == Contender::Rosterd;
    let users = if is_own { options.users } else { options.peer_users };
    let server = contender.start(options)?;
    let door = server.door.clone();
    let created =
        send(server.address, options.connections, (0..users).map(|n| door.create_user(n)).collect())?;
    let renames = created.ids.iter().enumerate().map(|(n, id)| door.rename(id, n)).collect();
    let patched = send(server.address, options.connections, renames)?;
    let mut figures = Figures {
        creates: created.rate(),
        creates_p99: created.p99(),
        patches: patched.rate(),
        patches_p99: patched.p99(),
        ..Figures::default()
    };
    let begun = Instant::now();
    let number = list(&server, contender.first_page())?;
    if number < users {
        return Err(format!("a list has {number} of {users} users").into());
    }
    figures.listed = number as f64 / begun.elapsed().as_secs_f64();
    let mut ids = created.ids;
    let members = if is_own { options.members } else { options.peer_members.min(users) };
    if ids.len() < members {
        let more = (ids.len()..members).map(|n| door.create_user(n)).collect();
        ids.extend(send(server.address, options.connections, more)?.ids);
    }
    ids.truncate(members);
    match group(&server, &ids) {
        Ok((latency, longest)) => {
            figures.member_p99 = Some(latency.value_at_quantile(0.99) as f64 / 1_000.0);
            figures.member_p50 = Some(latency.value_at_quantile(0.5) as f64 / 1_000.0);
            figures.member_answer = longest;
        }
        Err(error) => eprintln!("{}: no group: {error}", contender.name()),
    }
    figures.memory = server.memory().1;
    Ok(figures)
}

/// Makes a group of all, then removes and adds one member again and again.
fn group(server: &Running, members: &[String]) -> Outcome<(Histogram<u64>, usize)> {
    let door = &server.door;
    let (first, rest) = members.split_at(members.len().min(MEMBERS_AT_ONCE));
    let made = send(server.address, 1, vec![door.create_group(first)])?;
    let id = made.ids.first().cloned().unwrap_or_default();
    let fill = rest.chunks(MEMBERS_AT_ONCE).map(|part| door.add_members(&id, part)).collect();
    send(server.address, 1, fill)?;
    let step = (members.len() / CHANGES).max(1);
    let one = |member: &String| {
        [door.remove_member(&id, member), door.add_members(&id, std::slice::from_ref(member))]
    };
    let changes = members.iter().step_by(step).take(CHANGES / 2).flat_map(one).collect();
    let changed = send(server.address, 1, changes)?;
    Ok((changed.latency, changed.longest))
}

/// Reads all users. Returns their number.
fn list(server: &Running, first: At) -> Outcome<usize> {
    let (mut at, mut number) = (Some(first), 0);
    converse(server.address, |answer: Option<&Answer>| {
        if let Some(answer) = answer {
            if answer.status != 200 {
                return Err(format!("a list was answered {}", answer.status).into());
            }
            let on_page = count(&answer.body);
            number += on_page;
            at = match (&at, text_of(&answer.body, "nextCursor")) {
                (Some(At::Cursor(_)), Some(cursor)) => Some(At::Cursor(cursor)),
                (Some(At::Index(_)), _) if number < number_of(&answer.body, "totalResults") => {
                    if on_page == 0 {
                        return Err("a page of a list is empty".into());
                    }
                    Some(At::Index(number + 1))
                }
                _ => None,
            };
        }
        Ok(at.as_ref().map(|at| server.door.users(at)))
    })?;
    Ok(number)
}

/// Users on a page.
fn count(body: &[u8]) -> usize {
    let mark = b"\"userName\"";
    body.windows(mark.len()).filter(|part| part == mark).count()
}

/// A list of many users, whose documents are copies of one that rosterd has stored.
pub fn million(options: &Options) -> Outcome<Listed> {
    let server = Contender::Rosterd.start(options)?;
    send(server.address, 1, vec![server.door.create_user(0)])?;
    let number = options.million;
    options.psql(
        "scim_bench",
        &format!(
            "INSERT INTO rosterd_internal.scim_resources (id, directory_id, kind, user_name_key, external_id, display_key, version, created_at, \
             modified_at, deleted, document) SELECT lpad(to_hex(n), 8, '0') || '-0000-7000-8000-000000000000', directory_id, kind, 'user' || n || '@lumen.example', \
             'ext-' || n, NULL, 1, created_at, modified_at, false, replace(document, 'user0@', 'user' || n || '@') \
             FROM rosterd_internal.scim_resources, generate_series(1, {}) n WHERE kind = 0",
            number - 1
        ),
    )?;
    options.psql("scim_bench", "VACUUM ANALYZE rosterd_internal.scim_resources")?;
    let before = server.memory().0;
    let begun = Instant::now();
    let users = list(&server, Contender::Rosterd.first_page())?;
    if users != number {
        return Err(format!("a list has {users} of {number} users").into());
    }
    let rate = users as f64 / begun.elapsed().as_secs_f64();
    Ok(Listed { users, rate, before, highest: server.memory().1 })
}

fn median(figures: &[Figures], of: impl Fn(&Figures) -> f64) -> f64 {
    let mut values: Vec<f64> = figures.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The medians as a table of Markdown.
pub fn table(all: &[(Contender, Vec<Figures>)]) -> String {
    let mut text = String::from(
        "| | creates/s | p99 ms | PATCHes/s | p99 ms | one member: p50, p99 ms | its answer, bytes | listed/s | memory MiB |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for (contender, figures) in all.iter().filter(|(_, figures)| !figures.is_empty()) {
        let member = match figures.iter().all(|one| one.member_p99.is_some()) {
            true => format!(
                "{:.1}, {:.1} | {:.0}",
                median(figures, |one| one.member_p50.unwrap_or(f64::NAN)),
                median(figures, |one| one.member_p99.unwrap_or(f64::NAN)),
                median(figures, |one| one.member_answer as f64)
            ),
            false => "refused | ".to_owned(),
        };
        let _ = writeln!(
            text,
            "| {} | {:.0} | {:.1} | {:.0} | {:.1} | {member} | {:.0} | {:.0} |",
            contender.name(),
            median(figures, |one| one.creates),
            median(figures, |one| one.creates_p99),
            median(figures, |one| one.patches),
            median(figures, |one| one.patches_p99),
            median(figures, |one| one.listed),
            median(figures, |one| one.memory as f64),
        );
    }
    text
}

/// The figures beside their goals, and the ratios to the other servers.
pub fn goals(all: &[(Contender, Vec<Figures>)], listed: Option<&Listed>) -> String {
    let mut text = String::from("| figure | measured | goal |\n|---|---|---|\n");
    let own = all.iter().find(|(contender, figures)| *contender == Contender::Rosterd && !figures.is_empty());
    if let Some((_, own)) = own {
        let (creates, patches) = (median(own, |one| one.creates), median(own, |one| one.patches));
        let _ = writeln!(text, "| creates/s | {creates:.0} | ≥ 2,000 |");
        let _ = writeln!(text, "| PATCHes/s | {patches:.0} | ≥ 4,000 |");
        let member = median(own, |one| one.member_p99.unwrap_or(f64::NAN));
        let _ = writeln!(text, "| one member of a large group, p99 | {member:.1} ms | ≤ 10 ms |");
        for (contender, others) in
            all.iter().filter(|(contender, others)| *contender != Contender::Rosterd && !others.is_empty())
        {
            let _ = writeln!(
                text,
                "| creates, PATCHes, list, to {} | {:.1} ×, {:.1} ×, {:.1} × | ≥ 10 × |",
                contender.name(),
                creates / median(others, |one| one.creates),
                patches / median(others, |one| one.patches),
                median(own, |one| one.listed) / median(others, |one| one.listed),
            );
        }
    }
    if let Some(Listed { users, rate, before, highest }) = listed {
        let _ = writeln!(
            text,
            "| list of {users} users by cursor | {rate:.0}/s, {before} MiB before, {highest} MiB at most | ≥ 20,000/s, memory flat |"
        );
    }
    text
}
