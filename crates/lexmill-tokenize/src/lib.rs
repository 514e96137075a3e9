//! Corpus files to token shards, and token shards to the vocabulary.
//!
//! Two stages:
//! - [`tokenize`]: reads corpus files; writes `shards/` (tables of tokens), `words/` (each shard's
//!   words with their counts) and, if fields of records are kept, `documents/`.
//! - [`vocabulary`]: reads `words/`; writes `vocabulary.parquet`.
//!
//! [`shards`] is how every later stage finds the token shards of a finished stage, and [`preview`]
//! shows what the first documents of a corpus become. [`each_record`] gives records with some of their fields.
//!
//! New containers plug in at `reader` (text out of a file), new formats at `records` (fields out of
//! text), new kinds of documents at `cut` (where documents end), new steps of cleaning at `clean`,
//! new languages at `segment` (words out of text).

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests make files by hand"))]

mod clean;
mod cut;
mod distinct;
mod error;
mod input;
mod labelled;
mod lowercase;
pub mod preview;
mod reader;
mod records;
mod report;
mod segment;
mod settings;
pub mod shards;
mod source;
pub mod tokenize;
pub mod vocabulary;
mod wikitext;
mod worker;

pub use clean::{CleaningCounts, CleaningStep};
pub use error::{Error, Result};
pub use input::{Corpus, CorpusFile};
pub use labelled::each_record;
pub use records::Condition;
pub use report::TokenizeReport;
pub use settings::{
    BadRecords, Documents, Format, InvalidUtf8, Normalization, SegmenterKind, TokenizeSettings,
    VocabularySettings,
};
