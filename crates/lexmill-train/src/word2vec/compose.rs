//! Inputs that are made of several rows: context windows of CBOW, and words of subwords.
//!
//! Such an input is put together from rows in many blocks, so the grid alone does not keep workers
//! apart. Batches of windows are trained in phases instead, each parallel over what it owns:
//!
//! 1. sums of the rows of each word (subwords only): those of even rows and those of odd ones apart, so
//!    that two threads each read the rows that they write;
//! 2. the output layer, by tiles of (group of inputs, block of output rows), in the order of the
//!    grid. The first tile of a group makes its inputs ("hidden" rows), of these sums or of rows that
//!    nobody writes meanwhile; all move them as if they were parameters; the last leaves how far each
//!    has moved, which is its gradient;
//! 3. sums of the gradients of each word (subwords only);
//! 4. the rows that inputs were made of move by that, each block by its owner, in the order of the
//!    inputs.
//!
//! Every sum has one order, whoever computes it. Inputs are as old as the batch.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard};

use lexmill_vocab::Random;

use super::examples::{Outputs, Sorted, Sorting, Split};
use super::matrix::{Matrix, width};
use super::noise::Noise;
use super::settings::{Architecture, CbowGradient, Word2vecSettings};
use super::step::{Draw, Pair, Scratch, Step, negatives};
use super::stream;
use super::subwords::WordRows;
use super::text::{START, contexts};
use crate::grid::Tile;
use crate::lanes::{Lanes, for_processors, prefetch};
use crate::team::{Member, Team};

/// Rows of words are of one class or the other, by the last bit of their number.
const CLASSES: usize = 2;
/// Words whose rows one worker sums at a time.
const PART: usize = 64;
/// Rows that are asked for ahead of their turn.
const AHEAD: usize = 8;
/// Windows whose rows are asked for ahead of their turn.
const WINDOWS_AHEAD: usize = 4;
/// How often one word may stand in the inputs of a batch. Subsampling keeps natural text far below.
const MOST: u32 = 200;
/// Strips of the text that a batch has runs of windows from.
const RUNS: usize = 64;

/// Inputs and what they predict.
#[cfg_attr(test, derive(Clone))]
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
    /// By input block the place in it, or with subwords by word just 0; and where the gradient is.
    returns: Sorted<(u32, At)>,
    /// Words that are predicted.
    pub(crate) predictions: u64,
    /// The position in the kept tokens up to which as many are done.
    pub(crate) end: usize,
}

/// What the words of a batch are made of.
#[cfg_attr(test, derive(Clone))]
struct Words {
    /// By word and class.
    rows: Sorted<u32>,
    /// By input block: place in the block, and where the word's gradient is.
    returns: Sorted<(u32, At)>,
}

/// A row of one of several lists: which group of inputs or part of the words, and the place there, in
/// the last bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct At(u32);

/// Bits of a place in a group: there are at most 2²⁰ windows and a few to a batch, and 2⁸ groups.
const GROUP_BITS: u32 = 21;
/// Bits of a place in a part.
const PART_BITS: u32 = PART.trailing_zeros();

impl At {
    #[inline(always)]
    fn new(list: usize, place: usize, bits: u32) -> At {
        At((list << bits | place) as u32)
    }
}

/// Lists of rows.
#[derive(Clone, Copy)]
struct Lists<'a> {
    lists: &'a [&'a [Lanes]],
    bits: u32,
    width: usize,
}

impl<'a> Lists<'a> {
    #[inline(always)]
    fn row(&self, At(at): At) -> &'a [Lanes] {
        let place = (at & ((1 << self.bits) - 1)) as usize;
        &self.lists[(at >> self.bits) as usize][place * self.width..][..self.width]
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
        most > MOST
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

/// A batch to be trained, at a learning rate; `name` names its random numbers.
pub(crate) struct Job {
    pub(crate) batch: Batch,
    pub(crate) rate: f32,
    pub(crate) name: [u64; 4],
}

/// Trains batches.
pub(crate) struct Composer<'a> {
    settings: &'a Word2vecSettings,
    step: Step,
    outputs: Outputs<'a>,
    inputs_split: Split,
    groups: Vec<RwLock<Group>>,
    /// Of words, by part and class. In the end the gradients of words, where the sums of the first
    /// class were.
    sums: Vec<RwLock<Vec<Lanes>>>,
}

