//! Losses and scores: over time, and in the end.

use std::path::Path;

use lexmill_eval::evaluate::SCORES;
use lexmill_eval::{Conditions, Kind, Measure, Score, read_conditions, read_scores};
use lexmill_store::Manifest;
use lexmill_store::table::TableReader;

use super::gather::{Finished, Run};
use super::thousands;
use crate::Result;
use crate::plots::{Axes, Line, color, dashes, plot};

const METRICS: &str = "metrics.parquet";
const BATCH_ROWS: usize = 1 << 12;
/// Points of a line; more can't be seen.
const MOST_POINTS: usize = 600;

/// A plot of something over the epochs of training.
pub(super) struct TrainingPlot {
    pub(super) title: String,
    pub(super) caption: String,
    /// Colours, dashes and names of lines that have one.
    pub(super) legend: Vec<(&'static str, String, String)>,
    pub(super) svg: String,
}

/// A score as the report shows it.
pub(super) struct ScoreRow {
    pub(super) set: String,
    pub(super) section: String,
    pub(super) vocabulary: String,
    pub(super) measure: String,
    pub(super) covered: String,
    pub(super) total: String,
    pub(super) score: String,
    pub(super) score_oov_wrong: String,
    pub(super) interval: String,
    /// How it compares with the baseline, if it does: the difference, its interval, p.
    pub(super) comparison: Option<[String; 3]>,
    /// Where it stands on a line of 200.
    pub(super) at: Option<String>,
    pub(super) ends: Option<(String, String)>,
}

impl Run {
    /// Loss and scores of each model over time.
    pub(super) fn training(&self) -> Result<Vec<TrainingPlot>> {
        let mut plots = Vec::new();
        for stage in &self.finished {
            if !lexmill_embeddings::model::KINDS.contains(&stage.kind()) {
                continue;
            }
            let path = stage.path.join(METRICS);
            if path.is_file() {
                let (points, caption) = losses(&path, stage.kind())?;
                let title = format!("Loss of {}", stage.name);
                let line = Line { name: String::new(), points, reference: false };
                plots.extend(training_plot(title, caption, vec![line]));
            }
            let path = stage.path.join(SCORES);
            if path.is_file() {
                let title = format!("Scores of {}", stage.name);
                let caption = "In percent, at the end of epochs.";
                plots.extend(training_plot(title, caption, epoch_scores(&path)?));
            }
        }
        Ok(plots)
    }

    fn evaluations(&self) -> impl Iterator<Item = &Finished> {
        self.finished.iter().filter(|stage| stage.kind() == "evaluate")
    }

    /// The scores of each evaluation.
    pub(super) fn evaluated(&self) -> Result<Vec<Evaluated>> {
        let evaluated = |stage: &Finished| {
            let path = stage.path.join(SCORES);
            let conditions = read_conditions(&path)?;
            Manifest::expect_file(&path)?;
            let scores = read_scores(&path)?;
            Ok(Evaluated {
                stage: stage.name.clone(),
                conditions: told(&conditions),
                compared: conditions.baseline.is_some(),
                scores: scores.iter().map(score_row).collect(),
            })
        };
        self.evaluations().map(evaluated).collect()
    }

    /// What of each test set is not covered: its stage, name and kind, how many and of how many.
    pub(super) fn not_covered(&self) -> Result<Vec<NotCovered<'_>>> {
        let mut found: Vec<NotCovered<'_>> = Vec::new();
        for stage in self.evaluations() {
            let first = found.len();
            let path = stage.path.join(SCORES);
            Manifest::expect_file(&path)?;
            for score in read_scores(&path)? {
                // Its rows of tokens are of something else than texts.
                let whole = score.section == "total" && score.vocabulary == "all";
                let seen = |f: &NotCovered<'_>| f.1 == score.set && f.2 == score.kind;
                if whole && score.measure != Measure::Tokens && !found[first..].iter().any(seen) {
                    let missing = score.total - score.covered;
                    found.push((stage, score.set, score.kind, missing, score.total));
                }
            }
        }
        Ok(found)
    }
}

/// How scores came about.
fn told(conditions: &Conditions) -> String {
    let cut = match conditions.restrict {
        0 => String::new(),
        words => format!(", among all words and among the {} first", thousands(words as u64)),
    };
    let draws = match conditions.bootstrap {
        0 => "There are no intervals.".to_owned(),
        draws => format!("Intervals are from {} bootstrap draws.", thousands(draws as u64)),
    };
    let baseline = match &conditions.baseline {
        None => String::new(),
        Some(shape) => format!(
            " The baseline has {} words of {} dimensions; both are compared on what both cover.",
            thousands(shape.words as u64),
            shape.dimensions
        ),
    };
    format!(
        "In percent, over what is covered, as the column “used” says; if all else were wrong, as “all” says. \
         {}; vectors at {}; analogies by {}{cut}. {draws}{baseline}",
        if conditions.lowercase { "Words whatever their case" } else { "Words in their case" },
        conditions.normalization,
        conditions.analogy_method.name(),
    )
}

