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
        let mut scores = Scores::new(1);
        scores.products[0][0].0[3] = x;
        let labels = if label == 1.0 { Labels::Ones } else { Labels::Zeros(None) };
        let loss = saturation.steps(labels, 1.0, &mut scores, 1);
        (scores.numbers[0][0], loss)
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
