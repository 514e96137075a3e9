//! Trainers that stream shards through bounded channels and share nothing.
//!
//! [`glove`] reads a grid of co-occurrence counts, [`word2vec`] token shards; both write a model. Blocks
//! of parameters belong to one worker at a time: see `grid`. [`scoring`]: scores at the end of epochs, and when to
//! stop by them.

mod error;
pub mod glove;
mod grid;
mod lanes;
pub mod scoring;
mod team;
pub mod word2vec;

pub use error::{Error, Result};

/// The table of losses in a trainer's stage directory.
pub const METRICS: &str = "metrics.parquet";
