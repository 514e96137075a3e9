//! Trainers that stream shards through bounded channels and share nothing.
//!
//! [`glove`] reads a grid of co-occurrence counts and writes a model. The grid's blocks belong to one
//! worker at a time: see `grid`.

mod error;
pub mod glove;
mod grid;

pub use error::{Error, Result};
