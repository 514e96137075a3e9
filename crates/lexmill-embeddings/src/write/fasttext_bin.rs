//! Writing fastText's `.bin`: a complete model, or vectors alone; the layout is in [`crate::fasttext`].

use std::io::Write;
use std::path::Path;

use lexmill_store::table::TableReader;
use lexmill_store::{AtomicFile, Error as StoreError, FileEntry, Progress};
use serde_json::Value;

use super::{Head, Sink};
use crate::fasttext::{MAGIC, VERSION};
use crate::format::Format;
use crate::model::{
    self, BUCKET, CONTEXT_VECTOR, COUNT, LOSS, NGRAMS, NODE, NODES, OWN_VECTOR, PARAMETERS,
    SETTINGS, TOKENS, VECTOR, VOCABULARY, WORD, read_model,
};
use crate::rows::Rows;
use crate::subword_vectors::subwords;
use crate::{Error, Result};

/// Rows of zeros written at a time.
const ZERO_ROWS: u64 = 1 << 10;

/// Writes the model in a skipgram or cbow stage directory to `path`, which a manifest will call `name`;
/// returns the dimension too. Each table is
/// streamed through, the one of words three times.
pub(crate) fn write_model(
    directory: &Path,
    kind: &str,
    path: &Path,
    name: &str,
    progress: &Progress,
) -> Result<(FileEntry, usize)> {
    let model = match kind {
        "cbow" => 1,
        "skipgram" => 2,
        _ => {
            let (path, kind) = (directory.to_owned(), kind.to_owned());
            return Err(Error::NotFastText { path, kind });
        }
    };
    let table = directory.join(PARAMETERS);
    let words = read_model(directory, &[])?;
    let rows = words.rows();
    let metadata = Metadata { path: &table, value: words.metadata().clone() };
    let subwords = subwords(&table, &metadata.value)?;
    let dim = metadata.setting("dimensions")?;
    if rows == 0 || dim == 0 {
        return Err(Error::Empty { path: table });
    }
    let hierarchical = match metadata.value[SETTINGS][LOSS].as_str() {
        Some("hs") => true,
        Some("ns") => false,
        _ => return Err(metadata.wrong(LOSS)),
    };
    let mut out =
        Out { file: AtomicFile::create(path)?, path, dim: dim as usize, bytes: Vec::new() };

    // Without n-grams there are no buckets, whatever their number would have been.
    let (minn, maxn, bucket) = match subwords.is_none() {
        true => (0, 0, 0),
        false => (subwords.minn, subwords.maxn, subwords.bucket),
    };
    let min_count = metadata.value[VOCABULARY]["min_count"].as_u64().unwrap_or(1);
    let numbers = [
        dim,
        metadata.setting("window")?,
        metadata.setting("epochs")?,
        min_count,
        // Not used with hierarchical softmax.
        metadata.value[SETTINGS]["negatives"].as_u64().unwrap_or(5),
        1,
        if hierarchical { 1 } else { 2 },
        model,
        u64::from(bucket),
        u64::from(minn),
        u64::from(maxn),
        100,
    ];
    let sample = metadata.value[SETTINGS]["sample"].as_f64().unwrap_or(0.0);
    let tokens = metadata.value[TOKENS].as_u64().ok_or_else(|| metadata.wrong(TOKENS))?;
    out.head(&numbers, sample, rows, tokens)?;
    let mut found = 0;
    for batch in words {
        let batch = batch?;
        for (word, &count) in batch.text(WORD)?.iter().zip(batch.u64(COUNT)?) {
            out.entry(word, count)?;
        }
        found += batch.rows() as u64;
        progress.advance(batch.rows() as u64);
    }
    if found != rows {
        let problem = format!("its footer says {rows} rows, it has {found}");
        return Err(StoreError::corrupt(&table, problem).into());
    }

    out.matrix_head(rows + u64::from(bucket))?;
    let own = if subwords.is_none() { VECTOR } else { OWN_VECTOR };
    out.rows(read_model(directory, &[own])?, &table, own, None, rows)?;
    if !subwords.is_none() {
        out.numbered(&directory.join(NGRAMS), BUCKET, u64::from(bucket))?;
    }
    out.matrix_head(rows)?;
    if hierarchical {
        out.nodes(&directory.join(NODES), rows)?;
    } else {
        let contexts = read_model(directory, &[CONTEXT_VECTOR])?;
        out.rows(contexts, &table, CONTEXT_VECTOR, None, rows)?;
    }
    let entry = out.file.commit(name, rows)?;
    Ok((entry, out.dim))
}

