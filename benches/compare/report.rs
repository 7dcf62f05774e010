//! What was measured, as a table for people: figures, what they must be, what they aim at.

use std::{fs, process::Command};

use crate::Options;

/// What a figure must be at least (or at most), and what it aims at.
#[derive(Clone, Copy, Debug)]
pub struct Aim {
    most: bool,
    must: f64,
    aim: f64,
}

impl Aim {
    pub const fn at_least(must: f64, aim: f64) -> Self {
        Self { most: false, must, aim }
    }

    pub const fn at_most(must: f64, aim: f64) -> Self {
        Self { most: true, must, aim }
    }

    fn verdict(self, value: f64) -> &'static str {
        let meets = |bound: f64| if self.most { value <= bound } else { value >= bound };
        match (meets(self.must), meets(self.aim)) {
            (_, true) => "aim",
            (true, false) => "ok",
            (false, false) => "MISSED",
        }
    }
}

pub struct Report {
    notes: Vec<String>,
    rows: Vec<(String, [f64; 4])>,
    figures: Vec<(String, f64, &'static str, Aim)>,
}

impl Report {
    pub fn begin(options: &Options) -> Self {
        let notes = vec![
            machine(),
            format!(
                "rosterd {}, {}, {}; {} turns of {} events, {} connections",
                env!("CARGO_PKG_VERSION"),
                version("rustc", "--version"),
                version("node", "--version"),
                options.turns,
                options.events,
                options.connections
            ),
        ];
        Self { notes, rows: Vec::new(), figures: Vec::new() }
    }

    pub fn note(&mut self, note: String) {
        eprintln!("{note}");
        self.notes.push(note);
    }

    pub fn row(&mut self, name: &str, figures: [f64; 4]) {
        self.rows.push((name.to_owned(), figures));
    }

    pub fn figure(&mut self, name: &str, value: f64, unit: &'static str, aim: Aim) {
        eprintln!("{name}: {value:.2}{unit}");
        self.figures.push((name.to_owned(), value, unit, aim));
    }

    /// Markdown, on standard output.
    pub fn print(&self) {
        for note in &self.notes {
            println!("{note}\n");
        }
        if !self.rows.is_empty() {
            println!(
                "| | accepted/s | end to end/s | CPU ms for 1,000 events | memory MiB |\n|---|---|---|---|---|"
            );
            for (name, [accepted, end_to_end, cpu, memory]) in &self.rows {
                println!("| {name} | {accepted:.0} | {end_to_end:.0} | {cpu:.0} | {memory:.0} |");
            }
            println!();
        }
        println!("| figure | measured | must | aim | |\n|---|---|---|---|---|");
        for (name, value, unit, aim) in &self.figures {
            let sign = if aim.most { "≤" } else { "≥" };
            let (must, wish) = (aim.must, aim.aim);
            println!("| {name} | {value:.2}{unit} | {sign} {must} | {wish} | {} |", aim.verdict(*value));
        }
    }
}

/// Of the middle two the lower one; a single number is itself.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}

fn machine() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("?", |(_, m)| m);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = memory.lines().next().and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    format!("{cores} × {model}, {} GiB", total.unwrap_or(0) >> 20)
}

fn version(program: &str, argument: &str) -> String {
    let output = Command::new(program).arg(argument).output();
    let version = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    match version {
        Ok(version) if version.starts_with('v') => format!("{program} {version}"),
        Ok(version) => version,
        Err(_) => format!("no {program}"),
    }
}
