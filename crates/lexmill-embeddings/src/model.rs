//! The table of a trained model, `parameters.parquet` at the top of a trainer's stage directory.
//!
//! Trainers write it; the export reads what it needs of it. Rows are in word id order.
//!
//! | column | type | what | |
//! | --- | --- | --- | --- |
//! | `word` | text | the word; its id is the row | |
//! | `count` | u64 | occurrences in the corpus | |
//! | `vector` | vector(dim) | W: what the word is as a center (word2vec: input) | |
//! | `bias` | f32 | b of the word | optional |
//! | `context_vector` | vector(dim) | C: what it is as a context (word2vec: output) | optional |
//! | `context_bias` | f32 | b̃ of the word | optional |
//! | `vector_gradsq`, `bias_gradsq`, `context_vector_gradsq`, `context_bias_gradsq` | as above | AdaGrad's sums of squares | optional |
//!
//! The file's metadata say which model it is, with which settings.

use std::path::Path;

use lexmill_store::table::TableReader;
use lexmill_store::{Manifest, Result};

/// The table's file name in a trainer's stage directory.
pub const PARAMETERS: &str = "parameters.parquet";
/// Stage kinds whose directories hold such a table.
pub const KINDS: &[&str] = &["glove", "skipgram", "cbow"];

/// The column of words.
pub const WORD: &str = "word";
/// The column of counts.
pub const COUNT: &str = "count";
/// The column of word vectors, W.
#[doc(alias = "syn0")]
pub const VECTOR: &str = "vector";
/// The column of word biases.
pub const BIAS: &str = "bias";
/// The column of context vectors, C.
#[doc(alias = "syn1neg")]
pub const CONTEXT_VECTOR: &str = "context_vector";
/// The column of context biases.
pub const CONTEXT_BIAS: &str = "context_bias";
/// AdaGrad's sums for `vector`.
pub const VECTOR_GRADSQ: &str = "vector_gradsq";
/// AdaGrad's sums for `bias`.
pub const BIAS_GRADSQ: &str = "bias_gradsq";
/// AdaGrad's sums for `context_vector`.
pub const CONTEXT_VECTOR_GRADSQ: &str = "context_vector_gradsq";
/// AdaGrad's sums for `context_bias`.
pub const CONTEXT_BIAS_GRADSQ: &str = "context_bias_gradsq";

/// Rows of a batch: a few megabytes at usual dimensions.
pub(crate) const BATCH_ROWS: usize = 1 << 12;

/// Opens the table of a trained model for reading its words, counts and the columns named in
/// `vectors`, a batch at a time. `model` is a finished stage directory of one of [`KINDS`].
///
/// # Errors
/// If `model` is not that, or the table can't be read, or it lacks one of the columns
/// ([`lexmill_store::Error::Column`]).
pub fn read_model(model: &Path, vectors: &[&str]) -> Result<TableReader> {
    Manifest::expect(model, KINDS)?;
    let mut columns = vec![WORD, COUNT];
    columns.extend(vectors);
    TableReader::open(&model.join(PARAMETERS), Some(&columns), BATCH_ROWS)
}
