//! A PostgreSQL server for one test, which the test may kill or run in another language.

use std::{
    fs::{self, OpenOptions},
    os::unix::{fs::chown, process::CommandExt},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use diesel::{Connection, PgConnection, QueryableByName, RunQueryDsl, sql_query, sql_types::Integer};
use rand::RngExt;
use tempfile::TempDir;

/// A server with the settings of production.
pub struct Server {
    binaries: PathBuf,
    home: TempDir,
    port: u16,
    /// PostgreSQL refuses to run as root. Then another user runs it.
    user: Option<(u32, u32)>,
    postmaster: Option<Child>,
    /// The language of its messages, as gettext names it.
    language: Option<&'static str>,
}

impl Server {
    pub fn start() -> Option<Self> {
        Self::start_in(None)
    }

    /// Its messages are in this language if the system has it, otherwise in English.
    pub fn start_in(language: Option<&'static str>) -> Option<Self> {
        let Some(binaries) = std::env::var_os("ROSTERD_TEST_POSTGRES_BIN") else {
            eprintln!(
                "NOT RUN: ROSTERD_TEST_POSTGRES_BIN is not set; `tests/run` sets it where PostgreSQL is installed"
            );
            return None;
        };
        // Not in TMPDIR: the server's user may not read it, and the path may be too long for a socket.
        let home = tempfile::Builder::new().prefix("rosterd-postgres.").tempdir_in("/tmp").unwrap();
        let user = (id(&["-u"]) == Some(0)).then(|| {
            let name = if id(&["-u", "postgres"]).is_some() { "postgres" } else { "nobody" };
            (id(&["-u", name]).unwrap(), id(&["-g", name]).unwrap())
        });
        if let Some((user, group)) = user {
            chown(home.path(), Some(user), Some(group)).unwrap();
        }
        // Below the ports that the kernel uses for outgoing connections.
        let port = rand::rng().random_range(20_000..32_000);
        let mut server = Self { binaries: binaries.into(), home, port, user, postmaster: None, language };
        let mut initdb = server.program("initdb");
        initdb.args([
            "-D",
            "data",
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-locale",
            "--no-sync",
        ]);
        assert!(initdb.stdout(Stdio::null()).status().unwrap().success());
        server.restart();
        Some(server)
    }

    fn program(&self, name: &str) -> Command {
        let mut program = Command::new(self.binaries.join(name));
        program.current_dir(self.home.path()).stdin(Stdio::null());
        if let Some((user, group)) = self.user {
            program.uid(user).gid(group);
        }
        program
    }

    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Returns after the server has recovered and accepts connections.
    pub fn restart(&mut self) {
        let log = self.home.path().join("log");
        let begun = Instant::now();
        while PgConnection::establish(&self.url()).is_err() {
            let log_text = || fs::read_to_string(&log).unwrap_or_default();
            assert!(begun.elapsed() < Duration::from_secs(30), "PostgreSQL does not start: {}", log_text());
            // It refuses while a process of the killed server exists.
            if self.postmaster.as_mut().is_none_or(|postmaster| postmaster.try_wait().unwrap().is_some()) {
                let file = || OpenOptions::new().create(true).append(true).open(&log).unwrap();
                let mut postgres = self.program("postgres");
                postgres.args(["-D", "data", "-h", "127.0.0.1", "-p", &self.port.to_string(), "-k"]);
                if let Some(language) = self.language {
                    // gettext reads the language in every locale except C.
                    postgres.env("LANGUAGE", language);
                }
                postgres.arg(self.home.path()).stdout(file()).stderr(file());
                self.postmaster = Some(postgres.spawn().unwrap());
            }
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// SIGKILL for the server and all its processes, like a lack of memory or a power failure.
    pub fn kill(&mut self) {
        #[derive(QueryableByName)]
        struct Process {
            #[diesel(sql_type = Integer)]
            pid: i32,
        }
        let mut connection = PgConnection::establish(&self.url()).unwrap();
        let processes: Vec<Process> =
            sql_query("SELECT pid FROM pg_stat_activity").load(&mut connection).unwrap();
        let mut postmaster = self.postmaster.take().unwrap();
        let children = processes.iter().map(|process| process.pid.to_string());
        // The postmaster is first, so that it does not see the end of its children. Some of them may have ended
        // already.
        let mut kill = Command::new("kill");
        drop(
            kill.arg("-KILL").arg(postmaster.id().to_string()).args(children).stderr(Stdio::null()).status(),
        );
        postmaster.wait().unwrap();
        // A process that began after the list was read may wait for a lock of a dead one for ever.
        drop(Command::new("kill").arg("-KILL").args(self.left()).stderr(Stdio::null()).status());
    }

    /// Stops every process of the server. Its sockets remain open.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        drop(Command::new("kill").arg(signal).args(self.left()).stderr(Stdio::null()).status());
    }

    /// Processes that work in this server's directory.
    fn left(&self) -> Vec<String> {
        let data = self.home.path().join("data");
        let works_there =
            |process: &fs::DirEntry| fs::read_link(process.path().join("cwd")).ok() == Some(data.clone());
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten().filter(works_there);
        processes.map(|process| process.file_name().to_string_lossy().into_owned()).collect()
    }

    /// The same as `pg_ctl stop -m immediate`: no checkpoint, no waiting.
    pub fn stop_at_once(&mut self) {
        let mut postmaster = self.postmaster.take().unwrap();
        assert!(
            Command::new("kill").arg("-QUIT").arg(postmaster.id().to_string()).status().unwrap().success()
        );
        postmaster.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.postmaster.is_some() {
            self.stop_at_once();
        }
    }
}

fn id(arguments: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(arguments).stderr(Stdio::null()).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().ok()
}
