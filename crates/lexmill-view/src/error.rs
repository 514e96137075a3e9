//! What can go wrong with something to look at.

use std::path::PathBuf;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of making a report or serving a page.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A table or a stage directory could not be read, or the report not be written.
    #[error(transparent)]
    Store(#[from] lexmill_store::Error),
    /// Embeddings could not be read.
    #[error(transparent)]
    Embeddings(#[from] lexmill_embeddings::Error),
    /// Scores could not be read.
    #[error(transparent)]
    Eval(#[from] lexmill_eval::Error),
    /// There is nothing to report.
    #[error("{path:?} is no run directory: no finished stage is in it")]
    NoStages {
        /// The directory.
        path: PathBuf,
    },
    /// A word that was asked for is not there.
    #[error("{word:?} is not among the words of {path:?}")]
    UnknownWord {
        /// The word.
        word: String,
        /// The embeddings.
        path: PathBuf,
    },
    /// The page could not be put together; this is a mistake of the program.
    #[error("the page could not be made: {0}")]
    Page(#[from] askama::Error),
    /// The thread of the map could not be started.
    #[error("could not start a thread: {source}")]
    Thread {
        /// Why not.
        source: rayon::ThreadPoolBuildError,
    },
    /// The place to listen at is taken or forbidden.
    #[error("could not listen at port {port} of this machine: {source}; name another with --port")]
    Listen {
        /// The port.
        port: u16,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The server stopped by itself.
    #[error("the server stopped: {0}")]
    Serve(std::io::Error),
}