/// What is noted about the model.
struct Metadata<'a> {
    path: &'a Path,
    value: Value,
}

impl Metadata<'_> {
    fn setting(&self, name: &str) -> Result<u64> {
        self.value[SETTINGS][name].as_u64().ok_or_else(|| self.wrong(name))
    }

    fn wrong(&self, name: &str) -> Error {
        let problem = format!("its metadata lack {name:?}, or it is not what it should be");
        StoreError::corrupt(self.path, problem).into()
    }
}

/// A `.bin` of vectors without a model: they are its input rows, it has no n-grams, and its output rows
/// are zeros.
pub(super) struct WordsSink<'a> {
    out: Out<'a>,
    written: u64,
}

impl<'a> WordsSink<'a> {
    pub(super) fn create(path: &'a Path, head: &Head<'_>) -> Result<WordsSink<'a>> {
        let (words, counts) = head.words.expect("a format that begins with words gets them");
        let mut out =
            Out { file: AtomicFile::create(path)?, path, dim: head.dim, bytes: Vec::new() };
        // Nothing was trained here: these are what fastText has as defaults.
        let (window, epochs, min_count, negatives, rate) = (5, 5, 1, 5, 100);
        let (negative_sampling, skipgram) = (2, 2);
        let numbers = [
            head.dim as u64,
            window,
            epochs,
            min_count,
            negatives,
            1,
            negative_sampling,
            skipgram,
            0,
            0,
            0,
            rate,
        ];
        let tokens: u64 = counts.iter().map(|&count| count.max(1)).sum();
        out.head(&numbers, 1e-4, head.rows, tokens.max(head.rows))?;
        for (row, word) in words.words().enumerate() {
            // gensim leaves out words that never occur, and then misses their rows.
            out.entry(word, counts.get(row).copied().unwrap_or(0).max(1))?;
        }
        out.matrix_head(head.rows)?;
        Ok(WordsSink { out, written: 0 })
    }
}

impl Sink for WordsSink<'_> {
    fn write(&mut self, rows: &Rows) -> Result<()> {
        self.written += rows.len() as u64;
        self.out.floats(rows.vectors.iter().copied())
    }

    fn finish(mut self: Box<Self>, name: &str) -> Result<Vec<FileEntry>> {
        self.out.matrix_head(self.written)?;
        self.out.zeros(self.written)?;
        Ok(vec![self.out.file.commit(name, self.written)?])
    }
}

/// A `.bin` being written.
struct Out<'a> {
    file: AtomicFile,
    path: &'a Path,
    dim: usize,
    /// Reused.
    bytes: Vec<u8>,
}

