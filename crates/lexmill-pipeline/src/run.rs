//! Doing what is not done.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lexmill_store::history::{StageRun, drop_damaged_lines, peak_memory, reset_peak_memory};
use lexmill_store::{
    Error as StoreError, Event, Manifest, Progress, Resources, RunLock, Stop, is_held, read_sealed,
    settle, write_sealed,
};
use serde::{Deserialize, Serialize};

use crate::definition::{Definition, Stage};
use crate::disk::{Allowance, check_disk};
use crate::error::{Error, Result};
use crate::kinds::{Kind, Outside, Settings};
use crate::plan::{Condition, condition, inputs};
use crate::verify::{Verification, verify};

pub(crate) const HASHES: &str = ".corpus-hashes.json";
const LOCK: &str = ".lock";
pub(crate) const STATUS: &str = ".status.json";

/// How often an observer is asked to look.
const TICK: Duration = Duration::from_millis(100);
/// How often the status file is written.
const STATUS_EVERY: Duration = Duration::from_secs(1);

/// Somebody who is told what a run does.
pub trait Observer: Sync {
    /// What asks the run to end at the next place from which it can go on.
    fn stop(&self) -> Stop {
        Stop::default()
    }
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
    let mut status: Status = read_sealed(&directory.join(STATUS))?;
    status.running = is_held(&directory.join(LOCK));
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
    let _lock = begin(definition, directory)?;
    run_locked(definition, directory, selected, resources, observer, &Damaged::new())
}

/// Takes the lock of a run directory, and ends what was cut off between two renames.
fn begin(definition: &Definition, directory: &Path) -> Result<RunLock> {
    std::fs::create_dir_all(directory).map_err(StoreError::io("create", directory))?;
    let lock = RunLock::acquire(&directory.join(LOCK), directory)?;
    for stage in &definition.stages {
        settle(&directory.join(&stage.id))?;
    }
    Ok(lock)
}

/// Makes again the stages of which something is damaged, and no others. Returns what was found, and how
/// many stages were made.
///
/// # Errors
/// If it is no run directory, another process runs in it, or a stage fails; what is done stays done.
pub fn repair(
    definition: &Definition,
    directory: &Path,
    resources: &Resources,
    observer: &dyn Observer,
) -> Result<(Verification, usize)> {
    if !directory.is_dir() || directory.join("manifest.json").exists() {
        return Err(Error::NothingToRepair { path: directory.to_owned() });
    }
    let _lock = begin(definition, directory)?;
    let found =
        watch("verify", observer, |progress| verify(directory, resources.threads, progress))?;
    // Nothing depends on them.
    drop_damaged_lines(directory)?;
    for note in found.notes.iter().filter(|note| [HASHES, STATUS].contains(&&*note.file)) {
        let path = directory.join(&note.file);
        std::fs::remove_file(&path).map_err(StoreError::io("remove", &path))?;
    }
    let damaged = found.reasons();
    let stages = definition.stages.iter().map(|stage| stage.id.clone());
    let selected: Vec<String> = stages.filter(|stage| damaged.contains_key(stage)).collect();
    let ran = run_locked(definition, directory, &selected, resources, observer, &damaged)?;
    Ok((found, ran))
}

/// Why finished stages are not to be used as they are, by name.
type Damaged = BTreeMap<String, Vec<String>>;

