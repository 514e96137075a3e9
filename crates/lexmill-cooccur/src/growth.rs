//! An earlier grid plus what is new, instead of a full recount.
//!
//! When a corpus grows, the vocabulary changes with it: ids move, and words enter (or leave) at the
//! threshold. Counts are whole units, so they can be taken away as exactly as they were added:
//!
//! 1. the earlier grid, its ids moved to the new ones;
//! 2. minus the counts, under the old vocabulary, of the documents in which a word stands that has
//!    entered or left;
//! 3. plus the counts of these documents under the new vocabulary;
//! 4. plus the counts of the new shards.
//!
//! The sum equals a full recount, cell by cell. Only documents that hold a changed word are read
//! again for counting. If that is more than half of the corpus, or shards were taken out, or the
//! settings differ, everything is counted anew.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use lexmill_store::table::tokens::{Tokens, read_token_shard};
use lexmill_store::table::vocabulary::WordsReader;
use lexmill_store::{Manifest, Progress, StageKey, UnitRecord};
use lexmill_tokenize::shards::Shard;
use lexmill_vocab::{BlockLayout, Vocabulary};
use serde_json::{Value, json};

use crate::Result;
use crate::count::{Counting, KIND};
use crate::grid::{Grid, cells_path};
use crate::rows::Accumulator;
use crate::run::Cursor;
use crate::text::{END, Text};

/// An earlier result that the corpus has only grown since.
pub(crate) struct Growth {
    grid: Grid,
    vocabulary: Vocabulary,
    /// Where the counted shards stand in the new corpus.
    old: Vec<usize>,
    new: Vec<usize>,
}

/// What a manifest keeps of the shards that were counted.
pub(crate) fn counted_shards(shards: &[Shard]) -> Value {
    json!(shards.iter().map(|shard| &shard.hash).collect::<Vec<_>>())
}

impl Growth {
    /// The finished result in `output`, if it was counted the same way and its shards are all among
    /// `shards`, in the same order.
    pub(crate) fn find(
        output: &Path,
        key: &StageKey,
        shards: &[Shard],
        threads: usize,
        progress: &Progress,
    ) -> Result<Option<Growth>> {
        let same = |old: &Manifest| {
            old.key.stage == KIND
                && old.key.version == key.version
                && old.key.settings == key.settings
        };
        let Some(manifest) = Manifest::read(output).ok().flatten().filter(same) else {
            return Ok(None);
        };
        let counted: Vec<String> = manifest
            .units
            .get("shards")
            .and_then(|value| serde_json::from_value(value.clone()).ok())
            .unwrap_or_default();
        let mut old = Vec::new();
        let mut new = Vec::new();
        let mut left = counted.iter().peekable();
        for (i, shard) in shards.iter().enumerate() {
            if left.peek() == Some(&&shard.hash) {
                left.next();
                old.push(i);
            } else {
                new.push(i);
            }
        }
        // A document that goes on from a counted shard in a new one, or the other way round, is not
        // the document that was counted.
        let is_old = |i: usize| old.binary_search(&i).is_ok();
        let torn = (1..shards.len()).any(|i| shards[i - 1].continued && is_old(i - 1) != is_old(i));
        if old.is_empty() || new.is_empty() || left.peek().is_some() || torn {
            return Ok(None);
        }
        let tokens = |which: &[usize]| which.iter().map(|&i| shards[i].tokens).sum::<u64>();
        if tokens(&new) > tokens(&old) {
            return Ok(None);
        }
        progress.begin_comparing(manifest.bytes());
        if !manifest.damage(output, threads, progress)?.is_empty() {
            return Ok(None);
        }
        let grid = Grid::open(output)?;
        let vocabulary = grid.vocabulary()?;
        Ok(Some(Growth { grid, vocabulary, old, new }))
    }
}

/// What became of the words of the earlier vocabulary.
struct Changes<'a> {
    old: &'a Vocabulary,
    new: &'a Vocabulary,
    layout: BlockLayout,
    /// Words that are in one of the two vocabularies only.
    changed: HashSet<&'a str>,
}

impl<'a> Changes<'a> {
    fn new(old: &'a Vocabulary, new: &'a Vocabulary, layout: BlockLayout) -> Changes<'a> {
        let left = old.words().filter(|word| new.id(word).is_none());
        let entered = new.words().filter(|word| old.id(word).is_none());
        Changes { old, new, layout, changed: left.chain(entered).collect() }
    }

    /// The slot that cells of an old id move to; the slot that counts for nothing if the word left.
    fn moved(&self, old_id: u32) -> u32 {
        let new = self.new.id(self.old.word(old_id));
        new.map_or(self.layout.slots() as u32, |id| self.layout.slot(id))
    }
}

/// The unit that says which runs make up a grown grid, or that everything is counted anew.
const GROWTH: &str = "growth";

