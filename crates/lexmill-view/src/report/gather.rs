//! What a run directory tells.

use std::path::{Path, PathBuf};

use lexmill_embeddings::{export, model};
use lexmill_store::history::StageRun;
use lexmill_store::table::vocabulary::read_vocabulary;
use lexmill_store::{ByteSize, Error as StoreError, Manifest};
use lexmill_vocab::Vocabulary;

use super::{duration, percent, thousands};
use crate::plots::{Axes, Line, plot};
use crate::{Error, Result};

/// Points of the plot of frequencies.
const FREQUENCY_POINTS: u32 = 200;
const VOCABULARY: &str = "vocabulary.parquet";

/// A finished stage of a run.
pub(super) struct Finished {
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) manifest: Manifest,
    /// What it took, if the history has it.
    pub(super) took: Option<StageRun>,
}

impl Finished {
    pub(super) fn kind(&self) -> &str {
        &self.manifest.key.stage
    }

    /// A number of its report.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.manifest.report[name].as_u64()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.manifest.files.iter().map(|file| file.bytes).sum()
    }

    fn is_model(&self) -> bool {
        model::KINDS.contains(&self.kind())
    }
}

/// A run directory.
pub(super) struct Run {
    path: PathBuf,
    /// In the order in which they read from each other.
    pub(super) finished: Vec<Finished>,
    unfinished: Vec<String>,
}

/// A number worth knowing.
pub(super) struct Figure {
    pub(super) name: &'static str,
    pub(super) value: String,
    pub(super) unit: String,
}

/// What a stage took.
pub(super) struct Cost {
    pub(super) stage: String,
    pub(super) time: String,
    pub(super) time_share: String,
    pub(super) memory: String,
    pub(super) memory_share: String,
    pub(super) threads: String,
    pub(super) written: String,
}

/// What the run took.
pub(super) struct Total {
    pub(super) time: String,
    pub(super) memory: String,
    pub(super) written: String,
}

impl Run {
    /// Looks at all stages of a run directory, or at a single stage.
    pub(super) fn gather(path: &Path) -> Result<Run> {
        let path = &std::fs::canonicalize(path).map_err(StoreError::io("open", path))?;
        // A stage alone stands in a run, whose history has it.
        let alone = path.join("manifest.json").exists();
        let home = if alone { path.parent().unwrap_or(path) } else { path };
        let history = StageRun::read_all(home);
        let (mut finished, mut unfinished) = (Vec::new(), Vec::new());
        let entries = std::fs::read_dir(path).map_err(StoreError::io("read", path))?;
        let mut directories = Vec::new();
        for entry in entries {
            let entry = entry.map_err(StoreError::io("read", path))?.path();
            directories.extend(entry.is_dir().then_some(entry));
        }
        directories.sort();
        if alone {
            directories = vec![path.to_owned()];
        }
        for directory in directories {
            let name = directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if let Some(stage) = name.strip_suffix(".partial") {
                unfinished.push(stage.to_owned());
            } else if let Some(manifest) = Manifest::read(&directory)? {
                let same =
                    |run: &&StageRun| run.stage == name && run.fingerprint == manifest.fingerprint;
                let took = history.iter().rev().find(same).cloned();
                finished.push(Finished { name, path: directory, manifest, took });
            }
        }
        if finished.is_empty() {
            return Err(Error::NoStages { path: path.to_owned() });
        }
        Ok(Run { path: path.to_owned(), finished: in_order(finished), unfinished })
    }

    pub(super) fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    pub(super) fn unfinished(&self) -> Vec<String> {
        self.unfinished.clone()
    }

    fn last(&self, is: impl Fn(&Finished) -> bool) -> Option<&Finished> {
        self.finished.iter().rev().find(|stage| is(stage))
    }

    /// The vectors that the report shows: of the last export, else of the last model.
    pub(super) fn vectors(&self) -> Option<PathBuf> {
        self.shown().map(|stage| stage.path.clone())
    }

    /// The stage whose vectors are shown.
    pub(super) fn shown(&self) -> Option<&Finished> {
        let export = self.last(|stage| stage.kind() == export::KIND);
        export.or_else(|| self.last(Finished::is_model))
    }

