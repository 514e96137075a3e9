//! What can go wrong while training.

use lexmill_store::ByteSize;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of a trainer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A table or directory could not be read or written.
    #[error(transparent)]
    Store(#[from] lexmill_store::Error),
    /// The counts could not be read.
    #[error(transparent)]
    Counts(#[from] lexmill_cooccur::Error),
    /// The parameters do not fit in memory.
    #[error(
        "a model of {words} words and {dimensions} dimensions takes {needed} while it is trained, but \
         the memory is {given}; give more with --memory, or train fewer dimensions or words"
    )]
    Memory {
        /// Words.
        words: usize,
        /// Dimensions.
        dimensions: usize,
        /// Bytes needed.
        needed: ByteSize,
        /// Bytes given.
        given: ByteSize,
    },
    /// The parameters ran away.
    #[error(
        "training diverged in epoch {epoch}: a parameter is no longer a finite number. Lower \
         learning_rate (now {learning_rate}) or gradient_clip (now {gradient_clip}) and run again; \
         {kept}"
    )]
    Diverged {
        /// The epoch, from 1.
        epoch: u32,
        /// The setting.
        learning_rate: f64,
        /// The setting.
        gradient_clip: f64,
        /// What is still there.
        kept: String,
    },
}
