//! Which input rows make a word's vector: its own, and those of its character n-grams.

use lexmill_vocab::{BlockLayout, Subwords, Vocabulary};
use rayon::prelude::*;

use super::examples::Split;

/// The rows of each word. Rows below the number of words are the words' own; after them come the
/// buckets that some n-gram of the vocabulary falls into, the most frequent first.
pub(crate) struct WordRows {
    /// The bucket of each row after the words'.
    pub(crate) buckets: Vec<u32>,
    starts: Vec<usize>,
    /// Rows, sorted by block.
    rows: Vec<u32>,
    /// For each word and block, where the rows of that block start among the word's.
    marks: Vec<u16>,
    blocks: usize,
}

impl WordRows {
    pub(crate) fn new(vocabulary: &Vocabulary, ngrams: Subwords, blocks: u32) -> WordRows {
        let words = vocabulary.len() as u32;
        let mut of_words: Vec<Vec<u32>> = (0..words)
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
        let split = Split::new(BlockLayout::new(words as usize + buckets.len(), blocks));
        let (mut starts, mut rows, mut marks) = (vec![0], Vec::new(), Vec::new());
        for (id, buckets) in of_words.iter_mut().enumerate() {
            for bucket in buckets.iter_mut() {
                *bucket = row_of[bucket];
            }
            buckets.insert(0, id as u32);
            buckets.sort_by_key(|&row| split.of(row).0);
            for block in 0..=blocks {
                marks.push(buckets.partition_point(|&row| split.of(row).0 < block) as u16);
            }
            rows.append(buckets);
            starts.push(rows.len());
        }
        WordRows { buckets, starts, rows, marks, blocks: blocks as usize }
    }

    /// All rows of a word, its own among them.
    #[inline(always)]
    pub(crate) fn of(&self, word: u32) -> &[u32] {
        &self.rows[self.starts[word as usize]..self.starts[word as usize + 1]]
    }

    /// The rows of a word that lie in `block`.
    #[inline(always)]
    pub(crate) fn in_block(&self, word: u32, block: usize) -> &[u32] {
        let first = word as usize * (self.blocks + 1) + block;
        let (from, to) = (self.marks[first], self.marks[first + 1]);
        &self.of(word)[usize::from(from)..usize::from(to)]
    }

    /// Bytes of memory.
    pub(crate) fn bytes(&self) -> u64 {
        (self.starts.len() * 8
            + self.rows.len() * 4
            + self.marks.len() * 2
            + self.buckets.len() * 4) as u64
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
        let rows = WordRows::new(&vocabulary, ngrams, 4);
        let split = Split::new(BlockLayout::new(4 + rows.buckets.len(), 4));
        for (id, word) in (0..).zip(vocabulary.words()) {
            let mut buckets = Vec::new();
            ngrams.buckets(word, &mut buckets);
            let row = |bucket| 4 + rows.buckets.iter().position(|b| b == bucket).unwrap() as u32;
            let mut expected: Vec<u32> = buckets.iter().map(row).collect();
            expected.push(id);
            expected.sort_unstable();
            let mut found = rows.of(id).to_vec();
            let by_block: Vec<u32> =
                (0..4).flat_map(|block| rows.in_block(id, block).to_vec()).collect();
            assert_eq!(by_block, found);
            assert!((0..4).all(|b| {
                rows.in_block(id, b).iter().all(|&row| split.of(row).0 as usize == b)
            }));
            found.sort_unstable();
            assert_eq!(found, expected, "{word}");
        }
        assert_eq!(rows.of(2), [2]);
    }
}
