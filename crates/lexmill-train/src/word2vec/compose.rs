//! Inputs that are made of several rows: context windows of CBOW, and words of subwords.
//!
//! Such an input is put together from rows in many blocks, so the grid alone does not keep workers
//! apart. Batches of windows are trained in phases instead, each parallel over what it owns:
//!
//! 1. sums of the rows of each word (subwords only), each word by whoever takes it;
//! 2. the output layer, by tiles of (group of inputs, block of output rows), in the order of the
//!    grid. The first tile of a group makes its inputs ("hidden" rows), of rows that nobody writes
//!    meanwhile; all move them as if they were parameters; the last leaves how far each has moved,
//!    which is its gradient;
//! 3. sums of the gradients of each word (subwords only);
//! 4. the rows that inputs were made of move by that, each block by its owner, in the order of the
//!    inputs.
//!
//! Every sum has one order, whoever computes it. Inputs are as old as the batch.

use std::collections::HashMap;
use std::ops::Range;

use lexmill_vocab::Random;
use rayon::prelude::*;

use super::examples::{Outputs, Sorted, Sorting, Split};
use super::matrix::{Matrix, width};
use super::noise::Noise;
use super::settings::{Architecture, CbowGradient, Word2vecSettings};
use super::step::{Draw, Pair, Scratch, Step, negatives};
use super::stream;
use super::subwords::WordRows;
use super::text::{START, contexts};
use crate::grid::{Tile, train_tiles};
use crate::lanes::{Lanes, for_processors, prefetch};

/// Words whose rows one worker sums at a time.
const PART: usize = 64;
/// Rows that are asked for ahead of their turn.
const AHEAD: usize = 6;
/// Windows whose rows are asked for ahead of their turn.
const WINDOWS_AHEAD: usize = 2;
/// How often one word may stand in the inputs of a batch. Subsampling keeps natural text far below.
const MOST: u32 = 200;
/// Strips of the text that a batch has runs of windows from.
const RUNS: usize = 64;

/// Inputs and what they predict.
pub(crate) struct Batch {
    /// With subwords, the different words that inputs are made of.
    words: Option<Words>,
    /// What each input is made of: rows, or with subwords numbers of these words.
    made_of: Sorted<u32>,
    /// Where each group of inputs starts, and where the last ends.
    groups: Vec<usize>,
    /// Examples by tile: `group · output blocks + output block`; their rows count from the group's
    /// start.
    pairs: Sorted<Pair>,
    /// By input block the place in it, or with subwords by word just 0; and which of the
    /// [`Composer`]'s rows is the gradient.
    returns: Sorted<(u32, u32)>,
    /// Words that are predicted.
    pub(crate) predictions: u64,
    /// The position in the kept tokens up to which as many are done.
    pub(crate) end: usize,
}

/// What the words of a batch are made of.
struct Words {
    rows: Sorted<u32>,
    /// By input block: place in the block, and number of the word.
    returns: Sorted<(u32, u32)>,
}

/// How batches are made.
#[derive(Clone, Copy)]
pub(crate) struct Batching<'a> {
    pub(crate) architecture: Architecture,
    pub(crate) rows: Option<&'a WordRows>,
    pub(crate) windows: usize,
    pub(crate) outputs: Outputs<'a>,
    pub(crate) inputs: Split,
}

/// A center and where its contexts lie.
type Window = (u32, Range<usize>);

