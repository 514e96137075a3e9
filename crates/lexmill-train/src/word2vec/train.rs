//! The stage: epochs, portions, checkpoints, the model.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Mutex;
use std::time::Instant;

use crossbeam_channel::bounded;
use lexmill_embeddings::Embeddings;
use lexmill_store::table::{Column, write_table};
use lexmill_store::{
    ByteSize, Error as StoreError, Event, FileEntry, Manifest, Progress, Resources, StageKey,
    StageWriter, UnitRecord,
};
use lexmill_tokenize::shards::{Shard, provenance, token_shards};
use lexmill_tokenize::vocabulary;
use lexmill_vocab::{BlockLayout, Random};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::compose::batch::{Batch, Batching};
use super::compose::{Composer, Job};
use super::examples::{CUT_TOKENS, Outputs, Sorted, Split, Windows, skipgram};
use super::huffman::Tree;
use super::matrix::{Layout, width};
use super::model::{Model, Shape};
use super::noise::Noise;
use super::settings::Word2vecSettings;
use super::start::{start_bytes, start_from};
use super::step::{Draw, GROUP, Pair, Scratch, Step, negatives};
use super::stream;
use super::subwords::WordRows;
use super::text::{Filter, Portion, Portions, read};
use crate::grid::epoch_tiles;
use crate::lanes::Lanes;
use crate::scoring::{Scorer, Scores, Watch};
use crate::team::Team;
use crate::{Error, METRICS, Result};

/// Raised when the same settings and tokens give other bytes.
pub const VERSION: u32 = 5;

const CHECKPOINT: &str = "checkpoint";
/// Examples that are trained before as many others are held against their negatives.
const TURN: usize = 2 * GROUP;
/// Examples that share negatives with subwords, where sharing shows in the scores.
const SUBWORDS_GROUP: usize = 4;
/// Blocks at most where inputs are made of several rows: batches are small.
const COMPOSED_BLOCKS: u32 = 16;
const COMPOSED_TILE_BLOCKS: u32 = 8;

/// Where training stands.
struct State {
    model: Model,
    /// Epochs that are whole.
    epochs: u32,
    /// Portions of the next one that are done.
    portions: u64,
    points: Vec<Point>,
    /// Scores of the epochs that are whole.
    scores: Scores,
}

/// A row of the table of losses: what a portion of the tokens gave.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Point {
    epoch: u32,
    /// Tokens read since the start of the epoch.
    tokens: u64,
    /// Predictions in the portion.
    examples: u64,
    /// The sum of their losses, as bits.
    loss: u64,
    /// The learning rate at the end, as bits.
    rate: u32,
}

struct Training<'a> {
    settings: &'a Word2vecSettings,
    shape: Shape<'a>,
    shards: &'a [Shard],
    tokens: u64,
    filter: Filter,
    noise: Vec<Noise>,
    inputs: Split,
    outputs: Outputs<'a>,
    step: Step,
    stage: &'a StageWriter,
    resources: &'a Resources,
    progress: &'a Progress,
    metadata: Value,
    watch: Watch<'a>,
    /// The checkpoint of the best epoch, if that is kept.
    best: Vec<FileEntry>,
    /// Where the last checkpoint stands, in words.
    kept: String,
    last_checkpoint: Instant,
}

/// The tokens of a portion that are trained on.
struct KeptPortion {
    kept: Vec<u32>,
    /// Centers whose windows one worker cuts.
    cuts: Vec<Range<usize>>,
    /// Tokens that were read for it.
    tokens: u64,
    epoch: u64,
    number: u64,
}

/// What training reads: directories of finished stages.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// Token shards.
    pub tokens: &'a Path,
    /// The vocabulary.
    pub vocabulary: &'a Path,
}

