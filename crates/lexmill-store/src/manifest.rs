//! What a finished stage directory holds, and what it was made from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::integrity::{Damage, advice, damaged, expect_whole, stays_below, unseal, write_sealed};
use crate::{Error, FileEntry, Progress, Result};

const FORMAT: u32 = 2;
pub(crate) const MANIFEST: &str = "manifest.json";
/// Folders of a stage that a file lies in, at most, with the stage's own.
const DEEPEST: usize = 4;

/// All that a stage's result depends on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageKey {
    /// The stage's kind, such as `count`.
    pub stage: String,
    /// The version of its algorithm: raised when the same settings give other bytes.
    pub version: u32,
    /// Its settings, all of them, defaults included.
    pub settings: Value,
    /// Fingerprints of its inputs, by role.
    pub inputs: BTreeMap<String, String>,
}

impl StageKey {
    /// One hash of all of it.
    pub fn hash(&self) -> String {
        let text = serde_json::to_string(self).expect("plain data");
        blake3::hash(text.as_bytes()).to_hex().to_string()
    }
}

/// A finished stage directory: the only list of what it holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    format: u32,
    /// What it was made from.
    #[serde(flatten)]
    pub key: StageKey,
    /// One hash of the content of all files.
    pub fingerprint: String,
    /// The files.
    pub files: Vec<FileEntry>,
    /// Units of work by name, for stages that take over units from an earlier result.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub units: BTreeMap<String, Value>,
    /// What the stage counted on its way.
    pub report: Value,
}

/// Whether a file that is no manifest as it stands may have been one.
fn has_hashes(path: &Path) -> bool {
    let text = std::fs::read(path).unwrap_or_default();
    ["\"blake3\"", "\"fingerprint\""]
        .iter()
        .any(|field| text.windows(field.len()).any(|part| part == field.as_bytes()))
}

impl Manifest {
    pub(crate) fn new(
        key: StageKey,
        files: Vec<FileEntry>,
        units: BTreeMap<String, Value>,
        report: Value,
    ) -> Manifest {
        let mut hasher = blake3::Hasher::new();
        for file in &files {
            hasher.update(file.path.as_bytes());
            hasher.update(file.blake3.as_bytes());
        }
        let fingerprint = hasher.finalize().to_hex().to_string();
        Manifest { format: FORMAT, key, fingerprint, files, units, report }
    }

