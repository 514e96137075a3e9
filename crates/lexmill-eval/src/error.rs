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
    /// Labelled texts could not be read.
    #[error(transparent)]
    Tokenize(#[from] lexmill_tokenize::Error),
    /// Labelled texts are not what a classifier can be trained on.
    #[error("{path:?}: {problem}")]
    Labels {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A file is larger than any test set.
    #[error("{path:?} is larger than {most_mib} MiB, which no test set is: name another file")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The largest that is read.
        most_mib: u64,
    },
    /// A directory holds more files than any test set.
    #[error(
        "{path:?} holds more than {most} files, which no test set does: name another directory"
    )]
    TooManyFiles {
        /// The directory.
        path: PathBuf,
        /// The most that are read.
        most: usize,
    },
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
    #[error(
        "there is nothing to evaluate: name files in similarity, analogies, categorization, outliers or classification"
    )]
    NoTestSets,
    /// A table of scores holds a kind of test set or a measure that this program does not know.
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
    /// Not a word and its answers.
    #[error("it is not a word and its answers (word, tab, answer/answer)")]
    WordAndAnswers,
    /// Not three words of a question, perhaps with a tag.
    #[error("{found} words instead of three and perhaps a tag")]
    GivenFields {
        /// Words there are.
        found: usize,
    },
    /// Not an answer, perhaps with a tag.
    #[error("{found} words instead of a tag and an answer")]
    AnswerFields {
        /// Words there are.
        found: usize,
    },
    /// A question without an answer in the other file.
    #[error("the file of answers beside it has only {answers}: they belong to other questions")]
    NoAnswer {
        /// Answers there are.
        answers: usize,
    },
    /// An answer without a question in the other file.
    #[error("the file of questions beside it has only {questions}: they belong to other answers")]
    NoQuestion {
        /// Questions there are.
        questions: usize,
    },
    /// More than a set may have.
    #[error("with it there are more than {most} {what}: take a part of them")]
    TooMany {
        /// How many there may be.
        most: usize,
        /// Of what.
        what: &'static str,
    },
    /// Too few fields for a word and its category.
    #[error("{found} fields instead of a word and its category")]
    CategoryFields {
        /// Fields there are.
        found: usize,
    },
    /// Not UTF-8.
    #[error("it is not UTF-8")]
    InvalidUtf8,
}
