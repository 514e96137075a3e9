//! Doing what is not done.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lexmill_store::history::{StageRun, peak_memory, reset_peak_memory};
use lexmill_store::{
    AtomicFile, Error as StoreError, Manifest, Progress, Resources, RunLock, settle,
};
use serde::{Deserialize, Serialize};

use crate::definition::{Definition, Stage};
use crate::error::{Error, Result};
use crate::kinds::{Kind, Outside, Settings};
use crate::plan::{Condition, condition, inputs};

pub(crate) const HASHES: &str = ".corpus-hashes.json";
const LOCK: &str = ".lock";
const STATUS: &str = ".status.json";

/// How often an observer is asked to look.
const TICK: Duration = Duration::from_millis(100);
/// How often the status file is written.
const STATUS_EVERY: Duration = Duration::from_secs(1);

/// Somebody who is told what a run does.
pub trait Observer: Sync {
    /// A stage is fresh and is left as it is.
    fn fresh(&self, stage: &str, kind: Kind);
    /// A stage begins.
    fn begins(&self, stage: &str, kind: Kind, condition: &Condition);
    /// A stage is at work; called ten times a second, and once more when it has ended.
    fn works(&self, stage: &str, progress: &Progress);
    /// A stage has ended well.
    fn ends(&self, stage: &str, kind: Kind, manifest: &Manifest, took: Duration);
}

/// What `status` shows of a run from outside.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// The process.
    pub process: u32,
    /// The stage at work.
    pub stage: String,
    /// What it counts.
    pub unit: String,
    /// How many of them are done.
    pub done: u64,
    /// Of how many; 0 if nobody knows.
    pub total: u64,
    /// How many are done in a second, by this process.
    pub rate: f64,
    /// When this was written: seconds since 1970.
    pub written: u64,
    /// Whether the process still holds the directory.
    #[serde(skip)]
    pub running: bool,
}

/// Where a pipeline's results go unless told otherwise.
pub fn default_directory(definition: &Definition) -> PathBuf {
    Path::new("runs").join(&definition.name)
}

/// The status of a run directory, if a run ever wrote one.
pub fn read_status(directory: &Path) -> Option<Status> {
    let text = std::fs::read(directory.join(STATUS)).ok()?;
    let mut status: Status = serde_json::from_slice(&text).ok()?;
    let lock = std::fs::File::open(directory.join(LOCK)).ok();
    // Not having it says that somebody else has.
    status.running = lock.is_some_and(|file| file.try_lock_shared().is_err());
    Some(status)
}

/// Runs the stages named in `selected` that are not fresh, in order. Returns how many ran.
///
/// # Errors
/// If another process runs in the directory, or a stage fails; what is done stays done.
pub fn run(
    definition: &Definition,
    directory: &Path,
    selected: &[String],
    resources: &Resources,
    observer: &dyn Observer,
) -> Result<usize> {
    std::fs::create_dir_all(directory).map_err(StoreError::io("create", directory))?;
    let _lock = RunLock::acquire(&directory.join(LOCK), directory)?;
    for stage in &definition.stages {
        settle(&directory.join(&stage.id))?;
    }
    let stages: Vec<&Stage> =
        definition.stages.iter().filter(|stage| selected.contains(&stage.id)).collect();
    // Before any work: a test set that is missing must not be found out after a night's training.
    let hashes = directory.join(HASHES);
    let look = |stage: &&Stage| {
        let outside = stage.settings.look_outside(Some(&hashes), resources.threads);
        outside.map_err(|source| Error::Stage { stage: stage.id.clone(), source })
    };
    let outside = stages.iter().map(look).collect::<Result<Vec<Outside>>>()?;
    let mut ran = 0;
    for (stage, mut outside) in stages.into_iter().zip(outside) {
        // Earlier stages may have taken hours: what is read now is what counts. The corpus is watched
        // while it is read.
        if stage.kind != Kind::Tokenize {
            outside = look(&stage)?;
        }
        ran += usize::from(one(definition, stage, &outside, directory, resources, observer)?);
    }
    Ok(ran)
}

/// Runs a stage if it is not fresh; returns whether it ran.
fn one(
    definition: &Definition,
    stage: &Stage,
    outside: &Outside,
    directory: &Path,
    resources: &Resources,
    observer: &dyn Observer,
) -> Result<bool> {
    let failed = |source| Error::Stage { stage: stage.id.clone(), source };
    let mut manifests = Vec::new();
    for input in &stage.inputs {
        let kind = definition.stages.iter().find(|other| other.id == *input).map(|o| o.kind.name());
        let kinds: Vec<&str> = kind.into_iter().collect();
        let manifest = Manifest::expect(&directory.join(input), &kinds)
            .map_err(|_| Error::InputNotDone { stage: stage.id.clone(), input: input.clone() })?;
        manifests.push((input.as_str(), manifest));
    }
    let fingerprint = |input: &str| {
        manifests.iter().find(|(id, _)| *id == input).map(|(_, manifest)| &manifest.fingerprint)
    };
    let key = stage.settings.key(outside, inputs(stage, fingerprint));
    let output = directory.join(&stage.id);
    let begun = directory.join(format!("{}.partial", stage.id)).is_dir();
    let live = outside.corpus.has_standard_input();
    let found = condition(&output, Manifest::read(&output)?.as_ref(), &key, begun, live);
    if found == Condition::Fresh {
        observer.fresh(&stage.id, stage.kind);
        return Ok(false);
    }
    observer.begins(&stage.id, stage.kind, &found);
    let paths: Vec<PathBuf> = stage.inputs.iter().map(|input| directory.join(input)).collect();
    let resumed = found == (Condition::Missing { begun: true });
    reset_peak_memory();
    let begun = Instant::now();
    let manifest = watch_in(&stage.id, Some(directory), observer, |progress| {
        stage.settings.run(outside, &paths, &output, key, resources, progress)
    })
    .map_err(failed)?;
    let took = begun.elapsed();
    let run = StageRun {
        stage: stage.id.clone(),
        fingerprint: manifest.fingerprint.clone(),
        finished: seconds_since_1970(),
        seconds: took.as_secs_f64(),
        resumed,
        peak_memory_bytes: peak_memory(),
        threads: resources.threads as u64,
        memory_bytes: resources.memory_bytes,
        program: env!("CARGO_PKG_VERSION").to_owned(),
    };
    // The result is there: that nobody can read how long it took must not fail the run.
    if let Err(error) = run.append(directory) {
        tracing::warn!(%error, "what the stage took is not noted");
    }
    observer.ends(&stage.id, stage.kind, &manifest, took);
    Ok(true)
}