impl Batching<'_> {
    /// The batches of a range of centers. Neighbors in the text share words, and those who share
    /// negatives should not: the examples of a batch come in another order.
    pub(crate) fn batches(
        &self,
        kept: &[u32],
        centers: Range<usize>,
        reaches: &[u16],
        mut random: Random,
    ) -> Vec<Batch> {
        let (mut windows, mut around): (Vec<Window>, Vec<u32>) = Default::default();
        let (start, tokens) = (centers.start, centers.len());
        for (center, &reach) in centers.zip(reaches) {
            if kept[center] == START {
                continue;
            }
            let first = around.len();
            contexts(kept, center, reach as usize, |word| around.push(word));
            if around.len() > first {
                windows.push((kept[center], first..around.len()));
            }
        }
        if windows.is_empty() {
            return Vec::new();
        }
        // A batch has a run of windows from each of several strips of the text. In a run, windows that
        // share words follow each other, and their rows are in the cache; examples that follow each
        // other are of different runs.
        let number = windows.len().div_ceil(self.windows);
        let runs = match self.architecture {
            Architecture::Cbow => RUNS.min(self.windows),
            // Its inputs are made of n-grams, which share rows all over the text.
            Architecture::Skipgram => self.windows,
        };
        let strip = windows.len().div_ceil(runs).max(1);
        let run = strip.div_ceil(number.max(1)).max(1);
        let mut batches = Vec::new();
        let (mut done, mut first) = (0, 0);
        let most = around.iter().chain(windows.iter().map(|window| &window.0)).max();
        let mut counts = vec![0u32; most.map_or(0, |&most| most as usize + 1)];
        while first < strip {
            let mut run = run.min(strip - first);
            let runs_of = |run: usize| {
                windows
                    .chunks(strip)
                    .filter_map(move |strip| strip.get(first..strip.len().min(first + run)))
                    .filter(|run| !run.is_empty())
            };
            // Shorter where the text repeats itself: a row that stands in most windows would take all
            // their gradients at once, and leap.
            while run > 1 && self.repeats(runs_of(run).flatten(), &around, &mut counts) {
                run /= 2;
            }
            let mut runs: Vec<&[Window]> = runs_of(run).collect();
            first += run;
            random.shuffle(&mut runs);
            done += runs.iter().map(|run| run.len()).sum::<usize>();
            let end = start + tokens * done / windows.len();
            let batch = runs.concat();
            let mut order = Vec::with_capacity(batch.len());
            let firsts: Vec<usize> = runs
                .iter()
                .scan(0, |next, run| {
                    *next += run.len();
                    Some(*next - run.len())
                })
                .collect();
            for offset in 0..run {
                let there = runs.iter().zip(&firsts).filter(|(run, _)| offset < run.len());
                order.extend(there.map(|(_, first)| first + offset));
            }
            batches.push(match self.architecture {
                Architecture::Cbow => self.cbow(&batch, &order, &around, end),
                Architecture::Skipgram => self.skipgram(&batch, &order, &around, end),
            });
        }
        batches
    }

    /// Whether one word makes up more than its share of the inputs. `counts` are zeros, and will be.
    fn repeats<'w>(
        &self,
        windows: impl Iterator<Item = &'w Window> + Clone,
        around: &[u32],
        counts: &mut [u32],
    ) -> bool {
        let each = |window: &'w Window, f: &mut dyn FnMut(u32)| match self.architecture {
            Architecture::Skipgram => f(window.0),
            Architecture::Cbow => around[window.1.clone()].iter().for_each(|&word| f(word)),
        };
        let mut most = 0;
        for window in windows.clone() {
            each(window, &mut |word| {
                counts[word as usize] += 1;
                most = most.max(counts[word as usize]);
            });
        }
        for window in windows {
            each(window, &mut |word| counts[word as usize] = 0);
        }
        most > MOST
    }

    /// Groups of about the same size, as many as output blocks.
    fn groups(&self, hidden: usize) -> Vec<usize> {
        let blocks = self.outputs.blocks() as usize;
        (0..=blocks).map(|group| hidden * group / blocks).collect()
    }

    /// Examples by tile. `each` calls its argument with (hidden row, word to predict).
    fn pairs<W>(&self, groups: &[usize], walk: W) -> Sorted<Pair>
    where
        W: Fn(&mut dyn FnMut(usize, u32)),
    {
        let blocks = self.outputs.blocks();
        let hidden = groups[groups.len() - 1];
        let mut group_of = vec![0u32; hidden];
        for (group, range) in groups.windows(2).enumerate() {
            group_of[range[0]..range[1]].fill(group as u32);
        }
        let mut sorting = Sorting::new((blocks * blocks) as usize);
        walk(&mut |hidden, word| {
            let first = group_of[hidden] * blocks;
            self.outputs.of(word, |block, _| sorting.count(first + block));
        });
        sorting.counted(Pair { row: 0, target: 0 });
        walk(&mut |hidden, word| {
            let group = group_of[hidden];
            let row = (hidden - groups[group as usize]) as u32;
            self.outputs.of(word, |block, target| {
                sorting.put(group * blocks + block, Pair { row, target });
            });
        });
        sorting.done()
    }

    fn cbow(&self, windows: &[Window], order: &[usize], around: &[u32], end: usize) -> Batch {
        // With negative sampling a window has one output row: its group is that row's block, so that
        // the tiles of one diagonal hold all targets.
        let block_of = |window: usize| match self.outputs {
            Outputs::Words(split) => split.of(windows[window].0).0,
            Outputs::Nodes(_) => 0,
        };
        let mut sorting = Sorting::new(self.outputs.blocks() as usize);
        order.iter().for_each(|&window| sorting.count(block_of(window)));
        sorting.counted(0u32);
        order.iter().for_each(|&window| sorting.put(block_of(window), window as u32));
        let sorted = sorting.done();
        let groups = match self.outputs {
            Outputs::Words(_) => sorted.starts().iter().map(|&start| start as usize).collect(),
            Outputs::Nodes(_) => self.groups(windows.len()),
        };
        let order = sorted.into_items();
        let pairs = self.pairs(&groups, |f| {
            order.iter().enumerate().for_each(|(row, &window)| f(row, windows[window as usize].0));
        });
        let mut words = Vec::new();
        let mut parts = Vec::with_capacity(windows.len() * 8);
        let mut starts = Vec::with_capacity(windows.len() + 1);
        starts.push(0);
        let mut places = HashMap::<u32, u32, rustc_hash::FxBuildHasher>::default();
        for &window in &order {
            let contexts = &around[windows[window as usize].1.clone()];
            match self.rows {
                None => parts.extend_from_slice(contexts),
                Some(_) => parts.extend(contexts.iter().map(|&word| {
                    *places.entry(word).or_insert_with(|| {
                        words.push(word);
                        words.len() as u32 - 1
                    })
                })),
            }
            starts.push(parts.len() as u32);
        }
        let made_of = Sorted::from_parts(starts, parts);
        let returns = self.returns(&made_of, &groups, words.len());
        let words = self.rows.map(|rows| self.word_rows(&words, rows));
        let predictions = windows.len() as u64;
        Batch { words, made_of, groups, pairs, returns, predictions, end }
    }

    /// Whom each part of the inputs gets its gradients from.
    fn returns(&self, made_of: &Sorted<u32>, groups: &[usize], words: usize) -> Sorted<(u32, u32)> {
        let numbers = if self.rows.is_some() { words } else { self.inputs.blocks() as usize };
        let of = |part| if self.rows.is_some() { (part, 0) } else { self.inputs.of(part) };
        let mut returns = Sorting::new(numbers);
        made_of.all().iter().for_each(|&part| returns.count(of(part).0));
        returns.counted((0, 0));
        for group in groups.windows(2) {
            for input in group[0]..group[1] {
                // A group's inputs are followed by their gradients.
                let gradient = (input + group[1]) as u32;
                for &part in made_of.items(input) {
                    let (number, place) = of(part);
                    returns.put(number, (place, gradient));
                }
            }
        }
        returns.done()
    }

    fn word_rows(&self, words: &[u32], rows: &WordRows) -> Words {
        let (mut starts, mut all) = (vec![0], Vec::new());
        for &word in words {
            all.extend_from_slice(rows.of(word));
            starts.push(all.len() as u32);
        }
        let mut sorting = Sorting::new(self.inputs.blocks() as usize);
        all.iter().for_each(|&row| sorting.count(self.inputs.of(row).0));
        sorting.counted((0, 0));
        let all = Sorted::from_parts(starts, all);
        for word in 0..words.len() {
            for &row in all.items(word) {
                let (block, place) = self.inputs.of(row);
                sorting.put(block, (place, word as u32));
            }
        }
        Words { rows: all, returns: sorting.done() }
    }

    /// Skip-gram with subwords: the hidden rows are those of the different centers.
    fn skipgram(&self, windows: &[Window], order: &[usize], around: &[u32], end: usize) -> Batch {
        let mut words = Vec::new();
        let mut places = HashMap::<u32, usize, rustc_hash::FxBuildHasher>::default();
        let centers: Vec<usize> = order
            .iter()
            .map(|&window| {
                *places.entry(windows[window].0).or_insert_with(|| {
                    words.push(windows[window].0);
                    words.len() - 1
                })
            })
            .collect();
        let groups = self.groups(words.len());
        let pairs = self.pairs(&groups, |f| {
            // Examples of one center that follow each other would share negatives, and it would meet
            // fewer of them: the first context of each window comes first, then the second of each.
            let longest = windows.iter().map(|window| window.1.len()).max().unwrap_or(0);
            for place in 0..longest {
                for (&row, &window) in centers.iter().zip(order) {
                    if let Some(&word) = around[windows[window].1.clone()].get(place) {
                        f(row, word);
                    }
                }
            }
        });
        // Each input is one word.
        let parts = 0..words.len() as u32;
        let made_of = Sorted::from_parts((0..=words.len() as u32).collect(), parts.collect());
        let returns = self.returns(&made_of, &groups, words.len());
        let words = self.rows.map(|rows| self.word_rows(&words, rows));
        let predictions = windows.iter().map(|window| window.1.len() as u64).sum();
        Batch { words, made_of, groups, pairs, returns, predictions, end }
    }
}

