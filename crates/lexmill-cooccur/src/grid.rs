//! The grid of finished shards: `cells/row_block=R/column_block=C/cells.parquet`.
//!
//! Word `i` belongs to block `i mod blocks`, so every shard has its share of frequent and of rare
//! words. Paths follow the hive convention, which DuckDB, Polars and Spark prune by.

use std::path::{Path, PathBuf};

use lexmill_store::table::counts::{CountsWriter, Use};
use lexmill_store::{FileEntry, Manifest, StageWriter};
use lexmill_vocab::{BlockLayout, Vocabulary};
use serde_json::Value;

use crate::Result;
use crate::rows::Accumulator;

/// The path of a shard below the stage directory.
pub fn cells_path(row_block: u32, column_block: u32) -> String {
    format!("cells/row_block={row_block:02}/column_block={column_block:02}/cells.parquet")
}

/// The table of words in a stage directory.
pub(crate) const WORDS: &str = "words.parquet";
/// Memory that an open shard takes while it is written.
pub(crate) const OPEN_SHARD_BYTES: u64 = 4 << 20;

/// Writes the rows of one row block to its shards.
pub(crate) struct GridWriter {
    layout: BlockLayout,
    row_block: u32,
    shards: Vec<CountsWriter>,
    slots: Vec<u32>,
    units: Vec<u64>,
    pub(crate) cells: u64,
    pub(crate) total_units: u128,
}

impl GridWriter {
    pub(crate) fn create(
        stage: &StageWriter,
        layout: BlockLayout,
        row_block: u32,
        metadata: &Value,
    ) -> Result<GridWriter> {
        let shards = (0..layout.blocks())
            .map(|column| {
                let path = stage.path(&cells_path(row_block, column));
                Ok(CountsWriter::create(&path, metadata, Use::Grid)?)
            })
            .collect::<Result<Vec<_>>>()?;
        let (slots, units) = (Vec::new(), Vec::new());
        Ok(GridWriter { layout, row_block, shards, slots, units, cells: 0, total_units: 0 })
    }

    pub(crate) fn row(&mut self, slot: u32, sums: &mut Accumulator) -> Result<()> {
        sums.drain(&mut self.slots, &mut self.units);
        self.cells += self.slots.len() as u64;
        self.total_units += self.units.iter().map(|&units| u128::from(units)).sum::<u128>();
        let center = self.layout.id_in_slot(slot);
        let (stride, blocks) = (self.layout.stride(), self.layout.blocks());
        let mut start = 0;
        for (column, shard) in (0..).zip(&mut self.shards) {
            let next = (column + 1) * stride;
            let end = start + self.slots[start..].partition_point(|&slot| slot < next);
            // Slots of the column block to ids, in place.
            for slot in &mut self.slots[start..end] {
                *slot = (*slot - column * stride) * blocks + column;
            }
            shard.push(center, &self.slots[start..end], &self.units[start..end])?;
            start = end;
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> Result<Vec<FileEntry>> {
        (0..)
            .zip(self.shards)
            .map(|(column, shard)| Ok(shard.finish(&cells_path(self.row_block, column))?))
            .collect()
    }
}

/// A finished count stage, opened.
#[derive(Debug, Clone)]
pub struct Grid {
    directory: PathBuf,
    manifest: Manifest,
    layout: BlockLayout,
    units_per_count: u64,
}

impl Grid {
    /// Opens a finished count stage.
    ///
    /// # Errors
    /// If the directory is not one.
    pub fn open(directory: &Path) -> Result<Grid> {
        let manifest = Manifest::expect(directory, &[crate::count::KIND])?;
        let number = |name: &str| {
            manifest.report[name].as_u64().filter(|&n| n > 0).ok_or_else(|| {
                let problem = format!("its report lacks {name:?}");
                lexmill_store::Error::corrupt(&directory.join("manifest.json"), problem)
            })
        };
        let layout = BlockLayout::new(number("words")? as usize, number("blocks")? as u32);
        let units_per_count = number("units_per_count")?;
        Ok(Grid { directory: directory.to_owned(), manifest, layout, units_per_count })
    }

    /// The stage directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// How words are dealt out to blocks.
    pub fn layout(&self) -> BlockLayout {
        self.layout
    }

    /// Units that make one count.
    pub fn units_per_count(&self) -> u64 {
        self.units_per_count
    }

    /// The stage's manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The file of a shard, and its cells.
    pub fn shard(&self, row_block: u32, column_block: u32) -> (PathBuf, u64) {
        let path = cells_path(row_block, column_block);
        let cells = self.manifest.files.iter().find(|file| file.path == path).map_or(0, |f| f.rows);
        (self.directory.join(path), cells)
    }

    /// Cells of the whole grid.
    pub fn cells(&self) -> u64 {
        self.manifest.entries("cells").map(|file| file.rows).sum()
    }

    /// The words behind the ids.
    ///
    /// # Errors
    /// If their table can't be read.
    pub fn vocabulary(&self) -> Result<Vocabulary> {
        let path = self.directory.join(WORDS);
        Ok(lexmill_store::table::vocabulary::read_vocabulary(&path)?)
    }
}
