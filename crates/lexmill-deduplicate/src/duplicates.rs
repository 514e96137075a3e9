//! The table `duplicates.parquet`, and what it means for each shard.
//!
//! | column | type | what |
//! | --- | --- | --- |
//! | `shard` | text | the shard that the dropped document begins in |
//! | `row` | u32 | its row in that shard of the input |
//! | `kept_shard`, `kept_row` | text, u32 | the same of the document that is kept |
//! | `similarity` | f64 | of the two, 1 if they are the same |
//!
//! Rows are in the order of the corpus.

use std::path::Path;

use lexmill_store::table::{Batch, Column, ColumnType, TableReader, TableWriter};
use lexmill_store::{Error as StoreError, FileEntry};
use lexmill_tokenize::shards::Shard;
use serde_json::Value;

use crate::Result;
use crate::sketch::split;

const BATCH_ROWS: usize = 1 << 13;

/// The table being written.
pub(crate) struct DuplicatesWriter<'a> {
    shards: &'a [Shard],
    table: TableWriter,
    /// Dropped, kept, similarity.
    rows: Vec<(u64, u64, f64)>,
}

impl<'a> DuplicatesWriter<'a> {
    pub(crate) fn create(path: &Path, shards: &'a [Shard]) -> Result<DuplicatesWriter<'a>> {
        let columns = [
            ("shard", ColumnType::Text),
            ("row", ColumnType::U32),
            ("kept_shard", ColumnType::Text),
            ("kept_row", ColumnType::U32),
            ("similarity", ColumnType::F64),
        ];
        let table = TableWriter::create(path, &columns, &Value::Null)?;
        Ok(DuplicatesWriter { shards, table, rows: Vec::new() })
    }

    /// Adds a document that is dropped, and the one that is kept, as places of rows.
    pub(crate) fn push(&mut self, dropped: u64, kept: u64, similarity: f64) -> Result<()> {
        self.rows.push((dropped, kept, similarity));
        if self.rows.len() == BATCH_ROWS { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        let rows = std::mem::take(&mut self.rows);
        let name = |place: u64| self.shards[split(place).0].name.as_str();
        self.table.write(vec![
            Column::text(rows.iter().map(|(dropped, ..)| name(*dropped))),
            Column::u32(rows.iter().map(|(dropped, ..)| split(*dropped).1).collect()),
            Column::text(rows.iter().map(|(_, kept, _)| name(*kept))),
            Column::u32(rows.iter().map(|(_, kept, _)| split(*kept).1).collect()),
            Column::f64(rows.iter().map(|(.., similarity)| *similarity).collect()),
        ])?;
        Ok(())
    }

    pub(crate) fn finish(mut self, name: &str) -> Result<FileEntry> {
        self.flush()?;
        Ok(self.table.finish(name)?)
    }
}

/// What becomes of a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fate {
    /// Its number.
    pub(crate) shard: usize,
    /// Rows that are dropped, in order.
    pub(crate) dropped: Vec<u32>,
    /// Of these, documents that begin in it.
    pub(crate) duplicates: u64,
    /// Whether its last document goes on in the next shard, and is kept.
    pub(crate) continued: bool,
}

/// Fates of one shard after the other, from the table.
pub(crate) struct Fates<'a> {
    shards: &'a [Shard],
    /// Rows of each shard.
    rows: Vec<u32>,
    reader: TableReader,
    batch: Option<Batch>,
    row: usize,
    next: usize,
    /// Whether the last document that has begun is dropped.
    dropped: bool,
}

impl<'a> Fates<'a> {
    pub(crate) fn open(path: &Path, shards: &'a [Shard], rows: Vec<u32>) -> Result<Fates<'a>> {
        let reader = TableReader::open(path, Some(&["shard", "row"]), BATCH_ROWS)?;
        Ok(Fates { shards, rows, reader, batch: None, row: 0, next: 0, dropped: false })
    }

    /// The table's next row, if it is one of this shard's.
    fn row_of(&mut self, shard: &str) -> Result<Option<u32>> {
        while self.batch.as_ref().is_none_or(|batch| self.row == batch.rows()) {
            let Some(batch) = self.reader.next().transpose()? else { return Ok(None) };
            (self.batch, self.row) = (Some(batch), 0);
        }
        let Some(batch) = &self.batch else { return Ok(None) };
        if batch.text("shard")?.get(self.row) != shard {
            return Ok(None);
        }
        self.row += 1;
        Ok(Some(batch.u32("row")?[self.row - 1]))
    }

    /// The next shard's fate; after the last, checks that the table has no more rows.
    pub(crate) fn next(&mut self, path: &Path) -> Result<Option<Fate>> {
        let number = self.next;
        let Some(shard) = self.shards.get(number) else {
            return Ok(None);
        };
        self.next += 1;
        let rows = self.rows[number];
        let mut dropped = Vec::new();
        // What goes on with a document stands first, and shares its fate.
        if u64::from(rows) > shard.documents && self.dropped {
            dropped.push(0);
        }
        let before = dropped.len();
        while let Some(row) = self.row_of(&shard.name)? {
            dropped.push(row);
        }
        let duplicates = (dropped.len() - before) as u64;
        if dropped.last().is_some_and(|&last| last >= rows) || !dropped.is_sorted_by(|a, b| a < b) {
            let problem = format!("it has rows of shard {:?} that there are not", shard.name);
            return Err(StoreError::corrupt(path, problem).into());
        }
        if shard.documents > 0 {
            self.dropped = dropped.last().is_some_and(|&last| last + 1 == rows);
        }
        let continued = shard.continued && !self.dropped;
        Ok(Some(Fate { shard: number, dropped, duplicates, continued }))
    }
}