/// Trains batches.
pub(crate) struct Composer<'a> {
    settings: &'a Word2vecSettings,
    step: Step,
    outputs: Outputs<'a>,
    inputs_split: Split,
    threads: usize,
    /// Group by group: the hidden rows; then the inputs they started from, in the end how far they
    /// have moved.
    hidden: Vec<Lanes>,
    /// Of words, with subwords.
    sums: Vec<Lanes>,
}

impl<'a> Composer<'a> {
    pub(crate) fn new(
        settings: &'a Word2vecSettings,
        step: Step,
        (inputs_split, outputs): (Split, Outputs<'a>),
        threads: usize,
    ) -> Composer<'a> {
        let (hidden, sums) = Default::default();
        Composer { settings, step, outputs, inputs_split, threads, hidden, sums }
    }

    /// Trains on a batch; `name` names its random numbers. Returns the sum of the losses.
    pub(crate) fn train(
        &mut self,
        batch: &Batch,
        input: &mut Matrix,
        output: &mut Matrix,
        noise: &[Noise],
        rate: f32,
        name: [u64; 4],
    ) -> f64 {
        let width = width(input.dim);
        let count = batch.groups[batch.groups.len() - 1];
        let source = Source { blocks: &input.blocks, split: self.inputs_split, width };
        if let Some(Words { rows, .. }) = &batch.words {
            self.sums.resize(rows.len() * width, Lanes::ZERO);
            let parts = self.sums.par_chunks_mut(PART * width).enumerate();
            parts.for_each(|(part, sums)| sum_words(sums, part * PART, rows, source));
        }
        self.hidden.resize(2 * count * width, Lanes::ZERO);
        let outputs = self.outputs;
        let blocks = outputs.blocks();
        let mut left = &mut self.hidden[..];
        let mut groups: Vec<&mut [Lanes]> = Vec::new();
        for range in batch.groups.windows(2) {
            let (group, rest) = left.split_at_mut(2 * (range[1] - range[0]) * width);
            groups.push(group);
            left = rest;
        }
        // Negatives come from another block than the target, as it happens: were it the same, a
        // word would never be held against those of other blocks.
        let [seed, epoch, portion, number] = name;
        let mut random = Random::named(&[seed, stream::SHIFT, epoch, portion, number]);
        let shift = random.below(blocks);
        let mut strata: Vec<u32> = (0..blocks).collect();
        if self.settings.one_target() {
            // All targets lie on the diagonal.
            strata = if shift == 0 { vec![0] } else { vec![0, blocks - shift] };
        }
        let tiles: Vec<Tile> = (0..)
            .zip(strata)
            .flat_map(|(stratum, step)| {
                (0..blocks).map(move |row_block| Tile {
                    row_block,
                    column_block: (row_block + step) % blocks,
                    stratum,
                })
            })
            .collect();
        let (step, sums, last) = (&self.step, &self.sums[..], tiles.last().map(|t| t.stratum));
        let mean = self.settings.cbow_mean.unwrap_or(true);
        let true_mean = mean && self.settings.cbow_gradient == Some(CbowGradient::Mean);
        let columns = output.blocks.iter_mut().map(Vec::as_mut_slice).collect();
        let losses = train_tiles(
            &tiles,
            self.threads,
            groups,
            columns,
            || Scratch::new(step),
            |i, tile, rows, columns, scratch| {
                let first = batch.groups[tile.row_block as usize];
                let (rows, inputs) = rows.split_at_mut(rows.len() / 2);
                if tile.stratum == 0 {
                    make_inputs(rows, inputs, first, batch, source, sums, mean);
                }
                let of = |column: u32| {
                    batch.pairs.items((tile.row_block * blocks + column % blocks) as usize)
                };
                let examples = (of(tile.column_block), tile.column_block);
                let mut loss = outputs.train(step, examples, rows, columns, rate, scratch);
                if let Some(noise) = noise.get(tile.column_block as usize) {
                    let random = Random::named(&[
                        seed,
                        stream::BATCH_NEGATIVES,
                        epoch,
                        portion,
                        number,
                        i as u64,
                    ]);
                    let mut draw = Draw { noise, random };
                    let pairs = of(tile.column_block + shift);
                    let own = shift == 0;
                    loss += negatives(step, pairs, own, rows, columns, &mut draw, rate, scratch);
                }
                if Some(tile.stratum) == last {
                    gradients(inputs, rows, first, batch, true_mean, width);
                }
                loss
            },
        );
        self.give_back(batch, input);
        losses.into_iter().sum()
    }