/// Inputs that are trained together.
#[derive(Default)]
struct Group {
    /// What they have become.
    hidden: Vec<Lanes>,
    /// What they were, in the end how far they have moved.
    inputs: Vec<Lanes>,
}

/// The parameters, each block for itself.
struct Blocks<'a> {
    input: Vec<RwLock<&'a mut [Lanes]>>,
    output: Vec<Mutex<&'a mut [Lanes]>>,
}

fn read<T>(locks: &[RwLock<T>]) -> Vec<RwLockReadGuard<'_, T>> {
    // A thread that panics stops all.
    locks.iter().map(|lock| lock.read().unwrap_or_else(PoisonError::into_inner)).collect()
}

impl<'a> Composer<'a> {
    pub(crate) fn new(
        settings: &'a Word2vecSettings,
        step: Step,
        (inputs_split, outputs): (Split, Outputs<'a>),
    ) -> Composer<'a> {
        let (groups, sums) = Default::default();
        Composer { settings, step, outputs, inputs_split, groups, sums }
    }

    /// Trains on batches, one after the other, on the threads of rayon's pool; calls `done` with the
    /// number of each that is done. Returns the sums of the losses.
    pub(crate) fn train(
        &mut self,
        jobs: &[Job],
        input: &mut Matrix,
        output: &mut Matrix,
        noise: &[Noise],
        done: impl Fn(usize) + Sync,
    ) -> Vec<f64> {
        let width = width(input.dim);
        let parts = jobs.iter().map(|job| job.batch.parts()).max().unwrap_or(0);
        self.sums.resize_with(self.sums.len().max(CLASSES * parts), Default::default);
        self.groups.resize_with(self.outputs.blocks() as usize, Default::default);
        let tasks = (CLASSES * parts).max(input.blocks.len());
        let blocks = Blocks {
            input: input.blocks.iter_mut().map(|b| RwLock::new(b.as_mut_slice())).collect(),
            output: output.blocks.iter_mut().map(|b| Mutex::new(b.as_mut_slice())).collect(),
        };
        let this = &*self;
        let found = Team::new(tasks, this.outputs.blocks()).run(|member| {
            let mut scratch = Scratch::new(&this.step);
            let mut losses = Vec::new();
            for (number, job) in jobs.iter().enumerate() {
                let mut note = |tile: usize, loss| losses.push(((number, tile), loss));
                if !this.work(member, job, &blocks, noise, width, &mut scratch, &mut note) {
                    break;
                }
                if member.is_first() {
                    done(number);
                }
            }
            losses
        });
        let mut found: Vec<((usize, usize), f64)> = found.into_iter().flatten().collect();
        found.sort_unstable_by_key(|(place, _)| *place);
        let mut losses = vec![0.0; jobs.len()];
        for ((number, _), loss) in found {
            losses[number] += loss;
        }
        losses
    }

    /// The part of one thread in training on a batch. Returns false if training was stopped.
    #[expect(clippy::too_many_arguments, reason = "they are what threads share, and what one has")]
    fn work(
        &self,
        member: &mut Member<'_>,
        job: &Job,
        blocks: &Blocks<'_>,
        noise: &[Noise],
        width: usize,
        scratch: &mut Scratch,
        note: &mut impl FnMut(usize, f64),
    ) -> bool {
        let batch = &job.batch;
        self.sum_up(member, batch, blocks, width)
            && self.train_outputs(member, job, blocks, noise, width, scratch, note)
            && self.give_back(member, batch, blocks, width)
    }