/// Runs the selected stages that are not fresh, or damaged.
fn run_locked(
    definition: &Definition,
    directory: &Path,
    selected: &[String],
    resources: &Resources,
    observer: &dyn Observer,
    damaged: &Damaged,
) -> Result<usize> {
    let stages: Vec<&Stage> =
        definition.stages.iter().filter(|stage| selected.contains(&stage.id)).collect();
    // Before any work: a test set that is missing must not be found out after a night's training.
    let hashes = directory.join(HASHES);
    let look = |stage: &Stage, progress: &Progress| {
        let outside = stage.settings.look_outside(Some(&hashes), resources.threads, progress);
        outside.map_err(|source| Error::Stage { stage: stage.id.clone(), source })
    };
    let outside = watch("corpus", observer, |progress| {
        stages.iter().map(|stage| look(stage, progress)).collect::<Result<Vec<Outside>>>()
    })?;
    let allowance = Allowance::new(resources.disk_bytes, vec![directory.to_owned()]);
    let notice = check_disk(definition, directory, &stages, &outside, resources.disk_bytes)?;
    let (mut ran, mut whole) = (0, HashSet::new());
    for (stage, mut outside) in stages.into_iter().zip(outside) {
        // Earlier stages may have taken hours: what is read now is what counts. The corpus is watched
        // while it is read.
        if stage.kind != Kind::Tokenize {
            outside = look(stage, &Progress::new())?;
        }
        // Said once.
        let notice = notice.as_deref().filter(|_| ran == 0);
        let place = Place { definition, directory, damaged, allowance: &allowance, notice };
        ran += usize::from(one(place, stage, &outside, resources, observer, &mut whole)?);
    }
    if ran > 0 {
        allowance.tell();
    }
    // It is of a stage at work.
    let status = directory.join(STATUS);
    match std::fs::remove_file(&status) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            tracing::debug!(%e, "the status stays behind");
        }
        _ => {}
    }
    Ok(ran)
}

/// Where a stage stands.
#[derive(Clone, Copy)]
struct Place<'a> {
    definition: &'a Definition,
    directory: &'a Path,
    damaged: &'a Damaged,
    allowance: &'a Allowance,
    /// What a person should know before a stage begins.
    notice: Option<&'a str>,
}

