//! Tables on disk: Parquet schemas, atomic commits, manifests, journals and locks.
//!
//! Stages meet only in tables, and this crate is the only one that names arrow and parquet types.
//!
//! - [`AtomicFile`]: a file that appears whole, under its name, or not at all.
//! - [`StageWriter`], [`Manifest`]: a stage directory that is complete or not there, and a journal of
//!   the units of work that are done while it is being made.
//! - [`Damage`]: files that are not what was written, found before they are used.
//! - [`table`]: reading and writing Parquet in typed columns, and one module for each table with
//!   its schema.
//! - [`RunLock`]: one run at a time on a directory.
//! - [`Resources`], [`Progress`]: how a stage is to run, and what it reports while it does.
//! - [`history`]: what stages took, for people; no result depends on it.
//! - [`workers`], [`merge`]: threads that share out a stage's tasks, and sorted runs made one.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests make files by hand"))]

mod bytes;
mod commit;
mod error;
pub mod history;
mod integrity;
mod lock;
mod manifest;
pub mod merge;
mod progress;
mod stage;
pub mod table;
pub mod workers;

pub use bytes::ByteSize;
pub use commit::{
    AtomicFile, FileEntry, file_hash, file_hash_while, free_space, parent, sync_directory,
};
pub use error::{Error, Result};
pub use integrity::{Damage, is_sealed, read_sealed, write_sealed};
pub use lock::{RunLock, is_held};
pub use manifest::{Manifest, StageKey};
pub use progress::{Event, Progress, Resources, Stop, open_files};
pub use stage::{StageWriter, UnitRecord, is_begun, partial_damage, settle};