    /// The sums of the rows of words, class by class.
    fn sum_up(
        &self,
        member: &mut Member<'_>,
        batch: &Batch,
        blocks: &Blocks<'_>,
        width: usize,
    ) -> bool {
        let Some(words) = &batch.words else { return true };
        let input = read(&blocks.input);
        let input: Vec<&[Lanes]> = input.iter().map(|block| &***block).collect();
        let source = Source { blocks: &input, split: self.inputs_split, width };
        member.tasks(CLASSES * batch.parts(), |task| {
            let sums = self.sums[task].write();
            let mut sums = sums.unwrap_or_else(PoisonError::into_inner);
            let part = words.part(task / CLASSES);
            sums.resize(part.len() * width, Lanes::ZERO);
            sum_rows(&mut sums, CLASSES * part.start + task % CLASSES, &words.rows, source);
        })
    }

    #[expect(clippy::too_many_arguments, reason = "as above")]
    fn train_outputs(
        &self,
        member: &mut Member<'_>,
        job: &Job,
        parameters: &Blocks<'_>,
        noise: &[Noise],
        width: usize,
        scratch: &mut Scratch,
        note: &mut impl FnMut(usize, f64),
    ) -> bool {
        let &Job { ref batch, rate, name: [seed, epoch, portion, number] } = job;
        let (step, outputs) = (&self.step, self.outputs);
        let blocks = outputs.blocks();
        // Negatives come from another block than the target, as it happens: were it the same, a
        // word would never be held against those of other blocks.
        let mut random = Random::named(&[seed, stream::SHIFT, epoch, portion, number]);
        let shift = random.below(blocks);
        let mut strata: Vec<u32> = (0..blocks).collect();
        if self.settings.one_target() {
            // All targets lie on the diagonal.
            strata = if shift == 0 { vec![0] } else { vec![0, blocks - shift] };
        }
        let last = strata.len() as u32 - 1;
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
        let mean = self.settings.cbow_mean.unwrap_or(true);
        let true_mean = mean && self.settings.cbow_gradient == Some(CbowGradient::Mean);
        let sums = read(&self.sums[..CLASSES * batch.parts()]);
        let sums: Vec<&[Lanes]> = sums.iter().map(|sums| &sums[..]).collect();
        let input = read(&parameters.input);
        let input: Vec<&[Lanes]> = input.iter().map(|block| &***block).collect();
        let source = Source { blocks: &input, split: self.inputs_split, width };
        member.tiles(&tiles, |i, tile| {
            let group = self.groups[tile.row_block as usize].write();
            let mut group = group.unwrap_or_else(PoisonError::into_inner);
            let Group { hidden, inputs } = &mut *group;
            let column = parameters.output[tile.column_block as usize].lock();
            let mut column = column.unwrap_or_else(PoisonError::into_inner);
            let numbers = batch.group(tile.row_block as usize);
            if tile.stratum == 0 {
                hidden.resize(numbers.len() * width, Lanes::ZERO);
                inputs.resize(numbers.len() * width, Lanes::ZERO);
                make_inputs(hidden, inputs, numbers.start, batch, source, &sums, mean);
            }
            let of = |column: u32| {
                batch.pairs.items((tile.row_block * blocks + column % blocks) as usize)
            };
            let examples = (of(tile.column_block), tile.column_block);
            let mut loss = outputs.train(step, examples, hidden, &mut column, rate, scratch);
            if let Some(noise) = noise.get(tile.column_block as usize) {
                let name = [seed, stream::BATCH_NEGATIVES, epoch, portion, number, i as u64];
                let mut draw = Draw { noise, random: Random::named(&name) };
                let (pairs, own) = (of(tile.column_block + shift), shift == 0);
                let column = &mut column;
                loss += negatives(step, pairs, own, hidden, column, &mut draw, rate, scratch);
            }
            if tile.stratum == last {
                gradients(inputs, hidden, numbers.start, batch, true_mean, width);
            }
            note(i, loss);
        })
    }

