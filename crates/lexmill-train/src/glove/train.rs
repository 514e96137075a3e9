//! The stage: epochs, checkpoints, the model.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded};
use lexmill_cooccur::Grid;
use lexmill_embeddings::Embeddings;
use lexmill_embeddings::model::PARAMETERS;
use lexmill_store::table::{Column, TableReader, VECTOR_GROUP_BYTES, write_table};
use lexmill_store::{
    ByteSize, Event, FileEntry, Manifest, Progress, Resources, StageKey, StageWriter, UnitRecord,
};
use lexmill_vocab::{Random, Vocabulary};
use serde_json::{Value, json};

use super::feed::{CHUNK_BYTES, Chunk, Curve, Feed};
use super::parameters::Parameters;
use super::settings::{BiasStep, GloveSettings};
use super::step::{RowLayout, Step, train};
use crate::grid::{Tile, Turns, epoch_tiles};
use crate::scoring::{Scorer, Scores, Watch};
use crate::{Error, METRICS, Result};

/// The stage's kind.
pub const KIND: &str = "glove";
/// Raised when the same settings and counts give other bytes.
pub const VERSION: u32 = 2;

const CHECKPOINT: &str = "checkpoint";
/// Tells the streams of random numbers apart.
const STRATA: u64 = 2;
const CELLS: u64 = 3;

/// A mean loss that training does not come back from: of a model of zeros it is ln² x / 2, less than
/// 1,000 for any count.
const HOPELESS: f64 = 1e6;
const NOT_FINITE: &str = "a parameter is no longer a finite number";

/// Where training stands.
struct State {
    parameters: Parameters,
    /// Epochs that are whole.
    epochs: u32,
    /// Strata of the next one that are done.
    strata: u32,
    /// Losses of the tiles of that epoch, in their order; 0 for those to come.
    tile_losses: Vec<f64>,
    /// Mean losses of the epochs that are whole.
    losses: Vec<f64>,
    /// Their scores.
    scores: Scores,
}

struct Training<'a> {
    settings: &'a GloveSettings,
    grid: &'a Grid,
    vocabulary: &'a Vocabulary,
    stage: &'a StageWriter,
    resources: &'a Resources,
    progress: &'a Progress,
    cells: u64,
    watch: Watch<'a>,
    metadata: Value,
    /// The checkpoint of the best epoch, if that is kept.
    best: Vec<FileEntry>,
    /// Where the last checkpoint stands, in words.
    kept: String,
    last_checkpoint: Instant,
}

