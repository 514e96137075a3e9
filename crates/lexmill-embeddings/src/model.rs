//! The table of a trained model, `parameters.parquet` at the top of a trainer's stage directory.
//!
//! Trainers write it; the export reads what it needs of it. Rows are in word id order.
//!
//! | column | type | what | |
//! | --- | --- | --- | --- |
//! | `word` | text | the word; its id is the row | |
//! | `count` | u64 | occurrences in the corpus | |
//! | `vector` | vector(dim) | W: what the word is as a center (word2vec: input); with n-grams, the mean of its own row and theirs | |
//! | `bias` | f32 | b of the word | optional |
//! | `own_vector` | vector(dim) | the word's own input row | with n-grams only |
//! | `context_vector` | vector(dim) | C: what it is as a context (word2vec: output) | optional; not with hierarchical softmax |
//! | `context_bias` | f32 | b̃ of the word | optional |
//! | `vector_gradsq`, `bias_gradsq`, `context_vector_gradsq`, `context_bias_gradsq` | as above | AdaGrad's sums of squares | optional |
//!
//! The file's metadata are an object: `model` is the stage's kind, `settings` its settings,
//! `vocabulary` those of the vocabulary it was trained on, `tokens` the tokens of the corpus.
//!
//! `skipgram` and `cbow` stages have another table or two:
//!
//! | table | when | columns |
//! | --- | --- | --- |
//! | `ngrams.parquet` | with n-grams (`settings.subwords`) | `bucket` u32, ascending; `vector` vector(dim), its row. Buckets that no word of the vocabulary has are left out; they are zeros. Which n-grams: [`lexmill_vocab::Subwords`] of `minn`, `maxn`, `bucket` |
//! | `nodes.parquet` | with hierarchical softmax (`settings.loss` is `hs`) | `node` u32, 0 to words - 2, inner nodes of the Huffman tree in the order of merging; `vector` vector(dim). A step along a path has the label 1 - code, as in word2vec.c |

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
/// The column of words' own input rows, in models with n-grams.
pub const OWN_VECTOR: &str = "own_vector";
/// AdaGrad's sums for `vector`.
pub const VECTOR_GRADSQ: &str = "vector_gradsq";
/// AdaGrad's sums for `bias`.
pub const BIAS_GRADSQ: &str = "bias_gradsq";
/// AdaGrad's sums for `context_vector`.
pub const CONTEXT_VECTOR_GRADSQ: &str = "context_vector_gradsq";
/// AdaGrad's sums for `context_bias`.
pub const CONTEXT_BIAS_GRADSQ: &str = "context_bias_gradsq";

/// The file name of the table of n-grams.
pub const NGRAMS: &str = "ngrams.parquet";
/// Its column of buckets; their rows are in [`VECTOR`].
pub const BUCKET: &str = "bucket";
/// The file name of the table of inner nodes.
pub const NODES: &str = "nodes.parquet";
/// Its column of node numbers; their rows are in [`VECTOR`].
pub const NODE: &str = "node";

/// In the metadata: the kind of model, one of [`KINDS`].
pub const MODEL: &str = "model";
/// In the metadata: the settings of the model.
pub const SETTINGS: &str = "settings";
/// In the metadata: the settings of the vocabulary.
pub const VOCABULARY: &str = "vocabulary";
/// In the metadata: the tokens of the corpus.
pub const TOKENS: &str = "tokens";
/// A setting: whether words have n-grams.
pub const SUBWORDS: &str = "subwords";
/// A setting: characters of the shortest n-gram.
pub const MINN: &str = "minn";
/// A setting: characters of the longest n-gram.
pub const MAXN: &str = "maxn";
/// A setting: the number of buckets.
pub const BUCKETS: &str = "bucket";
/// A setting: `ns` for negative sampling or `hs` for hierarchical softmax.
pub const LOSS: &str = "loss";

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
