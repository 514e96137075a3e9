//! fastText's `.bin` files: complete models, read a row at a time.
//!
//! All numbers are little-endian.
//!
//! | part | layout |
//! | --- | --- |
//! | start | i32 magic 793712314, i32 version 12 (or 11, which differs in nothing we read) |
//! | settings | i32 each: dim, window, epochs, min_count, negatives, word n-grams, loss (1 hs, 2 ns, 3 softmax, 4 one-vs-all), model (1 cbow, 2 skipgram, 3 supervised), bucket, minn, maxn, update rate; f64 sample |
//! | dictionary | i32 entries, i32 words, i32 labels, i64 tokens, i64 pruned n-grams (-1: none); an entry is its bytes, a NUL, i64 count, i8 type (0 word, 1 label); words come first |
//! | input | u8 quantized, i64 rows = words + bucket, i64 dim, then rows × dim f32 |
//! | output | the same; a row a word (ns), inner node of the Huffman tree in the order of merging (hs; one row is unused) or label |
//!
//! The vector of a word is the mean of its own input row and the rows of its n-grams, each as often as
//! it occurs in the word; of a word that was never seen, the mean of the latter.
//!
//! Only the dictionary is held in memory. Rows are read where they lie, when they are asked for.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use lexmill_store::Error as StoreError;
use lexmill_vocab::{Interner, Subwords, Vocabulary};

use crate::rows::{Rows, Source};
use crate::{Embeddings, Error, Result};

/// What a `.bin` file starts with.
pub(crate) const MAGIC: i32 = 793_712_314;
/// The version that is written today.
pub(crate) const VERSION: i32 = 12;
/// Bytes of the longest word taken.
const MAX_WORD_BYTES: u64 = 1 << 16;
const FORMAT: &str = "fastText .bin";
/// Bytes of an entry of the dictionary besides its word's.
const ENTRY_BYTES: u64 = 10;

/// How a model was trained, as far as it matters for its output rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FastTextLoss {
    /// Hierarchical softmax: output rows are inner nodes of the Huffman tree.
    Hierarchical,
    /// Negative sampling: output rows are words.
    Negative,
    /// Of a classifier: output rows are labels.
    Softmax,
    /// Of a classifier: output rows are labels.
    OneVsAll,
}

/// What kind of model a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FastTextModel {
    /// A word from its contexts.
    Cbow,
    /// Contexts from a word.
    Skipgram,
    /// A classifier of texts.
    Supervised,
}

/// The settings a model was trained with.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct FastTextSettings {
    /// Its kind.
    pub model: FastTextModel,
    /// Its loss.
    pub loss: FastTextLoss,
    /// Words on each side that can be contexts.
    pub window: i32,
    /// Passes over the corpus.
    pub epochs: i32,
    /// Occurrences below which words were left out.
    pub min_count: i32,
    /// Negative samples for each context.
    pub negatives: i32,
    /// The threshold of subsampling.
    pub sample: f64,
    /// The n-grams of words; none in models without them.
    pub subwords: Subwords,
    /// Tokens of the corpus.
    pub tokens: u64,
}

/// An open `.bin` file. Words are numbered from 0 in its order, most frequent first as a rule.
#[derive(Debug)]
pub struct FastTextFile {
    file: File,
    path: PathBuf,
    dim: usize,
    settings: FastTextSettings,
    words: Interner,
    counts: Vec<u64>,
    /// The row of each word: its number, but for files with words that are left out.
    rows: Vec<u32>,
    left_out: u64,
    /// Rows of words in the input matrix, with those left out.
    word_rows: u64,
    buckets: u64,
    output_rows: u64,
    /// Where the two matrices begin in the file.
    input_at: u64,
    output_at: u64,
}

impl FastTextFile {
    /// Whether a file that starts so is one of fastText's.
    pub(crate) fn starts_like(bytes: &[u8]) -> bool {
        bytes.starts_with(&MAGIC.to_le_bytes())
    }

