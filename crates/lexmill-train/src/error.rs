//! What can go wrong while training.

use std::path::PathBuf;

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
         the memory is {given}; give more with --memory, or train with fewer threads, dimensions or words"
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
    #[error("training diverged in epoch {epoch}: {what}. {advice} and run again; {kept}")]
    Diverged {
        /// The epoch, from 1.
        epoch: u32,
        /// How it shows.
        what: String,
        /// Which settings to change, and what they are now.
        advice: String,
        /// What is still there.
        kept: String,
    },
    /// The tokens or the vocabulary could not be read.
    #[error(transparent)]
    Tokens(#[from] lexmill_tokenize::Error),
    /// Vectors to start from could not be read.
    #[error(transparent)]
    Embeddings(#[from] lexmill_embeddings::Error),
    /// Vectors to start from have other dimensions.
    #[error(
        "{path:?} has vectors of {found} dimensions, but the model has {wanted}; set dimensions = \
         {found}, or start from other vectors (initial_vectors)"
    )]
    StartDimensions {
        /// Their file.
        path: PathBuf,
        /// Their dimensions.
        found: usize,
        /// The model's.
        wanted: usize,
    },
    /// An epoch could not be scored.
    #[error("can't score {}: {source}", epoch_or_start(*.epoch))]
    Scoring {
        /// The epoch, from 1; 0 before the first.
        epoch: u32,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// There is nothing to stop by.
    #[error(
        "none of the test sets in score_similarity and score_analogies is covered by the vocabulary of {words} \
         words, so patience has no score to go by: name sets in the corpus's language and case, or take patience away"
    )]
    NothingCovered {
        /// Words of the vocabulary.
        words: usize,
    },
    /// Nothing to learn from.
    #[error(
        "there is nothing to train on: no document holds two words of the vocabulary next to each \
         other; lower the vocabulary's min_count, or see that documents are not single words"
    )]
    NoExamples,
    /// Worker threads could not be started.
    #[error("can't start {threads} worker threads: {source}; give fewer with --threads")]
    Threads {
        /// How many.
        threads: usize,
        /// Why not.
        source: rayon::ThreadPoolBuildError,
    },
}

fn epoch_or_start(epoch: u32) -> String {
    match epoch {
        0 => "the vocabulary on the test sets".to_owned(),
        epoch => format!("epoch {epoch}"),
    }
}
