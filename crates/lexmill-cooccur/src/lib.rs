//! Exact co-occurrence counts: token shards to a grid of Parquet shards within a memory budget.