    /// Opens a file and reads its dictionary. Words that are not UTF-8 are left out and counted
    /// ([`left_out`](FastTextFile::left_out)): no text can ask for them. Of a classifier the words are
    /// read like those of any model, and its labels are not.
    ///
    /// # Errors
    /// If the file can't be read, is of another version, quantized, has not the length that its sizes
    /// say, or a word stands in it twice. Nothing is allocated before it is known that the bytes for it
    /// are there.
    pub fn open(path: &Path) -> Result<FastTextFile> {
        let file = File::open(path).map_err(StoreError::io("open", path))?;
        let length = file.metadata().map_err(StoreError::io("read", path))?.len();
        let mut head = Head { reader: BufReader::with_capacity(1 << 18, &file), path, length };
        if head.i32()? != MAGIC {
            return Err(head.error("it does not start with fastText's magic number"));
        }
        let version = head.i32()?;
        if !(11..=VERSION).contains(&version) {
            return Err(head.error(format!(
                "its version is {version}, and 11 and 12 are read; load it with a newer fasttext and \
                 save it again"
            )));
        }
        let mut numbers = [0; 12];
        for number in &mut numbers {
            *number = head.i32()?;
        }
        let [dim, window, epochs, min_count, negatives, _, loss, model, bucket, minn, maxn, _] =
            numbers;
        let sample = head.f64()?;
        let model = match model {
            1 => FastTextModel::Cbow,
            2 => FastTextModel::Skipgram,
            3 => FastTextModel::Supervised,
            other => return Err(head.error(format!("its model is of the unknown kind {other}"))),
        };
        let loss = match loss {
            1 => FastTextLoss::Hierarchical,
            2 => FastTextLoss::Negative,
            3 => FastTextLoss::Softmax,
            4 => FastTextLoss::OneVsAll,
            other => return Err(head.error(format!("its loss is of the unknown kind {other}"))),
        };
        let dim = head.size("dimension", i64::from(dim))?;
        let buckets = head.size("number of buckets", i64::from(bucket))?;
        let minn = head.size("shortest n-gram", i64::from(minn))? as u32;
        let maxn = head.size("longest n-gram", i64::from(maxn))? as u32;
        if dim == 0 {
            return Err(head.error("its vectors have no dimensions"));
        }
        if maxn > Subwords::MOST_CHARACTERS {
            let most = Subwords::MOST_CHARACTERS;
            let problem = format!("its maxn is {maxn}, and n-grams of more than {most} characters");
            return Err(head.error(problem + " are not read"));
        }

        let entries = head.i32()?;
        let entries = head.size("dictionary", i64::from(entries))?;
        let word_rows = head.i32()?;
        let word_rows = head.size("number of words", i64::from(word_rows))?;
        let labels = head.i32()?;
        let labels = head.size("number of labels", i64::from(labels))?;
        let tokens = head.i64()?;
        let tokens = head.size("number of tokens", tokens)?;
        let pruned = head.i64()?;
        if word_rows + labels != entries {
            return Err(head.error(format!(
                "its dictionary has {entries} entries, {word_rows} words and {labels} labels"
            )));
        }
        head.room(entries, ENTRY_BYTES, "dictionary")?;
        let mut dictionary = Dictionary::default();
        for entry in 0..entries {
            dictionary.read(&mut head, entry, word_rows)?;
        }
        let Dictionary { words, counts, rows, left_out, .. } = dictionary;
        if left_out > 0 {
            tracing::warn!(?path, left_out, "words that are not UTF-8 are left out");
        }
        if pruned > 0 {
            head.room(pruned as u64, 8, "list of pruned n-grams")?;
            head.skip(pruned as u64 * 8)?;
        }

        let input_at = head.matrix("input", word_rows + buckets, dim)?;
        // A classifier's output has a row a label, the others' a row a word.
        let output_rows = if model == FastTextModel::Supervised { labels } else { word_rows };
        let output_at = head.matrix("output", output_rows, dim)?;
        let end = head.position()?;
        if end != length {
            return Err(head.error(format!("{} bytes follow its end", length - end)));
        }
        if words.is_empty() {
            return Err(Error::Empty { path: path.to_owned() });
        }

        // Pruning goes with quantization, except that nothing may be left of the n-grams.
        if pruned > 0 {
            return Err(Error::Quantized { path: path.to_owned() });
        }
        let old_classifier = version == 11 && model == FastTextModel::Supervised;
        let subwords = match pruned == 0 || old_classifier {
            true => Subwords::NONE,
            false => Subwords { minn, maxn, bucket: buckets as u32 },
        };
        let settings = FastTextSettings {
            model,
            loss,
            window,
            epochs,
            min_count,
            negatives,
            sample,
            subwords,
            tokens,
        };
        Ok(FastTextFile {
            path: path.to_owned(),
            dim: dim as usize,
            settings,
            words,
            counts,
            rows,
            left_out,
            word_rows,
            buckets,
            output_rows,
            input_at,
            output_at,
            file,
        })
    }

