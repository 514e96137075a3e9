//! Which windows are trained together, and what they need for it.

use std::collections::HashMap;
use std::ops::Range;

use lexmill_vocab::Random;

use crate::word2vec::examples::{Outputs, Sorted, Sorting, Split};
use crate::word2vec::settings::Architecture;
use crate::word2vec::step::Pair;
use crate::word2vec::subwords::WordRows;
use crate::word2vec::text::{START, contexts};

/// Rows of words are of one class or the other, by the last bit of their number.
pub(super) const CLASSES: usize = 2;
/// Words whose rows one worker sums at a time.
pub(super) const PART: usize = 64;
/// How often one word may stand in the inputs of a batch: it takes all their gradients at once, and
/// of too many it would leap. Subsampling keeps natural text far below.
const MOST: u32 = 200;
/// The same of vocabularies of fewer than [`FEW`] words, in which all the others leap with it.
const MOST_OF_FEW: u32 = 32;
const FEW: usize = 1000;
/// Strips of the text that a batch has runs of windows from.
const RUNS: usize = 64;

/// Inputs and what they predict.
#[cfg_attr(test, derive(Clone))]
pub(crate) struct Batch {
    /// With subwords, the different words that inputs are made of.
    pub(super) words: Option<Words>,
    /// What each input is made of: rows, or with subwords numbers of these words.
    pub(super) made_of: Sorted<u32>,
    /// Where each group of inputs starts, and where the last ends.
    groups: Vec<usize>,
    /// Examples by tile: `group · output blocks + output block`; their rows count from the group's
    /// start.
    pub(super) pairs: Sorted<Pair>,
    /// By input block the place in it, or with subwords by word just 0; and where the gradient is.
    pub(super) returns: Sorted<(u32, At)>,
    /// Words that are predicted.
    pub(crate) predictions: u64,
    /// The position in the kept tokens up to which as many are done.
    pub(crate) end: usize,
}

/// What the words of a batch are made of.
#[cfg_attr(test, derive(Clone))]
pub(super) struct Words {
    /// By word and class.
    pub(super) rows: Sorted<u32>,
    /// By input block: place in the block, and where the word's gradient is.
    pub(super) returns: Sorted<(u32, At)>,
}

/// A row of one of several lists: which group of inputs or part of the words, and the place there, in
/// the last bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct At(pub(super) u32);

/// Bits of a place in a group: there are at most 2²⁰ windows and a few to a batch, and 2⁸ groups.
pub(super) const GROUP_BITS: u32 = 21;
/// Bits of a place in a part.
pub(super) const PART_BITS: u32 = PART.trailing_zeros();

impl At {
    #[inline(always)]
    fn new(list: usize, place: usize, bits: u32) -> At {
        At((list << bits | place) as u32)
    }
}

/// The rows `ids` of two classes, one after the other, as lists of a [`Sorted`]: those of odd rows
/// backwards.
fn by_class(ids: &[u32], starts: &mut Vec<u32>, all: &mut Vec<u32>) {
    let first = all.len();
    all.resize(first + ids.len(), 0);
    let (mut even, mut odd) = (first, all.len());
    for &id in ids {
        // A branch would be guessed wrong half of the time.
        let is_odd = (id % CLASSES as u32) as usize;
        odd -= is_odd;
        all[if is_odd == 1 { odd } else { even }] = id;
        even += 1 - is_odd;
    }
    starts.extend([even as u32, all.len() as u32]);
}

