//! Steps of gradient descent on groups of examples.
//!
//! An example is an input row h (a word's vector, or what CBOW and subwords make of several), an
//! output row t and a label y. With a score x = h·t, its loss is softplus(x) − y·x, which is
//! −ln σ(x) for y = 1 and −ln σ(−x) for y = 0 (Mikolov et al. 2013, equation 4):
//!
//! ```text
//! g = rate · (y − σ(x))        h += g · t        t += g · h
//! ```
//!
//! [`targets`] trains what is to be predicted, with hierarchical softmax [`paths`] the nodes on the way
//! to it, where labels are the code's. [`negatives`] trains inputs against negatives, output rows with
//! label 0, which up to [`GROUP`] of them share (Ji et al. 2016 share them in a window). Scores are those
//! at a group's start; rows move in the order of the examples; what the negatives gain is summed and
//! added last.
//!
//! There is no table of the sigmoid, no fused multiply-add, no approximate instruction: the bits are
//! the same on every processor. The programs this follows take σ from tables of 1,000 or 512 steps,
//! and stop or saturate at scores of 6 or 8: see [`Saturation`].

use lexmill_vocab::Random;

use super::huffman::{PathStep, Tree};
use super::noise::Noise;
use crate::lanes::{
    LANES, Lanes, exp_of_negative, for_processors, log_of_one_plus, prefetch, sums,
};

/// Examples that may share negatives.
pub(crate) const GROUP: usize = 16;
/// Paths whose scores are taken together.
const PATHS: usize = 4;
/// Nodes at the top of a subtree that are in the cache anyway.
const WARM: usize = 5;
/// Nodes of a path that are handled together.
const NODES: usize = 4;
/// Negatives that are handled together.
const TILE: usize = 5;

/// An example: the place of the input row in its block; and the place of the output row in its block,
/// or with hierarchical softmax a piece of the path to a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) row: u32,
    pub(crate) target: u32,
}

/// What becomes of large scores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Saturation {
    /// From this score on, up or down.
    pub(crate) limit: f32,
    /// Whether such an example is left out; otherwise σ is taken as 0 or 1.
    pub(crate) skip: bool,
}

/// The settings of a step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    /// Lanes of a row.
    pub(crate) width: usize,
    /// Negatives of an example; 0 with hierarchical softmax.
    pub(crate) negatives: usize,
    /// Examples that share them, up to [`GROUP`].
    pub(crate) group: usize,
    /// The most nodes of a piece of a path; 0 with negative sampling.
    pub(crate) longest: usize,
    pub(crate) saturation: Saturation,
}

/// Room for a group's numbers, kept from group to group.
pub(crate) struct Scratch {
    /// What negatives gain, those that are handled together lane by lane.
    five_gains: Vec<[Lanes; TILE]>,
    one_gains: Vec<[Lanes; 1]>,
    /// An input row before it moves.
    input: Vec<Lanes>,
    /// Of each example with its target, with each of its negatives or with each node of its path: the
    /// product of the rows, sums to be; the labels of nodes; the scores, then the steps; the losses.
    products: Vec<Lanes>,
    halves: Vec<[f32; 4]>,
    labels: Vec<f32>,
    scores: Vec<f32>,
    losses: Vec<f32>,
    /// The negatives of all groups, one after the other.
    drawn: Vec<u32>,
}

impl Scratch {
    pub(crate) fn new(step: &Step) -> Scratch {
        let (fives, ones) = (step.negatives / TILE, step.negatives % TILE);
        let scores = (GROUP * step.negatives.max(1)).max(PATHS * step.longest);
        let scores = scores.next_multiple_of(LANES);
        Scratch {
            five_gains: vec![[Lanes::ZERO; TILE]; step.width * fives],
            one_gains: vec![[Lanes::ZERO; 1]; step.width * ones],
            input: vec![Lanes::ZERO; step.width],
            products: vec![Lanes::ZERO; scores],
            halves: vec![[0.0; 4]; scores],
            labels: vec![0.0; (PATHS * step.longest).next_multiple_of(LANES)],
            scores: vec![0.0; scores],
            losses: vec![0.0; scores],
            drawn: Vec::new(),
        }
    }
}