/// Counts what is new and what has changed, in runs. `None` if that is more work than a recount.
pub(crate) fn count(
    counting: &Counting<'_>,
    growth: &Growth,
    counted: &mut BTreeMap<String, u64>,
) -> Result<Option<Vec<String>>> {
    if let Some(done) = counting.stage.unit(GROWTH) {
        let read = |name: &str| done.report[name].clone();
        *counted = serde_json::from_value(read("counted")).unwrap_or_default();
        return Ok(serde_json::from_value(read("runs")).unwrap_or_default());
    }
    // The decision holds for whoever goes on, whatever memory they have.
    let decide = |runs: Option<&[String]>, counted: &BTreeMap<String, u64>| {
        counting.stage.record(&UnitRecord {
            unit: GROWTH.to_owned(),
            files: Vec::new(),
            report: json!({ "runs": runs, "counted": counted }),
        })
    };
    let changes = Changes::new(&growth.vocabulary, counting.vocabulary, counting.layout);
    let corrected = Corrections::find(counting, growth, &changes)?;
    let old_tokens: u64 = growth.old.iter().map(|&i| counting.shards[i].tokens).sum();
    let Some(corrected) = corrected.filter(|c| 2 * c.tokens <= old_tokens) else {
        decide(None, counted)?;
        return Ok(None);
    };
    let mut runs = move_grid(counting, growth, &changes)?;
    if corrected.tokens > 0 {
        for (name, slots, negative) in
            [("minus", corrected.minus, true), ("plus", corrected.plus, false)]
        {
            counting.write_run(name, &Text { slots, lead: 0 }, negative)?;
            runs.push(name.to_owned());
        }
    }
    let mut new_tokens = 0;
    for range in consecutive(&growth.new) {
        new_tokens += counting.shards[range.clone()].iter().map(|s| s.tokens).sum::<u64>();
        runs.extend(counting.runs("new", range)?);
    }
    counted.insert("tokens are new".to_owned(), new_tokens);
    counted.insert(
        "tokens stand in documents that the changed vocabulary touches".to_owned(),
        corrected.tokens,
    );
    decide(Some(&runs), counted)?;
    Ok(Some(runs))
}

/// Ascending numbers as ranges without gaps.
fn consecutive(numbers: &[usize]) -> Vec<std::ops::Range<usize>> {
    let mut ranges: Vec<std::ops::Range<usize>> = Vec::new();
    for &number in numbers {
        match ranges.last_mut() {
            Some(range) if range.end == number => range.end += 1,
            _ => ranges.push(number..number + 1),
        }
    }
    ranges
}

/// Documents of the earlier corpus in which a changed word stands, as they were counted and as they
/// are to be counted.
struct Corrections {
    minus: Vec<u32>,
    plus: Vec<u32>,
    tokens: u64,
}

impl Corrections {
    /// Finds them; `None` if they do not fit in memory at once.
    fn find(
        counting: &Counting<'_>,
        growth: &Growth,
        changes: &Changes<'_>,
    ) -> Result<Option<Corrections>> {
        let mut found = Corrections { minus: Vec::new(), plus: Vec::new(), tokens: 0 };
        if changes.changed.is_empty() {
            return Ok(Some(found));
        }
        let slots = counting.slots();
        let gap = counting.layout.slots() as u32;
        counting.progress.begin("shards", growth.old.len() as u64);
        for chain in chains(&counting.shards, &growth.old) {
            let tokens: u64 = counting.shards[chain.clone()].iter().map(|s| s.tokens).sum();
            if (found.tokens + tokens) * 2 > counting.run_tokens() {
                return Ok(None);
            }
            counting.progress.advance(chain.len() as u64);
            let shards = &counting.shards[chain];
            if !holds_changed_word(shards, changes)? {
                continue;
            }
            // Ids of words in the order of sight; what they are under either vocabulary.
            let mut words: Vec<(u32, u32, bool)> = Vec::new();
            let mut ids: HashMap<String, u32> = HashMap::new();
            let mut document: Vec<u32> = Vec::new();
            let mut shard_tokens = Tokens::default();
            let mut flush = |document: &mut Vec<u32>, words: &[(u32, u32, bool)]| {
                if document.iter().any(|&word| words[word as usize].2) {
                    found.tokens += document.len() as u64;
                    for (to, which) in [(&mut found.minus, 0), (&mut found.plus, 1)] {
                        to.push(END);
                        let tokens: Vec<u32> = document
                            .iter()
                            .map(|&word| {
                                let (old, new, _) = words[word as usize];
                                if which == 0 { old } else { new }
                            })
                            .collect();
                        slots.append(&tokens, to);
                    }
                }
                document.clear();
            };
            for shard in shards {
                read_token_shard(
                    &shard.path,
                    |word| match ids.get(word) {
                        Some(&id) => id,
                        None => {
                            let id = words.len() as u32;
                            let old = match changes.old.id(word) {
                                // A word that has left keeps its place in what is taken away.
                                Some(_) => {
                                    changes.new.id(word).map_or(gap, |id| counting.layout.slot(id))
                                }
                                None => u32::MAX,
                            };
                            let new = changes
                                .new
                                .id(word)
                                .map_or(u32::MAX, |id| counting.layout.slot(id));
                            words.push((old, new, changes.changed.contains(word)));
                            ids.insert(word.to_owned(), id);
                            id
                        }
                    },
                    &mut shard_tokens,
                )?;
                for (part, tokens) in shard_tokens.rows() {
                    if part == 0 {
                        flush(&mut document, &words);
                    }
                    document.extend_from_slice(tokens);
                }
            }
            flush(&mut document, &words);
        }
        Ok(Some(found))
    }
}

