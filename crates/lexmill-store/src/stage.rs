//! Stage directories that are complete or not there.
//!
//! A stage works in `NAME.partial` beside its final directory `NAME`. Each unit of work that is done
//! (its files are on the disk under their names) gets a line in `journal.jsonl` there; a run that was
//! cut off finds the lines and does only what is missing. [`finish`](StageWriter::finish) writes the
//! manifest, and renames the directory into place. An earlier result under the final name stays whole
//! until then.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::commit::{TEMPORARY_SUFFIX, parent, sync_directory};
use crate::integrity::{damaged, expect_whole, seal, stays_below, unseal};
use crate::manifest::MANIFEST;
use crate::{Damage, Error, FileEntry, Manifest, Progress, Result, RunLock, StageKey};

const JOURNAL: &str = "journal.jsonl";
const LOCK: &str = "lock";

/// A unit of work that is done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UnitRecord {
    /// The unit's name.
    pub unit: String,
    /// The files it made.
    pub files: Vec<FileEntry>,
    /// What it counted.
    pub report: Value,
}

/// A stage directory being made.
#[derive(Debug)]
pub struct StageWriter {
    target: PathBuf,
    directory: PathBuf,
    units: BTreeMap<String, UnitRecord>,
    journal: Mutex<File>,
    /// Files whose names are on the disk.
    synced: Mutex<HashSet<String>>,
    _lock: RunLock,
}

fn beside(target: &Path, suffix: &str) -> PathBuf {
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    target.with_file_name(name)
}

impl StageWriter {
    /// Begins, or takes up again, the directory `target`. Units done earlier are kept if they were
    /// done under the same `purpose` (a hash of what they depend on) and their files are what was
    /// written, which is a phase of the work of its own; otherwise they are removed.
    ///
    /// # Errors
    /// If another process is at it, work is to stop, or the disk refuses.
    pub fn begin(
        target: &Path,
        purpose: &str,
        threads: usize,
        progress: &Progress,
    ) -> Result<StageWriter> {
        settle(target)?;
        let directory = beside(target, ".partial");
        let ours = directory.join(JOURNAL).exists() || directory.join(LOCK).exists();
        // Files are removed there: not behind a link, which anybody may have put there.
        if directory.is_symlink() || !ours && !is_free(&directory)? {
            return Err(Error::Occupied { path: directory });
        }
        std::fs::create_dir_all(&directory).map_err(Error::io("create", &directory))?;
        let lock = RunLock::acquire(&directory.join(LOCK), target)?;
        let journal_path = directory.join(JOURNAL);
        let header = seal(&json!({ "purpose": purpose }), false);
        let units = match std::fs::read(&journal_path) {
            Ok(bytes) => units_done(&directory, &bytes, &header, threads, progress)?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(e) => return Err(Error::io("read", &journal_path)(e)),
        };
        sweep(&directory, &units)?;
        // The journal is written anew, so that nothing of a torn line stays in it.
        let mut content = header + "\n";
        for record in units.values() {
            content += &journal_line(record);
        }
        crate::commit::write_whole(&journal_path, content.as_bytes())?;
        let journal = OpenOptions::new()
            .append(true)
            .open(&journal_path)
            .map_err(Error::io("open", &journal_path))?;
        Ok(StageWriter {
            target: target.to_owned(),
            directory,
            units,
            journal: Mutex::new(journal),
            // Of files that an earlier process left, nobody knows.
            synced: Mutex::default(),
            _lock: lock,
        })
    }

    /// The directory the stage works in.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where the file called `name` in the manifest lies meanwhile.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// A unit that was done before this process began.
    pub fn unit(&self, name: &str) -> Option<&UnitRecord> {
        self.units.get(name)
    }

    /// All units that were done before this process began, by name.
    pub fn units(&self) -> impl Iterator<Item = &UnitRecord> {
        self.units.values()
    }

    /// Notes that a unit is done, its files being committed, and brings their names to the disk:
    /// after this, what the unit was made from may be removed.
    ///
    /// # Errors
    /// If the journal can't be written.
    pub fn record(&self, record: &UnitRecord) -> Result<()> {
        self.sync_names(&record.files)?;
        self.record_soon(record)
    }

