//! Requests of Okta. In brackets: the source, by the list of docs/scim.md.

use serde_json::{Value, json};

use super::{Client, client::user, on};
use crate::harness::{TestApp, both};

both! {
    // [Okta lab notes]
    fn okta_probe(app, on) {
        let client = Client::of(app);
        for name in ["ada", "bo", "cy"] {
            client.user(name);
        }
        let body = client.get("/Users?startIndex=1&count=2").with(200);
        assert_eq!(
            (&body["totalResults"], &body["startIndex"], &body["itemsPerPage"]),
            (&json!(3), &json!(1), &json!(2))
        );
        let ids = |path: &str| -> Vec<Value> {
            client.get(path).with(200)["Resources"].as_array().unwrap().iter().map(|user| user["id"].clone()).collect()
        };
        let all = ids("/Users?startIndex=1&count=100");
        assert_eq!([ids("/Users?startIndex=1&count=2"), ids("/Users?startIndex=3&count=2")].concat(), all);
        assert_eq!(ids("/Users?startIndex=4&count=2"), Vec::<Value>::new());
    }
}

/// All bytes that the database has stored about deliveries and documents.
fn stored(app: &TestApp) -> String {
    use diesel::{QueryDsl, RunQueryDsl};
    use rosterd::db::{DbError, schema::inbox};
    let bodies: Vec<Vec<u8>> =
        app.database().read::<_, DbError>(|conn| Ok(inbox::table.select(inbox::body).load(conn)?)).unwrap();
    bodies.iter().map(|body| String::from_utf8_lossy(body).into_owned()).collect()
}

