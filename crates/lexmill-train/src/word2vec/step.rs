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

use self::rows::{
    add_rows, move_five, move_one, prefetch_rows, row_product, row_products, step_nodes, step_row,
};
use super::huffman::{PathStep, Tree};
use super::noise::Noise;
use crate::lanes::{Halves, LANES, Lanes, exp_of_negative, for_processors, log, prefetch, sums};

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
    /// Of each example with its target, with each of its negatives or with each node of its path.
    scores: Scores,
    /// Those of nodes.
    labels: Vec<[f32; LANES]>,
    /// The negatives of all groups, one after the other.
    drawn: Vec<u32>,
}

/// Room for scores, each with room for whole lanes.
struct Scores {
    /// The products of rows, sums to be.
    products: Vec<[Lanes; LANES]>,
    halves: Vec<Halves>,
    /// The scores, then the steps.
    numbers: Vec<[f32; LANES]>,
    /// What losses are made of.
    factors: Vec<[f32; LANES]>,
    rests: Vec<[f32; LANES]>,
}

impl Scores {
    fn new(count: usize) -> Scores {
        let count = count.div_ceil(LANES);
        Scores {
            products: vec![[Lanes::ZERO; LANES]; count],
            halves: vec![[Lanes::ZERO; LANES / 2]; count],
            numbers: vec![[0.0; LANES]; count],
            factors: vec![[0.0; LANES]; count],
            rests: vec![[0.0; LANES]; count],
        }
    }
}

