//! Rules of the RFCs that no public tester looks at: paging, cursors, preconditions, atomicity, Bulk, tokens.

use rosterd::{
    operator::{manual_roles::OperatorAt, scim_access},
    tables::host_tables::{DIRECTORIES, TENANTS},
};
use serde_json::{Value, json};

use super::{Client, client::user, on};
use crate::harness::both;

both! {
    fn a_new_directory_has_its_rows_before_the_first_request(app, on) {
        let client = Client::of(app);
        assert_eq!(app.brief(DIRECTORIES, &["tenant_id", "name", "type", "state"]), ["org_1 Lumen okta scim v2.0 active"]);
        assert_eq!(app.brief(TENANTS, &["id"]), ["org_1"]);
        assert!(!client.base.contains('_'), "{}", client.base);
    }
}

both! {
    fn pages_by_cursor_are_complete_while_rows_change(app, on) {
        let client = Client::of(app);
        let ids: Vec<String> = (0..7).map(|n| client.user(&format!("u{n}"))).collect();
        let first = client.get("/Users?cursor&count=3").with(200);
        assert_eq!((&first["totalResults"], first.get("startIndex")), (&json!(7), None));
        let next = first["nextCursor"].as_str().unwrap();
        let seen: Vec<&str> = first["Resources"].as_array().unwrap().iter().map(|user| user["id"].as_str().unwrap()).collect();
        // One of the first page goes, and shifts no other.
        client.delete(&format!("/Users/{}", seen[0]));
        let second = client.get(&format!("/Users?cursor={next}&count=3")).with(200);
        let third = client.get(&format!("/Users?cursor={}&count=3", second["nextCursor"].as_str().unwrap())).with(200);
        assert!(third.get("nextCursor").is_none());
        let mut all: Vec<String> = [&first, &second, &third]
            .iter()
            .flat_map(|page| page["Resources"].as_array().unwrap())
            .map(|user| user["id"].as_str().unwrap().to_owned())
            .collect();
        all.sort();
        let mut ids = ids.clone();
        ids.sort();
        assert_eq!(all, ids);

        assert_eq!(client.get(&format!("/Users?cursor={next}&count=4")).error(400), "invalidCount");
        assert_eq!(client.get(&format!("/Users?cursor={next}&count=3&filter=title pr")).error(400), "invalidCursor");
        assert_eq!(client.get(&format!("/Groups?cursor={next}&count=3")).error(400), "invalidCursor");
        assert_eq!(client.get("/Users?cursor=00&count=3").error(400), "invalidCursor");
        assert_eq!(client.get("/Users?cursor&startIndex=1").error(400), "invalidValue");
    }
}

both! {
    fn index_pages_are_clamped_and_counts_are_checked(app, on) {
        let client = Client::of(app);
        client.user("ada");
        client.user("bo");
        let none = client.get("/Users?count=0").with(200);
        assert_eq!((&none["totalResults"], &none["Resources"]), (&json!(2), &json!([])));
        assert_eq!(client.get("/Users?count=-1").with(200)["itemsPerPage"], 0);
        assert_eq!(client.get("/Users?startIndex=-3").with(200)["startIndex"], 1);
        assert_eq!(client.get("/Users?startIndex=9").with(200)["totalResults"], 2);
        assert_eq!(client.get("/Users?count=abc").error(400), "invalidValue");
        assert_eq!(client.get("/Users?filter=badge pr").error(400), "invalidFilter");
        assert_eq!(client.get("/Users?attributes=userName&excludedAttributes=title").error(400), "invalidValue");
        let sorted = client.get("/Users?sortBy=userName&sortOrder=descending&attributes=userName").with(200);
        assert_eq!(sorted["Resources"][0]["userName"], "bo@lumen.example");
        assert!(sorted["Resources"][0].get("emails").is_none() && sorted["Resources"][0].get("id").is_some());
    }
}

both! {
    fn a_search_message_is_a_list(app, on) {
        let client = Client::of(app);
        client.user("ada");
        client.group("Crew", &[]);
        let search = |filter: Value| json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": filter, "attributes": ["id", "displayName"]});
        assert_eq!(client.post("/Users/.search", &search(json!("userName sw \"ADA\""))).with(200)["totalResults"], 1);
        assert_eq!(client.post("/.search", &search(json!("meta.created pr"))).with(200)["totalResults"], 2);
        let groups = client.post("/.search", &search(json!("members pr or displayName eq \"crew\""))).with(200);
        assert_eq!((&groups["totalResults"], &groups["Resources"][0]["displayName"]), (&json!(1), &json!("Crew")));
        assert_eq!(client.post("/.search", &search(json!("badge pr"))).error(400), "invalidFilter");
    }
}

both! {
    fn a_write_with_an_old_version_changes_nothing(app, on) {
        let client = Client::of(app);
        let path = format!("/Users/{}", client.user("noor"));
        let reply = client.get(&path);
        let etag = reply.headers["etag"].clone();
        assert_eq!(reply.json()["meta"]["version"], etag);
        let unchanged = client.send(client.request("GET", &path).header("If-None-Match", &etag));
        assert_eq!((unchanged.status, unchanged.text.as_str()), (304, ""));
        client.patch(&path, &json!([{"op": "replace", "path": "title", "value": "Pilot"}])).with(200);
        let patch = |tag: &str| {
            let body = json!({"Operations": [{"op": "replace", "path": "title", "value": "Captain"}]});
            client.send(client.request("PATCH", &path).header("If-Match", tag).body(body.to_string()))
        };
        assert_eq!(patch(&etag).error(412), "");
        assert_eq!(client.send(client.request("DELETE", &path).header("If-Match", &etag)).error(412), "");
        assert_eq!(client.get(&path).json()["title"], "Pilot");
        assert_eq!(patch("*").with(200)["title"], "Captain");
    }
}

