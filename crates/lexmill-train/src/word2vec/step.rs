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
use crate::lanes::{LANES, Lanes, for_processors};

/// Examples that may share negatives.
pub(crate) const GROUP: usize = 16;
/// Negatives that are handled together.
const TILE: usize = 5;
const HALVES: usize = GROUP / LANES;

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
    /// Input rows at the group's start, lane by lane.
    inputs: Vec<[Lanes; GROUP]>,
    /// Negative rows, and what they gain: tiles one after the other, lane by lane.
    fives: Vec<[Lanes; TILE]>,
    five_gains: Vec<[Lanes; TILE]>,
    ones: Vec<[Lanes; 1]>,
    one_gains: Vec<[Lanes; 1]>,
    /// Products of the inputs with the targets, or with each negative: sums to be.
    products: Vec<[Lanes; GROUP]>,
    /// Steps of each negative, by example.
    scores: Vec<[Lanes; HALVES]>,
    drawn: Vec<u32>,
}

impl Scratch {
    pub(crate) fn new(step: &Step) -> Scratch {
        let (fives, ones) = (step.negatives / TILE, step.negatives % TILE);
        Scratch {
            inputs: vec![[Lanes::ZERO; GROUP]; step.width],
            fives: vec![[Lanes::ZERO; TILE]; step.width * fives],
            five_gains: vec![[Lanes::ZERO; TILE]; step.width * fives],
            ones: vec![[Lanes::ZERO; 1]; step.width * ones],
            one_gains: vec![[Lanes::ZERO; 1]; step.width * ones],
            products: vec![[Lanes::ZERO; GROUP]; step.negatives.max(1)],
            scores: vec![[Lanes::ZERO; HALVES]; step.negatives],
            drawn: vec![0; step.negatives],
        }
    }
}

impl Step {
    #[inline(always)]
    fn target_group(
        &self,
        pairs: &[Pair],
        rows: &mut [Lanes],
        columns: &mut [Lanes],
        rate: f32,
        scratch: &mut Scratch,
    ) -> f32 {
        let width = self.width;
        let products = &mut scratch.products[0];
        for (product, pair) in products.iter_mut().zip(pairs) {
            let h = &rows[pair.row as usize * width..][..width];
            let t = &columns[pair.target() * width..][..width];
            let mut sum = Lanes::ZERO;
            for (h, t) in h.iter().zip(t) {
                sum = sum.plus(h.times(*t));
            }
            *product = sum;
        }
        // Examples that the group lacks step by nothing.
        let mut steps = [Lanes::ZERO; HALVES];
        let mut loss = Lanes::ZERO;
        let halves = pairs.len().div_ceil(LANES);
        for (half, (step, products)) in
            steps.iter_mut().zip(products.as_chunks().0).enumerate().take(halves)
        {
            let member = |i: usize| pairs.get(half * 8 + i);
            let label = Lanes(std::array::from_fn(|i| match member(i) {
                Some(pair) if pair.target & LABEL_0 == 0 => 1.0,
                _ => 0.0,
            }));
            let there = Lanes(std::array::from_fn(|i| f32::from(u8::from(member(i).is_some()))));
            let (g, l) = self.saturation.step(Lanes::sums(products), label);
            *step = g.times(there).times(Lanes::all(rate));
            loss = loss.plus(l.times(there));
        }
        for (i, pair) in pairs.iter().enumerate() {
            let h = &mut rows[pair.row as usize * width..][..width];
            let t = &mut columns[pair.target() * width..][..width];
            let g = Lanes::all(steps[i / 8].0[i % 8]);
            for (h, t) in h.iter_mut().zip(t) {
                let old = *h;
                *h = old.plus(t.times(g));
                *t = t.plus(old.times(g));
            }
        }
        loss.sum()
    }

