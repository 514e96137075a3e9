//! Corpus files to token shards, and token shards to the vocabulary.
