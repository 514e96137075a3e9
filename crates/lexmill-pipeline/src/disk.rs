//! What a run takes of the disk: looked at before work begins, and while it goes on.

use std::collections::HashSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use lexmill_store::{ByteSize, Error as StoreError, Manifest, free_space};

use crate::definition::{Definition, Stage};
use crate::error::{Error, Result};
use crate::estimate::{Estimate, Sizes, estimate};
use crate::kinds::Outside;

/// Estimates are rough: a disk that holds this part of them may do.
const TOO_SMALL_BY: u64 = 4;
/// How often is looked.
const EVERY: Duration = Duration::from_secs(1);

/// What can still be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Bytes.
    pub bytes: u64,
    /// Whether there is more on the disk, but no more is allowed.
    pub allowed: bool,
}

impl std::fmt::Display for Room {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bytes = ByteSize(self.bytes);
        match self.allowed {
            true => write!(f, "--disk leaves {bytes}"),
            false => write!(f, "{bytes} are free on the disk"),
        }
    }
}

impl Room {
    /// What can be written to a run directory that may hold `disk_bytes`; `None` if nothing is said and the
    /// system does not know.
    pub fn of(directory: &Path, disk_bytes: Option<u64>) -> Option<Room> {
        let left = Allowance::new(disk_bytes, vec![directory.to_owned()]).left();
        let free = free_space(directory);
        let bytes = free.into_iter().chain(left).min()?;
        Some(Room { bytes, allowed: left == Some(bytes) })
    }
}

/// How much directories may hold, if that is limited. What a process has open that has no name counts as
/// well: runs that are merged lie in such files.
#[derive(Debug)]
pub(crate) struct Allowance {
    bytes: Option<u64>,
    directories: Vec<PathBuf>,
    seen: Mutex<Seen>,
}

/// What the last look found.
#[derive(Debug, Default)]
struct Seen {
    at: Option<Instant>,
    /// How much there was, if it was too much.
    passed: Option<u64>,
}

impl Allowance {
    pub(crate) fn new(bytes: Option<u64>, directories: Vec<PathBuf>) -> Allowance {
        Allowance { bytes, directories, seen: Mutex::default() }
    }

    /// What is left of it.
    fn left(&self) -> Option<u64> {
        self.bytes.map(|bytes| bytes.saturating_sub(used(&self.directories)))
    }

    /// Whether more is there than allowed, or was; looks now and then only.
    pub(crate) fn is_passed(&self) -> bool {
        let at = self.seen.lock().expect("no holder panics").at;
        if at.is_none_or(|at| at.elapsed() >= EVERY) {
            self.look();
        }
        self.seen().is_err()
    }

    fn look(&self) {
        let Some(bytes) = self.bytes else { return };
        let passed = Some(used(&self.directories)).filter(|&used| used > bytes);
        let mut seen = self.seen.lock().expect("no holder panics");
        *seen = Seen { at: Some(Instant::now()), passed: seen.passed.or(passed) };
    }

    /// Looks.
    ///
    /// # Errors
    /// [`Error::DiskAllowance`] if more is there than allowed, or was.
    pub(crate) fn check(&self) -> Result<()> {
        self.look();
        self.seen()
    }

    fn seen(&self) -> Result<()> {
        let passed = self.seen.lock().expect("no holder panics").passed;
        match (passed, self.bytes) {
            (Some(used), Some(allowed)) => Err(Error::DiskAllowance {
                directory: self.directories[0].clone(),
                used: ByteSize(used),
                allowed: ByteSize(allowed),
            }),
            _ => Ok(()),
        }
    }

    /// Tells if more is there now that all is done: the last unit may have passed it.
    pub(crate) fn tell(&self) {
        if self.check().is_err() {
            let directory = &self.directories[0];
            tracing::warn!(
                "all is done, but {directory:?} takes more of the disk than --disk allows"
            );
        }
    }

    /// That error in the place of one that only says that work was stopped, if it was for this.
    pub(crate) fn or(&self, error: Error) -> Error {
        // Which crate's error it is wrapped in does not matter.
        let stopped = StoreError::Stopped.to_string();
        match &error {
            Error::Stage { source, .. } if source.to_string() == stopped => {
                self.seen().err().unwrap_or(error)
            }
            _ => error,
        }
    }
}

/// Bytes on the disk of the files in directories, those with several names once, and of files without a
/// name that this process has open. What comes and goes meanwhile may or may not count.
fn used(directories: &[PathBuf]) -> u64 {
    let (mut bytes, mut seen) = (0, HashSet::new());
    let mut left = directories.to_vec();
    while let Some(directory) = left.pop() {
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            let Ok(found) = entry.metadata() else { continue };
            if found.is_dir() {
                left.push(entry.path());
            } else if found.nlink() < 2 || seen.insert((found.dev(), found.ino())) {
                bytes += found.blocks() * 512;
            }
        }
    }
    let open = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let unnamed = open
        .filter_map(|entry| std::fs::metadata(entry.path()).ok())
        .filter(|found| found.is_file() && found.nlink() == 0);
    bytes + unnamed.map(|found| found.blocks() * 512).sum::<u64>()
}