    /// The model behind the vectors that are shown.
    fn shown_model(&self) -> Option<&Finished> {
        let shown = self.shown()?;
        let behind = shown.manifest.key.inputs.values();
        let mut models = self.finished.iter().filter(|stage| stage.is_model());
        match shown.is_model() {
            true => Some(shown),
            false => models.find(|model| behind.clone().any(|i| *i == model.manifest.fingerprint)),
        }
    }

    /// Whether the report tells of text and of vocabulary, so that it can say what was dropped.
    pub(super) fn knows_the_corpus(&self) -> bool {
        let has = |kind: &str| self.finished.iter().any(|stage| stage.kind() == kind);
        has("tokenize") && has("vocabulary")
    }

    /// A sentence about the run.
    pub(super) fn lede(&self) -> String {
        let mut text = String::new();
        if let Some(model) = self.shown_model() {
            let dimensions = model.manifest.key.settings["dimensions"].as_u64().unwrap_or(0);
            let kind = match model.kind() {
                "glove" => "GloVe",
                "cbow" => "CBOW",
                _ => "skip-gram",
            };
            text += &format!("{dimensions}-dimensional {kind} vectors");
            if let Some(words) = model.number("words") {
                text += &format!(" for {} words", thousands(words));
            }
        }
        if let Some(tokens) = self.last(|stage| stage.kind() == "tokenize") {
            let bytes = ByteSize(tokens.number("bytes").unwrap_or(0));
            let start = if text.is_empty() { "From " } else { ", from " };
            text += &format!("{start}{bytes} of text");
        }
        if !text.is_empty() {
            text.push('.');
        }
        let ended =
            self.finished.iter().filter_map(|stage| stage.took.as_ref()).map(|t| t.finished);
        if let Some(last) = ended.max() {
            let date = chrono::DateTime::from_timestamp(last as i64, 0);
            let date = date.map(|date| date.format("%Y-%m-%d %H:%M UTC").to_string());
            let resumed =
                self.finished.iter().filter_map(|stage| stage.took.as_ref()).any(|t| t.resumed);
            let least = if resumed { "at least " } else { "" };
            text += &format!(
                " Finished {}, after {least}{} of work.",
                date.unwrap_or_default(),
                self.total().time
            );
        }
        text.trim().to_owned()
    }

    /// The vocabulary, if a stage has made one.
    fn vocabulary(&self) -> Result<Option<Vocabulary>> {
        let Some(stage) = self.last(|stage| stage.kind() == "vocabulary") else { return Ok(None) };
        stage.manifest.expect_files(&stage.path, |file| file == VOCABULARY)?;
        Ok(Some(read_vocabulary(&stage.path.join(VOCABULARY))?))
    }

    pub(super) fn figures(&self) -> Vec<Figure> {
        let mut figures = Vec::new();
        let mut add = |name, number: Option<u64>| {
            if let Some(number) = number {
                let (value, unit) = large(number);
                figures.push(Figure { name, value, unit });
            }
        };
        let tokens = self.last(|stage| stage.kind() == "tokenize");
        let words = self.last(|stage| stage.kind() == "vocabulary");
        add("Files", tokens.and_then(|stage| stage.number("files")));
        add("Documents", tokens.and_then(|stage| stage.number("documents")));
        add("Tokens", tokens.and_then(|stage| stage.number("tokens")));
        add("Distinct words", words.and_then(|stage| stage.number("corpus_types")));
        add("Vocabulary", words.and_then(|stage| stage.number("words")));
        let covered = words.and_then(|stage| {
            Some(stage.number("tokens")? as f64 / stage.number("corpus_tokens")? as f64 * 100.0)
        });
        if let Some(covered) = covered.filter(|covered| covered.is_finite()) {
            let value = format!("{covered:.1}");
            figures.push(Figure { name: "Tokens covered", value, unit: "%".to_owned() });
        }
        figures
    }

    /// How often the word of each rank occurs.
    pub(super) fn frequencies(&self) -> Result<Option<String>> {
        let Some(vocabulary) = self.vocabulary()? else { return Ok(None) };
        let mut counts = vocabulary.counts().to_vec();
        counts.sort_unstable_by(|a, b| b.cmp(a));
        counts.retain(|&count| count > 0);
        let (Some(&most), words) = (counts.first(), counts.len()) else { return Ok(None) };
        let mut ranks: Vec<usize> = (0..=FREQUENCY_POINTS)
            .map(|i| (words as f64).powf(f64::from(i) / f64::from(FREQUENCY_POINTS)) as usize)
            .map(|rank| rank.clamp(1, words))
            .collect();
        ranks.dedup();
        let points = ranks.iter().map(|&rank| (rank as f64, counts[rank - 1] as f64)).collect();
        let (name, most) = (String::new(), most as f64);
        // As far down as the counts go.
        let last = (words as f64).min(most);
        let reference = vec![(1.0, most), (last, most / last)];
        let lines = [
            Line { name: name.clone(), points, reference: false },
            Line { name, points: reference, reference: true },
        ];
        let axes = Axes {
            label: "Occurrences of the word of each rank, both axes logarithmic",
            x: "rank",
            logarithmic: true,
            from_zero: false,
        };
        Ok(plot(&lines, axes))
    }

