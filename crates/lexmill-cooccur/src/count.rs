//! Stage `count`: reads token shards and the vocabulary, writes the grid of co-occurrence counts.
//!
//! | file | table |
//! | --- | --- |
//! | `cells/row_block=R/column_block=C/cells.parquet` | [`lexmill_store::table::counts`] |
//! | `words.parquet` | the vocabulary the ids refer to |
//!
//! The corpus is taken in *runs*: as many token shards as fit in memory. If one run holds all of it,
//! its rows go straight to the grid. Otherwise each run's rows are written out sorted, and merged row
//! by row in the end, at most 64 runs at a time. A run, a merge, and a row block of the grid
//! are each a unit of resume.
//!
//! When the corpus has only grown since an earlier result, `growth` counts what is new and corrects
//! what the changed vocabulary touches.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use lexmill_store::table::vocabulary::write_vocabulary;
use lexmill_store::workers::share;
use lexmill_store::{
    Error as StoreError, FileEntry, Manifest, Progress, Resources, StageKey, StageWriter,
    UnitRecord, open_files,
};
use lexmill_tokenize::shards::{Shard, provenance, token_shards};
use lexmill_tokenize::vocabulary;
use lexmill_vocab::{BlockLayout, Vocabulary};
use serde_json::{Value, json};

use crate::grid::{GridWriter, OPEN_SHARD_BYTES, WORDS};
use crate::growth::{self, Growth};
use crate::rows::{Accumulator, Positions};
use crate::run::{FAN_IN, OPEN_RUN_BYTES, RunWriter, merge, run_file};
use crate::settings::CountSettings;
use crate::text::{Slots, Text};
use crate::weights::Weights;
use crate::{Error, Result};

/// The stage's kind.
pub const KIND: &str = "count";
/// Raised when the same settings and inputs give other bytes.
pub const VERSION: u32 = 1;

/// The fewest tokens of a run: below a budget for this, a few MiB, nothing is gained.
const LEAST_RUN_TOKENS: u64 = if cfg!(test) { 8 } else { 1 << 20 };

/// The most tokens of a run: with a mark for each document, their positions fit 32 bits.
const MOST_RUN_TOKENS: u64 = 1 << 31;
/// Files that are open besides those of the tasks.
const OTHER_FILES: usize = 48;

/// Everything a step of the stage needs.
pub(crate) struct Counting<'a> {
    pub(crate) settings: &'a CountSettings,
    pub(crate) weights: Weights,
    pub(crate) vocabulary: &'a Vocabulary,
    pub(crate) layout: BlockLayout,
    pub(crate) shards: Vec<Shard>,
    pub(crate) stage: StageWriter,
    pub(crate) threads: usize,
    pub(crate) data_bytes: u64,
    pub(crate) progress: &'a Progress,
}

/// Runs the stage.
///
/// # Errors
/// If the inputs are not finished stages or can't be read, nothing is left to count, or the disk
/// refuses. Units done stay for the next run.
pub fn run(
    settings: &CountSettings,
    tokens: &Path,
    vocabulary: &Path,
    output: &Path,
    key: StageKey,
    resources: &Resources,
    progress: &Progress,
) -> Result<Manifest> {
    let words = vocabulary::read(vocabulary)?;
    let (text, shards) = token_shards(tokens)?;
    let blocks = settings.blocks.unwrap_or_else(|| BlockLayout::automatic_blocks(words.len()));
    let layout = BlockLayout::new(words.len(), blocks);
    let growth = Growth::find(output, &key, &shards, resources.threads, progress)?;
    // How the work is split is part of what its units mean.
    let way = if growth.is_some() { "growth" } else { "whole" };
    let purpose = format!("{}-{way}", key.hash());
    let stage = StageWriter::begin(output, &purpose, resources.threads, progress)?;
    let vocabulary_bytes = words.words().map(|word| word.len() as u64 + 32).sum::<u64>();
    let counting = Counting {
        settings,
        weights: Weights::new(settings.weighting, settings.window),
        vocabulary: &words,
        layout,
        shards,
        stage,
        threads: resources.threads.max(1),
        data_bytes: resources.data_bytes().saturating_sub(vocabulary_bytes),
        progress,
    };
    let mut counted = BTreeMap::new();
    let runs = match &growth {
        Some(growth) => growth::count(&counting, growth, &mut counted)?,
        None => None,
    };
    let rows = match runs {
        Some(runs) => counting.merge_into_grid(runs)?,
        None => counting.whole()?,
    };
    let made_from = json!({
        "tokens": provenance(&text),
        "vocabulary": Manifest::expect(vocabulary, &[vocabulary::KIND])?.key.settings,
    });
    counting.complete(key, rows, counted, made_from)
}

