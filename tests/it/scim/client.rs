//! A SCIM client of one directory.

use std::collections::HashMap;

use reqwest::Method;
use rosterd::{
    operator::{
        manual_roles::OperatorAt,
        scim_access::{self, NewDirectory},
    },
    tables::host_tables::{GROUP_MEMBERS, USERS},
};
use serde_json::{Value, json};

use crate::harness::TestApp;

pub struct Client<'a> {
    pub app: &'a TestApp,
    pub http: reqwest::Client,
    pub base: String,
    pub token: String,
    pub directory_id: String,
}

pub struct Reply {
    pub status: u16,
    pub headers: HashMap<String, String>,
    pub text: String,
}

impl Reply {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("{} {}", self.status, self.text))
    }

    /// The body of an answer with this status.
    #[track_caller]
    pub fn with(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.json()
    }

    /// Checks that it is an error message with this status. Returns its keyword.
    #[track_caller]
    pub fn error(&self, status: u16) -> String {
        let body = self.with(status);
        assert_eq!(body["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:Error"]), "{body}");
        assert_eq!(body["status"], status.to_string());
        assert!(body["detail"].is_string());
        body["scimType"].as_str().unwrap_or_default().to_owned()
    }
}

impl<'a> Client<'a> {
    /// A client of a new directory of `org_1`.
    pub fn of(app: &'a TestApp) -> Self {
        Self::of_tenant(app, "org_1")
    }

    pub fn of_tenant(app: &'a TestApp, tenant: &str) -> Self {
        let wanted = NewDirectory { tenant, name: "Lumen", provider: "okta", expires_at: None };
        let by = OperatorAt { name: "test", now: app.clock.now() };
        let new = scim_access::add_directory(app.database(), &app.config.rules(), wanted, by).unwrap();
        let address = app.app.as_ref().unwrap().scim_address.unwrap();
        let directory_id = new.token.directory_id;
        Self {
            app,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            base: format!("http://{address}/scim/v2/{directory_id}"),
            token: new.secret,
            directory_id,
        }
    }

    /// A request of this client, to be sent.
    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token)
    }

    /// Sends requests at once.
    pub fn all(&self, requests: Vec<reqwest::RequestBuilder>) -> Vec<Reply> {
        self.app.while_applying(async {
            let sent: Vec<_> = requests.into_iter().map(|request| tokio::spawn(read(request))).collect();
            let mut replies = Vec::new();
            for one in sent {
                replies.push(one.await.unwrap());
            }
            replies
        })
    }

    pub fn send(&self, request: reqwest::RequestBuilder) -> Reply {
        self.app.while_applying(read(request))
    }

    pub fn get(&self, path: &str) -> Reply {
        self.send(self.request("GET", path))
    }

    pub fn write(&self, method: &str, path: &str, body: &Value) -> Reply {
        let request = self.request(method, path).header("Content-Type", "application/scim+json");
        self.send(request.body(body.to_string()))
    }

    pub fn post(&self, path: &str, body: &Value) -> Reply {
        self.write("POST", path, body)
    }

    pub fn put(&self, path: &str, body: &Value) -> Reply {
        self.write("PUT", path, body)
    }

    pub fn delete(&self, path: &str) -> Reply {
        self.send(self.request("DELETE", path))
    }

    /// PATCH with these operations.
    pub fn patch(&self, path: &str, operations: &Value) -> Reply {
        let schemas = ["urn:ietf:params:scim:api:messages:2.0:PatchOp"];
        self.write("PATCH", path, &json!({"schemas": schemas, "Operations": operations}))
    }

    /// Creates a user, and returns the id.
    #[track_caller]
    pub fn user(&self, name: &str) -> String {
        self.created("/Users", &user(name))
    }

    /// Creates a group with these members, and returns the id.
    #[track_caller]
    pub fn group(&self, name: &str, members: &[&str]) -> String {
        let members: Vec<Value> = members.iter().map(|id| json!({"value": id})).collect();
        self.created("/Groups", &json!({"displayName": name, "members": members}))
    }

    #[track_caller]
    pub fn created(&self, path: &str, body: &Value) -> String {
        self.post(path, body).with(201)["id"].as_str().unwrap().to_owned()
    }

    /// The resources of a list.
    #[track_caller]
    pub fn listed(&self, path: &str) -> Vec<Value> {
        let body = self.get(path).with(200);
        let resources = body["Resources"].as_array().unwrap().clone();
        assert_eq!(body["totalResults"], resources.len(), "{body}");
        resources
    }

    /// Ids of members in the application's table.
    pub fn members(&self, group_id: &str) -> Vec<String> {
        let rows = self.app.rows(GROUP_MEMBERS);
        rows.iter()
            .filter(|row| row["group_id"] == group_id)
            .map(|row| row["user_id"].as_str().unwrap().to_owned())
            .collect()
    }

    /// A column of a user in the application's table.
    pub fn column(&self, id: &str, column: &str) -> Value {
        let rows = self.app.rows(USERS);
        rows.iter().find(|row| row["id"] == id).map(|row| row[column].clone()).unwrap_or_default()
    }

    pub fn status(&self, id: &str) -> String {
        self.column(id, "status").as_str().unwrap_or("absent").to_owned()
    }
}

async fn read(request: reqwest::RequestBuilder) -> Reply {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let headers = response
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()))
        .collect();
    Reply { status, headers, text: response.text().await.unwrap() }
}

/// A user as most identity providers send one.
pub fn user(name: &str) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": format!("{name}@lumen.example"),
        "externalId": format!("ext-{name}"),
        "name": {"givenName": name, "familyName": "Vale"},
        "emails": [{"type": "work", "value": format!("{name}@lumen.example"), "primary": true}],
        "active": true,
    })
}
