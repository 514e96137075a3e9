//! The machine, the date and the commit: what a figure means nothing without.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use lexmill_store::ByteSize;

/// The head of a section of results.
pub(crate) fn header(command: &str, runs: Option<u32>, program: &Path) -> String {
    let bar = command.split(' ').next().unwrap_or(command);
    let mut out = format!("## {} {bar}\n\n", date(SystemTime::now()));
    let runs = runs.map_or_else(String::new, |runs| format!(" --runs {runs}"));
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or("?");
    let built = std::fs::metadata(program).and_then(|file| file.modified()).ok();
    let built = built.map_or_else(String::new, |time| format!(", built {}", minute(time)));
    // Writing to a string can't fail.
    let _infallible = writeln!(
        out,
        "{}; load before {load}; commit {}{built}; `lexmill-benches {command}{runs}`",
        machine(),
        commit(),
    );
    out
}

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}

/// How many threads can run at once.
pub(crate) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Nanoseconds that a cache line takes from one thread to another and back. Processors that share a
/// cache take tens, those that don't hundreds; a virtual machine may be moved from one to the other.
pub(crate) fn round_trip() -> f64 {
    const TRIPS: u32 = 200_000;
    let turn = AtomicU32::new(0);
    let pass = |from: u32| {
        while turn.load(Ordering::SeqCst) != from {
            std::hint::spin_loop();
        }
        turn.store(from + 1, Ordering::SeqCst);
    };
    let begun = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| (0..TRIPS).for_each(|trip| pass(2 * trip)));
        (0..TRIPS).for_each(|trip| pass(2 * trip + 1));
    });
    begun.elapsed().as_secs_f64() * 1e9 / f64::from(TRIPS)
}

fn machine() -> String {
    let cpu = read("/proc/cpuinfo");
    let model = field(&cpu, "model name").unwrap_or_else(|| "unknown CPU".to_owned());
    let memory = field(&read("/proc/meminfo"), "MemTotal");
    let kib = memory.and_then(|text| text.trim_end_matches(" kB").parse::<u64>().ok());
    let memory =
        kib.map_or_else(|| "unknown memory".to_owned(), |kib| ByteSize(kib * 1024).to_string());
    format!("{model}, {} processors, {memory}", processors())
}

fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").current_dir(root()).args(arguments).output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success().then_some(text)
    };
    let Some(commit) = git(&["rev-parse", "--short", "HEAD"]) else {
        return "unknown".to_owned();
    };
    match git(&["status", "--porcelain", "--", "crates", "Cargo.toml", "Cargo.lock"]) {
        Some(changes) if changes.is_empty() => commit,
        _ => format!("{commit} with changes"),
    }
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

fn field(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn date(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (year, month, day) = civil(seconds / 86_400);
    format!("{year}-{month:02}-{day:02}")
}

fn minute(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    format!("{} {:02}:{:02} UTC", date(time), seconds / 3600 % 24, seconds / 60 % 60)
}

/// Year, month and day of a number of days since 1970 (Hinnant, `civil_from_days`).
fn civil(days: u64) -> (u64, u64, u64) {
    // Days since 1 March 0000, in eras of 400 years.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_dates() {
        let days = [0, 59, 19_782, 19_783, 20_781].map(civil);
        let dates = [(1970, 1, 1), (1970, 3, 1), (2024, 2, 29), (2024, 3, 1), (2026, 11, 24)];
        assert_eq!(days, dates);
    }
}
