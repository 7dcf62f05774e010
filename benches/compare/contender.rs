//! The contenders: rosterd on both its databases, an earlier build of it, and the handlers of `benches/peers`.

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::{Options, Outcome, events::SECRET, store::Store, usage};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contender {
    RosterdPostgres,
    RosterdSqlite,
    /// rosterd as it was at the commit that `benches/run` names.
    BeforePostgres,
    BeforeSqlite,
    Rust,
    Node,
    Python,
}

impl Contender {
    pub const ALL: [Self; 7] = [
        Self::RosterdPostgres,
        Self::BeforePostgres,
        Self::RosterdSqlite,
        Self::BeforeSqlite,
        Self::Rust,
        Self::Node,
        Self::Python,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::RosterdPostgres => "rosterd",
            Self::RosterdSqlite => "rosterd-sqlite",
            Self::BeforePostgres => "before",
            Self::BeforeSqlite => "before-sqlite",
            Self::Rust => "rust",
            Self::Node => "node",
            Self::Python => "python",
        }
    }

    pub const fn is_rosterd(self) -> bool {
        matches!(self, Self::RosterdPostgres | Self::RosterdSqlite) || self.is_before()
    }

    pub const fn is_before(self) -> bool {
        matches!(self, Self::BeforePostgres | Self::BeforeSqlite)
    }

    /// Empty, with the tables that the contender does not make itself.
    pub fn store(self, options: &Options) -> Outcome<Store> {
        // Nobody waits for the disk because of what was built or measured before.
        if !Command::new("sync").status()?.success() {
            return Err("sync(1) failed".into());
        }
        if matches!(self, Self::RosterdSqlite | Self::BeforeSqlite) {
            return Store::sqlite();
        }
        let store = Store::postgres(options)?;
        if !self.is_rosterd() {
            store.execute(include_str!("../peers/schema.sql"))?;
        }
        Ok(store)
    }

    /// As in production: logs at level info, pools and processes as `benches/peers/README.md` found them best.
    fn command(self, options: &Options, port: u16) -> Command {
        let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers");
        match self {
            Self::RosterdPostgres | Self::RosterdSqlite | Self::BeforePostgres | Self::BeforeSqlite => {
                let ours = Path::new(env!("CARGO_BIN_EXE_rosterd"));
                let before = options.before.as_deref().filter(|_| self.is_before());
                let mut command = Command::new(before.unwrap_or(ours));
                command.arg("serve").env("ROSTERD_LISTEN", format!("127.0.0.1:{port}"));
                command.env("ROSTERD_ADMIN_LISTEN", "127.0.0.1:0");
                let settings = if self.is_before() { "before.toml" } else { "rosterd.toml" };
                let compare = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/compare");
                command.arg("--config").arg(compare.join(settings));
                command
            }
            Self::Rust => Command::new(options.peers.join("rust/release/handler")),
            Self::Node => {
                let mut command = Command::new(options.peers.join("node/node_modules/.bin/node"));
                command.arg(options.peers.join("node/server.js"));
                command
            }
            Self::Python => {
                let mut command = Command::new(options.peers.join("python/bin/python"));
                command.arg(peers.join("python/app.py"));
                command
            }
        }
    }

    pub fn start(self, options: &Options, store: &Store) -> Outcome<Running> {
        // Free now; nobody else asks for ports on such a machine.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = self.command(options, port);
        command.env("PORT", port.to_string()).env("DATABASE_URL", store.url());
        command.env("WORKOS_WEBHOOK_SECRET", SECRET).env_remove("RUST_LOG");
        command.current_dir(env!("CARGO_TARGET_TMPDIR"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let child = command.spawn().map_err(|error| format!("{}: {error}", self.name()))?;
        let running = Running { child, address: SocketAddr::from(([127, 0, 0, 1], port)) };
        running.wait(self)?;
        Ok(running)
    }
}

/// A contender's processes; killed when dropped.
pub struct Running {
    child: Child,
    pub address: SocketAddr,
}

impl Running {
    fn wait(&self, contender: Contender) -> Outcome<()> {
        let begun = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            if begun.elapsed() > Duration::from_secs(30) {
                return Err(format!("{} does not listen after 30 s", contender.name()).into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        // All of its processes, and connections to the database.
        std::thread::sleep(Duration::from_millis(1_500));
        Ok(())
    }

    pub fn cpu(&self) -> Duration {
        usage::cpu(self.child.id())
    }

    pub fn memory(&self) -> usage::Memory {
        usage::memory(self.child.id())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let group = format!("-{}", self.child.id());
        drop(Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status());
        drop(self.child.wait());
    }
}