/// Runs the stage. There is a `scorer` if the settings name test sets: it scores on these.
///
/// # Errors
/// If the counts can't be read, the model does not fit in memory, training diverges, an epoch can't be scored,
/// or the disk refuses. The last checkpoint stays for the next run.
///
/// # Panics
/// If there is a scorer without test sets, or none with some.
pub fn run(
    settings: &GloveSettings,
    scorer: Option<&dyn Scorer>,
    counts: &Path,
    output: &Path,
    key: StageKey,
    resources: &Resources,
    progress: &Progress,
) -> Result<Manifest> {
    let grid = Grid::open(counts)?;
    let vocabulary = grid.vocabulary()?;
    let row = RowLayout::new(settings.dimensions);
    let watch = Watch::new(settings.scoring(), scorer, settings.epochs);
    check_memory(settings, &grid, row, watch, resources)?;
    let stage = StageWriter::begin(output, &key.hash(), resources.threads, progress)?;
    let mut training = Training {
        settings,
        grid: &grid,
        vocabulary: &vocabulary,
        stage: &stage,
        resources,
        progress,
        cells: grid.cells(),
        watch,
        metadata: json!({
            "model": KIND,
            // As in the key: test sets lie anywhere.
            "settings": key.settings,
            "counts": grid.manifest().key.settings,
            "made_from": grid.manifest().report["made_from"],
        }),
        best: Vec::new(),
        kept: "no checkpoint was written yet".to_owned(),
        last_checkpoint: Instant::now(),
    };
    if scorer.is_some() {
        in_pool(resources, || watch.begin(&vocabulary, progress))?;
    }
    let mut state = training.begin(output, &key, row)?;
    let done = u64::from(state.epochs) * training.cells;
    progress.begin("cells", u64::from(settings.epochs) * training.cells);
    progress.advance(
        done + training.cells * u64::from(state.strata) / u64::from(grid.layout().blocks()),
    );
    while !watch.is_over(state.epochs, &state.scores) {
        let begun = Instant::now();
        training.epoch(&mut state)?;
        let loss = state.losses.last().copied().unwrap_or(f64::NAN);
        progress.report(Event::Epoch {
            epoch: state.epochs,
            epochs: settings.epochs,
            loss,
            seconds: begun.elapsed().as_secs_f64(),
        });
        let best = training.score(&mut state)?;
        let by_epoch = resources.checkpoint_epochs.is_some_and(|n| state.epochs % n.max(1) == 0);
        let by_time = training.last_checkpoint.elapsed() >= resources.checkpoint_every;
        let over = watch.is_over(state.epochs, &state.scores);
        if (best || by_epoch || by_time || progress.is_to_stop()) && !over {
            training.checkpoint(&state)?;
            progress.go_on()?;
        }
    }
    training.check_finite(&state)?;
    let metadata = &training.metadata;
    let State { mut parameters, epochs, losses, scores, .. } = state;
    let kept = watch.kept(&scores).unwrap_or(epochs);
    if kept != epochs {
        let file = training.best.first().expect("every best epoch but the last has a checkpoint");
        // There need not be room for two.
        drop(parameters);
        parameters = Parameters::read(&stage.path(&file.path), grid.layout(), row)?;
    }
    let path = stage.path(PARAMETERS);
    let mut files =
        vec![parameters.write(&path, PARAMETERS, &vocabulary, metadata, resources.threads)?];
    files.push(write_table(
        &stage.path(METRICS),
        METRICS,
        vec![
            ("epoch", Column::u32((1..=epochs).collect())),
            ("loss", Column::f64(losses.clone())),
            ("cells", Column::u64(vec![training.cells; losses.len()])),
        ],
        metadata,
    )?);
    if scorer.is_some() {
        files.push(scores.write(stage.directory(), metadata)?);
    }
    let mut report = json!({
        "words": vocabulary.len(),
        "cells": training.cells,
        // Of the epoch that the model is of.
        "loss": (kept as usize).checked_sub(1).and_then(|last| losses.get(last)),
    });
    watch.end(epochs, &scores, &mut report, progress);
    Ok(stage.finish(key, files, BTreeMap::new(), report)?)
}

fn check_memory(
    settings: &GloveSettings,
    grid: &Grid,
    row: RowLayout,
    watch: Watch<'_>,
    resources: &Resources,
) -> Result<()> {
    // A worker's share: two chunks wait, one is decoded, one is trained.
    let shards = u64::from(grid.layout().blocks()).pow(2);
    let chunk = CHUNK_BYTES.min(grid.cells().div_ceil(shards) * 32);
    // The words, a row group of the table while it is written, and the program itself.
    let parameters = Parameters::bytes(grid.layout(), row);
    let group = (3 * VECTOR_GROUP_BYTES).min(2 * parameters);
    let beside = grid.layout().words() as u64 * 40 + group + (32 << 20);
    // What works on an epoch is gone while that is scored, but need not have been given back.
    let scoring = watch.bytes(grid.layout().words(), settings.dimensions);
    let needed = parameters + resources.threads as u64 * 4 * chunk + beside + scoring;
    if needed > resources.memory_bytes {
        return Err(Error::Memory {
            words: grid.layout().words(),
            dimensions: settings.dimensions,
            needed: ByteSize(needed),
            given: ByteSize(resources.memory_bytes),
        });
    }
    Ok(())
}