    /// Moves the rows that inputs were made of.
    fn give_back(
        &self,
        member: &mut Member<'_>,
        batch: &Batch,
        blocks: &Blocks<'_>,
        width: usize,
    ) -> bool {
        let groups = read(&self.groups);
        let lists: Vec<&[Lanes]> = groups.iter().map(|group| &group.inputs[..]).collect();
        let gradients = Lists { lists: &lists, bits: GROUP_BITS, width };
        let Some(words) = &batch.words else {
            return move_blocks(member, blocks, &batch.returns, gradients);
        };
        let parts = batch.parts();
        let all = member.tasks(parts, |part| {
            let sums = self.sums[CLASSES * part].write();
            let mut sums = sums.unwrap_or_else(PoisonError::into_inner);
            sum_gradients(&mut sums, words.part(part).start, &batch.returns, gradients);
        });
        let sums = read(&self.sums[..CLASSES * parts]);
        let lists: Vec<&[Lanes]> = sums.iter().step_by(CLASSES).map(|sums| &sums[..]).collect();
        let gradients = Lists { lists: &lists, bits: PART_BITS, width };
        all && move_blocks(member, blocks, &words.returns, gradients)
    }
}

/// Moves the rows of each block, see [`move_rows`].
fn move_blocks(
    member: &mut Member<'_>,
    blocks: &Blocks<'_>,
    returns: &Sorted<(u32, At)>,
    gradients: Lists<'_>,
) -> bool {
    member.tasks(blocks.input.len(), |block| {
        let rows = blocks.input[block].write();
        let mut rows = rows.unwrap_or_else(PoisonError::into_inner);
        move_rows(&mut rows, returns.items(block), gradients);
    })
}

impl Batch {
    /// The inputs of a group.
    fn group(&self, group: usize) -> Range<usize> {
        self.groups[group]..self.groups[group + 1]
    }

    /// How many parts sums are made in.
    fn parts(&self) -> usize {
        self.words.as_ref().map_or(0, |words| words.len().div_ceil(PART))
    }

    /// How many rows input `i` is made of.
    fn rows_of(&self, i: usize) -> usize {
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
    fn part(&self, part: usize) -> Range<usize> {
        part * PART..self.len().min((part + 1) * PART)
    }
}

/// The input rows, to be read.
#[derive(Clone, Copy)]
struct Source<'a> {
    blocks: &'a [&'a [Lanes]],
    split: Split,
    width: usize,
}

impl<'a> Source<'a> {
    #[inline(always)]
    fn row(&self, id: u32) -> &'a [Lanes] {
        let (block, place) = self.split.of(id);
        &self.blocks[block as usize][place as usize * self.width..][..self.width]
    }

    /// Makes `sum` the sum of rows, in their order.
    #[inline(always)]
    fn sum(&self, sum: &mut [Lanes], rows: &[u32]) {
        let (fours, rest) = rows.as_chunks::<4>();
        for (i, four) in fours.iter().enumerate() {
            self.add(sum, i > 0, *four);
        }
        let more = !fours.is_empty();
        match *rest {
            [a, b, c] => self.add(sum, more, [a, b, c]),
            [a, b] => self.add(sum, more, [a, b]),
            [a] => self.add(sum, more, [a]),
            _ if !more => sum.fill(Lanes::ZERO),
            _ => {}
        }
    }

    /// Makes `sum` the sum of rows, or adds them to it if there is one.
    #[inline(always)]
    fn add<const K: usize>(&self, sum: &mut [Lanes], more: bool, ids: [u32; K]) {
        let mut rows = [&[][..]; K];
        for (row, id) in rows.iter_mut().zip(ids) {
            *row = self.row(id);
        }
        let width = sum.len();
        // Said once, so that it is not asked lane by lane.
        assert!(rows.iter().all(|row| row.len() == width), "rows are as long as their sum");
        for k in 0..width {
            let mut total = rows[0][k];
            for row in &rows[1..] {
                total = total.plus(row[k]);
            }
            sum[k] = if more { sum[k].plus(total) } else { total };
        }
    }
}

#[inline(always)]
fn add(to: &mut [Lanes], from: &[Lanes]) {
    assert_eq!(to.len(), from.len(), "rows are as long as each other");
    for k in 0..to.len() {
        to[k] = to[k].plus(from[k]);
    }
}

