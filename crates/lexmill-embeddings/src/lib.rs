//! Embedding matrices, their file formats, and nearest neighbours.
//!
//! - [`Embeddings`]: words with their vectors, `(vocabulary, dim)`, in memory.
//!   [`Embeddings::read`] takes Parquet, word2vec text and GloVe text, plain or compressed.
//! - [`export`]: the stage that reads the table of a trained model and writes embeddings in the
//!   formats people use.
//! - [`model`]: the schema of that table, which trainers write.
//! - [`Neighbors`]: the words nearest to a vector by cosine.
//! - [`dot`], [`norm`]: the two loops that everything here spends its time in.

mod error;
pub mod export;
mod kernels;
mod matrix;
pub mod model;
mod neighbors;
mod read;

pub use error::{Error, LineProblem, Result};
pub use kernels::{dot, norm};
pub use matrix::Embeddings;
pub use neighbors::Neighbors;
