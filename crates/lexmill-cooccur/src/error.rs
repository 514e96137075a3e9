//! What can go wrong while counting.

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the count stage.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A table or directory could not be read or written.
    #[error(transparent)]
    Store(#[from] lexmill_store::Error),
    /// The vocabulary could not be read.
    #[error(transparent)]
    Vocabulary(#[from] lexmill_tokenize::Error),
    /// No two words of the vocabulary occur together.
    #[error(
        "there is nothing to count: no two words of the vocabulary stand within {window} words of \
         each other in a document"
    )]
    NoCells {
        /// The window.
        window: u32,
    },
}