    /// The settings the model was trained with.
    pub fn settings(&self) -> &FastTextSettings {
        &self.settings
    }

    /// Floats of a row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The number of words.
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether there are no words.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The words with their counts, in order.
    pub fn words(&self) -> impl Iterator<Item = (&str, u64)> {
        self.words.words().zip(self.counts.iter().copied())
    }

    /// The number of a word.
    pub fn id(&self, word: &str) -> Option<u32> {
        self.words.get(word)
    }

    /// How many words were left out because they are not UTF-8.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Rows of the output matrix.
    pub fn output_rows(&self) -> u64 {
        self.output_rows
    }

    /// Reads the own input row of word `id` into `row`, which has `dim` places.
    ///
    /// # Errors
    /// If the file can't be read.
    ///
    /// # Panics
    /// If there is no such word, or `row` has another length.
    pub fn input_row(&self, id: u32, row: &mut [f32]) -> Result<()> {
        self.row(self.input_at, u64::from(self.rows[id as usize]), row)
    }

    /// Reads the input row of a bucket of n-grams into `row`, which has `dim` places.
    ///
    /// # Errors
    /// If the file can't be read.
    ///
    /// # Panics
    /// If there is no such bucket, or `row` has another length.
    pub fn bucket_row(&self, bucket: u32, row: &mut [f32]) -> Result<()> {
        assert!(u64::from(bucket) < self.buckets, "a bucket of the model");
        self.row(self.input_at, self.word_rows + u64::from(bucket), row)
    }

    /// Reads a row of the output matrix into `row`, which has `dim` places: of a word by its number
    /// with negative sampling, of an inner node with hierarchical softmax, of a label in a classifier.
    /// A step along the Huffman path has the label `code` in fastText, where word2vec.c has
    /// `1 - code`: rows of inner nodes are the negative of word2vec's.
    ///
    /// # Errors
    /// If the file can't be read.
    ///
    /// # Panics
    /// If there is no such row, or `row` has another length.
    pub fn output_row(&self, index: u32, row: &mut [f32]) -> Result<()> {
        let index = match self.settings.loss {
            FastTextLoss::Negative if self.settings.model != FastTextModel::Supervised => {
                self.rows[index as usize]
            }
            _ => index,
        };
        assert!(u64::from(index) < self.output_rows, "a row of the output");
        self.row(self.output_at, u64::from(index), row)
    }

    fn row(&self, matrix: u64, index: u64, row: &mut [f32]) -> Result<()> {
        assert_eq!(row.len(), self.dim, "a row has the model's dimension");
        let mut bytes = vec![0; 4 * self.dim];
        let at = matrix + index * bytes.len() as u64;
        self.file.read_exact_at(&mut bytes, at).map_err(StoreError::io("read", &self.path))?;
        for (value, bytes) in row.iter_mut().zip(bytes.as_chunks::<4>().0) {
            *value = f32::from_le_bytes(*bytes);
        }
        Ok(())
    }

    /// The vector of any word as fastText's `get_word_vector` gives it: of a known one, the mean of
    /// its own row and its n-grams' rows; of another, the mean of the latter, and zeros if it has none.
    ///
    /// # Errors
    /// If the file can't be read, or holds a value there that is not finite.
    pub fn vector(&self, word: &str) -> Result<Vec<f32>> {
        let mut buckets = Vec::new();
        self.settings.subwords.buckets(word, &mut buckets);
        let mut vector = vec![0.0; self.dim];
        self.compose(self.id(word), &buckets, &mut vec![0.0; self.dim], &mut vector)?;
        match vector.iter().find(|value| !value.is_finite()) {
            Some(&value) => {
                Err(Error::NotFinite { word: word.to_owned(), value }.in_file(&self.path))
            }
            None => Ok(vector),
        }
    }