fn seconds_since_1970() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Settings of a stage that is run alone.
pub(crate) fn stage_settings(kind: Kind, table: toml::Table) -> Result<Settings> {
    let mut problems = Vec::new();
    let settings = crate::definition::settings(kind, table, |_| None, &mut problems);
    match settings.filter(|_| problems.is_empty()) {
        Some(settings) => Ok(settings),
        None => {
            let shown = problems.into_iter().map(|problem| match problem.help {
                Some(help) => format!("{}\n  help: {help}", problem.message),
                None => problem.message,
            });
            Err(Error::Definition(shown.collect::<Vec<_>>().join("\n")))
        }
    }
}

/// Runs one stage outside of any pipeline: `inputs` are stage directories in the order of
/// [`Kind::inputs`]; of a kind that [takes embeddings](Kind::takes_embeddings) also models and files, which count by
/// their content.
///
/// # Errors
/// If an input is not there or the stage fails.
pub fn run_stage(
    kind: Kind,
    table: toml::Table,
    input_directories: &[PathBuf],
    output: &Path,
    resources: &Resources,
    observer: &dyn Observer,
) -> Result<Manifest> {
    let name = kind.name();
    let failed = |source| Error::Stage { stage: name.to_owned(), source };
    let settings = stage_settings(kind, table)?;
    let mut fingerprints = std::collections::BTreeMap::new();
    for ((field, kinds), path) in kind.inputs().iter().zip(input_directories) {
        let fingerprint = if kind.takes_embeddings() {
            lexmill_eval::embeddings_hash(path).map_err(|error| failed(error.into()))?
        } else {
            let kinds: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
            Manifest::expect(path, &kinds)?.fingerprint
        };
        fingerprints.insert((*field).to_owned(), fingerprint);
    }
    let outside = settings.look_outside(None, resources.threads).map_err(failed)?;
    let key = settings.key(&outside, fingerprints);
    let live = outside.corpus.has_standard_input();
    settle(output)?;
    let existing = Manifest::read(output)?;
    let found = condition(output, existing.as_ref(), &key, false, live);
    if let (Condition::Fresh, Some(manifest)) = (&found, existing) {
        observer.fresh(name, kind);
        return Ok(manifest);
    }
    observer.begins(name, kind, &found);
    let begun = Instant::now();
    let manifest = watch_in(name, None, observer, |progress| {
        settings.run(&outside, input_directories, output, key, resources, progress)
    })
    .map_err(failed)?;
    observer.ends(name, kind, &manifest, begun.elapsed());
    Ok(manifest)
}

/// Does some work that is no stage while the observer is kept informed; `name` is what it is called.
pub fn watch<T>(name: &str, observer: &dyn Observer, work: impl FnOnce(&Progress) -> T) -> T {
    watch_in(name, None, observer, work)
}

/// Does some work while the observer and the status file are kept informed.
fn watch_in<T>(
    stage: &str,
    directory: Option<&Path>,
    observer: &dyn Observer,
    work: impl FnOnce(&Progress) -> T,
) -> T {
    let progress = Progress::new();
    let over = AtomicBool::new(false);
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut written: Option<Instant> = None;
            // What is being counted, since when, and how many an earlier process had done.
            let mut phase = (progress.read(), begun);
            while !over.load(Ordering::Acquire) {
                observer.works(stage, &progress);
                let due = written.is_none_or(|last| last.elapsed() >= STATUS_EVERY);
                let (done, total, unit) = progress.read();
                if (total, unit) != (phase.0.1, phase.0.2) || done < phase.0.0 {
                    phase = ((done, total, unit), Instant::now());
                }
                if let Some(directory) = directory.filter(|_| due) {
                    let rate = (done - phase.0.0) as f64 / phase.1.elapsed().as_secs_f64().max(0.1);
                    write_status(directory, stage, (done, total, unit), rate);
                    written = Some(Instant::now());
                }
                std::thread::park_timeout(TICK);
            }
            observer.works(stage, &progress);
        });
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(&progress)));
        over.store(true, Ordering::Release);
        watcher.thread().unpark();
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Best effort: a status that can't be written must not stop the work.
fn write_status(
    directory: &Path,
    stage: &str,
    (done, total, unit): (u64, u64, &'static str),
    rate: f64,
) {
    let status = Status {
        process: std::process::id(),
        stage: stage.to_owned(),
        unit: unit.to_owned(),
        done,
        total,
        rate,
        written: seconds_since_1970(),
        running: true,
    };
    let text = serde_json::to_vec(&status).unwrap_or_default();
    let written = AtomicFile::create(&directory.join(STATUS)).and_then(|mut file| {
        std::io::Write::write_all(&mut file, &text)
            .map_err(StoreError::io("write", &directory.join(STATUS)))?;
        file.commit("", 0)
    });
    if let Err(error) = written {
        tracing::debug!(%error, "could not write the status");
    }
}