impl Scratch {
    pub(crate) fn new(step: &Step) -> Scratch {
        let (fives, ones) = (step.negatives / TILE, step.negatives % TILE);
        let scores = (GROUP * step.negatives.max(1)).max(PATHS * step.longest);
        Scratch {
            five_gains: vec![[Lanes::ZERO; TILE]; step.width * fives],
            one_gains: vec![[Lanes::ZERO; 1]; step.width * ones],
            input: vec![Lanes::ZERO; step.width],
            scores: Scores::new(scores),
            labels: vec![[0.0; LANES]; (PATHS * step.longest).div_ceil(LANES)],
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
        let scores = &mut scratch.scores;
        let products = scores.products.as_flattened_mut().iter_mut();
        for (i, (product, pair)) in products.zip(pairs).enumerate() {
            if let Some(next) = next.get(i) {
                prefetch(&rows[next.row as usize * width..][..width]);
                prefetch(&columns[next.target as usize * width..][..width]);
            }
            let h = &rows[pair.row as usize * width..][..width];
            let t = &columns[pair.target as usize * width..][..width];
            *product = row_product(h, t);
        }
        let loss = self.saturation.steps(Labels::Ones, rate, scores, pairs.len());
        for (pair, &g) in pairs.iter().zip(scores.numbers.as_flattened()) {
            let h = &mut rows[pair.row as usize * width..][..width];
            let t = &mut columns[pair.target as usize * width..][..width];
            let g = Lanes::all(g);
            for (h, t) in h.iter_mut().zip(t) {
                let old = *h;
                *h = old.plus(t.times(g));
                *t = t.plus(old.times(g));
            }
        }
        loss
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
        let Scratch { input, labels, scores, .. } = scratch;
        let mut count = 0;
        let products = scores.products.as_flattened_mut();
        let all_labels = labels.as_flattened_mut();
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
            let row = |node: PathStep| &columns[node.place() * width..][..width];
            let path = tree.piece(pair.target);
            for (label, step) in all_labels[count..].iter_mut().zip(path) {
                *label = step.label();
            }
            let to = &mut products[count..][..path.len()];
            let (fours, rest) = path.as_chunks::<NODES>();
            let (to_fours, to_rest) = to.as_chunks_mut::<NODES>();
            for (to, four) in to_fours.iter_mut().zip(fours) {
                let [a, b, c, d] = *four;
                *to = row_products(h, [row(a), row(b), row(c), row(d)]);
            }
            for (to, step) in to_rest.iter_mut().zip(rest) {
                *to = row_product(h, row(*step));
            }
            count += path.len();
        }
        all_labels[count..count.next_multiple_of(LANES)].fill(0.0);
        let loss = self.saturation.steps(Labels::Each(labels), rate, scores, count);
        let mut left = &scores.numbers.as_flattened()[..count];
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
        loss
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
        let Scratch { five_gains, one_gains, input, scores, labels: _, drawn } = scratch;
        let (drawn, next_drawn) = drawn[group * negatives..].split_at(negatives);
        let (fives, ones) = drawn.as_chunks::<TILE>();
        prefetch_rows(next_drawn.iter().copied().take(negatives), columns, width);

        // Scores. Lanes are summed in loops of their own: in this one it would keep the compiler from
        // using wide registers.
        let count = pairs.len() * negatives;
        let products = scores.products.as_flattened_mut()[..count].chunks_mut(negatives);
        for (i, (products, pair)) in products.zip(pairs).enumerate() {
            if let Some(next) = next.get(i) {
                prefetch(&rows[next.row as usize * width..][..width]);
            }
            let h = &rows[pair.row as usize * width..][..width];
            let row = |id: u32| &columns[id as usize * width..][..width];
            let (to_fives, to_ones) = products.as_chunks_mut::<TILE>();
            for (to, five) in to_fives.iter_mut().zip(fives) {
                let [a, b, c, d, e] = *five;
                *to = row_products(h, [row(a), row(b), row(c), row(d), row(e)]);
            }
            for (to, &one) in to_ones.iter_mut().zip(ones) {
                *to = row_product(h, row(one));
            }
        }
        let labels = Labels::Zeros(if own { Some((pairs, drawn)) } else { None });
        let loss = self.saturation.steps(labels, rate, scores, count);
        let scores = &scores.numbers.as_flattened()[..count];

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
        loss
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
    let mut groups = pairs.chunks(PATHS).enumerate().peekable();
    while let Some((i, group)) = groups.next() {
        let next = groups.peek().map_or(&[][..], |&(_, next)| next);
        // The nodes of the next ones are asked for now, so where they stand in the tree before that.
        if !near {
            for pair in pairs.iter().skip((i + 2) * PATHS).take(PATHS) {
                tree.prefetch(pair.target);
            }
        }
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

/// The labels of scores.
#[derive(Clone, Copy)]
enum Labels<'a> {
    Ones,
    /// Examples with their negatives, if one of these may be a target and is to be left out there.
    Zeros(Option<(&'a [Pair], &'a [u32])>),
    Each(&'a [[f32; LANES]]),
}

/// A score that is so certain that its loss is 0.
const CERTAIN: f32 = 20.0;
/// Lanes of scores whose losses are summed up by one logarithm: a product of numbers up to 2 each.
const TOGETHER: usize = 64;

impl Saturation {
    /// Makes `count` scores of products, and these steps, rate · (y − σ(x)). Returns the sum of the
    /// losses.
    #[inline(always)]
    fn steps(self, labels: Labels<'_>, rate: f32, scores: &mut Scores, count: usize) -> f32 {
        let lanes = count.div_ceil(LANES);
        let Scores { products, halves, numbers, factors, rests } = scores;
        let (numbers, factors, rests) =
            (&mut numbers[..lanes], &mut factors[..lanes], &mut rests[..lanes]);
        sums(&products[..lanes], halves, numbers);
        let numbers = numbers.as_flattened_mut();
        // What fills up the last lanes loses nothing.
        numbers[count..].fill(match labels {
            Labels::Ones => CERTAIN,
            Labels::Zeros(_) | Labels::Each(_) => -CERTAIN,
        });
        let left_out = |numbers: &mut [f32], number: f32| {
            let Labels::Zeros(Some((pairs, drawn))) = labels else { return };
            for (numbers, pair) in numbers.chunks_mut(drawn.len()).zip(pairs) {
                for (score, &negative) in numbers.iter_mut().zip(drawn) {
                    if negative == pair.target {
                        *score = number;
                    }
                }
            }
        };
        left_out(numbers, -CERTAIN);
        let (all_factors, all_rests) = (factors.as_flattened_mut(), rests.as_flattened_mut());
        match labels {
            Labels::Ones => {
                self.steps_of(std::iter::repeat(1.0), rate, numbers, all_factors, all_rests);
            }
            Labels::Zeros(_) => {
                self.steps_of(std::iter::repeat(0.0), rate, numbers, all_factors, all_rests);
            }
            Labels::Each(labels) => {
                let labels = labels.as_flattened().iter().copied();
                self.steps_of(labels, rate, numbers, all_factors, all_rests);
            }
        }
        left_out(numbers, 0.0);
        total(factors, rests)
    }

    /// Scores x become steps. Leaves 1 + e^−|x| and the rest of the loss, which is the logarithm of
    /// that and this rest. One long loop, which the compiler makes wide.
    #[inline(always)]
    fn steps_of(
        self,
        labels: impl Iterator<Item = f32>,
        rate: f32,
        scores: &mut [f32],
        factors: &mut [f32],
        rests: &mut [f32],
    ) {
        let (limit, left_out) = (self.limit, if self.skip { self.limit } else { f32::INFINITY });
        let all = scores.iter_mut().zip(factors).zip(rests).zip(labels);
        for (((score, factor), rest), label) in all {
            let x = *score;
            let e = exp_of_negative(-x.abs());
            let large = 1.0 / (1.0 + e);
            let sigmoid = if x > 0.0 { large } else { e * large };
            let sigmoid = if x >= limit { 1.0 } else { sigmoid };
            let sigmoid = if x <= -limit { 0.0 } else { sigmoid };
            let step = rate * (label - sigmoid);
            *score = if x.abs() >= left_out { 0.0 } else { step };
            let positive = if x > 0.0 { x } else { 0.0 };
            *factor = 1.0 + e;
            *rest = positive - label * x;
        }
    }
}

/// Σ ln f + r over factors from 1 to 2 and rests.
#[inline(always)]
fn total(factors: &[[f32; LANES]], rests: &[[f32; LANES]]) -> f32 {
    let mut sum = Lanes::ZERO;
    for (factors, rests) in factors.chunks(TOGETHER).zip(rests.chunks(TOGETHER)) {
        // Σ ln f = ln Π f
        let mut product = Lanes::all(1.0);
        for (factor, rest) in factors.iter().zip(rests) {
            product = product.times(Lanes(*factor));
            sum = sum.plus(Lanes(*rest));
        }
        for (sum, product) in sum.0.iter_mut().zip(product.0) {
            *sum += log(product);
        }
    }
    sum.sum()
}

mod rows;
#[cfg(test)]
mod tests;