    /// Adds up in fastText's order, so that the bits are the same.
    fn compose(
        &self,
        id: Option<u32>,
        buckets: &[u32],
        row: &mut [f32],
        vector: &mut [f32],
    ) -> Result<()> {
        if let Some(id) = id {
            self.input_row(id, vector)?;
        }
        for &bucket in buckets {
            self.bucket_row(bucket, row)?;
            add(vector, row);
        }
        scale(vector, buckets.len() + usize::from(id.is_some()));
        Ok(())
    }

    /// All words with their composed vectors, `(words, dim)`.
    ///
    /// # Errors
    /// If the file can't be read, or holds a value that is not finite.
    pub fn embeddings(&self) -> Result<Embeddings> {
        let vocabulary = Vocabulary::from_words(self.words.clone(), self.counts.iter().copied());
        let mut vectors = vec![0.0; self.len() * self.dim];
        self.compose_words(0, &mut vectors)?;
        Embeddings::new(vocabulary, self.dim, vectors).map_err(|error| error.in_file(&self.path))
    }

    /// The composed vectors of the words from `first` on, as many as `vectors` has room for.
    fn compose_words(&self, first: u32, vectors: &mut [f32]) -> Result<()> {
        let (mut buckets, mut row) = (Vec::new(), vec![0.0; self.dim]);
        for (id, vector) in (first..).zip(vectors.chunks_exact_mut(self.dim)) {
            self.settings.subwords.buckets(self.words.word(id), &mut buckets);
            self.compose(Some(id), &buckets, &mut row, vector)?;
        }
        Ok(())
    }
}

/// The words of a file with their composed vectors, some at a time.
pub(crate) struct FastTextWords {
    file: FastTextFile,
    next: u32,
}

/// Words whose vectors are composed at a time.
const BATCH_WORDS: usize = 1 << 10;

impl FastTextWords {
    pub(crate) fn new(file: FastTextFile) -> FastTextWords {
        FastTextWords { file, next: 0 }
    }
}

impl Source for FastTextWords {
    fn dim(&self) -> usize {
        self.file.dim
    }

    fn rows(&self) -> Option<u64> {
        Some(self.file.len() as u64)
    }

    fn next_rows(&mut self) -> Result<Option<Rows>> {
        let (file, dim) = (&self.file, self.file.dim);
        let first = self.next as usize;
        let end = file.len().min(first + BATCH_WORDS);
        let mut rows = Rows::of_vectors(vec![0.0; (end - first) * dim]);
        file.compose_words(self.next, &mut rows.vectors)?;
        for id in self.next..end as u32 {
            rows.push_word(file.words.word(id));
        }
        rows.counts.extend_from_slice(&file.counts[first..end]);
        self.next = end as u32;
        Ok((end > first).then_some(rows))
    }
}

/// `sum += row`.
pub(crate) fn add(sum: &mut [f32], row: &[f32]) {
    for (sum, value) in sum.iter_mut().zip(row) {
        *sum += value;
    }
}

/// Divides a sum of `rows` rows as fastText does: by one product with the rounded 1 / rows.
pub(crate) fn scale(sum: &mut [f32], rows: usize) {
    if rows > 0 {
        let factor = (1.0 / rows as f64) as f32;
        for value in sum {
            *value *= factor;
        }
    }
}

/// What was read of the dictionary.
#[derive(Default)]
struct Dictionary {
    words: Interner,
    counts: Vec<u64>,
    rows: Vec<u32>,
    left_out: u64,
    bytes: Vec<u8>,
}

