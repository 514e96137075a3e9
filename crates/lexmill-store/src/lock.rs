//! One run at a time on a directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::Duration;

use crate::{Error, Result};

/// A held lock; let go when dropped, and by the operating system when the process dies.
#[derive(Debug)]
pub struct RunLock {
    file: File,
}

impl Drop for RunLock {
    fn drop(&mut self) {
        // Best effort: who held it last is of no use to anybody.
        let _emptied = self.file.set_len(0);
    }
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
        match taken {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                if file.read_to_string(&mut holder).is_err() || holder.trim().is_empty() {
                    holder = "another process".to_owned();
                }
                return Err(Error::Locked {
                    path: what.to_owned(),
                    holder: holder.trim().to_owned(),
                });
            }
            Err(TryLockError::Error(source)) => return Err(Error::io("lock", path)(source)),
        }
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let host = match host.trim() {
            "" => String::new(),
            name => format!(" on {name}"),
        };
        let holder = format!("process {}{host}\n", std::process::id());
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(holder.as_bytes()))
            .map_err(Error::io("write", path))?;
        Ok(RunLock { file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_holds_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let held = RunLock::acquire(&path, directory.path()).unwrap();
        let error = RunLock::acquire(&path, directory.path()).unwrap_err().to_string();
        assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
        drop(held);
        RunLock::acquire(&path, directory.path()).unwrap();
    }
}
