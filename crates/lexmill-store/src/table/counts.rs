//! Co-occurrence counts: the cells of a grid shard, and of sorted runs while counting.
//!
//! | column | type | what | order |
//! | --- | --- | --- | --- |
//! | `center` | u32 | id of the center word | ascending |
//! | `context` | u32 | id of the context word | ascending within a center |
//! | `units` | u64 | the weighted count in whole units; `units_per_count` in the metadata | |
//!
//! A count is `units / units_per_count`. Whole units add in any order to the same sum. In a grid
//! shard every cell is there once and has `units > 0`.

use std::path::Path;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};
use parquet::basic::{Compression, Encoding};
use parquet::file::properties::EnabledStatistics;
use parquet::schema::types::ColumnPath;
use serde_json::Value;

use super::writer::{TableWriter, properties};
use super::{Batch, Column, TableReader};
use crate::{Error, FileEntry, Result};

/// Cells that are handed to the encoder together.
const BUFFER_CELLS: usize = 1 << 14;
/// Cells of a row group of a shard; the last one may have fewer.
pub const ROW_GROUP_CELLS: usize = 1 << 19;

/// What a shard of cells is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// To be kept: small.
    Grid,
    /// To be merged soon: quick.
    Run,
}

/// A shard of cells being written.
pub struct CountsWriter {
    table: TableWriter,
    centers: Vec<u32>,
    contexts: Vec<u32>,
    units: Vec<u64>,
}

impl CountsWriter {
    /// Starts the shard `path`.
    ///
    /// # Errors
    /// If the file can't be made.
    pub fn create(path: &Path, metadata: &Value, purpose: Use) -> Result<CountsWriter> {
        let schema = Arc::new(Schema::new(vec![
            Field::new("center", DataType::UInt32, false),
            Field::new("context", DataType::UInt32, false),
            Field::new("units", DataType::UInt64, false),
        ]));
        let sorted = |name: &str| ColumnPath::from(name);
        let mut builder = properties()
            .set_max_row_group_row_count(Some(ROW_GROUP_CELLS))
            .set_column_dictionary_enabled(sorted("center"), false)
            .set_column_encoding(sorted("center"), Encoding::DELTA_BINARY_PACKED)
            .set_column_statistics_enabled(sorted("center"), EnabledStatistics::Chunk)
            .set_column_dictionary_enabled(sorted("context"), false)
            .set_column_encoding(sorted("context"), Encoding::DELTA_BINARY_PACKED)
            .set_dictionary_page_size_limit(1 << 20)
            .set_data_page_row_count_limit(1 << 16);
        builder = match purpose {
            Use::Grid => builder,
            Use::Run => builder
                .set_compression(Compression::LZ4_RAW)
                .set_column_dictionary_enabled(sorted("units"), false)
                .set_column_encoding(sorted("units"), Encoding::DELTA_BINARY_PACKED),
        };
        let table = TableWriter::with(path, schema, builder, metadata)?;
        Ok(CountsWriter { table, centers: Vec::new(), contexts: Vec::new(), units: Vec::new() })
    }

    /// Appends cells of one center, in ascending order of context.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn push(&mut self, center: u32, contexts: &[u32], units: &[u64]) -> Result<()> {
        debug_assert_eq!(contexts.len(), units.len());
        self.centers.resize(self.centers.len() + contexts.len(), center);
        self.contexts.extend_from_slice(contexts);
        self.units.extend_from_slice(units);
        if self.centers.len() >= BUFFER_CELLS { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        self.table.write(vec![
            Column::u32(std::mem::take(&mut self.centers)),
            Column::u32(std::mem::take(&mut self.contexts)),
            Column::u64(std::mem::take(&mut self.units)),
        ])
    }

    /// Completes the shard; `name` is how a manifest will call it.
    ///
    /// # Errors
    /// If the file can't be written; it is then not there.
    pub fn finish(mut self, name: &str) -> Result<FileEntry> {
        self.flush()?;
        self.table.finish(name)
    }
}

