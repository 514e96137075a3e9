//! Word similarity and analogy scores with coverage and intervals.
//!
//! - [`evaluate`]: the stage that reads embeddings and test sets and writes `scores.parquet`.
//! - [`WordPairs`], [`Analogies`]: test sets, from the files people have them in.
//! - [`similarity`], [`analogy`]: what is computed on them.
//! - [`UnitVectors`]: embeddings made ready for it.
//!
//! Evaluations mislead where they hide what was left out. So a score always comes with its coverage,
//! with what it would be if everything not covered were wrong, and with the interval that its sample of
//! questions leaves open.

pub mod analogy;
mod bootstrap;
mod error;
pub mod evaluate;
mod score;
pub mod similarity;
mod test_sets;
mod unit_vectors;

pub use error::{Error, LineProblem, Result};
pub use evaluate::{EvaluateSettings, input_files, run};
pub use score::{Kind, Score, read_scores};
pub use test_sets::{Analogies, Pair, Section, WordPairs};
pub use unit_vectors::UnitVectors;
