//! Rows on disk, sorted, to be merged: one file for each row block.
//!
//! In these files centers and contexts are slots, so that rows and cells come in the order in which
//! the grid is written, and units wrap around, so that a run can hold what is to be taken away.

use std::path::{Path, PathBuf};

use lexmill_store::table::counts::{CountsBlock, CountsReader, CountsWriter, Use};
use lexmill_store::{FileEntry, StageWriter};
use lexmill_vocab::BlockLayout;
use serde_json::Value;

use crate::Result;
use crate::rows::Accumulator;

/// Runs merged at a time. Each open run takes about 2 MiB.
pub(crate) const FAN_IN: usize = 64;
/// Cells read at a time from a run.
const BLOCK_CELLS: usize = 1 << 14;
/// What an open run takes of memory.
pub(crate) const OPEN_RUN_BYTES: u64 = 2 << 20;

/// The file of a run for a row block, below the stage directory.
pub(crate) fn run_file(run: &str, block: u32) -> String {
    format!("runs/{run}/row_block={block:02}.parquet")
}

/// Writes the rows of one block of a run.
pub(crate) struct RunWriter {
    writer: CountsWriter,
    name: String,
    slots: Vec<u32>,
    units: Vec<u64>,
    pub(crate) cells: u64,
}

impl RunWriter {
    pub(crate) fn create(stage: &StageWriter, run: &str, block: u32) -> Result<RunWriter> {
        let name = run_file(run, block);
        let writer = CountsWriter::create(&stage.path(&name), &Value::Null, Use::Run)?;
        Ok(RunWriter { writer, name, slots: Vec::new(), units: Vec::new(), cells: 0 })
    }

    pub(crate) fn row(&mut self, slot: u32, sums: &mut Accumulator) -> Result<()> {
        sums.drain(&mut self.slots, &mut self.units);
        self.cells += self.slots.len() as u64;
        Ok(self.writer.push(slot, &self.slots, &self.units)?)
    }

    /// Writes a row that is already sorted.
    pub(crate) fn cells(&mut self, slot: u32, contexts: &[u32], units: &[u64]) -> Result<()> {
        self.cells += contexts.len() as u64;
        Ok(self.writer.push(slot, contexts, units)?)
    }

    pub(crate) fn finish(self) -> Result<FileEntry> {
        Ok(self.writer.finish(&self.name)?)
    }
}

/// A shard of sorted cells being read row by row.
pub(crate) struct Cursor {
    reader: CountsReader,
    block: Option<CountsBlock>,
    cell: usize,
}

impl Cursor {
    pub(crate) fn open(path: &Path) -> Result<Cursor> {
        let reader = CountsReader::open(path, BLOCK_CELLS)?;
        let mut cursor = Cursor { reader, block: None, cell: 0 };
        cursor.advance()?;
        Ok(cursor)
    }

    fn advance(&mut self) -> Result<()> {
        self.cell = 0;
        self.block = self.reader.next().transpose()?;
        Ok(())
    }

    /// Gives `cell` the contexts and units of row `center`, if it is next. Returns how many.
    pub(crate) fn row(&mut self, center: u32, mut cell: impl FnMut(u32, u64)) -> Result<u64> {
        let mut cells = 0;
        while let Some(block) = &self.block {
            let (centers, contexts, units) = block.columns();
            // Rows are short: walking beats a binary search.
            let row = centers[self.cell..].iter().take_while(|&&found| found <= center).count();
            let end = self.cell + row;
            for (&context, &units) in contexts[self.cell..end].iter().zip(&units[self.cell..end]) {
                cell(context, units);
            }
            cells += row as u64;
            self.cell = end;
            if end < centers.len() {
                break;
            }
            self.advance()?;
        }
        Ok(cells)
    }
}

/// Sums the rows of a block over several runs. For each row, `row` gets its slot, and its sums to
/// drain.
pub(crate) fn merge(
    files: &[PathBuf],
    layout: BlockLayout,
    block: u32,
    sums: &mut Accumulator,
    mut row: impl FnMut(u32, &mut Accumulator) -> Result<()>,
) -> Result<()> {
    let mut cursors = files.iter().map(|file| Cursor::open(file)).collect::<Result<Vec<_>>>()?;
    let first = block * layout.stride();
    for slot in first..first + layout.stride() {
        let mut cells = 0;
        for cursor in &mut cursors {
            cells += cursor.row(slot, |context, units| sums.add(context, units))?;
        }
        if cells > 0 {
            row(slot, sums)?;
        }
    }
    Ok(())
}
