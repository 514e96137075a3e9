//! Cells of a tile out of its shard, chunk by chunk, in random order.

use std::path::Path;

use crossbeam_channel::Sender;
use lexmill_store::table::counts::{CountsReader, ROW_GROUP_CELLS};
use lexmill_vocab::{BlockLayout, Random};

use super::step::Cell;
use crate::Result;
use crate::grid::Tile;

/// Cells decoded at a time.
const BLOCK_CELLS: usize = 1 << 16;
/// Bytes of a chunk in memory.
pub(super) const CHUNK_BYTES: u64 = (ROW_GROUP_CELLS * size_of::<Cell>()) as u64;

/// Cells that are trained together, in order.
pub(super) type Chunk = Vec<Cell>;

/// How a shard becomes cells.
#[derive(Debug, Clone)]
pub(super) struct Feed {
    pub(super) layout: BlockLayout,
    pub(super) units_per_count: f64,
    pub(super) x_max: f64,
    pub(super) alpha: f64,
}

/// The logarithm and the weight of counts seen lately: few counts make up most cells.
pub(super) struct Curve<'a> {
    feed: &'a Feed,
    known: Vec<(u64, f32, f32)>,
}

const KNOWN: usize = 1 << 14;

impl Curve<'_> {
    pub(super) fn new(feed: &Feed) -> Curve<'_> {
        Curve { feed, known: vec![(0, 0.0, 0.0); KNOWN] }
    }

    /// ln x and min(1, (x / x_max)^alpha). Through `libm`, whose results are the same everywhere.
    #[inline]
    fn at(&mut self, units: u64) -> (f32, f32) {
        let place = (units ^ (units >> 14)) as usize % KNOWN;
        let known = &mut self.known[place];
        if known.0 != units {
            let x = units as f64 / self.feed.units_per_count;
            let weight = match x < self.feed.x_max {
                true => libm::pow(x / self.feed.x_max, self.feed.alpha),
                false => 1.0,
            };
            *known = (units, libm::log(x) as f32, weight as f32);
        }
        (known.1, known.2)
    }
}

impl Feed {
    /// Reads the shard at `path` and sends its chunks; stops early if nobody takes them.
    pub(super) fn tile(
        &self,
        path: &Path,
        cells: u64,
        tile: Tile,
        mut random: Random,
        curve: &mut Curve<'_>,
        chunks: &Sender<Chunk>,
    ) -> Result<()> {
        let words = self.layout.words() as u32;
        let groups = cells.div_ceil(ROW_GROUP_CELLS as u64) as usize;
        let mut order: Vec<usize> = (0..groups).collect();
        random.shuffle(&mut order);
        for group in order {
            let mut chunk = Vec::with_capacity(ROW_GROUP_CELLS.min(cells as usize));
            for block in CountsReader::open_row_group(path, group, BLOCK_CELLS)? {
                let block = block?;
                let (centers, contexts, units) = block.columns();
                for ((&center, &context), &units) in centers.iter().zip(contexts).zip(units) {
                    let (log, weight) = curve.at(units);
                    let (row, column) = (self.layout.index(center), self.layout.index(context));
                    let belongs = center < words
                        && context < words
                        && self.layout.block(center) == tile.row_block
                        && self.layout.block(context) == tile.column_block
                        && units > 0;
                    if !belongs {
                        let problem = format!("its cell ({center}, {context}) is not of its block");
                        return Err(lexmill_store::Error::corrupt(path, problem).into());
                    }
                    chunk.push(Cell { row, column, log, weight });
                }
            }
            random.shuffle(&mut chunk);
            if chunks.send(chunk).is_err() {
                break;
            }
        }
        Ok(())
    }
}
