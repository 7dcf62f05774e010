//! How a text finds a user: by id or address, equally on both databases, and never the wrong one.

use diesel::{QueryableByName, RunQueryDsl, sql_query, sql_types::Text};
use rosterd::{
    db::{Conn, DbError},
    operator::{
        erase::{EraseError, erase},
        explain::{ExplainError, explain},
        manual_roles::{ManualRoleError, OperatorAt},
    },
    tables::{
        host_tables::USERS,
        user_lookup::{LookupError, named},
    },
};
use serde_json::{Value, json};

use crate::{
    harness::{
        TestApp, both,
        broker::{event, user, with},
    },
    roles::{give, now},
};

fn addressed(id: &str, email: &str) -> Value {
    let data = with(user(id, "active", 1), json!({"email": email}));
    event(&format!("created_{id}"), "dsync.user.created", 1, data)
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    user_id: String,
}

/// The query of docs/integrating.md, literally except for the parameter marks on SQLite.
fn signs_in(app: &TestApp, address: &str) -> Vec<String> {
    let document = include_str!("../../docs/integrating.md");
    let of = |database: &str| {
        let blocks = document.split("```sql\n").filter_map(|block| block.strip_prefix(database));
        let mut blocks = blocks.filter(|block| block.contains("found_by = 'email_key'"));
        blocks.next().unwrap().split(';').next().unwrap().to_owned()
    };
    let rows: Vec<Row> = app
        .database()
        .read::<_, DbError>(|conn| {
            Ok(match conn {
                Conn::Postgres(pg) => {
                    let sql = of("-- on PostgreSQL\n");
                    sql_query(sql).bind::<Text, _>("org_1").bind::<Text, _>(address).load(pg)?
                }
                Conn::Sqlite(sqlite) => {
                    let sql = of("-- on SQLite\n").replace('$', "?");
                    sql_query(sql).bind::<Text, _>("org_1").bind::<Text, _>(address).load(sqlite)?
                }
            })
        })
        .unwrap();
    rows.into_iter().map(|row| row.user_id).collect()
}

fn found(app: &TestApp, text: &str) -> Vec<String> {
    let ids = app.database().read::<_, LookupError>(|conn| named(conn, "org_1", text)).unwrap();
    ids.into_iter().collect()
}

both! {
    fn addresses_are_compared_by_folded_ascii_letters_and_nothing_else(app) {
        app.play(&[
            addressed("u_kim", "Kim@acme.example"),
            addressed("u_asa", "Åsa@acme.example"),
            addressed("u_ipek", "İpek@acme.example"),
            addressed("u_none", "none@acme.example"),
        ]);

        for (text, expected) in [
            ("kim@acme.example", Some("u_kim")),
            ("KIM@ACME.EXAMPLE", Some("u_kim")),
            ("\u{212a}im@acme.example", None),
            ("Åsa@ACME.example", Some("u_asa")),
            ("ÅSA@acme.example", Some("u_asa")),
            ("åsa@acme.example", None),
            ("İPEK@acme.example", Some("u_ipek")),
            ("ipek@acme.example", None),
            ("i\u{307}pek@acme.example", None),
        ] {
            let expected: Vec<&str> = expected.into_iter().collect();
            assert_eq!(found(app, text), expected, "the look-up of {text}");
            assert_eq!(signs_in(app, text), expected, "the query of {text}");
        }
        assert_eq!(app.brief(USERS, &["email", "email_key"])[0], "Åsa@acme.example Åsa@acme.example");
    }
}

both! {
    fn the_key_of_an_address_follows_the_address(app) {
        app.play(&[addressed("u1", "Old@acme.example")]);
        let data = with(user("u1", "active", 2), json!({"email": "NEW@acme.example"}));
        app.play(&[event("e2", "dsync.user.updated", 2, data)]);
        assert_eq!((found(app, "old@acme.example").len(), found(app, "new@acme.example")), (0, vec!["u1".to_owned()]));

        app.play(&[event("e3", "dsync.user.updated", 3, with(user("u1", "active", 3), json!({"email": null})))]);
        assert_eq!(app.rows(USERS)[0]["email_key"], Value::Null);
    }
}

both! {
    fn a_text_that_is_one_users_id_and_anothers_address_is_refused(app) {
        let both_of_them = "ada@acme.example";
        app.play(&[addressed(both_of_them, "other@acme.example"), addressed("u2", "Ada@acme.example")]);
        let ambiguous = |error: &LookupError| matches!(error, LookupError::Ambiguous { meant, .. } if meant.len() == 2);
        let (database, rules) = (app.database(), app.config.rules());

        let given = give(app, both_of_them, "member").unwrap_err();
        assert!(matches!(&given, ManualRoleError::Lookup(error) if ambiguous(error)), "{given}");
        assert!(given.to_string().contains("id:ada@acme.example"), "{given}");
        let explained = explain(database, &rules, "org_1", both_of_them).unwrap_err();
        assert!(matches!(&explained, ExplainError::Lookup(error) if ambiguous(error)), "{explained}");
        let erased = erase(database, &rules, "org_1", both_of_them, OperatorAt { name: "ada", now: now() }).unwrap_err();
        assert!(matches!(&erased, EraseError::Lookup(error) if ambiguous(error)), "{erased}");

        // Each of them can still be named.
        for text in ["id:ada@acme.example", "other@acme.example"] {
            assert_eq!(found(app, text), [both_of_them]);
        }
        for text in ["u2", "email:ADA@acme.example"] {
            assert_eq!(found(app, text), ["u2"]);
        }
        give(app, "id:ada@acme.example", "member").unwrap();
    }
}

both! {
    fn a_text_that_is_a_users_id_and_their_own_address_names_them(app) {
        app.play(&[addressed("ada@acme.example", "Ada@acme.example")]);

        assert_eq!(found(app, "ada@acme.example"), ["ada@acme.example"]);
        assert_eq!(found(app, "ADA@acme.example"), ["ada@acme.example"]);
    }
}