/// A shard of cells being read.
pub struct CountsReader {
    table: TableReader,
    path: std::path::PathBuf,
}

impl CountsReader {
    /// Opens a shard; blocks have at most `block_cells` cells.
    ///
    /// # Errors
    /// If the file can't be read.
    pub fn open(path: &Path, block_cells: usize) -> Result<CountsReader> {
        let columns = ["center", "context", "units"];
        let table = TableReader::open(path, Some(&columns), block_cells)?;
        Ok(CountsReader { table, path: path.to_owned() })
    }

    /// Opens one row group of a shard; blocks have at most `block_cells` cells.
    ///
    /// # Errors
    /// If the file can't be read.
    pub fn open_row_group(path: &Path, group: usize, block_cells: usize) -> Result<CountsReader> {
        let columns = ["center", "context", "units"];
        let table = TableReader::open_row_group(path, Some(&columns), block_cells, group)?;
        Ok(CountsReader { table, path: path.to_owned() })
    }

    /// Cells of the whole shard.
    pub fn cells(&self) -> u64 {
        self.table.rows()
    }

    /// What the shard's metadata say.
    pub fn metadata(&self) -> &Value {
        self.table.metadata()
    }
}

impl Iterator for CountsReader {
    type Item = Result<CountsBlock>;

    fn next(&mut self) -> Option<Result<CountsBlock>> {
        let batch = match self.table.next()? {
            Ok(batch) => batch,
            Err(error) => return Some(Err(error)),
        };
        // Checked once here, so that the block's columns can be taken without an error.
        let checked = batch
            .u32("center")
            .and(batch.u32("context").map(|_| ()))
            .and(batch.u64("units").map(|_| ()));
        Some(match checked {
            Ok(()) => Ok(CountsBlock(batch)),
            Err(error @ Error::Column { .. }) => Err(error),
            Err(error) => Err(Error::corrupt(&self.path, error.to_string())),
        })
    }
}

/// Some cells of a shard, as columns.
#[derive(Debug, Clone)]
pub struct CountsBlock(Batch);

impl CountsBlock {
    /// The number of cells.
    pub fn cells(&self) -> usize {
        self.0.rows()
    }

    /// Center ids, context ids and units of the cells.
    pub fn columns(&self) -> (&[u32], &[u32], &[u64]) {
        let checked = "checked when the block was read";
        (
            self.0.u32("center").expect(checked),
            self.0.u32("context").expect(checked),
            self.0.u64("units").expect(checked),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_come_back_as_they_were() {
        let directory = tempfile::tempdir().unwrap();
        for purpose in [Use::Grid, Use::Run] {
            let path = directory.path().join("c.parquet");
            let metadata = serde_json::json!({"units_per_count": 2520});
            let mut writer = CountsWriter::create(&path, &metadata, purpose).unwrap();
            let mut expected = Vec::new();
            for center in (3..3000u32).step_by(7) {
                let contexts: Vec<u32> = (0..center % 90).map(|k| k * 5 + center % 5).collect();
                let units: Vec<u64> =
                    contexts.iter().map(|&c| u64::from(c) * 252 + (1 << (c % 60))).collect();
                writer.push(center, &contexts, &units).unwrap();
                expected.extend(contexts.iter().zip(&units).map(|(&c, &u)| (center, c, u)));
            }
            let entry = writer.finish("c.parquet").unwrap();
            assert_eq!(entry.rows as usize, expected.len());
            let reader = CountsReader::open(&path, 1000).unwrap();
            assert_eq!(reader.metadata(), &metadata);
            assert_eq!(reader.cells() as usize, expected.len());
            let mut found = Vec::new();
            for block in reader {
                let block = block.unwrap();
                let (centers, contexts, units) = block.columns();
                for i in 0..block.cells() {
                    found.push((centers[i], contexts[i], units[i]));
                }
            }
            assert_eq!(found, expected);
        }
    }
}
