//! One run at a time on a directory.
//!
//! The operating system lets a lock go when its holder dies, however it dies, so that no lock is ever
//! stale. Some network file systems know no locks: there a file beside it stands for the lock as long as
//! its holder lives. Whether it does can be told on the same machine; of another machine a person has to
//! say it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::{Error, Result};

/// A held lock; let go when dropped, and by the operating system when the process dies.
#[derive(Debug)]
pub struct RunLock {
    file: File,
    /// What stands for the lock where the file system has none.
    stand_in: Option<PathBuf>,
}

impl Drop for RunLock {
    fn drop(&mut self) {
        // Best effort: who held it last is of no use to anybody.
        let _emptied = self.file.set_len(0);
        if let Some(stand_in) = &self.stand_in {
            let _gone = std::fs::remove_file(stand_in);
        }
    }
}

/// Whether somebody holds the lock file `path`.
pub fn is_held(path: &Path) -> bool {
    // Not having it says that somebody else has.
    let locked = File::open(path)
        .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)));
    locked || std::fs::read_to_string(stand_in(path)).is_ok_and(|holder| !is_dead(&holder))
}

impl RunLock {
    /// Takes the lock file `path` for the directory `what`, or says who holds it.
    ///
    /// # Errors
    /// [`Error::Locked`] if another process holds it.
    pub fn acquire(path: &Path, what: &Path) -> Result<RunLock> {
        let directory = crate::commit::parent(path);
        std::fs::create_dir_all(directory).map_err(Error::io("create", directory))?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(Error::io("open", path))?;
        // Somebody who only asks whether it is held has it for a moment.
        let mut taken = file.try_lock();
        for _ in 0..3 {
            if matches!(taken, Err(TryLockError::WouldBlock)) {
                std::thread::sleep(Duration::from_millis(20));
                taken = file.try_lock();
            }
        }
        let stand_in = match taken {
            Ok(()) => None,
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Who it is only helps; that it is held is known.
                let _read = file.read_to_string(&mut holder);
                return Err(locked(what, &holder, None));
            }
            Err(TryLockError::Error(source)) if knows_no_locks(&source) => Some(stand_in(path)),
            Err(TryLockError::Error(source)) => return Err(Error::io("lock", path)(source)),
        };
        if let Some(stand_in) = &stand_in {
            stand(stand_in, what)?;
        }
        let taken = RunLock { file, stand_in };
        let mut file = &taken.file;
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all((myself() + "\n").as_bytes()))
            .map_err(Error::io("write", path))?;
        Ok(taken)
    }
}

fn locked(what: &Path, holder: &str, stand_in: Option<&Path>) -> Error {
    // When it began tells it from others of its number, but nobody the time.
    let holder = holder.trim();
    let holder = match holder.split_once(BEGUN).map_or(holder, |(process, _)| process) {
        "" => "another process".to_owned(),
        holder => holder.to_owned(),
    };
    Error::Locked {
        path: what.to_owned(),
        holder,
        advice: stand_in
            .map_or_else(String::new, |path| format!("; if that process is gone, delete {path:?}")),
    }
}

/// Whether the file system has no locks at all.
fn knows_no_locks(error: &std::io::Error) -> bool {
    // ENOLCK has no kind of its own.
    const ENOLCK: i32 = 37;
    error.kind() == ErrorKind::Unsupported || error.raw_os_error() == Some(ENOLCK)
}

fn stand_in(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".held");
    path.with_file_name(name)
}

/// Makes the file that stands for the lock; one whose holder is dead makes way.
fn stand(path: &Path, what: &Path) -> Result<()> {
    for _ in 0..2 {
        match OpenOptions::new().write(true).create_new(true).open(path) {
            Ok(mut file) => {
                let written = file.write_all(myself().as_bytes()).and_then(|()| file.sync_all());
                return written.map_err(Error::io("write", path));
            }
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {
                let holder = std::fs::read_to_string(path).unwrap_or_default();
                if !is_dead(&holder) {
                    return Err(locked(what, &holder, Some(path)));
                }
                // Renamed, so that of several who find it dead only one goes on with this file.
                let aside = path.with_extension(format!("dead-{}", std::process::id()));
                std::fs::rename(path, &aside).map_err(Error::io("rename", path))?;
                let _gone = std::fs::remove_file(&aside);
            }
            Err(e) => return Err(Error::io("create", path)(e)),
        }
    }
    Err(locked(what, "", Some(path)))
}

const BEGUN: &str = ", begun at ";

/// This process, in words that tell it from any other.
fn myself() -> String {
    let id = std::process::id();
    let host = host();
    let host = if host.is_empty() { host } else { format!(" on {host}") };
    format!("process {id}{host}{}", start(id).map(|at| format!("{BEGUN}{at}")).unwrap_or_default())
}

fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

/// When a process of this machine began, in the system's ticks; `None` if there is none.
fn start(id: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The command's name, in parentheses, may hold anything; field 3 follows it.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(22 - 3)?.parse().ok()
}

/// Whether a holder is known not to be at work any more: it was on this machine, and is gone.
fn is_dead(holder: &str) -> bool {
    let parse = || {
        let (id, rest) = holder.trim().strip_prefix("process ")?.split_once(" on ")?;
        let (host, at) = rest.split_once(BEGUN)?;
        Some((id.parse::<u32>().ok()?, host, at.parse::<u64>().ok()?))
    };
    // Cut off while it was written: its holder did not get far.
    let Some((id, at_host, at)) = parse() else { return holder.is_empty() };
    at_host == host() && start(id) != Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_holds_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        assert!(!is_held(&path));
        let held = RunLock::acquire(&path, directory.path()).unwrap();
        assert!(is_held(&path));
        let error = RunLock::acquire(&path, directory.path()).unwrap_err().to_string();
        assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
        assert!(!error.contains("begun"), "{error}");
        drop(held);
        assert!(!is_held(&path));
        RunLock::acquire(&path, directory.path()).unwrap();
    }

    #[test]
    fn a_stand_in_holds_as_long_as_its_holder_lives() {
        let directory = tempfile::tempdir().unwrap();
        let path = stand_in(&directory.path().join("lock"));
        stand(&path, directory.path()).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), myself());
        let error = stand(&path, directory.path()).unwrap_err().to_string();
        assert!(error.contains("in use by process") && error.contains("delete"), "{error}");
        // Another process had that number before a restart.
        let now = start(std::process::id()).unwrap();
        let other = myself().replace(&now.to_string(), &(now - 1).to_string());
        for dead in [other.as_str(), ""] {
            std::fs::write(&path, dead).unwrap();
            stand(&path, directory.path()).unwrap();
        }
        // On another machine nobody knows.
        std::fs::write(&path, "process 1 on elsewhere, begun at 5").unwrap();
        assert!(is_held(&directory.path().join("lock")));
        let error = stand(&path, directory.path()).unwrap_err().to_string();
        assert!(error.contains("process 1 on elsewhere"), "{error}");
        let unknown = std::io::Error::from_raw_os_error(37);
        assert!(knows_no_locks(&unknown) && !knows_no_locks(&ErrorKind::PermissionDenied.into()));
    }
}
