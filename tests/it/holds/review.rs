//! Who has access although the directory says otherwise: in the view, the access review, explanations and receipts.

use rosterd::{
    audit::{
        leaver_receipt::receipts,
        report::{Report, ReportQuery, report},
    },
    db::DbError,
    operator::{explain::explain, holds::Verdict},
    tables::access_under_review::ACCESS_UNDER_REVIEW,
};
use serde_json::{Value, json};

use super::{beginning, decide, named, update};
use crate::{
    audit::page_of,
    harness::{
        TestApp, both,
        broker::{event, user, with},
    },
    roles::apply,
};

fn review(app: &TestApp) -> Report {
    let all = ReportQuery { tenant_id: "org_1", since: None, until: None, most: None };
    app.database().snapshot(|conn| report(conn, all, app.clock.now())).unwrap()
}

both! {
    fn people_in_a_hold_are_in_the_view_and_begin_the_review(app) {
        beginning(app, 12);
        app.play(&(0..12).map(|n| update(n, "inactive", 9)).collect::<Vec<_>>());
        app.clock.advance_seconds(60);
        decide(app, 1, Verdict::Reject, &[named(0)]);

        let rows = app.brief(ACCESS_UNDER_REVIEW, &["tenant_id", "user_id", "reason", "since", "hold_id", "role_slug"]);
        assert_eq!(rows.len(), 12);
        assert_eq!(rows[0], "org_1 u00 held 2026-06-01T00:00:00.000000Z 1 null");
        let report = review(app);
        assert_eq!((report.under_review.len(), report.people), (12, 12));
        let first = &report.under_review[0];
        assert_eq!((first.user_id.as_str(), first.directory_wants.as_str()), ("u00", "no access: not active"));
        assert_eq!((first.decision.as_deref(), first.decided_by.as_deref()), (Some("rejected"), Some("ada")));
        assert_eq!((first.decided_at.as_deref(), first.decision_reason.as_deref()), (Some("2026-06-01T00:01:00.000000Z"), Some("asked")));
        assert_eq!((report.under_review[1].decision.as_deref(), report.under_review[1].hold_id), (None, Some(1)));
        let page = page_of(&report);
        let (kept, access) = (page.find("Who has access although").unwrap(), page.find("Who has access, and why").unwrap());
        assert!(kept < access && page.contains("not active"), "{page}");
        let csv = rosterd::audit::review_table::write(&report);
        assert!(csv.lines().nth(1).unwrap().contains("under_review"), "{csv}");

        decide(app, 1, Verdict::Approve, &[]);
        let rows = app.brief(ACCESS_UNDER_REVIEW, &["user_id"]);
        assert_eq!(rows, ["u00"]);
    }
}

both! {
    fn an_explanation_and_a_receipt_tell_the_story_of_a_held_loss(app) {
        beginning(app, 12);
        app.play(&(0..12).map(|n| update(n, "inactive", 9)).collect::<Vec<_>>());
        let explained = || explain(app.database(), &app.config.rules(), "org_1", "u03").unwrap().remove(0);

        let held = explained().held.unwrap();
        assert_eq!((held.hold_id, held.because.as_str()), (1, "event inactive_3_9"));
        assert_eq!(held.stated_at.as_deref(), Some("2026-01-01T00:00:09.000000Z"));
        assert_eq!((held.received_at.as_deref(), held.since.as_str()), (Some("2026-06-01T00:00:00.000000Z"), "2026-06-01T00:00:00.000000Z"));
        assert_eq!(held.decided_by, None);

        app.clock.advance_seconds(20 * 60);
        decide(app, 1, Verdict::Approve, &[]);

        let found = app.database().read::<_, DbError>(|conn| Ok(receipts(conn, "org_1", Some(&["u03".to_owned()]), None)?)).unwrap();
        let [receipt] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(receipt.stated_at, held.stated_at);
        assert_eq!(receipt.received_at, held.received_at);
        assert_eq!((receipt.hold_id, receipt.held_at.as_deref()), (Some(1), Some(held.since.as_str())));
        assert_eq!((receipt.decided_by.as_deref(), receipt.minutes_held_to_decided), (Some("ada"), Some(20)));
        assert_eq!(receipt.minutes_decided_to_applied, Some(0));
        let now = explained();
        assert_eq!((now.held, now.receipt.as_ref()), (None, Some(receipt)));
        assert!(page_of(&review(app)).contains("in hold 1 since 2026-06-01 00:00, approved by ada"));
    }
}

/// Owners are named by the directory's role field.
const OWNED: &str = r#"
unknown_roles = "ignore"
[roles.owner]
protected = true
[roles.member]
[[rules]]
name = "owners"
grants = ["owner"]
when.role = "owner"
[[rules]]
name = "members"
grants = ["member"]
when.role = "member"
"#;