/// Runs the stage. There is a `scorer` if the settings name test sets: it scores on these.
///
/// # Errors
/// If an input can't be read, the model does not fit in memory, there is nothing to train on, training
/// diverges, an epoch can't be scored, or the disk refuses. The last checkpoint stays for the next run.
///
/// # Panics
/// If there is a scorer without test sets, or none with some.
pub fn run(
    settings: &Word2vecSettings,
    scorer: Option<&dyn Scorer>,
    Inputs { tokens, vocabulary }: Inputs<'_>,
    output: &Path,
    key: StageKey,
    resources: &Resources,
    progress: &Progress,
) -> Result<Manifest> {
    let (manifest, shards) = token_shards(tokens)?;
    let made_from = json!({
        "tokens": provenance(&manifest),
        "vocabulary": Manifest::expect(vocabulary, &[vocabulary::KIND])?.key.settings,
    });
    let vocabulary = vocabulary::read(vocabulary)?;
    let words = vocabulary.len();
    let threads = resources.threads.max(1);
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|index| format!("train-{index}"))
        .build()
        .map_err(|source| Error::Threads { threads, source })?;
    let blocks = settings.blocks.unwrap_or_else(|| match settings.composed() {
        false => BlockLayout::automatic_blocks(words),
        true => BlockLayout::automatic_blocks(words).min(COMPOSED_BLOCKS),
    });
    // Each block has words, so that there is something to draw negatives from.
    let blocks = blocks.min(1 << words.max(1).ilog2());
    // Where tiles are trained in strata, they have to be large enough for it.
    let output_blocks = match settings.composed() && !settings.one_target() {
        true => blocks.min(COMPOSED_TILE_BLOCKS),
        false => blocks,
    };
    let rows = settings.ngrams().map(|ngrams| pool.install(|| WordRows::new(&vocabulary, ngrams)));
    let input = BlockLayout::new(words + rows.as_ref().map_or(0, |r| r.buckets.len()), blocks);
    let filter = Filter::new(&vocabulary, settings.sample);
    let tree = settings
        .hierarchical()
        .then(|| Tree::new(&vocabulary, &filter.kept(&vocabulary), output_blocks));
    let dealt = BlockLayout::new(words, output_blocks);
    let output_layout = tree.as_ref().map_or(Layout::Dealt(dealt), |tree| tree.layout().clone());
    let shape = Shape {
        settings,
        vocabulary: &vocabulary,
        rows: rows.as_ref(),
        input,
        output: &output_layout,
    };
    let watch = Watch::new(settings.scoring(), scorer, settings.epochs);
    check_memory(&shape, tree.as_ref(), watch, &shards, resources)?;
    let noise = match settings.hierarchical() {
        true => Vec::new(),
        false => Noise::blocks(&vocabulary, dealt, settings.noise_exponent),
    };
    let step = Step {
        width: width(settings.dimensions),
        negatives: if settings.hierarchical() { 0 } else { settings.negatives },
        longest: tree.as_ref().map_or(0, Tree::longest),
        group: if settings.subwords { SUBWORDS_GROUP } else { GROUP },
        saturation: settings.saturation(),
    };
    let stage = StageWriter::begin(output, &key.hash(), resources.threads, progress)?;
    let tokens = shards.iter().map(|shard| shard.tokens).sum();
    let mut training = Training {
        settings,
        shape,
        shards: &shards,
        tokens,
        filter,
        noise,
        inputs: Split::new(input),
        outputs: tree.as_ref().map_or(Outputs::Words(Split::new(dealt)), Outputs::Nodes),
        step,
        stage: &stage,
        resources,
        progress,
        metadata: json!({
            "model": settings.architecture.name(),
            // As in the key: vectors to start from lie anywhere.
            "settings": key.settings,
            "vocabulary": made_from["vocabulary"],
            "tokens": vocabulary.tokens(),
            "made_from": made_from,
        }),
        watch,
        best: Vec::new(),
        kept: "no checkpoint was written yet".to_owned(),
        last_checkpoint: Instant::now(),
    };
    pool.install(|| watch.begin(&vocabulary, progress))?;
    let state = pool.install(|| training.train())?;
    let State { mut model, epochs, points, scores, .. } = state;
    let kept = watch.kept(&scores).unwrap_or(epochs);
    if kept != epochs {
        let file = training.best.first().expect("every best epoch but the last has a checkpoint");
        let path = stage.path(&file.path);
        // There need not be room for two.
        drop(model);
        model = shape.read(path.parent().unwrap_or(&path))?;
    }
    let write = || shape.write(&model, stage.directory(), "", true, &training.metadata);
    let mut files = pool.install(write)?;
    files.push(training.write_metrics(&points)?);
    if scorer.is_some() {
        files.push(scores.write(stage.directory(), &training.metadata)?);
    }
    let mut report = json!({
        "words": words,
        "ngrams": rows.as_ref().map(|rows| rows.buckets.len()),
        "tokens": tokens,
        // Of the epoch that the model is of.
        "loss": epoch_loss(&points, kept),
    });
    watch.end(epochs, &scores, &mut report, progress);
    Ok(stage.finish(key, files, BTreeMap::new(), report)?)
}

