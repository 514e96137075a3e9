//! Rows of parameters, dealt out to blocks.

use lexmill_vocab::{BlockLayout, Random};

use crate::lanes::{LANES, Lanes};

/// A matrix `(rows, dim)` in blocks: row `i` lies in block `i mod blocks`. Rows are padded to whole
/// lanes with zeros.
pub(crate) struct Matrix {
    pub(crate) layout: BlockLayout,
    pub(crate) dim: usize,
    pub(crate) blocks: Vec<Vec<Lanes>>,
}

/// Lanes of a row of `dim` numbers.
pub(crate) fn width(dim: usize) -> usize {
    dim.div_ceil(LANES)
}

impl Matrix {
    pub(crate) fn zeros(layout: BlockLayout, dim: usize) -> Matrix {
        let rows = |block| layout.block_words(block) as usize;
        let blocks =
            (0..layout.blocks()).map(|b| vec![Lanes::ZERO; rows(b) * width(dim)]).collect();
        Matrix { layout, dim, blocks }
    }

    /// Bytes of memory for so many rows.
    pub(crate) fn bytes(rows: usize, dim: usize) -> u64 {
        (rows * width(dim) * size_of::<Lanes>()) as u64
    }

    pub(crate) fn row(&self, id: u32) -> &[Lanes] {
        let width = width(self.dim);
        let start = self.layout.index(id) as usize * width;
        &self.blocks[self.layout.block(id) as usize][start..start + width]
    }

    pub(crate) fn row_mut(&mut self, id: u32) -> &mut [Lanes] {
        let width = width(self.dim);
        let start = self.layout.index(id) as usize * width;
        &mut self.blocks[self.layout.block(id) as usize][start..start + width]
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

    /// Sets a row to numbers uniform in `[-range, range)`.
    pub(crate) fn randomize(&mut self, id: u32, mut random: Random, range: f32) {
        let numbers: Vec<f32> =
            (0..self.dim).map(|_| (random.unit_f32() * 2.0 - 1.0) * range).collect();
        self.set(id, &numbers);
    }

    /// Whether all numbers are finite.
    pub(crate) fn finite(&self) -> bool {
        // A sum of zeros times each number is 0 exactly if all are finite.
        let zero = |part: &[Lanes]| {
            let sum = part.iter().fold(Lanes::ZERO, |sum, x| sum.plus(x.times(Lanes::ZERO)));
            sum == Lanes::ZERO
        };
        self.blocks.iter().all(|block| block.chunks(1024).all(zero))
    }
}
