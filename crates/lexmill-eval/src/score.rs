//! Scores and their table, `scores.parquet`.
//!
//! | column | type | what |
//! | --- | --- | --- |
//! | `set` | text | the test set: its file's name |
//! | `kind` | text | `similarity`, `analogy`, `categorization`, `outliers` or `classification` |
//! | `measure` | text | what the score is: see [`Measure`] |
//! | `section` | text | `total`; of analogies also groups of sections, and each section |
//! | `vocabulary` | text | `all`, or `top N`: only the N most frequent words are asked for and may answer |
//! | `score` | f64 | over what is covered |
//! | `low`, `high` | f64 | its 95 % bootstrap interval |
//! | `score_oov_wrong` | f64 | over everything: unknown pairs at similarity 0, all else that is not covered wrong |
//! | `covered`, `total` | u64 | pairs, questions, words, texts or tokens |
//! | `common` | u64 | with a baseline: what both embeddings cover, on which they are compared; else 0 |
//! | `common_score`, `baseline_score` | f64 | the scores of both on that |
//! | `difference` | f64 | `common_score - baseline_score` |
//! | `difference_low`, `difference_high` | f64 | its 95 % paired-bootstrap interval |
//! | `p` | f64 | two-sided, from the same draws |
//!
//! Scores are fractions. One that can't be computed (nothing is covered, all values are equal, there is no
//! baseline) is NaN. Rows are in the order to show them in. The metadata holds, under `conditions`, the
//! settings that scores depend on ([`Conditions`]).

use std::path::Path;

use lexmill_store::FileEntry;
use lexmill_store::table::{Column, TableReader, write_table};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::paired::Comparison;
use crate::{Error, Result};
use lexmill_embeddings::AnalogyMethod;

/// Names of a plain enumeration, both ways.
macro_rules! names {
    ($type:ident { $($variant:ident => $name:literal),* $(,)? }) => {
        impl $type {
            /// Its name in the table.
            pub fn name(self) -> &'static str {
                match self {
                    $($type::$variant => $name,)*
                }
            }

            /// What has this name.
            fn named(name: &str) -> Option<$type> {
                match name {
                    $($name => Some($type::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

/// What a test set asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// How alike two words are.
    Similarity,
    /// Which word is to c as b is to a.
    Analogy,
    /// Which words belong together.
    Categorization,
    /// Which word does not belong to the others.
    Outliers,
    /// What kind of text this is.
    Classification,
}

names!(Kind {
    Similarity => "similarity",
    Analogy => "analogy",
    Categorization => "categorization",
    Outliers => "outliers",
    Classification => "classification",
});

/// What a score is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Spearman's rank correlation with people's judgements.
    Spearman,
    /// The share of right answers.
    Accuracy,
    /// The share of words in a cluster whose most frequent category is theirs.
    Purity,
    /// The outlier position percentage.
    Opp,
    /// The mean of the F1 of the labels.
    MacroF1,
    /// The share of the most frequent label: what one gets right who always says it.
    Majority,
    /// The share of the tokens of texts whose word is known.
    Tokens,
}

names!(Measure {
    Spearman => "spearman",
    Accuracy => "accuracy",
    Purity => "purity",
    Opp => "opp",
    MacroF1 => "macro-f1",
    Majority => "majority",
    Tokens => "tokens",
});

impl Measure {
    /// What it is called where people read it.
    pub fn title(self) -> &'static str {
        match self {
            Measure::Spearman => "Spearman’s ρ",
            Measure::Accuracy => "accuracy",
            Measure::Purity => "purity",
            Measure::Opp => "OPP",
            Measure::MacroF1 => "macro F1",
            Measure::Majority => "majority label",
            Measure::Tokens => "tokens known",
        }
    }

    /// Whether embeddings are compared by it with a baseline: not by what tells of the texts alone.
    pub fn is_compared(self) -> bool {
        !matches!(self, Measure::Majority | Measure::Tokens)
    }
}

/// What scores depend on besides the embeddings and the test sets; it stands in the table's metadata.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Conditions {
    /// Whether case is folded, in the test sets and in the vocabulary.
    pub lowercase: bool,
    /// What is done to vectors: they are scaled to length 1.
    pub normalization: String,
    /// How analogies are answered.
    pub analogy_method: AnalogyMethod,
    /// Analogies are also answered among this many most frequent words; 0: only among all.
    pub restrict: usize,
    /// Parts of cross-validation.
    pub folds: u32,
    /// Strength of the classifier's L2 regularization.
    pub l2: f64,
    /// Draws behind intervals.
    pub bootstrap: usize,
    /// The seed.
    pub seed: u64,
    /// The embeddings.
    pub embeddings: Shape,
    /// Those they are compared with.
    pub baseline: Option<Shape>,
}

/// The size of embeddings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Words.
    pub words: usize,
    /// Floats of a vector.
    pub dimensions: usize,
}

/// A score with what it rests on: a row of the table.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    /// The test set.
    pub set: String,
    /// What it asks.
    pub kind: Kind,
    /// What the score is.
    pub measure: Measure,
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
    /// Pairs, questions, words, texts or tokens that the embeddings know enough of.
    pub covered: u64,
    /// All of them.
    pub total: u64,
    /// How the embeddings compare with the baseline, if there is one.
    pub comparison: Option<Comparison>,
}