impl Out<'_> {
    /// What stands before the words: settings in the file's order, and how many rows and tokens.
    fn head(&mut self, numbers: &[u64; 12], sample: f64, rows: u64, tokens: u64) -> Result<()> {
        self.i32(MAGIC)?;
        self.i32(VERSION)?;
        for &number in numbers {
            self.size(number)?;
        }
        self.write(&sample.to_le_bytes())?;
        self.size(rows)?;
        self.size(rows)?;
        self.i32(0)?;
        self.i64(tokens)?;
        self.write(&(-1i64).to_le_bytes())
    }

    /// A word of the dictionary.
    fn entry(&mut self, word: &str, count: u64) -> Result<()> {
        if word.contains('\0') {
            let format = Format::FasttextBin.name();
            return Err(Error::Separator { word: word.to_owned(), format });
        }
        self.write(word.as_bytes())?;
        self.write(&[0])?;
        self.i64(count)?;
        self.write(&[0])
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.file.write_all(bytes).map_err(StoreError::io("write", self.path))?)
    }

    fn i32(&mut self, number: i32) -> Result<()> {
        self.write(&number.to_le_bytes())
    }

    /// A number that the format has 31 bits for.
    fn size(&mut self, number: u64) -> Result<()> {
        let number = i32::try_from(number).map_err(|_| self.too_large(number))?;
        self.i32(number)
    }

    fn i64(&mut self, number: u64) -> Result<()> {
        let number = i64::try_from(number).map_err(|_| self.too_large(number))?;
        self.write(&number.to_le_bytes())
    }

    fn too_large(&self, number: u64) -> Error {
        let problem = format!("the format has no room for the number {number}");
        Error::Binary { path: self.path.to_owned(), format: Format::FasttextBin.name(), problem }
    }

    /// What stands before a matrix's values: not quantized, rows, dim.
    fn matrix_head(&mut self, rows: u64) -> Result<()> {
        self.write(&[0])?;
        self.i64(rows)?;
        self.i64(self.dim as u64)
    }

    fn floats(&mut self, values: impl Iterator<Item = f32>) -> Result<()> {
        self.bytes.clear();
        self.bytes.extend(values.flat_map(f32::to_le_bytes));
        Ok(self.file.write_all(&self.bytes).map_err(StoreError::io("write", self.path))?)
    }

    fn zeros(&mut self, mut rows: u64) -> Result<()> {
        while rows > 0 {
            let now = rows.min(ZERO_ROWS);
            self.floats(std::iter::repeat_n(0.0, now as usize * self.dim))?;
            rows -= now;
        }
        Ok(())
    }

    /// All rows of a table's column. With `numbers`, that column must count from 0, and the values are
    /// negated: rows of inner nodes.
    fn rows(
        &mut self,
        reader: TableReader,
        path: &Path,
        column: &str,
        numbers: Option<&str>,
        rows: u64,
    ) -> Result<()> {
        let mut found = 0u64;
        for batch in reader {
            let batch = batch?;
            let (values, dim) = batch.vectors(column)?;
            self.check_dim(path, dim, batch.rows())?;
            if let Some(numbers) = numbers {
                let numbers = batch.u32(numbers)?;
                if !(found..).zip(numbers).all(|(expected, &number)| expected == u64::from(number))
                {
                    let problem = format!("its column {NODE:?} does not count from 0");
                    return Err(StoreError::corrupt(path, problem).into());
                }
                self.floats(values.iter().map(|value| -value))?;
            } else {
                self.floats(values.iter().copied())?;
            }
            found += batch.rows() as u64;
        }
        if found != rows {
            let problem = format!("it has {found} rows instead of {rows}");
            return Err(StoreError::corrupt(path, problem).into());
        }
        Ok(())
    }

    fn check_dim(&self, path: &Path, dim: usize, rows: usize) -> Result<()> {
        if dim != self.dim && rows > 0 {
            let problem = format!("its vectors have {dim} dimensions instead of {}", self.dim);
            return Err(StoreError::corrupt(path, problem).into());
        }
        Ok(())
    }

    /// Inner nodes, and the row that fastText has besides and does not use. Its label of a step is the
    /// opposite of ours.
    fn nodes(&mut self, path: &Path, words: u64) -> Result<()> {
        let reader = TableReader::open(path, Some(&[NODE, VECTOR]), model::BATCH_ROWS)?;
        self.rows(reader, path, VECTOR, Some(NODE), words - 1)?;
        self.zeros(1)
    }

    /// The rows of a table by their ascending numbers below `end`; zeros for those not there.
    fn numbered(&mut self, path: &Path, numbers: &str, end: u64) -> Result<()> {
        let reader = TableReader::open(path, Some(&[numbers, VECTOR]), model::BATCH_ROWS)?;
        let mut next = 0;
        for batch in reader {
            let batch = batch?;
            let (values, dim) = batch.vectors(VECTOR)?;
            self.check_dim(path, dim, batch.rows())?;
            for (&number, row) in batch.u32(numbers)?.iter().zip(values.chunks_exact(dim.max(1))) {
                let number = u64::from(number);
                if number < next || number >= end {
                    let problem = format!("its buckets do not ascend to below {end}");
                    return Err(StoreError::corrupt(path, problem).into());
                }
                self.zeros(number - next)?;
                self.floats(row.iter().copied())?;
                next = number + 1;
            }
        }
        self.zeros(end - next)
    }
}
