//! Requests of Entra ID, without and with its flag `aadOptscim062020`. In brackets: the source, by the list of docs/scim.md.

use rosterd::tables::host_tables::USER_ROLES;
use serde_json::{Value, json};

use super::{Client, client::user, on};
use crate::harness::both;

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

both! {
    // [Microsoft's known issues]
    fn entra_disable_text(app, on) {
        let client = Client::of(app);
        let id = client.user("noor");
        let body = client.patch(&format!("/Users/{id}"), &json!([{"op": "Replace", "path": "active", "value": "False"}])).with(200);
        assert_eq!(body["active"], false);
        assert_eq!((client.status(&id), app.notices()), ("inactive".to_owned(), vec![id]));
    }
}

both! {
    // [SCIMReferenceCode#21]
    fn entra_enable_text_post(app, on) {
        let client = Client::of(app);
        let mut body = user("noor");
        body["active"] = json!("True");
        body["emails"][0]["primary"] = json!("True");
        body["roles"] = json!([]);
        body["meta"] = json!({"resourceType": "User"});
        let created = client.post("/Users", &body).with(201);
        assert_eq!((&created["active"], &created["emails"][0]["primary"]), (&json!(true), &json!(true)));
        assert_eq!(client.status(created["id"].as_str().unwrap()), "active");
    }
}

both! {
    // [Microsoft's known issues]
    fn entra_disable_flag(app, on) {
        let client = Client::of(app);
        let id = client.user("noor");
        let body = client.patch(&format!("/Users/{id}?aadOptscim062020"), &json!([{"op": "replace", "path": "active", "value": false}])).with(200);
        assert_eq!(body["active"], false);
        assert_eq!(client.status(&id), "inactive");
    }
}

both! {
    // [How application provisioning works]
    fn entra_reactivate_keeps_groups(app, on) {
        let client = Client::of(app);
        let mut body = user("noor");
        body["roles"] = json!([{"value": "pilot"}]);
        let id = client.created("/Users", &body);
        let group = client.group("Crew", &[&id]);
        let roles = || app.brief(USER_ROLES, &["user_id", "role_slug"]);
        let (members, before) = (client.members(&group), roles());
        assert_eq!((members.as_slice(), before.len()), ([id.clone()].as_slice(), 1));
        let path = format!("/Users/{id}");
        client.patch(&path, &json!([{"op": "Replace", "path": "active", "value": "False"}])).with(200);
        assert_eq!((client.members(&group), roles()), (vec![], vec![]));
        client.patch(&path, &json!([{"op": "Replace", "path": "active", "value": "True"}])).with(200);
        assert_eq!((client.members(&group), roles()), (members, before));
    }
}

/// A group of three, and their ids.
fn crew(client: &Client<'_>) -> (String, Vec<String>) {
    let mut ids: Vec<String> = ["ada", "bo", "cy"].iter().map(|name| client.user(name)).collect();
    ids.sort();
    let borrowed: Vec<&str> = ids.iter().map(String::as_str).collect();
    (client.group("Crew", &borrowed), ids)
}

