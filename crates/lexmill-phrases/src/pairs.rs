//! How often each two words stand side by side.
//!
//! Workers take shards as they come and sum pairs in a table each. A table that might outgrow its
//! share of the memory is written out sorted, as a *run*: a unit of resume, which says what shards it
//! holds. In the end all runs and tables are merged. Sums do not depend on how shards were dealt out.
//!
//! A pair never reaches from one document into the next. It does reach over the end of a shard within
//! a document: those few pairs are found from the [`Edge`]s of shards.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use lexmill_store::merge::merge_counts;
use lexmill_store::table::tokens::{Tokens, read_token_shard};
use lexmill_store::table::{Batch, Column, ColumnType, TableReader, TableWriter};
use lexmill_store::workers::share;
use lexmill_store::{Error as StoreError, FileEntry, Progress, StageWriter, UnitRecord};
use lexmill_tokenize::shards::Shard;
use lexmill_vocab::Vocabulary;
use rustc_hash::FxBuildHasher;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Error, Result};

/// A token that is no candidate.
pub(crate) const NONE: u32 = u32::MAX;

/// Runs merged at a time.
const FAN_IN: usize = if cfg!(test) { 3 } else { 64 };

/// Bytes of memory for a pair in a table: two buckets of 17 bytes, and the same again for a moment when
/// the table grows or is sorted.
const PAIR_BYTES: u64 = 64;

/// The fewest pairs a table holds, whatever the memory.
const LEAST_PAIRS: u64 = if cfg!(test) { 8 } else { 1 << 12 };

const BATCH_ROWS: usize = 1 << 13;

/// Two ids as one number that sorts as they do.
pub(crate) fn pair(first: u32, second: u32) -> u64 {
    u64::from(first) << 32 | u64::from(second)
}

/// The two ids of a pair.
pub(crate) fn split(pair: u64) -> (u32, u32) {
    ((pair >> 32) as u32, pair as u32)
}

/// Numbers by pair.
pub(crate) type PairMap<T> = HashMap<u64, T, FxBuildHasher>;

/// What the shards beside it need to know of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Edge {
    /// It has no token of any document and begins none: a document that goes on passes through.
    empty: bool,
    /// Its first token belongs to the document before.
    goes_on: bool,
    /// Its first token, or [`NONE`].
    first: u32,
    /// The last token of its last document, or [`NONE`].
    last: u32,
}

impl Edge {
    fn of(tokens: &Tokens) -> Edge {
        let rows = || tokens.rows().skip_while(|(part, tokens)| *part > 0 && tokens.is_empty());
        let first = rows().next();
        Edge {
            empty: first.is_none(),
            goes_on: first.is_some_and(|(part, _)| part > 0),
            first: first.and_then(|(_, tokens)| tokens.first().copied()).unwrap_or(NONE),
            last: rows().last().and_then(|(_, tokens)| tokens.last().copied()).unwrap_or(NONE),
        }
    }
}

/// Two candidates side by side in one document, the end of a shard between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Link {
    /// The shard that the first ends.
    pub(crate) before: usize,
    /// The shard that the second begins.
    pub(crate) after: usize,
    /// The first word's id.
    pub(crate) first: u32,
    /// The second word's id.
    pub(crate) second: u32,
}

fn links(edges: &BTreeMap<usize, Edge>) -> Vec<Link> {
    let mut links = Vec::new();
    let mut before: Option<(usize, u32)> = None;
    for (&after, edge) in edges.iter().filter(|(_, edge)| !edge.empty) {
        if let Some((before, first)) = before.filter(|_| edge.goes_on)
            && first != NONE
            && edge.first != NONE
        {
            links.push(Link { before, after, first, second: edge.first });
        }
        before = Some((after, edge.last));
    }
    links
}

/// Counting under way.
pub(crate) struct Counting<'a> {
    /// The candidates.
    pub(crate) words: &'a Vocabulary,
    pub(crate) shards: &'a [Shard],
    pub(crate) stage: &'a StageWriter,
    pub(crate) threads: usize,
    pub(crate) data_bytes: u64,
    pub(crate) progress: &'a Progress,
}

/// All pairs, counted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Counted {
    /// The table of those that occur often enough, sorted by ids.
    pub(crate) path: PathBuf,
    /// Different pairs, rare ones included.
    pub(crate) pairs: u64,
    /// Places where a document passes the end of a shard.
    pub(crate) links: Vec<Link>,
}

const UNIT: &str = "pairs";
const FILE: &str = "pairs.parquet";
const RUNS: &str = "runs";

fn run_file(number: usize) -> String {
    format!("{RUNS}/{number:010}.parquet")
}

