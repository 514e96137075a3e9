use lexmill_vocab::{BlockLayout, Subwords, Vocabulary, WordCount};

use super::batch::Batching;
use super::*;
use crate::word2vec::huffman::Tree;
use crate::word2vec::matrix::Layout;
use crate::word2vec::settings::{Architecture, CbowSettings, SkipgramSettings};
use crate::word2vec::subwords::WordRows;
use crate::word2vec::text::START;

const WORDS: usize = 14;
const BLOCKS: u32 = 4;

fn vocabulary() -> Vocabulary {
    let word = |i: u64| WordCount { word: format!("w{}x{i:x}", i % 3), count: 100 - i };
    Vocabulary::ranked((0..WORDS as u64).map(word).collect(), None, &[])
}

fn settings(kind: &str, fields: &str) -> Word2vecSettings {
    match kind {
        "cbow" => serde_json::from_str::<CbowSettings>(fields).unwrap().0,
        _ => serde_json::from_str::<SkipgramSettings>(fields).unwrap().0,
    }
}

fn outputs(tree: Option<&Tree>) -> Outputs<'_> {
    tree.map_or(Outputs::Words(Split::new(BlockLayout::new(WORDS, BLOCKS))), Outputs::Nodes)
}

fn split(input: &Matrix) -> Split {
    Split::new(BlockLayout::new(input.layout.rows(), BLOCKS))
}

struct Lab {
    settings: Word2vecSettings,
    rows: Option<WordRows>,
    tree: Option<Tree>,
    noise: Vec<Noise>,
    batch: Batch,
    input: Matrix,
    output: Matrix,
}

impl Lab {
    /// With windows of any size, or all of two words.
    fn new(kind: &str, fields: &str, even: bool) -> Lab {
        let (settings, vocabulary) = (settings(kind, fields), vocabulary());
        let ngrams = settings.ngrams().map(|_| Subwords { minn: 2, maxn: 3, bucket: 40 });
        let rows = ngrams.map(|ngrams| WordRows::new(&vocabulary, ngrams));
        let tree =
            settings.hierarchical().then(|| Tree::new(&vocabulary, vocabulary.counts(), BLOCKS));
        let dealt = BlockLayout::new(WORDS, BLOCKS);
        let layout = tree.as_ref().map_or(Layout::Dealt(dealt), |tree| tree.layout().clone());
        let inputs = WORDS + rows.as_ref().map_or(0, |rows| rows.buckets.len());
        let mut input = Matrix::zeros(Layout::Dealt(BlockLayout::new(inputs, BLOCKS)), 5);
        let mut output = Matrix::zeros(layout, 5);
        for (role, matrix) in [&mut input, &mut output].into_iter().enumerate() {
            matrix.randomize(0.6, |row| Random::named(&[role as u64, u64::from(row)]));
        }
        let batching = Batching {
            words: WORDS,
            architecture: settings.architecture,
            rows: rows.as_ref(),
            windows: 64,
            outputs: outputs(tree.as_ref()),
            inputs: split(&input),
        };
        let mut kept = vec![START, 3, 0, 7, 0, 12, 5, START, 9, START, 1, 13, 2, 2, 8, 11];
        let mut reaches = vec![1, 2, 1, 3, 2, 2, 1, 1, 3, 1, 2, 1, 2, 1, 2, 2];
        let mut centers = 0..16;
        if even {
            kept.retain(|&word| word != START);
            reaches.fill(1);
            centers = 1..kept.len() - 1;
        }
        let random = Random::named(&[8]);
        let mut batches = batching.batches(&kept, centers, &reaches, random);
        let batch = batches.remove(0);
        assert!(batches.is_empty());
        let noise = match settings.hierarchical() {
            true => Vec::new(),
            false => Noise::blocks(&vocabulary, dealt, 0.75),
        };
        Lab { settings, rows, tree, noise, batch, input, output }
    }

    /// Trains on the batch; the loss.
    fn train(&mut self, rate: f32) -> f64 {
        let step = Step {
            width: width(5),
            negatives: if self.settings.hierarchical() { 0 } else { 3 },
            longest: self.tree.as_ref().map_or(0, Tree::longest),
            group: 4,
            saturation: self.settings.saturation(),
        };
        let split = (split(&self.input), outputs(self.tree.as_ref()));
        let mut composer = Composer::new(&self.settings, step, split);
        let jobs = [Job { batch: self.batch.clone(), rate, name: [1, 2, 3, 4] }];
        let losses = composer.train(&jobs, &mut self.input, &mut self.output, &self.noise, |_| {});
        losses[0]
    }