/// What stages write, and the most that one of them has besides while it runs; roughly, in bytes.
pub fn needed<'a>(estimates: impl IntoIterator<Item = &'a Estimate>) -> u64 {
    let (mut disk, mut scratch) = (0u64, 0);
    for estimate in estimates {
        disk = disk.saturating_add(estimate.disk_bytes);
        scratch = scratch.max(estimate.scratch_bytes);
    }
    disk.saturating_add(scratch)
}

/// Looks whether what is not done will fit on the disk; a doubt is put in words.
pub(crate) fn check_disk(
    definition: &Definition,
    directory: &Path,
    stages: &[&Stage],
    outside: &[Outside],
    disk_bytes: Option<u64>,
) -> Result<Option<String>> {
    let (mut sizes, mut missing) = (Sizes::default(), Vec::new());
    let (nothing, mut begun) = (Outside::default(), false);
    for stage in &definition.stages {
        let selected = stages.iter().position(|selected| selected.id == stage.id);
        let manifest = Manifest::read(&directory.join(&stage.id)).ok().flatten();
        let of_stage = selected.map_or(&nothing, |place| &outside[place]);
        let estimate = estimate(stage, of_stage, manifest.as_ref(), &mut sizes);
        if selected.is_some() && manifest.is_none() {
            missing.push(estimate);
            begun |= directory.join(format!("{}.partial", stage.id)).is_dir();
        }
    }
    let needed = needed(&missing);
    let room = Room::of(directory, disk_bytes).filter(|room| room.bytes < needed);
    let Some(room) = room else { return Ok(None) };
    let far = room.bytes < needed / TOO_SMALL_BY;
    let needed = ByteSize(needed);
    // Of what was begun, some is there.
    if far && !begun {
        return Err(Error::DiskTooSmall { directory: directory.to_owned(), needed, room });
    }
    Ok(Some(format!("{needed} or so will be written, and {room}: it may not be enough")))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[expect(clippy::disallowed_methods, reason = "inputs of tests need not appear whole")]
    fn write(path: &Path, bytes: usize) {
        std::fs::write(path, vec![1; bytes]).unwrap();
    }

    #[test]
    fn what_is_used_counts_once_whatever_its_names() {
        let directory = tempfile::tempdir().unwrap();
        let paths = [directory.path().to_owned()];
        let before = used(&paths);
        let path = directory.path().join("a/b");
        std::fs::create_dir(path.parent().unwrap()).unwrap();
        write(&path, 300 << 10);
        std::fs::hard_link(&path, directory.path().join("other")).unwrap();
        std::os::unix::fs::symlink("/proc/kcore", directory.path().join("link")).unwrap();
        let named = used(&paths) - before;
        assert!((300 << 10..400 << 10).contains(&named), "{named}");
        let mut unnamed = tempfile::tempfile_in(directory.path()).unwrap();
        unnamed.write_all(&vec![1; 500 << 10]).unwrap();
        unnamed.sync_all().unwrap();
        let all = used(&paths) - before;
        assert!((800 << 10..1000 << 10).contains(&all), "{all}");
    }

    #[test]
    fn an_allowance_is_passed_once_and_for_all() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        write(&path, 2 << 20);
        let allowance = |bytes| Allowance::new(bytes, vec![directory.path().to_owned()]);
        let none = allowance(None);
        assert!(!none.is_passed() && none.left().is_none() && none.check().is_ok());
        let large = allowance(Some(1 << 30));
        assert!(!large.is_passed() && large.check().is_ok());
        assert!(large.left().unwrap() <= (1 << 30) - (2 << 20));
        let small = allowance(Some(1 << 20));
        assert!(small.seen().is_ok(), "nobody has looked");
        assert!(small.is_passed());
        std::fs::remove_file(path).unwrap();
        assert!(small.is_passed());
        let error = small.check().unwrap_err().to_string();
        assert!(error.contains("--disk allows 1.0 MiB"), "{error}");
        // Another error is more important.
        let stage = |source: StoreError| Error::Stage { stage: "s".into(), source: source.into() };
        let of = |source| small.or(stage(source)).to_string();
        assert!(of(StoreError::Stopped).contains("--disk allows"));
        assert!(of(StoreError::corrupt(directory.path(), "bent")).contains("bent"));
        assert!(!large.or(stage(StoreError::Stopped)).to_string().contains("--disk"));
    }
}
