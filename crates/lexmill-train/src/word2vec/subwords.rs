//! Which input rows make a word's vector: its own, and those of its character n-grams.

use lexmill_vocab::{Subwords, Vocabulary};
use rayon::prelude::*;

/// The rows of each word. Rows below the number of words are the words' own; after them come the
/// buckets that some n-gram of the vocabulary falls into, the most frequent first.
pub(crate) struct WordRows {
    /// The bucket of each row after the words'.
    pub(crate) buckets: Vec<u32>,
    starts: Vec<usize>,
    rows: Vec<u32>,
}

impl WordRows {
    pub(crate) fn new(vocabulary: &Vocabulary, ngrams: Subwords) -> WordRows {
        let words = vocabulary.len() as u32;
        let of_words: Vec<Vec<u32>> = (0..words)
            .into_par_iter()
            .map(|id| {
                let mut buckets = Vec::new();
                ngrams.buckets(vocabulary.word(id), &mut buckets);
                buckets
            })
            .collect();
        let mut weights = std::collections::HashMap::<u32, u64>::new();
        for (id, buckets) in of_words.iter().enumerate() {
            for &bucket in buckets {
                *weights.entry(bucket).or_default() += vocabulary.count(id as u32);
            }
        }
        let mut ranked: Vec<(u32, u64)> = weights.into_iter().collect();
        ranked.sort_unstable_by_key(|&(bucket, weight)| (std::cmp::Reverse(weight), bucket));
        let buckets: Vec<u32> = ranked.into_iter().map(|(bucket, _)| bucket).collect();
        let row_of: std::collections::HashMap<u32, u32> =
            buckets.iter().zip(words..).map(|(&bucket, row)| (bucket, row)).collect();
        let (mut starts, mut rows) = (vec![0], Vec::new());
        for (id, buckets) in (0..).zip(&of_words) {
            rows.push(id);
            rows.extend(buckets.iter().map(|bucket| row_of[bucket]));
            starts.push(rows.len());
        }
        WordRows { buckets, starts, rows }
    }

    /// All rows of a word: its own, then those of its n-grams.
    #[inline(always)]
    pub(crate) fn of(&self, word: u32) -> &[u32] {
        &self.rows[self.starts[word as usize]..self.starts[word as usize + 1]]
    }

    /// Rows of a word on average, rounded up.
    pub(crate) fn mean(&self, words: usize) -> u64 {
        self.rows.len().div_ceil(words.max(1)) as u64
    }

    /// Bytes of memory.
    pub(crate) fn bytes(&self) -> u64 {
        (self.starts.len() * 8 + self.rows.len() * 4 + self.buckets.len() * 4) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_those_of_the_word_and_its_ngrams() {
        let words = [("ab", 9), ("abc", 5), ("</s>", 4), ("é", 1)];
        let vocabulary = Vocabulary::from_ordered(words).unwrap();
        let ngrams = Subwords { minn: 2, maxn: 4, bucket: 7 };
        let rows = WordRows::new(&vocabulary, ngrams);
        for (id, word) in (0..).zip(vocabulary.words()) {
            let mut buckets = Vec::new();
            ngrams.buckets(word, &mut buckets);
            let row = |bucket| 4 + rows.buckets.iter().position(|b| b == bucket).unwrap() as u32;
            let expected: Vec<u32> = [id].into_iter().chain(buckets.iter().map(row)).collect();
            assert_eq!(rows.of(id), expected, "{word}");
        }
        assert_eq!(rows.of(2), [2]);
    }
}