impl Step {
    #[inline(always)]
    fn target_group(
        &self,
        pairs: &[Pair],
        next: &[Pair],
        rows: &mut [Lanes],
        columns: &mut [Lanes],
        rate: f32,
        scratch: &mut Scratch,
    ) -> f32 {
        let width = self.width;
        let Scratch { products, halves, scores, losses, .. } = scratch;
        let products = &mut products[..pairs.len()];
        for (i, (product, pair)) in products.iter_mut().zip(pairs).enumerate() {
            if let Some(next) = next.get(i) {
                prefetch(&rows[next.row as usize * width..][..width]);
                prefetch(&columns[next.target as usize * width..][..width]);
            }
            let h = &rows[pair.row as usize * width..][..width];
            let t = &columns[pair.target as usize * width..][..width];
            *product = row_product(h, t);
        }
        sums(products, halves, scores);
        self.saturation.steps(std::iter::repeat(1.0), rate, scores, losses, pairs.len());
        let (scores, losses) = (&scores[..pairs.len()], &losses[..pairs.len()]);
        for (pair, &g) in pairs.iter().zip(scores) {
            let h = &mut rows[pair.row as usize * width..][..width];
            let t = &mut columns[pair.target as usize * width..][..width];
            let g = Lanes::all(g);
            for (h, t) in h.iter_mut().zip(t) {
                let old = *h;
                *h = old.plus(t.times(g));
                *t = t.plus(old.times(g));
            }
        }
        total(losses)
    }

    /// Along the paths to a few words. Scores are those before any of the rows moves; what the
    /// nodes gain is of the input before it moves.
    #[inline(always)]
    #[expect(clippy::too_many_arguments, reason = "they are what one hot loop needs")]
    fn path_group(
        &self,
        pairs: &[Pair],
        next: &[Pair],
        tree: &Tree,
        near: bool,
        rows: &mut [Lanes],
        columns: &mut [Lanes],
        rate: f32,
        scratch: &mut Scratch,
    ) -> f32 {
        let width = self.width;
        let Scratch { input, products, halves, labels, scores, losses, .. } = scratch;
        let mut count = 0;
        for (i, pair) in pairs.iter().enumerate() {
            if let Some(next) = next.get(i) {
                prefetch(&rows[next.row as usize * width..][..width]);
                if !near {
                    for step in tree.piece(next.target).iter().skip(WARM) {
                        prefetch(&columns[step.place() * width..][..width]);
                    }
                }
            }
            let h = &rows[pair.row as usize * width..][..width];
            let path = tree.piece(pair.target);
            for (label, step) in labels[count..].iter_mut().zip(path) {
                *label = step.label();
            }
            let to = &mut products[count..][..path.len()];
            let (fours, rest) = path.as_chunks::<NODES>();
            let (to_fours, to_rest) = to.as_chunks_mut::<NODES>();
            for (to, four) in to_fours.iter_mut().zip(fours) {
                *to = node_products(h, four, columns, width);
            }
            for (to, step) in to_rest.iter_mut().zip(rest) {
                *to = row_product(h, &columns[step.place() * width..][..width]);
            }
            count += path.len();
        }
        sums(&products[..count], halves, scores);
        self.saturation.steps(labels.iter().copied(), rate, scores, losses, count);
        let mut left = &scores[..count];
        for pair in pairs {
            let h = &mut rows[pair.row as usize * width..][..width];
            for (input, h) in input.iter_mut().zip(&*h) {
                *input = *h;
            }
            let path = tree.piece(pair.target);
            let (steps, others) = left.split_at(path.len());
            left = others;
            let (fours, rest) = path.as_chunks::<NODES>();
            let (four_steps, rest_steps) = steps.as_chunks::<NODES>();
            for (four, steps) in fours.iter().zip(four_steps) {
                step_nodes(h, input, four, columns, width, steps);
            }
            for (step, &by) in rest.iter().zip(rest_steps) {
                step_row(h, input, &mut columns[step.place() * width..][..width], by);
            }
        }
        total(&losses[..count])
    }

