//! What can go wrong while looking into tables.

use std::path::{Path, PathBuf};

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of looking into tables; each names the path it happened to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is nothing under this path.
    #[error("there is no file or directory {path:?}")]
    Missing {
        /// The path.
        path: PathBuf,
    },
    /// The operating system refused something.
    #[error("could not {action} {path:?}: {source}")]
    Io {
        /// What was tried, as a verb: "read", "open".
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A file is something else than Parquet.
    #[error(
        "{path:?} is not a Parquet file; Parquet tables, stage and run directories can be shown"
    )]
    NotParquet {
        /// The file.
        path: PathBuf,
    },
    /// A Parquet file can't be read.
    #[error("{path:?} is damaged, or holds what Polars can't read: {message}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What Polars said.
        message: String,
    },
    /// A stage's manifest can't be understood.
    #[error("{path:?} is not a manifest of Lexmill's: {problem}")]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A directory holds neither stages nor tables.
    #[error("{path:?} holds no finished stage and no Parquet file")]
    NothingToShow {
        /// The directory.
        path: PathBuf,
    },
    /// A word is in none of the tables looked into.
    #[error("{path:?} does not have the word {word:?}; {hint}")]
    UnknownWord {
        /// The word.
        word: String,
        /// The table or directory looked into.
        path: PathBuf,
        /// Words spelled alike, or what else to think of.
        hint: String,
    },
    /// A word was asked for where no table is about words.
    #[error(
        "{path:?} has no table with a text column \"word\", so none of its rows belongs to a word"
    )]
    NoWords {
        /// The table or directory.
        path: PathBuf,
    },
    /// A table lacks a column, or it has another type.
    #[error("{path:?} has no column {column:?} of type {expected}; it has: {found}")]
    Column {
        /// The file.
        path: PathBuf,
        /// The column looked for.
        column: String,
        /// The type looked for.
        expected: &'static str,
        /// The columns that are there, with their types.
        found: String,
    },
}

impl Error {
    /// An [`Error::Missing`] or [`Error::Io`] maker for `map_err`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.to_owned();
        move |source| match source.kind() {
            std::io::ErrorKind::NotFound => Error::Missing { path },
            _ => Error::Io { action, path, source },
        }
    }

    pub(crate) fn damaged(path: &Path, message: impl Into<String>) -> Error {
        Error::Damaged { path: path.to_owned(), message: message.into() }
    }
}
