//! Which documents are compared: locality-sensitive hashing by bands (Leskovec, Rajaraman and Ullman,
//! Mining of Massive Datasets, 3.4).
//!
//! A signature is cut into b *bands* of r rows. Documents that agree in all rows of some band are
//! candidates: at a similarity of s with a chance of 1 − (1 − sʳ)ᵇ, a curve that rises from 0 to 1
//! somewhere about (1/b)^(1/r). Of all b and r with b r ≤ k, those are taken for which
//!
//! ```text
//! ∫ from 0 to t of 1 − (1 − sʳ)ᵇ ds  +  ∫ from t to 1 of (1 − sʳ)ᵇ ds
//! ```
//!
//! is least, t being the threshold: candidates that should not be, plus duplicates that are missed, all
//! similarities alike. (So does datasketch.) Of k = 128, a threshold of 0.8 gives 9 bands of 13 rows, by
//! which a pair of similarity 0.8 is found with a chance of 0.40, of 0.9 with 0.93, of 0.95 with 0.999.

use lexmill_vocab::mix;

/// How signatures are cut into bands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Banding {
    pub(crate) bands: usize,
    pub(crate) rows: usize,
}

/// Steps of each of the two integrals.
const STEPS: usize = 500;

impl Banding {
    /// The best for a threshold, with signatures of `permutations` numbers, at least 1.
    pub(crate) fn choose(threshold: f64, permutations: usize) -> Banding {
        // Midpoints of steps below the threshold, then of those above.
        let step = |i: usize| (i as f64 + 0.5) / STEPS as f64;
        let below = (0..STEPS).map(|i| step(i) * threshold);
        let above = (0..STEPS).map(|i| threshold + step(i) * (1.0 - threshold));
        let similarities: Vec<f64> = below.chain(above).collect();
        let mut best = (f64::INFINITY, Banding { bands: 1, rows: 1 });
        // Powers are products, term by term: no library decides about their last bits.
        let mut agree = vec![1.0; 2 * STEPS];
        for rows in 1..=permutations {
            agree.iter_mut().zip(&similarities).for_each(|(agree, s)| *agree *= s);
            let mut missed = vec![1.0; 2 * STEPS];
            for bands in 1..=permutations / rows {
                missed.iter_mut().zip(&agree).for_each(|(missed, agree)| *missed *= 1.0 - agree);
                let false_candidates: f64 = missed[..STEPS].iter().map(|missed| 1.0 - missed).sum();
                let missed_duplicates: f64 = missed[STEPS..].iter().sum();
                let error = false_candidates * threshold + missed_duplicates * (1.0 - threshold);
                if error < best.0 {
                    best = (error, Banding { bands, rows });
                }
            }
        }
        best.1
    }

    /// A number for each band of a signature; documents that agree in a band have the same.
    pub(crate) fn keys(self, signature: &[u32]) -> impl Iterator<Item = u64> {
        let bands = signature.chunks_exact(self.rows).take(self.bands);
        (0u64..).zip(bands).map(|(band, rows)| {
            rows.iter().fold(mix(band + 1), |key, &row| mix(key ^ u64::from(row)))
        })
    }
}

#[cfg(test)]
mod tests {
    use lexmill_vocab::Random;
    use proptest::prelude::*;

    use super::*;

    /// The chance that documents of a similarity are compared.
    fn chance(banding: Banding, similarity: f64) -> f64 {
        1.0 - (1.0 - similarity.powi(banding.rows as i32)).powi(banding.bands as i32)
    }

    #[test]
    fn bands_are_those_of_datasketch() {
        for (threshold, permutations, bands, rows) in [
            (0.5, 128, 25, 5),
            (0.7, 128, 14, 9),
            (0.8, 128, 9, 13),
            (0.9, 128, 5, 25),
            (0.8, 64, 5, 11),
            (0.8, 16, 2, 8),
        ] {
            assert_eq!(Banding::choose(threshold, permutations), Banding { bands, rows });
        }
        assert_eq!(Banding::choose(1.0, 128), Banding { bands: 1, rows: 128 });
        assert_eq!(Banding::choose(0.8, 1), Banding { bands: 1, rows: 1 });
        let chances = [0.5, 0.8, 0.9, 0.95].map(|s| chance(Banding { bands: 9, rows: 13 }, s));
        for (found, said) in chances.into_iter().zip([0.001, 0.40, 0.93, 0.999]) {
            assert!((found - said).abs() < 0.005, "{found} {said}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20))]
        /// Pairs of signatures that agree in each place with a chance of `similarity`.
        #[test]
        fn pairs_become_candidates_as_the_curve_says(
            similarity in 0.0f32..1.0,
            threshold in prop::sample::select(vec![0.3, 0.5, 0.8, 0.9]),
            permutations in prop::sample::select(vec![32usize, 128]),
            seed in any::<u64>(),
        ) {
            let banding = Banding::choose(threshold, permutations);
            prop_assert!(banding.bands * banding.rows <= permutations);
            let mut random = Random::named(&[seed]);
            let (mut candidates, pairs) = (0, 2000);
            for _ in 0..pairs {
                let a: Vec<u32> = (0..permutations).map(|_| random.bits() as u32).collect();
                let same = |random: &mut Random| random.unit_f32() < similarity;
                let b: Vec<u32> =
                    a.iter().map(|&x| if same(&mut random) { x } else { !x }).collect();
                candidates += usize::from(banding.keys(&a).zip(banding.keys(&b)).any(|(a, b)| a == b));
            }
            let (found, expected) = (candidates as f64 / pairs as f64, chance(banding, f64::from(similarity)));
            let deviation = (expected * (1.0 - expected) / pairs as f64).sqrt();
            prop_assert!((found - expected).abs() <= 6.0 * deviation + 0.001, "{} {}", found, expected);
        }
    }
}
