//! What can go wrong in a pipeline.

use std::path::PathBuf;

use lexmill_store::ByteSize;

use crate::disk::Room;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of a pipeline.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The definition file has mistakes; the text shows each in its line.
    #[error("{0}")]
    Definition(String),
    /// The definition file can't be read.
    #[error("could not read {path:?}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// `--only`, `--from` or `--to` names no stage.
    #[error("there is no stage {name:?}; the stages are {known}{hint}")]
    NoSuchStage {
        /// As given.
        name: String,
        /// All stages.
        known: String,
        /// A stage with a similar name.
        hint: String,
    },
    /// `--only`, `--from` and `--to` select no stage together.
    #[error(
        "there is no stage to run: none of those in --only reads from --from, directly or not, and \
         leads to --to"
    )]
    NothingSelected,
    /// A stage was asked for whose inputs are not there.
    #[error(
        "stage {stage:?} needs stage {input:?}, which is not done; run it too (leave out --only or \
         --from)"
    )]
    InputNotDone {
        /// The stage.
        stage: String,
        /// Its input.
        input: String,
    },
    /// The disk is too small by far for what is to be made.
    #[error(
        "{needed} or so will be written to {directory:?}, and {room}: {}; nothing was begun",
        if room.allowed { "allow more" } else { "free some space, or choose another disk with --dir" }
    )]
    DiskTooSmall {
        /// The run directory.
        directory: PathBuf,
        /// What results will take, roughly.
        needed: ByteSize,
        /// What can be.
        room: Room,
    },
    /// A run took more of the disk than it was allowed.
    #[error(
        "{directory:?} and what is being made take {used} of the disk, and --disk allows {allowed}: what \
         is done is kept; run again with more, or remove what is not needed"
    )]
    DiskAllowance {
        /// The run directory, or that of a stage that is run alone.
        directory: PathBuf,
        /// What was there.
        used: ByteSize,
        /// What was allowed.
        allowed: ByteSize,
    },
    /// A directory was to be verified that holds no stage.
    #[error("{path:?} holds no stage of lexmill's: name a run directory, or that of a stage")]
    NothingToVerify {
        /// The directory.
        path: PathBuf,
    },
    /// What was to be repaired is not a run directory.
    #[error("{path:?} is not a run directory: name the one that the stages lie in")]
    NothingToRepair {
        /// What was named.
        path: PathBuf,
    },
    /// A stage failed.
    #[error("stage {stage:?}: {source}")]
    Stage {
        /// The stage.
        stage: String,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A table or directory could not be read or written.
    #[error(transparent)]
    Store(#[from] lexmill_store::Error),
}
