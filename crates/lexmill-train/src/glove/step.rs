//! One step of AdaGrad on one cell, for rows of blocks.
//!
//! With d = w·c + b + b' − ln x and f = weight · d (Pennington et al. 2014, equation 8, and the
//! reference program's habits):
//!
//! ```text
//! loss += f · d / 2
//! g_w = rate · clip(f · c)      w −= g_w / √G_w      G_w += g_w²     (and the same for c with w)
//! g_b = rate · f or f           b −= g_b / √G_b      G_b += g_b²     (2014 or 2020; and for b')
//! ```
//!
//! The reciprocal root is a seed by integer arithmetic and two steps of Newton's (within 5 parts in a
//! million); there is no fused multiply-add. So the bits are the same on every processor, and
//! whatever instructions the loops are compiled to.

use crate::lanes::{LANES, Lanes, for_processors};

/// How a row of a block is laid out: vector, its AdaGrad sums, bias, the bias's sum, padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RowLayout {
    pub(crate) dim: usize,
    pub(crate) padded: usize,
}

impl RowLayout {
    pub(crate) fn new(dim: usize) -> RowLayout {
        RowLayout { dim, padded: dim.next_multiple_of(LANES) }
    }

    /// Floats of a row.
    pub(crate) fn stride(self) -> usize {
        2 * self.padded + LANES
    }

    /// Where the bias is; the bias's AdaGrad sum follows it.
    pub(crate) fn bias(self) -> usize {
        2 * self.padded
    }
}

/// The settings of a step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(crate) layout: RowLayout,
    pub(crate) rate: f32,
    /// The rate of biases: 1 since 2020.
    pub(crate) bias_rate: f32,
    pub(crate) clip: f32,
}

/// A cell to train on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cell {
    /// The row within the row block.
    pub(crate) row: u32,
    /// The row within the column block.
    pub(crate) column: u32,
    /// The natural logarithm of the count.
    pub(crate) log: f32,
    /// The weight of the cell.
    pub(crate) weight: f32,
}

for_processors! {
    /// Trains on the cells in order. Returns the sum of their losses.
    ///
    /// # Panics
    /// If a cell lies outside of the blocks.
    pub(crate) fn train, train_wide, train_portable(
        step: &Step,
        cells: &[Cell],
        rows: &mut [f32],
        columns: &mut [f32],
    ) -> f64
}

#[inline(always)]
fn train_portable(step: &Step, cells: &[Cell], rows: &mut [f32], columns: &mut [f32]) -> f64 {
    let stride = step.layout.stride();
    let mut loss = 0.0;
    for cell in cells {
        let row = &mut rows[cell.row as usize * stride..][..stride];
        let column = &mut columns[cell.column as usize * stride..][..stride];
        loss += f64::from(step.cell(row, column, cell.log, cell.weight));
    }
    loss
}

impl Step {
    /// Trains on one cell; returns its loss.
    #[inline(always)]
    fn cell(&self, row: &mut [f32], column: &mut [f32], log: f32, weight: f32) -> f32 {
        let padded = self.layout.padded;
        let (w, row) = row.split_at_mut(padded);
        let (w_sums, w_bias) = row.split_at_mut(padded);
        let (c, column) = column.split_at_mut(padded);
        let (c_sums, c_bias) = column.split_at_mut(padded);
        let (w, c) = (w.as_chunks_mut::<LANES>().0, c.as_chunks_mut::<LANES>().0);
        let w_sums = w_sums.as_chunks_mut::<LANES>().0;
        let c_sums = c_sums.as_chunks_mut::<LANES>().0;

        let difference = dot(w, c) + w_bias[0] + c_bias[0] - log;
        let f = weight * difference;
        let (rate, clip) = (self.rate, self.clip);
        for (((w, c), w_sums), c_sums) in w.iter_mut().zip(c).zip(w_sums).zip(c_sums) {
            let (old_w, old_c) = (Lanes(*w), Lanes(*c));
            let w_gradient = old_c.map(|c| clipped(f * c, clip) * rate);
            let c_gradient = old_w.map(|w| clipped(f * w, clip) * rate);
            let (w_sum, c_sum) = (Lanes(*w_sums), Lanes(*c_sums));
            *w = old_w.minus(w_gradient.times(w_sum.reciprocal_roots())).0;
            *c = old_c.minus(c_gradient.times(c_sum.reciprocal_roots())).0;
            *w_sums = w_sum.plus(w_gradient.times(w_gradient)).0;
            *c_sums = c_sum.plus(c_gradient.times(c_gradient)).0;
        }
        let gradient = f * self.bias_rate;
        for bias in [w_bias, c_bias] {
            bias[0] -= gradient * reciprocal_root(bias[1]);
            bias[1] += gradient * gradient;
        }
        0.5 * f * difference
    }
}

/// `x` cut to plus or minus `clip`; what is not a number stays so.
#[inline(always)]
fn clipped(x: f32, clip: f32) -> f32 {
    let x = if x > clip { clip } else { x };
    if x < -clip { -clip } else { x }
}

