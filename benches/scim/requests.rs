//! The requests of the figures, as bytes.

use serde_json::{Value, json};

const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// A server's address and token.
#[derive(Clone, Debug)]
pub struct Door {
    /// The path before `/Users`.
    pub path: String,
    pub token: String,
}

impl Door {
    fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Vec<u8> {
        let body = body.map(Value::to_string).unwrap_or_default();
        format!(
            "{method} {}{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/scim+json\r\nAccept: application/scim+json\r\nContent-Length: {}\r\n\r\n{body}",
            self.path,
            self.token,
            body.len()
        )
        .into_bytes()
    }

    /// A new user.
    pub fn create_user(&self, number: usize) -> Vec<u8> {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "userName": format!("user{number}@lumen.example"),
            "externalId": format!("ext-{number}"),
            "name": {"givenName": "Noor", "familyName": format!("Haddad {number}")},
            "displayName": format!("Noor Haddad {number}"),
            "emails": [{"value": format!("user{number}@lumen.example"), "type": "work", "primary": true}],
            "active": true,
        });
        self.request("POST", "/Users", Some(&body))
    }

    /// Another given name of a user.
    pub fn rename(&self, id: &str, number: usize) -> Vec<u8> {
        let operation = json!({"op": "replace", "path": "name.givenName", "value": format!("Noor {number}")});
        let body = json!({"schemas": [PATCH_OP], "Operations": [operation]});
        self.request("PATCH", &format!("/Users/{id}"), Some(&body))
    }

    /// A group with these members.
    pub fn create_group(&self, members: &[String]) -> Vec<u8> {
        let members: Vec<Value> = members.iter().map(|id| json!({"value": id})).collect();
        let body = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
            "displayName": "Everybody",
            "members": members,
        });
        self.request("POST", "/Groups", Some(&body))
    }

    /// More members of a group.
    pub fn add_members(&self, group: &str, members: &[String]) -> Vec<u8> {
        let members: Vec<Value> = members.iter().map(|id| json!({"value": id})).collect();
        let operation = json!({"op": "add", "path": "members", "value": members});
        let body = json!({"schemas": [PATCH_OP], "Operations": [operation]});
        self.request("PATCH", &format!("/Groups/{group}"), Some(&body))
    }

    /// One member less.
    pub fn remove_member(&self, group: &str, member: &str) -> Vec<u8> {
        let operation = json!({"op": "remove", "path": format!("members[value eq \"{member}\"]")});
        let body = json!({"schemas": [PATCH_OP], "Operations": [operation]});
        self.request("PATCH", &format!("/Groups/{group}"), Some(&body))
    }

    /// A page of users: the first by cursor, a next one by cursor, or one by index.
    pub fn users(&self, at: &At) -> Vec<u8> {
        let query = match at {
            At::Cursor(cursor) => format!("cursor={cursor}&count=1000"),
            At::Index(start) => format!("startIndex={start}&count=1000"),
        };
        self.request("GET", &format!("/Users?{query}"), None)
    }
}

/// The place of a page.
#[derive(Clone, Debug)]
pub enum At {
    Cursor(String),
    Index(usize),
}
