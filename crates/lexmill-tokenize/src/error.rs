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
    /// A pattern can't be understood.
    #[error("{pattern:?} is not valid: {problem}")]
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
    /// A record of a corpus file can't be read.
    #[error("{path:?}, {place}: {problem}; set bad_records = \"skip\" to leave such records out")]
    Record {
        /// The file.
        path: PathBuf,
        /// Where in it.
        place: String,
        /// What is wrong.
        problem: String,
    },
    /// A corpus file can't be read from some place on.
    #[error("{path:?}, {place}: {problem}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Where in it.
        place: String,
        /// What is wrong.
        problem: String,
    },
    /// A tokenizer can't cut a text.
    #[error("{path:?} can't cut the text {text:?}: {problem}; give its model an unknown token")]
    Tokenizer {
        /// The tokenizer.
        path: PathBuf,
        /// The start of the text.
        text: String,
        /// What the tokenizer said.
        problem: String,
    },
    /// No record has the field that should hold the text.
    #[error("none of {records} records has text in the field {field:?}{found}; set field")]
    NoField {
        /// The setting.
        field: String,
        /// Records read.
        records: u64,
        /// The fields of the first of them, in words.
        found: String,
    },
    /// Text that is not UTF-8, where the settings say that this is an error.
    #[error(
        "{place}: byte {offset} of the text is not valid UTF-8; convert the file, or set \
         invalid_utf8 = \"replace\" to put U+FFFD in its place"
    )]
    InvalidUtf8 {
        /// The file, and the line where it can be counted.
        place: String,
        /// Bytes of the file's text before it.
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
    #[error("the corpus holds no tokens: {documents} documents, all empty{left_out}")]
    NoTokens {
        /// Documents seen.
        documents: u64,
        /// Records that were left out, in words.
        left_out: String,
    },
}