    /// Moves the rows that the inputs were made of.
    fn give_back(&mut self, batch: &Batch, input: &mut Matrix) {
        let width = width(input.dim);
        let moved = &self.hidden[..];
        let Some(Words { returns, .. }) = &batch.words else {
            input.blocks.par_iter_mut().enumerate().for_each(|(block, numbers)| {
                move_rows(numbers, batch.returns.items(block), moved, width);
            });
            return;
        };
        let parts = self.sums.par_chunks_mut(PART * width).enumerate();
        parts.for_each(|(part, sums)| {
            for (word, sum) in (part * PART..).zip(sums.chunks_mut(width)) {
                sum.fill(Lanes::ZERO);
                for &(_, gradient) in batch.returns.items(word) {
                    add(sum, &moved[gradient as usize * width..][..width]);
                }
            }
        });
        let by_word = &self.sums[..];
        input.blocks.par_iter_mut().enumerate().for_each(|(block, numbers)| {
            move_rows(numbers, returns.items(block), by_word, width);
        });
    }
}

impl Batch {
    /// How many rows input `i` is made of.
    fn rows_of(&self, i: usize) -> usize {
        let parts = self.made_of.items(i);
        self.words.as_ref().map_or(parts.len(), |words| {
            parts.iter().map(|&word| words.rows.items(word as usize).len()).sum()
        })
    }
}

