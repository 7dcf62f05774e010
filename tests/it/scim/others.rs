//! Requests of OneLogin, JumpCloud, Ping and Google. In brackets: the source, by the list of docs/scim.md.

use serde_json::json;

use super::{Client, client::user, on};
use crate::harness::both;

both! {
    // [authentik#11249]
    fn onelogin_query_form(app, on) {
        let client = Client::of(app);
        let id = client.user("noor");
        assert_eq!(client.listed("/Users?filter=userName+eq+%22noor@lumen.example%22&")[0]["id"], json!(id));
        assert_eq!(client.get(&format!("/Users/{id}?")).with(200)["id"], json!(id));
        assert_eq!(client.get(&format!("/users/{id}/")).with(200)["id"], json!(id));
    }
}

both! {
    // [authentik#11249, keepnetlabs]
    fn onelogin_old_urns(app, on) {
        let client = Client::of(app);
        let id = client.user("noor");
        let body = json!({
            "schemas": ["urn:scim:schemas:core:2.0"], "id": null, "userName": "noor@lumen.example", "active": "true",
            "emails": {"value": "noor@lumen.example"}, "urn:scim:schemas:core:2.0": {"title": "Pilot"},
        });
        let after = client.put(&format!("/Users/{id}"), &body).with(200);
        assert_eq!(after["schemas"], json!(["urn:ietf:params:scim:schemas:core:2.0:User"]));
        assert_eq!((&after["id"], &after["active"], &after["title"]), (&json!(id), &json!(true), &json!("Pilot")));
    }
}

both! {
    // [OneLogin's SCIM guide]
    fn onelogin_accept_json(app, on) {
        let client = Client::of(app);
        let reply = client.send(client.request("GET", "/Users").header("Accept", "application/json"));
        reply.with(200);
        assert_eq!(reply.headers["content-type"], "application/json");
        let both = client.request("GET", "/Users").header("Accept", "application/json, application/scim+json; charset=utf-8");
        assert_eq!(client.send(both).headers["content-type"], "application/scim+json");
    }
}

both! {
    // [scim_v2's samples of JumpCloud]
    fn jumpcloud_put_null_emails(app, on) {
        let client = Client::of(app);
        let id = client.user("noor");
        let body = json!({"userName": "noor", "externalId": "5f0e", "emails": null, "addresses": [], "active": true});
        let after = client.put(&format!("/Users/{id}"), &body).with(200);
        assert!(after.get("emails").is_none() && after.get("addresses").is_none());
        assert_eq!((client.status(&id), client.column(&id, "email")), ("active".to_owned(), json!(null)));
    }
}

both! {
    // [JumpCloud's guide]
    fn jumpcloud_test_run(app, on) {
        let client = Client::of(app);
        let id = client.user("probe");
        let group = client.group("Probe", &[]);
        client.put(&format!("/Users/{id}"), &user("probe2")).with(200);
        client.patch(&format!("/Groups/{group}"), &json!([{"op": "replace", "path": "displayName", "value": "Probe 2"}])).with(200);
        assert_eq!(client.delete(&format!("/Users/{id}")).status, 204);
        assert_eq!(client.delete(&format!("/Groups/{group}")).status, 204);
        assert_eq!((client.listed("/Users").len(), client.listed("/Groups").len()), (0, 0));
        assert_eq!(client.status(&id), "inactive");
    }
}

both! {
    // [PingFederate's settings]
    fn ping_emails_eq(app, on) {
        let client = Client::of(app);
        client.user("noor");
        client.user("ada");
        assert_eq!(client.listed("/Users?filter=emails eq \"NOOR@lumen.example\"").len(), 1);
    }
}

both! {
    // [PingFederate's known issues]
    fn ping_two_primaries(app, on) {
        let client = Client::of(app);
        let id = client.user("noor");
        let mut body = user("noor");
        body["emails"] = json!([{"value": "a@x", "primary": true, "type": "work"}, {"value": "b@x", "primary": true, "type": "home"}]);
        let first = client.put(&format!("/Users/{id}"), &body).with(200);
        assert_eq!((&first["emails"][0]["primary"], &first["emails"][1]["primary"]), (&json!(false), &json!(true)));
        assert_eq!(client.put(&format!("/Users/{id}"), &body).with(200), first);
        assert_eq!(client.column(&id, "email"), "b@x");
    }
}

both! {
    // [Google's log, docs.rootly.com]
    fn google_borrowed_extension(app, on) {
        let client = Client::of(app);
        let mut body = user("noor");
        let urn = "urn:ietf:params:scim:schemas:extension:Adobe:2.0:User";
        body["schemas"] = json!(["urn:ietf:params:scim:schemas:core:2.0:User", urn]);
        body[urn] = json!({"emailAliases": ["n@lumen.example"], "eduRole": "x"});
        let request = client.request("POST", "/Users").header("Content-Type", "application/json").header("User-Agent", "Google-Auto-Provisioning");
        let created = client.send(request.body(body.to_string())).with(201);
        assert_eq!((&created[urn], &created["schemas"]), (&body[urn], &body["schemas"]));
        assert_eq!(client.column(created["id"].as_str().unwrap(), "custom_attributes")[urn]["eduRole"], "x");
    }
}
