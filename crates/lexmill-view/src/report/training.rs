//! Losses and scores: over time, and in the end.

use std::path::Path;

use lexmill_eval::evaluate::SCORES;
use lexmill_eval::{Score, read_conditions, read_scores};
use lexmill_store::table::TableReader;

use super::gather::{Finished, Run};
use super::thousands;
use crate::Result;
use crate::plots::{Axes, Line, color, plot};

const METRICS: &str = "metrics.parquet";
const BATCH_ROWS: usize = 1 << 12;
/// Points of a line; more can't be seen.
const MOST_POINTS: usize = 600;

/// A plot of something over the epochs of training.
pub(super) struct TrainingPlot {
    pub(super) title: String,
    pub(super) caption: String,
    /// Colours and names, where there are several lines.
    pub(super) legend: Vec<(&'static str, String)>,
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
    pub(super) interval: String,
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

    /// The scores of all evaluations.
    fn all_scores(&self) -> Result<Vec<(&Finished, Score)>> {
        let mut all = Vec::new();
        for stage in self.finished.iter().filter(|stage| stage.kind() == "evaluate") {
            all.extend(read_scores(&stage.path.join(SCORES))?.into_iter().map(|s| (stage, s)));
        }
        Ok(all)
    }

    pub(super) fn scores(&self) -> Result<Vec<ScoreRow>> {
        Ok(self.all_scores()?.iter().map(|(_, score)| score_row(score)).collect())
    }

    /// How the scores came about.
    pub(super) fn conditions(&self) -> Result<String> {
        let Some(stage) = self.finished.iter().find(|stage| stage.kind() == "evaluate") else {
            return Ok(String::new());
        };
        let conditions = read_conditions(&stage.path.join(SCORES))?;
        Ok(format!(
            "In percent, over what is covered, as the column “used” says; of {}, vectors {}; analogies by {}. \
             Intervals are from {} bootstrap draws.",
            if conditions.lowercase { "words whatever their case" } else { "words in their case" },
            conditions.normalization,
            conditions.analogy_method.name(),
            thousands(u64::from(u32::try_from(conditions.bootstrap).unwrap_or(u32::MAX))),
        ))
    }

    /// What of each test set has an unknown word: its stage, name, how many and of how many.
    pub(super) fn not_covered(&self) -> Result<Vec<(&Finished, String, u64, u64)>> {
        let mut found: Vec<(&Finished, String, u64, u64)> = Vec::new();
        for (stage, score) in self.all_scores()? {
            let whole = score.section == "total" && score.vocabulary == "all";
            let seen = found.iter().any(|(_, set, ..)| *set == score.set);
            if whole && !seen {
                found.push((stage, score.set, score.total - score.covered, score.total));
            }
        }
        Ok(found)
    }
}

/// Points by epoch; within an epoch, if there are several of one, they are spread evenly.
fn losses(path: &Path, kind: &str) -> Result<(Vec<(f64, f64)>, &'static str)> {
    let (mut epochs, mut values) = (Vec::new(), Vec::new());
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
    for batch in TableReader::open(path, Some(&["epoch", "set", "score"]), BATCH_ROWS)? {
        let batch = batch?;
        let (epochs, scores) = (batch.u32("epoch")?, batch.f64("score")?);
        for ((set, &epoch), &score) in batch.text("set")?.iter().zip(epochs).zip(scores) {
            let point = (f64::from(epoch), score * 100.0);
            match lines.iter_mut().find(|line| line.name == set) {
                Some(line) => line.points.push(point),
                None => {
                    let (name, points) = (set.to_owned(), vec![point]);
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
    let legend = match lines.len() {
        1 => Vec::new(),
        _ => lines.iter().enumerate().map(|(i, line)| (color(i), line.name.clone())).collect(),
    };
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
        measure: score.measure.name().to_owned(),
        covered: thousands(score.covered),
        total: thousands(score.total),
        score: if known { percent(score.score) } else { "none".to_owned() },
        interval: match interval {
            true => format!("{} to {}", percent(score.low), percent(score.high)),
            false => String::new(),
        },
        at: known.then(|| place(score.score)),
        ends: interval.then(|| (place(score.low), place(score.high))),
    }
}
