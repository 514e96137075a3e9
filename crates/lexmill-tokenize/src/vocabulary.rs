//! Stage `vocabulary`: merges the word counts of token shards, writes `vocabulary.parquet`.
//!
//! Counts are exact whatever the memory: words are summed in a hash table; when it is full, it is
//! written out sorted; at the end the sorted files are merged, a bounded number at a time. Only the
//! words that are kept must fit in memory, as they must for every later stage.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lexmill_store::merge::merge_counts;
use lexmill_store::table::vocabulary::{WordsReader, WordsWriter, write_vocabulary, write_words};
use lexmill_store::{Manifest, Progress, Resources, StageKey, StageWriter};
use lexmill_vocab::{Interner, Vocabulary, WordCount};
use serde_json::{Value, json};

use crate::settings::VocabularySettings;
use crate::shards::TOKEN_STAGES;
use crate::tokenize::WORDS;
use crate::{Error, Result};

/// The stage's kind.
pub const KIND: &str = "vocabulary";
/// Raised when the same settings and tokens give other bytes.
pub const VERSION: u32 = 1;
/// The table's name in the stage directory.
pub const FILE: &str = "vocabulary.parquet";

/// Files merged at a time.
const FAN_IN: usize = 64;

/// Runs the stage on a finished stage of [`TOKEN_STAGES`].
///
/// # Errors
/// If the tokens can't be read, no word is left, or the disk refuses.
pub fn run(
    settings: &VocabularySettings,
    tokens: &Path,
    output: &Path,
    key: StageKey,
    resources: &Resources,
    progress: &Progress,
) -> Result<Manifest> {
    let manifest = Manifest::expect(tokens, TOKEN_STAGES)?;
    let stage = StageWriter::begin(output, &key.hash(), resources.threads, progress)?;
    let files = manifest.paths(tokens, WORDS);
    let words = manifest.entries(WORDS).map(|file| file.rows).sum();
    progress.begin("words", words);
    let budget = resources.data_bytes() as usize / 2;
    let (min_count, reserved) = (settings.min_count, &settings.reserved);
    let merged = merge_words(&files, stage.directory(), budget, min_count, reserved, progress)?;
    let Merged { kept, types, tokens } = merged;
    let vocabulary = Vocabulary::ranked(kept, settings.max_words, &settings.reserved);
    if vocabulary.len() == settings.reserved.len() {
        return Err(Error::EmptyVocabulary { min_count: settings.min_count, types });
    }
    let report = json!({
        "words": vocabulary.len(),
        "tokens": vocabulary.tokens(),
        "corpus_types": types,
        "corpus_tokens": tokens,
    });
    // The settings stand in the manifest alone: where others give the same words, the same table lets
    // later stages stay as they are.
    let file = write_vocabulary(&stage.path(FILE), FILE, &vocabulary, &Value::Null)?;
    Ok(stage.finish(key, vec![file], BTreeMap::new(), report)?)
}

/// Reads the vocabulary of a finished vocabulary stage.
///
/// # Errors
/// If it is not one, or can't be read.
pub fn read(stage: &Path) -> Result<Vocabulary> {
    Manifest::expect(stage, &[KIND])?;
    Ok(lexmill_store::table::vocabulary::read_vocabulary(&stage.join(FILE))?)
}

/// The words of a corpus.
#[derive(Debug, Clone, Default)]
pub struct Merged {
    /// Words that occur often enough, in no order.
    pub kept: Vec<WordCount>,
    /// Different words.
    pub types: u64,
    /// Tokens.
    pub tokens: u64,
}

/// Sums the tables of words `files` exactly, within `budget` bytes of memory besides the words that
/// are kept: those that occur `min_count` times or more, and those of `reserved`. What does not fit
/// goes to files in `directory`, which stay there until the stage is finished.
///
/// # Errors
/// If a table can't be read, or the disk refuses.
pub fn merge_words(
    files: &[PathBuf],
    directory: &Path,
    budget: usize,
    min_count: u64,
    reserved: &[String],
    progress: &Progress,
) -> Result<Merged> {
    let mut summary = Summary { min_count, ..Summary::default() };
    summary.reserved.extend(reserved.iter().cloned());
    merge(files, directory, budget, progress, &mut summary)?;
    let Summary { kept, types, tokens, .. } = summary;
    Ok(Merged { kept, types, tokens })
}

/// Takes each word of the corpus once, with its whole count.
#[derive(Default)]
struct Summary {
    min_count: u64,
    reserved: std::collections::BTreeSet<String>,
    kept: Vec<WordCount>,
    types: u64,
    tokens: u64,
}

