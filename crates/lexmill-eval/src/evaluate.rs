//! The stage `evaluate`: embeddings on test sets.
//!
//! Reads embeddings (whatever [`Embeddings::read`] takes), those of a baseline, if there is one, and the
//! test sets named in its settings, writes `scores.parquet` (columns in [`Score`](crate::Score)). A test set
//! that is done is not scored again when the stage is taken up after a cut. The content of the test sets and
//! of the baseline belongs into the stage's key, so [`test_set_hashes`](crate::test_set_hashes) and
//! [`embeddings_hash`](crate::embeddings_hash) say what they are.
//!
//! | test set | rows |
//! | --- | --- |
//! | `similarity` | one: Spearman's rho |
//! | `analogies` | for the whole vocabulary and for its `restrict` most frequent words, each time: total, groups of sections, sections |
//! | `categorization` | one: purity |
//! | `outliers` | accuracy and OPP |
//! | `classification` | accuracy and macro F1; what the most frequent label would get; the share of tokens known |
//!
//! Vectors are scaled to length 1 for all of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lexmill_embeddings::Embeddings;
use lexmill_store::{Event, Manifest, Progress, Resources, StageKey, StageWriter, UnitRecord};
use serde_json::json;

use crate::score::write_scores;
use crate::scoring::{Models, Set, score};
use crate::{
    Conditions, Error, EvaluateSettings, Kind, Result, Shape, UnitVectors, read_conditions,
    read_scores,
};

/// The stage's kind.
pub const KIND: &str = "evaluate";
/// Raised when the same settings give other bytes.
pub const VERSION: u32 = 2;
/// The table's file name in the stage directory.
pub const SCORES: &str = "scores.parquet";

/// A test set to be scored.
struct Task {
    kind: Kind,
    path: PathBuf,
    /// What it is called in the table.
    name: String,
    unit: String,
}

/// Scores `embeddings` and writes the stage directory `output`.
///
/// # Errors
/// If the embeddings or a test set can't be read, or the disk refuses; sets scored until then are kept
/// for the next run.
pub fn run(
    settings: &EvaluateSettings,
    embeddings: &Path,
    output: &Path,
    key: StageKey,
    resources: &Resources,
    progress: &Progress,
) -> Result<Manifest> {
    let tasks = tasks(settings);
    if tasks.is_empty() {
        return Err(Error::NoTestSets);
    }
    let stage = StageWriter::begin(output, &key.hash(), resources.threads, progress)?;
    progress.begin("test sets", tasks.len() as u64);
    let mut models = None;
    let (mut scores, mut conditions, mut report) = (Vec::new(), None, Vec::new());
    for task in &tasks {
        progress.go_on()?;
        let record = match stage.unit(&task.unit) {
            Some(record) => record.clone(),
            None => {
                let models = match &models {
                    Some(models) => models,
                    None => models.insert(read_models(settings, embeddings)?),
                };
                let (scores, skipped) = score_with(task, settings, models, resources)?;
                let name = format!("{}.parquet", task.unit);
                let metadata = json!({ "conditions": conditions_of(settings, models) });
                let file = write_scores(&stage.path(&name), &name, &scores, &metadata)?;
                let report = json!({ "set": task.name, "header_lines_skipped": skipped });
                let record = UnitRecord { unit: task.unit.clone(), files: vec![file], report };
                stage.record(&record)?;
                record
            }
        };
        for file in &record.files {
            let path = stage.path(&file.path);
            scores.extend(read_scores(&path)?);
            conditions = Some(read_conditions(&path)?);
        }
        if let Some(skipped @ 1..) = record.report["header_lines_skipped"].as_u64() {
            let lines = if skipped == 1 { "line was" } else { "lines were" };
            let notice = format!("{}: {skipped} header {lines} skipped", task.path.display());
            progress.report(Event::Notice(notice));
        }
        report.push(record.report);
        progress.advance(1);
    }
    // Without the paths: where test sets and a baseline lie does not change what is computed.
    let metadata = json!({ "stage": KIND, "version": VERSION, "conditions": conditions });
    let file = write_scores(&stage.path(SCORES), SCORES, &scores, &metadata)?;
    Ok(stage.finish(key, vec![file], BTreeMap::new(), json!({ "sets": report }))?)
}

fn read_models(settings: &EvaluateSettings, embeddings: &Path) -> Result<Models> {
    let read = |path: &Path| -> Result<UnitVectors> {
        Ok(UnitVectors::new(Embeddings::read(path)?, settings.lowercase))
    };
    let baseline = settings.baseline.as_ref().map(|path| read(Path::new(path))).transpose()?;
    Ok(Models { ours: read(embeddings)?, baseline })
}

fn conditions_of(settings: &EvaluateSettings, models: &Models) -> Conditions {
    let shape = |vectors: &UnitVectors| Shape { words: vectors.words(), dimensions: vectors.dim() };
    Conditions {
        lowercase: settings.lowercase,
        normalization: NORMALIZATION.to_owned(),
        analogy_method: settings.analogy_method,
        restrict: settings.restrict,
        folds: settings.folds,
        l2: settings.l2,
        bootstrap: settings.bootstrap,
        seed: settings.seed,
        embeddings: shape(&models.ours),
        baseline: models.baseline.as_ref().map(shape),
    }
}

/// What is done to vectors.
const NORMALIZATION: &str = "unit length";

/// Scores a test set on as many threads as there may be.
fn score_with(
    task: &Task,
    settings: &EvaluateSettings,
    models: &Models,
    resources: &Resources,
) -> Result<(Vec<crate::Score>, usize)> {
    let threads = resources.threads.max(1);
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|index| format!("evaluate-{index}"))
        .build()
        .map_err(|source| Error::Threads { threads, source })?;
    let set = Set { kind: task.kind, path: &task.path, name: &task.name };
    pool.install(|| score(set, settings, models, resources.data_bytes()))
}

/// What a test set is called in the table of scores: a file by its name without its end, a directory by its
/// name.
pub fn test_set_name(path: &str) -> String {
    let name = match Path::new(path) {
        directory if directory.is_dir() => directory.file_name(),
        file => file.file_stem(),
    };
    name.map_or_else(|| path.to_owned(), |name| name.to_string_lossy().into_owned())
}

/// The test sets in order. They are called by [`test_set_name`], or by their path where two would be called
/// the same.
fn tasks(settings: &EvaluateSettings) -> Vec<Task> {
    let all: Vec<(Kind, &String)> = settings.test_sets().collect();
    let tasks = all.iter().enumerate().map(|(index, &(kind, path))| {
        let name = test_set_name(path);
        let shared = all.iter().filter(|(_, other)| test_set_name(other) == name).count() > 1;
        let name = if shared { path.clone() } else { name };
        Task { kind, path: PathBuf::from(path), name, unit: format!("set-{index:03}") }
    });
    tasks.collect()
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "inputs of tests need not appear whole")]
mod tests;
