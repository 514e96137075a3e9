//! What stages took: a line of JSON for each in `.history.jsonl` of the run directory.
//!
//! It is no part of a result and nothing depends on it: times and memory differ from run to run. A report
//! shows them.

use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::commit::write_whole;
use crate::integrity::{seal, unseal};
use crate::{Damage, Error, Result};

/// The file's name in a run directory.
const HISTORY: &str = ".history.jsonl";
/// More is not read of one: the newest.
const MOST_BYTES: u64 = 16 << 20;

/// Whether a run has been at work in a directory.
pub(crate) fn is_run(directory: &Path) -> bool {
    directory.join(HISTORY).exists()
}

/// What a stage took.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StageRun {
    /// The stage's name in the pipeline file.
    pub stage: String,
    /// The fingerprint of what it made.
    pub fingerprint: String,
    /// When it was done: seconds since 1970.
    pub finished: u64,
    /// How long it took, since it began or went on.
    pub seconds: f64,
    /// Whether it went on where an earlier process had stopped.
    pub resumed: bool,
    /// The most memory the process held meanwhile, if the system says so.
    pub peak_memory_bytes: Option<u64>,
    /// Worker threads.
    pub threads: u64,
    /// The memory it was allowed.
    pub memory_bytes: u64,
    /// The version of the program.
    pub program: String,
}

impl StageRun {
    /// Adds it to the history of a run directory.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn append(&self, directory: &Path) -> Result<()> {
        let path = directory.join(HISTORY);
        let mut line = (seal(self, false) + "\n").into_bytes();
        let mut write = || {
            let mut options = std::fs::OpenOptions::new();
            let mut file = options.create(true).append(true).read(true).open(&path)?;
            // A line that was cut off has no end.
            if file.seek(SeekFrom::End(0))? > 0 {
                let mut last = [0];
                file.seek(SeekFrom::End(-1))?;
                file.read_exact(&mut last)?;
                if last != *b"\n" {
                    line.insert(0, b'\n');
                }
            }
            file.write_all(&line)
        };
        write().map_err(Error::io("write", &path))
    }

    /// The history of a run directory, the oldest first; lines that are damaged are left out. Empty if
    /// there is none.
    pub fn read_all(directory: &Path) -> Vec<StageRun> {
        let read = || -> std::io::Result<Vec<u8>> {
            let mut file = std::fs::File::open(directory.join(HISTORY))?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(MOST_BYTES)))?;
            let mut bytes = Vec::new();
            file.take(MOST_BYTES).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let bytes = read().unwrap_or_default();
        let lines = bytes.split(|&byte| byte == b'\n');
        lines.filter_map(read_line).collect()
    }
}

fn read_line(line: &[u8]) -> Option<StageRun> {
    unseal(std::str::from_utf8(line).ok()?)
}

/// Lines of the history of a run directory that are not what was written. One at the end that was cut
/// off by a crash is none.
///
/// # Errors
/// If it is there but can't be read.
pub fn damaged_lines(directory: &Path) -> Result<Vec<Damage>> {
    let lines = lines_of(directory)?;
    let damaged = lines.iter().enumerate().filter(|(_, line)| read_line(line).is_none());
    let damage = |(i, _)| Damage {
        file: HISTORY.to_owned(),
        problem: format!("line {} is not what was written", i + 1),
    };
    Ok(damaged.map(damage).collect())
}

/// Takes such lines out of the history.
///
/// # Errors
/// If it can't be read or written.
pub fn drop_damaged_lines(directory: &Path) -> Result<()> {
    let lines = lines_of(directory)?;
    let whole: Vec<&Vec<u8>> = lines.iter().filter(|line| read_line(line).is_some()).collect();
    if whole.len() == lines.len() {
        return Ok(());
    }
    let mut text = Vec::new();
    for line in whole {
        text.extend_from_slice(line);
        text.push(b'\n');
    }
    write_whole(&directory.join(HISTORY), &text)
}

/// The lines of the history that have an end.
fn lines_of(directory: &Path) -> Result<Vec<Vec<u8>>> {
    let path = directory.join(HISTORY);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Error::io("read", &path)(e)),
    };
    let mut lines: Vec<Vec<u8>> = bytes.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
    // After the last end there is nothing, or what was cut off.
    lines.pop();
    Ok(lines)
}

/// Starts to watch the most memory that this process holds; it is read with [`peak_memory`]. Does nothing
/// where the system has no such thing.
pub fn reset_peak_memory() {
    // Best effort: without it the peak is that of the whole process.
    let file = std::fs::OpenOptions::new().write(true).open("/proc/self/clear_refs");
    let _reset = file.and_then(|mut file| file.write_all(b"5"));
}

/// The most memory that this process has held since [`reset_peak_memory`], if the system says so.
pub fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "damage need not appear whole")]
    fn a_history_grows_and_damage_is_left_out() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(StageRun::read_all(directory.path()), []);
        let run = |stage: &str| StageRun { stage: stage.to_owned(), ..StageRun::default() };
        run("a").append(directory.path()).unwrap();
        let path = directory.path().join(HISTORY);
        let mut text = std::fs::read(&path).unwrap();
        text.extend(b"\xFF\n{\"stage\": \"cut o");
        std::fs::write(&path, text).unwrap();
        run("b").append(directory.path()).unwrap();
        assert_eq!(StageRun::read_all(directory.path()), [run("a"), run("b")]);
    }

    #[test]
    fn memory_is_seen() {
        reset_peak_memory();
        let before = peak_memory().unwrap();
        let held = vec![1u8; 64 << 20];
        assert_eq!(held.iter().map(|&x| u64::from(x)).sum::<u64>(), 64 << 20);
        assert!(peak_memory().unwrap() >= before + (48 << 20));
    }
}
