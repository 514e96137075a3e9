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
//! [`targets`] trains what is to be predicted. [`negatives`] trains inputs against
//! negatives, output rows with label 0, which up to [`GROUP`] of them share (Ji et al. 2016 share them
//! in a window). Scores are those at a group's start; rows move in the order of the examples; what the
//! negatives gain is summed and added last.
//!
//! There is no table of the sigmoid, no fused multiply-add, no approximate instruction: the bits are
//! the same on every processor. The programs this follows take σ from tables of 1,000 or 512 steps,
//! and stop or saturate at scores of 6 or 8: see [`Saturation`].

use lexmill_vocab::Random;

use super::noise::Noise;
use crate::lanes::{Lanes, exp_of_negative, for_processors, log_of_one_plus, prefetch, sums};

/// Examples that may share negatives.
pub(crate) const GROUP: usize = 16;
/// Negatives that are handled together.
const TILE: usize = 5;

/// An example: places of the rows in their blocks, and the label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) row: u32,
    /// The top bit is set if the label is 0.
    target: u32,
}

/// The bit of [`Pair::target`] that says the label is 0.
const LABEL_0: u32 = 1 << 31;

impl Pair {
    #[inline(always)]
    pub(crate) fn new(row: u32, target: u32, label: bool) -> Pair {
        Pair { row, target: if label { target } else { target | LABEL_0 } }
    }

    #[inline(always)]
    fn target(self) -> usize {
        (self.target & !LABEL_0) as usize
    }
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
    pub(crate) saturation: Saturation,
}

/// Room for a group's numbers, kept from group to group.
pub(crate) struct Scratch {
    /// Negative rows, and what they gain: tiles one after the other, lane by lane.
    fives: Vec<[Lanes; TILE]>,
    five_gains: Vec<[Lanes; TILE]>,
    ones: Vec<[Lanes; 1]>,
    one_gains: Vec<[Lanes; 1]>,
    /// An input row before it moves.
    input: Vec<Lanes>,
    /// Of each example with its target or with each of its negatives: the product of the rows, sums
    /// to be; the labels; the scores, then the steps; the losses.
    products: Vec<Lanes>,
    halves: Vec<[f32; 4]>,
    labels: Vec<f32>,
    scores: Vec<f32>,
    losses: Vec<f32>,
    /// The negatives of this group and of the next.
    drawn: Vec<u32>,
    next_drawn: Vec<u32>,
}