/// The members of a group for the client, which are those for the application.
fn members(client: &Client<'_>, group: &str) -> Vec<String> {
    let body = client.get(&format!("/Groups/{group}")).with(200);
    let mut ids: Vec<String> = body["members"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default()
        .iter()
        .map(|member| member["value"].as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    let mut shown = client.members(group);
    shown.sort();
    assert_eq!(ids, shown);
    ids
}

both! {
    // [Microsoft's known issues]
    fn entra_member_remove_value(app, on) {
        let client = Client::of(app);
        let (group, ids) = crew(&client);
        client.patch(&format!("/Groups/{group}"), &json!([{"op": "Remove", "path": "members", "value": [{"value": ids[1]}]}])).with(200);
        assert_eq!(members(&client, &group), [ids[0].clone(), ids[2].clone()]);
    }
}

both! {
    // [Microsoft's known issues]
    fn entra_member_remove_filter(app, on) {
        let client = Client::of(app);
        let (group, ids) = crew(&client);
        client.patch(&format!("/Groups/{group}"), &json!([{"op": "remove", "path": format!("members[value eq \"{}\"]", ids[1])}])).with(200);
        assert_eq!(members(&client, &group), [ids[0].clone(), ids[2].clone()]);
    }
}

both! {
    fn entra_member_remove_stranger(app, on) {
        let client = Client::of(app);
        let (group, ids) = crew(&client);
        let path = format!("/Groups/{group}");
        let version = client.get(&path).with(200)["meta"]["version"].clone();
        client.patch(&path, &json!([{"op": "Remove", "path": "members", "value": [{"value": "u-17"}]}])).with(200);
        client.patch(&path, &json!([{"op": "remove", "path": "members[value eq \"u-17\"]"}])).with(200);
        assert_eq!(members(&client, &group), ids);
        assert_eq!(client.get(&path).with(200)["meta"]["version"], version, "nothing has changed");
    }
}

both! {
    // [Microsoft's SCIM guide]
    fn entra_member_add_ref_null(app, on) {
        let client = Client::of(app);
        let (id, group) = (client.user("noor"), client.group("Crew", &[]));
        for _ in 0..2 {
            client.patch(&format!("/Groups/{group}"), &json!([{"op": "Add", "path": "members", "value": [{"$ref": null, "value": id}]}])).with(200);
        }
        assert_eq!(members(&client, &group), [id]);
    }
}

both! {
    // [scimmy#79]
    fn entra_members_parallel(app, on) {
        let client = Client::of(app);
        let ids: Vec<String> = (0..20).map(|n| client.user(&format!("u{n}"))).collect();
        let group = client.group("Crew", &[]);
        let add = |id: &String| {
            let operations = json!({"Operations": [{"op": "Add", "path": "members", "value": [{"value": id}]}]});
            client.request("PATCH", &format!("/Groups/{group}")).body(operations.to_string())
        };
        let replies = client.all(ids.iter().map(add).collect());
        assert!(replies.iter().all(|reply| reply.status == 200));
        let mut ids = ids;
        ids.sort();
        assert_eq!(members(&client, &group), ids);
    }
}

both! {
    // [scim-patch#176, #187]
    fn entra_email_value_path_absent(app, on) {
        let client = Client::of(app);
        let id = client.created("/Users", &json!({"userName": "noor"}));
        let operations = json!([{"op": "Add", "path": "emails[type eq \"work\"].value", "value": "noor@lumen.example"}]);
        let body = client.patch(&format!("/Users/{id}"), &operations).with(200);
        assert_eq!(body["emails"], json!([{"type": "work", "value": "noor@lumen.example"}]));
        assert_eq!(client.column(&id, "email"), "noor@lumen.example");
    }
}

both! {
    // [SimpleIdServer#808]
    fn entra_address_parts(app, on) {
        let client = Client::of(app);
        let id = client.user("noor");
        let parts = ["streetAddress", "locality", "region", "postalCode", "country"];
        let operations: Vec<Value> = parts
            .iter()
            .map(|part| json!({"op": "Add", "path": format!("addresses[type eq \"work\"].{part}"), "value": part}))
            .collect();
        let body = client.patch(&format!("/Users/{id}"), &json!(operations)).with(200);
        assert_eq!(body["addresses"].as_array().unwrap().len(), 1);
        assert_eq!(body["addresses"][0].as_object().unwrap().len(), 6);
    }
}

both! {
    // [Microsoft's known issues]
    fn entra_dotted_keys(app, on) {
        let client = Client::of(app);
        let id = client.user("noor");
        let operations = json!([{"op": "replace", "value": {
            "displayName": "Noor Vale", "name.givenName": "Noor", format!("{ENTERPRISE}:department"): "Port",
        }}]);
        let body = client.patch(&format!("/Users/{id}"), &operations).with(200);
        assert_eq!(body["name"], json!({"givenName": "Noor", "familyName": "Vale"}));
        assert_eq!(body[ENTERPRISE], json!({"department": "Port"}));
        assert!(body.get("name.givenName").is_none());
        assert_eq!(body["schemas"], json!(["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE]));
        let attributes = client.column(&id, "custom_attributes");
        assert_eq!(attributes[ENTERPRISE]["department"], "Port", "{attributes}");
    }
}

both! {
    // [better-auth#10682]
    fn entra_value_path_and_disable(app, on) {
        let client = Client::of(app);
        let id = client.user("noor");
        let operations = json!([
            {"op": "Replace", "path": "phoneNumbers[type eq \"mobile\"].value", "value": "+1"},
            {"op": "Replace", "path": "active", "value": "False"},
        ]);
        let body = client.patch(&format!("/Users/{id}"), &operations).with(200);
        assert_eq!((&body["active"], &body["phoneNumbers"][0]["value"]), (&json!(false), &json!("+1")));
        assert_eq!(client.status(&id), "inactive");
    }
}

both! {
    // [Microsoft's validation tests]
    fn entra_null_and_empty(app, on) {
        let client = Client::of(app);
        let id = client.user("noor");
        for value in [json!(""), json!(null)] {
            client.patch(&format!("/Users/{id}"), &json!([{"op": "Add", "path": "title", "value": "Pilot"}])).with(200);
            assert_eq!(client.column(&id, "job_title"), "Pilot");
            let body = client.patch(&format!("/Users/{id}"), &json!([{"op": "Replace", "path": "title", "value": value}])).with(200);
            assert!(body.get("title").is_none());
            assert_eq!(client.column(&id, "job_title"), Value::Null);
        }
    }
}

both! {
    // [OctopusDeploy#9841, RFC 7643 3.1]
    fn entra_externalid_filter(app, on) {
        let client = Client::of(app);
        client.user("noor");
        assert_eq!(client.listed("/Users?filter=externalId eq \"ext-noor\"").len(), 1);
        assert_eq!(client.listed("/Users?filter=externalId eq \"EXT-NOOR\"").len(), 0);
        assert_eq!(client.listed("/Users?filter=USERNAME eq \"NOOR@lumen.example\"").len(), 1);
        assert_eq!(client.listed("/Users?filter=emails[type eq \"work\"].value eq \"NOOR@lumen.example\"").len(), 1);
    }
}

both! {
    // [Microsoft's SCIM guide]
    fn entra_group_lookup(app, on) {
        let client = Client::of(app);
        let id = client.user("noor");
        client.group("Harbour crew", &[&id]);
        client.group("Harbour", &[]);
        let found = client.listed("/Groups?excludedAttributes=members&filter=displayName eq \"harbour CREW\"");
        assert_eq!((found.len(), &found[0]["displayName"]), (1, &json!("Harbour crew")));
        assert!(found[0].get("members").is_none());
        assert!(client.listed("/Groups?filter=displayName eq \"Harbour crew\"")[0].get("members").is_some());
    }
}

both! {
    // [Microsoft's SCIM guide]
    fn entra_group_extra_schema(app, on) {
        let client = Client::of(app);
        let body = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group", "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],
            "externalId": "8aa1a0c0", "displayName": "Harbour crew", "meta": {"resourceType": "Group"},
        });
        let created = client.post("/Groups", &body).with(201);
        assert_eq!((&created["externalId"], &created["schemas"]), (&json!("8aa1a0c0"), &json!(["urn:ietf:params:scim:schemas:core:2.0:Group"])));
    }
}

both! {
    // [How application provisioning works]
    fn entra_soft_then_hard(app, on) {
        let client = Client::of(app);
        let id = client.user("noor");
        client.patch(&format!("/Users/{id}"), &json!([{"op": "Replace", "path": "active", "value": "False"}])).with(200);
        assert_eq!(client.listed("/Users?filter=userName eq \"noor@lumen.example\"")[0]["active"], false);
        assert_eq!(client.status(&id), "inactive");
        assert_eq!(client.delete(&format!("/Users/{id}")).status, 204);
        assert_eq!((client.status(&id), app.notices()), ("inactive".to_owned(), vec![id]));
    }
}

both! {
    // [gitlab#433194, Microsoft's validation tests]
    fn entra_reassign_post(app, on) {
        let client = Client::of(app);
        let id = client.user("noor");
        let person = client.column(&id, "person_id");
        client.patch(&format!("/Users/{id}"), &json!([{"op": "Replace", "path": "active", "value": "False"}])).with(200);
        assert_eq!(client.user("noor"), id);
        assert_eq!((client.status(&id), client.column(&id, "person_id")), ("active".to_owned(), person));
    }
}
