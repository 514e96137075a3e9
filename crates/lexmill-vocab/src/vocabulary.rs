//! The words a model knows, by id, with their counts.

use crate::{Interner, WordId};

/// A word and how often it occurs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WordCount {
    /// The word.
    pub word: String,
    /// Occurrences in the corpus.
    pub count: u64,
}

/// Words by id with their counts.
///
/// Ids are ranks: reserved words first in the order given, then by descending count, ties by
/// spelling (bytes).
#[derive(Debug, Clone, Default)]
pub struct Vocabulary {
    words: Interner,
    counts: Vec<u64>,
}

/// A vocabulary that can't be: a word twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VocabularyError {
    /// The word that comes twice.
    pub word: String,
}

impl std::fmt::Display for VocabularyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the word {:?} stands twice in the vocabulary", self.word)
    }
}

impl std::error::Error for VocabularyError {}

impl Vocabulary {
    /// Ranks `counted` words (each once) and keeps the first `max_words`, if given, besides the
    /// reserved ones. Reserved words get the first ids in their order, whatever their count; one that
    /// was not counted gets count 0.
    pub fn ranked(
        mut counted: Vec<WordCount>,
        max_words: Option<usize>,
        reserved: &[String],
    ) -> Vocabulary {
        let mut vocabulary = Vocabulary::default();
        for word in reserved {
            let count = counted.iter().find(|c| c.word == *word).map_or(0, |c| c.count);
            if vocabulary.words.intern(word) as usize == vocabulary.counts.len() {
                vocabulary.counts.push(count);
            }
        }
        counted.retain(|c| vocabulary.words.get(&c.word).is_none());
        let order =
            |a: &WordCount, b: &WordCount| b.count.cmp(&a.count).then_with(|| a.word.cmp(&b.word));
        if let Some(max) = max_words.filter(|&max| max < counted.len()) {
            counted.select_nth_unstable_by(max, order);
            counted.truncate(max);
        }
        counted.sort_unstable_by(order);
        for WordCount { word, count } in counted {
            vocabulary.words.intern(&word);
            vocabulary.counts.push(count);
        }
        vocabulary
    }

    /// Words that already have their ids: `words[i]` gets id `i`.
    ///
    /// # Errors
    /// If a word comes twice.
    pub fn from_ordered<'a>(
        words: impl IntoIterator<Item = (&'a str, u64)>,
    ) -> Result<Vocabulary, VocabularyError> {
        let mut vocabulary = Vocabulary::default();
        for (word, count) in words {
            if (vocabulary.words.intern(word) as usize) < vocabulary.counts.len() {
                return Err(VocabularyError { word: word.to_owned() });
            }
            vocabulary.counts.push(count);
        }
        Ok(vocabulary)
    }

    /// Words that already have their ids, with their counts.
    ///
    /// # Panics
    /// If there are fewer counts than words.
    pub fn from_words(words: Interner, counts: impl IntoIterator<Item = u64>) -> Vocabulary {
        let counts: Vec<u64> = counts.into_iter().take(words.len()).collect();
        assert_eq!(counts.len(), words.len(), "a count for each word");
        Vocabulary { words, counts }
    }

    /// The number of words.
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// Whether there are no words.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// The id of a word.
    pub fn id(&self, word: &str) -> Option<WordId> {
        self.words.get(word)
    }

    /// The word of an id.
    ///
    /// # Panics
    /// If `id` is not below [`len`](Vocabulary::len).
    pub fn word(&self, id: WordId) -> &str {
        self.words.word(id)
    }

    /// Occurrences of the word with this id.
    pub fn count(&self, id: WordId) -> u64 {
        self.counts[id as usize]
    }

    /// Counts by id.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Words by id.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.words.words()
    }

    /// Occurrences of all words together.
    pub fn tokens(&self) -> u64 {
        self.counts.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(words: &[(&str, u64)]) -> Vec<WordCount> {
        words.iter().map(|&(word, count)| WordCount { word: word.to_owned(), count }).collect()
    }

    #[test]
    fn ids_go_by_count_then_by_spelling() {
        let words = counted(&[("b", 3), ("a", 3), ("z", 9), ("é", 3), ("c", 1)]);
        let vocabulary = Vocabulary::ranked(words, None, &[]);
        assert_eq!(vocabulary.words().collect::<Vec<_>>(), ["z", "a", "b", "é", "c"]);
        assert_eq!(vocabulary.counts(), [9, 3, 3, 3, 1]);
        assert_eq!(vocabulary.tokens(), 19);
    }

    #[test]
    fn max_words_cuts_by_the_same_order() {
        let words = counted(&[("b", 3), ("a", 3), ("z", 9), ("é", 3), ("c", 1)]);
        let vocabulary = Vocabulary::ranked(words, Some(3), &[]);
        assert_eq!(vocabulary.words().collect::<Vec<_>>(), ["z", "a", "b"]);
    }

    #[test]
    fn reserved_words_come_first_and_do_not_count_towards_the_limit() {
        let words = counted(&[("b", 3), ("a", 4), ("z", 9)]);
        let reserved = ["<unk>".to_owned(), "b".to_owned()];
        let vocabulary = Vocabulary::ranked(words, Some(1), &reserved);
        assert_eq!(vocabulary.words().collect::<Vec<_>>(), ["<unk>", "b", "z"]);
        assert_eq!(vocabulary.counts(), [0, 3, 9]);
    }

    #[test]
    fn a_word_twice_is_refused() {
        let error = Vocabulary::from_ordered([("a", 1), ("b", 1), ("a", 2)]).unwrap_err();
        assert_eq!(error.word, "a");
    }
}
