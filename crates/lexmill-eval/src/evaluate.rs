//! The stage `evaluate`: embeddings on word similarity and analogy sets.
//!
//! Reads embeddings (whatever [`Embeddings::read`] takes) and the test sets named in its settings,
//! writes `scores.parquet` (columns in [`Score`]). A test set that is done is not scored again when the
//! stage is taken up after a cut. The content of the test sets belongs into the stage's key, so
//! [`input_files`] names them.
//!
//! For a set of pairs there is one row. For a set of analogies there are rows for the whole vocabulary
//! and for its `restrict` most frequent words, each time: total, semantic, syntactic, then the sections.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lexmill_embeddings::Embeddings;
use lexmill_store::{Event, Manifest, Progress, Resources, StageKey, StageWriter, UnitRecord};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::analogy::{Outcome, outcomes};
use crate::bootstrap::proportion;
use crate::score::write_scores;
use crate::similarity::similarity;
use crate::{Analogies, Error, Kind, Result, Score, UnitVectors, WordPairs, read_scores};

/// The stage's kind.
pub const KIND: &str = "evaluate";
/// Raised when the same settings give other bytes.
pub const VERSION: u32 = 1;
/// The table's file name in the stage directory.
pub const SCORES: &str = "scores.parquet";

/// What an evaluation computes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluateSettings {
    /// Files of word pairs.
    pub similarity: Vec<String>,
    /// Files of analogies.
    pub analogies: Vec<String>,
    /// Whether case is folded, in the test sets and in the vocabulary.
    pub lowercase: bool,
    /// Analogies are also answered among this many most frequent words; 0: only among all.
    pub restrict: usize,
    /// Draws behind the 95 % intervals; 0: no intervals.
    pub bootstrap: usize,
    /// The seed of these draws.
    pub seed: u64,
}

impl Default for EvaluateSettings {
    fn default() -> EvaluateSettings {
        EvaluateSettings {
            similarity: Vec::new(),
            analogies: Vec::new(),
            lowercase: true,
            restrict: 30_000,
            bootstrap: 1000,
            seed: 1,
        }
    }
}

/// The files of the test sets, whose content the scores depend on: similarity, then analogies.
pub fn input_files(settings: &EvaluateSettings) -> Vec<PathBuf> {
    settings.similarity.iter().chain(&settings.analogies).map(PathBuf::from).collect()
}

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
    progress.begin("test sets", tasks.len() as u64);
    let stage = StageWriter::begin(output, &key.hash())?;
    let mut vectors = None;
    let mut scores = Vec::new();
    let mut report = Vec::new();
    for task in &tasks {
        let record = match stage.unit(&task.unit) {
            Some(record) => record.clone(),
            None => {
                let vectors = match &vectors {
                    Some(vectors) => vectors,
                    None => {
                        let read = Embeddings::read(embeddings)?;
                        vectors.insert(UnitVectors::new(read, settings.lowercase))
                    }
                };
                let (scores, skipped) = score(task, settings, vectors, resources.threads)?;
                let name = format!("{}.parquet", task.unit);
                let file = write_scores(&stage.path(&name), &name, &scores, &json!(null))?;
                let report = json!({ "set": task.name, "header_lines_skipped": skipped });
                let record = UnitRecord { unit: task.unit.clone(), files: vec![file], report };
                stage.record(&record)?;
                record
            }
        };
        for file in &record.files {
            scores.extend(read_scores(&stage.path(&file.path))?);
        }
        if let Some(skipped @ 1..) = record.report["header_lines_skipped"].as_u64() {
            let lines = if skipped == 1 { "line was" } else { "lines were" };
            let notice = format!("{}: {skipped} header {lines} skipped", task.path.display());
            progress.report(Event::Notice(notice));
        }
        report.push(record.report);
        progress.advance(1);
    }
    // Without the paths: where test sets lie does not change what is computed.
    let metadata = json!({
        "stage": KIND,
        "version": VERSION,
        "settings": {
            "lowercase": settings.lowercase,
            "restrict": settings.restrict,
            "bootstrap": settings.bootstrap,
            "seed": settings.seed,
        },
    });
    let file = write_scores(&stage.path(SCORES), SCORES, &scores, &metadata)?;
    Ok(stage.finish(key, vec![file], BTreeMap::new(), json!({ "sets": report }))?)
}