    pub(super) fn costs(&self) -> Vec<Cost> {
        let took = || self.finished.iter().filter_map(|stage| stage.took.as_ref());
        let longest = took().map(|took| took.seconds).fold(0.0, f64::max);
        let most = took().filter_map(|took| took.peak_memory_bytes).max().unwrap_or(0);
        let share = |part: f64, whole: f64| {
            let share = if whole > 0.0 { part / whole * 100.0 } else { 0.0 };
            format!("{share:.1}")
        };
        let cost = |stage: &Finished| {
            let took = stage.took.as_ref();
            let memory = took.and_then(|took| took.peak_memory_bytes);
            let seconds = took.map_or(0.0, |took| took.seconds);
            let went_on = took.is_some_and(|took| took.resumed);
            let time = took.map_or_else(String::new, |took| duration(took.seconds));
            Cost {
                stage: stage.name.clone(),
                time: if went_on { format!("{time}, went on") } else { time },
                time_share: share(seconds, longest),
                memory: memory.map_or_else(String::new, |bytes| ByteSize(bytes).to_string()),
                memory_share: share(memory.unwrap_or(0) as f64, most as f64),
                threads: took.map_or_else(String::new, |took| took.threads.to_string()),
                written: ByteSize(stage.bytes()).to_string(),
            }
        };
        self.finished.iter().map(cost).collect()
    }

    pub(super) fn total(&self) -> Total {
        let took = || self.finished.iter().filter_map(|stage| stage.took.as_ref());
        let most = took().filter_map(|took| took.peak_memory_bytes).max();
        Total {
            time: match took().map(|took| took.seconds).reduce(|sum, seconds| sum + seconds) {
                Some(seconds) => duration(seconds),
                None => String::new(),
            },
            memory: most.map_or_else(String::new, |bytes| ByteSize(bytes).to_string()),
            written: ByteSize(self.finished.iter().map(Finished::bytes).sum()).to_string(),
        }
    }

    /// The tokens of the vocabulary's corpus, and its types, with what is left out of both.
    pub(super) fn vocabulary_losses(&self) -> Option<(&Finished, [(u64, String); 2])> {
        let stage = self.last(|stage| stage.kind() == "vocabulary")?;
        let (types, words) = (stage.number("corpus_types")?, stage.number("words")?);
        let (all, kept) = (stage.number("corpus_tokens")?, stage.number("tokens")?);
        let (left_types, left) = (types.saturating_sub(words), all.saturating_sub(kept));
        let share = percent(left_types, types, "distinct words");
        Some((stage, [(left_types, share), (left, percent(left, all, "tokens"))]))
    }
}

/// Stages so that each comes after those it reads from; as they are called where that says nothing.
fn in_order(mut stages: Vec<Finished>) -> Vec<Finished> {
    let mut ordered: Vec<Finished> = Vec::new();
    while !stages.is_empty() {
        let waits = |stage: &Finished| {
            let inputs = stage.manifest.key.inputs.values();
            let others = || stages.iter().filter(|other| other.name != stage.name);
            inputs.into_iter().any(|input| others().any(|o| o.manifest.fingerprint == *input))
        };
        // Stages that wait for each other can't be; if they were, the first would go on.
        let next = stages.iter().position(|stage| !waits(stage)).unwrap_or(0);
        ordered.push(stages.remove(next));
    }
    ordered
}

/// A number and its unit, such as 203.4 and million.
fn large(number: u64) -> (String, String) {
    match number {
        1_000_000_000.. => (format!("{:.2}", number as f64 / 1e9), "billion".to_owned()),
        10_000_000.. => (format!("{:.1}", number as f64 / 1e6), "million".to_owned()),
        _ => (thousands(number), String::new()),
    }
}
