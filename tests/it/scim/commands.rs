//! `directories add | rotate | revoke` and `tokens add | list | revoke` as a script runs them, without a login name.

use std::process::Output;

use serde_json::Value;

use crate::harness::{
    Backend, TestDatabase,
    process::{output, rosterd, stdout},
};

struct Script {
    store: TestDatabase,
}

impl Script {
    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = rosterd();
        command.env("DATABASE_URL", self.store.url()).env("ROSTERD_SCIM_URL", "https://scim.acme.example");
        output(command.env_remove("USER").args(arguments))
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&stdout(&self.run(&[arguments, &["--format", "json"]].concat()))).unwrap()
    }

    /// The state of each token, in the order in which they were made.
    fn states(&self) -> Vec<String> {
        let list = self.json(&["tokens", "list"]);
        let mut tokens: Vec<(String, String)> = list
            .as_array()
            .unwrap()
            .iter()
            .map(|token| {
                assert_eq!(token["created_by"], "unknown");
                let column = |name: &str| token[name].as_str().unwrap().to_owned();
                (
                    column("created_at"),
                    format!("{} {} {}", column("tenant_id"), column("name"), column("state")),
                )
            })
            .collect();
        tokens.sort();
        tokens.into_iter().map(|(_, token)| token).collect()
    }
}

#[test]
fn directories_and_tokens_are_made_listed_and_ended_by_id_or_name() {
    for backend in Backend::offered() {
        let script = Script { store: TestDatabase::create(backend) };
        stdout(&script.run(&["migrate"]));
        let add = |tenant: &str, name: &str| {
            script.json(&["directories", "add", "--tenant", tenant, "--name", name, "--provider", "okta"])
        };
        let first = add("org_1", "Lumen");
        let id = first["directory_id"].as_str().unwrap();
        assert_eq!(first["base_url"], format!("https://scim.acme.example/scim/v2/{id}"));
        let token = |made: &Value| made["token"].as_str().unwrap().to_owned();

        let second = script.json(&["directories", "rotate", "lumen"]);
        assert_eq!(second["directory_id"], id);
        assert_ne!(token(&second), token(&first));
        let reader = script.json(&["tokens", "add", "--tenant", "org_1", "--name", "Hub"]);
        assert_eq!(script.states(), ["org_1 Lumen valid", "org_1 Lumen valid", "org_1 Hub valid"]);

        stdout(&script.run(&["directories", "revoke", "Lumen"]));
        stdout(&script.run(&["tokens", "revoke", reader["token_id"].as_str().unwrap()]));
        assert_eq!(script.states(), ["org_1 Lumen revoked", "org_1 Lumen revoked", "org_1 Hub revoked"]);

        add("org_1", "Lumen");
        let several = script.run(&["directories", "rotate", "Lumen"]);
        let error = String::from_utf8(several.stderr).unwrap();
        assert!(!several.status.success() && error.contains(id), "{error}");
    }
}