impl Score {
    /// The share of the test set that is covered.
    pub fn coverage(&self) -> f64 {
        self.covered as f64 / self.total as f64
    }
}

const BATCH_ROWS: usize = 1 << 12;
const COLUMNS: [&str; 18] = [
    "set",
    "kind",
    "measure",
    "section",
    "vocabulary",
    "score",
    "low",
    "high",
    "score_oov_wrong",
    "covered",
    "total",
    "common",
    "common_score",
    "baseline_score",
    "difference",
    "difference_low",
    "difference_high",
    "p",
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
    let compared = |get: fn(&Comparison) -> f64| {
        let value = |s: &Score| s.comparison.as_ref().map_or(f64::NAN, get);
        Column::f64(scores.iter().map(value).collect())
    };
    let columns = [
        text(|s| &s.set),
        text(|s| s.kind.name()),
        text(|s| s.measure.name()),
        text(|s| &s.section),
        text(|s| &s.vocabulary),
        f64(|s| s.score),
        f64(|s| s.low),
        f64(|s| s.high),
        f64(|s| s.score_oov_wrong),
        u64(|s| s.covered),
        u64(|s| s.total),
        u64(|s| s.comparison.as_ref().map_or(0, |c| c.common)),
        compared(|c| c.scores.0),
        compared(|c| c.scores.1),
        compared(Comparison::difference),
        compared(|c| c.interval.0),
        compared(|c| c.interval.1),
        compared(|c| c.p),
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
    let table = TableReader::open(path, Some(&COLUMNS), BATCH_ROWS)?;
    let compared = !table.metadata()["conditions"]["baseline"].is_null();
    for batch in table {
        let batch = batch?;
        let (sets, kinds) = (batch.text("set")?, batch.text("kind")?);
        let (sections, vocabularies) = (batch.text("section")?, batch.text("vocabulary")?);
        let (values, wrong) = (batch.f64("score")?, batch.f64("score_oov_wrong")?);
        let (lows, highs) = (batch.f64("low")?, batch.f64("high")?);
        let (covered, total) = (batch.u64("covered")?, batch.u64("total")?);
        let (measures, common) = (batch.text("measure")?, batch.u64("common")?);
        let (common_scores, baseline) = (batch.f64("common_score")?, batch.f64("baseline_score")?);
        let (difference_lows, difference_highs) =
            (batch.f64("difference_low")?, batch.f64("difference_high")?);
        let p = batch.f64("p")?;
        for row in 0..batch.rows() {
            let unknown =
                |name: &str| Error::UnknownKind { path: path.to_owned(), kind: name.to_owned() };
            let (kind, measure) = (kinds.get(row), measures.get(row));
            let comparison = Comparison {
                common: common[row],
                scores: (common_scores[row], baseline[row]),
                interval: (difference_lows[row], difference_highs[row]),
                p: p[row],
            };
            let kind = Kind::named(kind).ok_or_else(|| unknown(kind))?;
            let measure = Measure::named(measure).ok_or_else(|| unknown(measure))?;
            scores.push(Score {
                set: sets.get(row).to_owned(),
                kind,
                measure,
                section: sections.get(row).to_owned(),
                vocabulary: vocabularies.get(row).to_owned(),
                score: values[row],
                low: lows[row],
                high: highs[row],
                score_oov_wrong: wrong[row],
                covered: covered[row],
                total: total[row],
                comparison: (compared && measure.is_compared()).then_some(comparison),
            });
        }
    }
    Ok(scores)
}

/// What the scores of a table depend on besides embeddings and test sets.
///
/// # Errors
/// If it can't be read or is not such a table.
pub fn read_conditions(path: &Path) -> Result<Conditions> {
    let table = TableReader::open(path, Some(&["set"]), 1)?;
    serde_json::from_value(table.metadata()["conditions"].clone()).map_err(|error| {
        lexmill_store::Error::corrupt(path, format!("its metadata lacks conditions: {error}"))
            .into()
    })
}
