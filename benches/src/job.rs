//! One call of `lexmill run`, and what it left.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use lexmill_store::{Manifest, file_hash};

use crate::child::{self, Cost};
use crate::corpus::{self, Text};
use crate::lab::{Lab, remove};

/// A call of `lexmill run` in the making.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    program: PathBuf,
    pipeline: PathBuf,
    text: String,
    directory: PathBuf,
    arguments: Vec<String>,
}

impl Job {
    /// The reference pipeline on the reference text, in a directory below the working directory.
    pub(crate) fn reference(lab: &Lab, directory: &str) -> Result<Job> {
        let text = corpus::reference(lab)?;
        Ok(Job::plain(lab, &text, directory))
    }

    /// The reference pipeline on another text of a document a line and words between spaces.
    pub(crate) fn plain(lab: &Lab, text: &Text, directory: &str) -> Job {
        Job::new(lab, "reference.toml", text, directory)
    }

    /// The pipeline of skip-gram and CBOW.
    pub(crate) fn word2vec(lab: &Lab, text: &Text, directory: &str) -> Job {
        Job::new(lab, "word2vec.toml", text, directory)
    }

    /// The pipeline for natural English, without scores.
    pub(crate) fn english(lab: &Lab, text: &Text, directory: &str) -> Job {
        Job::new(lab, "english.toml", text, directory)
    }

    /// The pipeline of natural English with two trainers.
    pub(crate) fn soak(lab: &Lab, text: &Text, directory: &str) -> Job {
        Job::new(lab, "soak.toml", text, directory)
    }

    /// The pipeline that tokenizes and does nothing else.
    pub(crate) fn tokens(lab: &Lab, text: &Text, directory: &str) -> Job {
        Job::new(lab, "tokens.toml", text, directory)
    }

    fn new(lab: &Lab, pipeline: &str, text: &Text, directory: &str) -> Job {
        Job {
            program: lab.program().to_owned(),
            pipeline: lab.pipeline(pipeline),
            text: text.pattern.clone(),
            directory: lab.work(directory),
            arguments: Vec::new(),
        }
    }

    fn with(mut self, flag: &str, value: impl Display) -> Job {
        self.arguments.extend([flag.to_owned(), value.to_string()]);
        self
    }

    /// With so many threads.
    pub(crate) fn threads(self, threads: u32) -> Job {
        self.with("--threads", threads)
    }

    /// Within a memory budget.
    pub(crate) fn memory(self, memory: &str) -> Job {
        self.with("--memory", memory)
    }

    /// With a checkpoint at least every so many seconds.
    pub(crate) fn checkpoint_every(self, seconds: u32) -> Job {
        self.with("--checkpoint-every", seconds)
    }

    /// With a field of the pipeline changed.
    pub(crate) fn set(self, key: &str, value: impl Display) -> Job {
        self.with("--set", format!("{key}={value}"))
    }

    /// With the test sets of the data folder.
    pub(crate) fn test_sets(self, lab: &Lab) -> Result<Job> {
        Ok(lab.test_sets()?.into_iter().fold(self, |job, (key, value)| job.set(key, value)))
    }

    /// With every English test set of the data folder.
    pub(crate) fn every_test_set(self, lab: &Lab) -> Result<Job> {
        let (similarity, analogies) = lab.every_test_set()?;
        // JSON's lists of strings are TOML's.
        let list = |paths: &[String]| serde_json::json!(paths).to_string();
        Ok(self
            .set("stages.scores.similarity", list(&similarity))
            .set("stages.scores.analogies", list(&analogies)))
    }

    /// This stage and what it reads from.
    pub(crate) fn to(self, stage: &str) -> Job {
        self.with("--to", stage)
    }

    /// This stage alone.
    pub(crate) fn only(self, stage: &str) -> Job {
        self.with("--only", stage)
    }

    /// The run directory.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Removes what earlier runs left.
    pub(crate) fn clear(&self) -> Result<()> {
        remove(&self.directory)
    }

    /// Removes what earlier runs left of one stage.
    pub(crate) fn clear_stage(&self, stage: &str) -> Result<()> {
        for ending in ["", ".partial", ".old"] {
            remove(&self.directory.join(format!("{stage}{ending}")))?;
        }
        Ok(())
    }

    /// The command.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .arg("run")
            .arg(&self.pipeline)
            .arg("--dir")
            .arg(&self.directory)
            .arg("--quiet")
            .args(&self.arguments)
            .env("LEXMILL_TEXT", &self.text)
            .env_remove("LEXMILL_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command
    }

    /// Runs it.
    pub(crate) fn run(&self) -> Result<Cost> {
        child::measure(&mut self.command())
    }

    /// The manifest of a stage that is done.
    pub(crate) fn manifest(&self, stage: &str) -> Result<Manifest> {
        let path = self.directory.join(stage);
        Manifest::read(&path)?.with_context(|| format!("{} is not finished", path.display()))
    }

    /// A number from a stage's report.
    pub(crate) fn reported(&self, stage: &str, name: &str) -> Result<u64> {
        let manifest = self.manifest(stage)?;
        manifest.report[name]
            .as_u64()
            .with_context(|| format!("the report of stage {stage:?} lacks {name:?}"))
    }

    /// BLAKE3 of every table and file in the run directory, by path. Manifests and the run's own
    /// notes (`.lock`, `.status.json`) are no tables.
    pub(crate) fn tables(&self) -> Result<BTreeMap<String, String>> {
        let mut found = BTreeMap::new();
        collect(&self.directory, &self.directory, &mut found)?;
        Ok(found)
    }
}

fn collect(root: &Path, directory: &Path, found: &mut BTreeMap<String, String>) -> Result<()> {
    let list = std::fs::read_dir(directory)
        .with_context(|| format!("can't list {}", directory.display()))?;
    for entry in list {
        let path = entry.with_context(|| format!("can't list {}", directory.display()))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            collect(root, &path, found)?;
        } else if name != "manifest.json" && !name.starts_with('.') {
            let relative = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
            found.insert(relative, file_hash(&path)?);
        }
    }
    Ok(())
}
