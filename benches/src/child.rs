//! A child process and what it costs.
//!
//! CPU time is what the kernel adds to this process's account of its waited-for children
//! (`cutime`, `cstime` of `/proc/self/stat`, in ticks of 10 ms, grandchildren included), so only one
//! child may be measured at a time. Peak memory is the child's own high-water mark (`VmHWM`), read
//! every 5 ms: what it rises by in its last moments is missed.

use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How often the high-water mark is read.
const SAMPLE: Duration = Duration::from_millis(5);
/// `USER_HZ`: what `/proc` counts in on every architecture that Linux still runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// What a process took.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cost {
    /// CPU seconds in the program.
    pub(crate) user: f64,
    /// CPU seconds in the kernel for it.
    pub(crate) system: f64,
    /// Seconds on the clock.
    pub(crate) wall: f64,
    /// Most resident memory.
    pub(crate) peak_bytes: u64,
    /// Most open files.
    pub(crate) open_files: usize,
}

impl Cost {
    /// CPU seconds, all of them.
    pub(crate) fn cpu(&self) -> f64 {
        self.user + self.system
    }

    /// The sum of two processes one after the other.
    pub(crate) fn and(&self, other: &Cost) -> Cost {
        Cost {
            user: self.user + other.user,
            system: self.system + other.system,
            wall: self.wall + other.wall,
            peak_bytes: self.peak_bytes.max(other.peak_bytes),
            open_files: self.open_files.max(other.open_files),
        }
    }
}

/// Runs a command to its end; it must succeed.
pub(crate) fn measure(command: &mut Command) -> Result<Cost> {
    let (user, system) = children_seconds()?;
    let begun = Instant::now();
    let mut child = spawn(command)?;
    let (status_file, files) =
        (format!("/proc/{}/status", child.id()), format!("/proc/{}/fd", child.id()));
    let over = AtomicBool::new(false);
    let (status, wall, (peak_bytes, open_files)) = std::thread::scope(|scope| {
        let sampler = scope.spawn(|| {
            let (mut peak, mut open) = (0, 0);
            while !over.load(Ordering::Acquire) {
                peak = peak.max(high_water(Path::new(&status_file)));
                open = open.max(std::fs::read_dir(&files).map_or(0, Iterator::count));
                std::thread::park_timeout(SAMPLE);
            }
            (peak, open)
        });
        let status = child.wait();
        let wall = begun.elapsed().as_secs_f64();
        over.store(true, Ordering::Release);
        sampler.thread().unpark();
        let peak = sampler.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (status, wall, peak)
    });
    succeeded(command, status.context("waiting for the child")?)?;
    let (user_after, system_after) = children_seconds()?;
    let (user, system) = (user_after - user, system_after - system);
    Ok(Cost { user, system, wall, peak_bytes, open_files })
}

/// Seconds until commands that run at the same time have all ended.
pub(crate) fn together(commands: &mut [Command]) -> Result<f64> {
    let begun = Instant::now();
    let mut children: Vec<Child> = commands.iter_mut().map(spawn).collect::<Result<_>>()?;
    let mut ended = Vec::new();
    for child in &mut children {
        ended.push(child.wait().context("waiting for a child")?);
    }
    let wall = begun.elapsed().as_secs_f64();
    for (command, status) in commands.iter().zip(ended) {
        succeeded(command, status)?;
    }
    Ok(wall)
}

/// Runs a command and kills it (`SIGKILL`) after some time; returns whether it had ended before.
pub(crate) fn kill_after(command: &mut Command, delay: Duration) -> Result<bool> {
    let deadline = Instant::now() + delay;
    let mut child = spawn(command)?;
    loop {
        if let Some(status) = child.try_wait().context("waiting for the child")? {
            succeeded(command, status)?;
            return Ok(true);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        std::thread::sleep(left.min(Duration::from_millis(2)));
    }
    child.kill().context("killing the child")?;
    // It may have ended by itself in between.
    Ok(child.wait().context("waiting for the child")?.success())
}

fn spawn(command: &mut Command) -> Result<Child> {
    // What the child says on standard error is for whoever watches.
    let child = command.spawn();
    child.with_context(|| format!("can't start {}", command.get_program().display()))
}

fn succeeded(command: &Command, status: ExitStatus) -> Result<()> {
    if !status.success() {
        bail!("{command:?} failed: {status}");
    }
    Ok(())
}

/// User and system seconds of all children waited for so far.
fn children_seconds() -> Result<(f64, f64)> {
    let text = std::fs::read_to_string("/proc/self/stat")
        .context("measuring needs Linux's /proc/self/stat")?;
    parse_children(&text).with_context(|| format!("can't read /proc/self/stat: {text:?}"))
}

fn parse_children(stat: &str) -> Option<(f64, f64)> {
    // The command's name, in parentheses, may hold anything; field 3 follows it.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(16 - 3);
    let mut seconds = || Some(fields.next()?.parse::<f64>().ok()? / TICKS_PER_SECOND);
    Some((seconds()?, seconds()?))
}

/// The high-water mark of a process, or 0 if it is not there any more.
fn high_water(status_file: &Path) -> u64 {
    let text = std::fs::read_to_string(status_file).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|rest| rest.trim().trim_end_matches(" kB").trim().parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_of_children_is_found_behind_any_name() {
        let stat = "12 (a) b) R 1 2 3 4 5 6 7 8 9 10 111 112 250 75 20 0 1 0\n";
        assert_eq!(parse_children(stat), Some((2.5, 0.75)));
        assert_eq!(parse_children("12 (a) R 1"), None);
    }

    #[test]
    fn a_child_costs_what_it_does() {
        let mut busy = Command::new("sh");
        busy.args(["-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"]);
        let cost = measure(&mut busy).unwrap();
        assert!(cost.cpu() > 0.0 && cost.cpu() < cost.wall + 0.05, "{cost:?}");
        assert!(cost.peak_bytes > 100_000, "{cost:?}");
        assert!(measure(&mut Command::new("false")).is_err());
        let mut sleeper = Command::new("sleep");
        assert!(!kill_after(sleeper.arg("10"), Duration::from_millis(20)).unwrap());
        assert!(kill_after(&mut Command::new("true"), Duration::from_secs(10)).unwrap());
    }
}
