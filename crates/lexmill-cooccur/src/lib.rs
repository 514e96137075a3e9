//! Exact co-occurrence counts: token shards to a grid of Parquet shards within a memory budget.
//!
//! [`count`](mod@count) is the stage. It counts in whole units ([`Weights`]), so sums do not depend on
//! their order: threads, memory and interruptions can't show in the result.
//!
//! - `text`: token shards to an array of slots in memory, document ends marked.
//! - `rows`: that array to sorted rows of cells, a word at a time.
//! - `run`: rows on disk, sorted, to be merged.
//! - `grid`: rows to the shards of the grid.
//! - `growth`: an earlier grid plus what is new, instead of a full recount.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests make files by hand"))]

pub mod count;
mod error;
mod grid;
mod growth;
mod rows;
mod run;
mod settings;
mod text;
mod weights;

pub use error::{Error, Result};
pub use grid::{Grid, cells_path};
pub use settings::{Contexts, CountSettings, Unknown, Weighting};
pub use weights::Weights;