fn check_memory(
    shape: &Shape<'_>,
    tree: Option<&Tree>,
    watch: Watch<'_>,
    shards: &[Shard],
    resources: &Resources,
) -> Result<()> {
    let (settings, words) = (shape.settings, shape.vocabulary.len());
    // Besides the parameters: words and lists, a portion with its examples, the shards on their way,
    // a few rows of the tables while they are written, and the program itself.
    let lists = shape.rows.map_or(0, WordRows::bytes) + tree.map_or(0, Tree::bytes);
    let batches = match settings.composed() {
        true => {
            let (input, output) =
                (u64::from(shape.input.blocks()), u64::from(shape.output.blocks()));
            let rows = shape.rows.map_or(0, |rows| rows.mean(words));
            let window = settings.window_bytes(rows, output * output + input);
            // What is counted of words while windows are dealt out.
            let counts = 4 * (words * resources.threads.max(1)) as u64;
            (cuts_at_once(resources) * CUT_TOKENS) as u64 * window
                + counts
                + settings.batch_bytes(CUT_TOKENS)
        }
        false => 0,
    };
    let examples = settings.portion_bytes() + batches;
    // One is worked on, one is loaded and one waits.
    let loaded = shards.iter().map(|shard| 4 * shard.tokens + 12 * shard.documents).max();
    let loaded = 3 * loaded.unwrap_or(0);
    // What works on a portion is not there yet while vectors to start from are taken over, and gone
    // while an epoch is scored, but need not have been given back.
    let start = settings.initial_vectors.as_deref().map_or(0, start_bytes);
    let scoring = watch.bytes(words, settings.dimensions);
    let working = (examples + scoring).max(start);
    let needed = shape.bytes() + lists + words as u64 * 60 + working + loaded + (96 << 20);
    if needed > resources.memory_bytes {
        return Err(Error::Memory {
            words,
            dimensions: settings.dimensions,
            needed: ByteSize(needed),
            given: ByteSize(resources.memory_bytes),
        });
    }
    Ok(())
}

/// How much work each column block of the examples of some cuts is, roughly.
fn column_work(cuts: &[(Sorted<Pair>, u64)], blocks: u32, outputs: Outputs<'_>) -> Vec<u64> {
    // One of so many is looked at.
    const SAMPLE: usize = 64;
    let of = |column: u32| {
        let lists = cuts.iter().flat_map(move |(pairs, _)| {
            (0..blocks).map(move |row| pairs.items((row * blocks + column) as usize))
        });
        lists.flat_map(|pairs| pairs.iter().step_by(SAMPLE))
    };
    let columns = (0..blocks).map(of);
    match outputs {
        // Negatives are as many everywhere, and twice as much work as targets.
        Outputs::Words(_) => {
            let targets: Vec<u64> = columns.map(|pairs| pairs.count() as u64).collect();
            let all: u64 = targets.iter().sum();
            targets.iter().map(|own| own + 2 * all / u64::from(blocks)).collect()
        }
        // The nodes of each piece of a path, and its row.
        Outputs::Nodes(tree) => columns
            .map(|pairs| pairs.map(|pair| 1 + tree.piece(pair.target).len() as u64).sum())
            .collect(),
    }
}