fn is(id: &str, role: &str, state: &str, seconds: i64) -> Value {
    let data = with(user(id, state, seconds), json!({"role": {"slug": role}, "roles": []}));
    event(&format!("{id}_{role}_{state}_{seconds}"), "dsync.user.updated", seconds, data)
}

fn kinds(app: &TestApp, user: &str) -> Vec<String> {
    let entries = crate::audit::trail(app, "org_1").into_iter();
    entries.filter(|entry| entry.subject == user).map(|entry| entry.kind).collect()
}

both! {
    fn a_last_holder_is_in_the_view_the_review_and_the_trail_until_there_is_another(app) {
        crate::roles::beginning(app);
        apply(app, OWNED);
        app.play(&[is("u1", "owner", "active", 3), is("u2", "member", "active", 3)]);
        app.play(&[is("u1", "owner", "inactive", 5)]);

        let rows = app.brief(ACCESS_UNDER_REVIEW, &["user_id", "reason", "since", "hold_id", "role_slug"]);
        assert_eq!(rows, ["u1 last_holder 2026-01-01T00:00:05.000000Z null owner"]);
        let report = review(app);
        assert_eq!((report.under_review[0].reason.as_str(), report.under_review[0].directory_wants.as_str()), ("last_holder", "no access: not active, and without owner"));
        assert_eq!(kinds(app, "u1").last().map(String::as_str), Some("role.retained"));

        app.play(&[is("u2", "owner", "active", 7)]);
        assert_eq!(app.brief(ACCESS_UNDER_REVIEW, &["user_id"]), Vec::<String>::new());
        assert!(kinds(app, "u1").contains(&"role.retention_ended".to_owned()), "{:?}", kinds(app, "u1"));
        assert!(review(app).under_review.is_empty());
    }
}

both! {
    fn mail_and_reviews_agree_whether_the_last_holder_keeps_access_or_only_a_role(app) {
        let wanted = |app: &TestApp| {
            let mailed = review(app).under_review[0].directory_wants.clone();
            let of_any_time = crate::audit::as_of::review_at(app, "org_1", app.clock.now()).under_review[0].directory_wants.clone();
            assert_eq!(mailed, of_any_time);
            mailed
        };
        let notice = |app: &TestApp| {
            let found = crate::harness::dump::everything(app.database());
            found.lines().rfind(|line| line.starts_with("outbox.payload") && line.contains("\"role\":\"owner\"")).unwrap().to_owned()
        };
        crate::roles::beginning(app);
        apply(app, OWNED);
        app.play(&[is("u1", "owner", "active", 3), is("u2", "member", "active", 3)]);

        app.play(&[is("u1", "member", "active", 5)]);
        assert_eq!(wanted(app), "without owner");
        assert!(notice(app).contains("\"access\":false"), "{}", notice(app));

        // The directory asks for more, and then for less again.
        app.play(&[is("u1", "member", "inactive", 6)]);
        assert_eq!(wanted(app), "no access: not active, and without owner");
        app.play(&[is("u1", "member", "active", 7)]);
        assert_eq!(wanted(app), "without owner");
        assert_eq!(app.noticed("last_holder_retained"), ["u1"], "one mail");

        app.play(&[is("u1", "owner", "active", 8)]);
        app.play(&[is("u1", "owner", "deleted", 9)]);
        assert_eq!(wanted(app), "no access: not active, and without owner");
        assert!(notice(app).contains("\"access\":true"), "{}", notice(app));
    }
}

both! {
    fn a_person_whom_the_mapping_shuts_out_has_an_entry_that_says_so(app) {
        crate::roles::beginning(app);
        apply(app, &format!("unmapped = \"no_access\"\n{OWNED}"));
        app.play(&[is("u1", "member", "active", 3)]);
        app.play(&[is("u1", "other", "active", 5), is("u9", "other", "active", 5)]);

        let of_mapping = |entry: &rosterd::audit::stored_entries::StoredEntry| entry.change.contains("\"shut_out_by\":\"mapping\"");
        let shut_out: Vec<(String, String)> = crate::audit::trail(app, "org_1")
            .into_iter()
            .filter(|entry| of_mapping(entry) && ["u1", "u9"].contains(&entry.subject.as_str()))
            .map(|entry| (entry.kind, entry.subject))
            .collect();
        let of = |kind: &str, user: &str| shut_out.contains(&(kind.to_owned(), user.to_owned()));
        assert!(of("access.lost", "u1") && of("user.created", "u9"), "{shut_out:?}");
    }
}