/// Ranges of shards between which no document goes on.
fn chains(shards: &[Shard], which: &[usize]) -> Vec<std::ops::Range<usize>> {
    let mut ranges: Vec<std::ops::Range<usize>> = Vec::new();
    for &i in which {
        match ranges.last_mut() {
            Some(range) if range.end == i && shards[i - 1].continued => range.end += 1,
            _ => ranges.push(i..i + 1),
        }
    }
    ranges
}

fn holds_changed_word(shards: &[Shard], changes: &Changes<'_>) -> Result<bool> {
    for shard in shards {
        let mut found = false;
        WordsReader::open(&shard.words)?
            .for_each(|word, _| found |= changes.changed.contains(word))?;
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A row of the earlier grid under the new ids: its slot, and its range of cells.
type MovedRow = (u32, std::ops::Range<usize>);

/// Writes the earlier grid out as runs under the new ids.
fn move_grid(
    counting: &Counting<'_>,
    growth: &Growth,
    changes: &Changes<'_>,
) -> Result<Vec<String>> {
    let old = growth.grid.layout();
    let nothing = counting.layout.slots() as u32;
    let moved: Vec<u32> = (0..old.words() as u32).map(|id| changes.moved(id)).collect();
    let most_cells = (counting.data_bytes / 3 / 12).max(1 << 20) as usize;
    let mut sums = Accumulator::new(counting.layout.slots());
    let (mut contexts, mut units) = (Vec::<u32>::new(), Vec::<u64>::new());
    let mut rows: Vec<MovedRow> = Vec::new();
    let (mut row_contexts, mut row_units) = (Vec::new(), Vec::new());
    let mut runs = Vec::new();
    counting.progress.begin("cells", growth.grid.cells());
    for row_block in 0..old.blocks() {
        let mut cursors = (0..old.blocks())
            .map(|column| {
                let path = growth.grid.directory().join(cells_path(row_block, column));
                Cursor::open(&path)
            })
            .collect::<Result<Vec<_>>>()?;
        for index in 0..old.block_words(row_block) {
            let id = old.id(row_block, index);
            let mut cells = 0;
            for cursor in &mut cursors {
                cells += cursor.row(id, |context, units| {
                    let slot = moved.get(context as usize).copied().unwrap_or(nothing);
                    sums.add(slot, units);
                })?;
            }
            sums.drain(&mut row_contexts, &mut row_units);
            counting.progress.advance(cells);
            let slot = moved[id as usize];
            if slot == nothing || row_contexts.is_empty() {
                continue;
            }
            let start = contexts.len();
            contexts.append(&mut row_contexts);
            units.append(&mut row_units);
            rows.push((slot, start..contexts.len()));
            if contexts.len() >= most_cells {
                runs.push(write_moved(counting, runs.len(), &mut rows, &contexts, &units)?);
                contexts.clear();
                units.clear();
            }
        }
    }
    if !rows.is_empty() {
        runs.push(write_moved(counting, runs.len(), &mut rows, &contexts, &units)?);
    }
    Ok(runs)
}

fn write_moved(
    counting: &Counting<'_>,
    number: usize,
    rows: &mut Vec<MovedRow>,
    contexts: &[u32],
    units: &[u64],
) -> Result<String> {
    rows.sort_unstable_by_key(|(slot, _)| *slot);
    let name = format!("moved {number:05}");
    let stride = counting.layout.stride();
    let threads = counting.threads_for_run(contexts.len() as u64 * 12);
    counting.write_blocks(threads, &name, |block, _, writer| {
        let first = rows.partition_point(|(slot, _)| *slot < block * stride);
        let last = rows.partition_point(|(slot, _)| *slot < (block + 1) * stride);
        for (slot, range) in &rows[first..last] {
            writer.cells(*slot, &contexts[range.clone()], &units[range.clone()])?;
        }
        Ok(())
    })?;
    rows.clear();
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_ranges() {
        assert_eq!(consecutive(&[0, 1, 3, 4, 5, 9]), [0..2, 3..6, 9..10]);
        assert!(consecutive(&[]).is_empty());
    }
}
