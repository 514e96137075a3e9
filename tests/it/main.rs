//! Whole pipelines through the real binary.