/// Of how many cuts batches are held at a time.
fn cuts_at_once(resources: &Resources) -> usize {
    2 * resources.threads.max(1)
}

fn checkpoint_name(epochs: u32, portions: u64) -> String {
    format!("checkpoint-{epochs:06}-{portions:06}")
}

/// The mean loss of an epoch's examples; nothing if it had none.
fn epoch_loss(points: &[Point], epoch: u32) -> Option<f64> {
    let points = || points.iter().filter(|point| point.epoch == epoch);
    let examples: u64 = points().map(|point| point.examples).sum();
    let sum: f64 = points().map(|point| f64::from_bits(point.loss)).sum();
    (examples > 0).then(|| sum / examples as f64)
}

impl Training<'_> {
    /// Whole epochs and portions of the next one that a checkpoint has, if there is one.
    fn position(&self) -> (u32, u64) {
        let report = self.stage.unit(CHECKPOINT).map(|checkpoint| &checkpoint.report);
        let number = |key: &str| report.and_then(|report| report[key].as_u64()).unwrap_or(0);
        (number("epochs") as u32, number("portions"))
    }

    /// The state to go on from: a checkpoint, vectors from elsewhere, or the start.
    fn begin(&mut self) -> Result<State> {
        let (epochs, portions) = self.position();
        if let Some(checkpoint) = self.stage.unit(CHECKPOINT)
            && let Some(file) = checkpoint.files.first()
        {
            let path = self.stage.path(&file.path);
            let model = self.shape.read(path.parent().unwrap_or(&path))?;
            let report = &checkpoint.report;
            let points = serde_json::from_value(report["points"].clone()).unwrap_or_default();
            let scores: Scores =
                serde_json::from_value(report["scores"].clone()).unwrap_or_default();
            if let Some(best) = self.watch.kept(&scores) {
                let folder = checkpoint_name(best, 0) + "/";
                let files = checkpoint.files.iter();
                self.best = files.filter(|file| file.path.starts_with(&folder)).cloned().collect();
            }
            self.kept = self.place(epochs, portions);
            self.progress.report(Event::Resumed { epochs, parts: portions, unit: "portions" });
            return Ok(State { model, epochs, portions, points, scores });
        }
        let mut model = self.shape.initial();
        if let Some(path) = &self.settings.initial_vectors {
            let found =
                start_from(path, &self.shape, &mut model, self.resources.threads, self.progress)?;
            let words = self.shape.vocabulary.len();
            self.progress.report(Event::Notice(format!(
                "{found} of {words} words start with the vectors in {}",
                path.display()
            )));
        }
        let scores = Scores::default();
        Ok(State { model, epochs, portions, points: Vec::new(), scores })
    }

    fn place(&self, epochs: u32, portions: u64) -> String {
        let all = self.tokens.div_ceil(self.settings.portion());
        match portions {
            0 => format!("the checkpoint after epoch {epochs} is kept"),
            _ => format!("the checkpoint {portions}/{all} through epoch {} is kept", epochs + 1),
        }
    }

    fn train(&mut self) -> Result<State> {
        let (settings, shards) = (self.settings, self.shards);
        let portion_tokens = settings.portion();
        let (epochs, portions) = self.position();
        let from = portions * portion_tokens;
        let (to, loaded) = bounded(1);
        let vocabulary = self.shape.vocabulary;
        std::thread::scope(|scope| {
            // The first shard is read while the model is begun.
            scope.spawn(move || read(shards, vocabulary, epochs..settings.epochs, from, &to));
            let mut state = self.begin()?;
            self.progress.begin("tokens", u64::from(settings.epochs) * self.tokens);
            self.progress.advance(u64::from(epochs) * self.tokens + from);
            let mut portions = Portions::new(loaded, shards, from);
            let mut composer = Composer::new(settings, self.step, (self.inputs, self.outputs));
            while !self.watch.is_over(state.epochs, &state.scores) {
                let begun = Instant::now();
                while state.portions * portion_tokens < self.tokens {
                    let portion = portions.next(portion_tokens)?;
                    self.portion(&mut state, &portion, &mut composer)?;
                    let whole = state.portions * portion_tokens >= self.tokens;
                    let due = self.last_checkpoint.elapsed() >= self.resources.checkpoint_every;
                    if !whole && (due || self.progress.is_to_stop()) {
                        self.checkpoint(&state)?;
                        self.progress.go_on()?;
                    }
                }
                self.end_epoch(&mut state, begun)?;
                portions.next_epoch(shards);
            }
            self.check_finite(&state)?;
            Ok(state)
        })
    }

    fn end_epoch(&mut self, state: &mut State, begun: Instant) -> Result<()> {
        state.epochs += 1;
        state.portions = 0;
        let Some(loss) = epoch_loss(&state.points, state.epochs) else {
            return Err(Error::NoExamples);
        };
        self.progress.report(Event::Epoch {
            epoch: state.epochs,
            epochs: self.settings.epochs,
            loss,
            seconds: begun.elapsed().as_secs_f64(),
        });
        let best = self.score(state)?;
        let by_epoch =
            self.resources.checkpoint_epochs.is_some_and(|n| state.epochs.is_multiple_of(n.max(1)));
        let by_time = self.last_checkpoint.elapsed() >= self.resources.checkpoint_every;
        let over = self.watch.is_over(state.epochs, &state.scores);
        if (best || by_epoch || by_time || self.progress.is_to_stop()) && !over {
            self.checkpoint(state)?;
            self.progress.go_on()?;
        }
        Ok(())
    }

    /// Scores the epoch that has ended, if it is one to be scored; returns whether it is to be kept.
    fn score(&self, state: &mut State) -> Result<bool> {
        if !self.watch.is_due(state.epochs) {
            return Ok(false);
        }
        self.check_finite(state)?;
        let vectors = self.shape.vectors(&state.model);
        let embeddings =
            Embeddings::new(self.shape.vocabulary.clone(), self.settings.dimensions, vectors)?;
        self.watch.score(state.epochs, embeddings, &mut state.scores, self.progress)
    }

    /// Trains on the next portion.
    fn portion(
        &mut self,
        state: &mut State,
        portion: &Portion,
        composer: &mut Composer<'_>,
    ) -> Result<()> {
        let settings = self.settings;
        let tokens: u64 = portion.iter().map(|(_, range)| range.len() as u64).sum();
        let (epoch, number) = (u64::from(state.epochs), state.portions);
        let kept = self.filter.apply(portion, [settings.seed, epoch, number]);
        let cuts = (0..kept.len())
            .step_by(CUT_TOKENS)
            .map(|start| start..kept.len().min(start + CUT_TOKENS))
            .collect();
        let portion = KeptPortion { kept, cuts, tokens, epoch, number };
        let (loss, examples) = match settings.composed() {
            true => self.train_batches(&mut state.model, &portion, composer),
            false => self.train_tiles(&mut state.model, &portion),
        };
        let rate = self.rate(&portion, 1.0);
        let mean = loss / examples.max(1) as f64;
        if mean.is_nan() || mean >= self.hopeless() {
            return Err(self.diverged(state.epochs + 1, format!("the mean loss is {mean:.3e}")));
        }
        if examples > 0 {
            state.points.push(Point {
                epoch: state.epochs + 1,
                tokens: number * settings.portion() + tokens,
                examples,
                loss: loss.to_bits(),
                rate: rate.to_bits(),
            });
        }
        state.portions += 1;
        let running = epoch_loss(&state.points, state.epochs + 1).unwrap_or(0.0);
        self.progress.tell(format!("lr {rate:.5}, loss {running:.4}"));
        Ok(())
    }

    /// Trains inputs that are one row each, by tiles. Returns the sum of the losses and how many
    /// predictions there were.
    fn train_tiles(&self, model: &mut Model, portion: &KeptPortion) -> (f64, u64) {
        let &KeptPortion { ref kept, ref cuts, tokens, epoch, number } = portion;
        let (settings, windows) = (self.settings, self.windows());
        let (inputs, outputs) = (self.inputs, self.outputs);
        let cut: Vec<(Sorted<Pair>, u64)> = cuts
            .par_iter()
            .map(|centers| {
                let reaches = windows.reaches(centers, [epoch, number]);
                let (mut pairs, predictions) =
                    skipgram(kept, centers.clone(), &reaches, outputs, inputs);
                // Neighbors share words, and those who share negatives should not.
                if !settings.hierarchical() {
                    pairs.shuffle(&mut self.order(portion, centers));
                }
                (pairs, predictions)
            })
            .collect();
        let examples = cut.iter().map(|(_, predictions)| predictions).sum();
        let blocks = self.shape.input.blocks();
        let tiles = epoch_tiles(blocks, &[settings.seed, stream::STRATA, epoch, number]);
        let each = tokens / tiles.len() as u64;
        let Model { input, output } = model;
        // Negatives come from another block than the target, as it happens: were it the same, a
        // word would never be held against those of other blocks.
        let mut random = Random::named(&[settings.seed, stream::SHIFT, epoch, number]);
        let shifts: Vec<Vec<u32>> =
            cut.iter().map(|_| (0..blocks).map(|_| random.below(blocks)).collect()).collect();
        let step = &self.step;
        let rows = input.blocks.iter_mut().map(|block| Mutex::new(block.as_mut_slice()));
        let rows: Vec<Mutex<&mut [Lanes]>> = rows.collect();
        let columns = output.blocks.iter_mut().map(|block| Mutex::new(block.as_mut_slice()));
        let columns: Vec<Mutex<&mut [Lanes]>> = columns.collect();
        let team = Team::new(0, blocks);
        let owners = team.owners(&column_work(&cut, blocks, outputs));
        let found = team.run(|member| {
            let (mut scratch, mut losses) = (Scratch::new(step), Vec::new());
            member.tiles(&tiles, &owners, |i, tile| {
                let mut rows = rows[tile.row_block as usize].lock().expect("no holder panics");
                let column = columns[tile.column_block as usize].lock();
                let mut columns = column.expect("no holder panics");
                let rate = self.rate(portion, (f64::from(tile.stratum) + 0.5) / f64::from(blocks));
                let random = Random::named(&[
                    settings.seed,
                    stream::TILE_NEGATIVES,
                    epoch,
                    number,
                    i as u64,
                ]);
                let noise = self.noise.get(tile.column_block as usize);
                let mut draw = noise.map(|noise| Draw { noise, random });
                let (rows, columns, scratch) = (&mut **rows, &mut **columns, &mut scratch);
                let mut loss = 0.0;
                for ((pairs, _), shifts) in cut.iter().zip(&shifts) {
                    let of = |column: u32| {
                        pairs.items((tile.row_block * blocks + column % blocks) as usize)
                    };
                    let block = tile.column_block;
                    let Some(draw) = &mut draw else {
                        let pairs = of(block);
                        loss += outputs.train(step, (pairs, block), rows, columns, rate, scratch);
                        continue;
                    };
                    let shift = shifts[tile.row_block as usize];
                    let (positive, negative) = (of(block), of(block + shift));
                    // By turns: what many examples in a row pull up, as many would push down.
                    let turns = positive.len().max(negative.len()).div_ceil(TURN);
                    for turn in 0..turns {
                        let part = |pairs: &'_ [Pair]| turn_of(pairs.len(), turn, turns);
                        let pairs = &positive[part(positive)];
                        loss += outputs.train(step, (pairs, block), rows, columns, rate, scratch);
                        let pairs = &negative[part(negative)];
                        let own = shift == 0;
                        loss += negatives(step, pairs, own, rows, columns, draw, rate, scratch);
                    }
                }
                losses.push((i, loss));
                self.progress.advance(each);
            });
            losses
        });
        let mut losses: Vec<(usize, f64)> = found.into_iter().flatten().collect();
        losses.sort_unstable_by_key(|&(tile, _)| tile);
        self.progress.advance(tokens - each * tiles.len() as u64);
        (losses.into_iter().map(|(_, loss)| loss).sum(), examples)
    }

    /// Trains inputs that are made of several rows, in batches. Returns as
    /// [`train_tiles`](Training::train_tiles) does.
    fn train_batches(
        &self,
        model: &mut Model,
        portion: &KeptPortion,
        composer: &mut Composer<'_>,
    ) -> (f64, u64) {
        let &KeptPortion { ref kept, ref cuts, tokens, epoch, number } = portion;
        let (settings, windows) = (self.settings, self.windows());
        let (inputs, outputs) = (self.inputs, self.outputs);
        let batching = Batching {
            architecture: settings.architecture,
            words: self.shape.vocabulary.len(),
            rows: self.shape.rows,
            windows: settings.batch_windows as usize,
            outputs,
            inputs,
        };
        let mut sum = (0.0, 0);
        let (mut batch_number, mut told) = (0, 0);
        for cuts in cuts.chunks(cuts_at_once(self.resources)) {
            let batches: Vec<Vec<Batch>> = cuts
                .par_iter()
                .map(|centers| {
                    let reaches = windows.reaches(centers, [epoch, number]);
                    let order = self.order(portion, centers);
                    batching.batches(kept, centers.clone(), &reaches, order)
                })
                .collect();
            let part = |batch: &Batch| batch.end as f64 / kept.len() as f64;
            let jobs: Vec<Job> = (batch_number..)
                .zip(batches.into_iter().flatten())
                .map(|(batch_number, batch)| Job {
                    rate: self.rate(portion, part(&batch)),
                    name: [settings.seed, epoch, number, batch_number],
                    batch,
                })
                .collect();
            batch_number += jobs.len() as u64;
            // Tokens that are done with each.
            let done: Vec<u64> = std::iter::once(told)
                .chain(jobs.iter().map(|job| (tokens as f64 * part(&job.batch)) as u64))
                .collect();
            told = done[jobs.len()];
            let Model { input, output } = model;
            let losses = composer.train(&jobs, input, output, &self.noise, |job| {
                self.progress.advance(done[job + 1] - done[job]);
            });
            for (loss, job) in losses.into_iter().zip(&jobs) {
                sum.0 += loss;
                sum.1 += job.batch.predictions;
            }
        }
        self.progress.advance(tokens - told);
        sum
    }

    fn windows(&self) -> Windows {
        Windows {
            window: self.settings.window,
            shrink: self.settings.shrink_windows,
            seed: self.settings.seed,
        }
    }

    /// Random numbers for the order of what the centers of a cut give.
    fn order(&self, portion: &KeptPortion, centers: &Range<usize>) -> Random {
        let &KeptPortion { epoch, number, .. } = portion;
        let start = centers.start as u64;
        Random::named(&[self.settings.seed, stream::ORDER, epoch, number, start])
    }

    /// The learning rate when this part of a portion is done.
    fn rate(&self, portion: &KeptPortion, part: f64) -> f32 {
        // Tokens before the portion, and of all epochs.
        let before = portion.epoch * self.tokens + portion.number * self.settings.portion();
        let all = u64::from(self.settings.epochs) * self.tokens;
        self.settings.rate((before as f64 + portion.tokens as f64 * part) / all as f64)
    }

    fn check_finite(&self, state: &State) -> Result<()> {
        match state.model.input.finite() && state.model.output.finite() {
            true => Ok(()),
            false => {
                let what = "a parameter is no longer a finite number".to_owned();
                Err(self.diverged(state.epochs.max(1), what))
            }
        }
    }

    /// A mean loss that training does not come back from: many times that of a model of zeros.
    fn hopeless(&self) -> f64 {
        let halves = match self.settings.hierarchical() {
            true => (self.shape.vocabulary.len() as f64).log2() + 1.0,
            false => self.settings.negatives as f64 + 1.0,
        };
        1000.0 * halves * std::f64::consts::LN_2
    }

    fn diverged(&self, epoch: u32, what: String) -> Error {
        Error::Diverged {
            epoch,
            what,
            advice: match self.settings.composed() {
                true => format!(
                    "Lower learning_rate (now {}) or batch_windows (now {})",
                    self.settings.learning_rate, self.settings.batch_windows
                ),
                false => format!("Lower learning_rate (now {})", self.settings.learning_rate),
            },
            kept: self.kept.clone(),
        }
    }

    /// Writes the whole state, and removes the one before, but for that of the best epoch.
    fn checkpoint(&mut self, state: &State) -> Result<()> {
        self.check_finite(state)?;
        let name = checkpoint_name(state.epochs, state.portions);
        let directory = self.stage.directory();
        let prefix = format!("{name}/");
        let mut files =
            self.shape.write(&state.model, directory, &prefix, false, &self.metadata)?;
        if self.watch.kept(&state.scores) == Some(state.epochs) && state.portions == 0 {
            self.best.clone_from(&files);
        } else {
            files.extend(self.best.iter().cloned());
        }
        let mut report = json!({
            "epochs": state.epochs,
            "portions": state.portions,
            "points": state.points,
        });
        self.watch.note(&state.scores, &mut report);
        self.stage.record(&UnitRecord { unit: CHECKPOINT.to_owned(), files, report })?;
        let list = std::fs::read_dir(directory).map_err(StoreError::io("list", directory))?;
        for entry in list.flatten() {
            let other = entry.file_name().to_string_lossy().into_owned();
            let best = self.best.iter().any(|file| Path::new(&file.path).starts_with(&other));
            if other.starts_with("checkpoint-") && other != name && !best {
                // One too many does no harm.
                let _removed = std::fs::remove_dir_all(entry.path());
            }
        }
        self.kept = self.place(state.epochs, state.portions);
        self.last_checkpoint = Instant::now();
        tracing::debug!(epochs = state.epochs, portions = state.portions, "wrote a checkpoint");
        Ok(())
    }

    /// The table of losses: a row a portion.
    fn write_metrics(&self, points: &[Point]) -> Result<FileEntry> {
        let mut running = (0, 0.0, 0u64);
        let epoch_losses = points.iter().map(|point| {
            let (epoch, sum, examples) = &mut running;
            if *epoch != point.epoch {
                (*epoch, *sum, *examples) = (point.epoch, 0.0, 0);
            }
            *sum += f64::from_bits(point.loss);
            *examples += point.examples;
            *sum / *examples as f64
        });
        let epoch_losses = epoch_losses.collect();
        let mean = |point: &Point| f64::from_bits(point.loss) / point.examples as f64;
        let columns = vec![
            ("epoch", Column::u32(points.iter().map(|point| point.epoch).collect())),
            ("tokens", Column::u64(points.iter().map(|point| point.tokens).collect())),
            ("examples", Column::u64(points.iter().map(|point| point.examples).collect())),
            ("loss", Column::f64(points.iter().map(mean).collect())),
            ("epoch_loss", Column::f64(epoch_losses)),
            (
                "learning_rate",
                Column::f32(points.iter().map(|point| f32::from_bits(point.rate)).collect()),
            ),
        ];
        Ok(write_table(&self.stage.path(METRICS), METRICS, columns, &self.metadata)?)
    }
}

/// The part of `length` items that comes in one of `turns`: whole groups, but for the last.
fn turn_of(length: usize, turn: usize, turns: usize) -> Range<usize> {
    let cut = |turn: usize| match turn {
        last if last == turns => length,
        turn => length * turn / turns / GROUP * GROUP,
    };
    cut(turn)..cut(turn + 1)
}
