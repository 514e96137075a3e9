//! Scores of embeddings on test sets, with coverage, intervals and comparisons.
//!
//! - [`evaluate`]: the stage that reads embeddings and test sets and writes `scores.parquet` ([`Score`]).
//! - [`WordPairs`], [`Analogies`], [`Categories`], [`Outliers`], [`LabelledTexts`]: test sets, from the files
//!   people have them in.
//! - [`similarity`], [`analogy`], [`categorization`], [`outlier`], [`classification`]: what is computed on them.
//! - [`UnitVectors`]: embeddings made ready for it.
//! - [`Comparison`]: two embeddings on what both cover.
//! - [`kmeans`], [`logistic`], [`lbfgs`]: clusters of vectors, a classifier, and what trains it.
//!
//! Evaluations mislead where they hide what was left out. So a score always comes with its coverage,
//! with what it would be if everything not covered were wrong, with the interval that its sample of
//! questions leaves open, and with the settings that it depends on ([`Conditions`]).

pub mod analogy;
mod bootstrap;
pub mod categorization;
pub mod classification;
mod error;
pub mod evaluate;
mod inputs;
pub mod kmeans;
pub mod lbfgs;
pub mod logistic;
pub mod outlier;
mod paired;
mod score;
mod scoring;
mod settings;
pub mod similarity;
mod test_sets;
mod unit_vectors;

pub use classification::LabelledTexts;
pub use error::{Error, LineProblem, Result};
pub use evaluate::{run, test_set_name};
pub use inputs::{embeddings_hash, test_set_hashes};
pub use paired::Comparison;
pub use score::{Conditions, Kind, Measure, Score, Shape, read_conditions, read_scores};
pub use settings::{EvaluateSettings, TEST_SETS};
pub use test_sets::{Analogies, Categories, Outliers, Pair, Question, Section, Topic, WordPairs};
pub use unit_vectors::UnitVectors;
