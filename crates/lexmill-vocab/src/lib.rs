//! Words, ids, counts and seeded random numbers: the pure data that every stage shares.
//!
//! A *word* is a type, a *token* an occurrence of one. Ids are frequency ranks: [`Vocabulary`]
//! orders words by descending count, ties by spelling (bytes), so the same counts always give the
//! same ids. [`Interner`] turns words into dense ids as they come, [`BlockLayout`] deals ids out to
//! the blocks of a grid, [`Subwords`] gives the buckets of a word's character n-grams, and [`Random`]
//! the same numbers everywhere for the same seed.
//!
//! Nothing here touches a file.

mod blocks;
mod interner;
mod random;
mod subwords;
mod vocabulary;

pub use blocks::BlockLayout;
pub use interner::Interner;
pub use random::{Random, mix};
pub use subwords::Subwords;
pub use vocabulary::{Vocabulary, VocabularyError, WordCount};

/// A word's rank by frequency, from 0.
pub type WordId = u32;
