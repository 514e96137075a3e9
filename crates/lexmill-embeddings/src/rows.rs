//! Embeddings on their way from one place to another: some rows at a time.

use crate::Result;

/// Some rows of embeddings: words and their vectors, in order.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    words: String,
    ends: Vec<usize>,
    /// Occurrences of each word; empty where they are not known.
    pub(crate) counts: Vec<u64>,
    /// The vectors end to end.
    pub(crate) vectors: Vec<f32>,
}

impl Rows {
    pub(crate) fn with_capacity(rows: usize, dim: usize) -> Rows {
        Rows {
            words: String::with_capacity(rows * 8),
            ends: Vec::with_capacity(rows),
            counts: Vec::new(),
            vectors: Vec::with_capacity(rows * dim),
        }
    }

    /// Rows of vectors whose words come later.
    pub(crate) fn of_vectors(vectors: Vec<f32>) -> Rows {
        Rows { vectors, ..Rows::default() }
    }

    pub(crate) fn push_word(&mut self, word: &str) {
        self.words.push_str(word);
        self.ends.push(self.words.len());
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The word of a row.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn word(&self, row: usize) -> &str {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.words[start..self.ends[row]]
    }

    /// All words in order.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|row| self.word(row))
    }

    /// Occurrences of each word; empty where they are not known.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// All vectors end to end.
    pub fn vectors(&self) -> &[f32] {
        &self.vectors
    }

    /// Adds rows at the end.
    pub(crate) fn append(&mut self, rows: Rows) {
        if self.is_empty() {
            *self = rows;
            return;
        }
        rows.words().for_each(|word| self.push_word(word));
        self.counts.extend(rows.counts);
        self.vectors.extend(rows.vectors);
    }

    /// Keeps the rows for which `keep` holds.
    pub(crate) fn retain(&mut self, dim: usize, mut keep: impl FnMut(usize, &str) -> bool) {
        let wanted: Vec<usize> = (0..self.len()).filter(|&i| keep(i, self.word(i))).collect();
        if wanted.len() == self.len() {
            return;
        }
        let mut kept = Rows::with_capacity(wanted.len(), dim);
        for row in wanted {
            kept.push_word(self.word(row));
            kept.counts.extend(self.counts.get(row));
            kept.vectors.extend_from_slice(&self.vectors[row * dim..(row + 1) * dim]);
        }
        *self = kept;
    }
}

/// Embeddings that are read some rows at a time.
pub trait Source: Send {
    /// Floats of a vector; 0 only where there are no rows.
    fn dim(&self) -> usize;

    /// Rows there are in all, where the file says so for certain. None of them has come yet.
    fn rows(&self) -> Option<u64>;

    /// The next rows, at least one; `None` at the end. Words are whole and in order, but nobody has
    /// looked yet whether one stands twice, or whether all values are finite.
    ///
    /// # Errors
    /// If the file can't be read or is not what it seems to be. Nothing is to be asked after that.
    fn next_rows(&mut self) -> Result<Option<Rows>>;
}

impl<S: Source + ?Sized> Source for Box<S> {
    fn dim(&self) -> usize {
        (**self).dim()
    }

    fn rows(&self) -> Option<u64> {
        (**self).rows()
    }

    fn next_rows(&mut self) -> Result<Option<Rows>> {
        (**self).next_rows()
    }
}
