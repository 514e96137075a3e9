//! What can go wrong with an evaluation.

use std::path::PathBuf;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of an evaluation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A table, a stage directory or a file could not be read or written.
    #[error(transparent)]
    Store(#[from] lexmill_store::Error),
    /// The embeddings could not be read.
    #[error(transparent)]
    Embeddings(#[from] lexmill_embeddings::Error),
    /// A line of a test set is wrong.
    #[error("{path:?}, line {line}: {problem}")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        problem: LineProblem,
    },
    /// A file holds nothing to score.
    #[error("{path:?} holds no {wanted}")]
    Empty {
        /// The file.
        path: PathBuf,
        /// What a line should be.
        wanted: &'static str,
    },
    /// No test sets were named.
    #[error("there is nothing to evaluate: name files in similarity or in analogies")]
    NoTestSets,
    /// A table of scores holds a kind of test set that this program does not know.
    #[error("{path:?} has scores of the kind {kind:?}, which this program does not know")]
    UnknownKind {
        /// The table.
        path: PathBuf,
        /// The kind it names.
        kind: String,
    },
    /// Worker threads could not be started.
    #[error("could not start {threads} worker threads: {source}")]
    Threads {
        /// How many.
        threads: usize,
        /// Why not.
        source: rayon::ThreadPoolBuildError,
    },
}

/// What is wrong with a line of a test set.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LineProblem {
    /// Too few fields for a pair.
    #[error("{found} fields instead of two words and a score")]
    PairFields {
        /// Fields there are.
        found: usize,
    },
    /// A score that can't be parsed, below the header.
    #[error("the score {text:?} is not a number")]
    Score {
        /// The score as it stands there.
        text: String,
    },
    /// Not four words.
    #[error("{found} words instead of four")]
    QuestionFields {
        /// Words there are.
        found: usize,
    },
    /// Not UTF-8.
    #[error("it is not UTF-8")]
    InvalidUtf8,
}
