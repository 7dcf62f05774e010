//! SCIM: writes and reads of rosterd on PostgreSQL beside other servers with their own stores, in one run. `benches/run-scim`
//! starts the database and installs the others.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
    time::Instant,
};

mod figures;
mod load;
mod requests;
mod server;

use figures::{Figures, goals, measure, million, table};
use server::Contender;

pub type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// The contenders and sizes of a run, and the places of its programs.
pub struct Options {
    pub rosterd: PathBuf,
    pub peers: PathBuf,
    pub scratch: PathBuf,
    psql: PathBuf,
    cluster: String,
    pub connections: usize,
    pub users: usize,
    pub peer_users: usize,
    pub members: usize,
    pub peer_members: usize,
    pub million: usize,
    turns: usize,
    only: Option<Vec<String>>,
}

const HELP: &str = "benches/run-scim [--turns 1] [--users 20000] [--members 50000] [--million 1000000] [--peer-users 2000] \
[--peer-members 2000] [--connections 64] [--only rosterd,scim2-server,scimmy-routers,better-auth]";

impl Options {
    fn read() -> Outcome<Self> {
        let place = |name: &str| std::env::var_os(name).map(PathBuf::from);
        let mut options = Self {
            rosterd: place("ROSTERD").unwrap_or_else(|| env!("CARGO_BIN_EXE_rosterd").into()),
            peers: place("ROSTERD_BENCH_PEERS").unwrap_or_default(),
            scratch: place("ROSTERD_BENCH_SCRATCH").unwrap_or_else(std::env::temp_dir),
            psql: place("ROSTERD_BENCH_PSQL").unwrap_or_else(|| "psql".into()),
            cluster: std::env::var("ROSTERD_BENCH_POSTGRES_URL").unwrap_or_default(),
            connections: 64,
            users: 20_000,
            peer_users: 2_000,
            members: 50_000,
            peer_members: 2_000,
            million: 1_000_000,
            turns: 1,
            only: None,
        };
        let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
        while let Some(argument) = arguments.next() {
            let value = arguments.next().ok_or(HELP)?;
            match argument.as_str() {
                "--turns" => options.turns = value.parse()?,
                "--users" => options.users = value.parse()?,
                "--peer-users" => options.peer_users = value.parse()?,
                "--members" => options.members = value.parse()?,
                "--peer-members" => options.peer_members = value.parse()?,
                "--million" => options.million = value.parse()?,
                "--connections" => options.connections = value.parse()?,
                "--only" => options.only = Some(value.split(',').map(str::to_owned).collect()),
                _ => return Err(HELP.into()),
            }
        }
        Ok(options)
    }

    /// The address of a database of the cluster.
    pub fn url(&self, database: &str) -> String {
        let (cluster, _) = self.cluster.rsplit_once('/').unwrap_or((&self.cluster, ""));
        format!("{cluster}/{database}")
    }

    pub fn empty_database(&self, name: &str) -> Outcome<()> {
        self.psql("postgres", &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))?;
        self.psql("postgres", &format!("CREATE DATABASE {name}"))
    }

    /// Runs statements in a database.
    pub fn psql(&self, database: &str, sql: &str) -> Outcome<()> {
        let mut command = Command::new(&self.psql);
        command.args(["-q", "-v", "ON_ERROR_STOP=1", "-c", sql, &self.url(database)]);
        match command.stdin(Stdio::null()).stdout(Stdio::null()).status()?.success() {
            true => Ok(()),
            false => Err(format!("psql refused: {sql}").into()),
        }
    }
}

fn main() -> Outcome<()> {
    if std::env::args().any(|argument| argument == "--help") {
        println!("{HELP}");
        return Ok(());
    }
    let options = Options::read()?;
    let wanted = |contender: &Contender| {
        options.only.as_ref().is_none_or(|only| only.iter().any(|name| name == contender.name()))
    };
    let contenders: Vec<Contender> = Contender::ALL.into_iter().filter(wanted).collect();
    let mut all: Vec<(Contender, Vec<Figures>)> =
        contenders.into_iter().map(|contender| (contender, Vec::new())).collect();
    for turn in 1..=options.turns {
        for (contender, figures) in &mut all {
            let begun = Instant::now();
            match measure(*contender, &options) {
                Ok(measured) => {
                    eprintln!(
                        "turn {turn}: {} took {:.0} s: {measured:?}",
                        contender.name(),
                        begun.elapsed().as_secs_f64()
                    );
                    figures.push(measured);
                }
                Err(error) => eprintln!("turn {turn}: {}: {error}", contender.name()),
            }
        }
    }
    println!("{}", table(&all));
    let listed = (options.million > 0 && all.iter().any(|(contender, _)| *contender == Contender::Rosterd))
        .then(|| million(&options))
        .transpose()?;
    println!("{}", goals(&all, listed.as_ref()));
    Ok(())
}
