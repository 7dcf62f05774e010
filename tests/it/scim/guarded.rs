//! SCIM writes meet the guard and erasure as broker events do.

use diesel::{QueryDsl, RunQueryDsl};
use rosterd::{
    db::{DbError, schema::inbox},
    operator::{erase::erase, manual_roles::OperatorAt},
    tables::host_tables::USERS,
};
use serde_json::json;

use super::{Client, client::user, on};
use crate::harness::both;

both! {
    fn a_held_loss_is_accepted_and_shown_as_the_identity_provider_wrote_it(app, on) {
        let client = Client::of(app);
        let ids: Vec<String> = (0..30).map(|n| client.user(&format!("u{n}"))).collect();
        app.clock.advance_seconds(3_600);
        for id in ids.iter().take(15) {
            let body = client.patch(&format!("/Users/{id}"), &json!([{"op": "replace", "path": "active", "value": false}])).with(200);
            assert_eq!(body["active"], false);
        }
        assert_eq!(client.listed("/Users?filter=active eq false&count=100").len(), 15);
        let active = app.brief(USERS, &["status"]).iter().filter(|status| *status == "active").count();
        assert!(active > 15, "{active} of 30 have access: the guard holds the others");
        let held = active - 15;
        // The identity provider corrects it, and nothing is held any more.
        for id in ids.iter().take(15) {
            client.patch(&format!("/Users/{id}"), &json!([{"op": "replace", "path": "active", "value": true}])).with(200);
        }
        assert_eq!(app.brief(USERS, &["status"]).iter().filter(|status| *status == "active").count(), 30, "{held}");
    }
}

both! {
    fn an_erased_leaver_is_in_no_delivery_and_no_document(app, on) {
        let client = Client::of(app);
        let mut body = user("noor");
        body["displayName"] = json!("Noor Zephyrine Vale");
        let id = client.created("/Users", &body);
        let other = client.user("ada");
        client.group("Crew", &[&id, &other]);
        client.patch(&format!("/Users/{id}"), &json!([{"op": "replace", "path": "title", "value": "Zephyrine's pilot"}])).with(200);
        client.patch(&format!("/Users/{id}"), &json!([{"op": "replace", "path": "active", "value": false}])).with(200);
        let by = OperatorAt { name: "test", now: app.clock.now() };
        let erased = erase(app.database(), &app.config.rules(), "org_1", &id, by).unwrap();
        assert_eq!((erased.deliveries >= 3, erased.left), (true, vec![]));
        let bodies: Vec<Vec<u8>> =
            app.database().read::<_, DbError>(|conn| Ok(inbox::table.select(inbox::body).load(conn)?)).unwrap();
        for body in bodies {
            let text = String::from_utf8(body).unwrap();
            assert!(!text.contains("noor") && !text.contains("Zephyrine"), "{text}");
        }
        assert_eq!(client.get(&format!("/Users/{id}")).error(404), "");
        assert_eq!(client.status(&other), "active");
        assert_ne!(client.user("noor"), id, "a person who comes back is a new resource");
    }
}
