//! Whole pipelines through the real binary: what a person types, what they see, what lies on the disk.
//!
//! | module | what it holds the program to |
//! | --- | --- |
//! | [`pipeline`] | a run does what is missing and nothing else |
//! | [`identity`] | the same bytes whatever the threads, the memory and the interruptions |
//! | [`errors`] | every bad input gives one clear message, and no panic |
//! | [`text`] | dirty text is read as stated, and what was changed is counted |
//! | [`messages`] | exact texts of `plan`, `status`, `validate` |
//! | [`embeddings`] | vectors converted from any format to any, and asked |
//! | [`fasttext`] | files of fastText's and word2vec's, and words they don't know |
//! | [`inspect`] | `inspect` on real tables (only where it is compiled in) |
//! | [`deduplicate`] | duplicates, exact and near, dropped between text and counts |
//! | [`phrases`] | two passes of phrases from text to counts |
//! | [`epoch_scores`] | epochs scored while a model is trained, and training that stops by it |
//! | [`word2vec`] | skip-gram and CBOW: what they learn, the same bytes, what they refuse |
//! | [`pipelines`] | every file in `pipelines/` is a good one |
//! | [`readers`] | records of every format, and what is wrong with some |
//! | [`regressions`] | what once went wrong |
//! | [`reliability`] | damage that is found and mended, signals, run directories from strangers |
//! | [`scores`] | every kind of test set, embeddings from anywhere, comparisons |
//! | [`view`] | the report of a run, and the page to explore |
//! | [`data`] | the dirty files of `$LEXMILL_DATA`, where it is set |
//!
//! Nothing here needs a network or a file outside of the repository. `RUN_SLOW_TESTS=1` kills more
//! often and takes a larger corpus.

#![expect(clippy::disallowed_methods, reason = "inputs of tests need not appear whole")]
#![expect(clippy::unwrap_used, reason = "a test stops where something is not as it must be")]

mod data;
mod deduplicate;
mod embeddings;
mod epoch_scores;
mod errors;
mod fasttext;
mod identity;
#[cfg(feature = "inspect")]
mod inspect;
mod lab;
mod messages;
mod phrases;
mod pipeline;
mod pipelines;
mod readers;
mod regressions;
mod reliability;
mod scores;
mod text;
mod view;
mod word2vec;