    /// Notes that a unit is done, but leaves it to [`finish`](StageWriter::finish) to bring its files'
    /// names to the disk. A unit whose files a power cut has taken is done again: this is for units
    /// that can be.
    ///
    /// # Errors
    /// If the journal can't be written.
    pub fn record_soon(&self, record: &UnitRecord) -> Result<()> {
        let path = self.directory.join(JOURNAL);
        let line = journal_line(record);
        let mut journal = self.journal.lock().expect("no holder panics");
        journal
            .write_all(line.as_bytes())
            .and_then(|()| journal.sync_data())
            .map_err(Error::io("write", &path))
    }

    /// Brings the names of files to the disk: their folders, up to the stage's.
    fn sync_names(&self, files: &[FileEntry]) -> Result<()> {
        let mut folders = BTreeSet::new();
        let mut new = Vec::new();
        {
            let synced = self.synced.lock().expect("no holder panics");
            for file in files.iter().filter(|file| !synced.contains(&file.path)) {
                new.push(file.path.clone());
                folders.extend(Path::new(&file.path).ancestors().skip(1));
            }
        }
        folders.iter().try_for_each(|folder| sync_directory(&self.directory.join(folder)))?;
        self.synced.lock().expect("no holder panics").extend(new);
        Ok(())
    }

    /// Takes a file over from another stage directory, without copying it where the file system
    /// allows.
    ///
    /// # Errors
    /// [`Error::Damaged`] if it is not what was written there; or if it can't be linked or copied.
    pub fn adopt(&self, from: &Path, file: &FileEntry) -> Result<()> {
        let (source, target) = (from.join(&file.path), self.path(&file.path));
        expect_whole(from, file)?;
        if target.exists() {
            return Ok(());
        }
        std::fs::create_dir_all(parent(&target)).map_err(Error::io("create", parent(&target)))?;
        if std::fs::hard_link(&source, &target).is_ok() {
            return Ok(());
        }
        let mut input = File::open(&source).map_err(Error::io("open", &source))?;
        let mut output = crate::AtomicFile::create(&target)?;
        std::io::copy(&mut input, &mut output).map_err(Error::io("copy", &source))?;
        output.commit("", 0)?;
        Ok(())
    }

    /// Completes the directory: writes its manifest, removes what is not in it, and puts it in its
    /// place.
    ///
    /// # Errors
    /// If the disk refuses; the work done so far stays for the next run.
    pub fn finish(
        self,
        key: StageKey,
        files: Vec<FileEntry>,
        units: BTreeMap<String, Value>,
        report: Value,
    ) -> Result<Manifest> {
        let manifest = Manifest::new(key, files, units, report);
        self.sync_names(&manifest.files)?;
        manifest.write(&self.directory)?;
        settle(&self.target)?;
        Ok(manifest)
    }
}

fn journal_line(record: &UnitRecord) -> String {
    seal(record, false) + "\n"
}

/// The lines of a journal: `None` where one is not what was written. The last may have been cut off, and
/// is left out then.
fn journal_lines(journal: &[u8]) -> impl Iterator<Item = Option<UnitRecord>> {
    let lines = journal.split(|&byte| byte == b'\n').skip(1).filter(|line| !line.is_empty());
    let mut lines = lines.peekable();
    let whole = journal.ends_with(b"\n");
    std::iter::from_fn(move || {
        let line = lines.next()?;
        let record = std::str::from_utf8(line).ok().and_then(unseal::<UnitRecord>);
        let record =
            record.filter(|record| record.files.iter().all(|file| stays_below(&file.path)));
        // Cut off by a crash, or by the end of the space on the disk: a unit that was not done.
        let torn = record.is_none() && lines.peek().is_none() && !whole;
        (!torn).then_some(record)
    })
}

/// What the units of a journal depend on, if its first line is whole.
fn purpose_of(journal: &[u8]) -> Option<String> {
    let first = journal.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let header = std::str::from_utf8(first).ok().and_then(unseal::<Value>)?;
    Some(header["purpose"].as_str()?.to_owned())
}

/// Whether the directory `target` was begun, and for a purpose that holds: then
/// [`begin`](StageWriter::begin) takes it up again.
pub fn is_begun(target: &Path, purpose: impl Fn(&str) -> bool) -> bool {
    let journal = beside(target, ".partial").join(JOURNAL);
    std::fs::read(journal).is_ok_and(|bytes| purpose_of(&bytes).is_some_and(|of| purpose(&of)))
}

