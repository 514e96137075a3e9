//! Duplicates: token shards to token shards without documents that were there before.
//!
//! [`deduplicate`] is the stage. Its result is laid out like that of `tokenize`, so whatever reads tokens
//! reads it, and it takes whatever is laid out so. Web text and collections of files say much of what
//! they say several times; a model learns from that the more it is repeated.
//!
//! A document is what `tokenize` was told to take for one. With [`Method::Exact`] it is dropped if an
//! earlier one has the same tokens; with [`Method::Minhash`] if an earlier one that is kept has nearly
//! the same shingles.
//!
//! - `sketch`: shards to what tells of their documents which are the same: a hash or a signature.
//! - `exact`: the same hashes. `minhash`, `banding`, `near`: signatures, which are compared, and how.
//! - `runs`: more records than fit in memory, sorted.
//! - `duplicates`, `remove`: the table of what is dropped, and the shards without it.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests make files by hand"))]

mod banding;
pub mod deduplicate;
mod duplicates;
mod error;
mod exact;
mod minhash;
mod near;
mod remove;
mod runs;
mod settings;
mod sketch;

pub use error::{Error, Result};
pub use settings::{DeduplicateSettings, Method};
