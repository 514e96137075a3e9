//! What is done to rows of a block, a few at a time.

use super::{NODES, TILE};
use crate::lanes::{Lanes, prefetch};
use crate::word2vec::huffman::PathStep;

/// The product of two rows, lane by lane.
#[inline(always)]
pub(super) fn row_product(h: &[Lanes], t: &[Lanes]) -> Lanes {
    let mut sum = Lanes::ZERO;
    for (h, t) in h.iter().zip(t) {
        sum = sum.plus(h.times(*t));
    }
    sum
}

/// The products of a row with several, lane by lane.
#[inline(always)]
pub(super) fn row_products<const K: usize>(h: &[Lanes], rows: [&[Lanes]; K]) -> [Lanes; K] {
    let width = h.len();
    // Said once, so that it is not asked lane by lane.
    assert!(rows.iter().all(|row| row.len() == width), "rows are as long as each other");
    let mut sums = [Lanes::ZERO; K];
    for k in 0..width {
        for (sum, row) in sums.iter_mut().zip(&rows) {
            *sum = sum.plus(h[k].times(row[k]));
        }
    }
    sums
}

#[inline(always)]
pub(super) fn prefetch_rows(ids: impl Iterator<Item = u32>, block: &[Lanes], width: usize) {
    for id in ids {
        prefetch(&block[id as usize * width..][..width]);
    }
}

/// Adds to rows of a block what they gained.
#[inline(always)]
pub(super) fn add_rows<const K: usize>(
    from: &[[Lanes; K]],
    ids: &[u32],
    columns: &mut [Lanes],
    width: usize,
) {
    for (tile, ids) in from.chunks(width).zip(ids.chunks(K)) {
        for (j, &id) in ids.iter().enumerate() {
            let row = &mut columns[id as usize * width..][..width];
            for (to, from) in row.iter_mut().zip(tile) {
                *to = to.plus(from[j]);
            }
        }
    }
}

/// Moves an input row by the rows of negatives, and adds what these gain, by what the input was
/// before: `input`, or with `ALONE` the row itself.
#[inline(always)]
pub(super) fn move_five<const ALONE: bool>(
    h: &mut [Lanes],
    input: &[Lanes],
    negatives: &[u32; TILE],
    columns: &[Lanes],
    width: usize,
    gains: &mut [[Lanes; TILE]],
    steps: &[f32; TILE],
) {
    let (h, gains) = (&mut h[..width], &mut gains[..width]);
    let input = if ALONE { input } else { &input[..width] };
    let mut rows = [input; TILE];
    let mut wide = [Lanes::ZERO; TILE];
    for j in 0..TILE {
        rows[j] = &columns[negatives[j] as usize * width..][..width];
        wide[j] = Lanes::all(steps[j]);
    }
    // Said once, so that it is not asked lane by lane.
    assert!(rows.iter().all(|row| row.len() == h.len()), "rows are as long as each other");
    for (k, (h, gains)) in h.iter_mut().zip(gains).enumerate() {
        let old = if ALONE { *h } else { input[k] };
        let mut moved = *h;
        for j in 0..TILE {
            moved = moved.plus(rows[j][k].times(wide[j]));
            gains[j] = gains[j].plus(old.times(wide[j]));
        }
        *h = moved;
    }
}

/// Moves an input row by the row of a negative, and adds what this gains, by what the input was
/// before.
#[inline(always)]
pub(super) fn move_one(
    h: &mut [Lanes],
    input: &[Lanes],
    negative: &[Lanes],
    gains: &mut [[Lanes; 1]],
    step: f32,
) {
    let step = Lanes::all(step);
    for (((h, input), n), [gain]) in h.iter_mut().zip(input).zip(negative).zip(gains) {
        *h = h.plus(n.times(step));
        *gain = gain.plus(input.times(step));
    }
}

/// Moves an input row by an output row, and this by what the input was before.
#[inline(always)]
pub(super) fn step_row(h: &mut [Lanes], input: &[Lanes], t: &mut [Lanes], step: f32) {
    let step = Lanes::all(step);
    for ((h, input), t) in h.iter_mut().zip(input).zip(t) {
        *h = h.plus(t.times(step));
        *t = t.plus(input.times(step));
    }
}

/// Moves an input row by the rows of nodes, and these by what it was before.
#[inline(always)]
pub(super) fn step_nodes(
    h: &mut [Lanes],
    input: &[Lanes],
    nodes: &[PathStep; NODES],
    columns: &mut [Lanes],
    width: usize,
    steps: &[f32; NODES],
) {
    let [a, b, c, d] = *nodes;
    let at = |node: PathStep| node.place() * width..(node.place() + 1) * width;
    let [a, b, c, d] =
        columns.get_disjoint_mut([at(a), at(b), at(c), at(d)]).expect("the nodes of a path differ");
    let (h, input) = (&mut h[..width], &input[..width]);
    let (a, b, c, d) = (&mut a[..width], &mut b[..width], &mut c[..width], &mut d[..width]);
    let [s, t, u, v] = *steps;
    let (s, t, u, v) = (Lanes::all(s), Lanes::all(t), Lanes::all(u), Lanes::all(v));
    for k in 0..width {
        let old = input[k];
        h[k] = h[k].plus(a[k].times(s)).plus(b[k].times(t)).plus(c[k].times(u)).plus(d[k].times(v));
        a[k] = a[k].plus(old.times(s));
        b[k] = b[k].plus(old.times(t));
        c[k] = c[k].plus(old.times(u));
        d[k] = d[k].plus(old.times(v));
    }
}
