//! Tables: Parquet and Arrow IPC.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use lexmill_store::Error as StoreError;
use lexmill_store::table::{Batch, IpcReader, TableReader};
use rayon::prelude::*;

use super::numbers::scale;
use super::{BATCH_ROWS, batch_rows};
use crate::Result;
use crate::model::{COUNT, VECTOR, WORD};
use crate::rows::{Rows, Source};

/// The column of scales beside vectors of 8-bit whole numbers.
pub(crate) const SCALE: &str = "scale";
/// What the columns are called elsewhere.
const OTHER_WORDS: [&str; 3] = ["token", "text", "key"];
const OTHER_VECTORS: [&str; 2] = ["embedding", "embeddings"];
/// Row groups of more values than that are read in batches, not whole.
const MOST_GROUP_VALUES: u64 = 1 << 24;

/// The columns of a table that are wanted, as they are called there.
#[derive(Debug, Clone)]
struct Columns {
    word: String,
    vector: String,
    count: bool,
    /// Whether there is a column of that name; it is one of scales only beside whole numbers.
    scale: bool,
}

impl Columns {
    fn of(names: &[String]) -> Columns {
        let has = |name: &str| names.iter().any(|found| found == name);
        let pick = |usual: &str, others: &[&str]| {
            let other = others.iter().find(|name| !has(usual) && has(name));
            other.map_or(usual, |name| *name).to_owned()
        };
        Columns {
            word: pick(WORD, &OTHER_WORDS),
            vector: pick(VECTOR, &OTHER_VECTORS),
            count: has(COUNT),
            scale: has(SCALE),
        }
    }

    fn names(&self) -> Vec<&str> {
        let mut names = vec![self.word.as_str(), self.vector.as_str()];
        names.extend(self.count.then_some(COUNT));
        names.extend(self.scale.then_some(SCALE));
        names
    }

    /// The rows of a batch, and their dimension.
    fn rows(&self, batch: &Batch, path: &Path, first: bool) -> Result<(Rows, usize)> {
        let (mut vectors, dim) = batch.numbers(&self.vector)?;
        // A column of that name beside vectors of floats is something else.
        if batch.has_bytes(&self.vector) {
            scale(&mut vectors, dim, batch.f32(SCALE)?);
        }
        let mut rows = Rows::of_vectors(vectors);
        for word in batch.text(&self.word)?.iter() {
            rows.push_word(word);
        }
        if self.count {
            match batch.sizes(COUNT) {
                Ok(counts) => rows.counts = counts,
                // Told once: the type is that of the whole column.
                Err(error) if first => {
                    tracing::warn!(?path, %error, "counts of another type are left out");
                }
                Err(_) => {}
            }
        }
        Ok((rows, dim))
    }
}

/// Batches of a table in turn.
enum Batches {
    /// Row groups that are still to come, several of which are read at a time.
    Groups(VecDeque<usize>),
    Parquet(Box<TableReader>),
    Arrow(Box<IpcReader>),
}

/// A table being read.
pub(super) struct TableSource {
    path: PathBuf,
    columns: Columns,
    batches: Batches,
    rows: u64,
    dim: usize,
    found: u64,
    ready: VecDeque<Rows>,
}

impl TableSource {
    /// Opens a Parquet file. Its first row group tells the dimension.
    pub(super) fn parquet(path: &Path) -> Result<TableSource> {
        // Of a file without these columns this is the error that names them.
        // It may be anybody's: nobody is told to make it anew.
        let open = |columns: &[&str], rows: usize| {
            TableReader::open(path, Some(columns), rows).map_err(StoreError::foreign)
        };
        let all = open(&[], BATCH_ROWS)?;
        let columns = Columns::of(all.columns());
        let groups: Vec<usize> = (0..all.row_groups().len()).collect();
        let largest = all.row_groups().iter().max().copied().unwrap_or(0);
        let rows = all.rows();
        let first = open(&columns.names(), 1)?.next().transpose().map_err(StoreError::foreign)?;
        let dim =
            first.map(|batch| columns.rows(&batch, path, true)).transpose()?.map_or(0, |f| f.1);
        let batches = if largest.saturating_mul(dim as u64) > MOST_GROUP_VALUES {
            let reader = open(&columns.names(), batch_rows(dim))?;
            Batches::Parquet(Box::new(reader))
        } else {
            Batches::Groups(groups.into())
        };
        let (path, ready) = (path.to_owned(), VecDeque::new());
        Ok(TableSource { path, columns, batches, rows, dim, found: 0, ready })
    }