/// The units of a journal whose files are what they were.
fn units_done(
    directory: &Path,
    journal: &[u8],
    header: &str,
    threads: usize,
    progress: &Progress,
) -> Result<BTreeMap<String, UnitRecord>> {
    let first = journal.split(|&byte| byte == b'\n').next();
    if first != Some(header.as_bytes()) {
        let path = directory.join(JOURNAL);
        if purpose_of(journal).is_none() {
            tracing::warn!("{path:?} is damaged: what was begun is done again");
        } else if journal_lines(journal).any(|record| record.is_some()) {
            tracing::warn!(
                "what was begun in {directory:?} has other settings or inputs: it is removed, and all \
                 is done anew"
            );
        }
        return Ok(BTreeMap::new());
    }
    let mut units = BTreeMap::new();
    for record in journal_lines(journal) {
        match record {
            // A later line of the same unit says more.
            Some(record) => _ = units.insert(record.unit.clone(), record),
            None => tracing::warn!(
                "a line of {:?} is damaged: what it was about is done again",
                directory.join(JOURNAL)
            ),
        }
    }
    let files: Vec<FileEntry> = units.values().flat_map(|unit| unit.files.clone()).collect();
    progress.begin_comparing(files.iter().map(|file| file.bytes).sum());
    let damage = damaged(directory, &files, threads, progress)?;
    for Damage { file, problem } in &damage {
        // A power cut takes the names of files of units that are noted before these are synced.
        if directory.join(file).exists() {
            tracing::warn!("{:?} is damaged: {problem}; it is made again", directory.join(file));
        }
    }
    let gone: HashSet<&str> = damage.iter().map(|damage| damage.file.as_str()).collect();
    units.retain(|_, unit| !unit.files.iter().any(|file| gone.contains(file.path.as_str())));
    Ok(units)
}

/// The files that an interrupted stage has noted as done and that are there, and which of them are not
/// what was written; `None` if nothing was begun in `directory`, which is called `NAME.partial`. Bytes
/// read count as progress.
///
/// # Errors
/// If the journal can't be read.
pub fn partial_damage(
    directory: &Path,
    threads: usize,
    progress: &Progress,
) -> Result<Option<(Vec<FileEntry>, Vec<Damage>)>> {
    let path = directory.join(JOURNAL);
    let journal = match std::fs::read(&path) {
        Ok(journal) => journal,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Error::io("read", &path)(e)),
    };
    let line_damaged = || Damage {
        file: JOURNAL.to_owned(),
        problem: "a line is not what was written".to_owned(),
    };
    let (mut found, mut units) = (Vec::new(), BTreeMap::new());
    if purpose_of(&journal).is_none() {
        found.push(line_damaged());
    }
    for record in journal_lines(&journal) {
        match record {
            Some(record) => _ = units.insert(record.unit.clone(), record),
            None => found.push(line_damaged()),
        }
    }
    // Files that later units have made use of are gone, and so may be names that were not synced.
    let files = units.into_values().flat_map(|unit| unit.files);
    let files: Vec<FileEntry> = files.filter(|file| directory.join(&file.path).exists()).collect();
    found.extend(damaged(directory, &files, threads, progress)?);
    Ok(Some((files, found)))
}

/// Ends a replacement of the stage directory `target` that was cut off: a partial directory with a
/// manifest is complete, and is put in its place. Whoever decides by a manifest whether work is to be
/// done calls this first. Directories that are not Lexmill's are left alone.
///
/// # Errors
/// [`Error::Occupied`] if `target` is something else than a stage; or if the disk refuses.
pub fn settle(target: &Path) -> Result<()> {
    let name = target.file_name().filter(|name| *name != "..");
    if name.is_none() || !(is_stage(target) || is_free(target)?) {
        return Err(Error::Occupied { path: target.to_owned() });
    }
    let (partial, old) = (beside(target, ".partial"), beside(target, ".old"));
    if let Some(manifest) = Manifest::read(&partial)? {
        remove_unlisted(&partial, &manifest)?;
        if target.exists() {
            remove_stage(&old)?;
            std::fs::rename(target, &old).map_err(Error::io("rename", target))?;
        }
        std::fs::rename(&partial, target).map_err(Error::io("rename", &partial))?;
        sync_directory(parent(target))?;
        // Held until here, so that nobody takes the directory for their own meanwhile.
        let _gone = std::fs::remove_file(target.join(LOCK));
    } else if !target.exists() && is_stage(&old) {
        std::fs::rename(&old, target).map_err(Error::io("rename", &old))?;
    } else if is_stage(target) && !partial.exists() {
        // What a process left that was killed just before it let go.
        let _gone = std::fs::remove_file(target.join(LOCK));
    }
    remove_stage(&old)
}

