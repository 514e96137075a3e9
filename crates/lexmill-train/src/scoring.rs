//! Scores at the end of epochs, and when to stop by them.
//!
//! A trainer knows no test sets. It hands its vectors to a [`Scorer`], those that `export` writes by default:
//! W + C of GloVe, W of word2vec, made of n-grams where there are any. What comes back is a table in its stage
//! directory, [`SCORES`]:
//!
//! | column | type | what |
//! | --- | --- | --- |
//! | `epoch` | u32 | from 1 |
//! | `set` | text | the test set |
//! | `kind` | text | `similarity` or `analogy` |
//! | `score` | f64 | over what is covered; NaN if it can't be computed |
//! | `covered`, `total` | u64 | pairs or questions |
//!
//! The score that is watched is the mean over the sets. A set whose score can't be computed, since nothing of it is
//! covered, is left out. An epoch improves if its mean is larger than that of every earlier one; with `patience` n,
//! training ends once n scorings in a row have not improved, and the model is that of the best epoch. All of this
//! follows from the rows of the table, which every checkpoint holds; a checkpoint is written whenever the mean
//! improves, and is kept for as long as it is that of the best epoch.

use std::path::Path;
use std::time::Instant;

use lexmill_embeddings::Embeddings;
use lexmill_store::table::{Column, TableReader, write_table};
use lexmill_store::{Event, FileEntry, Progress};
use lexmill_vocab::Vocabulary;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Error, Result};

/// The table of scores in a trainer's stage directory; there if its settings name test sets.
pub const SCORES: &str = "scores.parquet";

/// Rows read at a time.
const BATCH_ROWS: usize = 1 << 12;

/// Somebody who scores vectors on test sets.
pub trait Scorer: Sync {
    /// The scores of all test sets, always in the same order. It is called within a rayon pool of as many threads
    /// as the trainer has; how many these are must not show.
    ///
    /// # Errors
    /// Whatever keeps it from scoring; training then ends with this error, and goes on when it is run again.
    fn score(
        &self,
        embeddings: Embeddings,
    ) -> Result<Vec<SetScore>, Box<dyn std::error::Error + Send + Sync>>;
}

/// What a test set says about vectors.
#[derive(Debug, Clone, PartialEq)]
pub struct SetScore {
    /// What the set is called in the table.
    pub set: String,
    /// What it asks.
    pub kind: &'static str,
    /// Over what is covered, the larger the better; NaN if it can't be computed.
    pub score: f64,
    /// Items whose words are known.
    pub covered: u64,
    /// All items.
    pub total: u64,
}

/// The settings that name test sets.
pub const SCORE_SETS: [&str; 2] = ["score_similarity", "score_analogies"];

/// What the settings of a trainer say about scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scoring<'a> {
    /// Files of word pairs.
    pub similarity: &'a [String],
    /// Files of analogies, and directories in the form of BATS.
    pub analogies: &'a [String],
    /// Epochs from one scoring to the next.
    pub every: u32,
    /// Scorings in a row that may fail to improve before training ends; 0: any number.
    pub patience: u32,
}

impl Scoring<'_> {
    /// Whether there are test sets.
    pub fn is_on(&self) -> bool {
        !(self.similarity.is_empty() && self.analogies.is_empty())
    }

    /// What is wrong with the settings, field by field.
    pub(crate) fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        let without = "needs test sets: name some in score_similarity or score_analogies";
        if self.every == 0 {
            problems.push(("score_every", "must be 1 or more".to_owned()));
        } else if self.every > 1 && !self.is_on() {
            problems.push(("score_every", without.to_owned()));
        }
        if self.patience > 0 && !self.is_on() {
            problems.push(("patience", without.to_owned()));
        }
        problems
    }
}

/// For settings that are left out of keys and tables unless they are given.
pub(crate) fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// As [`is_zero`].
pub(crate) fn is_one(number: &u32) -> bool {
    *number == 1
}

/// A row of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Row {
    epoch: u32,
    set: String,
    kind: String,
    /// As bits: NaN comes back from a checkpoint.
    score: u64,
    covered: u64,
    total: u64,
}

/// The scores so far, by ascending epoch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Scores {
    rows: Vec<Row>,
}