for_processors! {
    /// The sums of lists of rows: of `first` and every [`CLASSES`]th after it.
    fn sum_rows, sum_rows_wide, sum_rows_portable(
        sums: &mut [Lanes],
        first: usize,
        lists: &Sorted<u32>,
        source: Source<'_>,
    )
}

#[inline(always)]
fn sum_rows_portable(sums: &mut [Lanes], first: usize, lists: &Sorted<u32>, source: Source<'_>) {
    let numbers = (first..).step_by(CLASSES);
    for (number, sum) in numbers.zip(sums.chunks_exact_mut(source.width)) {
        for &row in lists.get(number + CLASSES) {
            prefetch(source.row(row));
        }
        source.sum(sum, lists.items(number));
    }
}

for_processors! {
    /// The gradients of words from `first` on, each the sum of those of inputs.
    fn sum_gradients, sum_gradients_wide, sum_gradients_portable(
        sums: &mut [Lanes],
        first: usize,
        returns: &Sorted<(u32, At)>,
        gradients: Lists<'_>,
    )
}

#[inline(always)]
fn sum_gradients_portable(
    sums: &mut [Lanes],
    first: usize,
    returns: &Sorted<(u32, At)>,
    gradients: Lists<'_>,
) {
    for (word, sum) in (first..).zip(sums.chunks_exact_mut(gradients.width)) {
        sum.fill(Lanes::ZERO);
        for &(_, gradient) in returns.items(word) {
            add(sum, gradients.row(gradient));
        }
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
        sums: &[&[Lanes]],
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
    sums: &[&[Lanes]],
    mean: bool,
) {
    let width = source.width;
    let both = inputs.chunks_exact_mut(width).zip(copies.chunks_exact_mut(width));
    for (i, (input, copy)) in (first..).zip(both) {
        match &batch.words {
            Some(_) => {
                input.fill(Lanes::ZERO);
                for &word in batch.made_of.items(i) {
                    let (part, place) = (word as usize / PART, word as usize % PART);
                    for sums in &sums[CLASSES * part..CLASSES * (part + 1)] {
                        add(input, &sums[place * width..][..width]);
                    }
                }
            }
            None => {
                for &row in batch.made_of.get(i + WINDOWS_AHEAD) {
                    prefetch(source.row(row));
                }
                source.sum(input, batch.made_of.items(i));
            }
        }
        let scale = match mean {
            true => Lanes::all(1.0 / batch.rows_of(i) as f32),
            false => Lanes::all(1.0),
        };
        for (input, copy) in input.iter_mut().zip(copy) {
            *input = input.times(scale);
            *copy = *input;
        }
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
    if !true_mean {
        for (old, new) in inputs.iter_mut().zip(hidden) {
            *old = new.minus(*old);
        }
        return;
    }
    for (i, (input, hidden)) in (first..).zip(inputs.chunks_mut(width).zip(hidden.chunks(width))) {
        let scale = Lanes::all(1.0 / batch.rows_of(i) as f32);
        for (old, new) in input.iter_mut().zip(hidden) {
            *old = new.minus(*old).times(scale);
        }
    }
}

for_processors! {
    /// Moves rows of a block, each (place, gradient) by a gradient.
    fn move_rows, move_rows_wide, move_rows_portable(
        rows: &mut [Lanes],
        returns: &[(u32, At)],
        gradients: Lists<'_>,
    )
}

#[inline(always)]
fn move_rows_portable(rows: &mut [Lanes], returns: &[(u32, At)], gradients: Lists<'_>) {
    let range =
        |place: u32| place as usize * gradients.width..(place as usize + 1) * gradients.width;
    for (i, &(place, gradient)) in returns.iter().enumerate() {
        if let Some(&(place, gradient)) = returns.get(i + AHEAD) {
            prefetch(&rows[range(place)]);
            prefetch(gradients.row(gradient));
        }
        add(&mut rows[range(place)], gradients.row(gradient));
    }
}

#[cfg(test)]
mod tests;