    #[inline(always)]
    #[expect(clippy::too_many_arguments, reason = "they are what one hot loop needs")]
    fn negative_group(
        &self,
        group: usize,
        pairs: &[Pair],
        next: &[Pair],
        own: bool,
        rows: &mut [Lanes],
        columns: &mut [Lanes],
        rate: f32,
        scratch: &mut Scratch,
    ) -> f32 {
        let (width, negatives) = (self.width, self.negatives);
        let Scratch {
            five_gains,
            one_gains,
            input,
            products,
            halves,
            labels: _,
            scores,
            losses,
            drawn,
        } = scratch;
        let (drawn, next_drawn) = drawn[group * negatives..].split_at(negatives);
        let (fives, ones) = drawn.as_chunks::<TILE>();
        prefetch_rows(next_drawn.iter().copied().take(negatives), columns, width);

        // Scores. Lanes are summed in a loop of their own: in this one it would keep the compiler from
        // using wide registers.
        let count = pairs.len() * negatives;
        let products = &mut products[..count];
        for (i, (products, pair)) in products.chunks_mut(negatives).zip(pairs).enumerate() {
            if let Some(next) = next.get(i) {
                prefetch(&rows[next.row as usize * width..][..width]);
            }
            let h = &rows[pair.row as usize * width..][..width];
            let (to_fives, to_ones) = products.as_chunks_mut::<TILE>();
            for (to, five) in to_fives.iter_mut().zip(fives) {
                *to = five_products(h, five, columns, width);
            }
            for (to, &one) in to_ones.iter_mut().zip(ones) {
                *to = row_product(h, &columns[one as usize * width..][..width]);
            }
        }
        sums(products, halves, scores);
        self.saturation.steps(std::iter::repeat(0.0), rate, scores, losses, count);
        let (scores, losses) = (&mut scores[..count], &mut losses[..count]);
        if own {
            let examples = scores.chunks_mut(negatives).zip(losses.chunks_mut(negatives));
            for ((scores, losses), pair) in examples.zip(pairs) {
                for ((score, loss), &negative) in scores.iter_mut().zip(losses).zip(drawn) {
                    if negative == pair.target {
                        (*score, *loss) = (0.0, 0.0);
                    }
                }
            }
        }

        // Rows move, and negatives gain.
        let alone = fives.len() == 1 && ones.is_empty();
        five_gains.fill([Lanes::ZERO; TILE]);
        one_gains.fill([Lanes::ZERO]);
        for (steps, pair) in scores.chunks(negatives).zip(pairs) {
            let h = &mut rows[pair.row as usize * width..][..width];
            if !alone {
                for (input, h) in input.iter_mut().zip(&*h) {
                    *input = *h;
                }
            }
            let (five_steps, one_steps) = steps.as_chunks::<TILE>();
            let each = fives.iter().zip(five_gains.chunks_mut(width)).zip(five_steps);
            for ((five, gains), steps) in each {
                match alone {
                    true => move_five::<true>(h, &[], five, columns, width, gains, steps),
                    false => move_five::<false>(h, input, five, columns, width, gains, steps),
                }
            }
            let each = ones.iter().zip(one_gains.chunks_mut(width)).zip(one_steps);
            for ((&one, gains), &step) in each {
                let negative = &columns[one as usize * width..][..width];
                move_one(h, input, negative, gains, step);
            }
        }
        add_rows(five_gains, fives.as_flattened(), columns, width);
        add_rows(one_gains, ones, columns, width);
        total(losses)
    }
}

for_processors! {
    /// Trains the input rows on pieces of the paths to the words they are to predict, in order.
    /// `near` says that the nodes are few, and in the cache anyway. Returns the sum of the losses.
    ///
    /// # Panics
    /// If a row lies outside of its block.
    pub(crate) fn paths, paths_wide, paths_portable(
        step: &Step,
        pairs: &[Pair],
        tree: &Tree,
        near: bool,
        rows: &mut [Lanes],
        columns: &mut [Lanes],
        rate: f32,
        scratch: &mut Scratch,
    ) -> f64
}

#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "they are what one hot loop needs")]
fn paths_portable(
    step: &Step,
    pairs: &[Pair],
    tree: &Tree,
    near: bool,
    rows: &mut [Lanes],
    columns: &mut [Lanes],
    rate: f32,
    scratch: &mut Scratch,
) -> f64 {
    let mut loss = 0.0;
    let mut groups = pairs.chunks(PATHS).peekable();
    while let Some(group) = groups.next() {
        let next = groups.peek().copied().unwrap_or_default();
        loss += f64::from(step.path_group(group, next, tree, near, rows, columns, rate, scratch));
    }
    loss
}

