//! Inputs that are made of several rows: context windows of CBOW, and words of subwords.
//!
//! Such an input is put together from rows in many blocks, so the grid alone does not keep workers
//! apart. Batches of windows are trained in phases instead, each parallel over what it owns:
//!
//! 1. sums of the rows of each word (subwords only), each word by whoever takes it;
//! 2. the inputs ("hidden" rows), from rows that nobody writes meanwhile;
//! 3. the output layer, by tiles of (group of hidden rows, block of output rows), in the order of
//!    the grid; it moves the hidden rows as if they were parameters;
//! 4. how far each hidden row has moved is its gradient: the rows it was made of move by that, each
//!    block by its owner, in the order of the windows.
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
use super::step::{Draw, Pair, Scratch, Step};
use super::subwords::WordRows;
use super::text::{START, contexts};
use crate::grid::{Tile, train_tiles};
use crate::lanes::Lanes;

/// Hidden rows that one worker makes at a time.
const PART: usize = 64;
/// Tells the streams of random numbers apart.
const NEGATIVES: u64 = 12;
const SHIFT: u64 = 15;

/// Inputs and what they predict.
pub(crate) struct Batch {
    /// With subwords, the different words that inputs are made of.
    words: Vec<u32>,
    /// What each hidden row is made of: words, or with subwords their places in `words`. Empty if
    /// hidden row i is the i-th of `words`.
    made_of: Sorted<u32>,
    /// Where each group of hidden rows starts, and where the last ends.
    groups: Vec<usize>,
    /// Examples by tile: `group · output blocks + output block`; their rows count from the group's
    /// start.
    pairs: Sorted<Pair>,
    /// Without subwords by input block: (place in the block, hidden row).
    returns: Sorted<(u32, u32)>,
    /// With subwords by place in `words`: hidden row.
    of_word: Sorted<u32>,
    /// Words that are predicted.
    pub(crate) predictions: u64,
    /// The position in the kept tokens where it ends.
    pub(crate) end: usize,
}

/// How batches are made.
#[derive(Clone, Copy)]
pub(crate) struct Batching<'a> {
    pub(crate) architecture: Architecture,
    pub(crate) subwords: bool,
    pub(crate) windows: usize,
    pub(crate) outputs: Outputs<'a>,
    pub(crate) inputs: Split,
    pub(crate) columns: Split,
}

/// A center and where its contexts lie.
type Window = (u32, Range<usize>);

