//! Embedding matrices, their file formats, and nearest neighbours.
//!
//! - [`Embeddings`]: words with their vectors, `(vocabulary, dim)`, in memory.
//!   [`Embeddings::read`] takes Parquet, the text and binary formats of word2vec, GloVe and fastText,
//!   and models.
//! - [`SubwordVectors`]: vectors of words that were never seen. [`FastTextFile`]: a complete model of
//!   fastText's, a row at a time.
//! - [`export`]: the stage that reads the table of a trained model and writes embeddings in the
//!   formats people use.
//! - [`model`]: the schema of that table, which trainers write.
//! - [`Neighbors`]: the words nearest to a vector by cosine.
//! - [`dot`], [`norm`]: the two loops that everything here spends its time in.

mod error;
pub mod export;
mod fasttext;
#[cfg(test)]
mod fixture;
mod kernels;
mod matrix;
pub mod model;
mod neighbors;
mod read;
mod subword_vectors;

pub use error::{Error, LineProblem, Result};
pub use fasttext::{FastTextFile, FastTextLoss, FastTextModel, FastTextSettings};
pub use kernels::{dot, norm};
pub use matrix::Embeddings;
pub use neighbors::Neighbors;
pub use subword_vectors::SubwordVectors;