both! {
    // [Okta's SCIM reference]
    fn okta_create_password(app, on) {
        let client = Client::of(app);
        let mut body = user("noor");
        body["password"] = json!("hunter2hunter2");
        body["groups"] = json!([]);
        let created = client.post("/Users", &body);
        created.with(201);
        let id = created.json()["id"].as_str().unwrap().to_owned();
        client.patch(&format!("/Users/{id}"), &json!([{"op": "replace", "path": "password", "value": "hunter2hunter2"}, {"op": "replace", "value": {"password": "hunter2hunter2", "title": "x"}}])).with(200);
        let read = client.get(&format!("/Users/{id}"));
        for text in [created.text, read.text, stored(app)] {
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
}

both! {
    // [Okta lab notes]
    fn okta_put_profile(app, on) {
        let client = Client::of(app);
        let mut body = user("noor");
        body["urn:okta:custom:user:1.0"] = json!({"badge": 7});
        let path = format!("/Users/{}", client.created("/Users", &body));
        let before = client.get(&path).with(200);
        assert_eq!(client.put(&path, &before).with(200), before, "nothing has changed");
        let mut changed = before.clone();
        changed["title"] = json!("Pilot");
        let mut after = client.put(&path, &changed).with(200);
        assert_eq!(after["title"], "Pilot");
        assert_ne!(after["meta"]["version"], before["meta"]["version"]);
        after.as_object_mut().unwrap().remove("title");
        after["meta"] = before["meta"].clone();
        assert_eq!(after, before);
    }
}

both! {
    // [Okta lab notes]
    fn okta_put_deactivate(app, on) {
        let client = Client::of(app);
        let id = client.user("noor");
        let mut body = client.get(&format!("/Users/{id}")).with(200);
        body["active"] = json!(false);
        assert_eq!(client.put(&format!("/Users/{id}"), &body).with(200)["active"], false);
        assert_eq!((client.status(&id), app.notices()), ("inactive".to_owned(), vec![id]));
    }
}

both! {
    // [Okta's SCIM reference]
    fn okta_patch_pathless(app, on) {
        let client = Client::of(app);
        let id = client.user("noor");
        let body = client.patch(&format!("/Users/{id}"), &json!([{"op": "replace", "value": {"active": false}}])).with(200);
        assert_eq!(body["active"], false);
        assert_eq!((client.status(&id), app.notices()), ("inactive".to_owned(), vec![id]));
    }
}

both! {
    // [better-auth#11111]
    fn okta_return_post(app, on) {
        let client = Client::of(app);
        let id = client.user("noor");
        client.patch(&format!("/Users/{id}"), &json!([{"op": "replace", "value": {"active": false}}])).with(200);
        // With the same id of the client, and another login name.
        let mut body = user("noor");
        body["userName"] = json!("noor.vale@lumen.example");
        let returned = client.post("/Users", &body).with(201);
        assert_eq!((&returned["id"], &returned["active"]), (&json!(id), &json!(true)));
        assert_eq!((client.status(&id), client.column(&id, "username")), ("active".to_owned(), json!("noor.vale@lumen.example")));
    }
}

both! {
    // [Okta's SCIM reference, langwatch#7131]
    fn okta_rename_with_id(app, on) {
        let client = Client::of(app);
        let id = client.user("noor");
        let group = client.group("Crew", &[&id]);
        let body = client.patch(&format!("/Groups/{group}"), &json!([{"op": "replace", "value": {"id": group, "displayName": "Harbour crew"}}])).with(200);
        assert_eq!((&body["displayName"], &body["members"][0]["value"]), (&json!("Harbour crew"), &json!(id)));
        assert_eq!(client.members(&group), [id]);
    }
}

both! {
    // [Okta's SCIM reference]
    fn okta_remove_and_add(app, on) {
        let client = Client::of(app);
        let (ada, bo) = (client.user("ada"), client.user("bo"));
        let group = client.group("Crew", &[&ada]);
        let operations = json!([
            {"op": "remove", "path": format!("members[value eq \"{ada}\"]")},
            {"op": "add", "path": "members", "value": [{"value": bo, "display": "bo@lumen.example"}]},
        ]);
        client.patch(&format!("/Groups/{group}"), &operations).with(200);
        assert_eq!(client.members(&group), [bo]);
    }
}

both! {
    // [SCIM-SDK#757]
    fn okta_push_empty(app, on) {
        let client = Client::of(app);
        let id = client.user("noor");
        let group = client.group("Crew", &[&id]);
        let body = client.patch(&format!("/Groups/{group}"), &json!([{"op": "replace", "path": "members", "value": []}])).with(200);
        assert!(body.get("members").is_none());
        assert_eq!(client.members(&group), Vec::<String>::new());
    }
}

both! {
    // [ory/polis#3136]
    fn okta_group_create_with_members(app, on) {
        let client = Client::of(app);
        let (ada, bo) = (client.user("ada"), client.user("bo"));
        let group = client.group("Crew", &[&ada]);
        assert_eq!(client.members(&group), std::slice::from_ref(&ada));
        let path = format!("/Groups/{group}");
        client.put(&path, &json!({"displayName": "Crew", "members": [{"value": bo}]})).with(200);
        assert_eq!(client.members(&group), std::slice::from_ref(&bo));
        client.put(&path, &json!({"displayName": "Port crew"})).with(200);
        assert_eq!(client.members(&group), [bo], "no members means that they stay");
        client.put(&path, &json!({"displayName": "Port crew", "members": null})).with(200);
        assert_eq!(client.members(&group), Vec::<String>::new());
    }
}

both! {
    // [Okta lab notes, tuist#11688]
    fn okta_error_is_json(app, |config| {
        super::on(config);
        config.scim.max_body_bytes = 2_000;
    }) {
        let client = Client::of(app);
        let mut large = user("noor");
        large["title"] = json!("x".repeat(3_000));
        assert_eq!(client.post("/Users", &large).error(413), "");
        assert_eq!(client.send(client.request("POST", "/Users").body("{")).error(400), "invalidSyntax");
        assert_eq!(client.get("/nothing").error(404), "");
        assert_eq!(client.send(client.request("PUT", "/Users").body("{}")).error(405), "");
        assert_eq!(client.send(client.request("DELETE", "/Schemas")).error(405), "");
        assert_eq!(client.get("/Me").error(501), "");
        assert_eq!(client.get("/Schemas?filter=id pr").error(403), "");
    }
}