/// A worker's table.
#[derive(Default)]
struct Table {
    counts: PairMap<u64>,
    /// The shards it has counted.
    edges: BTreeMap<usize, Edge>,
}

impl Table {
    fn sorted(&mut self) -> Vec<(u64, u64)> {
        let mut sorted: Vec<(u64, u64)> = std::mem::take(&mut self.counts).into_iter().collect();
        sorted.sort_unstable();
        sorted
    }
}

impl Counting<'_> {
    /// Counts all pairs of candidates; those of `min_count` or more go to the table.
    ///
    /// # Errors
    /// If a shard can't be read or the disk refuses. Runs done stay for the next process.
    pub(crate) fn count(&self, min_count: u64) -> Result<Counted> {
        let path = self.stage.path(FILE);
        if let Some(done) = self.stage.unit(UNIT) {
            let links = serde_json::from_value(done.report["links"].clone());
            let links = links.map_err(|e| StoreError::corrupt(&path, e.to_string()))?;
            let pairs = done.report["pairs"].as_u64().unwrap_or(0);
            return Ok(Counted { path, pairs, links });
        }
        let (mut runs, mut edges) = self.known_runs();
        let todo: Vec<usize> = (0..self.shards.len()).filter(|i| !edges.contains_key(i)).collect();
        let tokens = |i: &usize| self.shards[*i].tokens;
        self.progress.begin("tokens", self.shards.iter().map(|shard| shard.tokens).sum());
        self.progress.advance(edges.keys().map(tokens).sum());
        let largest = todo.iter().map(tokens).max().unwrap_or(0).max(1);
        let threads = (self.data_bytes / (largest * PAIR_BYTES)).clamp(1, self.threads as u64);
        let most = (self.data_bytes / threads / PAIR_BYTES).max(LEAST_PAIRS);
        // Names sort as their numbers do; after a kill, some may be missing.
        let last = runs.last().and_then(|run| run.file_stem()?.to_str()?.parse::<usize>().ok());
        let number = AtomicUsize::new(last.map_or(0, |last| last + 1));
        let ends = share(threads as usize, todo.len(), self.progress, |tasks| {
            let (mut table, mut spilled) = (Table::default(), Vec::new());
            let (mut edges, mut text) = (BTreeMap::new(), Tokens::default());
            for i in tasks.map(|task| todo[task]) {
                if !table.edges.is_empty() && table.counts.len() as u64 + tokens(&i) > most {
                    let run = run_file(number.fetch_add(1, Ordering::Relaxed));
                    spilled.push(self.spill(&run, &mut table)?);
                    edges.append(&mut table.edges);
                }
                let edge = self.shard(&self.shards[i].path, &mut text, &mut table.counts)?;
                table.edges.insert(i, edge);
                self.progress.advance(tokens(&i));
            }
            edges.append(&mut table.edges);
            Ok::<_, Error>((spilled, edges, table.sorted()))
        })?;
        let mut sources = Vec::new();
        for (spilled, mut more, sorted) in ends {
            runs.extend(spilled);
            edges.append(&mut more);
            sources.push(Source::Memory(sorted.into_iter()));
        }
        let links = links(&edges);
        let mut across: BTreeMap<u64, u64> = BTreeMap::new();
        links.iter().for_each(|l| *across.entry(pair(l.first, l.second)).or_default() += 1);
        sources.push(Source::Memory(across.into_iter().collect::<Vec<_>>().into_iter()));
        let mut merges = 0;
        while runs.len() > FAN_IN {
            let batch: Vec<PathBuf> = runs.drain(..FAN_IN).collect();
            let name = format!("merged-{merges:05}.parquet");
            merges += 1;
            let mut writer = PairsWriter::create(&self.stage.path(&name))?;
            merge_counts(open_all(&batch)?, |pair, count| writer.push(pair, count))?;
            writer.finish(&name)?;
            runs.push(self.stage.path(&name));
        }
        sources.extend(open_all(&runs)?);
        let (mut writer, mut pairs) = (PairsWriter::create(&path)?, 0);
        merge_counts(sources, |pair, count| {
            pairs += 1;
            if count >= min_count { writer.push(pair, count) } else { Ok(()) }
        })?;
        let files = vec![writer.finish(FILE)?];
        let report = json!({ "pairs": pairs, "links": links });
        self.stage.record(&UnitRecord { unit: UNIT.to_owned(), files, report })?;
        // No longer needed; whatever stays goes when the stage is finished.
        let _gone = std::fs::remove_dir_all(self.stage.path(RUNS));
        Ok(Counted { path, pairs, links })
    }

    /// Runs of an earlier process, and the shards they hold.
    fn known_runs(&self) -> (Vec<PathBuf>, BTreeMap<usize, Edge>) {
        let (mut runs, mut edges) = (Vec::new(), BTreeMap::new());
        for unit in self.stage.units().filter(|unit| unit.unit.starts_with(RUNS)) {
            let held: Result<Vec<(usize, Edge)>, _> =
                serde_json::from_value(unit.report["edges"].clone());
            if let Ok(held) = held {
                runs.push(self.stage.path(&unit.unit));
                edges.extend(held);
            }
        }
        (runs, edges)
    }

    /// Adds a shard's pairs to `counts`.
    fn shard(&self, path: &Path, text: &mut Tokens, counts: &mut PairMap<u64>) -> Result<Edge> {
        read_token_shard(path, |word| self.words.id(word).unwrap_or(NONE), text)?;
        for (_, tokens) in text.rows() {
            for two in tokens.windows(2) {
                if two[0] != NONE && two[1] != NONE {
                    *counts.entry(pair(two[0], two[1])).or_default() += 1;
                }
            }
        }
        Ok(Edge::of(text))
    }

    /// Writes a table's pairs out as a run; it holds none then.
    fn spill(&self, name: &str, table: &mut Table) -> Result<PathBuf> {
        let path = self.stage.path(name);
        let mut writer = PairsWriter::create(&path)?;
        table.sorted().into_iter().try_for_each(|(pair, count)| writer.push(pair, count))?;
        let files = vec![writer.finish(name)?];
        let edges: Vec<(&usize, &Edge)> = table.edges.iter().collect();
        let report = json!({ "edges": edges });
        self.stage.record(&UnitRecord { unit: name.to_owned(), files, report })?;
        Ok(path)
    }
}

