//! Files that appear whole or not at all.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// A file as a manifest lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Its path below the stage directory, with `/`.
    pub path: String,
    /// Rows of the table.
    pub rows: u64,
    /// Its length.
    pub bytes: u64,
    /// BLAKE3 of its content, hexadecimal.
    pub blake3: String,
}

/// A file being written. It gets its name on [`commit`](AtomicFile::commit), after its content is on
/// the disk; dropped before that, it leaves nothing behind.
#[derive(Debug)]
pub struct AtomicFile {
    writer: Option<BufWriter<Hashing>>,
    temporary: PathBuf,
    path: PathBuf,
}

#[derive(Debug)]
struct Hashing {
    file: File,
    hasher: Box<blake3::Hasher>,
    bytes: u64,
}

impl Write for Hashing {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.file.write(buffer)?;
        self.hasher.update(&buffer[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Files whose names end so are unfinished.
pub(crate) const TEMPORARY_SUFFIX: &str = ".tmp";

impl AtomicFile {
    /// Starts a file that will be called `path`; its directory is made if need be. A file that is there
    /// is replaced in the end; a link stays, and what it leads to is replaced.
    ///
    /// # Errors
    /// If the directory or the file can't be made, if `path` is something else than a file, or another
    /// process is writing it.
    pub fn create(path: &Path) -> Result<AtomicFile> {
        let path = &target(path)?;
        let directory = parent(path);
        std::fs::create_dir_all(directory).map_err(Error::io("create", directory))?;
        let mut name = std::ffi::OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(TEMPORARY_SUFFIX);
        let temporary = directory.join(name);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&temporary)
            .map_err(Error::io("create", &temporary))?;
        // Two that write one file would end with a mixture of both. The lock is held until the file
        // has its name or is gone, so one that comes by it later has a file of another name.
        let locked = matches!(file.try_lock(), Err(std::fs::TryLockError::WouldBlock));
        if locked || !is_at(&file, &temporary) {
            let source = io::Error::other("another process is writing it");
            return Err(Error::io("write", path)(source));
        }
        file.set_len(0).map_err(Error::io("write", &temporary))?;
        let hashing = Hashing { file, hasher: Box::default(), bytes: 0 };
        let writer = Some(BufWriter::with_capacity(1 << 16, hashing));
        Ok(AtomicFile { writer, temporary, path: path.to_owned() })
    }

    /// The name the file will have.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Brings the content to the disk, then gives the file its name. `name` is how a manifest will
    /// call it. The name itself is on the disk once the directory is synced, which a stage does
    /// before it notes a unit as done.
    ///
    /// # Errors
    /// If anything of that fails; the file then is not there.
    pub fn commit(self, name: &str, rows: u64) -> Result<FileEntry> {
        let mut entries = AtomicFile::commit_together(vec![(self, name.to_owned(), rows)])?;
        Ok(entries.remove(0))
    }

    /// As [`commit`](AtomicFile::commit), of files that belong together: all content is on the disk before
    /// the first gets its name. Names are given in order.
    ///
    /// # Errors
    /// If anything of that fails. What has no name then is not there.
    pub fn commit_together(mut files: Vec<(AtomicFile, String, u64)>) -> Result<Vec<FileEntry>> {
        let mut entries = Vec::with_capacity(files.len());
        for (file, name, rows) in &mut files {
            let writer = file.writer.as_mut().expect("open until committed");
            writer.flush().map_err(Error::io("write", &file.temporary))?;
            let hashing = writer.get_ref();
            hashing.file.sync_all().map_err(Error::io("write", &file.temporary))?;
            let blake3 = hashing.hasher.finalize().to_hex().to_string();
            entries.push(FileEntry {
                path: std::mem::take(name),
                rows: *rows,
                bytes: hashing.bytes,
                blake3,
            });
        }
        for (file, _, _) in &mut files {
            std::fs::rename(&file.temporary, &file.path)
                .map_err(Error::io("rename", &file.temporary))?;
            // It has another name now: nothing is left to remove, and the lock may go.
            file.writer = None;
        }
        Ok(entries)
    }
}

/// Whether an open file still is the one of that name.
fn is_at(file: &File, path: &Path) -> bool {
    let identity = |found: std::fs::Metadata| (found.dev(), found.ino());
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(open), Ok(named)) => identity(open) == identity(named),
        _ => false,
    }
}

/// The file that is meant by a path: behind a link, what it leads to.
fn target(path: &Path) -> Result<PathBuf> {
    let not = |what: &str| Error::io("write", path)(io::Error::other(format!("it is {what}")));
    if path.file_name().is_none() {
        return Err(not("no name of a file"));
    }
    // /dev/stdout may lead to a file, which is another's to write. Below /dev/shm is a file system in
    // memory.
    let system = ["/dev", "/proc"].iter().any(|system| path.starts_with(system));
    if system && !path.starts_with("/dev/shm") {
        return Err(not("a device or a pipe, not a file"));
    }
    let path = match std::fs::canonicalize(path) {
        Ok(there) if path.is_symlink() => there,
        // It is what it is called, or can be made.
        _ => path.to_owned(),
    };
    match std::fs::metadata(&path) {
        Ok(found) if found.is_dir() => Err(not("a directory")),
        Ok(found) if !found.is_file() => Err(not("a device or a pipe, not a file")),
        _ => Ok(path),
    }
}

impl Write for AtomicFile {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.writer.as_mut().expect("open until committed").write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.as_mut().expect("open until committed").flush()
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if let Some(writer) = self.writer.take() {
            // Not written any more, but open, and with that locked, until the name is gone.
            let _open = writer.into_parts();
            // Best effort: what is left over is swept when the directory is next written to.
            let _removed = std::fs::remove_file(&self.temporary);
        }
    }
}

