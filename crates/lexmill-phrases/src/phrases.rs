//! Stage `phrases`: reads token shards, joins collocations, writes token shards.
//!
//! | file | table |
//! | --- | --- |
//! | `shards/`, `words/` | as `tokenize` writes them, under the same names |
//! | `phrases.parquet` | the pairs that were joined, by descending score |
//!
//! Columns of `phrases.parquet`:
//!
//! | column | type | what |
//! | --- | --- | --- |
//! | `first`, `second` | text | the words |
//! | `phrase` | text | the two with the delimiter between them |
//! | `count` | u64 | how often the pair stands in the text |
//! | `joined` | u64 | how often it was joined: less, where one of the words was in another phrase |
//! | `score` | f64 | see [`Score`] |
//!
//! Two passes over the text: the first counts pairs, the second joins those whose score is above the
//! threshold, greedily from left to right. A pair never crosses the end of a document; where one goes
//! on in the next shard, the border does not show. In this it differs from word2phrase, which counts
//! (but does not join) pairs across line ends: its `start` flag is cleared before it is looked at.

use std::path::{Path, PathBuf};

use lexmill_store::table::{Column, ColumnType, TableWriter};
use lexmill_store::workers::share;
use lexmill_store::{
    Event, FileEntry, Manifest, Progress, Resources, StageKey, StageWriter, UnitRecord,
};
use lexmill_tokenize::shards::{
    Shard, files_and_units, provenance, shard_unit, threads_with_room, token_shards,
};
use lexmill_tokenize::tokenize::WORDS;
use lexmill_tokenize::vocabulary::merge_words;
use lexmill_vocab::Vocabulary;
use serde_json::{Value, json};

use crate::join::{Borders, Joiner, Phrase, Phrases, times_joined};
use crate::pairs::{Counted, Counting, PairsReader, split};
use crate::score::{Score, Totals};
use crate::settings::PhrasesSettings;
use crate::{Error, Result};

/// The stage's kind.
pub const KIND: &str = "phrases";
/// Raised when the same settings and tokens give other bytes.
pub const VERSION: u32 = 1;
/// The table of phrases in the stage directory.
pub const FILE: &str = "phrases.parquet";

/// Phrases that the report names.
const TOP: usize = 10;

/// Runs the stage on a finished `tokenize` or `phrases` stage.
///
/// # Errors
/// If the tokens can't be read or the disk refuses. Units done stay for the next run.
pub fn run(
    settings: &PhrasesSettings,
    tokens: &Path,
    output: &Path,
    key: StageKey,
    resources: &Resources,
    progress: &Progress,
) -> Result<Manifest> {
    let (manifest, shards) = token_shards(tokens)?;
    let stage = StageWriter::begin(output, &key.hash(), resources.threads, progress)?;
    let files: Vec<PathBuf> = shards.iter().map(|shard| shard.words.clone()).collect();
    progress.begin("words", manifest.entries(WORDS).map(|file| file.rows).sum());
    let budget = resources.data_bytes() as usize / 2;
    // No pair is more frequent than its words. But gensim's score needs the number of all pairs.
    let least = if settings.score == Score::Gensim { 1 } else { settings.min_count };
    let merged = merge_words(&files, stage.directory(), budget, least, &[], progress)?;
    let (types, tokens_before) = (merged.types, merged.tokens);
    let words = Vocabulary::ranked(merged.kept, None, &[]);
    let word_bytes: u64 = words.words().map(|word| word.len() as u64 + 32).sum();
    let data_bytes = resources.data_bytes().saturating_sub(word_bytes);
    let threads = resources.threads.max(1);
    let counting =
        Counting { words: &words, shards: &shards, stage: &stage, threads, data_bytes, progress };
    let counted = counting.count(settings.min_count)?;
    let totals = Totals {
        tokens: tokens_before,
        entries: types + counted.pairs,
        min_count: settings.min_count,
    };
    let phrases = Phrases::new(choose(settings, &counted, &words, &totals)?);
    let borders = Borders::find(&phrases, &counted.links, &words, &shards)?;
    drop(words);
    progress.begin("tokens", tokens_before);
    let at_once = threads_with_room(&shards, Joiner::TOKEN_BYTES, data_bytes, threads);
    let records = join(&phrases, &borders, &stage, &shards, at_once, progress)?;
    let times = times_joined(&phrases, &stage, &shards)?;

    let joined: u64 = times.iter().sum();
    let top: Vec<&str> = phrases.list.iter().take(TOP).map(|p| p.joined.as_str()).collect();
    let notice = match top.is_empty() {
        true => format!("no pair scores more than {}: nothing was joined", settings.threshold()),
        false => format!("{joined} times two words were joined; first come {}", top.join(", ")),
    };
    progress.report(Event::Notice(notice));
    let report = json!({
        "documents": shards.iter().map(|shard| shard.documents).sum::<u64>(),
        "tokens": tokens_before - joined,
        "tokens_before": tokens_before,
        "phrases": phrases.list.len(),
        "joined": joined,
        "threshold": settings.threshold(),
        "corpus_types": types,
        "pairs": counted.pairs,
        "top": top,
        "made_from": provenance(&manifest),
    });
    let table = write_phrases(&stage, &phrases, &times)?;
    let (mut files, units) = files_and_units(records);
    files.push(table);
    Ok(stage.finish(key, files, units, report)?)
}