impl Scores {
    /// Reads the table that [`write`](Scores::write) wrote.
    pub(crate) fn read(path: &Path) -> Result<Scores> {
        let mut rows = Vec::new();
        for batch in TableReader::open(path, None, BATCH_ROWS)? {
            let batch = batch?;
            let (sets, kinds) = (batch.text("set")?, batch.text("kind")?);
            let (epochs, scores) = (batch.u32("epoch")?, batch.f64("score")?);
            let (covered, total) = (batch.u64("covered")?, batch.u64("total")?);
            rows.extend((0..batch.rows()).map(|row| Row {
                epoch: epochs[row],
                set: sets.get(row).to_owned(),
                kind: kinds.get(row).to_owned(),
                score: scores[row].to_bits(),
                covered: covered[row],
                total: total[row],
            }));
        }
        Ok(Scores { rows })
    }

    /// Writes the table into `stage`.
    pub(crate) fn write(&self, stage: &Path, metadata: &Value) -> Result<FileEntry> {
        let rows = &self.rows;
        let columns = vec![
            ("epoch", Column::u32(rows.iter().map(|row| row.epoch).collect())),
            ("set", Column::text(rows.iter().map(|row| row.set.as_str()))),
            ("kind", Column::text(rows.iter().map(|row| row.kind.as_str()))),
            ("score", Column::f64(rows.iter().map(|row| f64::from_bits(row.score)).collect())),
            ("covered", Column::u64(rows.iter().map(|row| row.covered).collect())),
            ("total", Column::u64(rows.iter().map(|row| row.total).collect())),
        ];
        Ok(write_table(&stage.join(SCORES), SCORES, columns, metadata)?)
    }

    /// Each epoch that was scored with its mean over the sets whose score could be computed; NaN if that
    /// are none.
    fn means(&self) -> impl Iterator<Item = (u32, f64)> {
        self.rows.chunk_by(|a, b| a.epoch == b.epoch).map(|rows| {
            let scores = || rows.iter().map(|row| f64::from_bits(row.score));
            let known = scores().filter(|score| !score.is_nan()).count();
            let sum: f64 = scores().filter(|score| !score.is_nan()).sum();
            (rows[0].epoch, sum / known as f64)
        })
    }

    /// The first epoch with the best mean, that mean, and how many scorings came after it.
    fn best(&self) -> Option<(u32, f64, u32)> {
        let mut best: Option<(u32, f64, u32)> = None;
        for (epoch, mean) in self.means() {
            best = match best {
                None if mean.is_nan() => None,
                Some((first, top, after)) if mean.is_nan() || mean <= top => {
                    Some((first, top, after + 1))
                }
                _ => Some((epoch, mean, 0)),
            };
        }
        best
    }
}

/// Scores epochs for a trainer, and tells it when to end.
#[derive(Clone, Copy)]
pub(crate) struct Watch<'a> {
    scoring: Scoring<'a>,
    scorer: Option<&'a dyn Scorer>,
    epochs: u32,
}

