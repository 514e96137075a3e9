//! Seeded random numbers that are the same on every machine.
//!
//! A stream is named by a list of numbers (the run's seed, what it is for, the shard, the epoch), so
//! that work can be done in any order, or again, and draw the same numbers. The generator is
//! xoshiro256++; what is drawn from it (integers below a bound, floats, shuffles) is defined here and
//! does not depend on another library's habits.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// A stream of random numbers.
#[derive(Debug, Clone)]
pub struct Random(Xoshiro256PlusPlus);

impl Random {
    /// The stream of this name. Different names give unrelated streams.
    pub fn named(name: &[u64]) -> Random {
        let mut state = 0x9E37_79B9_7F4A_7C15u64;
        for &part in name {
            state = mix(state ^ part).wrapping_add(0x9E37_79B9_7F4A_7C15);
        }
        Random(Xoshiro256PlusPlus::seed_from_u64(mix(state)))
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A whole number in `0..bound`, by Lemire's multiplication without the rejection step: the bias
    /// is below 2⁻³² for the bounds used here.
    pub fn below(&mut self, bound: u32) -> u32 {
        (((self.bits() >> 32) * u64::from(bound)) >> 32) as u32
    }

    /// A float in `[0, 1)`, a multiple of 2⁻²⁴.
    pub fn unit_f32(&mut self) -> f32 {
        (self.bits() >> 40) as f32 * (1.0 / (1u32 << 24) as f32)
    }

    /// Puts `items` in a random order (Fisher–Yates).
    ///
    /// # Panics
    /// With 2³² items or more.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        assert!(u32::try_from(items.len()).is_ok(), "too many items to shuffle at once");
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u32 + 1) as usize);
        }
    }
}

/// The finalizer of SplitMix64: a permutation of the 64-bit numbers in which every bit of the result
/// depends on every bit of `z`.
pub fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_fixed_for_ever() {
        // Results depend on these numbers: a change here changes every trained model.
        let mut random = Random::named(&[1, 2, 3]);
        let drawn: Vec<u32> = (0..6).map(|_| random.below(1000)).collect();
        assert_eq!(drawn, EXPECTED);
        assert_ne!(Random::named(&[1]).bits(), Random::named(&[1, 0]).bits());
    }
    const EXPECTED: [u32; 6] = [717, 137, 471, 161, 4, 299];

    #[test]
    fn a_shuffle_is_a_permutation_and_uniform_enough() {
        let mut random = Random::named(&[7]);
        let mut first = [0u32; 5];
        for _ in 0..5000 {
            let mut items = [0, 1, 2, 3, 4];
            random.shuffle(&mut items);
            first[items[0]] += 1;
            items.sort_unstable();
            assert_eq!(items, [0, 1, 2, 3, 4]);
        }
        assert!(first.iter().all(|&n| (850..1150).contains(&n)), "{first:?}");
    }

    #[test]
    fn unit_floats_stay_in_range() {
        let mut random = Random::named(&[9]);
        let mean = (0..10_000)
            .map(|_| {
                let x = random.unit_f32();
                assert!((0.0..1.0).contains(&x));
                f64::from(x)
            })
            .sum::<f64>()
            / 10_000.0;
        assert!((mean - 0.5).abs() < 0.02, "{mean}");
    }
}
