//! MinHash: how similar two documents are, from a few numbers of each (Broder 1997).
//!
//! A document is the set of its *shingles*, runs of `shingle` tokens; one of fewer tokens is a single
//! shingle. Of two sets A and B the Jaccard similarity is |A ∩ B| / |A ∪ B|. A *signature* holds, for
//! each of k hash functions, the least hash of any shingle. Where A ∪ B has its least hash, A and B have
//! it both with a chance of just that similarity: so the part of places in which two signatures agree
//! estimates it, with a standard deviation of √(J (1 − J) / k), 0.035 at J = 0.8 and k = 128.
//!
//! A word counts by 64 bits of its BLAKE3, a shingle by a polynomial in these words modulo 2⁶⁴ (which
//! rolls from one token to the next) and SplitMix64's finalizer; hash function i takes that number x to
//! the upper half of aᵢ x + bᵢ modulo 2⁶⁴ (Dietzfelbinger 1996). The numbers aᵢ and bᵢ are the same for
//! ever.

use lexmill_vocab::{Random, mix};

/// The polynomial's variable: odd.
const BASE: u64 = 0x9E37_79B9_7F4A_7C15;

/// Names the stream of random numbers behind the hash functions.
const STREAM: u64 = 0x6D69_6E68_6173_6800;

/// Shingles hashed in one go. With their number fixed, the loop over them takes 0.55 of the time.
const BLOCK: usize = 16;

/// Takes the signatures of documents, one after the other.
pub(crate) struct MinHash {
    factors: Vec<u64>,
    terms: Vec<u64>,
    /// What the word that leaves a shingle was multiplied by.
    leaving: u64,
    /// The last words, in a ring.
    words: Vec<u64>,
    /// Where in the ring the next one goes.
    next: usize,
    /// Whether the ring is full.
    full: bool,
    rolling: u64,
    /// Shingles of which the first `waiting` are not hashed yet.
    shingles: [u64; BLOCK],
    waiting: usize,
    signature: Vec<u32>,
}

impl MinHash {
    /// With shingles of so many words and so many hash functions, both at least 1.
    pub(crate) fn new(shingle: u32, permutations: u32) -> MinHash {
        let mut random = Random::named(&[STREAM]);
        let numbers: Vec<(u64, u64)> =
            (0..permutations).map(|_| (random.bits() | 1, random.bits())).collect();
        MinHash {
            factors: numbers.iter().map(|(factor, _)| *factor).collect(),
            terms: numbers.iter().map(|(_, term)| *term).collect(),
            leaving: (0..shingle).fold(1, |power: u64, _| power.wrapping_mul(BASE)),
            words: vec![0; shingle.max(1) as usize],
            next: 0,
            full: false,
            rolling: 0,
            shingles: [0; BLOCK],
            waiting: 0,
            signature: vec![u32::MAX; permutations as usize],
        }
    }

    /// Begins a document.
    pub(crate) fn begin(&mut self) {
        (self.next, self.full, self.rolling, self.waiting) = (0, false, 0, 0);
        self.signature.fill(u32::MAX);
    }

    /// Takes the document's next word, as a number that stands for it.
    #[inline]
    pub(crate) fn push(&mut self, word: u64) {
        let first = std::mem::replace(&mut self.words[self.next], word);
        self.rolling = self.rolling.wrapping_mul(BASE).wrapping_add(word);
        if self.full {
            self.rolling = self.rolling.wrapping_sub(first.wrapping_mul(self.leaving));
        }
        self.next += 1;
        if self.next == self.words.len() {
            (self.next, self.full) = (0, true);
        }
        if self.full {
            self.shingle();
        }
    }

    #[inline]
    fn shingle(&mut self) {
        self.shingles[self.waiting] = mix(self.rolling);
        self.waiting += 1;
        if self.waiting == BLOCK {
            self.hash();
        }
    }

    /// Ends the document. Of one without words all numbers are [`u32::MAX`].
    pub(crate) fn finish(&mut self) -> &[u32] {
        if !self.full && self.next > 0 {
            self.shingle();
        }
        if self.waiting > 0 {
            // The same again and again, which changes nothing.
            let last = self.shingles[self.waiting - 1];
            self.shingles[self.waiting..].fill(last);
            self.hash();
        }
        &self.signature
    }

