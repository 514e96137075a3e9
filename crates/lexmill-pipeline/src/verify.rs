//! Whether all that a run directory holds is what was written there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lexmill_store::history::damaged_lines;
use lexmill_store::{Damage, Error as StoreError, Manifest, Progress, is_sealed, partial_damage};
use serde::Serialize;

use crate::error::{Error, Result};
use crate::run::{HASHES, STATUS};

/// A stage directory that was looked through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerifiedStage {
    /// Its name in the run directory; that of the directory itself if only it was asked for.
    pub stage: String,
    /// Where it lies.
    pub directory: PathBuf,
    /// Its kind; `None` if its manifest is damaged, or it is not finished.
    pub kind: Option<String>,
    /// Whether it is finished.
    pub finished: bool,
    /// Files that were compared.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// What is not what was written.
    pub damage: Vec<Damage>,
    /// Files of a finished stage that its manifest does not list: somebody else put them there.
    pub strangers: Vec<String>,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// Stage directories, by name.
    pub stages: Vec<VerifiedStage>,
    /// Damaged notes of the run itself: remembered hashes, history.
    pub notes: Vec<Damage>,
}

impl Verification {
    /// How many files are damaged.
    pub fn damaged(&self) -> usize {
        self.notes.len() + self.stages.iter().map(|stage| stage.damage.len()).sum::<usize>()
    }

    /// Why each damaged finished stage is to be made again.
    pub(crate) fn reasons(&self) -> BTreeMap<String, Vec<String>> {
        let damaged = self.stages.iter().filter(|stage| stage.finished && !stage.damage.is_empty());
        let reasons = |stage: &VerifiedStage| {
            stage.damage.iter().map(|d| format!("{:?} is damaged: {}", d.file, d.problem)).collect()
        };
        damaged.map(|stage| (stage.stage.clone(), reasons(stage))).collect()
    }
}

/// Reads all that is in a run directory, or in the directory of one stage, and compares it with what was
/// written. A stage that is being made by somebody else meanwhile may be reported as damaged.
///
/// # Errors
/// If the directory can't be listed, or holds nothing of the kind. Damage is not an error.
pub fn verify(directory: &Path, threads: usize, progress: &Progress) -> Result<Verification> {
    let name = |path: &Path| {
        path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    };
    let mut found = Verification::default();
    let mut directories: Vec<PathBuf> = Vec::new();
    if is_stage(directory) {
        directories.push(directory.to_owned());
    } else {
        for entry in std::fs::read_dir(directory).map_err(StoreError::io("list", directory))? {
            let path = entry.map_err(StoreError::io("list", directory))?.path();
            if path.is_dir() && is_stage(&path) {
                directories.push(path);
            }
        }
        directories.sort();
        for (file, whole) in [
            (HASHES, is_sealed(&directory.join(HASHES))),
            (STATUS, is_sealed(&directory.join(STATUS))),
        ] {
            if whole == Some(false) {
                let problem = "its content is not what was written".to_owned();
                found.notes.push(Damage { file: file.to_owned(), problem });
            }
        }
        found.notes.extend(damaged_lines(directory)?);
    }
    if directories.is_empty() && found.notes.is_empty() {
        return Err(Error::NothingToVerify { path: directory.to_owned() });
    }
    let manifests: Vec<_> = directories.iter().map(|path| Manifest::read(path)).collect();
    let bytes = manifests.iter().flatten().flatten().map(Manifest::bytes).sum();
    progress.begin("bytes", bytes);
    for (path, manifest) in directories.iter().zip(manifests) {
        let mut stage = VerifiedStage {
            stage: name(path),
            directory: path.clone(),
            kind: None,
            finished: true,
            files: 0,
            bytes: 0,
            damage: Vec::new(),
            strangers: Vec::new(),
        };
        match manifest {
            Ok(Some(manifest)) => {
                stage.kind = Some(manifest.key.stage.clone());
                stage.files = manifest.files.len();
                stage.bytes = manifest.bytes();
                stage.damage = manifest.damage(path, threads, progress)?;
                stage.strangers = manifest.strangers(path)?;
            }
            Ok(None) => {
                stage.finished = false;
                if let Some((files, damage)) = partial_damage(path, threads, progress)? {
                    stage.files = files.len();
                    stage.bytes = files.iter().map(|file| file.bytes).sum();
                    stage.damage = damage;
                }
            }
            Err(error) => stage.damage.push(Damage {
                file: "manifest.json".to_owned(),
                problem: match error {
                    StoreError::Manifest { problem, .. } => problem,
                    other => other.to_string(),
                },
            }),
        }
        found.stages.push(stage);
    }
    Ok(found)
}

/// Whether a directory is a stage's, finished or not.
fn is_stage(directory: &Path) -> bool {
    ["manifest.json", "journal.jsonl"].iter().any(|name| directory.join(name).exists())
}