impl Training<'_> {
    /// The state to go on from: a checkpoint, an earlier model of fewer epochs, or the start.
    fn begin(&mut self, output: &Path, key: &StageKey, row: RowLayout) -> Result<State> {
        let layout = self.grid.layout();
        let tiles = (layout.blocks() * layout.blocks()) as usize;
        if let Some(checkpoint) = self.stage.unit(CHECKPOINT)
            && let Some(file) = checkpoint.files.first()
        {
            let parameters = Parameters::read(&self.stage.path(&file.path), layout, row)?;
            let report = &checkpoint.report;
            let number = |name: &str| report[name].as_u64().unwrap_or(0) as u32;
            let floats = |name: &str| -> Vec<f64> {
                let bits: Vec<u64> =
                    serde_json::from_value(report[name].clone()).unwrap_or_default();
                bits.into_iter().map(f64::from_bits).collect()
            };
            let (epochs, strata) = (number("epochs"), number("strata"));
            self.kept = kept(epochs, strata, layout.blocks());
            self.progress.report(Event::Resumed {
                epochs,
                parts: u64::from(strata),
                unit: "strata",
            });
            let (tile_losses, losses) = (floats("tile_losses"), floats("losses"));
            let scores: Scores =
                serde_json::from_value(report["scores"].clone()).unwrap_or_default();
            if let Some(best) = self.watch.kept(&scores) {
                let name = checkpoint_name(best, 0);
                self.best =
                    checkpoint.files.iter().filter(|file| file.path == name).cloned().collect();
            }
            return Ok(State { parameters, epochs, strata, tile_losses, losses, scores });
        }
        if let Some((epochs, losses, scores)) = self.fewer_epochs(output, key)? {
            let parameters = Parameters::read(&output.join(PARAMETERS), layout, row)?;
            self.progress.report(Event::Resumed { epochs, parts: 0, unit: "strata" });
            let tile_losses = vec![0.0; tiles];
            return Ok(State { parameters, epochs, strata: 0, tile_losses, losses, scores });
        }
        let parameters = Parameters::initial(layout, row, self.settings.seed);
        let tile_losses = vec![0.0; tiles];
        Ok(State {
            parameters,
            epochs: 0,
            strata: 0,
            tile_losses,
            losses: Vec::new(),
            scores: Scores::default(),
        })
    }

    /// Whether the finished model in `output` differs from what is wanted by having fewer epochs
    /// only. Going on with it gives what training from the start would give.
    fn fewer_epochs(
        &self,
        output: &Path,
        key: &StageKey,
    ) -> Result<Option<(u32, Vec<f64>, Scores)>> {
        let Some(old) = Manifest::read(output).ok().flatten() else { return Ok(None) };
        let epochs = old.key.settings["epochs"].as_u64().unwrap_or(0);
        let mut settings = old.key.settings.clone();
        settings["epochs"] = key.settings["epochs"].clone();
        let same = StageKey { settings, ..old.key.clone() } == *key;
        if !same || epochs >= u64::from(self.settings.epochs) {
            return Ok(None);
        }
        self.progress.begin_comparing(old.bytes());
        if !old.damage(output, self.resources.threads, self.progress)?.is_empty() {
            return Ok(None);
        }
        let Some(scores) = self.watch.of_fewer(output)? else { return Ok(None) };
        let mut losses = Vec::new();
        for batch in TableReader::open(&output.join(METRICS), Some(&["loss"]), 1 << 12)? {
            losses.extend_from_slice(batch?.f64("loss")?);
        }
        Ok(Some((epochs as u32, losses, scores)))
    }

    /// Scores the epoch that has ended, if it is one to be scored; returns whether it is to be kept.
    fn score(&self, state: &mut State) -> Result<bool> {
        if !self.watch.is_due(state.epochs) {
            return Ok(false);
        }
        self.check_finite(state)?;
        let vectors = state.parameters.sums();
        let embeddings =
            Embeddings::new(self.vocabulary.clone(), self.settings.dimensions, vectors)?;
        let (watch, progress) = (self.watch, self.progress);
        let (epoch, scores) = (state.epochs, &mut state.scores);
        in_pool(self.resources, || watch.score(epoch, embeddings, scores, progress))
    }

    fn check_finite(&self, state: &State) -> Result<()> {
        match state.parameters.finite() {
            true => Ok(()),
            false => Err(self.diverged(state.epochs.max(1), NOT_FINITE.to_owned())),
        }
    }

    fn diverged(&self, epoch: u32, what: String) -> Error {
        Error::Diverged {
            epoch,
            what,
            advice: format!(
                "Lower learning_rate (now {}) or gradient_clip (now {})",
                self.settings.learning_rate, self.settings.gradient_clip
            ),
            kept: self.kept.clone(),
        }
    }

    /// Writes the whole state, and removes the one before, but for that of the best epoch.
    fn checkpoint(&mut self, state: &State) -> Result<()> {
        self.check_finite(state)?;
        let name = checkpoint_name(state.epochs, state.strata);
        let path = self.stage.path(&name);
        let file = state.parameters.write(
            &path,
            &name,
            self.vocabulary,
            &self.metadata,
            self.resources.threads,
        )?;
        let mut files = vec![file];
        if self.watch.kept(&state.scores) == Some(state.epochs) && state.strata == 0 {
            self.best.clone_from(&files);
        } else {
            files.extend(self.best.iter().cloned());
        }
        let bits = |floats: &[f64]| floats.iter().map(|x| x.to_bits()).collect::<Vec<u64>>();
        let mut report = json!({
            "epochs": state.epochs,
            "strata": state.strata,
            "tile_losses": bits(&state.tile_losses),
            "losses": bits(&state.losses),
        });
        self.watch.note(&state.scores, &mut report);
        self.stage.record(&UnitRecord { unit: CHECKPOINT.to_owned(), files, report })?;
        let directory = self.stage.directory();
        let list =
            std::fs::read_dir(directory).map_err(lexmill_store::Error::io("list", directory))?;
        for entry in list.flatten() {
            let other = entry.file_name().to_string_lossy().into_owned();
            let best = self.best.iter().any(|file| file.path == other);
            if other.starts_with("checkpoint-") && other != name && !best {
                // One too many does no harm.
                let _removed = std::fs::remove_file(entry.path());
            }
        }
        self.kept = kept(state.epochs, state.strata, self.grid.layout().blocks());
        self.last_checkpoint = Instant::now();
        tracing::debug!(epochs = state.epochs, strata = state.strata, "wrote a checkpoint");
        Ok(())
    }

    /// Trains what is left of the next epoch.
    fn epoch(&mut self, state: &mut State) -> Result<()> {
        let blocks = self.grid.layout().blocks();
        let epoch = u64::from(state.epochs);
        let tiles = epoch_tiles(blocks, &[self.settings.seed, STRATA, epoch]);
        while state.strata < blocks {
            // As far as the next checkpoint.
            self.strata(state, &tiles)?;
            if state.strata < blocks {
                self.checkpoint(state)?;
                self.progress.go_on()?;
            }
        }
        let loss = state.tile_losses.iter().sum::<f64>() / self.cells as f64;
        if loss >= HOPELESS {
            return Err(self.diverged(state.epochs + 1, format!("the mean loss is {loss:.3e}")));
        }
        state.losses.push(loss);
        state.tile_losses.fill(0.0);
        state.strata = 0;
        state.epochs += 1;
        Ok(())
    }

    /// Trains strata until the epoch ends or a checkpoint is due.
    fn strata(&self, state: &mut State, tiles: &[Tile]) -> Result<()> {
        let layout = self.grid.layout();
        let blocks = layout.blocks();
        let threads = self.resources.threads.clamp(1, blocks as usize);
        let turns = Turns::new(blocks, state.strata);
        let failure: Mutex<Option<Error>> = Mutex::new(None);
        let stopped = AtomicBool::new(false);
        let stop = |error: Option<Error>| {
            stopped.store(true, Ordering::SeqCst);
            if let Some(error) = error {
                failure.lock().expect("no holder panics").get_or_insert(error);
            }
            turns.stop();
        };
        let losses: Vec<AtomicU64> = tiles.iter().map(|_| AtomicU64::new(0)).collect();
        let settings = self.settings;
        let bias_rate = match settings.bias_step {
            BiasStep::Until2020 => settings.learning_rate as f32,
            BiasStep::Since2020 => 1.0,
        };
        let step = Step {
            layout: state.parameters.row,
            rate: settings.learning_rate as f32,
            bias_rate,
            clip: settings.gradient_clip as f32,
        };
        let feed = Feed {
            layout,
            units_per_count: self.grid.units_per_count() as f64,
            x_max: settings.x_max,
            alpha: settings.alpha,
        };
        let (epoch, parameters) = (state.epochs, &state.parameters);

        let read = |orders: Receiver<(usize, Sender<Chunk>)>| {
            let mut curve = Curve::new(&feed);
            for (i, chunks) in orders {
                let tile = tiles[i];
                let (path, cells) = self.grid.shard(tile.row_block, tile.column_block);
                let name = [settings.seed, CELLS, u64::from(epoch), i as u64];
                let random = Random::named(&name);
                let done = feed.tile(&path, cells, tile, random, &mut curve, &chunks);
                if let Err(error) = done {
                    stop(Some(error));
                }
            }
        };
        let work = |orders: Receiver<(usize, Receiver<Chunk>)>| {
            // Should this thread panic, nobody may wait for it.
            let _guard = turns.stop_on_panic();
            for (i, chunks) in orders {
                let tile = tiles[i];
                if !turns.wait(tile) {
                    break;
                }
                let rows = &parameters.centers.blocks[tile.row_block as usize];
                let columns = &parameters.contexts.blocks[tile.column_block as usize];
                let mut rows = rows.lock().expect("no holder panics");
                let mut columns = columns.lock().expect("no holder panics");
                let mut loss = 0.0;
                for chunk in chunks {
                    loss += train(&step, &chunk, &mut rows, &mut columns);
                    self.progress.advance(chunk.len() as u64);
                }
                drop((rows, columns));
                if !loss.is_finite() {
                    stop(Some(self.diverged(epoch + 1, NOT_FINITE.to_owned())));
                }
                if stopped.load(Ordering::SeqCst) {
                    break;
                }
                losses[i].store(loss.to_bits(), Ordering::Relaxed);
                turns.done(tile);
            }
        };
        let first = (state.strata * blocks) as usize;
        let dispatched = std::thread::scope(|scope| {
            // Bounded: readers wait with one chunk of a tile sent and one in hand, so that what is
            // ahead of the trainers is a few chunks for each thread.
            let (to_readers, for_readers) = bounded(threads);
            let (to_trainers, for_trainers) = bounded(threads);
            for _ in 0..threads {
                let (for_readers, for_trainers) = (for_readers.clone(), for_trainers.clone());
                scope.spawn(|| read(for_readers));
                scope.spawn(|| work(for_trainers));
            }
            drop((for_readers, for_trainers));
            let mut next = first;
            while next < tiles.len() {
                let begins_stratum = next.is_multiple_of(blocks as usize) && next > first;
                let due = self.last_checkpoint.elapsed() >= self.resources.checkpoint_every;
                if begins_stratum && (due || self.progress.is_to_stop()) {
                    break;
                }
                let (sender, receiver) = bounded(1);
                if to_readers.send((next, sender)).is_err()
                    || to_trainers.send((next, receiver)).is_err()
                {
                    break;
                }
                next += 1;
            }
            drop((to_readers, to_trainers));
            turns.wait_for(next - first);
            next
        });
        if let Some(error) = failure.into_inner().expect("no holder panics") {
            return Err(error);
        }
        let trained = first..dispatched;
        for (to, from) in state.tile_losses[trained.clone()].iter_mut().zip(&losses[trained]) {
            *to = f64::from_bits(from.load(Ordering::Relaxed));
        }
        state.strata = dispatched as u32 / blocks;
        Ok(())
    }
}

/// Scores on the threads that trainers and readers leave idle meanwhile.
fn in_pool<T: Send>(resources: &Resources, score: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let threads = resources.threads.max(1);
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|index| format!("score-{index}"))
        .build()
        .map_err(|source| Error::Threads { threads, source })?;
    pool.install(score)
}

fn checkpoint_name(epochs: u32, strata: u32) -> String {
    format!("checkpoint-{epochs:06}-{strata:04}.parquet")
}

fn kept(epochs: u32, strata: u32, blocks: u32) -> String {
    match strata {
        0 => format!("the checkpoint after epoch {epochs} is kept"),
        _ => format!("the checkpoint {strata}/{blocks} through epoch {} is kept", epochs + 1),
    }
}