    fn hash(&mut self) {
        self.waiting = 0;
        let functions = self.factors.iter().zip(&self.terms);
        for (least, (&factor, &term)) in self.signature.iter_mut().zip(functions) {
            let hash = |x: u64| (factor.wrapping_mul(x).wrapping_add(term) >> 32) as u32;
            *least = self.shingles.iter().fold(*least, |least, &x| least.min(hash(x)));
        }
    }
}

/// The similarity of two documents, as their signatures (of one length, and not empty) show it.
pub(crate) fn similarity(a: &[u32], b: &[u32]) -> f64 {
    let same = a.iter().zip(b).filter(|(a, b)| a == b).count();
    same as f64 / a.len() as f64
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn signature(words: &[u64], shingle: u32, permutations: u32) -> Vec<u32> {
        let mut minhash = MinHash::new(shingle, permutations);
        minhash.begin();
        words.iter().for_each(|&word| minhash.push(mix(word)));
        minhash.finish().to_vec()
    }

    /// The similarity of the sets of shingles.
    fn jaccard(a: &[u64], b: &[u64], shingle: u32) -> f64 {
        let set = |words: &[u64]| -> HashSet<Vec<u64>> {
            let length = words.len().min(shingle as usize).max(1);
            words.windows(length).map(<[u64]>::to_vec).collect()
        };
        let (a, b) = (set(a), set(b));
        match a.union(&b).count() {
            0 => 1.0,
            all => a.intersection(&b).count() as f64 / all as f64,
        }
    }

    /// Words, some of which were changed.
    fn changed(words: &[u64], part: f32, random: &mut Random) -> Vec<u64> {
        let change = |&word: &u64| if random.unit_f32() < part { word + 1_000_000 } else { word };
        words.iter().map(change).collect()
    }

    proptest! {
        #[test]
        fn estimates_are_near_the_true_similarity(
            words in prop::collection::vec(0u64..500, 0..200),
            part in 0.0f32..0.4,
            shingle in 1u32..8,
            seed in any::<u64>(),
        ) {
            let other = changed(&words, part, &mut Random::named(&[seed]));
            let truth = jaccard(&words, &other, shingle);
            let found = similarity(&signature(&words, shingle, 256), &signature(&other, shingle, 256));
            // Six standard deviations at most, and none where there is nothing to estimate.
            let deviation = (truth * (1.0 - truth) / 256.0).sqrt();
            prop_assert!((found - truth).abs() <= 6.0 * deviation, "{} for {}", found, truth);
        }

        #[test]
        fn a_document_is_its_set_of_shingles(words in prop::collection::vec(0u64..9, 1..40), shingle in 1u32..6) {
            // Said twice, with a word between that makes new shingles; these are in both.
            let twice = |times: usize| {
                let mut all = words.clone();
                (0..times).for_each(|_| { all.push(77); all.extend(&words); });
                all
            };
            prop_assume!(words.len() >= shingle as usize);
            prop_assert_eq!(signature(&twice(1), shingle, 32), signature(&twice(2), shingle, 32));
        }
    }

    #[test]
    fn the_error_is_that_of_fair_coins() {
        let mut random = Random::named(&[4]);
        let (mut sum, mut squares, mut expected, runs) = (0.0, 0.0, 0.0, 400);
        for run in 0..runs {
            let words: Vec<u64> = (0..300).map(|i| i + run * 1000).collect();
            let other = changed(&words, 0.03, &mut random);
            let truth = jaccard(&words, &other, 5);
            let found = similarity(&signature(&words, 5, 128), &signature(&other, 5, 128));
            sum += found - truth;
            squares += (found - truth).powi(2);
            expected += truth * (1.0 - truth) / 128.0;
        }
        let (bias, ratio) = (sum / runs as f64, (squares / expected).sqrt());
        assert!(bias.abs() < 0.008, "{bias}");
        assert!((0.85..1.15).contains(&ratio), "{ratio} times the standard deviation expected");
    }

    #[test]
    fn signatures_are_fixed_for_ever() {
        // Results depend on these numbers: a change here raises the stage's version.
        assert_eq!(signature(&[1, 2, 3, 4, 5, 6, 7], 5, 3), EXPECTED);
        assert_eq!(signature(&[], 5, 2), [u32::MAX; 2]);
        // Fewer functions are the first of more.
        assert_eq!(signature(&[1, 2, 3], 5, 9)[..4], signature(&[1, 2, 3], 5, 4));
        // Short documents differ by their length as well.
        assert_ne!(signature(&[1, 2], 5, 9), signature(&[1, 2, 2], 5, 9));
    }
    const EXPECTED: [u32; 3] = [607_147_060, 592_285_346, 197_949_647];
}
