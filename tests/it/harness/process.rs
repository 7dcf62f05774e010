//! The real binary, run like an operator runs it.

use std::{
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    os::unix::process::ExitStatusExt,
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::mpsc::RecvTimeoutError,
    time::{Duration, Instant},
};

use serde_json::Value;

/// A command of rosterd without the settings of this process.
pub fn rosterd() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rosterd"));
    for name in [
        "DATABASE_URL",
        "ROSTERD_CONFIG",
        "WORKOS_WEBHOOK_SECRET",
        "WORKOS_API_KEY",
        "WORKOS_API_URL",
        "ROSTERD_POLL_SECONDS",
        "ROSTERD_RECONCILE_HOURS",
        "SMTP_URL",
        "MAIL_FROM",
        "MAIL_FALLBACK",
        "ROSTERD_PRODUCT",
        "ROSTERD_SUPPORT",
        "ROSTERD_BY",
        "RUST_LOG",
        "ROSTERD_FAIL_AT",
        "ROSTERD_GUARD",
        "ROSTERD_LISTEN",
        "ROSTERD_ADMIN_LISTEN",
        "ROSTERD_SCIM_LISTEN",
        "ROSTERD_SCIM_URL",
        "ROSTERD_BY",
        "LOGNAME",
        "AUDIT_HEADS_DAILY",
    ] {
        command.env_remove(name);
    }
    command.env("USER", "tester");
    command.current_dir(std::env::temp_dir());
    command
}

pub fn output(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).output().unwrap()
}

/// Runs a command of rosterd on a terminal with so many columns, writes `input` to it, and returns its exit code and all that it
/// shows.
pub fn on_a_terminal(
    database_url: &str,
    columns: u16,
    arguments: &[&str],
    input: &str,
) -> (Option<i32>, String) {
    use std::io::Write;
    let quoted: Vec<String> = arguments.iter().map(|argument| format!("'{argument}'")).collect();
    let run =
        format!("stty rows 24 cols {columns}; exec {} {}", env!("CARGO_BIN_EXE_rosterd"), quoted.join(" "));
    let plain = rosterd();
    let environment: Vec<_> =
        plain.get_envs().map(|(name, value)| (name.to_owned(), value.map(ToOwned::to_owned))).collect();
    // script(1) opens the terminal. It is part of every Debian.
    let mut command = Command::new("script");
    command.current_dir(std::env::temp_dir());
    for (name, value) in environment {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.env("DATABASE_URL", database_url).args(["-qec", &run, "/dev/null"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap().replace('\r', ""))
}

pub fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// `rosterd serve` on ports of its own. Dropping it kills the process.
pub struct Served {
    child: Child,
    pub address: SocketAddr,
    pub admin_address: SocketAddr,
    log: std::sync::mpsc::Receiver<String>,
    pub seen: Vec<String>,
}

impl Served {
    pub fn on(store: &super::TestDatabase) -> Self {
        Self::start(|command| {
            command.env("DATABASE_URL", store.url());
        })
    }

    /// Waits until the process logs its addresses.
    pub fn start(adjust: impl FnOnce(&mut Command)) -> Self {
        Self::try_start(adjust)
            .unwrap_or_else(|(status, seen)| panic!("rosterd did not start: {status}, {seen:?}"))
    }

    /// The same for a process that may end before it listens. Returns how it ended, and its log.
    pub fn try_start(adjust: impl FnOnce(&mut Command)) -> Result<Self, (ExitStatus, Vec<String>)> {
        let mut command = rosterd();
        command
            .arg("serve")
            .env("ROSTERD_LISTEN", "127.0.0.1:0")
            .env("ROSTERD_ADMIN_LISTEN", "127.0.0.1:0")
            // Simulated directories delete all their people, and that is no mistake.
            .env("ROSTERD_GUARD", "off")
            .env("WORKOS_WEBHOOK_SECRET", super::SECRET);
        adjust(&mut command);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (sender, log) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let mut seen = Vec::new();
        loop {
            let line = match log.recv_timeout(Duration::from_secs(30)) {
                Ok(line) => line,
                Err(RecvTimeoutError::Disconnected) => return Err((child.wait().unwrap(), seen)),
                Err(RecvTimeoutError::Timeout) => {
                    drop(child.kill());
                    panic!("rosterd did not start within 30 s: {seen:?}");
                }
            };
            let entry: Value = serde_json::from_str(&line).unwrap_or_default();
            seen.push(line);
            if let (Some(listen), Some(admin)) = (entry["listen"].as_str(), entry["admin"].as_str()) {
                let (address, admin_address) = (listen.parse().unwrap(), admin.parse().unwrap());
                return Ok(Self { child, address, admin_address, log, seen });
            }
        }
    }

    pub fn webhook(&self) -> String {
        format!("http://{}/webhooks/workos", self.address)
    }

    pub fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Waits for the next log entry with this message.
    pub fn says(&mut self, message: &str) -> Value {
        loop {
            let line = self.log.recv_timeout(Duration::from_secs(30));
            let line = line.unwrap_or_else(|_| panic!("it did not say {message:?}: {:?}", self.seen));
            let entry: Value = serde_json::from_str(&line).unwrap_or_default();
            self.seen.push(line);
            if entry["message"] == message {
                return entry;
            }
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    #[cfg(feature = "failpoints")]
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Sends SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        assert_eq!(status.signal(), Some(9), "it had ended before it was killed: {:?}", self.seen);
    }

    /// Waits for the end. Returns how the process ended, and its whole log.
    pub fn end(mut self) -> (ExitStatus, Vec<String>) {
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(begun.elapsed() < Duration::from_secs(40), "rosterd did not end");
            std::thread::sleep(Duration::from_millis(10));
        };
        let mut seen = std::mem::take(&mut self.seen);
        seen.extend(self.log.iter());
        (status, seen)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Calls the function until it returns true. For actions of another process.
pub fn eventually(what: &str, done: impl FnMut() -> bool) {
    eventually_within(Duration::from_secs(30), what, done);
}

pub fn eventually_within(patience: Duration, what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < patience, "not within {patience:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A GET over a plain socket.
pub fn get(address: SocketAddr, path: &str) -> String {
    use std::io::Write;
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()
}
