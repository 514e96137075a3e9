//! Word similarity: do cosines order pairs of words as people do?
//!
//! Spearman's ρ between the cosines and the judgements: Pearson's correlation of their ranks, where
//! equal values share the mean of the ranks they take up,
//!
//! ρ = Σ (rᵢ − m)(sᵢ − m) / √(Σ (rᵢ − m)² Σ (sᵢ − m)²),  m = (n + 1) / 2.
//!
//! It is given twice: over the pairs whose words are both known (what most papers report, and what
//! flatters a small vocabulary), and `oov_as_zero`: over all pairs, those with an unknown word at
//! similarity 0, which is what vectors at random directions would give them.

use lexmill_vocab::Random;

use crate::bootstrap::{CORRELATION, interval};
use crate::{Comparison, UnitVectors, WordPairs};
use lexmill_embeddings::dot;

/// What a set of word pairs says about embeddings.
#[derive(Debug, Clone, PartialEq)]
pub struct Similarity {
    /// ρ over the pairs whose words are known; NaN if there are none, or one side is constant.
    pub spearman: f64,
    /// Its 95 % bootstrap interval.
    pub interval: (f64, f64),
    /// ρ over all pairs, those with an unknown word at similarity 0.
    pub oov_as_zero: f64,
    /// Pairs whose words are known.
    pub covered: usize,
    /// All pairs.
    pub total: usize,
}

/// Compares cosines with judgements; the interval is from `resamples` draws of pairs.
pub fn similarity(
    vectors: &UnitVectors,
    set: &WordPairs,
    resamples: usize,
    seed: u64,
) -> Similarity {
    let cosines = cosines(vectors, set);
    let (known, judged): (Vec<f64>, Vec<f64>) = cosines
        .iter()
        .zip(&set.pairs)
        .filter_map(|(cosine, pair)| Some(((*cosine)?, pair.score)))
        .unzip();
    let with_zeros: Vec<f64> = cosines.iter().map(|cosine| cosine.unwrap_or(0.0)).collect();
    let all_judged: Vec<f64> = set.pairs.iter().map(|pair| pair.score).collect();
    Similarity {
        spearman: spearman(&known, &judged),
        interval: spearman_interval(&known, &judged, resamples, seed),
        oov_as_zero: spearman(&with_zeros, &all_judged),
        covered: known.len(),
        total: set.pairs.len(),
    }
}

/// The cosine of each pair; of pairs with an unknown word nothing.
fn cosines(vectors: &UnitVectors, set: &WordPairs) -> Vec<Option<f64>> {
    let cosine = |pair: &crate::Pair| {
        let [a, b] = [vectors.form(&pair.words[0])?, vectors.form(&pair.words[1])?];
        Some(f64::from(dot(vectors.vector(a), vectors.vector(b))))
    };
    set.pairs.iter().map(cosine).collect()
}

/// Compares two embeddings by ρ on the pairs that both know.
pub fn compare(
    [ours, theirs]: [&UnitVectors; 2],
    set: &WordPairs,
    resamples: usize,
    seed: u64,
) -> Comparison {
    let (mut x, mut y, mut judged) = (Vec::new(), Vec::new(), Vec::new());
    for ((ours, theirs), pair) in
        cosines(ours, set).into_iter().zip(cosines(theirs, set)).zip(&set.pairs)
    {
        if let (Some(ours), Some(theirs)) = (ours, theirs) {
            x.push(ours);
            y.push(theirs);
            judged.push(pair.score);
        }
    }
    let (x, y, judged) = (Ranking::new(&x), Ranking::new(&y), Ranking::new(&judged));
    let mut ranks = Ranks::default();
    Comparison::of(judged.order.len(), resamples, seed, |times| {
        Some((ranks.correlate(&x, &judged, times)?, ranks.correlate(&y, &judged, times)?))
    })
}

/// Spearman's rank correlation; equal values share their mean rank. NaN for fewer than two points, or
/// if one side is constant.
///
/// # Panics
/// If the lengths differ.
pub fn spearman(x: &[f64], y: &[f64]) -> f64 {
    assert_eq!(x.len(), y.len(), "pairs of values");
    let times = vec![1; x.len()];
    let mut ranks = Ranks::default();
    ranks.correlate(&Ranking::new(x), &Ranking::new(y), &times).unwrap_or(f64::NAN)
}

fn spearman_interval(x: &[f64], y: &[f64], resamples: usize, seed: u64) -> (f64, f64) {
    let Ok(points) = u32::try_from(x.len()) else { return (f64::NAN, f64::NAN) };
    let mut random = Random::named(&[seed, CORRELATION, u64::from(points)]);
    let (x, y) = (Ranking::new(x), Ranking::new(y));
    let mut times = vec![0u32; points as usize];
    let mut ranks = Ranks::default();
    interval(resamples, || {
        times.fill(0);
        for _ in 0..points {
            times[random.below(points) as usize] += 1;
        }
        ranks.correlate(&x, &y, &times)
    })
}

