//! Two embeddings on the same items: a paired bootstrap.
//!
//! Whether one score is higher than another by more than chance can't be seen from two separate intervals:
//! both models answer the *same* questions, and hard ones are hard for both. So the items that both cover
//! are drawn with replacement, and each draw gives both scores on the same items (Efron and Tibshirani 1993,
//! chapter 16; Berg-Kirkpatrick, Burkett and Klein 2012). The middle 95 % of the differences is the interval.
//! The two-sided p is twice the smaller of the shares of draws in which the difference is ≤ 0 and ≥ 0, at
//! most 1; each share is (n + 1) / (draws + 1), so that p is never 0.
//!
//! As with every interval here, it is about other items, not about other seeds of the training.

use lexmill_vocab::Random;

use crate::bootstrap::middle;

/// How two embeddings compare on the items that both cover.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Items that both cover.
    pub common: u64,
    /// The scores on these: of the embeddings, and of the baseline.
    pub scores: (f64, f64),
    /// The 95 % interval of the difference; NaN without draws.
    pub interval: (f64, f64),
    /// Two-sided, against no difference; NaN without draws.
    pub p: f64,
}

impl Comparison {
    /// How much higher the embeddings score than the baseline.
    pub fn difference(&self) -> f64 {
        self.scores.0 - self.scores.1
    }

    /// Compares two scores of `items`. `both` gives them when item `i` is there `times[i]` times, or nothing
    /// where one can't be computed; such draws don't count.
    pub(crate) fn of(
        items: usize,
        resamples: usize,
        seed: u64,
        mut both: impl FnMut(&[u32]) -> Option<(f64, f64)>,
    ) -> Comparison {
        let nan = (f64::NAN, f64::NAN);
        let mut times = vec![1u32; items];
        let scores = both(&times).unwrap_or(nan);
        let common = items as u64;
        let Ok(bound) = u32::try_from(items) else {
            return Comparison { common, scores, interval: nan, p: f64::NAN };
        };
        let mut random = Random::named(&[seed, PAIRED, common]);
        let mut differences = Vec::new();
        for _ in 0..if items == 0 { 0 } else { resamples } {
            times.fill(0);
            for _ in 0..bound {
                times[random.below(bound) as usize] += 1;
            }
            differences.extend(both(&times).map(|(ours, theirs)| ours - theirs));
        }
        let draws = differences.len() as f64;
        let share = |count: usize| (count as f64 + 1.0) / (draws + 1.0);
        let below = share(differences.iter().filter(|&&d| d <= 0.0).count());
        let above = share(differences.iter().filter(|&&d| d >= 0.0).count());
        let p = if differences.is_empty() { f64::NAN } else { (2.0 * below.min(above)).min(1.0) };
        Comparison { common, scores, interval: middle(&mut differences), p }
    }

    /// Compares the means of values, item by item.
    pub(crate) fn of_means(values: &[(f64, f64)], resamples: usize, seed: u64) -> Comparison {
        Comparison::of(values.len(), resamples, seed, |times| {
            let (mut ours, mut theirs, mut count) = (0.0, 0.0, 0.0);
            for (value, &times) in values.iter().zip(times) {
                let times = f64::from(times);
                ours += times * value.0;
                theirs += times * value.1;
                count += times;
            }
            (count > 0.0).then(|| (ours / count, theirs / count))
        })
    }
}

/// Names the random stream.
const PAIRED: u64 = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn against_the_normal_approximation() {
        // Ours is right on 60 that theirs misses, theirs on 30 that ours misses, of 400.
        let values: Vec<(f64, f64)> = (0..400)
            .map(|i| match i {
                0..60 => (1.0, 0.0),
                60..90 => (0.0, 1.0),
                90..200 => (1.0, 1.0),
                _ => (0.0, 0.0),
            })
            .collect();
        let found = Comparison::of_means(&values, 4000, 1);
        assert_eq!((found.common, found.scores), (400, (0.425, 0.35)));
        let mean = 30.0 / 400.0;
        let half = 1.96 * ((90.0 / 400.0 - mean * mean) / 400.0f64).sqrt();
        assert!((found.interval.0 - (mean - half)).abs() < 0.004, "{found:?}");
        assert!((found.interval.1 - (mean + half)).abs() < 0.004, "{found:?}");
        // z = 3.2, so p is about 0.0014.
        assert!((0.0002..0.006).contains(&found.p), "{found:?}");
        assert_eq!(Comparison::of_means(&values, 4000, 1), found);
        assert_ne!(Comparison::of_means(&values, 4000, 2), found);
    }

    #[test]
    fn no_difference_and_nothing_to_compare() {
        let same = vec![(1.0, 1.0), (0.0, 0.0), (1.0, 1.0)];
        let found = Comparison::of_means(&same, 100, 1);
        assert_eq!((found.interval, found.p), ((0.0, 0.0), 1.0));
        let none = Comparison::of_means(&[], 100, 1);
        assert!(none.common == 0 && none.p.is_nan() && none.scores.0.is_nan());
        let without = Comparison::of_means(&same, 0, 1);
        assert!(without.p.is_nan() && without.interval.0.is_nan() && !without.scores.0.is_nan());
    }

    proptest! {
        #[test]
        fn who_is_who_changes_the_sign_only(
            values in proptest::collection::vec((0u8..3, 0u8..3), 1..30),
        ) {
            let values: Vec<(f64, f64)> =
                values.iter().map(|&(a, b)| (f64::from(a), f64::from(b))).collect();
            let swapped: Vec<(f64, f64)> = values.iter().map(|&(a, b)| (b, a)).collect();
            let (one, other) =
                (Comparison::of_means(&values, 99, 1), Comparison::of_means(&swapped, 99, 1));
            prop_assert_eq!(one.p, other.p);
            prop_assert!((one.interval.0 + other.interval.1).abs() < 1e-12);
        }
    }
}