/// The input rows, to be read.
#[derive(Clone, Copy)]
struct Source<'a> {
    blocks: &'a [Vec<Lanes>],
    split: Split,
    width: usize,
}

impl Source<'_> {
    #[inline(always)]
    fn row(&self, id: u32) -> &[Lanes] {
        let (block, place) = self.split.of(id);
        &self.blocks[block as usize][place as usize * self.width..][..self.width]
    }

    /// Makes `sum` the sum of rows, in their order.
    #[inline(always)]
    fn sum(&self, sum: &mut [Lanes], rows: &[u32]) {
        sum.fill(Lanes::ZERO);
        let (fours, rest) = rows.as_chunks();
        for &[a, b, c, d] in fours {
            let rows = self.row(a).iter().zip(self.row(b)).zip(self.row(c)).zip(self.row(d));
            for (sum, (((a, b), c), d)) in sum.iter_mut().zip(rows) {
                *sum = sum.plus(*a).plus(*b).plus(*c).plus(*d);
            }
        }
        for &row in rest {
            add(sum, self.row(row));
        }
    }
}

#[inline(always)]
fn add(to: &mut [Lanes], from: &[Lanes]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = to.plus(*from);
    }
}

for_processors! {
    /// The sum of the rows of each word from `first` on.
    fn sum_words, sum_words_wide, sum_words_portable(
        sums: &mut [Lanes],
        first: usize,
        rows: &Sorted<u32>,
        source: Source<'_>,
    )
}

