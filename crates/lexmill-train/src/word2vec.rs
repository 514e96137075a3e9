//! The stages `skipgram` and `cbow`.
//!
//! Word2vec (Mikolov et al. 2013, arXiv 1301.3781 and 1310.4546) and its extension by character
//! n-grams (Bojanowski et al. 2017). Reads token shards and a vocabulary, writes a model
//! ([`lexmill_embeddings::model`]) and a table of losses:
//!
//! | column | type | what |
//! | --- | --- | --- |
//! | `epoch` | u32 | from 1 |
//! | `tokens` | u64 | tokens read since the start of the epoch |
//! | `examples` | u64 | (center, context) pairs, with CBOW windows, since the last row |
//! | `loss` | f64 | mean loss of these examples, in nats |
//! | `epoch_loss` | f64 | mean loss of the epoch's examples so far |
//! | `learning_rate` | f32 | at the end of the row |
//!
//! Where the settings name test sets there is a table of scores as well: [`crate::scoring`].
//!
//! The loss of an example is −ln σ(h·t) − Σ ln σ(−h·n) with negative sampling, and −ln of the word's
//! probability with hierarchical softmax. The same input, settings and seed give the same bits
//! whatever the threads: see `grid` for skip-gram, `compose` for CBOW and subwords.
//!
//! What is not as in the programs it follows, whatever the preset: random numbers, hence the numbers
//! of a run; documents are as long as they are (word2vec cuts after 1,000 words, gensim after 10,000,
//! fastText after 1,024); `</s>` is not a word; negatives are shared by 16 examples (4 with
//! subwords), and come from a block of the vocabulary at a time, each block as often as the others, so
//! that the most frequent words are negatives less often than the noise exponent says; the sigmoid is
//! computed rather than looked up.

mod compose;
mod examples;
mod huffman;
mod matrix;
mod model;
mod noise;
mod settings;
mod start;
mod step;
mod subwords;
mod text;
mod train;

/// Tells the streams of random numbers apart: the second part of their names, after the seed.
mod stream {
    pub(super) const INITIAL: u64 = 1;
    pub(super) const STRATA: u64 = 2;
    pub(super) const SUBSAMPLING: u64 = 10;
    pub(super) const WINDOWS: u64 = 11;
    pub(super) const BATCH_NEGATIVES: u64 = 12;
    pub(super) const TILE_NEGATIVES: u64 = 13;
    pub(super) const ORDER: u64 = 14;
    pub(super) const SHIFT: u64 = 15;
}

pub use settings::{
    Architecture, CbowGradient, CbowSettings, LossKind, Preset, Sigmoid, SkipgramSettings,
    Word2vecSettings,
};
pub use start::start_hash;
pub use train::{Inputs, VERSION, run};