/// How batches are made.
#[derive(Clone, Copy)]
pub(crate) struct Batching<'a> {
    pub(crate) architecture: Architecture,
    /// Words of the vocabulary.
    pub(crate) words: usize,
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
        let (start, tokens) = (centers.start, centers.len());
        let contexts_at_most = reaches.iter().map(|&reach| 2 * reach as usize).sum();
        let mut windows: Vec<Window> = Vec::with_capacity(tokens);
        let mut around: Vec<u32> = Vec::with_capacity(contexts_at_most);
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
        let reach = reaches.iter().max().map_or(0, |&reach| reach as usize);
        let near = start.saturating_sub(reach)..kept.len().min(start + tokens + reach);
        let most = kept[near].iter().filter(|&&word| word != START).max();
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
            while run > 1 && self.repeats(runs_of(run), &around, &mut counts) {
                run /= 2;
            }
            let mut runs: Vec<&[Window]> = runs_of(run).collect();
            first += run;
            random.shuffle(&mut runs);
            // Of fewer strips, where that is not short enough.
            let mut parts = vec![&runs[..]];
            while let Some(runs) = parts.pop() {
                if run == 1
                    && runs.len() > 1
                    && self.repeats(runs.iter().copied(), &around, &mut counts)
                {
                    let (before, after) = runs.split_at(runs.len() / 2);
                    parts.extend([after, before]);
                    continue;
                }
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
        }
        batches
    }

    /// Whether one word makes up more than its share of the inputs. `counts` are zeros, and will be.
    fn repeats<'w>(
        &self,
        runs: impl Iterator<Item = &'w [Window]> + Clone,
        around: &[u32],
        counts: &mut [u32],
    ) -> bool {
        // The contexts of a run's windows stand together.
        let contexts = |run: &[Window]| run[0].1.start..run[run.len() - 1].1.end;
        let mut most = 0;
        let mut count = |word: u32| {
            let count = &mut counts[word as usize];
            *count += 1;
            most = most.max(*count);
        };
        for run in runs.clone() {
            match self.architecture {
                Architecture::Skipgram => run.iter().for_each(|window| count(window.0)),
                Architecture::Cbow => around[contexts(run)].iter().for_each(|&word| count(word)),
            }
        }
        let mut forget = |word: u32| counts[word as usize] = 0;
        for run in runs {
            match self.architecture {
                Architecture::Skipgram => run.iter().for_each(|window| forget(window.0)),
                Architecture::Cbow => around[contexts(run)].iter().for_each(|&word| forget(word)),
            }
        }
        most > if self.words < FEW { MOST_OF_FEW } else { MOST }
    }

    /// Groups of about the same size, as many as output blocks.
    fn groups(&self, hidden: usize) -> Vec<usize> {
        let blocks = self.outputs.blocks() as usize;
        (0..=blocks).map(|group| hidden * group / blocks).collect()
    }

    /// Examples by tile. `walk` calls its argument with (hidden row, word to predict).
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
        let groups: Vec<usize> = match self.outputs {
            Outputs::Words(_) => sorted.starts().iter().map(|&start| start as usize).collect(),
            Outputs::Nodes(_) => self.groups(windows.len()),
        };
        let order = sorted.into_items();
        let pairs = match self.outputs {
            Outputs::Words(split) => {
                // Already in the order of tiles, of which only those on the diagonal have any.
                let blocks = split.blocks() as usize;
                let starts =
                    (0..=blocks * blocks).map(|tile| groups[tile.div_ceil(blocks + 1)] as u32);
                let group = |group: usize| (0..).zip(&order[groups[group]..groups[group + 1]]);
                let pair = |(row, &window): (u32, &u32)| {
                    let (_, target) = split.of(windows[window as usize].0);
                    Pair { row, target }
                };
                let pairs = (0..blocks).flat_map(|g| group(g).map(pair)).collect();
                Sorted::from_parts(starts.collect(), pairs)
            }
            Outputs::Nodes(_) => self.pairs(&groups, |f| {
                order.iter().enumerate().for_each(|(row, &w)| f(row, windows[w as usize].0));
            }),
        };
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
    fn returns(&self, made_of: &Sorted<u32>, groups: &[usize], words: usize) -> Sorted<(u32, At)> {
        let numbers = if self.rows.is_some() { words } else { self.inputs.blocks() as usize };
        let of = |part| if self.rows.is_some() { (part, 0) } else { self.inputs.of(part) };
        let mut returns = Sorting::new(numbers);
        made_of.all().iter().for_each(|&part| returns.count(of(part).0));
        returns.counted((0, At(0)));
        for (group, range) in groups.windows(2).enumerate() {
            for input in range[0]..range[1] {
                let gradient = At::new(group, input - range[0], GROUP_BITS);
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
            by_class(rows.of(word), &mut starts, &mut all);
        }
        let mut sorting = Sorting::new(self.inputs.blocks() as usize);
        all.iter().for_each(|&row| sorting.count(self.inputs.of(row).0));
        sorting.counted((0, At(0)));
        let all = Sorted::from_parts(starts, all);
        for word in 0..words.len() {
            let gradient = At::new(word / PART, word % PART, PART_BITS);
            for list in CLASSES * word..CLASSES * (word + 1) {
                for &row in all.items(list) {
                    let (block, place) = self.inputs.of(row);
                    sorting.put(block, (place, gradient));
                }
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

impl Batch {
    /// The inputs of a group.
    pub(super) fn group(&self, group: usize) -> Range<usize> {
        self.groups[group]..self.groups[group + 1]
    }

    /// How many parts sums are made in.
    pub(super) fn parts(&self) -> usize {
        self.words.as_ref().map_or(0, |words| words.len().div_ceil(PART))
    }

    /// How many rows input `i` is made of.
    pub(super) fn rows_of(&self, i: usize) -> usize {
        match &self.words {
            None => self.made_of.count(i, 1),
            Some(words) => {
                let parts = self.made_of.items(i).iter();
                parts.map(|&word| words.rows.count(CLASSES * word as usize, CLASSES)).sum()
            }
        }
    }
}

impl Words {
    fn len(&self) -> usize {
        self.rows.len() / CLASSES
    }

    /// The words of a part.
    pub(super) fn part(&self, part: usize) -> Range<usize> {
        part * PART..self.len().min((part + 1) * PART)
    }
}
