//! A full disk under SQLite. Nobody restarts anything: when there is room, work continues.

use std::{
    fs::{self, File},
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use tempfile::TempDir;

use super::trial::Trial;
use crate::harness::process::{Served, eventually, get};

const EVENTS: usize = 500;

fn trial_in(directory: &Path) -> Trial {
    Trial::new(&format!("sqlite://{}/rosterd.db", directory.display()), EVENTS)
}

/// Delivers, fills the disk while many deliveries wait, watches for some seconds, and makes room.
fn goes_on_when_there_is_room(
    mut trial: Trial,
    served: Served,
    fill: impl FnOnce(),
    make_room: impl FnOnce(),
) {
    trial.deliver_part(1, 3);

    trial.stop_with_a_backlog(&served, EVENTS / 4);
    fill();
    trial.load.allow(trial.load.len());
    served.signal("-CONT");
    trial.count_death();
    trial.load.wait_for_refusals(100);
    // More failures than a batch has before its deliveries are tried one by one.
    eventually("applying failed some times", || failures(&served) >= 4);
    let alive = get(served.address, "/healthz");
    make_room();

    assert_eq!(alive, r#"{"status":"alive"}"#);
    trial.end(vec![served]);
}

fn failures(served: &Served) -> u32 {
    let metrics = get(served.admin_address, "/metrics");
    let count = metrics.lines().find_map(|line| line.strip_prefix("rosterd_apply_failures_total "));
    count.unwrap().parse().unwrap()
}

/// A file system of its own, of a few megabytes.
struct Disk(TempDir);

impl Disk {
    fn mount() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=12m", "rosterd-test"]).arg(directory.path());
        let mounted = mount.stderr(Stdio::null()).status().is_ok_and(|status| status.success());
        mounted.then(|| Self(directory))
    }

    fn ballast(&self) -> std::path::PathBuf {
        self.0.path().join("ballast")
    }

    fn fill(&self) {
        let mut ballast = File::create(self.ballast()).unwrap();
        // Fills it to the last byte while others write.
        for size in [1 << 20, 1 << 12, 1] {
            while ballast.write_all(&vec![0; size]).is_ok() {}
        }
    }

    fn make_room(&self) {
        fs::remove_file(self.ballast()).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(self.0.path()).status());
    }
}

#[test]
fn while_the_disk_is_full_deliveries_are_refused_and_with_room_again_everything_goes_through() {
    let Some(disk) = Disk::mount() else {
        return eprintln!("NOT RUN on a full disk: this user may not mount one");
    };
    let trial = trial_in(disk.0.path());
    let served = trial.serve();

    goes_on_when_there_is_room(trial, served, || disk.fill(), || disk.make_room());
}

/// The largest file that a process may write.
fn limit_files(served: u32, bytes: &str) -> bool {
    let mut prlimit = Command::new("prlimit");
    prlimit.args(["--pid", &served.to_string(), &format!("--fsize={bytes}:")]);
    prlimit.status().is_ok_and(|status| status.success())
}

/// The same without the right to mount. SQLite reports an I/O error, and not a full disk.
#[test]
fn while_no_file_may_grow_deliveries_are_refused_and_later_everything_goes_through() {
    if !limit_files(std::process::id(), "unlimited") {
        return eprintln!("NOT RUN with files that may not grow: there is no prlimit");
    }
    let home = tempfile::tempdir().unwrap();
    let trial = trial_in(home.path());
    let served = trial.serve_with(|command| {
        // A process that writes too much gets a signal and ends, unless it ignores the signal. This setting is
        // inherited.
        let mut shell = Command::new("sh");
        shell.args(["-c", r#"trap '' XFSZ && exec "$0" "$@""#]);
        shell.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        *command = shell;
    });
    let id = served.id();

    goes_on_when_there_is_room(
        trial,
        served,
        || assert!(limit_files(id, "65536")),
        || assert!(limit_files(id, "unlimited")),
    );
}