impl Counting<'_> {
    pub(crate) fn slots(&self) -> Slots<'_> {
        Slots { vocabulary: self.vocabulary, layout: self.layout, unknown: self.settings.unknown }
    }

    /// Threads for which a task that takes `each` bytes has room beside `fixed` bytes, and that may all
    /// have so many files open.
    fn threads_for(&self, each: u64, fixed: u64, files: usize) -> usize {
        let room = self.data_bytes.saturating_sub(fixed) / each.max(1);
        let open = open_files().saturating_sub(OTHER_FILES) / files.max(1);
        self.threads.min(room.max(1) as usize).min(open.max(1))
    }

    fn accumulator_bytes(&self) -> u64 {
        Accumulator::bytes(self.layout.slots())
    }

    /// What a thread takes while it writes a row block of the grid.
    fn grid_bytes(&self) -> u64 {
        self.accumulator_bytes() + u64::from(self.layout.blocks()) * OPEN_SHARD_BYTES
    }

    /// Tokens of a run, leaving room for the threads.
    pub(crate) fn run_tokens(&self) -> u64 {
        let threads = self.threads as u64 * (self.accumulator_bytes() + OPEN_RUN_BYTES);
        let room = self.data_bytes.saturating_sub(threads.min(self.data_bytes / 2));
        (room / Positions::BYTES_PER_TOKEN).clamp(LEAST_RUN_TOKENS, MOST_RUN_TOKENS)
    }

    /// Counts the whole corpus.
    fn whole(&self) -> Result<Vec<UnitRecord>> {
        let tokens: u64 = self.shards.iter().map(|shard| shard.tokens).sum();
        let fits = self.run_tokens() >= tokens
            && self.data_bytes > tokens * Positions::BYTES_PER_TOKEN + self.grid_bytes();
        let begun = self.stage.units().any(|unit| unit.unit.starts_with("run "));
        if fits && !begun {
            return self.straight_to_grid(tokens);
        }
        let runs = self.runs("run", 0..self.shards.len())?;
        self.merge_into_grid(runs)
    }

    fn straight_to_grid(&self, tokens: u64) -> Result<Vec<UnitRecord>> {
        let fixed = tokens * Positions::BYTES_PER_TOKEN;
        let threads = self.threads_for(self.grid_bytes(), fixed, self.layout.blocks() as usize);
        let paths: Vec<PathBuf> = self.shards.iter().map(|shard| shard.path.clone()).collect();
        let (room, window) = (self.room(0..paths.len()), self.weights.window());
        let text = self.slots().load(&paths, 0..paths.len(), room, window, self.threads)?;
        let positions = self.positions(&text);
        self.progress.begin("rows", self.layout.words() as u64);
        self.grid(threads, |block, sums, writer| {
            positions.rows(block, sums, |slot, sums| writer.row(slot, sums))
        })
    }

    /// Threads that have room to write a run beside `fixed` bytes.
    pub(crate) fn threads_for_run(&self, fixed: u64) -> usize {
        self.threads_for(self.accumulator_bytes() + OPEN_RUN_BYTES, fixed, 1)
    }

    /// Tokens of shards, with a mark for each document.
    fn room(&self, shards: std::ops::Range<usize>) -> usize {
        self.shards[shards].iter().map(|shard| (shard.tokens + shard.documents) as usize).sum()
    }

    fn positions<'a>(&'a self, text: &'a Text) -> Positions<'a> {
        let contexts = self.settings.contexts;
        Positions::new(text, self.layout, contexts, &self.weights, self.threads)
    }

    /// Counts shards `range` in runs that fit in memory, and writes their rows out. Returns the runs'
    /// names.
    pub(crate) fn runs(&self, prefix: &str, range: std::ops::Range<usize>) -> Result<Vec<String>> {
        let paths: Vec<PathBuf> = self.shards.iter().map(|shard| shard.path.clone()).collect();
        let total = self.shards[range.clone()].iter().map(|shard| shard.tokens).sum();
        self.progress.begin("tokens", total);
        let budget = self.run_tokens();
        let mut names = Vec::new();
        let mut start = range.start;
        while start < range.end {
            // A run that was written before, under whatever budget; the longest if merged since.
            let begins = format!("{prefix} {start:08}-");
            let end_of = |unit: &str| unit.strip_prefix(&begins)?.parse::<usize>().ok();
            let known = self
                .stage
                .units()
                .filter_map(|known| Some((end_of(&known.unit)?, known)))
                .filter(|(end, _)| *end <= range.end)
                .last();
            if let Some((end, known)) = known {
                self.progress.advance(self.shards[start..end].iter().map(|s| s.tokens).sum());
                names.push(known.unit.clone());
                start = end;
                continue;
            }
            let (mut end, mut tokens) = (start + 1, self.shards[start].tokens);
            while end < range.end && tokens + self.shards[end].tokens <= budget {
                tokens += self.shards[end].tokens;
                end += 1;
            }
            let (window, room) = (self.weights.window(), self.room(start..end));
            let text = self.slots().load(&paths, start..end, room, window, self.threads)?;
            let name = format!("{begins}{end:08}");
            self.write_run(&name, &text, false)?;
            names.push(name);
            self.progress.advance(tokens);
            self.progress.go_on()?;
            start = end;
            if names.len() >= FAN_IN {
                let merged = format!("{prefix} {:08}-{end:08}", range.start);
                self.merge_into_run(&names, &merged)?;
                names = vec![merged];
            }
        }
        Ok(names)
    }

    /// Writes the rows of `text` out as a run, or what takes them away again.
    pub(crate) fn write_run(&self, name: &str, text: &Text, negative: bool) -> Result<()> {
        let positions = self.positions(text);
        let threads = self.threads_for_run(text.slots.len() as u64 * Positions::BYTES_PER_TOKEN);
        self.write_blocks(threads, name, |block, sums, writer| {
            positions.rows(block, sums, |slot, sums| {
                if negative {
                    sums.negate();
                }
                writer.row(slot, sums)
            })
        })
    }

    /// Writes a run block by block, and notes that it is done.
    pub(crate) fn write_blocks(
        &self,
        threads: usize,
        name: &str,
        rows: impl Fn(u32, &mut Accumulator, &mut RunWriter) -> Result<()> + Sync,
    ) -> Result<()> {
        let files: Mutex<Vec<(u32, FileEntry, u64)>> = Mutex::default();
        self.each_block(threads, |block, sums| {
            let mut writer = RunWriter::create(&self.stage, name, block)?;
            rows(block, sums, &mut writer)?;
            let cells = writer.cells;
            let file = writer.finish()?;
            files.lock().expect("no holder panics").push((block, file, cells));
            Ok(())
        })?;
        let mut files = files.into_inner().expect("no holder panics");
        files.sort_by_key(|(block, ..)| *block);
        let cells: u64 = files.iter().map(|(.., cells)| cells).sum();
        let files = files.into_iter().map(|(_, file, _)| file).collect();
        let record = UnitRecord { unit: name.to_owned(), files, report: json!({ "cells": cells }) };
        Ok(self.stage.record(&record)?)
    }

    fn run_files(&self, runs: &[String], block: u32) -> Vec<PathBuf> {
        runs.iter().map(|run| self.stage.path(&run_file(run, block))).collect()
    }

    /// Merges runs into one, and removes them.
    pub(crate) fn merge_into_run(&self, runs: &[String], merged: &str) -> Result<()> {
        let each = (runs.len() as u64 + 1) * OPEN_RUN_BYTES + self.accumulator_bytes();
        let threads = self.threads_for(each, 0, runs.len() + 1);
        self.write_blocks(threads, merged, |block, sums, writer| {
            let files = self.run_files(runs, block);
            merge(&files, self.layout, block, sums, |slot, sums| writer.row(slot, sums))
        })?;
        for run in runs.iter().filter(|run| *run != merged) {
            let directory = self.stage.path(&format!("runs/{run}"));
            std::fs::remove_dir_all(&directory).map_err(StoreError::io("remove", &directory))?;
        }
        Ok(())
    }

    /// Merges runs into the grid.
    fn merge_into_grid(&self, mut runs: Vec<String>) -> Result<Vec<UnitRecord>> {
        while runs.len() > FAN_IN {
            let merged = format!("merged {}", runs.len());
            let batch: Vec<String> = runs.drain(..FAN_IN).collect();
            if self.stage.unit(&merged).is_none() {
                self.merge_into_run(&batch, &merged)?;
            }
            runs.push(merged);
        }
        let each = self.grid_bytes() + runs.len() as u64 * OPEN_RUN_BYTES;
        self.progress.begin("rows", self.layout.words() as u64);
        let threads = self.threads_for(each, 0, runs.len() + self.layout.blocks() as usize);
        self.grid(threads, |block, sums, writer| {
            let files = self.run_files(&runs, block);
            merge(&files, self.layout, block, sums, |slot, sums| writer.row(slot, sums))
        })
    }

    /// Writes the row blocks of the grid that are not there yet.
    fn grid(
        &self,
        threads: usize,
        rows: impl Fn(u32, &mut Accumulator, &mut GridWriter) -> Result<()> + Sync,
    ) -> Result<Vec<UnitRecord>> {
        let metadata = json!({
            "settings": self.settings,
            "units_per_count": self.weights.units_per_count(),
            "blocks": self.layout.blocks(),
        });
        let records: Mutex<Vec<UnitRecord>> = Mutex::default();
        self.each_block(threads, |block, sums| {
            let unit = format!("row {block:05}");
            let record = match self.stage.unit(&unit) {
                Some(record) => record.clone(),
                None => {
                    let mut writer =
                        GridWriter::create(&self.stage, self.layout, block, &metadata)?;
                    rows(block, sums, &mut writer)?;
                    let report = json!({
                        "cells": writer.cells,
                        "units": writer.total_units.to_string(),
                    });
                    let record = UnitRecord { unit, files: writer.finish()?, report };
                    self.stage.record_soon(&record)?;
                    record
                }
            };
            self.progress.advance(u64::from(self.layout.block_words(block)));
            records.lock().expect("no holder panics").push(record);
            Ok(())
        })?;
        let mut records = records.into_inner().expect("no holder panics");
        records.sort_by(|a, b| a.unit.cmp(&b.unit));
        Ok(records)
    }

    /// Does something for every block, several at a time, each thread with an accumulator.
    fn each_block(
        &self,
        threads: usize,
        work: impl Fn(u32, &mut Accumulator) -> Result<()> + Sync,
    ) -> Result<()> {
        share(threads, self.layout.blocks() as usize, self.progress, |tasks| {
            let mut sums = Accumulator::new(self.layout.slots());
            tasks.into_iter().try_for_each(|block| work(block as u32, &mut sums))
        })?;
        Ok(())
    }

    fn complete(
        self,
        key: StageKey,
        rows: Vec<UnitRecord>,
        counted: BTreeMap<String, u64>,
        made_from: Value,
    ) -> Result<Manifest> {
        let cells: u64 = rows.iter().filter_map(|row| row.report["cells"].as_u64()).sum();
        if cells == 0 {
            return Err(Error::NoCells { window: self.settings.window });
        }
        let units: u128 =
            rows.iter().filter_map(|row| row.report["units"].as_str()?.parse::<u128>().ok()).sum();
        let words =
            write_vocabulary(&self.stage.path(WORDS), WORDS, self.vocabulary, &Value::Null)?;
        let units_per_count = self.weights.units_per_count();
        let report = json!({
            "cells": cells,
            "words": self.vocabulary.len(),
            "blocks": self.layout.blocks(),
            "units_per_count": units_per_count,
            "total_count": units as f64 / units_per_count as f64,
            // For the tables made of this, so that they can be traced: which text, how cut, which words.
            "made_from": made_from,
        });
        if !counted.is_empty() {
            let said = counted.iter().map(|(what, n)| format!("{n} {what}")).collect::<Vec<_>>();
            let text = format!("took over the earlier counts: {}", said.join(", "));
            self.progress.report(lexmill_store::Event::Notice(text));
        }
        let mut files: Vec<FileEntry> = rows.into_iter().flat_map(|row| row.files).collect();
        files.push(words);
        // Which shards are counted, for the next time the corpus grows.
        let units = BTreeMap::from([("shards".to_owned(), growth::counted_shards(&self.shards))]);
        Ok(self.stage.finish(key, files, units, report)?)
    }
}

#[cfg(test)]
mod tests;
