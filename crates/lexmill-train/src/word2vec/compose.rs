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

use std::sync::{Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard};

use lexmill_vocab::Random;

use self::batch::{At, Batch, CLASSES, GROUP_BITS, PART, PART_BITS};
use super::examples::{Outputs, Sorted, Split};
use super::matrix::{Matrix, width};
use super::noise::Noise;
use super::settings::{CbowGradient, Word2vecSettings};
use super::step::{Draw, Scratch, Step, negatives};
use super::stream;
use crate::grid::Tile;
use crate::lanes::{Lanes, for_processors, prefetch};
use crate::team::{Member, Team};

pub(crate) mod batch;

/// Rows that are asked for ahead of their turn.
const AHEAD: usize = 8;
/// Windows whose rows are asked for ahead of their turn.
const WINDOWS_AHEAD: usize = 4;

/// Lists of rows of so many lanes; the last `bits` of where a row is are its place in its list.
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

/// What all threads see of the model, each block for itself.
struct Parameters<'a> {
    input: Vec<RwLock<&'a mut [Lanes]>>,
    output: Vec<Mutex<&'a mut [Lanes]>>,
    noise: &'a [Noise],
    width: usize,
}

/// What a thread has for itself.
struct Own {
    scratch: Scratch,
    /// By number of the batch and of the tile.
    losses: Vec<((usize, usize), f64)>,
}

type Reading<'l, T> = Vec<RwLockReadGuard<'l, T>>;

fn read<T>(locks: &[RwLock<T>]) -> Reading<'_, T> {
    locks.iter().map(|lock| lock.read().expect("no holder panics")).collect()
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().expect("no holder panics")
}

