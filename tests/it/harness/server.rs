//! A PostgreSQL server of a test's own: killed, or speaking another language.

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

/// A server of this test's own, with the settings of production.
pub struct Server {
    binaries: PathBuf,
    home: TempDir,
    port: u16,
    /// PostgreSQL refuses to run as root: then it is somebody else.
    user: Option<(u32, u32)>,
    postmaster: Option<Child>,
    /// Of its messages, as gettext names it.
    language: Option<&'static str>,
}

impl Server {
    pub fn start() -> Option<Self> {
        Self::start_in(None)
    }

    /// Its messages are in this language where the system has them; else in English.
    pub fn start_in(language: Option<&'static str>) -> Option<Self> {
        let Some(binaries) = std::env::var_os("ROSTERD_TEST_POSTGRES_BIN") else {
            eprintln!(
                "NOT RUN: ROSTERD_TEST_POSTGRES_BIN is not set; `tests/run` sets it where PostgreSQL is installed"
            );
            return None;
        };
        // Not in TMPDIR, which may be closed to the server's user, or too long for the path of a socket.
        let home = tempfile::Builder::new().prefix("rosterd-postgres.").tempdir_in("/tmp").unwrap();
        let user = (id(&["-u"]) == Some(0)).then(|| {
            let name = if id(&["-u", "postgres"]).is_some() { "postgres" } else { "nobody" };
            (id(&["-u", name]).unwrap(), id(&["-g", name]).unwrap())
        });
        if let Some((user, group)) = user {
            chown(home.path(), Some(user), Some(group)).unwrap();
        }
        // Below the ports that the kernel gives to outgoing connections.
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

    /// Returns when it has recovered and takes connections.
    pub fn restart(&mut self) {
        let log = self.home.path().join("log");
        let begun = Instant::now();
        while PgConnection::establish(&self.url()).is_err() {
            let log_text = || fs::read_to_string(&log).unwrap_or_default();
            assert!(begun.elapsed() < Duration::from_secs(30), "PostgreSQL does not start: {}", log_text());
            // It refuses as long as a process of the one that was killed is still there.
            if self.postmaster.as_mut().is_none_or(|postmaster| postmaster.try_wait().unwrap().is_some()) {
                let file = || OpenOptions::new().create(true).append(true).open(&log).unwrap();
                let mut postgres = self.program("postgres");
                postgres.args(["-D", "data", "-h", "127.0.0.1", "-p", &self.port.to_string(), "-k"]);
                if let Some(language) = self.language {
                    // gettext asks for the language in every locale but C.
                    postgres.env("LANGUAGE", language);
                }
                postgres.arg(self.home.path()).stdout(file()).stderr(file());
                self.postmaster = Some(postgres.spawn().unwrap());
            }
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// SIGKILL for the server and each of its processes, as a lack of memory or a power cut would.
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
        // The postmaster first, or it would see its children die. Some of them may have ended meanwhile.
        let mut kill = Command::new("kill");
        drop(
            kill.arg("-KILL").arg(postmaster.id().to_string()).args(children).stderr(Stdio::null()).status(),
        );
        postmaster.wait().unwrap();
        // One that was born since they were listed may wait for a lock of the dead for ever.
        drop(Command::new("kill").arg("-KILL").args(self.left()).stderr(Stdio::null()).status());
    }

    /// Every process of it stands still. Its sockets stay open.
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

    /// What `pg_ctl stop -m immediate` does: no checkpoint, nobody is waited for.
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