#[inline(always)]
fn dot(a: &[[f32; LANES]], b: &[[f32; LANES]]) -> f32 {
    let (mut even, mut odd) = (Lanes([0.0; LANES]), Lanes([0.0; LANES]));
    let (a_pairs, a_rest) = a.as_chunks::<2>();
    let (b_pairs, b_rest) = b.as_chunks::<2>();
    for (a, b) in a_pairs.iter().zip(b_pairs) {
        even = even.plus(Lanes(a[0]).times(Lanes(b[0])));
        odd = odd.plus(Lanes(a[1]).times(Lanes(b[1])));
    }
    if let ([a], [b]) = (a_rest, b_rest) {
        even = even.plus(Lanes(*a).times(Lanes(*b)));
    }
    even.plus(odd).sum()
}

/// 1/√x for x ≥ 1, within 5 parts in a million.
#[inline(always)]
fn reciprocal_root(x: f32) -> f32 {
    Lanes([x; LANES]).reciprocal_roots().0[0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use lexmill_vocab::Random;

    /// The formulas of the module's head in f64, a number at a time.
    fn plain(step: &Step, row: &mut [f64], column: &mut [f64], log: f64, weight: f64) -> f64 {
        let RowLayout { dim, padded } = step.layout;
        let bias = step.layout.bias();
        let mut difference = row[bias] + column[bias] - log;
        for i in 0..dim {
            difference += row[i] * column[i];
        }
        let f = weight * difference;
        let (rate, clip) = (f64::from(step.rate), f64::from(step.clip));
        for i in 0..dim {
            let w_gradient = rate * (f * column[i]).clamp(-clip, clip);
            let c_gradient = rate * (f * row[i]).clamp(-clip, clip);
            row[i] -= w_gradient / row[padded + i].sqrt();
            column[i] -= c_gradient / column[padded + i].sqrt();
            row[padded + i] += w_gradient * w_gradient;
            column[padded + i] += c_gradient * c_gradient;
        }
        let gradient = f * f64::from(step.bias_rate);
        for side in [row, column] {
            side[bias] -= gradient / side[bias + 1].sqrt();
            side[bias + 1] += gradient * gradient;
        }
        0.5 * f * difference
    }

    fn rows(step: &Step, count: usize, seed: u64) -> Vec<f32> {
        let mut random = Random::named(&[seed]);
        let RowLayout { dim, padded } = step.layout;
        let mut rows = vec![0.0; count * step.layout.stride()];
        for row in rows.chunks_mut(step.layout.stride()) {
            row[..dim].iter_mut().for_each(|x| *x = random.unit_f32() - 0.5);
            row[padded..2 * padded].fill(1.0);
            row[step.layout.bias()] = random.unit_f32() - 0.5;
            row[step.layout.bias() + 1] = 1.0;
        }
        rows
    }

    fn cells(count: u32, rows: u32) -> Vec<Cell> {
        let mut random = Random::named(&[5]);
        (0..count)
            .map(|_| Cell {
                row: random.below(rows),
                column: random.below(rows),
                log: random.unit_f32() * 8.0 - 2.0,
                weight: random.unit_f32(),
            })
            .collect()
    }

    #[test]
    fn the_step_is_the_formula() {
        for (dim, rate, bias_rate, clip) in [
            (1, 0.05, 0.05, 100.0),
            (7, 0.05, 1.0, 100.0),
            (8, 0.5, 0.5, 0.1),
            (100, 0.05, 1.0, 100.0),
        ] {
            let step = Step { layout: RowLayout::new(dim), rate, bias_rate, clip };
            let stride = step.layout.stride();
            let (mut r, mut c) = (rows(&step, 5, 1), rows(&step, 5, 2));
            let widen = |floats: &[f32]| floats.iter().map(|&x| f64::from(x)).collect::<Vec<f64>>();
            let (mut plain_r, mut plain_c) = (widen(&r), widen(&c));
            for cell in cells(200, 5) {
                let loss = train(&step, &[cell], &mut r, &mut c);
                let expected = plain(
                    &step,
                    &mut plain_r[cell.row as usize * stride..][..stride],
                    &mut plain_c[cell.column as usize * stride..][..stride],
                    f64::from(cell.log),
                    f64::from(cell.weight),
                );
                assert!(
                    (loss - expected).abs() <= 1e-3 * expected.abs() + 1e-4,
                    "{loss} {expected}"
                );
            }
            for (found, expected) in [(&r, &plain_r), (&c, &plain_c)] {
                for (a, b) in found.iter().zip(expected) {
                    assert!((f64::from(*a) - b).abs() < 1e-3 * b.abs().max(1.0), "{a} {b}");
                }
            }
        }
    }

    #[test]
    fn both_compilations_give_the_same_bits() {
        let step = Step { layout: RowLayout::new(37), rate: 0.05, bias_rate: 1.0, clip: 100.0 };
        let (mut r, mut c) = (rows(&step, 9, 1), rows(&step, 9, 2));
        let (mut other_r, mut other_c) = (r.clone(), c.clone());
        let cells = cells(1000, 9);
        let loss = train(&step, &cells, &mut r, &mut c);
        let other = train_portable(&step, &cells, &mut other_r, &mut other_c);
        assert_eq!(loss.to_bits(), other.to_bits());
        let bits = |x: &[f32]| x.iter().map(|x| x.to_bits()).collect::<Vec<u32>>();
        assert_eq!((bits(&r), bits(&c)), (bits(&other_r), bits(&other_c)));
    }
}
