//! SIGHUP: a running service takes new recipients, secrets and words, and stays as it is after a mistake.

use serde_json::Value;

use crate::{
    binary::drained,
    harness::{
        Backend, SECRET, TestDatabase,
        broker::{event, signature, user},
        process::{Served, eventually, output, rosterd, stdout},
    },
    smtp::SmtpServer,
};

fn send(served: &Served, secret: &str, event: &Value) -> String {
    let body = event.to_string();
    let now = rosterd::runtime::clock::Clock::System.now().millis();
    let header = format!("WorkOS-Signature: {}", signature(secret, now, body.as_bytes()));
    let sent = std::process::Command::new("curl")
        .args(["-sS", "-o", "/dev/null", "-w", "%{http_code}", "-H", &header, "-d", &body, &served.webhook()])
        .output();
    String::from_utf8(sent.unwrap().stdout).unwrap()
}

fn created(id: &str) -> Value {
    event(&format!("c_{id}"), "dsync.user.created", 1, user(id, "active", 1))
}

fn deleted(id: &str) -> Value {
    event(&format!("d_{id}"), "dsync.user.deleted", 9, user(id, "active", 1))
}

#[test]
fn a_hangup_reloads_recipients_words_and_secrets_and_a_broken_file_changes_nothing() {
    for backend in Backend::offered() {
        let (store, home) = (TestDatabase::create(backend), tempfile::tempdir().unwrap());
        let smtp = SmtpServer::start().unwrap();
        let (file, secret) = (home.path().join("rosterd.toml"), home.path().join("secret"));
        let write =
            |text: &str| std::fs::write(&file, format!("[mail]\nwindow_seconds = 1\n{text}")).unwrap();
        write("product = 'Hub'\n[mail.recipients]\norg_1 = ['it@acme.example']\n");
        std::fs::write(&secret, SECRET).unwrap();
        let mut served = Served::start(|command| {
            command
                .env("DATABASE_URL", store.url())
                .env("ROSTERD_CONFIG", &file)
                .env("SMTP_URL", smtp.url())
                .env("MAIL_FALLBACK", "operator@host.example")
                .env_remove("WORKOS_WEBHOOK_SECRET")
                .env("WORKOS_WEBHOOK_SECRET_FILE", &secret);
        });
        for id in ["u1", "u2", "u3", "u4"] {
            assert_eq!(send(&served, SECRET, &created(id)), "200");
        }
        eventually("everything applied", || drained(&served));
        let told = |mails: usize| -> Vec<String> {
            eventually("mails", || smtp.received().len() >= mails);
            let mut to: Vec<String> = smtp.received().into_iter().flat_map(|mail| mail.to).collect();
            to.sort();
            to
        };
        send(&served, SECRET, &deleted("u1"));
        assert_eq!(told(1), ["it@acme.example"]);

        write("product = 'Portal'\nwindow_seconds_ = 1\n");
        served.signal("-HUP");
        served.says("the settings were not reloaded: the former ones stay in force");
        send(&served, SECRET, &deleted("u2"));
        assert_eq!(told(2), ["it@acme.example", "it@acme.example"]);

        write(
            "product = 'Portal'\n[mail.recipients]\norg_1 = ['boss@acme.example']\n[http]\nmax_waiting = 9\n",
        );
        std::fs::write(&secret, "another\n").unwrap();
        served.signal("-HUP");
        let line = served.says("the settings were reloaded");
        assert_eq!(line["reloaded"], "mail.product, mail.recipients.org_1, workos.webhook_secrets");
        assert_eq!(served.says("these settings change with the next start")["keys"], "http.max_waiting");
        assert_eq!(send(&served, SECRET, &deleted("u3")), "401");
        assert_eq!(send(&served, "another", &deleted("u3")), "200");
        assert_eq!(told(3), ["boss@acme.example", "it@acme.example", "it@acme.example"]);
        assert!(smtp.received()[2].raw.contains("Portal"));

        // An addition needs no signal.
        let mut command = rosterd();
        command.env("DATABASE_URL", store.url());
        stdout(&output(command.args(["recipients", "add", "--tenant", "org_1", "ciso@acme.example"])));
        send(&served, "another", &deleted("u4"));
        assert_eq!(told(5)[1], "boss@acme.example");
        assert_eq!(told(5)[2], "ciso@acme.example");
        served.signal("-TERM");
        assert!(served.end().0.success());
    }
}
