//! Rows of parameters, dealt out to blocks.

use std::sync::Arc;

use lexmill_vocab::{BlockLayout, Random};
use rayon::prelude::*;

use crate::lanes::{LANES, Lanes};

/// Where the rows of a matrix lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Row `i` lies in block `i mod blocks`.
    Dealt(BlockLayout),
    /// Each has a block and a place in it.
    Placed { places: Arc<[(u32, u32)]>, sizes: Arc<[u32]> },
}

impl Layout {
    pub(crate) fn rows(&self) -> usize {
        match self {
            Layout::Dealt(layout) => layout.words(),
            Layout::Placed { places, .. } => places.len(),
        }
    }

    pub(crate) fn blocks(&self) -> u32 {
        match self {
            Layout::Dealt(layout) => layout.blocks(),
            Layout::Placed { sizes, .. } => sizes.len() as u32,
        }
    }

    fn block_rows(&self, block: u32) -> u32 {
        match self {
            Layout::Dealt(layout) => layout.block_words(block),
            Layout::Placed { sizes, .. } => sizes[block as usize],
        }
    }

    /// Block and place.
    fn of(&self, row: u32) -> (u32, u32) {
        match self {
            Layout::Dealt(layout) => (layout.block(row), layout.index(row)),
            Layout::Placed { places, .. } => places[row as usize],
        }
    }
}

/// A matrix `(rows, dim)` in blocks. Rows are padded to whole lanes with zeros.
pub(crate) struct Matrix {
    pub(crate) layout: Layout,
    pub(crate) dim: usize,
    pub(crate) blocks: Vec<Vec<Lanes>>,
}

/// Lanes of a row of `dim` numbers.
pub(crate) fn width(dim: usize) -> usize {
    dim.div_ceil(LANES)
}

impl Matrix {
    pub(crate) fn zeros(layout: Layout, dim: usize) -> Matrix {
        let rows = |block| layout.block_rows(block) as usize;
        let blocks =
            (0..layout.blocks()).map(|b| vec![Lanes::ZERO; rows(b) * width(dim)]).collect();
        Matrix { layout, dim, blocks }
    }

    /// Bytes of memory for so many rows.
    pub(crate) fn bytes(rows: usize, dim: usize) -> u64 {
        (rows * width(dim) * size_of::<Lanes>()) as u64
    }

    pub(crate) fn row(&self, id: u32) -> &[Lanes] {
        let (width, (block, place)) = (width(self.dim), self.layout.of(id));
        &self.blocks[block as usize][place as usize * width..][..width]
    }

    pub(crate) fn row_mut(&mut self, id: u32) -> &mut [Lanes] {
        let (width, (block, place)) = (width(self.dim), self.layout.of(id));
        &mut self.blocks[block as usize][place as usize * width..][..width]
    }

    /// Appends a row's numbers.
    pub(crate) fn extend(&self, id: u32, to: &mut Vec<f32>) {
        let end = to.len() + self.dim;
        to.extend(self.row(id).iter().flat_map(|lanes| lanes.0));
        to.truncate(end);
    }

    /// Sets a row, `numbers` being `dim` long.
    pub(crate) fn set(&mut self, id: u32, numbers: &[f32]) {
        for (lanes, numbers) in self.row_mut(id).iter_mut().zip(numbers.chunks(LANES)) {
            *lanes = Lanes::ZERO;
            lanes.0[..numbers.len()].copy_from_slice(numbers);
        }
    }

    /// Sets all rows to numbers uniform in `[-range, range)`; `random` names those of a row.
    pub(crate) fn randomize(&mut self, range: f32, random: impl Fn(u32) -> Random + Sync) {
        let (layout, dim) = (&self.layout, self.dim);
        self.blocks.par_iter_mut().enumerate().for_each(|(block, rows)| {
            for id in 0..layout.rows() as u32 {
                let (of, place) = layout.of(id);
                if of != block as u32 {
                    continue;
                }
                let mut random = random(id);
                let row = &mut rows[place as usize * width(dim)..][..width(dim)];
                let numbers = row.iter_mut().flat_map(|lanes| &mut lanes.0);
                for number in numbers.take(dim) {
                    *number = (random.unit_f32() * 2.0 - 1.0) * range;
                }
            }
        });
    }

    /// Whether all numbers are finite.
    pub(crate) fn finite(&self) -> bool {
        // A sum of zeros times each number is 0 exactly if all are finite.
        let zero = |part: &[Lanes]| {
            let sum = part.iter().fold(Lanes::ZERO, |sum, x| sum.plus(x.times(Lanes::ZERO)));
            sum == Lanes::ZERO
        };
        self.blocks.par_iter().all(|block| block.chunks(1024).all(zero))
    }
}