fn is_stage(directory: &Path) -> bool {
    directory.join(MANIFEST).exists()
}

/// Whether there is nothing, or an empty directory.
fn is_free(path: &Path) -> Result<bool> {
    match std::fs::metadata(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(true),
        Err(e) => Err(Error::io("look at", path)(e)),
        Ok(found) if found.is_dir() => {
            Ok(std::fs::read_dir(path).map_err(Error::io("list", path))?.next().is_none())
        }
        Ok(_) => Ok(false),
    }
}

/// Removes a directory if it is a stage's. The manifest goes last, so that what is left by an
/// interruption still is one.
fn remove_stage(directory: &Path) -> Result<()> {
    if directory.is_symlink() {
        // What it leads to is not ours to remove.
        return std::fs::remove_file(directory).map_err(Error::io("remove", directory));
    }
    if !is_stage(directory) {
        return Ok(());
    }
    walk(directory, &mut |path| path == directory.join(MANIFEST))?;
    std::fs::remove_dir_all(directory).map_err(Error::io("remove", directory))
}

fn remove_unlisted(directory: &Path, manifest: &Manifest) -> Result<()> {
    let listed: HashSet<PathBuf> =
        manifest.files.iter().map(|file| directory.join(&file.path)).collect();
    walk(directory, &mut |path| {
        listed.contains(path) || path == directory.join(MANIFEST) || path == directory.join(LOCK)
    })
}

/// Removes unfinished files, and files of units that are not in the journal.
fn sweep(directory: &Path, units: &BTreeMap<String, UnitRecord>) -> Result<()> {
    let listed: HashSet<PathBuf> = units
        .values()
        .flat_map(|unit| unit.files.iter().map(|file| directory.join(&file.path)))
        .collect();
    walk(directory, &mut |path| {
        listed.contains(path) || path == directory.join(JOURNAL) || path == directory.join(LOCK)
    })
}

impl Manifest {
    /// Files in the directory that the manifest does not list, by name.
    ///
    /// # Errors
    /// If the directory can't be listed.
    pub fn strangers(&self, directory: &Path) -> Result<Vec<String>> {
        let listed: HashSet<&str> = self.files.iter().map(|file| file.path.as_str()).collect();
        let mut found = Vec::new();
        let mut waiting = vec![directory.to_owned()];
        while let Some(folder) = waiting.pop() {
            for entry in std::fs::read_dir(&folder).map_err(Error::io("list", &folder))? {
                let entry = entry.map_err(Error::io("list", &folder))?;
                let path = entry.path();
                if entry.file_type().map_err(Error::io("look at", &path))?.is_dir() {
                    waiting.push(path);
                    continue;
                }
                let name = path.strip_prefix(directory).unwrap_or(&path).to_string_lossy();
                if !listed.contains(&*name) && ![MANIFEST, LOCK].contains(&&*name) {
                    found.push(name.into_owned());
                }
            }
        }
        found.sort();
        Ok(found)
    }
}