impl Scratch {
    pub(crate) fn new(step: &Step) -> Scratch {
        let (fives, ones) = (step.negatives / TILE, step.negatives % TILE);
        let scores = GROUP * step.negatives.max(1);
        Scratch {
            fives: vec![[Lanes::ZERO; TILE]; step.width * fives],
            five_gains: vec![[Lanes::ZERO; TILE]; step.width * fives],
            ones: vec![[Lanes::ZERO; 1]; step.width * ones],
            one_gains: vec![[Lanes::ZERO; 1]; step.width * ones],
            input: vec![Lanes::ZERO; step.width],
            products: vec![Lanes::ZERO; scores],
            halves: vec![[0.0; 4]; scores],
            labels: vec![0.0; GROUP],
            scores: vec![0.0; scores],
            losses: vec![0.0; scores],
            drawn: vec![0; step.negatives],
            next_drawn: vec![0; step.negatives],
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
        let Scratch { products, halves, labels, scores, losses, .. } = scratch;
        let products = &mut products[..pairs.len()];
        for (i, (product, pair)) in products.iter_mut().zip(pairs).enumerate() {
            if let Some(next) = next.get(i) {
                prefetch(&rows[next.row as usize * width..][..width]);
                prefetch(&columns[next.target() * width..][..width]);
            }
            let h = &rows[pair.row as usize * width..][..width];
            let t = &columns[pair.target() * width..][..width];
            let mut sum = Lanes::ZERO;
            for (h, t) in h.iter().zip(t) {
                sum = sum.plus(h.times(*t));
            }
            *product = sum;
        }
        let (scores, losses) = (&mut scores[..pairs.len()], &mut losses[..pairs.len()]);
        sums(products, halves, scores);
        for (label, pair) in labels.iter_mut().zip(pairs) {
            *label = if pair.target & LABEL_0 == 0 { 1.0 } else { 0.0 };
        }
        self.saturation.steps(labels.iter().copied(), rate, scores, losses);
        for (pair, &g) in pairs.iter().zip(&*scores) {
            let h = &mut rows[pair.row as usize * width..][..width];
            let t = &mut columns[pair.target() * width..][..width];
            let g = Lanes::all(g);
            for (h, t) in h.iter_mut().zip(t) {
                let old = *h;
                *h = old.plus(t.times(g));
                *t = t.plus(old.times(g));
            }
        }
        total(losses)
    }

    #[inline(always)]
    fn negative_group(
        &self,
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
            fives,
            five_gains,
            ones,
            one_gains,
            input,
            products,
            halves,
            labels: _,
            scores,
            losses,
            drawn,
            next_drawn,
        } = scratch;
        let (five_ids, one_ids) = drawn.split_at(negatives / TILE * TILE);
        copy_rows(fives, five_ids, columns, width);
        copy_rows(ones, one_ids, columns, width);
        for &id in &*next_drawn {
            prefetch(&columns[id as usize * width..][..width]);
        }

        // Scores. Lanes are summed in a loop of their own: in this one it would keep the compiler from
        // using wide registers.
        let count = pairs.len() * negatives;
        let products = &mut products[..count];
        for (i, (products, pair)) in products.chunks_mut(negatives).zip(pairs).enumerate() {
            if let Some(next) = next.get(i) {
                prefetch(&rows[next.row as usize * width..][..width]);
            }
            let h = &rows[pair.row as usize * width..][..width];
            let (five_products, one_products) = products.split_at_mut(five_ids.len());
            let five_products = five_products.as_chunks_mut::<TILE>().0;
            for (to, tile) in five_products.iter_mut().zip(fives.chunks(width)) {
                *to = tile_products(h, tile);
            }
            for (to, tile) in one_products.iter_mut().zip(ones.chunks(width)) {
                [*to] = tile_products(h, tile);
            }
        }
        let (scores, losses) = (&mut scores[..count], &mut losses[..count]);
        sums(products, halves, scores);
        self.saturation.steps(std::iter::repeat(0.0), rate, scores, losses);
        if own {
            let examples = scores.chunks_mut(negatives).zip(losses.chunks_mut(negatives));
            for ((scores, losses), pair) in examples.zip(pairs) {
                for ((score, loss), &negative) in scores.iter_mut().zip(losses).zip(&*drawn) {
                    if negative == pair.target {
                        (*score, *loss) = (0.0, 0.0);
                    }
                }
            }
        }

        // Rows move, and negatives gain.
        five_gains.fill([Lanes::ZERO; TILE]);
        one_gains.fill([Lanes::ZERO; 1]);
        for (steps, pair) in scores.chunks(negatives).zip(pairs) {
            let h = &mut rows[pair.row as usize * width..][..width];
            for (input, h) in input.iter_mut().zip(&*h) {
                *input = *h;
            }
            let (five_steps, one_steps) = steps.split_at(five_ids.len());
            let tiles = fives.chunks(width).zip(five_gains.chunks_mut(width));
            for ((tile, gains), steps) in tiles.zip(five_steps.as_chunks::<TILE>().0) {
                move_rows(h, input, tile, gains, *steps);
            }
            let tiles = ones.chunks(width).zip(one_gains.chunks_mut(width));
            for ((tile, gains), &step) in tiles.zip(one_steps) {
                move_rows(h, input, tile, gains, [step]);
            }
        }
        add_rows(five_gains, five_ids, columns, width);
        add_rows(one_gains, one_ids, columns, width);
        total(losses)
    }
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
    let mut groups = pairs.chunks(step.group).peekable();
    scratch.next_drawn.fill_with(|| draw.noise.draw(&mut draw.random));
    while let Some(group) = groups.next() {
        let next = groups.peek().copied().unwrap_or_default();
        std::mem::swap(&mut scratch.drawn, &mut scratch.next_drawn);
        scratch.next_drawn.fill_with(|| draw.noise.draw(&mut draw.random));
        loss += f64::from(step.negative_group(group, next, own, rows, columns, rate, scratch));
    }
    loss
}

/// Where negatives come from.
pub(crate) struct Draw<'a> {
    pub(crate) noise: &'a Noise,
    pub(crate) random: Random,
}