/// Runs a stage if it is not fresh; returns whether it ran. Inputs are compared with what was written,
/// once: those that are in `whole` have been, or were just made.
fn one(
    Place { definition, directory, damaged, allowance, notice }: Place<'_>,
    stage: &Stage,
    outside: &Outside,
    resources: &Resources,
    observer: &dyn Observer,
    whole: &mut HashSet<String>,
) -> Result<bool> {
    let failed = |source| Error::Stage { stage: stage.id.clone(), source };
    let mut manifests = Vec::new();
    for input in &stage.inputs {
        let kind = definition.stages.iter().find(|other| other.id == *input).map(|o| o.kind.name());
        let kinds: Vec<&str> = kind.into_iter().collect();
        let manifest = Manifest::expect(&directory.join(input), &kinds);
        let manifest = manifest.map_err(|error| match error {
            StoreError::NotAStage { .. } => {
                Error::InputNotDone { stage: stage.id.clone(), input: input.clone() }
            }
            other => other.into(),
        })?;
        manifests.push((input.as_str(), manifest));
    }
    let fingerprint = |input: &str| {
        manifests.iter().find(|(id, _)| *id == input).map(|(_, manifest)| &manifest.fingerprint)
    };
    let key = stage.settings.key(outside, inputs(stage, fingerprint));
    let output = directory.join(&stage.id);
    let live = outside.corpus.has_standard_input();
    let damage = damaged.get(&stage.id);
    let existing = match damage {
        None => Manifest::read(&output)?,
        Some(_) => Manifest::read(&output).ok().flatten(),
    };
    let mut found = condition(&output, existing.as_ref(), &key, live);
    if let Some(damage) = damage {
        found = match found {
            Condition::Stale { mut reasons } => {
                reasons.extend(damage.iter().cloned());
                Condition::Stale { reasons }
            }
            _ => Condition::Stale { reasons: damage.clone() },
        };
    }
    if found == Condition::Fresh {
        observer.fresh(&stage.id, stage.kind);
        return Ok(false);
    }
    allowance.check()?;
    observer.begins(&stage.id, stage.kind, &found);
    let paths: Vec<PathBuf> = stage.inputs.iter().map(|input| directory.join(input)).collect();
    let resumed = found == (Condition::Missing { begun: true });
    reset_peak_memory();
    let begun = Instant::now();
    let unseen: Vec<(PathBuf, Manifest)> = manifests
        .into_iter()
        .filter(|(input, _)| whole.insert((*input).to_owned()))
        .map(|(input, manifest)| (directory.join(input), manifest))
        .collect();
    let manifest = watch_in(&stage.id, Some(directory), Some(allowance), observer, |progress| {
        if let Some(notice) = notice {
            progress.report(Event::Notice(notice.to_owned()));
        }
        progress.go_on()?;
        expect_whole(&unseen, resources, progress)?;
        stage.settings.run(outside, &paths, &output, key, resources, progress)
    })
    .map_err(|error| allowance.or(failed(error)))?;
    whole.insert(stage.id.clone());
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

/// Compares inputs with what was written: damage is to be found before it is used.
fn expect_whole(
    inputs: &[(PathBuf, Manifest)],
    resources: &Resources,
    progress: &Progress,
) -> Result<(), StoreError> {
    progress.begin_comparing(inputs.iter().map(|(_, manifest)| manifest.bytes()).sum());
    inputs
        .iter()
        .try_for_each(|(path, manifest)| manifest.expect_whole(path, resources.threads, progress))
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
    let (mut fingerprints, mut manifests) = (BTreeMap::new(), Vec::new());
    for ((field, kinds), path) in kind.inputs().iter().zip(input_directories) {
        let fingerprint = if kind.takes_embeddings() {
            lexmill_eval::embeddings_hash(path).map_err(|error| failed(error.into()))?
        } else {
            let kinds: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
            let manifest = Manifest::expect(path, &kinds)?;
            let fingerprint = manifest.fingerprint.clone();
            manifests.push((path.clone(), manifest));
            fingerprint
        };
        fingerprints.insert((*field).to_owned(), fingerprint);
    }
    let outside =
        watch(name, observer, |progress| settings.look_outside(None, resources.threads, progress))
            .map_err(failed)?;
    let key = settings.key(&outside, fingerprints);
    let live = outside.corpus.has_standard_input();
    settle(output)?;
    let existing = Manifest::read(output)?;
    let found = condition(output, existing.as_ref(), &key, live);
    if let (Condition::Fresh, Some(manifest)) = (&found, existing) {
        observer.fresh(name, kind);
        return Ok(manifest);
    }
    observer.begins(name, kind, &found);
    let begun = Instant::now();
    let allowance = Allowance::new(resources.disk_bytes, of_stage(output));
    let manifest = watch_in(name, None, Some(&allowance), observer, |progress| {
        expect_whole(&manifests, resources, progress)?;
        settings.run(&outside, input_directories, output, key, resources, progress)
    })
    .map_err(|error| allowance.or(failed(error)))?;
    allowance.tell();
    observer.ends(name, kind, &manifest, begun.elapsed());
    Ok(manifest)
}

/// Does some work that is no stage while the observer is kept informed; `name` is what it is called.
pub fn watch<T>(name: &str, observer: &dyn Observer, work: impl FnOnce(&Progress) -> T) -> T {
    watch_in(name, None, None, observer, work)
}

/// The directories of a stage that is run alone.
fn of_stage(output: &Path) -> Vec<PathBuf> {
    let mut partial = output.as_os_str().to_owned();
    partial.push(".partial");
    vec![output.to_owned(), partial.into()]
}

/// Does some work while the observer and the status file are kept informed, and asks it to end when it
/// takes more of the disk than it may.
fn watch_in<T>(
    stage: &str,
    directory: Option<&Path>,
    allowance: Option<&Allowance>,
    observer: &dyn Observer,
    work: impl FnOnce(&Progress) -> T,
) -> T {
    let stop = observer.stop();
    let progress = Progress::until(stop.clone());
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
                if allowance.is_some_and(Allowance::is_passed) {
                    stop.ask();
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
    let written = write_sealed(&directory.join(STATUS), &status);
    if let Err(error) = written {
        tracing::debug!(%error, "could not write the status");
    }
}