for_processors! {
    /// Trains on the examples in order. Returns the sum of their losses.
    ///
    /// # Panics
    /// If an example lies outside of the blocks.
    pub(crate) fn targets, targets_wide, targets_portable(
        step: &Step,
        pairs: &[Pair],
        rows: &mut [Lanes],
        columns: &mut [Lanes],
        rate: f32,
        scratch: &mut Scratch,
    ) -> f64
}

for_processors! {
    /// Trains the input rows of the examples against negatives, group by group. Returns the sum of the
    /// losses. A negative that is the target of an example is left out of it; `own` says whether the
    /// targets lie in this column block.
    ///
    /// # Panics
    /// If a row lies outside of its block.
    pub(crate) fn negatives, negatives_wide, negatives_portable(
        step: &Step,
        pairs: &[Pair],
        own: bool,
        rows: &mut [Lanes],
        columns: &mut [Lanes],
        draw: &mut Draw<'_>,
        rate: f32,
        scratch: &mut Scratch,
    ) -> f64
}

#[inline(always)]
fn targets_portable(
    step: &Step,
    pairs: &[Pair],
    rows: &mut [Lanes],
    columns: &mut [Lanes],
    rate: f32,
    scratch: &mut Scratch,
) -> f64 {
    let mut loss = 0.0;
    let first = &pairs[..pairs.len().min(GROUP)];
    prefetch_rows(first.iter().map(|pair| pair.row), rows, step.width);
    prefetch_rows(first.iter().map(|pair| pair.target), columns, step.width);
    let mut groups = pairs.chunks(GROUP).peekable();
    while let Some(group) = groups.next() {
        let next = groups.peek().copied().unwrap_or_default();
        loss += f64::from(step.target_group(group, next, rows, columns, rate, scratch));
    }
    loss
}

#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "they are what one hot loop needs")]
fn negatives_portable(
    step: &Step,
    pairs: &[Pair],
    own: bool,
    rows: &mut [Lanes],
    columns: &mut [Lanes],
    draw: &mut Draw<'_>,
    rate: f32,
    scratch: &mut Scratch,
) -> f64 {
    let mut loss = 0.0;
    scratch.drawn.clear();
    let drawn = pairs.len().div_ceil(step.group) * step.negatives;
    scratch.drawn.extend((0..drawn).map(|_| draw.noise.draw(&mut draw.random)));
    prefetch_rows(pairs.iter().take(step.group).map(|pair| pair.row), rows, step.width);
    prefetch_rows(scratch.drawn.iter().copied().take(step.negatives), columns, step.width);
    let mut groups = pairs.chunks(step.group).enumerate().peekable();
    while let Some((i, group)) = groups.next() {
        let next = groups.peek().map_or(&[][..], |&(_, next)| next);
        loss += f64::from(step.negative_group(i, group, next, own, rows, columns, rate, scratch));
    }
    loss
}

/// Where negatives come from.
pub(crate) struct Draw<'a> {
    pub(crate) noise: &'a Noise,
    pub(crate) random: Random,
}

impl Saturation {
    /// The first `count` scores become steps, rate · (y − σ(x)); also gives the losses. What follows
    /// them up to whole lanes is overwritten, so that no loop has a rest to go through one by one.
    #[inline(always)]
    fn steps(
        self,
        labels: impl Iterator<Item = f32>,
        rate: f32,
        scores: &mut [f32],
        losses: &mut [f32],
        count: usize,
    ) {
        let lanes = count.next_multiple_of(LANES).min(scores.len());
        let (scores, losses) = (&mut scores[..lanes], &mut losses[..lanes]);
        let (limit, left_out) = (self.limit, if self.skip { self.limit } else { f32::INFINITY });
        for ((score, loss), label) in scores.iter_mut().zip(losses).zip(labels) {
            let x = *score;
            let e = exp_of_negative(-x.abs());
            let large = 1.0 / (1.0 + e);
            let sigmoid = if x > 0.0 { large } else { e * large };
            let sigmoid = if x >= limit { 1.0 } else { sigmoid };
            let sigmoid = if x <= -limit { 0.0 } else { sigmoid };
            let step = rate * (label - sigmoid);
            *score = if x.abs() >= left_out { 0.0 } else { step };
            let positive = if x > 0.0 { x } else { 0.0 };
            *loss = log_of_one_plus(e) + positive - label * x;
        }
    }
}

