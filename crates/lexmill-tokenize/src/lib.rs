//! Corpus files to token shards, and token shards to the vocabulary.
//!
//! Two stages:
//! - [`tokenize`]: reads corpus files; writes `shards/` (tables of tokens) and `words/` (each shard's
//!   words with their counts).
//! - [`vocabulary`]: reads `words/`; writes `vocabulary.parquet`.
//!
//! [`shards`] is how every later stage finds the token shards of a finished stage.
//!
//! New kinds of corpus files plug in at `reader` (bytes out of a file), new kinds of
//! documents at `cut` (where documents end), new languages at `segment` (words out of text).

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests make files by hand"))]

mod cut;
mod error;
mod input;
mod reader;
mod report;
mod segment;
mod settings;
pub mod shards;
pub mod tokenize;
pub mod vocabulary;

pub use error::{Error, Result};
pub use input::{Corpus, CorpusFile};
pub use report::TokenizeReport;
pub use settings::{
    Documents, InvalidUtf8, Normalization, SegmenterKind, TokenizeSettings, VocabularySettings,
};
