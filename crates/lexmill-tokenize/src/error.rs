//! What can go wrong between a corpus and its vocabulary.

use std::path::PathBuf;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the tokenize or vocabulary stage.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A table or directory could not be read or written.
    #[error(transparent)]
    Store(#[from] lexmill_store::Error),
    /// An input pattern names no file.
    #[error("the input {pattern:?} matches no file (looked in {directory:?})")]
    NoFiles {
        /// The pattern as written.
        pattern: String,
        /// Where relative patterns start.
        directory: PathBuf,
    },
    /// An input pattern can't be understood.
    #[error("the input {pattern:?} is not a valid pattern: {problem}")]
    Pattern {
        /// The pattern as written.
        pattern: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A corpus file could not be read.
    #[error("could not read {path:?}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system or the decompressor said.
        source: std::io::Error,
    },
    /// A corpus file is not text this program reads.
    #[error("{path:?} {problem}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What it is instead, and what to do.
        problem: String,
    },
    /// Text that is not UTF-8, where the settings say that this is an error.
    #[error(
        "{place}: byte {offset} of the text is not valid UTF-8; convert the file, or set \
         invalid_utf8 = \"replace\" to put U+FFFD in its place"
    )]
    InvalidUtf8 {
        /// The files the text comes from.
        place: String,
        /// Bytes of text before it, counted from the start of the first of those files.
        offset: u64,
    },
    /// There is nothing to make a vocabulary of.
    #[error(
        "no word occurs {min_count} times or more among {types} different words; lower min_count"
    )]
    EmptyVocabulary {
        /// The setting.
        min_count: u64,
        /// Different words in the corpus.
        types: u64,
    },
    /// The corpus has no tokens at all.
    #[error("the corpus holds no tokens: {documents} documents, all empty")]
    NoTokens {
        /// Documents seen.
        documents: u64,
    },
}
