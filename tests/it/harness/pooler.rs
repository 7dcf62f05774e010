//! pgbouncer between a test and its database, in the requested mode.

use std::{
    fs::{self, Permissions},
    net::{TcpListener, TcpStream},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::TestDatabase;

pub struct Pooler {
    child: Child,
    home: tempfile::TempDir,
    port: u16,
    server: String,
    name: String,
}

impl Pooler {
    /// `None` without pgbouncer, with a message.
    pub fn before(store: &TestDatabase, settings: &str) -> Option<Self> {
        let Some(program) = program() else {
            eprintln!("NOT RUN: there is no pgbouncer here; `tests/run` says so too");
            return None;
        };
        let TestDatabase::Postgres { name, .. } = store else { panic!("a pooler is for PostgreSQL") };
        let url = url::Url::parse(&store.url()).unwrap();
        let mut server = format!(
            "host={} port={} user={}",
            url.host_str().unwrap(),
            url.port().unwrap_or(5432),
            url.username()
        );
        if let Some(password) = url.password() {
            server.push_str(&format!(" password={password}"));
        }
        let home = tempfile::tempdir().unwrap();
        // Readable for the user that it switches to.
        fs::set_permissions(home.path(), Permissions::from_mode(0o755)).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let configuration = home.path().join("pgbouncer.ini");
        configure(&configuration, port, &server, settings);
        let mut command = Command::new(program);
        // It refuses to run as root.
        if home.path().metadata().unwrap().uid() == 0 {
            command.args(["-u", "nobody"]);
        }
        let child = command.arg(&configuration).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        let pooler = Self { child, home, port, server, name: name.clone() };
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(20), "pgbouncer does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(pooler)
    }

    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{}", self.port, self.name)
    }

    /// Replaces the settings.
    pub fn reload(&self, settings: &str) {
        configure(&self.home.path().join("pgbouncer.ini"), self.port, &self.server, settings);
        let status = Command::new("kill").args(["-HUP", &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn configure(path: &Path, port: u16, server: &str, settings: &str) {
    let text = format!(
        "[databases]\n* = {server}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = any\n\
         unix_socket_dir =\n{settings}\n"
    );
    fs::write(path, text).unwrap();
}

fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    directories.map(|directory| directory.join("pgbouncer")).find(|program| program.is_file())
}