/// The order of some values, sorted once: ranks of a resample then take one pass.
struct Ranking {
    /// Points by ascending value.
    order: Vec<u32>,
    /// For each place in `order`: whether its value differs from the one before.
    differs: Vec<bool>,
}

impl Ranking {
    fn new(values: &[f64]) -> Ranking {
        let mut order: Vec<u32> = (0..values.len() as u32).collect();
        order.sort_by(|&a, &b| values[a as usize].total_cmp(&values[b as usize]));
        let value = |place: usize| values[order[place] as usize];
        let differs =
            (0..order.len()).map(|place| place == 0 || value(place) != value(place - 1)).collect();
        Ranking { order, differs }
    }

    /// The rank of each point when point `i` is there `times[i]` times.
    fn ranks(&self, times: &[u32], ranks: &mut Vec<f64>) {
        ranks.clear();
        ranks.resize(times.len(), 0.0);
        let (mut start, mut before) = (0, 0.0);
        while start < self.order.len() {
            let tied =
                self.differs[start + 1..].iter().take_while(|differs| !**differs).count() + 1;
            let group = &self.order[start..start + tied];
            let size: f64 = group.iter().map(|&point| f64::from(times[point as usize])).sum();
            for &point in group {
                ranks[point as usize] = before + (size + 1.0) / 2.0;
            }
            before += size;
            start += tied;
        }
    }
}

/// Scratch space.
#[derive(Default)]
struct Ranks {
    x: Vec<f64>,
    y: Vec<f64>,
}