#[inline(always)]
fn sum_words_portable(sums: &mut [Lanes], first: usize, rows: &Sorted<u32>, source: Source<'_>) {
    for (word, sum) in (first..).zip(sums.chunks_mut(source.width)) {
        for &row in rows.get(word + 1) {
            prefetch(source.row(row));
        }
        source.sum(sum, rows.items(word));
    }
}

for_processors! {
    /// Inputs from `first` on, of rows or of the sums of words, each twice.
    fn make_inputs, make_inputs_wide, make_inputs_portable(
        inputs: &mut [Lanes],
        copies: &mut [Lanes],
        first: usize,
        batch: &Batch,
        source: Source<'_>,
        sums: &[Lanes],
        mean: bool,
    )
}

#[inline(always)]
fn make_inputs_portable(
    inputs: &mut [Lanes],
    copies: &mut [Lanes],
    first: usize,
    batch: &Batch,
    source: Source<'_>,
    sums: &[Lanes],
    mean: bool,
) {
    let width = source.width;
    let both = inputs.chunks_mut(width).zip(copies.chunks_mut(width));
    for (i, (input, copy)) in (first..).zip(both) {
        match &batch.words {
            Some(_) => {
                input.fill(Lanes::ZERO);
                for &part in batch.made_of.items(i) {
                    add(input, &sums[part as usize * width..][..width]);
                }
            }
            None => {
                for &row in batch.made_of.get(i + WINDOWS_AHEAD) {
                    prefetch(source.row(row));
                }
                source.sum(input, batch.made_of.items(i));
            }
        }
        if mean {
            let scale = Lanes::all(1.0 / batch.rows_of(i) as f32);
            for lanes in &mut *input {
                *lanes = lanes.times(scale);
            }
        }
        copy.copy_from_slice(input);
    }
}

for_processors! {
    /// Inputs from `first` on become how far their hidden rows have moved, by `true_mean` divided
    /// among the rows they were made of.
    fn gradients, gradients_wide, gradients_portable(
        inputs: &mut [Lanes],
        hidden: &[Lanes],
        first: usize,
        batch: &Batch,
        true_mean: bool,
        width: usize,
    )
}

#[inline(always)]
fn gradients_portable(
    inputs: &mut [Lanes],
    hidden: &[Lanes],
    first: usize,
    batch: &Batch,
    true_mean: bool,
    width: usize,
) {
    for (i, (input, hidden)) in (first..).zip(inputs.chunks_mut(width).zip(hidden.chunks(width))) {
        let scale = match true_mean {
            true => Lanes::all(1.0 / batch.rows_of(i) as f32),
            false => Lanes::all(1.0),
        };
        for (old, new) in input.iter_mut().zip(hidden) {
            *old = new.minus(*old).times(scale);
        }
    }
}

for_processors! {
    /// Moves rows of a block, each (place, gradient) by a gradient.
    fn move_rows, move_rows_wide, move_rows_portable(
        numbers: &mut [Lanes],
        returns: &[(u32, u32)],
        moved: &[Lanes],
        width: usize,
    )
}

#[inline(always)]
fn move_rows_portable(
    numbers: &mut [Lanes],
    returns: &[(u32, u32)],
    moved: &[Lanes],
    width: usize,
) {
    for (i, &(place, gradient)) in returns.iter().enumerate() {
        if let Some(&(place, gradient)) = returns.get(i + AHEAD) {
            prefetch(&numbers[place as usize * width..][..width]);
            prefetch(&moved[gradient as usize * width..][..width]);
        }
        let row = &mut numbers[place as usize * width..][..width];
        add(row, &moved[gradient as usize * width..][..width]);
    }
}

#[cfg(test)]
mod tests;
