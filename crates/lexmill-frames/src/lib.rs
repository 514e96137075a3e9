//! Looking into finished tables through Polars.
//!
//! [`inspect`] takes the path of a Parquet file, of a stage directory (one with a `manifest.json`), of
//! a run directory (one with stages in it) or of a folder of Parquet files, and returns what there is
//! to see as a [`Report`]: plain data, which its caller prints as text or JSON. Nothing is changed on
//! the disk, and no large table is ever in memory whole: heads are read as ranges of rows, and a
//! word's contexts as the stretch of its row.
//!
//! | path | what is shown |
//! | --- | --- |
//! | file | rows, bytes, row groups, Lexmill's metadata, columns, first rows |
//! | stage | settings, inputs, report; of each table its extent, columns and first rows |
//! | `count` stage | the same with the words behind the ids; with a word, its strongest contexts |
//! | run | its stages with their kinds, files, rows and bytes |
//!
//! It is the only crate that names Polars, which is most of a clean build, and it depends on no other
//! crate of Lexmill's: it meets them in files.
//!
//! ```no_run
//! use std::path::Path;
//!
//! use lexmill_frames::{Options, inspect};
//!
//! let options = Options { word: Some("king".to_owned()), ..Options::default() };
//! let report = inspect(Path::new("runs/wiki/counts"), &options)?;
//! let text = report.to_text();
//! # Ok::<(), lexmill_frames::Error>(())
//! ```

use std::path::Path;

mod cells;
mod counts;
mod error;
#[cfg(test)]
mod fixture;
mod manifest;
mod parquet_file;
mod report;
mod stages;
mod tables;
#[cfg(test)]
mod tests;
mod types;
mod words;

pub use error::{Error, Result};
pub use report::{Body, Report, Section, Table, Value};

use counts::Counts;
use manifest::Stage;
use parquet_file::ParquetFile;
use stages::{Run, stage_sections};
use tables::{Group, file_sections, word_sections};

/// What to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Rows of each table, or contexts of the word.
    pub rows: usize,
    /// The word to show: its strongest contexts in counts, its rows in tables with a column `word`.
    pub word: Option<String>,
}

impl Default for Options {
    fn default() -> Options {
        Options { rows: 10, word: None }
    }
}

/// What there is to see under a path.
///
/// # Errors
/// If there is nothing, it can't be read, or it doesn't have the word asked for; the error names the
/// file.
pub fn inspect(path: &Path, options: &Options) -> Result<Report> {
    let found = std::fs::metadata(path).map_err(Error::io("read", path))?;
    let (what, sections) = if found.is_dir() {
        inspect_directory(path, options)?
    } else {
        inspect_file(path, options)?
    };
    Ok(Report { title: format!("{}: {what}", path.display()), sections })
}

fn inspect_file(path: &Path, options: &Options) -> Result<(String, Vec<Section>)> {
    let file = ParquetFile::open(path)?;
    let sections = match &options.word {
        Some(word) => {
            let group = Group {
                name: "file".to_owned(),
                paths: vec![path.to_owned()],
                rows: file.rows(),
                bytes: file.bytes(),
            };
            word_sections(path, &[group], word, options)?
        }
        None => {
            let counts = Stage::above(path).as_ref().and_then(Counts::of);
            file_sections(&file, counts.as_ref(), options.rows)?
        }
    };
    Ok(("Parquet file".to_owned(), sections))
}

fn inspect_directory(path: &Path, options: &Options) -> Result<(String, Vec<Section>)> {
    if let Some(stage) = Stage::read(path)? {
        return Ok((format!("{} stage", stage.kind), stage_sections(&stage, options)?));
    }
    let run = Run::read(path)?;
    if !run.is_empty() {
        return Ok(("run".to_owned(), run.sections(path, options)?));
    }
    let Some(group) = Group::below(path)? else {
        return Err(Error::NothingToShow { path: path.to_owned() });
    };
    let sections = match &options.word {
        Some(word) => word_sections(path, &[group], word, options)?,
        None => {
            let counts = Stage::above(path).as_ref().and_then(Counts::of);
            group.sections(counts.as_ref(), options.rows)?
        }
    };
    Ok(("folder of Parquet files".to_owned(), sections))
}