/// The sum of the losses of a group.
#[inline(always)]
fn total(losses: &[f32]) -> f32 {
    let (lanes, rest) = losses.as_chunks();
    let lanes = lanes.iter().fold(Lanes::ZERO, |sum, lanes| sum.plus(Lanes(*lanes)));
    rest.iter().fold(lanes.sum(), |sum, loss| sum + loss)
}

#[inline(always)]
fn prefetch_rows(ids: impl Iterator<Item = u32>, block: &[Lanes], width: usize) {
    for id in ids {
        prefetch(&block[id as usize * width..][..width]);
    }
}

/// Adds to rows of a block what they gained.
#[inline(always)]
fn add_rows<const K: usize>(from: &[[Lanes; K]], ids: &[u32], columns: &mut [Lanes], width: usize) {
    for (tile, ids) in from.chunks(width).zip(ids.chunks(K)) {
        for (j, &id) in ids.iter().enumerate() {
            let row = &mut columns[id as usize * width..][..width];
            for (to, from) in row.iter_mut().zip(tile) {
                *to = to.plus(from[j]);
            }
        }
    }
}

/// Products of an input row with the rows of negatives, lane by lane.
#[inline(always)]
fn five_products(
    h: &[Lanes],
    negatives: &[u32; TILE],
    columns: &[Lanes],
    width: usize,
) -> [Lanes; TILE] {
    let [a, b, c, d, e] = *negatives;
    let row = |id: u32| &columns[id as usize * width..][..width];
    let (h, a, b, c, d, e) = (&h[..width], row(a), row(b), row(c), row(d), row(e));
    let mut sums = [Lanes::ZERO; TILE];
    for k in 0..width {
        sums[0] = sums[0].plus(h[k].times(a[k]));
        sums[1] = sums[1].plus(h[k].times(b[k]));
        sums[2] = sums[2].plus(h[k].times(c[k]));
        sums[3] = sums[3].plus(h[k].times(d[k]));
        sums[4] = sums[4].plus(h[k].times(e[k]));
    }
    sums
}

/// Moves an input row by the rows of negatives, and adds what these gain, by what the input was
/// before: `input`, or with `ALONE` the row itself.
#[inline(always)]
fn move_five<const ALONE: bool>(
    h: &mut [Lanes],
    input: &[Lanes],
    negatives: &[u32; TILE],
    columns: &[Lanes],
    width: usize,
    gains: &mut [[Lanes; TILE]],
    steps: &[f32; TILE],
) {
    let [a, b, c, d, e] = *negatives;
    let row = |id: u32| &columns[id as usize * width..][..width];
    let (a, b, c, d, e) = (row(a), row(b), row(c), row(d), row(e));
    let (h, gains) = (&mut h[..width], &mut gains[..width]);
    let input = if ALONE { input } else { &input[..width] };
    let steps = steps.map(Lanes::all);
    let rows = a.iter().zip(b).zip(c).zip(d).zip(e);
    for (k, ((h, gains), ((((a, b), c), d), e))) in h.iter_mut().zip(gains).zip(rows).enumerate() {
        let old = if ALONE { *h } else { input[k] };
        let mut moved = *h;
        for ((n, gain), step) in [a, b, c, d, e].into_iter().zip(gains).zip(steps) {
            moved = moved.plus(n.times(step));
            *gain = gain.plus(old.times(step));
        }
        *h = moved;
    }
}

