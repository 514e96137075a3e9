//! Words to dense ids, in the order they are first seen.

use std::hash::Hasher;

use hashbrown::HashTable;
use rustc_hash::FxHasher;

/// A set of words with dense ids from 0 in the order of first sight.
///
/// Words lie end to end in one buffer, so a million words are two allocations.
#[derive(Debug, Clone, Default)]
pub struct Interner {
    table: HashTable<u32>,
    bytes: Vec<u8>,
    /// `ends[i]` is where word `i` ends in `bytes`.
    ends: Vec<usize>,
}

fn hash(word: &[u8]) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(word);
    hasher.finish()
}

impl Interner {
    /// An empty set.
    pub fn new() -> Interner {
        Interner::default()
    }

    /// The number of words.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether no word was seen.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes of memory held, roughly.
    pub fn memory_bytes(&self) -> usize {
        self.bytes.capacity() + self.ends.capacity() * 8 + self.table.capacity() * 5
    }

    /// The bytes of word `id`.
    pub fn bytes(&self, id: u32) -> &[u8] {
        let id = id as usize;
        let start = if id == 0 { 0 } else { self.ends[id - 1] };
        &self.bytes[start..self.ends[id]]
    }

    /// Word `id`.
    pub fn word(&self, id: u32) -> &str {
        std::str::from_utf8(self.bytes(id)).expect("only whole strings are interned")
    }

    /// All words in id order.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        (0..self.len() as u32).map(|id| self.word(id))
    }

    /// The id of `word`, if it was seen.
    pub fn get(&self, word: &str) -> Option<u32> {
        let wanted = hash(word.as_bytes());
        self.table.find(wanted, |&id| self.bytes(id) == word.as_bytes()).copied()
    }

    /// The id of `word`, new if it was not seen before.
    ///
    /// # Panics
    /// Past 2³² − 1 words.
    #[inline]
    pub fn intern(&mut self, word: &str) -> u32 {
        let wanted = hash(word.as_bytes());
        let (bytes, ends) = (&self.bytes, &self.ends);
        let found = self.table.find(wanted, |&id| {
            let id = id as usize;
            let start = if id == 0 { 0 } else { ends[id - 1] };
            &bytes[start..ends[id]] == word.as_bytes()
        });
        match found {
            Some(&id) => id,
            None => self.insert(wanted, word),
        }
    }

    #[cold]
    fn insert(&mut self, wanted: u64, word: &str) -> u32 {
        let id = u32::try_from(self.ends.len()).expect("fewer than 2^32 words");
        self.bytes.extend_from_slice(word.as_bytes());
        self.ends.push(self.bytes.len());
        // The table asks for a hash again only when it grows; rehashing the word is rare enough.
        let (bytes, ends) = (&self.bytes, &self.ends);
        self.table.insert_unique(wanted, id, |&id| {
            let id = id as usize;
            let start = if id == 0 { 0 } else { ends[id - 1] };
            hash(&bytes[start..ends[id]])
        });
        id
    }

    /// Forgets all words, keeping the memory.
    pub fn clear(&mut self) {
        self.table.clear();
        self.bytes.clear();
        self.ends.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_dense_and_in_order_of_first_sight() {
        let mut interner = Interner::new();
        let ids: Vec<u32> = "the cat and the dog and é 中文 é"
            .split(' ')
            .map(|word| interner.intern(word))
            .collect();
        assert_eq!(ids, [0, 1, 2, 0, 3, 2, 4, 5, 4]);
        assert_eq!(interner.words().collect::<Vec<_>>(), ["the", "cat", "and", "dog", "é", "中文"]);
        assert_eq!(interner.get("dog"), Some(3));
        assert_eq!(interner.get("do"), None);
    }

    #[test]
    fn many_words_survive_growth() {
        let mut interner = Interner::new();
        for i in 0..100_000u32 {
            assert_eq!(interner.intern(&format!("w{i}")), i);
        }
        for i in (0..100_000u32).rev() {
            assert_eq!(interner.get(&format!("w{i}")), Some(i));
        }
    }
}
