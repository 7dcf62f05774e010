//! Cases of every identity provider. In brackets: the source, by the list of docs/scim.md.

use serde_json::json;

use super::{Client, client::user, on};
use crate::harness::both;

both! {
    // [Okta's SPEC test, Google's log]
    fn common_json_content_type(app, on) {
        let client = Client::of(app);
        for (kind, name) in [("application/json; charset=UTF-8", "noor"), ("application/scim+json", "ada"), ("", "bo")] {
            let mut request = client.request("POST", "/Users").body(user(name).to_string());
            if !kind.is_empty() {
                request = request.header("Content-Type", kind);
            }
            let reply = client.send(request);
            let body = reply.with(201);
            assert_eq!(reply.headers["content-type"], "application/scim+json");
            assert_eq!(body["meta"]["location"], reply.headers["location"]);
            assert_eq!(body["meta"]["version"], reply.headers["etag"]);
            assert_eq!(client.status(body["id"].as_str().unwrap()), "active");
        }
    }
}

both! {
    // [Okta's SPEC test]
    fn common_token_wrong(app, on) {
        let client = Client::of(app);
        let other = Client::of_tenant(app, "org_2");
        let id = client.user("noor");
        for path in ["/Users".to_owned(), format!("/Users/{id}"), "/ServiceProviderConfig".to_owned(), "/nothing".to_owned()] {
            for token in ["", "Bearer", "Bearer x", "Basic eDp5", &format!("Bearer {}", other.token), &format!("Bearer {}0", client.token)] {
                let request = client.http.get(format!("{}{path}", client.base)).header("Authorization", token);
                let reply = client.send(request);
                assert_eq!(reply.error(401), "");
                assert!(reply.headers["www-authenticate"].starts_with("Bearer"));
                assert!(!reply.text.contains("org_"), "{}", reply.text);
            }
        }
        let unknown = client.base.replace("dir-", "dir-0");
        assert_eq!(client.send(client.http.get(format!("{unknown}/Users")).bearer_auth(&client.token)).error(401), "");
    }
}

both! {
    // [suna#7297]
    fn common_no_user_agent(app, on) {
        let client = Client::of(app);
        let reply = client.get("/Users?filter=userName eq \"nobody\"");
        assert_eq!(reply.with(200)["totalResults"], 0);
    }
}

both! {
    // [Microsoft Q&A 1151866, itsaplan#250]
    fn common_repeat_post(app, on) {
        let client = Client::of(app);
        let id = client.user("noor");
        let again = client.post("/Users", &user("noor"));
        assert_eq!(again.error(409), "uniqueness");
        assert!(again.text.contains(&id));
        assert_eq!(client.listed("/Users").len(), 1);
        assert_eq!(client.status(&id), "active");
    }
}

both! {
    // [onyx#12966]
    fn common_two_posts_at_once(app, on) {
        let client = Client::of(app);
        let request = || client.request("POST", "/Users").body(user("noor").to_string());
        let replies = client.all(vec![request(), request(), request(), request()]);
        let mut statuses: Vec<u16> = replies.iter().map(|reply| reply.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409, 409, 409]);
        assert_eq!(client.listed("/Users").len(), 1);
    }
}

both! {
    // [Microsoft's SCIM guide, Okta's SPEC test]
    fn common_filter_stranger(app, on) {
        let client = Client::of(app);
        client.user("noor");
        let body = client.get("/Users?filter=userName eq \"nobody@lumen.example\"").with(200);
        assert_eq!((&body["totalResults"], &body["Resources"]), (&json!(0), &json!([])));
    }
}

both! {
    // [RFC 7644 3.6]
    fn common_gone(app, on) {
        let client = Client::of(app);
        let (id, group) = (client.user("noor"), client.group("Crew", &[]));
        assert_eq!(client.delete(&format!("/Users/{id}")).status, 204);
        assert_eq!(client.delete(&format!("/Groups/{group}")).status, 204);
        for path in [format!("/Users/{id}"), format!("/Groups/{group}"), "/Users/strange".to_owned()] {
            assert_eq!(client.get(&path).error(404), "");
            assert_eq!(client.put(&path, &user("noor")).error(404), "");
            assert_eq!(client.patch(&path, &json!([{"op": "replace", "path": "externalId", "value": "x"}])).error(404), "");
            assert_eq!(client.delete(&path).error(404), "");
        }
        assert_eq!(client.status(&id), "inactive");
        assert_eq!(app.notices().len(), 1);
        // The login name of a leaver is free.
        assert_ne!(client.user("noor"), id);
    }
}