/// A stage, a test set and its kind, how much of it is not covered, and how much there is.
pub(super) type NotCovered<'a> = (&'a Finished, String, Kind, u64, u64);

/// The scores of an evaluation.
pub(super) struct Evaluated {
    pub(super) stage: String,
    pub(super) conditions: String,
    /// Whether there is a baseline.
    pub(super) compared: bool,
    pub(super) scores: Vec<ScoreRow>,
}

/// Points by epoch; within an epoch, if there are several of one, they are spread evenly.
fn losses(path: &Path, kind: &str) -> Result<(Vec<(f64, f64)>, &'static str)> {
    let (mut epochs, mut values) = (Vec::new(), Vec::new());
    Manifest::expect_file(path)?;
    for batch in TableReader::open(path, Some(&["epoch", "loss"]), BATCH_ROWS)? {
        let batch = batch?;
        epochs.extend_from_slice(batch.u32("epoch")?);
        values.extend_from_slice(batch.f64("loss")?);
    }
    let caption = match kind {
        "glove" => "Mean weighted squared error of an epoch’s cells.",
        _ => "Mean over the examples of each portion of the text.",
    };
    let mut points = Vec::new();
    let mut start = 0;
    while start < epochs.len() {
        let epoch = epochs[start];
        let count = epochs[start..].iter().take_while(|&&other| other == epoch).count();
        for index in 0..count {
            let x = f64::from(epoch) - 1.0 + (index + 1) as f64 / count as f64;
            points.push((x, values[start + index]));
        }
        start += count;
    }
    Ok((points, caption))
}

/// A line for each test set that was scored at the end of epochs.
fn epoch_scores(path: &Path) -> Result<Vec<Line>> {
    let mut lines: Vec<Line> = Vec::new();
    Manifest::expect_file(path)?;
    for batch in TableReader::open(path, Some(&["epoch", "set", "kind", "score"]), BATCH_ROWS)? {
        let batch = batch?;
        let (epochs, scores) = (batch.u32("epoch")?, batch.f64("score")?);
        let sets = batch.text("set")?.iter().zip(batch.text("kind")?.iter());
        for (((set, kind), &epoch), &score) in sets.zip(epochs).zip(scores) {
            let set = &format!("{set} ({kind})");
            let point = (f64::from(epoch), score * 100.0);
            match lines.iter_mut().find(|line| line.name == *set) {
                Some(line) => line.points.push(point),
                None => {
                    let (name, points) = (set.clone(), vec![point]);
                    lines.push(Line { name, points, reference: false });
                }
            }
        }
    }
    Ok(lines)
}

fn training_plot(title: String, caption: &str, mut lines: Vec<Line>) -> Option<TrainingPlot> {
    for line in &mut lines {
        let step = line.points.len().div_ceil(MOST_POINTS).max(1);
        let last = line.points.len().saturating_sub(1);
        let mut index = 0..;
        line.points.retain(|_| index.next().is_some_and(|i| i % step == 0 || i == last));
    }
    let named = lines.iter().enumerate().filter(|(_, line)| !line.name.is_empty());
    let legend = named.map(|(i, line)| (color(i), dashes(i), line.name.clone())).collect();
    let axes = Axes { label: &title, x: "epoch", logarithmic: false, from_zero: true };
    let svg = plot(&lines, axes)?;
    Some(TrainingPlot { title, caption: caption.to_owned(), legend, svg })
}

fn score_row(score: &Score) -> ScoreRow {
    let place = |value: f64| format!("{:.1}", value.clamp(0.0, 1.0) * 200.0);
    let known = score.score.is_finite();
    let interval = score.low.is_finite() && score.high.is_finite();
    let percent = |value: f64| format!("{:.1}", value * 100.0);
    ScoreRow {
        set: score.set.clone(),
        section: score.section.clone(),
        vocabulary: score.vocabulary.clone(),
        measure: score.measure.title().to_owned(),
        covered: thousands(score.covered),
        total: thousands(score.total),
        score: if known { percent(score.score) } else { "none".to_owned() },
        score_oov_wrong: match score.score_oov_wrong.is_finite() {
            true => percent(score.score_oov_wrong),
            false => String::new(),
        },
        comparison: score.comparison.as_ref().map(|comparison| {
            let (low, high) = comparison.interval;
            let between = match low.is_finite() {
                true => format!("{:+.1} to {:+.1}", low * 100.0, high * 100.0),
                false => String::new(),
            };
            let p = if comparison.p.is_finite() {
                format!("{:.3}", comparison.p)
            } else {
                String::new()
            };
            [format!("{:+.1}", comparison.difference() * 100.0), between, p]
        }),
        interval: match interval {
            true => format!("{} to {}", percent(score.low), percent(score.high)),
            false => String::new(),
        },
        at: known.then(|| place(score.score)),
        ends: interval.then(|| (place(score.low), place(score.high))),
    }
}