/// The test sets in order. They are called by their file's name without its end, or by their path
/// where two would be called the same.
fn tasks(settings: &EvaluateSettings) -> Vec<Task> {
    let named = |path: &str| match Path::new(path).file_stem() {
        Some(stem) => stem.to_string_lossy().into_owned(),
        None => path.to_owned(),
    };
    let similarity = settings.similarity.iter().map(|path| (Kind::Similarity, path));
    let analogies = settings.analogies.iter().map(|path| (Kind::Analogy, path));
    let all: Vec<(Kind, &String)> = similarity.chain(analogies).collect();
    let tasks = all.iter().enumerate().map(|(index, &(kind, path))| {
        let name = named(path);
        let shared = all.iter().filter(|(_, other)| named(other) == name).count() > 1;
        let name = if shared { path.clone() } else { name };
        Task { kind, path: PathBuf::from(path), name, unit: format!("set-{index:03}") }
    });
    tasks.collect()
}

/// The rows of a test set, and the header lines skipped in its file.
fn score(
    task: &Task,
    settings: &EvaluateSettings,
    vectors: &UnitVectors,
    threads: usize,
) -> Result<(Vec<Score>, usize)> {
    match task.kind {
        Kind::Similarity => {
            let set = WordPairs::read(&task.path)?;
            let found = similarity(vectors, &set, settings.bootstrap, settings.seed);
            let score = Score {
                set: task.name.clone(),
                kind: task.kind,
                section: TOTAL.to_owned(),
                vocabulary: ALL.to_owned(),
                score: found.spearman,
                low: found.interval.0,
                high: found.interval.1,
                score_oov_wrong: found.oov_as_zero,
                covered: found.covered as u64,
                total: found.total as u64,
            };
            Ok((vec![score], set.skipped))
        }
        Kind::Analogy => {
            let set = Analogies::read(&task.path)?;
            let threads = threads.max(1);
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .thread_name(|index| format!("evaluate-{index}"))
                .build()
                .map_err(|source| Error::Threads { threads, source })?;
            let found = pool.install(|| outcomes(vectors, &set, settings.restrict));
            let mut scores = analogy_scores(&task.name, ALL, &set, &found.all, settings);
            if settings.restrict > 0 {
                let top = format!("top {}", settings.restrict);
                scores.extend(analogy_scores(&task.name, &top, &set, &found.top, settings));
            }
            Ok((scores, 0))
        }
    }
}

const ALL: &str = "all";
const TOTAL: &str = "total";

/// Right answers, questions covered, and all of them.
#[derive(Clone, Copy, Default)]
struct Tally {
    right: u64,
    covered: u64,
    total: u64,
}

impl Tally {
    fn add(&mut self, outcome: Outcome) {
        self.total += 1;
        self.covered += u64::from(outcome != Outcome::NotCovered);
        self.right += u64::from(outcome == Outcome::Right);
    }
}

fn analogy_scores(
    name: &str,
    vocabulary: &str,
    set: &Analogies,
    outcomes: &[Outcome],
    settings: &EvaluateSettings,
) -> Vec<Score> {
    let (mut total, mut semantic, mut syntactic) =
        (Tally::default(), Tally::default(), Tally::default());
    let mut sections = Vec::new();
    let mut outcomes = outcomes.iter();
    for section in &set.sections {
        let mut tally = Tally::default();
        let part = if section.is_syntactic() { &mut syntactic } else { &mut semantic };
        for &outcome in outcomes.by_ref().take(section.questions.len()) {
            for tally in [&mut tally, part, &mut total] {
                tally.add(outcome);
            }
        }
        sections.push((section.name.as_str(), tally));
    }
    let mut rows = vec![(TOTAL, total), ("semantic", semantic), ("syntactic", syntactic)];
    rows.retain(|(_, tally)| tally.total > 0);
    rows.extend(sections);
    rows.into_iter()
        .map(|(section, Tally { right, covered, total })| {
            let (low, high) = proportion(settings.bootstrap, settings.seed, right, covered);
            Score {
                set: name.to_owned(),
                kind: Kind::Analogy,
                section: section.to_owned(),
                vocabulary: vocabulary.to_owned(),
                score: if covered == 0 { f64::NAN } else { right as f64 / covered as f64 },
                low,
                high,
                score_oov_wrong: right as f64 / total as f64,
                covered,
                total,
            }
        })
        .collect()
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "inputs of tests need not appear whole")]
mod tests;