/// Removes every file below `directory` that `keep` does not want, and folders left empty.
fn walk(directory: &Path, keep: &mut dyn FnMut(&Path) -> bool) -> Result<()> {
    for entry in std::fs::read_dir(directory).map_err(Error::io("list", directory))? {
        let path = entry.map_err(Error::io("list", directory))?.path();
        let kind = std::fs::symlink_metadata(&path).map_err(Error::io("look at", &path))?;
        if kind.is_dir() {
            walk(&path, keep)?;
            // Fails when the folder still holds something, which is fine.
            let _kept = std::fs::remove_dir(&path);
        } else if path.to_string_lossy().ends_with(TEMPORARY_SUFFIX) || !keep(&path) {
            std::fs::remove_file(&path).map_err(Error::io("remove", &path))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AtomicFile;
    use crate::Stop;

    fn key(settings: u32) -> StageKey {
        StageKey {
            stage: "test".to_owned(),
            version: 1,
            settings: settings.into(),
            inputs: BTreeMap::new(),
        }
    }

    fn unit(stage: &StageWriter, name: &str) -> UnitRecord {
        let mut file = AtomicFile::create(&stage.path(&format!("data/{name}"))).unwrap();
        file.write_all(name.as_bytes()).unwrap();
        let entry = file.commit(&format!("data/{name}"), 1).unwrap();
        let record = UnitRecord { unit: name.to_owned(), files: vec![entry], report: Value::Null };
        stage.record(&record).unwrap();
        record
    }

    fn files(records: &[UnitRecord]) -> Vec<FileEntry> {
        records.iter().flat_map(|r| r.files.clone()).collect()
    }

    #[test]
    fn a_stage_is_complete_or_not_there_and_resumes() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("stage");
        let stage = StageWriter::begin(&target, "p", 1, &Progress::new()).unwrap();
        let a = unit(&stage, "a");
        assert!(
            StageWriter::begin(&target, "p", 1, &Progress::new()).is_err(),
            "two writers at once"
        );
        drop(stage);
        assert!(!target.exists());

        // A torn line, a file nobody noted and an unfinished file are not there any more.
        let partial = beside(&target, ".partial");
        std::fs::write(partial.join("data/stray"), "x").unwrap();
        std::fs::write(partial.join("data/.b.tmp"), "x").unwrap();
        let mut journal = OpenOptions::new().append(true).open(partial.join(JOURNAL)).unwrap();
        journal.write_all(b"{\"record\":{\"unit\":\"b\"").unwrap();

        let stop = Stop::default();
        stop.ask();
        let ended = StageWriter::begin(&target, "p", 1, &Progress::until(stop));
        assert!(matches!(ended, Err(Error::Stopped)));
        let progress = Progress::new();
        let stage = StageWriter::begin(&target, "p", 1, &progress).unwrap();
        assert_eq!(progress.read(), (a.files[0].bytes, a.files[0].bytes, "bytes"));
        assert_eq!(stage.unit("a"), Some(&a));
        assert_eq!(stage.units().count(), 1);
        assert!(!partial.join("data/stray").exists() && !partial.join("data/.b.tmp").exists());
        let b = unit(&stage, "b");
        stage.finish(key(1), files(&[a, b]), BTreeMap::new(), Value::Null).unwrap();
        assert!(!partial.exists() && !beside(&target, ".old").exists());
        let manifest = Manifest::expect(&target, &["test"]).unwrap();
        assert_eq!(manifest.files.len(), 2);
        assert_eq!(std::fs::read(target.join("data/b")).unwrap(), b"b");

        std::fs::write(target.join("data/b"), "truncated or longer").unwrap();
        let error = Manifest::expect(&target, &["test"]).unwrap_err().to_string();
        assert!(error.contains("data/b"), "{error}");
    }

    #[test]
    fn the_old_result_stays_until_the_new_one_is_whole() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("stage");
        let stage = StageWriter::begin(&target, "p", 1, &Progress::new()).unwrap();
        let a = unit(&stage, "a");
        stage.finish(key(1), files(&[a]), BTreeMap::new(), Value::Null).unwrap();

        let stage = StageWriter::begin(&target, "q", 1, &Progress::new()).unwrap();
        assert_eq!(stage.units().count(), 0);
        let c = unit(&stage, "c");
        assert_eq!(Manifest::expect(&target, &["test"]).unwrap().key, key(1));
        stage.finish(key(2), files(&[c]), BTreeMap::new(), Value::Null).unwrap();
        assert_eq!(Manifest::expect(&target, &["test"]).unwrap().key, key(2));
        assert!(!target.join("data/a").exists());
    }

    #[test]
    fn another_purpose_forgets_the_units() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("stage");
        let stage = StageWriter::begin(&target, "p", 1, &Progress::new()).unwrap();
        unit(&stage, "a");
        drop(stage);
        let stage = StageWriter::begin(&target, "q", 1, &Progress::new()).unwrap();
        assert_eq!(stage.units().count(), 0);
        assert!(!stage.path("data/a").exists());
    }

    #[test]
    fn a_replacement_cut_between_its_two_renames_is_ended() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("stage");
        let stage = StageWriter::begin(&target, "p", 1, &Progress::new()).unwrap();
        let a = unit(&stage, "a");
        stage.finish(key(1), files(&[a]), BTreeMap::new(), Value::Null).unwrap();
        std::fs::rename(&target, beside(&target, ".old")).unwrap();
        drop(StageWriter::begin(&target, "q", 1, &Progress::new()).unwrap());
        assert_eq!(Manifest::expect(&target, &["test"]).unwrap().key, key(1));
    }
}