/// Sorted pairs with their counts, to be merged with others.
enum Source {
    Memory(std::vec::IntoIter<(u64, u64)>),
    File(Box<PairsReader>),
}

impl Iterator for Source {
    type Item = Result<(u64, u64)>;

    fn next(&mut self) -> Option<Result<(u64, u64)>> {
        match self {
            Source::Memory(pairs) => pairs.next().map(Ok),
            Source::File(reader) => reader.next_pair().transpose(),
        }
    }
}

fn open_all(files: &[PathBuf]) -> Result<Vec<Source>> {
    files.iter().map(|file| Ok(Source::File(Box::new(PairsReader::open(file)?)))).collect()
}

/// A table of pairs being written: `first`, `second` (ids), `count`.
struct PairsWriter {
    table: TableWriter,
    pairs: Vec<u64>,
    counts: Vec<u64>,
}

impl PairsWriter {
    fn create(path: &Path) -> Result<PairsWriter> {
        let columns =
            [("first", ColumnType::U32), ("second", ColumnType::U32), ("count", ColumnType::U64)];
        let table = TableWriter::create(path, &columns, &Value::Null)?;
        Ok(PairsWriter { table, pairs: Vec::new(), counts: Vec::new() })
    }

    fn push(&mut self, pair: u64, count: u64) -> Result<()> {
        self.pairs.push(pair);
        self.counts.push(count);
        if self.pairs.len() == BATCH_ROWS { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        let first = self.pairs.iter().map(|&pair| split(pair).0).collect();
        let second = self.pairs.iter().map(|&pair| split(pair).1).collect();
        let counts = std::mem::take(&mut self.counts);
        self.table.write(vec![Column::u32(first), Column::u32(second), Column::u64(counts)])?;
        self.pairs.clear();
        Ok(())
    }

    fn finish(mut self, name: &str) -> Result<FileEntry> {
        self.flush()?;
        Ok(self.table.finish(name)?)
    }
}

/// Pairs with their counts, one by one, from a table of them.
pub(crate) struct PairsReader {
    reader: TableReader,
    batch: Option<Batch>,
    row: usize,
}

impl PairsReader {
    pub(crate) fn open(path: &Path) -> Result<PairsReader> {
        let columns = ["first", "second", "count"];
        let reader = TableReader::open(path, Some(&columns), BATCH_ROWS)?;
        Ok(PairsReader { reader, batch: None, row: 0 })
    }

    pub(crate) fn next_pair(&mut self) -> Result<Option<(u64, u64)>> {
        loop {
            if let Some(batch) = self.batch.as_ref().filter(|batch| self.row < batch.rows()) {
                let row = self.row;
                self.row += 1;
                let ids = pair(batch.u32("first")?[row], batch.u32("second")?[row]);
                return Ok(Some((ids, batch.u64("count")?[row])));
            }
            match self.reader.next().transpose()? {
                None => return Ok(None),
                Some(batch) => {
                    self.batch = Some(batch);
                    self.row = 0;
                }
            }
        }
    }
}
