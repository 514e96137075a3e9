//! Scores and their table, `scores.parquet`.
//!
//! | column | type | what |
//! | --- | --- | --- |
//! | `set` | text | the test set: its file's name |
//! | `kind` | text | `similarity` or `analogy` |
//! | `section` | text | `total`; for analogies also `semantic`, `syntactic` and each section |
//! | `vocabulary` | text | `all`, or `top N`: only the N most frequent words are asked for and may answer |
//! | `score` | f64 | over what is covered: Spearman's ρ, or the share of right answers |
//! | `low`, `high` | f64 | its 95 % bootstrap interval |
//! | `score_oov_wrong` | f64 | over everything: unknown pairs at similarity 0, questions not covered wrong |
//! | `covered`, `total` | u64 | pairs or questions |
//!
//! Scores are fractions. One that can't be computed (nothing is covered, all values are equal) is NaN.
//! Rows are in the order to show them in.

use std::path::Path;

use lexmill_store::FileEntry;
use lexmill_store::table::{Column, TableReader, write_table};
use serde_json::Value;

use crate::{Error, Result};

/// What a test set asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// How alike two words are.
    Similarity,
    /// Which word is to c as b is to a.
    Analogy,
}

impl Kind {
    /// Its name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Similarity => "similarity",
            Kind::Analogy => "analogy",
        }
    }
}

/// A score with what it rests on: a row of the table.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    /// The test set.
    pub set: String,
    /// What it asks.
    pub kind: Kind,
    /// The part of it.
    pub section: String,
    /// The words that take part.
    pub vocabulary: String,
    /// Over what is covered; a fraction, NaN if there is none.
    pub score: f64,
    /// Where its 95 % interval begins.
    pub low: f64,
    /// Where it ends.
    pub high: f64,
    /// Over everything, what is not covered being wrong.
    pub score_oov_wrong: f64,
    /// Pairs or questions whose words are all known.
    pub covered: u64,
    /// All of them.
    pub total: u64,
}

impl Score {
    /// The share of the test set that is covered.
    pub fn coverage(&self) -> f64 {
        self.covered as f64 / self.total as f64
    }
}

const BATCH_ROWS: usize = 1 << 12;
const COLUMNS: [&str; 10] = [
    "set",
    "kind",
    "section",
    "vocabulary",
    "score",
    "low",
    "high",
    "score_oov_wrong",
    "covered",
    "total",
];

pub(crate) fn write_scores(
    path: &Path,
    name: &str,
    scores: &[Score],
    metadata: &Value,
) -> Result<FileEntry> {
    let text = |get: fn(&Score) -> &str| Column::text(scores.iter().map(get));
    let f64 = |get: fn(&Score) -> f64| Column::f64(scores.iter().map(get).collect());
    let u64 = |get: fn(&Score) -> u64| Column::u64(scores.iter().map(get).collect());
    let columns = [
        text(|s| &s.set),
        text(|s| s.kind.name()),
        text(|s| &s.section),
        text(|s| &s.vocabulary),
        f64(|s| s.score),
        f64(|s| s.low),
        f64(|s| s.high),
        f64(|s| s.score_oov_wrong),
        u64(|s| s.covered),
        u64(|s| s.total),
    ];
    let columns = COLUMNS.into_iter().zip(columns).collect();
    Ok(write_table(path, name, columns, metadata)?)
}

/// Reads a table of scores.
///
/// # Errors
/// If it can't be read or is not such a table.
pub fn read_scores(path: &Path) -> Result<Vec<Score>> {
    let mut scores = Vec::new();
    for batch in TableReader::open(path, Some(&COLUMNS), BATCH_ROWS)? {
        let batch = batch?;
        let (sets, kinds) = (batch.text("set")?, batch.text("kind")?);
        let (sections, vocabularies) = (batch.text("section")?, batch.text("vocabulary")?);
        let (values, wrong) = (batch.f64("score")?, batch.f64("score_oov_wrong")?);
        let (lows, highs) = (batch.f64("low")?, batch.f64("high")?);
        let (covered, total) = (batch.u64("covered")?, batch.u64("total")?);
        for row in 0..batch.rows() {
            let kind = match kinds.get(row) {
                "similarity" => Kind::Similarity,
                "analogy" => Kind::Analogy,
                other => {
                    let (path, kind) = (path.to_owned(), other.to_owned());
                    return Err(Error::UnknownKind { path, kind });
                }
            };
            scores.push(Score {
                set: sets.get(row).to_owned(),
                kind,
                section: sections.get(row).to_owned(),
                vocabulary: vocabularies.get(row).to_owned(),
                score: values[row],
                low: lows[row],
                high: highs[row],
                score_oov_wrong: wrong[row],
                covered: covered[row],
                total: total[row],
            });
        }
    }
    Ok(scores)
}