/// Moves an input row by the row of a negative, and adds what this gains, by what the input was
/// before.
#[inline(always)]
fn move_one(
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

/// The product of two rows, lane by lane.
#[inline(always)]
fn row_product(h: &[Lanes], t: &[Lanes]) -> Lanes {
    let mut sum = Lanes::ZERO;
    for (h, t) in h.iter().zip(t) {
        sum = sum.plus(h.times(*t));
    }
    sum
}

/// Products of an input row with the rows of nodes, lane by lane.
#[inline(always)]
fn node_products(
    h: &[Lanes],
    nodes: &[PathStep; NODES],
    columns: &[Lanes],
    width: usize,
) -> [Lanes; NODES] {
    let [a, b, c, d] = *nodes;
    let row = |node: PathStep| &columns[node.place() * width..][..width];
    let (h, a, b, c, d) = (&h[..width], row(a), row(b), row(c), row(d));
    let mut sums = [Lanes::ZERO; NODES];
    for k in 0..width {
        sums[0] = sums[0].plus(h[k].times(a[k]));
        sums[1] = sums[1].plus(h[k].times(b[k]));
        sums[2] = sums[2].plus(h[k].times(c[k]));
        sums[3] = sums[3].plus(h[k].times(d[k]));
    }
    sums
}

/// Moves an input row by an output row, and this by what the input was before.
#[inline(always)]
fn step_row(h: &mut [Lanes], input: &[Lanes], t: &mut [Lanes], step: f32) {
    let step = Lanes::all(step);
    for ((h, input), t) in h.iter_mut().zip(input).zip(t) {
        *h = h.plus(t.times(step));
        *t = t.plus(input.times(step));
    }
}

/// Moves an input row by the rows of nodes, and these by what it was before.
#[inline(always)]
fn step_nodes(
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

#[cfg(test)]
mod tests {
    use lexmill_vocab::{Vocabulary, WordCount};

    use super::*;

    const EXACT: Saturation = Saturation { limit: f32::INFINITY, skip: false };

    fn rows(count: usize, dim: usize, seed: u64) -> Vec<Lanes> {
        let mut random = Random::named(&[seed]);
        let mut rows = vec![Lanes::ZERO; count * dim.div_ceil(8)];
        for row in rows.chunks_mut(dim.div_ceil(8)) {
            for i in 0..dim {
                row[i / 8].0[i % 8] = random.unit_f32() - 0.5;
            }
        }
        rows
    }

    fn wide(rows: &[Lanes]) -> Vec<f64> {
        rows.iter().flat_map(|lanes| lanes.0).map(f64::from).collect()
    }

    fn step(dim: usize, negatives: usize, saturation: Saturation) -> Step {
        Step { width: dim.div_ceil(8), negatives, longest: 0, group: GROUP, saturation }
    }

    /// What is trained on: targets, negatives, or the nodes on the way to words.
    enum Kind<'a> {
        Targets,
        Negatives(&'a [u32]),
        Paths(&'a Tree),
    }

    impl Kind<'_> {
        /// Output rows of an example with their labels.
        fn outputs(&self, pair: &Pair) -> Vec<(usize, f64)> {
            match self {
                Kind::Targets => vec![(pair.target as usize, 1.0)],
                Kind::Negatives(drawn) => {
                    let others = drawn.iter().filter(|&&negative| negative != pair.target);
                    others.map(|&negative| (negative as usize, 0.0)).collect()
                }
                Kind::Paths(tree) => {
                    let path = tree.piece(pair.target).iter();
                    path.map(|step| (step.place(), f64::from(step.label()))).collect()
                }
            }
        }

        /// Trains on a group; the sum of its losses.
        fn train(
            &self,
            step: &Step,
            pairs: &[Pair],
            rows: &mut [Lanes],
            columns: &mut [Lanes],
            rate: f32,
        ) -> f64 {
            let mut scratch = Scratch::new(step);
            f64::from(match self {
                Kind::Targets => step.target_group(pairs, &[], rows, columns, rate, &mut scratch),
                Kind::Negatives(drawn) => {
                    scratch.drawn.extend_from_slice(drawn);
                    step.negative_group(0, pairs, &[], true, rows, columns, rate, &mut scratch)
                }
                Kind::Paths(tree) => {
                    step.path_group(pairs, &[], tree, false, rows, columns, rate, &mut scratch)
                }
            })
        }

        /// The loss of a group, by the formula.
        fn loss(&self, pairs: &[Pair], rows: &[f64], columns: &[f64], stride: usize) -> f64 {
            let softplus = |x: f64| x.max(0.0) + (-x.abs()).exp().ln_1p();
            let outputs =
                pairs.iter().flat_map(|p| self.outputs(p).into_iter().map(|o| (p.row as usize, o)));
            outputs
                .map(|(row, (column, label))| {
                    let x = product(rows, row, columns, column, stride);
                    softplus(x) - label * x
                })
                .sum()
        }
    }

    fn product(rows: &[f64], row: usize, columns: &[f64], column: usize, stride: usize) -> f64 {
        (0..stride).map(|k| rows[row * stride + k] * columns[column * stride + k]).sum()
    }

    /// The tree of 40 words in two blocks.
    fn tree() -> Tree {
        let word = |i: u64| WordCount { word: format!("{i:02}"), count: 400 / (i + 1) + 1 };
        let vocabulary = Vocabulary::ranked((0..40).map(word).collect(), None, &[]);
        Tree::new(&vocabulary, vocabulary.counts(), 2)
    }

    /// What a step adds is −rate times the derivative of the loss, by finite differences. Rows are
    /// used once each, since rows that move twice move from two places.
    #[test]
    fn steps_are_gradients() {
        let tree = tree();
        // One of the negatives is the target of an example.
        let drawn = |count: u32| -> Vec<u32> { (1..count).chain([40]).collect() };
        let drawn = [1, 5, 7, 12].map(drawn);
        let cases = [
            (5, 3, Kind::Targets),
            (100, 16, Kind::Targets),
            (8, 16, Kind::Negatives(&drawn[0])),
            (13, 16, Kind::Negatives(&drawn[1])),
            (20, 9, Kind::Negatives(&drawn[2])),
            (9, 16, Kind::Negatives(&drawn[3])),
            (100, 16, Kind::Negatives(&drawn[1])),
            (11, 1, Kind::Paths(&tree)),
            (100, 1, Kind::Paths(&tree)),
        ];
        for (dim, count, kind) in cases {
            let negatives = if let Kind::Negatives(drawn) = &kind { drawn.len() } else { 0 };
            let step = Step { longest: tree.longest(), ..step(dim, negatives, EXACT) };
            let stride = step.width * 8;
            let pairs: Vec<Pair> = (0..count).map(|i| Pair { row: i, target: 40 - i }).collect();
            let (mut h, mut t) = (rows(16, dim, 1), rows(41, dim, 2));
            let (old_h, old_t) = (wide(&h), wide(&t));
            let rate = 0.01;
            let found = kind.train(&step, &pairs, &mut h, &mut t, rate);
            let expected = kind.loss(&pairs, &old_h, &old_t, stride);
            assert!((found - expected).abs() < 1e-4 * expected, "{found} {expected}");
            let small = 1e-5;
            for (side, (old, new)) in [(&old_h, wide(&h)), (&old_t, wide(&t))].iter().enumerate() {
                for place in 0..old.len() {
                    let at = |shift: f64| {
                        let mut moved = (*old).clone();
                        moved[place] += shift;
                        match side {
                            0 => kind.loss(&pairs, &moved, &old_t, stride),
                            _ => kind.loss(&pairs, &old_h, &moved, stride),
                        }
                    };
                    let derivative = (at(small) - at(-small)) / (2.0 * small);
                    // Padding stays zero.
                    let derivative = if place % stride < dim { derivative } else { 0.0 };
                    let moved = new[place] - old[place];
                    assert!(
                        (moved + f64::from(rate) * derivative).abs() < 1e-6,
                        "dim {dim}, negatives {negatives}, side {side}: {moved} {derivative}"
                    );
                }
            }
        }
    }

    /// Rows that come again move in the order of the examples, by scores of the group's start.
    #[test]
    fn rows_that_come_again_move_in_order() {
        let mut random = Random::named(&[3]);
        let tree = tree();
        for round in 0..80 {
            let drawn: Vec<u32> = (0..5 + round % 4).map(|_| random.below(6)).collect();
            let kind = match round % 3 {
                0 => Kind::Targets,
                1 => Kind::Negatives(&drawn),
                _ => Kind::Paths(&tree),
            };
            let (dim, negatives) = (11, if round % 3 == 1 { drawn.len() } else { 0 });
            let step = Step { longest: tree.longest(), ..step(dim, negatives, EXACT) };
            let stride = step.width * 8;
            let (count, targets) = if round % 3 == 2 { (PATHS, 40) } else { (GROUP, 5) };
            let pairs: Vec<Pair> = (0..count)
                .map(|_| Pair { row: random.below(4), target: random.below(targets) })
                .collect();
            let (mut h, mut t) = (rows(4, dim, 1), rows(40, dim, 2));
            let (mut plain_h, mut plain_t) = (wide(&h), wide(&t));
            kind.train(&step, &pairs, &mut h, &mut t, 0.05);
            let (start_h, start_t) = (plain_h.clone(), plain_t.clone());
            let mut gains = vec![0.0; start_t.len()];
            for pair in &pairs {
                let row = pair.row as usize;
                let before = plain_h[row * stride..][..stride].to_vec();
                for (column, label) in kind.outputs(pair) {
                    let x = product(&start_h, row, &start_t, column, stride);
                    let g = 0.05 * (label - 1.0 / (1.0 + (-x).exp()));
                    for k in 0..stride {
                        plain_h[row * stride + k] += g * plain_t[column * stride + k];
                        let to = match kind {
                            Kind::Negatives(_) => &mut gains,
                            _ => &mut plain_t,
                        };
                        to[column * stride + k] += g * before[k];
                    }
                }
            }
            plain_t.iter_mut().zip(gains).for_each(|(t, gain)| *t += gain);
            let found = wide(&h).into_iter().chain(wide(&t));
            for (found, expected) in found.zip(plain_h.iter().chain(&plain_t)) {
                assert!((found - expected).abs() < 1e-5, "{round}: {found} {expected}");
            }
        }
    }

    #[test]
    fn large_scores_saturate_as_asked() {
        let both = |saturation: Saturation, x: f32, label: f32| {
            let (mut score, mut loss) = ([x], [0.0]);
            saturation.steps(std::iter::once(label), 1.0, &mut score, &mut loss, 1);
            (score[0], loss[0])
        };
        let at = |saturation, x, label| both(saturation, x, label).0;
        let clip = Saturation { limit: 6.0, skip: false };
        let skip = Saturation { limit: 6.0, skip: true };
        assert_eq!((at(clip, 7.0, 0.0), at(clip, -7.0, 1.0)), (-1.0, 1.0));
        assert_eq!((at(clip, 7.0, 1.0), at(clip, -7.0, 0.0)), (0.0, 0.0));
        assert_eq!((at(skip, 6.0, 0.0), at(skip, -6.5, 1.0)), (0.0, 0.0));
        for x in [-5.9f32, -1.0, 0.0, 0.5, 5.9] {
            let exact = 1.0 - 1.0 / (1.0 + (-f64::from(x)).exp());
            for saturation in [EXACT, clip, skip] {
                assert!((f64::from(at(saturation, x, 1.0)) - exact).abs() < 1e-6, "{x}");
            }
        }
        // Far out the loss grows in a line, and nothing overflows.
        assert_eq!(both(EXACT, 1e4, 0.0), (-1.0, 1e4));
    }

    #[test]
    fn both_compilations_give_the_same_bits() {
        let tree = tree();
        for drawn in [5, 8] {
            let step = Step { longest: tree.longest(), ..step(37, drawn, EXACT) };
            let noise = Noise::new(&[1.0; 9]);
            let random = Random::named(&[6]);
            let pairs = |words: u32, random: &mut Random| -> Vec<Pair> {
                let mut pair = || Pair { row: random.below(9), target: random.below(words) };
                (0..1000).map(|_| pair()).collect()
            };
            let pairs = [9, 40].map(|words| pairs(words, &mut random.clone()));
            let run = |wide: bool| {
                let (mut h, mut t) = (rows(9, 37, 1), rows(40, 37, 2));
                let (rate, mut scratch) = (0.05, Scratch::new(&step));
                let mut draw = Draw { noise: &noise, random: random.clone() };
                let [near, far] = &pairs;
                let (h, t, s) = (&mut h[..], &mut t[..], &mut scratch);
                let losses = match wide {
                    true => [
                        targets(&step, near, h, t, rate, s),
                        negatives(&step, near, true, h, t, &mut draw, rate, s),
                        paths(&step, far, &tree, false, h, t, rate, s),
                    ],
                    false => [
                        targets_portable(&step, near, h, t, rate, s),
                        negatives_portable(&step, near, true, h, t, &mut draw, rate, s),
                        paths_portable(&step, far, &tree, false, h, t, rate, s),
                    ],
                };
                let numbers = h.iter().chain(&*t).flat_map(|x| x.0).map(f32::to_bits);
                (losses.map(f64::to_bits), numbers.collect::<Vec<u32>>())
            };
            assert_eq!(run(true), run(false));
        }
    }
}
