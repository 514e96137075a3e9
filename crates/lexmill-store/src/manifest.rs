//! What a finished stage directory holds, and what it was made from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::commit::write_whole;
use crate::{Error, FileEntry, Result};

const FORMAT: u32 = 1;
pub(crate) const MANIFEST: &str = "manifest.json";

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
    /// If it is there but can't be read.
    pub fn read(directory: &Path) -> Result<Option<Manifest>> {
        let path = directory.join(MANIFEST);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::io("read", &path)(e)),
        };
        let manifest: Manifest = serde_json::from_str(&text).map_err(|e| {
            Error::corrupt(
                &path,
                format!("{e}; delete {directory:?} and run again to make it anew"),
            )
        })?;
        if manifest.format != FORMAT {
            return Err(Error::corrupt(
                &path,
                format!("its format is {}, this program reads {FORMAT}", manifest.format),
            ));
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
        let mut text = serde_json::to_string_pretty(self).expect("plain data");
        text.push('\n');
        write_whole(&directory.join(MANIFEST), text.as_bytes())
    }
}
