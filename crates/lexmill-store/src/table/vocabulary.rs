//! Words with their counts: the vocabulary, and the words of a token shard.
//!
//! | column | type | what |
//! | --- | --- | --- |
//! | `id` | u32 | the word's id, equal to the row (vocabulary only) |
//! | `word` | text | |
//! | `count` | u64 | occurrences |
//!
//! A vocabulary is sorted by `id`; a shard's words are sorted by `word` (bytes).

use std::path::Path;

use lexmill_vocab::Vocabulary;
use serde_json::Value;

use super::{Column, ColumnType, TableReader, TableWriter, write_table};
use crate::{Error, FileEntry, Result};

const BATCH_ROWS: usize = 1 << 13;

/// Writes a vocabulary.
///
/// # Errors
/// If the file can't be written.
pub fn write_vocabulary(
    path: &Path,
    name: &str,
    vocabulary: &Vocabulary,
    metadata: &Value,
) -> Result<FileEntry> {
    let columns = vec![
        ("id", Column::u32((0..vocabulary.len() as u32).collect())),
        ("word", Column::text(vocabulary.words())),
        ("count", Column::u64(vocabulary.counts().to_vec())),
    ];
    write_table(path, name, columns, metadata)
}

/// Reads a vocabulary.
///
/// # Errors
/// If the file can't be read, or a word comes twice.
pub fn read_vocabulary(path: &Path) -> Result<Vocabulary> {
    let reader = TableReader::open(path, Some(&["word", "count"]), BATCH_ROWS)?;
    let batches = reader.collect::<Result<Vec<_>>>()?;
    let mut rows = Vec::new();
    for batch in &batches {
        let counts = batch.u64("count")?;
        rows.extend(batch.text("word")?.iter().zip(counts.iter().copied()));
    }
    Vocabulary::from_ordered(rows).map_err(|e| Error::corrupt(path, e.to_string()))
}

/// Writes words that are sorted and differ, with their counts.
///
/// # Errors
/// If the file can't be written.
pub fn write_words<'a>(
    path: &Path,
    name: &str,
    mut words: impl Iterator<Item = (&'a str, u64)>,
) -> Result<FileEntry> {
    let mut writer = WordsWriter::create(path)?;
    words.try_for_each(|(word, count)| writer.push(word, count))?;
    writer.finish(name)
}

/// A table of words being written, a few thousand in memory at a time.
pub struct WordsWriter {
    table: TableWriter,
    /// The words end to end, and where each ends.
    words: String,
    ends: Vec<usize>,
    counts: Vec<u64>,
}

impl WordsWriter {
    /// Starts the table `path`.
    ///
    /// # Errors
    /// If the file can't be made.
    pub fn create(path: &Path) -> Result<WordsWriter> {
        let columns = [("word", ColumnType::UniqueText), ("count", ColumnType::U64)];
        let table = TableWriter::create(path, &columns, &Value::Null)?;
        let (words, ends, counts) = Default::default();
        Ok(WordsWriter { table, words, ends, counts })
    }

    /// Appends a word, which comes after those before it.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn push(&mut self, word: &str, count: u64) -> Result<()> {
        self.words.push_str(word);
        self.ends.push(self.words.len());
        self.counts.push(count);
        if self.ends.len() == BATCH_ROWS { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let words = starts.zip(&self.ends).map(|(start, &end)| &self.words[start..end]);
        let words = Column::text(words);
        self.table.write(vec![words, Column::u64(std::mem::take(&mut self.counts))])?;
        self.words.clear();
        self.ends.clear();
        Ok(())
    }

    /// Completes the table; `name` is how a manifest will call it.
    ///
    /// # Errors
    /// If the file can't be written; it is then not there.
    pub fn finish(mut self, name: &str) -> Result<FileEntry> {
        self.flush()?;
        self.table.finish(name)
    }
}

/// Words with their counts, one by one, from a file of them.
pub struct WordsReader {
    reader: TableReader,
    batch: Option<super::Batch>,
    row: usize,
}

impl WordsReader {
    /// Opens a table with the columns `word` and `count`.
    ///
    /// # Errors
    /// If it can't be read or lacks them.
    pub fn open(path: &Path) -> Result<WordsReader> {
        let reader = TableReader::open(path, Some(&["word", "count"]), BATCH_ROWS)?;
        Ok(WordsReader { reader, batch: None, row: 0 })
    }

    /// Gives all words that are left, in order, with their counts.
    ///
    /// # Errors
    /// If the file can't be read.
    pub fn for_each(mut self, mut each: impl FnMut(&str, u64)) -> Result<()> {
        let mut row = self.row;
        for batch in self.batch.take().map(Ok).into_iter().chain(self.reader) {
            let batch = batch?;
            let (words, counts) = (batch.text("word")?, batch.u64("count")?);
            (row..batch.rows()).for_each(|row| each(words.get(row), counts[row]));
            row = 0;
        }
        Ok(())
    }

    /// The next word and its count.
    ///
    /// # Errors
    /// If the file can't be read.
    pub fn next_word(&mut self) -> Result<Option<(&str, u64)>> {
        while self.batch.as_ref().is_none_or(|batch| self.row == batch.rows()) {
            match self.reader.next().transpose()? {
                None => return Ok(None),
                Some(batch) => {
                    self.batch = Some(batch);
                    self.row = 0;
                }
            }
        }
        let batch = self.batch.as_ref().expect("filled above");
        let row = self.row;
        self.row += 1;
        Ok(Some((batch.text("word")?.get(row), batch.u64("count")?[row])))
    }
}