impl Saturation {
    /// Scores become steps, rate · (y − σ(x)); also gives the losses.
    #[inline(always)]
    fn steps(
        self,
        labels: impl Iterator<Item = f32>,
        rate: f32,
        scores: &mut [f32],
        losses: &mut [f32],
    ) {
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

/// Copies rows of a block, lane by lane, tile by tile.
#[inline(always)]
fn copy_rows<const K: usize>(to: &mut [[Lanes; K]], ids: &[u32], columns: &[Lanes], width: usize) {
    for (tile, ids) in to.chunks_mut(width).zip(ids.chunks(K)) {
        for (j, &id) in ids.iter().enumerate() {
            let row = &columns[id as usize * width..][..width];
            for (to, from) in tile.iter_mut().zip(row) {
                to[j] = *from;
            }
        }
    }
}

/// Adds to rows of a block what [`copy_rows`] laid out.
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

/// Products of an input row with the rows of a tile, lane by lane.
#[inline(always)]
fn tile_products<const K: usize>(h: &[Lanes], tile: &[[Lanes; K]]) -> [Lanes; K] {
    let mut sums = [Lanes::ZERO; K];
    for (h, tile) in h.iter().zip(tile) {
        for (sum, n) in sums.iter_mut().zip(tile) {
            *sum = sum.plus(h.times(*n));
        }
    }
    sums
}

/// Moves an input row by the rows of a tile, and adds what these gain: `input` is the row before.
#[inline(always)]
fn move_rows<const K: usize>(
    h: &mut [Lanes],
    input: &[Lanes],
    tile: &[[Lanes; K]],
    gains: &mut [[Lanes; K]],
    steps: [f32; K],
) {
    let steps = steps.map(Lanes::all);
    for (((h, input), tile), gains) in h.iter_mut().zip(input).zip(tile).zip(gains) {
        let mut moved = *h;
        for ((n, gain), step) in tile.iter().zip(gains).zip(steps) {
            moved = moved.plus(n.times(step));
            *gain = gain.plus(input.times(step));
        }
        *h = moved;
    }
}

#[cfg(test)]
mod tests {
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
        Step { width: dim.div_ceil(8), negatives, group: GROUP, saturation }
    }

    /// Both kinds of step on a group; the sum of their losses.
    fn group(
        step: &Step,
        pairs: &[Pair],
        drawn: &[u32],
        rows: &mut [Lanes],
        columns: &mut [Lanes],
        rate: f32,
    ) -> f64 {
        let mut scratch = Scratch::new(step);
        scratch.drawn.copy_from_slice(drawn);
        f64::from(match drawn {
            [] => step.target_group(pairs, &[], rows, columns, rate, &mut scratch),
            _ => step.negative_group(pairs, &[], true, rows, columns, rate, &mut scratch),
        })
    }

    /// The loss of a group, by the formula: of its targets, or if there are some of its negatives.
    fn loss(pairs: &[Pair], drawn: &[u32], rows: &[f64], columns: &[f64], stride: usize) -> f64 {
        let score = |pair: &Pair, column: usize| -> f64 {
            let (h, t) = (pair.row as usize * stride, column * stride);
            (0..stride).map(|k| rows[h + k] * columns[t + k]).sum()
        };
        let softplus = |x: f64| x.max(0.0) + (-x.abs()).exp().ln_1p();
        let label = |pair: &Pair| if pair.target & LABEL_0 == 0 { 1.0 } else { 0.0 };
        pairs
            .iter()
            .map(|pair| match drawn {
                [] => {
                    let x = score(pair, pair.target());
                    softplus(x) - label(pair) * x
                }
                _ => {
                    let negatives = drawn.iter().filter(|&&n| n as usize != pair.target());
                    negatives.map(|&n| softplus(score(pair, n as usize))).sum()
                }
            })
            .sum()
    }

    /// What a step adds is −rate times the derivative of the loss, by finite differences. Rows are
    /// used once each, since rows that move twice move from two places.
    #[test]
    fn steps_are_gradients() {
        for (dim, negatives, count) in [
            (5, 0, 3),
            (100, 0, 16),
            (8, 1, 16),
            (13, 5, 16),
            (20, 7, 9),
            (9, 12, 16),
            (100, 5, 16),
        ] {
            let step = step(dim, negatives, EXACT);
            let stride = step.width * 8;
            let pairs: Vec<Pair> =
                (0..count).map(|i| Pair::new(i, 40 - i, negatives > 0 || i % 2 == 0)).collect();
            // One of them is the target of an example.
            let mut drawn: Vec<u32> = (0..negatives as u32).collect();
            if let Some(last) = drawn.last_mut() {
                *last = 40;
            }
            let (mut h, mut t) = (rows(16, dim, 1), rows(41, dim, 2));
            let (old_h, old_t) = (wide(&h), wide(&t));
            let rate = 0.01;
            let found = group(&step, &pairs, &drawn, &mut h, &mut t, rate);
            let expected = loss(&pairs, &drawn, &old_h, &old_t, stride);
            assert!((found - expected).abs() < 1e-4 * expected, "{found} {expected}");
            let small = 1e-5;
            for (side, (old, new)) in [(&old_h, wide(&h)), (&old_t, wide(&t))].iter().enumerate() {
                for place in 0..old.len() {
                    let at = |shift: f64| {
                        let mut moved = (*old).clone();
                        moved[place] += shift;
                        match side {
                            0 => loss(&pairs, &drawn, &moved, &old_t, stride),
                            _ => loss(&pairs, &drawn, &old_h, &moved, stride),
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

    /// Rows that come again move in the order of the examples, by steps of the group's start.
    #[test]
    fn rows_that_come_again_move_in_order() {
        let mut random = Random::named(&[3]);
        for negatives in [0, 5, 8].repeat(20) {
            let (dim, step) = (11, step(11, negatives, EXACT));
            let stride = step.width * 8;
            let pairs: Vec<Pair> =
                (0..16).map(|_| Pair::new(random.below(4), random.below(5), true)).collect();
            let drawn: Vec<u32> = (0..negatives).map(|_| random.below(6)).collect();
            let (mut h, mut t) = (rows(4, dim, 1), rows(6, dim, 2));
            let (mut plain_h, mut plain_t) = (wide(&h), wide(&t));
            group(&step, &pairs, &drawn, &mut h, &mut t, 0.05);
            let (start_h, start_t) = (plain_h.clone(), plain_t.clone());
            let g = |pair: &Pair, column: usize, label: f64| {
                let x: f64 = (0..stride)
                    .map(|k| start_h[pair.row as usize * stride + k] * start_t[column * stride + k])
                    .sum();
                0.05 * (label - 1.0 / (1.0 + (-x).exp()))
            };
            let mut gains = vec![0.0; start_t.len()];
            for pair in &pairs {
                let target = pair.target();
                for k in 0..stride {
                    let i = pair.row as usize * stride + k;
                    let before = plain_h[i];
                    if drawn.is_empty() {
                        let j = target * stride + k;
                        plain_h[i] += g(pair, target, 1.0) * plain_t[j];
                        plain_t[j] += g(pair, target, 1.0) * before;
                    }
                    for &n in drawn.iter().filter(|&&n| n as usize != target) {
                        let j = n as usize * stride + k;
                        plain_h[i] += g(pair, n as usize, 0.0) * start_t[j];
                        gains[j] += g(pair, n as usize, 0.0) * before;
                    }
                }
            }
            plain_t.iter_mut().zip(gains).for_each(|(t, gain)| *t += gain);
            let found = wide(&h).into_iter().chain(wide(&t));
            for (found, expected) in found.zip(plain_h.iter().chain(&plain_t)) {
                assert!((found - expected).abs() < 1e-5, "{found} {expected}");
            }
        }
    }

    #[test]
    fn large_scores_saturate_as_asked() {
        let both = |saturation: Saturation, x: f32, label: f32| {
            let (mut score, mut loss) = ([x], [0.0]);
            saturation.steps(std::iter::once(label), 1.0, &mut score, &mut loss);
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
        for drawn in [5, 8] {
            let step = step(37, drawn, EXACT);
            let noise = Noise::new(&[1.0; 9]);
            let (mut h, mut t) = (rows(9, 37, 1), rows(9, 37, 2));
            let (mut other_h, mut other_t) = (h.clone(), t.clone());
            let mut random = Random::named(&[6]);
            let pairs: Vec<Pair> = (0..1000)
                .map(|_| Pair::new(random.below(9), random.below(9), random.below(2) == 0))
                .collect();
            let mut scratch = Scratch::new(&step);
            let mut draw = Draw { noise: &noise, random: random.clone() };
            let loss = targets(&step, &pairs, &mut h, &mut t, 0.05, &mut scratch)
                + negatives(&step, &pairs, true, &mut h, &mut t, &mut draw, 0.05, &mut scratch);
            let (h2, t2) = (&mut other_h, &mut other_t);
            draw.random = random;
            let other = targets_portable(&step, &pairs, h2, t2, 0.05, &mut scratch)
                + negatives_portable(&step, &pairs, true, h2, t2, &mut draw, 0.05, &mut scratch);
            assert_eq!(loss.to_bits(), other.to_bits());
            let bits = |rows: &[Lanes]| {
                rows.iter().flat_map(|x| x.0).map(f32::to_bits).collect::<Vec<u32>>()
            };
            assert_eq!((bits(&h), bits(&t)), (bits(&other_h), bits(&other_t)));
        }
    }
}