    /// The derivative of the loss by a number of a row, by finite differences. At rate 0 nothing moves.
    fn derivative(&mut self, side: usize, row: u32, place: usize) -> f64 {
        let mut at = |shift: f32| {
            let matrix = if side == 0 { &mut self.input } else { &mut self.output };
            matrix.row_mut(row)[0].0[place] += shift;
            let loss = self.train(0.0);
            let matrix = if side == 0 { &mut self.input } else { &mut self.output };
            matrix.row_mut(row)[0].0[place] -= shift;
            loss
        };
        let shift = 0.02;
        (at(shift) - at(-shift)) / (2.0 * f64::from(shift))
    }

    /// How often a model that keeps word2vec's habit adds the true gradient: a row is one of so many.
    fn habit(&self) -> f64 {
        let windows = if self.settings.architecture == Architecture::Cbow { 2 } else { 1 };
        let rows = self.rows.as_ref().map_or(1, |rows| {
            let count = rows.of(0).len();
            assert!((0..WORDS as u32).all(|word| rows.of(word).len() == count));
            count
        });
        (windows * rows) as f64
    }
}

/// Every model moves against the gradient of its loss, found by finite differences: by all of it, or
/// with word2vec's habit by n times as much where an input is the mean of n rows.
#[test]
fn models_move_against_the_gradient() {
    for (kind, fields, habit) in [
        ("cbow", r#"{"cbow_gradient": "mean"}"#, false),
        ("cbow", r#"{"cbow_mean": false}"#, false),
        ("cbow", r#"{"loss": "hs", "cbow_gradient": "mean"}"#, false),
        ("cbow", r#"{"loss": "hs", "cbow_mean": false}"#, false),
        ("cbow", r#"{"subwords": true, "cbow_gradient": "mean"}"#, false),
        ("cbow", r#"{"subwords": true, "loss": "hs", "cbow_mean": false}"#, false),
        ("cbow", r#"{}"#, true),
        ("cbow", r#"{"loss": "hs"}"#, true),
        ("cbow", r#"{"subwords": true}"#, true),
        ("skipgram", r#"{"subwords": true}"#, true),
        ("skipgram", r#"{"subwords": true, "loss": "hs"}"#, true),
    ] {
        let mut lab = Lab::new(kind, fields, habit);
        let mut trained = Lab::new(kind, fields, habit);
        let rate = 4e-4;
        let loss = trained.train(rate);
        assert!((loss - lab.train(0.0)).abs() < 0.01 * loss, "{fields}");
        let mut seen = 0;
        for side in [0, 1] {
            let rows = if side == 0 { &lab.input } else { &lab.output }.layout.rows() as u32;
            let times = if side == 0 && habit { lab.habit() } else { 1.0 };
            for row in 0..rows {
                for place in 0..5 {
                    let derivative = times * lab.derivative(side, row, place);
                    let of = |lab: &Lab| {
                        let matrix = if side == 0 { &lab.input } else { &lab.output };
                        f64::from(matrix.row(row)[0].0[place])
                    };
                    let moved = (of(&trained) - of(&lab)) / -f64::from(rate);
                    assert!(
                        (moved - derivative).abs() < 0.01 * times + 0.03 * derivative.abs(),
                        "{kind} {fields} {side} {row} {place}: {moved} {derivative}"
                    );
                    seen += usize::from(derivative.abs() > 0.1 * times);
                }
            }
        }
        assert!(seen > 30, "{kind} {fields}: {seen} numbers have a gradient");
    }
}

/// Threads do not show.
#[test]
fn threads_share_nothing() {
    let bits = |lab: &Lab| -> Vec<u32> {
        let blocks = lab.input.blocks.iter().chain(&lab.output.blocks).flatten();
        blocks.flat_map(|lanes| lanes.0).map(f32::to_bits).collect()
    };
    for (kind, fields) in [
        ("cbow", "{}"),
        ("cbow", r#"{"loss": "hs", "subwords": true}"#),
        ("skipgram", r#"{"subwords": true}"#),
    ] {
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let mut lab = Lab::new(kind, fields, false);
            pool.install(|| (0..20).map(|_| lab.train(0.05)).sum::<f64>());
            bits(&lab)
        };
        assert_eq!(run(1), run(3), "{kind} {fields}");
    }
}