impl Dictionary {
    fn read(&mut self, head: &mut Head<'_>, entry: u64, words: u64) -> Result<()> {
        self.bytes.clear();
        let read = (&mut head.reader)
            .take(MAX_WORD_BYTES + 1)
            .read_until(0, &mut self.bytes)
            .map_err(StoreError::io("read", head.path))?;
        if self.bytes.pop() != Some(0) {
            return Err(match read as u64 > MAX_WORD_BYTES {
                true => head.error(format!("a word is longer than {MAX_WORD_BYTES} bytes")),
                false => head.cut_off(),
            });
        }
        let count = head.i64()?;
        let count = head.size("count of a word", count)?;
        let kind = head.array::<1>()?[0];
        if kind != u8::from(entry >= words) {
            return Err(head.error(format!("entry {entry} of its dictionary has type {kind}")));
        }
        if kind != 0 {
            return Ok(());
        }
        let Ok(word) = std::str::from_utf8(&self.bytes) else {
            self.left_out += 1;
            return Ok(());
        };
        let before = self.words.len();
        let id = self.words.intern(word);
        if (id as usize) < before {
            let rows = [u64::from(self.rows[id as usize]) + 1, entry + 1];
            let error = Error::DuplicateWord { word: word.to_owned(), rows };
            return Err(error.in_file(head.path));
        }
        self.counts.push(count);
        self.rows.push(entry as u32);
        Ok(())
    }
}

/// Reads what stands before and between the matrices.
struct Head<'a> {
    reader: BufReader<&'a File>,
    path: &'a Path,
    length: u64,
}

impl Head<'_> {
    fn error(&self, problem: impl Into<String>) -> Error {
        Error::Binary { path: self.path.to_owned(), format: FORMAT, problem: problem.into() }
    }

    fn cut_off(&self) -> Error {
        self.error(format!("it ends after {} bytes, in the midst of its data", self.length))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        match self.reader.read_exact(&mut bytes) {
            Ok(()) => Ok(bytes),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Err(self.cut_off()),
            Err(error) => Err(StoreError::io("read", self.path)(error).into()),
        }
    }

    fn i32(&mut self) -> Result<i32> {
        Ok(i32::from_le_bytes(self.array()?))
    }

    fn i64(&mut self) -> Result<i64> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    fn f64(&mut self) -> Result<f64> {
        Ok(f64::from_le_bytes(self.array()?))
    }

    /// A number that can't be negative.
    fn size(&self, what: &str, value: i64) -> Result<u64> {
        u64::try_from(value).map_err(|_| self.error(format!("its {what} is {value}")))
    }

    fn position(&mut self) -> Result<u64> {
        Ok(self.reader.stream_position().map_err(StoreError::io("read", self.path))?)
    }

    /// Whether so many bytes more can be there at all.
    fn room(&mut self, items: u64, bytes: u64, what: &str) -> Result<()> {
        let left = self.length.saturating_sub(self.position()?);
        match items.checked_mul(bytes) {
            Some(needed) if needed <= left => Ok(()),
            _ => Err(self.error(format!(
                "its {what} needs {items} × {bytes} bytes or more, and {left} are left: it was cut \
                 off, or is damaged"
            ))),
        }
    }

    fn skip(&mut self, bytes: u64) -> Result<()> {
        let to = self.position()? + bytes;
        self.reader.seek(SeekFrom::Start(to)).map_err(StoreError::io("read", self.path))?;
        Ok(())
    }

    /// Skips a matrix of this shape and says where its values begin.
    fn matrix(&mut self, what: &str, rows: u64, dim: u64) -> Result<u64> {
        match self.array::<1>()?[0] {
            0 => {}
            1 => return Err(Error::Quantized { path: self.path.to_owned() }),
            flag => return Err(self.error(format!("the flag before its {what} is {flag}"))),
        }
        let (found_rows, found_dim) = (self.i64()?, self.i64()?);
        if (found_rows, found_dim) != (rows as i64, dim as i64) {
            return Err(self.error(format!(
                "its {what} matrix is {found_rows} × {found_dim}, not {rows} × {dim} as its \
                 settings and dictionary say"
            )));
        }
        self.room(rows, 4 * dim, &format!("{what} matrix"))?;
        let at = self.position()?;
        self.skip(rows * 4 * dim)?;
        Ok(at)
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "inputs of tests need not appear whole")]
mod tests;