impl Summary {
    fn take(&mut self, word: &str, count: u64) {
        self.types += 1;
        self.tokens += count;
        if count >= self.min_count || self.reserved.contains(word) {
            self.kept.push(WordCount { word: word.to_owned(), count });
        }
    }
}

/// Sums the words of all files within a memory budget; spill files go to `directory`.
fn merge(
    files: &[PathBuf],
    directory: &Path,
    budget: usize,
    progress: &Progress,
    summary: &mut Summary,
) -> Result<()> {
    let (mut words, mut counts) = (Interner::new(), Vec::<u64>::new());
    let mut spills: Vec<PathBuf> = Vec::new();
    let spill_path = |number: usize| directory.join(format!("spill-{number:05}.parquet"));
    for file in files {
        let mut read = 0;
        WordsReader::open(file)?.for_each(|word, count| {
            let id = words.intern(word) as usize;
            match counts.get_mut(id) {
                Some(sum) => *sum += count,
                None => counts.push(count),
            }
            read += 1;
        })?;
        progress.advance(read);
        if words.memory_bytes() + counts.capacity() * 8 > budget {
            let path = spill_path(spills.len());
            write_sorted(&path, &words, &counts)?;
            spills.push(path);
            words = Interner::new();
            counts = Vec::new();
        }
    }
    if spills.is_empty() {
        words.words().zip(&counts).for_each(|(word, &count)| summary.take(word, count));
        return Ok(());
    }
    let path = spill_path(spills.len());
    write_sorted(&path, &words, &counts)?;
    spills.push(path);
    drop((words, counts));
    let mut made = spills.len();
    while spills.len() > FAN_IN {
        let batch: Vec<PathBuf> = spills.drain(..FAN_IN).collect();
        let path = spill_path(made);
        made += 1;
        let mut merged = WordsWriter::create(&path)?;
        merge_sorted(&batch, |word, count| Ok(merged.push(word, count)?))?;
        merged.finish("")?;
        spills.push(path);
    }
    merge_sorted(&spills, |word, count| {
        summary.take(word, count);
        Ok(())
    })
}

fn write_sorted(path: &Path, words: &Interner, counts: &[u64]) -> Result<()> {
    let mut order: Vec<u32> = (0..words.len() as u32).collect();
    order.sort_unstable_by(|&a, &b| words.bytes(a).cmp(words.bytes(b)));
    write_words(path, "", order.iter().map(|&id| (words.word(id), counts[id as usize])))?;
    Ok(())
}

/// Merges sorted files of words; `sink` gets each word once, in order.
fn merge_sorted(files: &[PathBuf], mut sink: impl FnMut(&str, u64) -> Result<()>) -> Result<()> {
    let words = |file: &PathBuf| {
        let mut reader = WordsReader::open(file)?;
        Ok(std::iter::from_fn(move || {
            let next = reader.next_word().map_err(Error::from).transpose()?;
            Some(next.map(|(word, count)| (word.to_owned(), count)))
        }))
    };
    let sources = files.iter().map(words).collect::<Result<Vec<_>>>()?;
    merge_counts(sources, |word, count| sink(&word, count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn counts_are_exact_whatever_the_memory(
            shards in prop::collection::vec(
                prop::collection::btree_map("[a-d]{1,3}", 1u64..1000, 0..40), 1..90),
            budget in prop::sample::select(vec![0usize, 2000, 1 << 30]),
        ) {
            let directory = tempfile::tempdir().unwrap();
            let mut files = Vec::new();
            let mut expected: BTreeMap<String, u64> = BTreeMap::new();
            for (i, shard) in shards.iter().enumerate() {
                let path = directory.path().join(format!("w{i}.parquet"));
                write_words(&path, "", shard.iter().map(|(w, c)| (w.as_str(), *c))).unwrap();
                files.push(path);
                for (word, count) in shard {
                    *expected.entry(word.clone()).or_default() += count;
                }
            }
            let mut summary = Summary { min_count: 500, ..Summary::default() };
            merge(&files, directory.path(), budget, &Progress::new(), &mut summary).unwrap();
            prop_assert_eq!(summary.types as usize, expected.len());
            prop_assert_eq!(summary.tokens, expected.values().sum::<u64>());
            let mut kept: Vec<(String, u64)> =
                summary.kept.into_iter().map(|w| (w.word, w.count)).collect();
            kept.sort();
            let wanted: Vec<(String, u64)> =
                expected.into_iter().filter(|&(_, count)| count >= 500).collect();
            prop_assert_eq!(kept, wanted);
        }
    }
}
