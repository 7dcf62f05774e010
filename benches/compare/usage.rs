//! What a contender's processes have used, as the kernel counts it (proc(5)).

use std::{fs, time::Duration};

/// Ticks of the kernel's clock in a second: 100 on every Linux that matters (`getconf CLK_TCK`).
const TICKS: u64 = 100;

/// User and system time of a process group, of its ended children too.
pub fn cpu(group: u32) -> Duration {
    let ticks: u64 = stats(group).iter().map(|fields| times(fields)).sum();
    Duration::from_millis(ticks * 1_000 / TICKS)
}

/// Resident memory of a process group, in MiB.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    pub now: f64,
    /// The most that it ever was.
    pub peak: f64,
}

pub fn memory(group: u32) -> Memory {
    let mut memory = Memory::default();
    for fields in stats(group) {
        let Some(status) =
            fields.first().and_then(|pid| fs::read_to_string(format!("/proc/{pid}/status")).ok())
        else {
            continue;
        };
        memory.now += mebibytes(&status, "VmRSS:");
        memory.peak += mebibytes(&status, "VmHWM:");
    }
    memory
}

fn mebibytes(status: &str, name: &str) -> f64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or(0.0) / 1_024.0
}

/// `/proc/PID/stat` of each process in the group: the pid, then the fields from `state` on.
fn stats(group: u32) -> Vec<Vec<String>> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let stat = |entry: fs::DirEntry| {
        let pid = entry.file_name().into_string().ok().filter(|name| name.parse::<u32>().is_ok())?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        // The name in parentheses may hold spaces.
        let rest = stat.rsplit_once(") ")?.1;
        let fields: Vec<String> =
            std::iter::once(pid).chain(rest.split_whitespace().map(str::to_owned)).collect();
        (fields.get(3)? == &group.to_string()).then_some(fields)
    };
    entries.filter_map(|entry| stat(entry.ok()?)).collect()
}

/// utime, stime, cutime and cstime.
fn times(fields: &[String]) -> u64 {
    fields.get(12..16).unwrap_or_default().iter().filter_map(|ticks| ticks.parse::<u64>().ok()).sum()
}
