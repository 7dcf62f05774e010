//! The application reads a tenant: users and groups of all directories, as it must see them.

use rosterd::operator::{manual_roles::OperatorAt, scim_access};
use serde_json::json;

use super::{Client, client::user, on};
use crate::harness::{
    TestApp, both,
    broker::{event, user as broker_user},
};

const ROSTERD: &str = "urn:ietf:params:scim:schemas:extension:rosterd:2.0:User";

/// A client that reads `org_1`.
fn reader<'a>(app: &'a TestApp, client: &Client<'a>) -> Client<'a> {
    let by = OperatorAt { name: "test", now: app.clock.now() };
    let new = scim_access::add_reader(app.database(), "org_1", "host", None, by).unwrap();
    let origin = client.base.split("/scim/").next().unwrap();
    Client {
        app,
        http: client.http.clone(),
        base: format!("{origin}/scim/v2/tenants/org_1"),
        token: new.secret,
        directory_id: String::new(),
    }
}

both! {
    fn an_application_reads_people_of_every_source_with_their_roles(app, on) {
        let client = Client::of(app);
        let mut body = user("noor");
        body["roles"] = json!([{"value": "pilot"}]);
        let id = client.created("/Users", &body);
        let group = client.group("Crew", &[&id]);
        app.play(&[event("e1", "dsync.user.created", 1, broker_user("u1", "active", 1))]);
        let host = reader(app, &client);

        let users = host.get("/Users").with(200);
        let noor = host.get(&format!("/Users/{id}")).with(200);
        assert!(users["totalResults"].as_u64() >= Some(1), "{users}");
        assert_eq!((&noor["active"], &noor["roles"], &noor["userName"]), (&json!(true), &json!([{"value": "pilot"}]), &json!("noor@lumen.example")));
        assert_eq!((&noor[ROSTERD]["directory"], &noor[ROSTERD]["held"]), (&json!(client.directory_id), &json!(false)));
        assert_eq!(noor[ROSTERD]["personId"], client.column(&id, "person_id"));
        assert_eq!(noor[ROSTERD]["accessEpoch"], client.column(&id, "access_epoch"));
        assert!(noor["schemas"].as_array().unwrap().contains(&json!(ROSTERD)));

        assert_eq!(host.listed("/Groups")[0]["members"][0]["value"], json!(id));
        assert_eq!(host.listed(&format!("/Users?filter={ROSTERD}:directory eq \"{}\"", client.directory_id)).len(), 1);
        assert_eq!(host.listed("/Users?filter=roles[value eq \"pilot\"] and active eq true").len(), 1);
        assert_eq!(host.get("/Users?cursor&count=1").with(200)["itemsPerPage"], 1);
        assert_eq!(host.get("/Schemas").with(200)["totalResults"], 4);
        assert_eq!(host.get("/ServiceProviderConfig").with(200)["patch"]["supported"], false);

        client.patch(&format!("/Users/{id}"), &json!([{"op": "replace", "path": "active", "value": false}])).with(200);
        let gone = host.get(&format!("/Users/{id}")).with(200);
        assert_eq!((&gone["active"], gone.get("roles")), (&json!(false), None));
        assert!(host.listed("/Groups")[0].get("members").is_none());
        assert_eq!(client.members(&group), Vec::<String>::new());
    }
}

both! {
    fn the_reader_of_a_tenant_writes_nothing_and_opens_nothing_else(app, on) {
        let client = Client::of(app);
        let id = client.user("noor");
        let host = reader(app, &client);
        for (method, path) in [("POST", "/Users".to_owned()), ("PUT", format!("/Users/{id}")), ("PATCH", format!("/Users/{id}")), ("DELETE", format!("/Users/{id}")), ("POST", "/Bulk".to_owned())] {
            assert_eq!(host.write(method, &path, &user("noor")).error(405), "");
        }
        let at = |base: &str| client.http.get(format!("{base}/Users"));
        assert_eq!(client.send(at(&client.base).bearer_auth(&host.token)).error(401), "");
        assert_eq!(client.send(at(&host.base).bearer_auth(&client.token)).error(401), "");
        assert_eq!(client.send(at(&host.base.replace("org_1", "org_2")).bearer_auth(&host.token)).error(401), "");
        assert_eq!(client.status(&id), "active");
    }
}
