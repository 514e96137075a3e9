//! Embedding matrices, their file formats, and nearest neighbours.
//!
//! - [`Embeddings`]: words with their vectors, `(vocabulary, dim)`, in memory.
//!   [`Embeddings::read`] takes every [`Format`], and models.
//! - [`open`]: the same some rows at a time, as a [`Source`]. [`convert`]: from any format to any.
//! - [`Vectors`]: what a person means by a path, a run directory as well.
//! - [`SubwordVectors`]: vectors of words that were never seen. [`FastTextFile`]: a complete model of
//!   fastText's, a row at a time.
//! - [`export`]: the stage that reads the table of a trained model and writes embeddings in the
//!   formats people use.
//! - [`model`]: the schema of that table, which trainers write.
//! - [`Neighbors`]: the words nearest to a vector by cosine, and answers to analogies.
//! - [`dot`], [`norm`]: the two loops that everything here spends its time in.

pub mod convert;
mod error;
pub mod export;
mod fasttext;
#[cfg(test)]
mod fixture;
mod format;
mod kernels;
mod matrix;
pub mod model;
mod moments;
mod neighbors;
mod precision;
mod read;
mod rows;
mod subword_vectors;
mod vectors;
mod write;

pub use error::{Error, LineProblem, Result};
pub use fasttext::{FastTextFile, FastTextLoss, FastTextModel, FastTextSettings};
pub use format::{FORMATS, Format, Packing, Precision};
pub use kernels::{dot, norm, normalize};
pub use matrix::Embeddings;
pub use moments::principal_components;
pub use neighbors::{AnalogyMethod, Neighbors, Query, Scored, cosine, odd_one_out, offset};
pub use read::{ReadOptions, open, read};
pub use rows::{Rows, Source};
pub use subword_vectors::SubwordVectors;
pub use vectors::{Vectors, find};
pub use write::text_line;