impl Batching<'_> {
    /// The batches of a range of centers, whose windows come in random order: neighbors share words, and
    /// those who share negatives should not.
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
        random.shuffle(&mut windows);
        let mut done = 0;
        let batches = windows.chunks(self.windows).map(|batch| {
            done += batch.len();
            let end = start + tokens * done / windows.len();
            match self.architecture {
                Architecture::Cbow => self.cbow(batch, &around, end),
                Architecture::Skipgram => self.skipgram(batch, &around, end),
            }
        });
        batches.collect()
    }

    /// Groups of about the same size, as many as output blocks.
    fn groups(&self, hidden: usize) -> Vec<usize> {
        let blocks = self.columns.blocks() as usize;
        (0..=blocks).map(|group| hidden * group / blocks).collect()
    }

    /// Examples by tile. `each` calls its argument with (hidden row, word to predict).
    fn pairs<W>(&self, groups: &[usize], walk: W) -> Sorted<Pair>
    where
        W: Fn(&mut dyn FnMut(usize, u32)),
    {
        let blocks = self.columns.blocks();
        let hidden = groups[groups.len() - 1];
        let mut group_of = vec![0u32; hidden];
        for (group, range) in groups.windows(2).enumerate() {
            group_of[range[0]..range[1]].fill(group as u32);
        }
        let mut sorting = Sorting::new((blocks * blocks) as usize);
        walk(&mut |hidden, word| {
            let first = group_of[hidden] * blocks;
            self.outputs.of(word, |output, _| sorting.count(first + self.columns.of(output).0));
        });
        sorting.counted(Pair::new(0, 0, true));
        walk(&mut |hidden, word| {
            let group = group_of[hidden];
            let row = (hidden - groups[group as usize]) as u32;
            self.outputs.of(word, |output, label| {
                let (block, column) = self.columns.of(output);
                sorting.put(group * blocks + block, Pair::new(row, column, label));
            });
        });
        sorting.done()
    }

    fn cbow(&self, windows: &[Window], around: &[u32], end: usize) -> Batch {
        // With negative sampling a window has one output row: its group is that row's block, so that
        // the tiles of one diagonal hold everything.
        let mut by_block: Vec<Vec<usize>> = vec![Vec::new(); self.columns.blocks() as usize];
        let diagonal = matches!(self.outputs, Outputs::Words);
        if diagonal {
            for (i, window) in windows.iter().enumerate() {
                by_block[self.columns.of(window.0).0 as usize].push(i);
            }
        } else {
            by_block[0].extend(0..windows.len());
        }
        let groups = match diagonal {
            true => std::iter::once(0)
                .chain(by_block.iter().scan(0, |sum, block| {
                    *sum += block.len();
                    Some(*sum)
                }))
                .collect(),
            false => self.groups(windows.len()),
        };
        let order: Vec<usize> = by_block.concat();
        let pairs = self.pairs(&groups, |f| {
            order.iter().enumerate().for_each(|(hidden, &window)| f(hidden, windows[window].0));
        });
        let mut words = Vec::new();
        let mut places = HashMap::<u32, u32, rustc_hash::FxBuildHasher>::default();
        let mut made_of = Sorting::new(order.len());
        for (hidden, &window) in order.iter().enumerate() {
            windows[window].1.clone().for_each(|_| made_of.count(hidden as u32));
        }
        made_of.counted(0);
        for (hidden, &window) in order.iter().enumerate() {
            for &word in &around[windows[window].1.clone()] {
                let part = match self.subwords {
                    false => word,
                    true => *places.entry(word).or_insert_with(|| {
                        words.push(word);
                        words.len() as u32 - 1
                    }),
                };
                made_of.put(hidden as u32, part);
            }
        }
        let made_of = made_of.done();
        let hidden =
            || (0..order.len()).flat_map(|h| made_of.items(h).iter().map(move |&p| (h, p)));
        let (mut returns, mut of_word) =
            (Sorting::new(self.inputs.blocks() as usize), Sorting::new(words.len()));
        if self.subwords {
            hidden().for_each(|(_, place)| of_word.count(place));
        } else {
            hidden().for_each(|(_, word)| returns.count(self.inputs.of(word).0));
        }
        returns.counted((0, 0));
        of_word.counted(0);
        for (hidden, part) in hidden() {
            if self.subwords {
                of_word.put(part, hidden as u32);
            } else {
                let (block, place) = self.inputs.of(part);
                returns.put(block, (place, hidden as u32));
            }
        }
        let (returns, of_word) = (returns.done(), of_word.done());
        let predictions = windows.len() as u64;
        Batch { words, made_of, groups, pairs, returns, of_word, predictions, end }
    }

    /// Skip-gram with subwords: the hidden rows are those of the different centers.
    fn skipgram(&self, windows: &[Window], around: &[u32], end: usize) -> Batch {
        let mut words = Vec::new();
        let mut places = HashMap::<u32, usize, rustc_hash::FxBuildHasher>::default();
        let centers: Vec<usize> = windows
            .iter()
            .map(|&(center, _)| {
                *places.entry(center).or_insert_with(|| {
                    words.push(center);
                    words.len() - 1
                })
            })
            .collect();
        let groups = self.groups(words.len());
        let pairs = self.pairs(&groups, |f| {
            for (&hidden, (_, range)) in centers.iter().zip(windows) {
                around[range.clone()].iter().for_each(|&word| f(hidden, word));
            }
        });
        let (made_of, returns, of_word) = Default::default();
        let predictions = windows.iter().map(|window| window.1.len() as u64).sum();
        Batch { words, made_of, groups, pairs, returns, of_word, predictions, end }
    }
}