both! {
    fn one_bad_operation_of_three_changes_nothing(app, on) {
        let client = Client::of(app);
        let (id, ada) = (client.user("noor"), client.user("ada"));
        let group = client.group("Crew", &[]);
        let before = client.get(&format!("/Users/{id}")).json();
        let operations = json!([
            {"op": "replace", "path": "title", "value": "Pilot"},
            {"op": "replace", "path": "badge", "value": "7"},
            {"op": "replace", "path": "active", "value": false},
        ]);
        assert_eq!(client.patch(&format!("/Users/{id}"), &operations).error(400), "invalidPath");
        assert_eq!(client.get(&format!("/Users/{id}")).json(), before);
        let operations = json!([
            {"op": "add", "path": "members", "value": [{"value": ada}]},
            {"op": "add", "path": "members", "value": [{"display": "nobody"}]},
        ]);
        assert_eq!(client.patch(&format!("/Groups/{group}"), &operations).error(400), "invalidValue");
        assert_eq!(client.members(&group), Vec::<String>::new());
        let mut taken = user("noor");
        taken["userName"] = json!("ADA@lumen.example");
        assert_eq!(client.put(&format!("/Users/{id}"), &taken).error(409), "uniqueness");
        assert_eq!(client.status(&id), "active");
    }
}

both! {
    fn bulk_operations_refer_to_each_other(app, on) {
        let client = Client::of(app);
        let request = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
            "Operations": [
                {"method": "POST", "path": "/Groups", "bulkId": "g", "data": {"displayName": "Crew", "members": [{"value": "bulkId:u"}]}},
                {"method": "POST", "path": "/Users", "bulkId": "u", "data": user("noor")},
                {"method": "PATCH", "path": "/Users/bulkId:u", "data": {"Operations": [{"op": "replace", "path": "title", "value": "Pilot"}]}},
                {"method": "POST", "path": "/Users", "bulkId": "v", "data": user("noor")},
                {"method": "DELETE", "path": "/Users/strange"},
            ],
        });
        let body = client.post("/Bulk", &request).with(200);
        let statuses: Vec<&str> = body["Operations"].as_array().unwrap().iter().map(|of| of["status"].as_str().unwrap()).collect();
        assert_eq!(statuses, ["201", "201", "200", "409", "404"], "{body}");
        assert_eq!(body["Operations"][3]["response"]["scimType"], "uniqueness");
        let group = client.listed("/Groups")[0]["id"].as_str().unwrap().to_owned();
        assert_eq!(client.members(&group).len(), 1);
        assert_eq!(client.listed("/Users")[0]["title"], "Pilot");
    }
}

both! {
    fn a_revoked_or_expired_token_opens_nothing(app, on) {
        let client = Client::of(app);
        client.user("noor");
        let by = || OperatorAt { name: "test", now: app.clock.now() };
        let until = app.clock.now().plus_seconds(3_600);
        let second = scim_access::rotate(app.database(), &client.directory_id, Some(until), by()).unwrap();
        let second = Client { token: second.secret, http: client.http.clone(), base: client.base.clone(), directory_id: client.directory_id.clone(), app };
        assert_eq!(client.get("/Users").status, 200, "both are valid");
        assert_eq!(second.get("/Users").status, 200);
        let all = app.database().read::<_, rosterd::db::DbError>(|conn| Ok(rosterd::tables::scim_tokens::all(conn)?)).unwrap();
        scim_access::revoke(app.database(), &all[0].id, by()).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(1_100));
        assert_eq!([client.get("/Users").status, second.get("/Users").status].iter().filter(|status| **status == 401).count(), 1);
        app.clock.advance_seconds(3_601);
        assert_eq!(second.get("/Users").status, 401);
        assert_eq!(scim_access::revoke_directory(app.database(), &client.directory_id, None, by()).unwrap(), 1);
        assert!(scim_access::rotate(app.database(), "dir-x", None, by()).is_err());
    }
}

both! {
    fn no_client_sees_or_changes_another_directory(app, on) {
        let (one, two) = (Client::of(app), Client::of(app));
        let id = one.user("noor");
        let group = two.group("Crew", &[]);
        assert_eq!(two.listed("/Users").len(), 0);
        assert_eq!(two.get(&format!("/Users/{id}")).error(404), "");
        assert_eq!(two.delete(&format!("/Users/{id}")).error(404), "");
        // A member that is unknown here is shown as it was written, and is nobody.
        let add = json!([{"op": "add", "path": "members", "value": [{"value": id}]}]);
        let body = two.patch(&format!("/Groups/{group}"), &add).with(200);
        assert_eq!(body["members"], json!([{"value": id}]));
        assert_eq!(two.members(&group), Vec::<String>::new());
        // The same login name in two directories is no conflict.
        assert_ne!(two.user("noor"), id);
        assert_eq!(one.status(&id), "active");
    }
}
