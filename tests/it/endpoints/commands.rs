//! What `rosterd endpoints` refuses, and what it shows.

use serde_json::Value;

use super::{Receiver, add, command, listed};
use crate::harness::{TestApp, both, process::stdout};

fn refused(app: &TestApp, arguments: &[&str]) -> String {
    let output = command(app, arguments);
    assert!(!output.status.success(), "{arguments:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

both! {
    fn addresses_that_are_not_public_are_refused(app) {
        for url in ["https://127.0.0.1/", "https://[::1]/", "https://169.254.169.254/x", "https://localhost/", "http://app.example/"] {
            assert!(refused(app, &["add", url]).contains("--allow-private"), "{url}");
        }
        assert!(refused(app, &["add", "https://ada:pass@app.example/"]).contains("leave them out"));
        assert!(refused(app, &["add", "https://app.example/", "--events", "user.gone"]).contains("user.deprovisioned"));
        assert!(refused(app, &["add", "https://app.example/", "--from", "9"]).contains("there is no record 9"));
        for verb in ["remove", "enable", "disable", "rotate", "test", "attempts"] {
            assert!(refused(app, &[verb, "ep_x"]).contains("rosterd endpoints list"), "{verb}");
        }
        assert_eq!(listed(app), Vec::<Value>::new());
        // The name is resolved when it is used.
        assert!(command(app, &["add", "https://app.example/"]).status.success());
        assert_eq!(listed(app)[0]["name"], "app.example");
    }
}

both! {
    fn a_test_is_one_signed_webhook(app) {
        let receiver = Receiver::start();
        let (id, secret) = add(app, &receiver, &[]);
        let printed: Value = serde_json::from_str(&stdout(&command(app, &["test", &id, "--format", "json"]))).unwrap();
        assert_eq!((&printed[0]["delivered"], &printed[0]["outcome"]), (&true.into(), &"204".into()));
        let all = receiver.all();
        assert_eq!((all.len(), all[0].body["type"].as_str()), (1, Some("endpoint.test")));
        assert!(all[0].is_signed_by(&[&secret]));
        // A redirection is not followed.
        let other = Receiver::start();
        let location: &'static str = Box::leak(format!("Location: {}\r\n", other.url()).into_boxed_str());
        receiver.answer(move |_| (307, location));
        assert!(!command(app, &["test", &id]).status.success());
        assert_eq!(other.all().len(), 0);

        assert!(command(app, &["remove", &id]).status.success());
        assert_eq!(listed(app), Vec::<Value>::new());
    }
}