impl<'a> Watch<'a> {
    /// Of a trainer that makes so many epochs at most.
    ///
    /// # Panics
    /// If there is a scorer without test sets, or none with some.
    pub(crate) fn new(
        scoring: Scoring<'a>,
        scorer: Option<&'a dyn Scorer>,
        epochs: u32,
    ) -> Watch<'a> {
        assert_eq!(scoring.is_on(), scorer.is_some(), "a scorer if there are test sets");
        Watch { scoring, scorer, epochs }
    }

    /// Bytes of memory that scoring takes: the vectors and their words, twice, and the analogies.
    pub(crate) fn bytes(&self, words: usize, dimensions: usize) -> u64 {
        match self.scorer {
            Some(_) => words as u64 * (dimensions as u64 * 4 + 120) + (32 << 20),
            None => 0,
        }
    }

    /// Looks at which sets are covered, and tells of those that are not: that shows from the words alone, so
    /// nobody has to train for it.
    pub(crate) fn begin(&self, vocabulary: &Vocabulary, progress: &Progress) -> Result<()> {
        let Some(scorer) = self.scorer else { return Ok(()) };
        let ones = vec![1.0; vocabulary.len()];
        let found = self.ask(scorer, 0, Embeddings::new(vocabulary.clone(), 1, ones)?)?;
        if self.scoring.patience > 0 && found.iter().all(|set| set.covered == 0) {
            return Err(Error::NothingCovered { words: vocabulary.len() });
        }
        for set in found.iter().filter(|set| set.covered == 0) {
            progress.report(Event::Notice(format!(
                "{}: the vocabulary covers nothing of this test set, so it is left out of the mean of epochs",
                set.set
            )));
        }
        Ok(())
    }

    fn ask(
        &self,
        scorer: &dyn Scorer,
        epoch: u32,
        embeddings: Embeddings,
    ) -> Result<Vec<SetScore>> {
        scorer.score(embeddings).map_err(|source| Error::Scoring { epoch, source })
    }

    /// Whether an epoch is to be scored.
    pub(crate) fn is_due(&self, epoch: u32) -> bool {
        self.scorer.is_some() && (epoch.is_multiple_of(self.scoring.every) || epoch == self.epochs)
    }

    /// Scores the vectors of an epoch that [is due](Watch::is_due). Returns whether they are to be kept, as the
    /// best so far.
    pub(crate) fn score(
        &self,
        epoch: u32,
        embeddings: Embeddings,
        scores: &mut Scores,
        progress: &Progress,
    ) -> Result<bool> {
        let Some(scorer) = self.scorer else { return Ok(false) };
        let begun = Instant::now();
        progress.tell("scoring".to_owned());
        let found = self.ask(scorer, epoch, embeddings)?;
        progress.tell(String::new());
        scores.rows.extend(found.iter().map(|set| Row {
            epoch,
            set: set.set.clone(),
            kind: set.kind.to_owned(),
            score: set.score.to_bits(),
            covered: set.covered,
            total: set.total,
        }));
        let best = scores.best().map(|(best, ..)| best);
        progress.report(Event::Scores {
            epoch,
            sets: found.into_iter().map(|set| (set.set, set.score)).collect(),
            mean: scores.means().last().map_or(f64::NAN, |(_, mean)| mean),
            best,
            seconds: begun.elapsed().as_secs_f64(),
        });
        Ok(self.scoring.patience > 0 && best == Some(epoch))
    }

    /// Whether training is at its end after `epochs`, all of them or enough without improvement.
    pub(crate) fn is_over(&self, epochs: u32, scores: &Scores) -> bool {
        let patience = self.scoring.patience;
        let tired = scores.best().is_some_and(|(.., after)| patience > 0 && after >= patience);
        epochs >= self.epochs || tired
    }

    /// The epoch whose model is kept, if that is another than the last one.
    pub(crate) fn kept(&self, scores: &Scores) -> Option<u32> {
        scores.best().filter(|_| self.scoring.patience > 0).map(|(epoch, ..)| epoch)
    }

    /// The scores of a result of fewer epochs, as training on would have made them; nothing if its model can't
    /// be trained on, being of some earlier epoch perhaps.
    pub(crate) fn of_fewer(&self, result: &Path) -> Result<Option<Scores>> {
        if self.scorer.is_none() {
            return Ok(Some(Scores::default()));
        }
        if self.scoring.patience > 0 {
            return Ok(None);
        }
        let mut scores = Scores::read(&result.join(SCORES))?;
        // The last epoch is scored in any case.
        scores.rows.retain(|row| row.epoch.is_multiple_of(self.scoring.every));
        Ok(Some(scores))
    }

    /// Adds to what a checkpoint notes.
    pub(crate) fn note(&self, scores: &Scores, report: &mut Value) {
        if self.scorer.is_some() {
            report["scores"] = json!(scores);
        }
    }

    /// Tells how training ended after `epochs`, and adds it to what a manifest reports.
    pub(crate) fn end(
        &self,
        epochs: u32,
        scores: &Scores,
        report: &mut Value,
        progress: &Progress,
    ) {
        if self.scorer.is_none() {
            return;
        }
        let best = scores.best();
        if let Some(kept) = self.kept(scores).filter(|kept| *kept != epochs) {
            let why = match epochs < self.epochs {
                true => format!("stopped early after epoch {epochs} (patience)"),
                false => format!("all {epochs} epochs were trained"),
            };
            progress.report(Event::Notice(format!("{why}; the model is that of epoch {kept}")));
        }
        report["scores"] = json!({
            "epochs": epochs,
            "stopped_early": epochs < self.epochs,
            "best_epoch": best.map(|(epoch, ..)| epoch),
            "best_score": best.map(|(_, score, _)| score),
            "model_epoch": self.kept(scores).unwrap_or(epochs),
        });
    }
}

#[cfg(test)]
mod tests;