    #[inline(always)]
    fn negative_group(
        &self,
        pairs: &[Pair],
        own: bool,
        rows: &mut [Lanes],
        columns: &mut [Lanes],
        rate: f32,
        scratch: &mut Scratch,
    ) -> f32 {
        let width = self.width;
        let Scratch { inputs, fives, five_gains, ones, one_gains, products, scores, drawn } =
            scratch;
        let (five_ids, one_ids) = drawn.split_at(self.negatives / TILE * TILE);
        copy_rows(fives, five_ids, columns, width);
        copy_rows(ones, one_ids, columns, width);

        // Scores. Lanes are summed in a loop of their own: in this one it would keep the compiler from
        // using wide registers.
        for (i, pair) in pairs.iter().enumerate() {
            let h = &rows[pair.row as usize * width..][..width];
            inputs.iter_mut().zip(h).for_each(|(kept, h)| kept[i] = *h);
            let mut to = products.iter_mut();
            for tile in fives.chunks(width) {
                to.by_ref().zip(tile_products(h, tile)).for_each(|(to, sum)| to[i] = sum);
            }
            for tile in ones.chunks(width) {
                to.by_ref().zip(tile_products(h, tile)).for_each(|(to, sum)| to[i] = sum);
            }
        }

        let mut loss = Lanes::ZERO;
        let halves = pairs.len().div_ceil(LANES);
        for ((scores, products), &negative) in scores.iter_mut().zip(products.iter()).zip(&*drawn) {
            for (half, (score, products)) in
                scores.iter_mut().zip(products.as_chunks().0).enumerate().take(halves)
            {
                let counts = Lanes(std::array::from_fn(|i| match pairs.get(half * 8 + i) {
                    Some(pair) if !(own && pair.target == negative) => 1.0,
                    _ => 0.0,
                }));
                let (g, l) = self.saturation.step(Lanes::sums(products), Lanes::ZERO);
                *score = g.times(counts).times(Lanes::all(rate));
                loss = loss.plus(l.times(counts));
            }
        }

        // What negatives gain.
        let (five_steps, one_steps) = scores.split_at(five_ids.len());
        for (gains, steps) in five_gains.chunks_mut(width).zip(five_steps.as_chunks::<TILE>().0) {
            gain(gains, steps, inputs, pairs.len());
        }
        for (gains, steps) in one_gains.chunks_mut(width).zip(one_steps) {
            gain(gains, std::array::from_ref(steps), inputs, pairs.len());
        }

        // Rows move.
        for (i, pair) in pairs.iter().enumerate() {
            let h = &mut rows[pair.row as usize * width..][..width];
            let of = |steps: &[Lanes; HALVES]| steps[i / 8].0[i % 8];
            for (tile, steps) in fives.chunks(width).zip(five_steps.as_chunks::<TILE>().0) {
                move_row(h, tile, std::array::from_fn(|j| of(&steps[j])));
            }
            for (tile, steps) in ones.chunks(width).zip(one_steps) {
                move_row(h, tile, [of(steps)]);
            }
        }
        add_rows(five_gains, five_ids, columns, width);
        add_rows(one_gains, one_ids, columns, width);
        loss.sum()
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
    for group in pairs.chunks(GROUP) {
        loss += f64::from(step.target_group(group, rows, columns, rate, scratch));
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
    for group in pairs.chunks(step.group) {
        scratch.drawn.fill_with(|| draw.noise.draw(&mut draw.random));
        loss += f64::from(step.negative_group(group, own, rows, columns, rate, scratch));
    }
    loss
}

/// Where negatives come from.
pub(crate) struct Draw<'a> {
    pub(crate) noise: &'a Noise,
    pub(crate) random: Random,
}

impl Saturation {
    /// y − σ(x), and the loss.
    #[inline(always)]
    fn step(self, x: Lanes, label: Lanes) -> (Lanes, Lanes) {
        let e = x.map(|x| if x > 0.0 { -x } else { x }).exp_of_negative();
        let large = Lanes::all(1.0).over(e.plus(Lanes::all(1.0)));
        let small = e.times(large);
        let limit = self.limit;
        let sigmoid =
            Lanes(std::array::from_fn(|i| if x.0[i] > 0.0 { large.0[i] } else { small.0[i] }));
        let sigmoid = sigmoid.with(x, |s, x| if x >= limit { 1.0 } else { s });
        let sigmoid = sigmoid.with(x, |s, x| if x <= -limit { 0.0 } else { s });
        let mut g = label.minus(sigmoid);
        if self.skip {
            g = g.with(x, |g, x| if x.abs() >= limit { 0.0 } else { g });
        }
        let softplus = e.log_of_one_plus().plus(x.map(|x| if x > 0.0 { x } else { 0.0 }));
        (g, softplus.minus(label.times(x)))
    }
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

#[inline(always)]
fn gain<const K: usize>(
    gains: &mut [[Lanes; K]],
    steps: &[[Lanes; HALVES]; K],
    inputs: &[[Lanes; GROUP]],
    count: usize,
) {
    for (gain, inputs) in gains.iter_mut().zip(inputs) {
        let mut sums = [Lanes::ZERO; K];
        for (i, input) in inputs.iter().enumerate().take(count) {
            for (sum, steps) in sums.iter_mut().zip(steps) {
                *sum = sum.plus(input.times(Lanes::all(steps[i / 8].0[i % 8])));
            }
        }
        *gain = sums;
    }
}

#[inline(always)]
fn move_row<const K: usize>(h: &mut [Lanes], tile: &[[Lanes; K]], steps: [f32; K]) {
    let steps = steps.map(Lanes::all);
    for (h, tile) in h.iter_mut().zip(tile) {
        let mut sum = *h;
        for (n, step) in tile.iter().zip(steps) {
            sum = sum.plus(n.times(step));
        }
        *h = sum;
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
            [] => step.target_group(pairs, rows, columns, rate, &mut scratch),
            _ => step.negative_group(pairs, true, rows, columns, rate, &mut scratch),
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
                    if drawn.is_empty() {
                        let (j, old) = (target * stride + k, plain_h[i]);
                        plain_h[i] += g(pair, target, 1.0) * plain_t[j];
                        plain_t[j] += g(pair, target, 1.0) * old;
                    }
                    for &n in drawn.iter().filter(|&&n| n as usize != target) {
                        let j = n as usize * stride + k;
                        plain_h[i] += g(pair, n as usize, 0.0) * start_t[j];
                        gains[j] += g(pair, n as usize, 0.0) * start_h[i];
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
        let at = |saturation: Saturation, x: f32, label: f32| {
            saturation.step(Lanes::all(x), Lanes::all(label)).0.0[3]
        };
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
        let (g, loss) = EXACT.step(Lanes::all(1e4), Lanes::ZERO);
        assert_eq!((g.0[0], loss.0[0]), (-1.0, 1e4));
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