/// Trains batches.
pub(crate) struct Composer<'a> {
    settings: &'a Word2vecSettings,
    step: Step,
    rows: Option<&'a WordRows>,
    threads: usize,
    hidden: Vec<Lanes>,
    before: Vec<Lanes>,
    sums: Vec<Lanes>,
}

impl<'a> Composer<'a> {
    pub(crate) fn new(
        settings: &'a Word2vecSettings,
        step: Step,
        rows: Option<&'a WordRows>,
        threads: usize,
    ) -> Composer<'a> {
        let (hidden, before, sums) = Default::default();
        Composer { settings, step, rows, threads, hidden, before, sums }
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
        self.make(batch, input);

        // The output layer.
        let blocks = output.layout.blocks();
        let mut left = &mut self.hidden[..count * width];
        let mut groups: Vec<&mut [Lanes]> = Vec::new();
        for range in batch.groups.windows(2) {
            let (group, rest) = left.split_at_mut((range[1] - range[0]) * width);
            groups.push(group);
            left = rest;
        }
        // Negatives come from another block than the target, as it happens: were it the same, a
        // word would never be held against those of other blocks.
        let [seed, epoch, portion, number] = name;
        let mut random = Random::named(&[seed, SHIFT, epoch, portion, number]);
        let shift = random.below(blocks);
        let mut strata: Vec<u32> = (0..blocks).collect();
        if self.settings.architecture == Architecture::Cbow && self.step.negatives > 0 {
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
        let step = &self.step;
        let columns = output.blocks.iter_mut().map(Vec::as_mut_slice).collect();
        let losses = train_tiles(
            &tiles,
            self.threads,
            groups,
            columns,
            || Scratch::new(step),
            |i, tile, rows, columns, scratch| {
                let of = |column: u32| {
                    batch.pairs.items((tile.row_block * blocks + column % blocks) as usize)
                };
                let mut loss = step.targets(of(tile.column_block), rows, columns, rate, scratch);
                if let Some(noise) = noise.get(tile.column_block as usize) {
                    let random =
                        Random::named(&[seed, NEGATIVES, epoch, portion, number, i as u64]);
                    let mut draw = Draw { noise, random };
                    let pairs = of(tile.column_block + shift);
                    let own = shift == 0;
                    loss += step.negatives(pairs, own, rows, columns, &mut draw, rate, scratch);
                }
                loss
            },
        );
        self.give_back(batch, input);
        losses.into_iter().sum()
    }

    /// Makes the hidden rows.
    fn make(&mut self, batch: &Batch, input: &Matrix) {
        let width = width(input.dim);
        let count = batch.groups[batch.groups.len() - 1];
        self.hidden.resize(count * width, Lanes::ZERO);
        self.before.resize(count * width, Lanes::ZERO);
        let split = Split::new(input.layout);
        let blocks = &input.blocks;
        let add = |to: &mut [Lanes], row: u32| {
            let (block, place) = split.of(row);
            let row = &blocks[block as usize][place as usize * width..][..width];
            to.iter_mut().zip(row).for_each(|(to, from)| *to = to.plus(*from));
        };
        if let Some(rows) = self.rows {
            self.sums.resize(batch.words.len() * width, Lanes::ZERO);
            let parts = self.sums[..batch.words.len() * width].par_chunks_mut(PART * width);
            parts.zip(batch.words.par_chunks(PART)).for_each(|(sums, words)| {
                for (sum, &word) in sums.chunks_mut(width).zip(words) {
                    sum.fill(Lanes::ZERO);
                    rows.of(word).iter().for_each(|&row| add(sum, row));
                }
            });
        }
        let mean = self.settings.cbow_mean.unwrap_or(true);
        let (sums, rows) = (&self.sums, self.rows);
        let parts = self.hidden[..count * width].par_chunks_mut(PART * width);
        let parts = parts.zip(self.before[..count * width].par_chunks_mut(PART * width));
        parts.enumerate().for_each(|(part, (hidden, before))| {
            for (i, hidden) in (part * PART..).zip(hidden.chunks_mut(width)) {
                let mut number = 0;
                if batch.made_of.len() == 0 {
                    hidden.copy_from_slice(&sums[i * width..][..width]);
                    number = rows.map_or(1, |rows| rows.of(batch.words[i]).len());
                } else {
                    hidden.fill(Lanes::ZERO);
                    for &made_of in batch.made_of.items(i) {
                        match rows {
                            None => {
                                add(hidden, made_of);
                                number += 1;
                            }
                            Some(rows) => {
                                let sum = &sums[made_of as usize * width..][..width];
                                hidden.iter_mut().zip(sum).for_each(|(to, x)| *to = to.plus(*x));
                                number += rows.of(batch.words[made_of as usize]).len();
                            }
                        }
                    }
                }
                if mean {
                    let scale = Lanes::all(1.0 / number as f32);
                    hidden.iter_mut().for_each(|x| *x = x.times(scale));
                }
            }
            before.copy_from_slice(hidden);
        });
    }

