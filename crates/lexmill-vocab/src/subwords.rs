//! The character n-grams of words, hashed to buckets as fastText does it.
//!
//! A word gets a `<` before and a `>` behind it, and every run of `minn` to `maxn` characters of that
//! is one of its n-grams, but for a `<` or `>` by itself (Bojanowski et al. 2017, section 3.2). An
//! n-gram is known by its bucket only: a hash of its bytes, modulo `bucket`. Buckets and their order
//! are those of fastText's C++ program, so that models can be exchanged with it.
//!
//! ```
//! use lexmill_vocab::Subwords;
//! let mut buckets = Vec::new();
//! Subwords { minn: 3, maxn: 6, bucket: 2_000_000 }.buckets("cat", &mut buckets);
//! assert_eq!(buckets.len(), 6); // <ca <cat <cat> cat cat> at>
//! ```

/// The mark of the end of a line, the one word that has no n-grams.
const END_OF_LINE: &str = "</s>";

/// Which n-grams words have, and the number of buckets they are hashed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subwords {
    /// Characters of the shortest n-gram; 0 is as 1.
    pub minn: u32,
    /// Characters of the longest n-gram; with 0 there are none.
    pub maxn: u32,
    /// The number of buckets; with 0 there are no n-grams.
    pub bucket: u32,
}

impl Subwords {
    /// The most characters of an n-gram that models are taken with. A word has as many n-grams as
    /// characters, times this.
    pub const MOST_CHARACTERS: u32 = 100;

    /// No n-grams at all.
    pub const NONE: Subwords = Subwords { minn: 0, maxn: 0, bucket: 0 };

    /// Whether words have n-grams at all.
    pub fn is_none(&self) -> bool {
        self.maxn == 0 || self.bucket == 0 || self.minn > self.maxn
    }

    /// The hash of an n-gram: FNV-1a with 32 bits, except that a byte from 128 on is extended by its
    /// sign first, as fastText's `char` is.
    pub fn hash(bytes: &[u8]) -> u32 {
        bytes.iter().fold(OFFSET_BASIS, |hash, &byte| step(hash, byte))
    }

    /// Fills `into` with the bucket of each n-gram of the word, by first character and then by
    /// length, as often as it occurs. What was in `into` before is gone.
    pub fn buckets(&self, word: &str, into: &mut Vec<u32>) {
        into.clear();
        if self.is_none() || word == END_OF_LINE {
            return;
        }
        let word = word.as_bytes();
        let length = word.len() + 2;
        // A byte of `<word>`.
        let byte = |at: usize| match at {
            0 => b'<',
            at => word.get(at - 1).copied().unwrap_or(b'>'),
        };
        for start in (0..length).filter(|&at| starts_character(byte(at))) {
            let (mut end, mut hash) = (start, OFFSET_BASIS);
            for characters in 1..=self.maxn {
                if end == length {
                    break;
                }
                hash = step(hash, byte(end));
                end += 1;
                while end < length && !starts_character(byte(end)) {
                    hash = step(hash, byte(end));
                    end += 1;
                }
                let mark_alone = characters == 1 && (start == 0 || end == length);
                if characters >= self.minn && !mark_alone {
                    into.push(hash % self.bucket);
                }
            }
        }
    }
}

const OFFSET_BASIS: u32 = 2_166_136_261;
const PRIME: u32 = 16_777_619;

fn step(hash: u32, byte: u8) -> u32 {
    (hash ^ byte.cast_signed() as u32).wrapping_mul(PRIME)
}

/// Whether a byte of UTF-8 begins a character.
fn starts_character(byte: u8) -> bool {
    byte & 0xC0 != 0x80
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn buckets(minn: u32, maxn: u32, bucket: u32, word: &str) -> Vec<u32> {
        let mut into = vec![77];
        Subwords { minn, maxn, bucket }.buckets(word, &mut into);
        into
    }

    /// As `fasttext.get_subwords` and gensim's `ft_hash_bytes` give them (fasttext-numpy2 0.10.4,
    /// gensim 4.4.0).
    #[test]
    fn the_buckets_are_those_of_fasttext() {
        let hashes = ["", "a", "<ab", "é", "日本"].map(|text| Subwords::hash(text.as_bytes()));
        assert_eq!(hashes, [2166136261, 3826002220, 1218209508, 1023043777, 4164387409]);

        let default = |word| buckets(3, 6, 2_000_000, word);
        assert_eq!(default("cat"), [916747, 1988973, 1428137, 289031, 1127995, 351106]);
        assert_eq!(
            default("über"),
            [1793082, 1664269, 716781, 820905, 255527, 904527, 1599331, 485366, 900056, 742840]
        );
        assert_eq!(default("日本語"), [758587, 4581, 524609, 35559, 928923, 1674355]);
        assert_eq!(default("😀"), [870420]);
        assert_eq!(default("a"), [1087600]);
        assert_eq!(default("<>"), [1984289, 1603405, 154867]);
        assert_eq!(default(""), []);
        assert_eq!(default("</s>"), []);

        let short = |word| buckets(1, 3, 1000, word);
        assert_eq!(short("cat"), [512, 747, 458, 945, 31, 220, 136, 106, 267, 615]);
        assert_eq!(short("日本語"), [687, 587, 749, 409, 559, 417, 575, 355, 283, 255]);
        assert_eq!(short("<>"), [605, 289, 539, 367, 867, 777, 493]);
        assert_eq!(short("a"), [750, 600, 220, 806]);
        assert_eq!(short(""), [367]);
        // As often as they occur.
        assert_eq!(buckets(2, 2, 7, "über"), [0, 2, 0, 0, 4]);
    }

    #[test]
    fn without_lengths_or_buckets_there_are_none() {
        for (minn, maxn, bucket) in [(0, 0, 10), (3, 0, 10), (3, 6, 0), (4, 3, 10)] {
            assert_eq!(buckets(minn, maxn, bucket, "word"), []);
            assert!(Subwords { minn, maxn, bucket }.is_none());
        }
        assert!(Subwords::NONE.is_none());
        assert_eq!(buckets(0, 2, 9, "word"), buckets(1, 2, 9, "word"));
    }

    proptest! {
        #[test]
        fn they_are_the_runs_of_characters(
            word in "[a-cé日😀<>\\PC]{0,9}",
            (minn, maxn, bucket) in (0u32..5, 0u32..8, 0u32..50),
        ) {
            let marked: Vec<char> = format!("<{word}>").chars().collect();
            let mut expected = Vec::new();
            for start in 0..marked.len() {
                for run in (start + 1..=marked.len()).map(|end| &marked[start..end]) {
                    let characters = run.len() as u32;
                    let edge = start == 0 || start + run.len() == marked.len();
                    let taken = (minn..=maxn).contains(&characters) && !(characters == 1 && edge);
                    if taken && bucket > 0 && word != "</s>" {
                        let text: String = run.iter().collect();
                        expected.push(Subwords::hash(text.as_bytes()) % bucket);
                    }
                }
            }
            prop_assert_eq!(buckets(minn, maxn, bucket, &word), expected);
        }
    }
}
