//! rosterd and the servers that it is compared with, each as a process of its own.

use std::{
    fs::{File, read_to_string},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::{
    Options, Outcome,
    load::text_of,
    requests::{At, Door},
};

/// A server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contender {
    Rosterd,
    Scim2Server,
    Scimmy,
    BetterAuth,
}

impl Contender {
    pub const ALL: [Self; 4] = [Self::Rosterd, Self::Scim2Server, Self::Scimmy, Self::BetterAuth];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Rosterd => "rosterd",
            Self::Scim2Server => "scim2-server",
            Self::Scimmy => "scimmy-routers",
            Self::BetterAuth => "better-auth",
        }
    }

    /// The first page of a list. Those without cursors have pages by index.
    pub fn first_page(self) -> At {
        if self == Self::Rosterd { At::Cursor(String::new()) } else { At::Index(1) }
    }

    pub fn start(self, options: &Options) -> Outcome<Running> {
        match self {
            Self::Rosterd => rosterd(options),
            _ => self.peer(options),
        }
    }

    fn peer(self, options: &Options) -> Outcome<Running> {
        // Free now; nobody else asks for ports on such a machine.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/scim/peers");
        let peers = &options.peers;
        let (mut command, path) = match self {
            Self::Scim2Server => {
                let mut command = Command::new(peers.join("python/bin/scim2-server"));
                command.args(["--bearer-token", "secret", "--port", &port.to_string()]);
                (command, "/v2")
            }
            Self::Scimmy => (node(peers, &sources, "scimmy.mjs"), "/scim"),
            _ => (node(peers, &sources, "better-auth.mjs"), "/api/auth/scim/v2"),
        };
        command.env("PORT", port.to_string()).env("NODE_ENV", "production");
        if self == Self::BetterAuth {
            options.empty_database("scim_peer")?;
            command.env("DATABASE_URL", options.url("scim_peer"));
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().map_err(|error| format!("{}: {error}", self.name()))?;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let door = Door { path: path.to_owned(), token: "secret".to_owned() };
        let running = Running { child, address, door, folder: None };
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            if begun.elapsed() > Duration::from_secs(30) {
                return Err(format!("{} does not listen after 30 s", self.name()).into());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(running)
    }
}

/// Node, with the packages that `benches/run-scim` has installed.
fn node(peers: &Path, sources: &Path, server: &str) -> Command {
    let mut command = Command::new("node");
    let copy = peers.join("node").join(server);
    drop(std::fs::copy(sources.join(server), &copy));
    command.arg(copy);
    command
}

/// rosterd on an empty database, with one directory.
fn rosterd(options: &Options) -> Outcome<Running> {
    let folder = options.scratch.join(format!("rosterd-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    options.empty_database("scim_bench")?;
    let command = |arguments: &[&str]| {
        let mut command = Command::new(&options.rosterd);
        command.args(arguments).current_dir(&folder);
        command.env("DATABASE_URL", options.url("scim_bench")).env("WORKOS_WEBHOOK_SECRET", "unused");
        command.env("ROSTERD_LISTEN", "127.0.0.1:0").env("ROSTERD_ADMIN_LISTEN", "127.0.0.1:0");
        command
            .env("ROSTERD_SCIM_LISTEN", "127.0.0.1:0")
            .env("ROSTERD_SCIM_URL", "https://scim.bench.example");
        command.env_remove("RUST_LOG").stdin(Stdio::null());
        command
    };
    if !command(&["migrate"]).stdout(Stdio::null()).stderr(Stdio::null()).status()?.success() {
        return Err("rosterd migrate failed".into());
    }
    let made = command(&[
        "directories",
        "add",
        "--tenant",
        "bench",
        "--name",
        "Bench",
        "--provider",
        "okta",
        "--by",
        "bench",
        "--format",
        "json",
    ])
    .output()?;
    let text = |name| text_of(&made.stdout, name).ok_or("rosterd directories add printed no directory");
    let log = folder.join("log");
    let child = command(&["serve"]).stdout(Stdio::null()).stderr(File::create(&log)?).spawn()?;
    let door = Door { path: format!("/scim/v2/{}", text("directory_id")?), token: text("token")? };
    let mut running =
        Running { child, address: SocketAddr::from(([127, 0, 0, 1], 0)), door, folder: Some(folder) };
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(30) {
        if let Some(address) = text_of(read_to_string(&log)?.as_bytes(), "scim") {
            running.address = address.parse()?;
            return Ok(running);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err(format!("rosterd does not listen after 30 s: {}", read_to_string(&log)?).into())
}

/// A server that runs; killed when dropped.
pub struct Running {
    child: Child,
    pub address: SocketAddr,
    pub door: Door,
    folder: Option<PathBuf>,
}

impl Running {
    /// Its memory in MiB: now, and the highest so far.
    pub fn memory(&self) -> (u64, u64) {
        let status = read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = |name: &str| {
            let value = status.lines().find_map(|line| line.strip_prefix(name))?;
            value.split_whitespace().next()?.parse::<u64>().ok()
        };
        (line("VmRSS:").unwrap_or(0) / 1_024, line("VmHWM:").unwrap_or(0) / 1_024)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        if let Some(folder) = &self.folder {
            drop(std::fs::remove_dir_all(folder));
        }
    }
}