/// Blocks that are read.
fn blocks<'g>(reading: &'g Reading<'_, &mut [Lanes]>) -> Vec<&'g [Lanes]> {
    reading.iter().map(|block| &***block).collect()
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
        let parts = jobs.iter().map(|job| job.batch.parts()).max().unwrap_or(0);
        self.sums.resize_with(self.sums.len().max(CLASSES * parts), Default::default);
        self.groups.resize_with(self.outputs.blocks() as usize, Default::default);
        let tasks = (CLASSES * parts).max(input.blocks.len());
        let parameters = Parameters {
            width: width(input.dim),
            input: input.blocks.iter_mut().map(|b| RwLock::new(b.as_mut_slice())).collect(),
            output: output.blocks.iter_mut().map(|b| Mutex::new(b.as_mut_slice())).collect(),
            noise,
        };
        let this = &*self;
        let team = Team::new(tasks, this.outputs.blocks());
        // The same in every batch, so that rows stay in one cache.
        let owners = team.owners(&vec![1; this.outputs.blocks() as usize]);
        let found = team.run(|member| {
            let mut own = Own { scratch: Scratch::new(&this.step), losses: Vec::new() };
            for (number, job) in jobs.iter().enumerate() {
                let whole = this.sum_up(member, &job.batch, &parameters)
                    && this.train_outputs(member, &owners, (number, job), &parameters, &mut own)
                    && this.give_back(member, &job.batch, &parameters);
                if !whole {
                    break;
                }
                if member.is_first() {
                    done(number);
                }
            }
            own.losses
        });
        let mut found: Vec<((usize, usize), f64)> = found.into_iter().flatten().collect();
        found.sort_unstable_by_key(|(place, _)| *place);
        let mut losses = vec![0.0; jobs.len()];
        for ((number, _), loss) in found {
            losses[number] += loss;
        }
        losses
    }

    /// The sums of the rows of words, class by class. Like the other phases, this is one thread's part;
    /// false if training was stopped.
    fn sum_up(&self, member: &mut Member<'_>, batch: &Batch, parameters: &Parameters<'_>) -> bool {
        let Some(words) = &batch.words else { return true };
        let reading = read(&parameters.input);
        let blocks = blocks(&reading);
        let source = Source { blocks: &blocks, split: self.inputs_split, width: parameters.width };
        member.tasks(CLASSES * batch.parts(), |task| {
            let mut sums = write(&self.sums[task]);
            let part = words.part(task / CLASSES);
            sums.resize(part.len() * source.width, Lanes::ZERO);
            sum_rows(&mut sums, CLASSES * part.start + task % CLASSES, &words.rows, source);
        })
    }

    /// The output layer: makes inputs, trains them and the output rows, leaves the gradients of inputs.
    fn train_outputs(
        &self,
        member: &mut Member<'_>,
        owners: &[usize],
        (number, job): (usize, &Job),
        parameters: &Parameters<'_>,
        own: &mut Own,
    ) -> bool {
        let &Job { ref batch, rate, name: [seed, epoch, portion, name] } = job;
        let (step, outputs, width) = (&self.step, self.outputs, parameters.width);
        let columns = outputs.blocks();
        // Negatives come from another block than the target, as it happens: were it the same, a
        // word would never be held against those of other blocks.
        let mut random = Random::named(&[seed, stream::SHIFT, epoch, portion, name]);
        let shift = random.below(columns);
        let mut strata: Vec<u32> = (0..columns).collect();
        if self.settings.one_target() {
            // All targets lie on the diagonal.
            strata = if shift == 0 { vec![0] } else { vec![0, columns - shift] };
        }
        let last = strata.len() as u32 - 1;
        let tiles: Vec<Tile> = (0..)
            .zip(strata)
            .flat_map(|(stratum, step)| {
                (0..columns).map(move |row_block| Tile {
                    row_block,
                    column_block: (row_block + step) % columns,
                    stratum,
                })
            })
            .collect();
        let mean = self.settings.cbow_mean.unwrap_or(true);
        let true_mean = mean && self.settings.cbow_gradient == Some(CbowGradient::Mean);
        let sums = read(&self.sums[..CLASSES * batch.parts()]);
        let sums: Vec<&[Lanes]> = sums.iter().map(|sums| &sums[..]).collect();
        let reading = read(&parameters.input);
        let blocks = blocks(&reading);
        let source = Source { blocks: &blocks, split: self.inputs_split, width };
        let Own { scratch, losses } = own;
        member.tiles(&tiles, owners, |i, tile| {
            let mut group = write(&self.groups[tile.row_block as usize]);
            let Group { hidden, inputs } = &mut *group;
            let column = parameters.output[tile.column_block as usize].lock();
            let column = &mut column.expect("no holder panics");
            let numbers = batch.group(tile.row_block as usize);
            if tile.stratum == 0 {
                hidden.resize(numbers.len() * width, Lanes::ZERO);
                inputs.resize(numbers.len() * width, Lanes::ZERO);
                make_inputs(hidden, inputs, numbers.start, batch, source, &sums, mean);
            }
            let of = |column: u32| {
                batch.pairs.items((tile.row_block * columns + column % columns) as usize)
            };
            let examples = (of(tile.column_block), tile.column_block);
            let mut loss = outputs.train(step, examples, hidden, column, rate, scratch);
            if let Some(noise) = parameters.noise.get(tile.column_block as usize) {
                let name = [seed, stream::BATCH_NEGATIVES, epoch, portion, name, i as u64];
                let mut draw = Draw { noise, random: Random::named(&name) };
                let (pairs, own) = (of(tile.column_block + shift), shift == 0);
                loss += negatives(step, pairs, own, hidden, column, &mut draw, rate, scratch);
            }
            if tile.stratum == last {
                gradients(inputs, hidden, numbers.start, batch, true_mean, width);
            }
            losses.push(((number, i), loss));
        })
    }

    /// Moves the rows that inputs were made of.
    fn give_back(
        &self,
        member: &mut Member<'_>,
        batch: &Batch,
        parameters: &Parameters<'_>,
    ) -> bool {
        let width = parameters.width;
        let groups = read(&self.groups);
        let lists: Vec<&[Lanes]> = groups.iter().map(|group| &group.inputs[..]).collect();
        let gradients = Lists { lists: &lists, bits: GROUP_BITS, width };
        let Some(words) = &batch.words else {
            return parameters.move_blocks(member, &batch.returns, gradients);
        };
        let parts = batch.parts();
        let all = member.tasks(parts, |part| {
            let mut sums = write(&self.sums[CLASSES * part]);
            sum_gradients(&mut sums, words.part(part).start, &batch.returns, gradients);
        });
        let sums = read(&self.sums[..CLASSES * parts]);
        let lists: Vec<&[Lanes]> = sums.iter().step_by(CLASSES).map(|sums| &sums[..]).collect();
        let gradients = Lists { lists: &lists, bits: PART_BITS, width };
        all && parameters.move_blocks(member, &words.returns, gradients)
    }
}

impl Parameters<'_> {
    /// Moves the rows of each input block, see [`move_rows`].
    fn move_blocks(
        &self,
        member: &mut Member<'_>,
        returns: &Sorted<(u32, At)>,
        gradients: Lists<'_>,
    ) -> bool {
        member.tasks(self.input.len(), |block| {
            move_rows(&mut write(&self.input[block]), returns.items(block), gradients);
        })
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
