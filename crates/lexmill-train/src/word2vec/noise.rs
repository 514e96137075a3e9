//! The noise distribution: words by a power of their counts, block by block.

use lexmill_vocab::{BlockLayout, Random, Vocabulary};

/// Draws rows of one block with probabilities proportional to `count^exponent` (Walker's alias
/// method, in Vose's form: one random number and one comparison a draw).
#[derive(Debug, Clone)]
pub(crate) struct Noise {
    /// For each place: the part of it, of 2³², that is its own; and whose the rest is.
    places: Vec<(u32, u32)>,
}

impl Noise {
    /// The distributions of all blocks. Words that never occur are not drawn, unless a block has no
    /// others.
    pub(crate) fn blocks(
        vocabulary: &Vocabulary,
        layout: BlockLayout,
        exponent: f64,
    ) -> Vec<Noise> {
        let weight = |id: u32| match vocabulary.count(id) {
            0 => 0.0,
            count => libm::pow(count as f64, exponent),
        };
        (0..layout.blocks())
            .map(|block| {
                let words = layout.block_words(block);
                let weights: Vec<f64> = (0..words).map(|i| weight(layout.id(block, i))).collect();
                Noise::new(&weights)
            })
            .collect()
    }

    pub(super) fn new(weights: &[f64]) -> Noise {
        let total: f64 = weights.iter().sum();
        let usable = total > 0.0 && total.is_finite();
        let scale = weights.len() as f64 / total;
        let mut left: Vec<f64> =
            weights.iter().map(|w| if usable { w * scale } else { 1.0 }).collect();
        let mut places: Vec<(u32, u32)> = (0..left.len() as u32).map(|i| (u32::MAX, i)).collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) =
            (0..left.len()).partition(|&i| left[i] < 1.0);
        while let (Some(&s), Some(&l)) = (small.last(), large.last()) {
            small.pop();
            places[s] = ((left[s] * 4_294_967_296.0) as u32, l as u32);
            left[l] -= 1.0 - left[s];
            if left[l] < 1.0 {
                large.pop();
                small.push(l);
            }
        }
        Noise { places }
    }

    #[inline(always)]
    pub(crate) fn draw(&self, random: &mut Random) -> u32 {
        let bits = random.bits();
        let place = ((bits >> 32) * self.places.len() as u64) >> 32;
        let (own, other) = self.places[place as usize];
        // As it happens: a branch would be guessed wrong half of the time.
        std::hint::select_unpredictable(bits as u32 <= own, place as u32, other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_follow_the_weights() {
        let weights = [5.0, 0.0, 1.0, 2.0, 0.5, 1.5];
        let noise = Noise::new(&weights);
        let mut random = Random::named(&[4]);
        let mut seen = [0u32; 6];
        let draws = 200_000;
        for _ in 0..draws {
            seen[noise.draw(&mut random) as usize] += 1;
        }
        for (seen, weight) in seen.iter().zip(weights) {
            let expected = weight / 10.0 * f64::from(draws);
            assert!(
                (f64::from(*seen) - expected).abs() < 5.0 * expected.sqrt() + 1.0,
                "{seen} {expected}"
            );
        }
    }

    #[test]
    fn a_block_without_counts_is_drawn_from_all_the_same() {
        let noise = Noise::new(&[0.0, 0.0, 0.0]);
        let mut random = Random::named(&[4]);
        let seen: std::collections::BTreeSet<u32> =
            (0..100).map(|_| noise.draw(&mut random)).collect();
        assert_eq!(seen.len(), 3);
    }
}
