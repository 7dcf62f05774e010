//! The heads of the audit trail, once a day by mail or by POST.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    sync::mpsc::{Receiver, Sender, channel},
};

use rosterd::{
    audit::stored_heads, config::HeadsDaily, runtime::wake::Wake, worker::heads_sender::HeadsSender,
};

use crate::{
    harness::{
        TestApp, both,
        broker::{event, user},
        process::{output, rosterd, stdout},
    },
    notices::{Office, reports::attached},
};

fn sender(app: &TestApp, setting: &HeadsDaily) -> HeadsSender {
    HeadsSender::new(setting, app.database(), app.applier.metrics.clone(), Wake::default()).unwrap().unwrap()
}

fn change(app: &TestApp, n: i64) {
    app.play(&[event(&format!("e{n}"), "dsync.user.created", n, user(&format!("u{n}"), "active", n))]);
}

/// `audit verify` with this text as the file of earlier heads.
fn verified(app: &TestApp, text: &str) -> Option<i32> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let mut command = rosterd();
    command.env("DATABASE_URL", app.store.url()).args(["audit", "verify", "--against"]).arg(file.path());
    output(&mut command).status.code()
}

both! {
    fn the_heads_are_mailed_to_the_operator_once_a_day_as_a_file_that_verify_reads(app) {
        let (office, sender) = (Office::of(app), sender(app, &HeadsDaily::Mail));
        change(app, 1);
        let day = |app: &TestApp| {
            sender.step(app.clock.now()).unwrap();
            app.clock.advance_seconds(61);
            office.send(app);
        };

        day(app);
        day(app);
        let mails = office.mails();
        assert_eq!(mails.len(), 1, "once a day");
        assert_eq!(mails[0].to, ["fallback@host.example"]);
        assert!(mails[0].header("Subject").unwrap().starts_with("Heads of the audit trail, 2026-"), "{}", mails[0].raw);
        let file = attached(&mails[0], "audit-heads.json");
        assert_eq!(stored_heads::read(&file).unwrap().iter().filter(|head| head.tenant_id == "org_1").count(), 1, "{file}");
        change(app, 2);
        assert_eq!(verified(app, &file), Some(0));
        assert_eq!(verified(app, &file.replacen(char::is_numeric, "9", 400)), Some(1));

        // A second process sends nothing on the same day.
        assert!(!self::sender(app, &HeadsDaily::Mail).step(app.clock.now()).unwrap());
        app.clock.advance_seconds(24 * 3_600);
        day(app);
        assert_eq!(office.mails().len(), 2);
        // Days without this service are one mail.
        app.clock.advance_seconds(9 * 24 * 3_600);
        day(app);
        day(app);
        assert_eq!(office.mails().len(), 3);
    }
}

/// A server that answers each request with the next status, and the bodies that it got.
fn receiver() -> (HeadsDaily, Sender<&'static str>, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/heads?key=secret", listener.local_addr().unwrap());
    let (answers, next) = channel::<&'static str>();
    let (bodies, received) = channel();
    std::thread::spawn(move || {
        while let Ok(status) = next.recv() {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut length = 0;
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if let Some(value) = line.to_lowercase().strip_prefix("content-length: ") {
                    length = value.trim().parse().unwrap();
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            bodies.send(String::from_utf8(body).unwrap()).unwrap();
            write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
        }
    });
    (HeadsDaily::Post(address.into()), answers, received)
}

both! {
    fn the_heads_are_posted_once_a_day_and_again_until_they_are_taken(app) {
        let (setting, answers, received) = receiver();
        let sender = sender(app, &setting);
        assert!(!sender.step(app.clock.now()).unwrap(), "there is no chain yet");
        change(app, 1);

        answers.send("503 Service Unavailable").unwrap();
        let refused = sender.step(app.clock.now()).unwrap_err().to_string();
        assert!(refused.contains("503") && refused.contains("AUDIT_HEADS_DAILY") && !refused.contains("secret"), "{refused}");
        answers.send("204 No Content").unwrap();
        assert!(sender.step(app.clock.now()).unwrap());
        assert!(!sender.step(app.clock.now()).unwrap(), "once a day");

        let bodies: Vec<String> = received.try_iter().collect();
        assert_eq!((bodies.len(), verified(app, &bodies[1])), (2, Some(0)));
        let metrics = app.get("/metrics").body;
        for sample in ["rosterd_heads_posted_total{outcome=\"failed\"} 1", "rosterd_heads_posted_total{outcome=\"sent\"} 1"] {
            assert!(metrics.contains(sample), "{sample}");
        }

        app.clock.advance_seconds(24 * 3_600);
        drop(answers);
        let away = sender.step(app.clock.now()).unwrap_err().to_string();
        assert!(away.contains("does not answer") && !away.contains("secret"), "{away}");
    }
}

#[test]
fn serve_mails_the_heads_when_the_setting_says_so() {
    use crate::harness::{
        Backend, TestDatabase,
        process::{Served, eventually},
    };
    let (store, home) = (TestDatabase::create(Backend::Sqlite), tempfile::tempdir().unwrap());
    let served = Served::start(|command| {
        command
            .env("DATABASE_URL", store.url())
            .env("AUDIT_HEADS_DAILY", "mail")
            .env("SMTP_URL", format!("file://{}", home.path().display()))
            .env("MAIL_FALLBACK", "operator@host.example");
    });
    let list = || {
        let mut command = rosterd();
        command.env("DATABASE_URL", store.url()).args(["notices", "list", "--format", "json"]);
        let listed: serde_json::Value = serde_json::from_str(&stdout(&output(&mut command))).unwrap();
        listed
    };
    eventually("a notice that waits for its window", || {
        let row = &list()[0];
        (&row["about"], &row["state"], &row["notices"])
            == (&"audit_heads".into(), &"gathering".into(), &1.into())
    });
    drop(served);
}
