//! What can go wrong while phrases are found and joined.

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the phrases stage.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A table or directory could not be read or written.
    #[error(transparent)]
    Store(#[from] lexmill_store::Error),
    /// The words of the token shards could not be read.
    #[error(transparent)]
    Words(#[from] lexmill_tokenize::Error),
}
