//! Something to look at: a map of words, the report of a run, and a page to explore embeddings.
//!
//! - [`WordMap`]: the most frequent words in the plane, near words near each other.
//! - [`report`]: one HTML file that tells of a run, complete in itself.
//! - [`explore`]: a page on this machine only, where one asks for words and their neighbours.
//!
//! The scripts and styles in `assets/` are written by hand and put into the program when it is built; no
//! page loads anything from elsewhere. What comes from data gets into a page as text only.

mod error;
pub mod explore;
mod map;
mod plots;
pub mod report;

pub use error::{Error, Result};
pub use map::WordMap;
