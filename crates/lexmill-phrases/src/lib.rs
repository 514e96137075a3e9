//! Phrases: token shards to token shards in which collocations are joined, `new york` to `new_york`.
//!
//! [`phrases`] is the stage. Its result is laid out like that of `tokenize`, so whatever reads tokens
//! reads it, another `phrases` stage included: two passes find phrases of up to four words.
//!
//! - `pairs`: how often each two words stand side by side, exactly, in bounded memory.
//! - [`Score`]: what makes a pair a phrase.
//! - `join`: a shard to the same shard with its phrases joined.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests make files by hand"))]

mod error;
mod join;
mod pairs;
pub mod phrases;
mod score;
mod settings;

pub use error::{Error, Result};
pub use score::{Score, Totals};
pub use settings::PhrasesSettings;