    /// The manifest of a stage directory, or `None` if there is none.
    ///
    /// # Errors
    /// If it is there but can't be read, or is not what was written ([`Error::Manifest`]).
    pub fn read(directory: &Path) -> Result<Option<Manifest>> {
        let path = directory.join(MANIFEST);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::io("read", &path)(e)),
        };
        let damaged = |what: &str| Error::Manifest {
            path: path.clone(),
            problem: what.to_owned(),
            advice: advice(directory),
        };
        let text = std::str::from_utf8(&bytes).map_err(|_| damaged("it is not UTF-8"))?;
        let Some(manifest) = unseal::<Manifest>(text) else {
            let format = serde_json::from_str::<Value>(text).ok();
            let format = format.as_ref().and_then(|value| value["format"].as_u64());
            return Err(match format.filter(|&format| format != u64::from(FORMAT)) {
                Some(other) => {
                    damaged(&format!("its format is {other}, this program reads {FORMAT}"))
                }
                None => damaged("its content is not what was written"),
            });
        };
        if manifest.format != FORMAT {
            let format = manifest.format;
            return Err(damaged(&format!("its format is {format}, this program reads {FORMAT}")));
        }
        if let Some(file) = manifest.files.iter().find(|file| !stays_below(&file.path)) {
            return Err(damaged(&format!("it names {:?}, which is not below it", file.path)));
        }
        Ok(Some(manifest))
    }

    /// The manifest of a directory that must be a finished stage of one of these kinds. Checks that
    /// every file is there with its length.
    ///
    /// # Errors
    /// [`Error::NotAStage`] otherwise.
    pub fn expect(directory: &Path, kinds: &[&str]) -> Result<Manifest> {
        let not = |problem: String| Error::NotAStage {
            path: directory.to_owned(),
            expected: kinds.join(" or "),
            problem,
        };
        let manifest = match Manifest::read(directory)? {
            Some(manifest) => manifest,
            None if directory.is_dir() => return Err(not("it holds no manifest.json".to_owned())),
            None => return Err(not("there is no such directory".to_owned())),
        };
        if !kinds.contains(&manifest.key.stage.as_str()) {
            return Err(not(format!("it is a {} stage", manifest.key.stage)));
        }
        if let Some(problem) = manifest.missing(directory) {
            return Err(not(problem));
        }
        Ok(manifest)
    }

    /// The first file that is not there with its length, in words.
    pub fn missing(&self, directory: &Path) -> Option<String> {
        self.files.iter().find_map(|file| {
            let path = directory.join(&file.path);
            match std::fs::metadata(&path) {
                Err(_) => Some(format!("its file {:?} is missing", file.path)),
                Ok(found) if found.len() != file.bytes => Some(format!(
                    "its file {:?} has {} bytes instead of {}",
                    file.path,
                    found.len(),
                    file.bytes
                )),
                Ok(_) => None,
            }
        })
    }

    /// Reads all files and compares them with what was written; bytes read count as progress.
    ///
    /// # Errors
    /// [`Error::Stopped`] only.
    pub fn damage(
        &self,
        directory: &Path,
        threads: usize,
        progress: &Progress,
    ) -> Result<Vec<Damage>> {
        damaged(directory, &self.files, threads, progress)
    }

    /// The same, for whoever is about to use them all.
    ///
    /// # Errors
    /// [`Error::Damaged`] if one is not what was written, [`Error::Stopped`] if work is to stop.
    pub fn expect_whole(
        &self,
        directory: &Path,
        threads: usize,
        progress: &Progress,
    ) -> Result<()> {
        match self.damage(directory, threads, progress)?.into_iter().next() {
            None => Ok(()),
            Some(Damage { file, problem }) => {
                let advice = advice(directory);
                Err(Error::Damaged { path: directory.join(file), problem, advice })
            }
        }
    }

    /// Compares some of the files with what was written, for whoever is about to read them.
    ///
    /// # Errors
    /// [`Error::Damaged`] if one is not that.
    pub fn expect_files(&self, directory: &Path, which: impl Fn(&str) -> bool) -> Result<()> {
        let files = self.files.iter().filter(|file| which(&file.path));
        files.into_iter().try_for_each(|file| expect_whole(directory, file))
    }

    /// Compares a file with what the manifest says of it of the stage that it lies in, if it lies in one.
    ///
    /// # Errors
    /// [`Error::Damaged`] if it is not what was written; or if the manifest can't be read.
    pub fn expect_file(path: &Path) -> Result<()> {
        for directory in path.ancestors().skip(1).take(DEEPEST) {
            let directory =
                if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
            let manifest = match Manifest::read(directory) {
                Ok(Some(manifest)) => manifest,
                Ok(None) => continue,
                // Other programs have files of that name, too.
                Err(_) if !has_hashes(&directory.join(MANIFEST)) => continue,
                Err(error) => return Err(error),
            };
            let name = path.strip_prefix(directory).unwrap_or(path);
            return manifest.expect_files(directory, |listed| Path::new(listed) == name);
        }
        Ok(())
    }

    /// The bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// Paths of the files below a folder of the stage directory, in the manifest's order.
    pub fn paths(&self, directory: &Path, folder: &str) -> Vec<PathBuf> {
        self.entries(folder).map(|file| directory.join(&file.path)).collect()
    }

    /// The files below a folder of the stage directory, in the manifest's order.
    pub fn entries(&self, folder: &str) -> impl Iterator<Item = &FileEntry> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        self.files.iter().filter(move |file| file.path.starts_with(&prefix))
    }

    /// A setting, or an error that names the manifest.
    ///
    /// # Errors
    /// If the setting is not there or of another type.
    pub fn setting<T: serde::de::DeserializeOwned>(
        &self,
        directory: &Path,
        name: &str,
    ) -> Result<T> {
        let value = self.key.settings.get(name).cloned().unwrap_or(Value::Null);
        serde_json::from_value(value).map_err(|e| {
            Error::corrupt(&directory.join(MANIFEST), format!("its setting {name:?}: {e}"))
        })
    }

    pub(crate) fn write(&self, directory: &Path) -> Result<()> {
        write_sealed(&directory.join(MANIFEST), self)
    }
}
