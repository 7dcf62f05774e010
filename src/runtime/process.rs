//! This process, under the names that Prometheus' own clients use. Linux shows it in `/proc/self`; other systems show its
//! start only.

use std::{fmt, fs, time::SystemTime};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
    registry::Unit,
};

/// The unit of processor times in `/proc`; fixed for programs on Linux, whatever the kernel's own is.
const TICKS_PER_SECOND: f64 = 100.0;

/// Reads `/proc/self` each time that Prometheus asks.
#[derive(Debug)]
pub(super) struct Process {
    /// Seconds since 1970. A sandbox may hide `/proc/stat`, by which Linux would tell it.
    started_at: f64,
}

impl Process {
    pub(super) fn begin() -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { started_at: since.as_secs_f64() }
    }
}

#[derive(Debug, PartialEq)]
struct Reading {
    cpu_seconds: f64,
    resident_bytes: i64,
    open_files: i64,
    most_files: Option<i64>,
}

impl Reading {
    /// From the texts of `/proc/self/stat`, `/proc/self/status` and `/proc/self/limits`.
    fn of(stat: &str, status: &str, limits: &str, open_files: i64) -> Option<Self> {
        // The name of the program comes first, in brackets; it may hold brackets and blanks.
        let (_, fields) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let seconds = |at: usize| fields.get(at)?.parse::<f64>().ok().map(|ticks| ticks / TICKS_PER_SECOND);
        Some(Self {
            cpu_seconds: seconds(11)? + seconds(12)?,
            resident_bytes: value(status, "VmRSS:")?.parse::<i64>().ok()?.checked_mul(1_024)?,
            open_files,
            // "unlimited" is no number.
            most_files: value(limits, "Max open files").and_then(|most| most.parse().ok()),
        })
    }

    fn now() -> Option<Self> {
        let read = |path: &str| fs::read_to_string(path).ok();
        let open_files = i64::try_from(fs::read_dir("/proc/self/fd").ok()?.count()).ok()?;
        Self::of(
            &read("/proc/self/stat")?,
            &read("/proc/self/status")?,
            &read("/proc/self/limits")?,
            open_files,
        )
    }
}

/// The first word after `name` at the start of a line.
fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let started_at = ConstGauge::new(self.started_at);
        started_at.encode(encoder.encode_descriptor(
            "process_start_time",
            "Start of the process since 1970.",
            Some(&Unit::Seconds),
            started_at.metric_type(),
        )?)?;
        let Some(reading) = Reading::now() else { return Ok(()) };
        let cpu = ConstCounter::new(reading.cpu_seconds);
        cpu.encode(encoder.encode_descriptor(
            "process_cpu",
            "User and system processor time.",
            Some(&Unit::Seconds),
            cpu.metric_type(),
        )?)?;
        let resident = ConstGauge::new(reading.resident_bytes);
        resident.encode(encoder.encode_descriptor(
            "process_resident_memory",
            "Resident memory.",
            Some(&Unit::Bytes),
            resident.metric_type(),
        )?)?;
        let counts = [
            ("process_open_fds", "Open file descriptors.", Some(reading.open_files)),
            ("process_max_fds", "Limit of open file descriptors.", reading.most_files),
        ];
        for (name, help, count) in counts {
            let Some(count) = count.map(ConstGauge::new) else { continue };
            count.encode(encoder.encode_descriptor(name, help, None, count.metric_type())?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "7 (a ) name) S 1 7 7 0 -1 4194560 9 0 0 0 250 50 0 0 20 0 4 0 12345 99 88";
    const LIMITS: &str = "Limit  Soft Limit  Hard Limit  Units\nMax open files            1024                 4096                 files\n";

    fn read(limits: &str) -> Option<Reading> {
        Reading::of(STAT, "Name:\ta\nVmRSS:\t    2048 kB\n", limits, 9)
    }

    #[test]
    fn a_name_with_brackets_moves_no_field() {
        let expected =
            Reading { cpu_seconds: 3.0, resident_bytes: 2_097_152, open_files: 9, most_files: Some(1_024) };
        assert_eq!(read(LIMITS), Some(expected));
    }

    #[test]
    fn no_limit_is_no_number() {
        assert_eq!(read(&LIMITS.replace("1024", "unlimited")).unwrap().most_files, None);
    }

    #[test]
    fn texts_of_another_form_are_no_reading() {
        assert_eq!(Reading::of("", "", "", 0), None);
        assert_eq!(Reading::of("7 (a) S", "VmRSS: 1 kB", "", 0), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_has_memory_and_files() {
        let reading = Reading::now().unwrap();
        assert!(reading.resident_bytes > 0 && reading.open_files > 2);
    }
}