impl Ranks {
    /// ρ when point `i` is there `times[i]` times.
    fn correlate(&mut self, x: &Ranking, y: &Ranking, times: &[u32]) -> Option<f64> {
        x.ranks(times, &mut self.x);
        y.ranks(times, &mut self.y);
        let points: f64 = times.iter().map(|&times| f64::from(times)).sum();
        let mean = (points + 1.0) / 2.0;
        let (mut xy, mut xx, mut yy) = (0.0, 0.0, 0.0);
        for ((x, y), &times) in self.x.iter().zip(&self.y).zip(times) {
            let (x, y, times) = (x - mean, y - mean, f64::from(times));
            xy += times * x * y;
            xx += times * x * x;
            yy += times * y * y;
        }
        (xx > 0.0 && yy > 0.0).then(|| xy / (xx * yy).sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Pair;
    use lexmill_embeddings::Embeddings;
    use lexmill_vocab::Vocabulary;
    use proptest::prelude::*;

    /// Ranks by counting, and Pearson's formula as it stands in a textbook.
    fn naive(x: &[f64], y: &[f64]) -> f64 {
        let rank = |values: &[f64]| -> Vec<f64> {
            let below = |v: f64| values.iter().filter(|&&w| w < v).count() as f64;
            let equal = |v: f64| values.iter().filter(|&&w| w == v).count() as f64;
            values.iter().map(|&v| below(v) + (equal(v) + 1.0) / 2.0).collect()
        };
        let (x, y) = (rank(x), rank(y));
        let n = x.len() as f64;
        let mean = |v: &[f64]| v.iter().sum::<f64>() / n;
        let (mx, my) = (mean(&x), mean(&y));
        let sum = |f: &dyn Fn(f64, f64) -> f64| -> f64 {
            x.iter().zip(&y).map(|(&x, &y)| f(x - mx, y - my)).sum()
        };
        sum(&|x, y| x * y) / (sum(&|x, _| x * x) * sum(&|_, y| y * y)).sqrt()
    }

    #[test]
    fn known_values() {
        // Wikipedia's example: hours of television against IQ.
        let iq = [106., 100., 86., 101., 99., 103., 97., 113., 112., 110.];
        let tv = [7., 27., 2., 50., 28., 29., 20., 12., 6., 17.];
        assert!((spearman(&iq, &tv) + 29.0 / 165.0).abs() < 1e-12);
        // With ties: ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4: 4.5 / √(4.5 · 5).
        let tied = spearman(&[1., 2., 2., 3.], &[1., 2., 3., 4.]);
        assert!((tied - 4.5 / 22.5f64.sqrt()).abs() < 1e-12);
        assert_eq!(spearman(&[1., 2., 3.], &[9., 8., 7.]), -1.0);
        assert!(spearman(&[1., 1.], &[1., 2.]).is_nan() && spearman(&[], &[]).is_nan());
    }

    proptest! {
        #[test]
        fn agrees_with_the_naive_form(
            points in proptest::collection::vec((-4i8..4, -4i8..4), 2..40),
            times in proptest::collection::vec(0u32..4, 40),
        ) {
            let (x, y): (Vec<f64>, Vec<f64>) =
                points.iter().map(|&(x, y)| (f64::from(x), f64::from(y))).unzip();
            let expected = naive(&x, &y);
            let found = spearman(&x, &y);
            prop_assert!(found.is_nan() && expected.is_nan() || (found - expected).abs() < 1e-9);

            // A resample by times equals the points written out.
            let times = &times[..x.len()];
            let repeat = |values: &[f64]| -> Vec<f64> {
                let one = |(&v, &n): (&f64, &u32)| std::iter::repeat_n(v, n as usize);
                values.iter().zip(times).flat_map(one).collect()
            };
            let expected = naive(&repeat(&x), &repeat(&y));
            let found = Ranks::default().correlate(&Ranking::new(&x), &Ranking::new(&y), times);
            match found {
                None => prop_assert!(expected.is_nan()),
                Some(found) => prop_assert!((found - expected).abs() < 1e-9),
            }
        }
    }

    #[test]
    fn unknown_words_are_left_out_or_at_zero() {
        let vocabulary = Vocabulary::from_ordered([("a", 1), ("b", 1), ("C", 1)]).unwrap();
        let vectors = vec![1.0, 0.0, 1.0, 1.0, 0.0, 5.0];
        let vectors = UnitVectors::new(Embeddings::new(vocabulary, 2, vectors).unwrap(), true);
        let pair = |a: &str, b: &str, score| Pair { words: [a.to_owned(), b.to_owned()], score };
        let pairs = vec![
            pair("A", "a", 9.0),
            pair("a", "b", 5.0),
            pair("a", "c", 2.0),
            pair("a", "x", 8.0),
        ];
        let found = similarity(&vectors, &WordPairs { pairs, skipped: 0 }, 200, 1);
        assert_eq!((found.spearman, found.covered, found.total), (1.0, 3, 4));
        // Cosines 1, 0.7, 0, 0 against 9, 5, 2, 8.
        let expected = naive(&[4.0, 3.0, 1.0, 1.0], &[9.0, 5.0, 2.0, 8.0]);
        assert!((found.oov_as_zero - expected).abs() < 1e-12);
        assert_eq!(found.interval, (1.0, 1.0));
    }

    #[test]
    fn embeddings_are_compared_on_pairs_that_both_know() {
        let unit = |words: &[&str], vectors: Vec<f32>| {
            let words = words.iter().map(|&word| (word, 1));
            let embeddings =
                Embeddings::new(Vocabulary::from_ordered(words).unwrap(), 2, vectors).unwrap();
            UnitVectors::new(embeddings, true)
        };
        let ours = unit(&["a", "b", "c"], vec![1.0, 0.0, 1.0, 1.0, 0.0, 5.0]);
        let theirs = unit(&["c", "b", "a", "d"], vec![1.0, 0.1, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0]);
        let pair = |a: &str, b: &str, score| Pair { words: [a.to_owned(), b.to_owned()], score };
        let pairs = vec![
            pair("a", "b", 5.0),
            pair("a", "a", 9.0),
            pair("a", "c", 2.0),
            pair("d", "a", 1.0),
        ];
        let set = WordPairs { pairs, skipped: 0 };
        let found = compare([&ours, &theirs], &set, 100, 1);
        // Cosines 0.7, 1, 0 and 0, 1, 0.995 against 5, 9, 2.
        assert_eq!((found.common, found.scores), (3, (1.0, 0.5)));
        assert_eq!(found.difference(), 0.5);
    }

    #[test]
    fn the_interval_is_about_fishers() {
        let mut random = Random::named(&[5]);
        let mut normal = || (0..12).map(|_| f64::from(random.unit_f32())).sum::<f64>() - 6.0;
        let x: Vec<f64> = (0..600).map(|_| normal()).collect();
        let y: Vec<f64> = x.iter().map(|x| 0.5 * x + normal()).collect();
        let rho = spearman(&x, &y);
        let (low, high) = spearman_interval(&x, &y, 1000, 1);
        let half = 1.96 * 1.03 / 597f64.sqrt();
        assert!((low - (rho.atanh() - half).tanh()).abs() < 0.02, "{low} {rho} {high}");
        assert!((high - (rho.atanh() + half).tanh()).abs() < 0.02, "{low} {rho} {high}");
        assert_eq!(spearman_interval(&x, &y, 1000, 1), (low, high));
    }
}