    /// Moves the rows that the hidden rows were made of.
    fn give_back(&mut self, batch: &Batch, input: &mut Matrix) {
        let width = width(input.dim);
        let count = batch.groups[batch.groups.len() - 1];
        let true_mean = self.settings.cbow_gradient == Some(CbowGradient::Mean)
            && self.settings.cbow_mean == Some(true);
        let rows = self.rows;
        let parts = self.hidden[..count * width].par_chunks_mut(PART * width);
        let parts = parts.zip(self.before[..count * width].par_chunks(PART * width));
        parts.enumerate().for_each(|(part, (hidden, before))| {
            hidden.iter_mut().zip(before).for_each(|(now, before)| *now = now.minus(*before));
            if true_mean {
                for (i, hidden) in (part * PART..).zip(hidden.chunks_mut(width)) {
                    let parts = batch.made_of.items(i).iter();
                    let number: usize = parts
                        .map(|&part| rows.map_or(1, |r| r.of(batch.words[part as usize]).len()))
                        .sum();
                    let scale = Lanes::all(1.0 / number as f32);
                    hidden.iter_mut().for_each(|x| *x = x.times(scale));
                }
            }
        });
        let moved = &self.hidden[..count * width];
        let move_by = |row: &mut [Lanes], by: &[Lanes]| {
            row.iter_mut().zip(by).for_each(|(row, by)| *row = row.plus(*by));
        };
        let Some(rows) = rows else {
            input.blocks.par_iter_mut().enumerate().for_each(|(block, numbers)| {
                for &(place, hidden) in batch.returns.items(block) {
                    let row = &mut numbers[place as usize * width..][..width];
                    move_by(row, &moved[hidden as usize * width..][..width]);
                }
            });
            return;
        };
        let by_word = if batch.made_of.len() == 0 {
            moved
        } else {
            let parts = self.sums[..batch.words.len() * width].par_chunks_mut(PART * width);
            parts.enumerate().for_each(|(part, sums)| {
                for (word, sum) in (part * PART..).zip(sums.chunks_mut(width)) {
                    sum.fill(Lanes::ZERO);
                    for &hidden in batch.of_word.items(word) {
                        move_by(sum, &moved[hidden as usize * width..][..width]);
                    }
                }
            });
            &self.sums[..]
        };
        let split = Split::new(input.layout);
        input.blocks.par_iter_mut().enumerate().for_each(|(block, numbers)| {
            for (i, &word) in batch.words.iter().enumerate() {
                for &row in rows.in_block(word, block) {
                    let row = &mut numbers[split.of(row).1 as usize * width..][..width];
                    move_by(row, &by_word[i * width..][..width]);
                }
            }
        });
    }
}
