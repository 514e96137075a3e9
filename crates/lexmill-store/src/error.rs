//! What can go wrong with tables and directories.

use std::path::{Path, PathBuf};

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the store; each names the file it happened to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused something.
    #[error("could not {action} {path:?}: {source}{}", advice(.source))]
    Io {
        /// What was tried, as a verb: "write", "open".
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A Parquet file could not be read or written.
    #[error(
        "{path:?} is damaged or not a Parquet file: {message}; delete it and run again to make it anew"
    )]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What the Parquet library said.
        message: String,
    },
    /// A Parquet file from elsewhere could not be read.
    #[error("{path:?} can't be read as Parquet: {message}")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What the Parquet library said.
        message: String,
    },
    /// An Arrow IPC file could not be read or written.
    #[error("{path:?} can't be read as an Arrow IPC file: {message}")]
    Arrow {
        /// The file.
        path: PathBuf,
        /// What is wrong, in the words of the Arrow library where it found it.
        message: String,
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
    /// A file's content contradicts itself or its manifest.
    #[error("{path:?} is damaged: {problem}")]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A file is not what the manifest of its stage says was written.
    #[error("{path:?} is damaged: {problem}; {advice}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What to do.
        advice: String,
    },
    /// A manifest is not what was written, or of another version of the program.
    #[error("{path:?} can't be used: {problem}; {advice}")]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What to do.
        advice: String,
    },
    /// A directory is not a finished stage of the expected kind.
    #[error("{path:?} is not a finished {expected} stage: {problem}")]
    NotAStage {
        /// The directory.
        path: PathBuf,
        /// The stage kind expected.
        expected: String,
        /// What was found instead.
        problem: String,
    },
    /// A directory that would be replaced holds something else than a stage.
    #[error(
        "{path:?} is there and is not a stage of lexmill's: it is left alone; name another directory"
    )]
    Occupied {
        /// The directory.
        path: PathBuf,
    },
    /// Somebody asked work to end before it was done.
    #[error("stopped as asked: what is done is kept; the same command goes on with it")]
    Stopped,
    /// Another process works on the directory.
    #[error("{path:?} is in use by {holder}; wait for it to end, or use another directory{advice}")]
    Locked {
        /// The directory.
        path: PathBuf,
        /// Who holds it.
        holder: String,
        /// What to do if it is not so, where that can't be told.
        advice: String,
    },
}

fn advice(source: &std::io::Error) -> &'static str {
    match source.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            "; free some space and run again: what is finished is kept"
        }
        _ => "",
    }
}

impl Error {
    /// An [`Error::Io`] maker for `map_err`.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.to_owned();
        move |source| Error::Io { action, path, source }
    }

    /// An [`Error::Corrupt`].
    pub fn corrupt(path: &Path, problem: impl Into<String>) -> Error {
        Error::Corrupt { path: path.to_owned(), problem: problem.into() }
    }

    /// The same of a file that nobody here has made, or could make anew.
    pub fn foreign(self) -> Error {
        match self {
            Error::Parquet { path, message } => Error::Foreign { path, message },
            other => other,
        }
    }

    pub(crate) fn parquet(path: &Path) -> impl FnOnce(parquet::errors::ParquetError) -> Error {
        let path = path.to_owned();
        move |error| match into_io(error) {
            Ok(source) => Error::Io { action: "read or write", path, source },
            Err(message) => Error::Parquet { path, message },
        }
    }
}

/// The operating system's error inside a Parquet one, or the message. Where the library has turned
/// the error into text, its number still stands there.
fn into_io(error: parquet::errors::ParquetError) -> Result<std::io::Error, String> {
    let message = match error {
        parquet::errors::ParquetError::External(inner) => {
            match inner.downcast::<std::io::Error>() {
                Ok(io) => return Ok(*io),
                Err(other) => other.to_string(),
            }
        }
        other => other.to_string(),
    };
    let number = message.split("(os error ").nth(1).and_then(|rest| rest.split(')').next());
    match number.and_then(|number| number.parse().ok()) {
        Some(number) => Ok(std::io::Error::from_raw_os_error(number)),
        None => Err(message),
    }
}
