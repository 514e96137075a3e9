//! Parquet tables in typed columns, and one module for each table with its schema. Tables for others
//! may be Arrow IPC files too.
//!
//! Files carry a JSON object under the key `lexmill` in their metadata: the settings and the
//! provenance of what they hold. Compression is zstd level 1; statistics are kept only where a column
//! is sorted, since they cost time and prune nothing elsewhere.

pub mod counts;
mod foreign;
mod ipc;
mod pages;
mod reader;
mod thrift;
pub mod tokens;
pub mod vocabulary;
mod writer;

pub use foreign::{Cell, ForeignBatch, ForeignReader};
pub use ipc::{IpcReader, IpcWriter, MAGIC as IPC_MAGIC};
pub use reader::{Batch, TableReader, Text, panics_are_caught};
pub use writer::{Column, ColumnType, TableWriter, VECTOR_GROUP_BYTES, write_table};

/// The key of Lexmill's metadata in a Parquet file.
pub const METADATA_KEY: &str = "lexmill";