/// The pairs that score more than the threshold, best first.
fn choose(
    settings: &PhrasesSettings,
    counted: &Counted,
    words: &Vocabulary,
    totals: &Totals,
) -> Result<Vec<Phrase>> {
    let mut reader = PairsReader::open(&counted.path)?;
    let mut phrases = Vec::new();
    while let Some((pair, count)) = reader.next_pair()? {
        let (first, second) = split(pair);
        let score = settings.score.of(count, words.count(first), words.count(second), totals);
        if score > settings.threshold() {
            let (first, second) = (words.word(first).to_owned(), words.word(second).to_owned());
            let joined = format!("{first}{}{second}", settings.delimiter);
            phrases.push(Phrase { first, second, joined, count, score });
        }
    }
    phrases.sort_unstable_by(|a, b| {
        let order = b.score.total_cmp(&a.score).then(b.count.cmp(&a.count));
        order.then_with(|| (&a.first, &a.second).cmp(&(&b.first, &b.second)))
    });
    Ok(phrases)
}

/// Writes the shards that are not there yet; returns the records of all, in order.
fn join(
    phrases: &Phrases,
    borders: &Borders,
    stage: &StageWriter,
    shards: &[Shard],
    threads: usize,
    progress: &Progress,
) -> Result<Vec<UnitRecord>> {
    let made = share(threads, shards.len(), progress, |tasks| {
        let mut joiner = Joiner::new(phrases, borders);
        let mut records = Vec::new();
        for number in tasks {
            let shard = &shards[number];
            let record = match stage.unit(&shard_unit(&shard.name)) {
                Some(record) => record.clone(),
                None => joiner.shard(stage, number, shard)?,
            };
            progress.advance(shard.tokens);
            records.push((number, record));
        }
        Ok::<_, Error>(records)
    })?;
    let mut records: Vec<(usize, UnitRecord)> = made.into_iter().flatten().collect();
    records.sort_unstable_by_key(|(number, _)| *number);
    Ok(records.into_iter().map(|(_, record)| record).collect())
}

fn write_phrases(stage: &StageWriter, phrases: &Phrases, times: &[u64]) -> Result<FileEntry> {
    let columns = [
        ("first", ColumnType::Text),
        ("second", ColumnType::Text),
        ("phrase", ColumnType::Text),
        ("count", ColumnType::U64),
        ("joined", ColumnType::U64),
        ("score", ColumnType::F64),
    ];
    let mut table = TableWriter::create(&stage.path(FILE), &columns, &Value::Null)?;
    for (rows, times) in phrases.list.chunks(1 << 13).zip(times.chunks(1 << 13)) {
        table.write(vec![
            Column::text(rows.iter().map(|phrase| phrase.first.as_str())),
            Column::text(rows.iter().map(|phrase| phrase.second.as_str())),
            Column::text(rows.iter().map(|phrase| phrase.joined.as_str())),
            Column::u64(rows.iter().map(|phrase| phrase.count).collect()),
            Column::u64(times.to_vec()),
            Column::f64(rows.iter().map(|phrase| phrase.score).collect()),
        ])?;
    }
    Ok(table.finish(FILE)?)
}

#[cfg(test)]
mod tests;