/// The directory a path lies in.
pub fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Bytes that can still be written to the disk on which `path` lies, or will lie; `None` if the system
/// does not say.
pub fn free_space(path: &Path) -> Option<u64> {
    let there = path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("."));
    let found = rustix::fs::statvfs(there).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Brings a directory's list of names to the disk.
///
/// # Errors
/// If it can't be opened or synced.
pub fn sync_directory(directory: &Path) -> Result<()> {
    File::open(directory).and_then(|handle| handle.sync_all()).map_err(Error::io("sync", directory))
}

/// Writes a small file whole.
pub(crate) fn write_whole(path: &Path, content: &[u8]) -> Result<()> {
    let mut file = AtomicFile::create(path)?;
    file.write_all(content).map_err(Error::io("write", path))?;
    file.commit("", 0)?;
    sync_directory(parent(path))
}

/// BLAKE3 of a file's content, hexadecimal.
///
/// # Errors
/// If the file can't be read.
pub fn file_hash(path: &Path) -> Result<String> {
    file_hash_while(path, |_| Ok(()))
}

/// The same; `read` is told of bytes as they are read, and may end it.
///
/// # Errors
/// If the file can't be read, or that of `read`.
pub fn file_hash_while(path: &Path, mut read: impl FnMut(u64) -> Result<()>) -> Result<String> {
    let mut file = File::open(path).map_err(Error::io("open", path))?;
    let mut hasher = blake3::Hasher::new();
    // Of many small files, most of the time would go into zeros.
    let length = file.metadata().map_or(1 << 18, |found| found.len().min(1 << 18));
    let mut buffer = vec![0; length as usize + 1];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finalize().to_hex().to_string()),
            Ok(bytes) => {
                hasher.update(&buffer[..bytes]);
                read(bytes as u64)?;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(Error::io("read", path)(e)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashing_can_be_ended() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        std::fs::write(&path, vec![7; 1 << 20]).unwrap();
        let mut seen = 0;
        let count = |bytes| {
            seen += bytes;
            Ok(())
        };
        assert_eq!(file_hash_while(&path, count).unwrap(), file_hash(&path).unwrap());
        assert_eq!(seen, 1 << 20);
        let mut calls = 0;
        let ended = file_hash_while(&path, |_| {
            calls += 1;
            Err(Error::Stopped)
        });
        assert!(matches!(ended, Err(Error::Stopped)) && calls == 1);
    }

    #[test]
    fn a_file_is_there_whole_or_not_at_all() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sub/a.bin");
        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"half").unwrap();
        drop(file);
        assert!(!path.exists());
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 0);

        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"whole").unwrap();
        assert!(!path.exists());
        let entry = file.commit("sub/a.bin", 3).unwrap();
        assert_eq!((entry.bytes, entry.rows), (5, 3));
        assert_eq!(entry.blake3, blake3::hash(b"whole").to_hex().to_string());
        assert_eq!(file_hash(&path).unwrap(), entry.blake3);
    }

    #[test]
    fn only_files_are_replaced_and_links_stay() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        std::fs::write(path("target"), "before").unwrap();
        std::os::unix::fs::symlink("target", path("link")).unwrap();
        let mut file = AtomicFile::create(&path("link")).unwrap();
        file.write_all(b"after").unwrap();
        file.commit("x", 0).unwrap();
        assert!(path("link").is_symlink());
        assert_eq!(std::fs::read(path("target")).unwrap(), b"after");
        for (wrong, why) in [
            ("/dev/null".into(), "a device"),
            (directory.path().to_owned(), "a directory"),
            (PathBuf::from(".."), "no name"),
        ] {
            let error = AtomicFile::create(&wrong).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn a_file_system_in_memory_holds_files() {
        if let Ok(directory) = tempfile::tempdir_in("/dev/shm") {
            let path = directory.path().join("a");
            AtomicFile::create(&path).unwrap().commit("a", 0).unwrap();
            assert!(path.is_file());
        }
    }

    #[test]
    fn one_file_has_one_writer_and_those_that_belong_together_come_together() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let mut first = AtomicFile::create(&path("a")).unwrap();
        let error = AtomicFile::create(&path("a")).unwrap_err().to_string();
        assert!(error.contains("another process"), "{error}");
        first.write_all(b"one").unwrap();
        let mut second = AtomicFile::create(&path("b")).unwrap();
        second.write_all(b"two").unwrap();
        let files = vec![(first, "a".to_owned(), 1), (second, "b".to_owned(), 2)];
        let entries = AtomicFile::commit_together(files).unwrap();
        assert_eq!((entries[0].rows, entries[1].path.as_str()), (1, "b"));
        assert_eq!(std::fs::read(path("b")).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2);
        AtomicFile::create(&path("a")).unwrap();
    }

    #[test]
    fn a_file_that_got_its_name_meanwhile_is_told_from_a_new_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let open = File::create(path("a")).unwrap();
        assert!(is_at(&open, &path("a")));
        std::fs::rename(path("a"), path("b")).unwrap();
        assert!(!is_at(&open, &path("a")));
        File::create(path("a")).unwrap();
        assert!(!is_at(&open, &path("a")));
    }

    #[test]
    fn free_space_is_that_of_the_disk_a_path_will_lie_on() {
        let directory = tempfile::tempdir().unwrap();
        let free = free_space(&directory.path().join("not/there/yet")).unwrap();
        assert!(free > 0 && free_space(directory.path()).is_some());
        assert!(free_space(Path::new("relative")).is_some());
    }

    #[test]
    fn an_error_names_the_file() {
        let error = AtomicFile::create(Path::new("/proc/nowhere/x")).unwrap_err().to_string();
        assert!(error.contains("/proc/nowhere"), "{error}");
    }
}
