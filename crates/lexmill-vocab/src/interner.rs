//! Words to dense ids, in the order they are first seen.

use std::hash::Hasher;

use hashbrown::HashTable;
use rustc_hash::FxHasher;

/// A set of words with dense ids from 0 in the order of first sight.
///
/// Words lie end to end in one buffer, so a million words are two allocations.
#[derive(Debug, Clone, Default)]
pub struct Interner {
    table: HashTable<Entry>,
    bytes: Vec<u8>,
    /// `ends[i]` is where word `i` ends in `bytes`.
    ends: Vec<usize>,
}

/// A word in the table: with its place, so that a look-up goes to its bytes at once.
#[derive(Debug, Clone, Copy)]
struct Entry {
    start: u64,
    length: u32,
    id: u32,
}

impl Entry {
    #[inline]
    fn of<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        &bytes[self.start as usize..][..self.length as usize]
    }

    #[inline(always)]
    fn is(&self, bytes: &[u8], word: &[u8]) -> bool {
        self.length as usize == word.len() && same(self.of(bytes), word)
    }
}

/// Whether two slices of one length are the same. Most words have at most 16 bytes, which two loads
/// from each compare without a call.
#[inline(always)]
fn same(a: &[u8], b: &[u8]) -> bool {
    fn ends<const N: usize>(word: &[u8]) -> Option<(&[u8; N], &[u8; N])> {
        Some((word.first_chunk()?, word.last_chunk()?))
    }
    match a.len() {
        0 => true,
        1..4 => a[0] == b[0] && a[a.len() / 2] == b[b.len() / 2] && a.last() == b.last(),
        4..8 => ends::<4>(a) == ends::<4>(b),
        8..17 => ends::<8>(a) == ends::<8>(b),
        _ => a == b,
    }
}

#[inline]
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
        self.bytes.capacity() + self.ends.capacity() * 8 + self.table.capacity() * 17
    }

    /// The bytes of word `id`.
    #[inline]
    pub fn bytes(&self, id: u32) -> &[u8] {
        let id = id as usize;
        let start = if id == 0 { 0 } else { self.ends[id - 1] };
        &self.bytes[start..self.ends[id]]
    }

    /// Word `id`.
    #[inline]
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
        let found = self.table.find(wanted, |entry| entry.is(&self.bytes, word.as_bytes()));
        found.map(|entry| entry.id)
    }

    /// The id of `word`, new if it was not seen before.
    ///
    /// # Panics
    /// Past 2³² − 1 words, or at a word of 4 GiB.
    #[inline]
    pub fn intern(&mut self, word: &str) -> u32 {
        let wanted = hash(word.as_bytes());
        let bytes = &self.bytes;
        match self.table.find(wanted, |entry| entry.is(bytes, word.as_bytes())) {
            Some(entry) => entry.id,
            None => self.insert(wanted, word),
        }
    }

    #[cold]
    fn insert(&mut self, wanted: u64, word: &str) -> u32 {
        let id = u32::try_from(self.ends.len()).expect("fewer than 2^32 words");
        let length = u32::try_from(word.len()).expect("a word is shorter than 4 GiB");
        let start = self.bytes.len() as u64;
        self.bytes.extend_from_slice(word.as_bytes());
        self.ends.push(self.bytes.len());
        // The table asks for a hash again only when it grows; rehashing the word is rare enough.
        let bytes = &self.bytes;
        self.table
            .insert_unique(wanted, Entry { start, length, id }, |entry| hash(entry.of(bytes)));
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
    fn slices_are_the_same_if_every_byte_is() {
        for length in 0..40 {
            let word: Vec<u8> = (0..length).collect();
            assert!(same(&word, &word.clone()));
            for i in 0..word.len() {
                let mut other = word.clone();
                other[i] ^= 1;
                assert!(!same(&word, &other), "byte {i} of {length}");
            }
        }
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