    /// Opens an Arrow IPC file.
    pub(super) fn arrow(path: &Path) -> Result<TableSource> {
        let reader = IpcReader::open(path)?;
        let columns = Columns::of(reader.columns());
        let rows = reader.rows();
        let batches = Batches::Arrow(Box::new(reader));
        let (path, ready) = (path.to_owned(), VecDeque::new());
        let mut source = TableSource { path, columns, batches, rows, dim: 0, found: 0, ready };
        while let Some((rows, dim)) = source.next_batch()? {
            // A batch without rows has no dimension.
            if !rows.is_empty() {
                source.dim = dim;
                source.ready.push_back(rows);
                break;
            }
        }
        Ok(source)
    }

    fn next_batch(&mut self) -> Result<Option<(Rows, usize)>> {
        let batch = match &mut self.batches {
            Batches::Groups(_) => None,
            Batches::Parquet(reader) => reader.next().transpose().map_err(StoreError::foreign)?,
            Batches::Arrow(reader) => reader.next().transpose()?,
        };
        batch.map(|batch| self.columns.rows(&batch, &self.path, self.dim == 0)).transpose()
    }

    /// Reads as many row groups as there are threads.
    fn read_groups(&mut self) -> Result<()> {
        let Batches::Groups(groups) = &mut self.batches else { return Ok(()) };
        let now = rayon::current_num_threads().min(groups.len());
        let now: Vec<usize> = groups.drain(..now).collect();
        let (path, columns, dim) = (&self.path, &self.columns, self.dim);
        let read: Vec<Vec<Rows>> = now
            .into_par_iter()
            .map(|group| {
                let names = columns.names();
                let reader = TableReader::open_row_group(path, Some(&names), BATCH_ROWS, group)
                    .map_err(StoreError::foreign)?;
                let batches = reader.map(|batch| {
                    let batch = batch.map_err(StoreError::foreign)?;
                    let (rows, found) = columns.rows(&batch, path, false)?;
                    check_dim(path, &columns.vector, dim, found, &rows)?;
                    Ok(rows)
                });
                batches.collect::<Result<_>>()
            })
            .collect::<Result<_>>()?;
        self.ready.extend(read.into_iter().flatten());
        Ok(())
    }
}

fn check_dim(path: &Path, column: &str, expected: usize, found: usize, rows: &Rows) -> Result<()> {
    if expected != found && !rows.is_empty() {
        let problem = format!("its column {column:?} has vectors of several lengths");
        return Err(StoreError::corrupt(path, problem).into());
    }
    Ok(())
}

impl Source for TableSource {
    fn dim(&self) -> usize {
        self.dim
    }

    fn rows(&self) -> Option<u64> {
        Some(self.rows)
    }

    fn next_rows(&mut self) -> Result<Option<Rows>> {
        loop {
            if let Some(rows) = self.ready.pop_front() {
                if rows.is_empty() {
                    continue;
                }
                self.found += rows.len() as u64;
                return Ok(Some(rows));
            }
            match &self.batches {
                Batches::Groups(groups) if groups.is_empty() => break,
                Batches::Groups(_) => self.read_groups()?,
                _ => match self.next_batch()? {
                    None => break,
                    Some((rows, dim)) => {
                        check_dim(&self.path, &self.columns.vector, self.dim, dim, &rows)?;
                        self.ready.push_back(rows);
                    }
                },
            }
        }
        if self.found != self.rows {
            let (said, found) = (self.rows, self.found);
            let problem = format!("its footer says {said} rows, it has {found}");
            return Err(StoreError::corrupt(&self.path, problem).into());
        }
        Ok(None)
    }
}
