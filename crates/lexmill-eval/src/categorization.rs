//! Concept categorization: do words of a category fall into a cluster of their own?
//!
//! The known words are clustered by [`spherical_kmeans`] into as many clusters as they have categories. The
//! score is the purity (Baroni and Lenci 2010, section 6.3; Zhao and Karypis 2001),
//!
//! (1/n) Σ over clusters k of max over categories c of n(k, c),
//!
//! the share of words that are of the most frequent category of their cluster. `oov_wrong` counts words that
//! are not known as wrong: the same sum over all words of the set.
//!
//! The interval is from draws of the known words, with the clusters that were found and the category that is
//! the most frequent of each: it says how far the share of right words moves with the words of the set, not
//! how far other clusters would move it. (Were the categories chosen anew in each draw, draws would score
//! higher than the set.) A comparison clusters the words that both embeddings know anew, once for each.

use crate::bootstrap::proportion;
use crate::kmeans::spherical_kmeans;
use crate::{Categories, Comparison, UnitVectors};

/// What a set of categories says about embeddings.
#[derive(Debug, Clone, PartialEq)]
pub struct Categorization {
    /// Purity over the known words; NaN if there are none.
    pub purity: f64,
    /// Its 95 % bootstrap interval.
    pub interval: (f64, f64),
    /// Words of the most frequent category of their cluster, over all words.
    pub oov_wrong: f64,
    /// Words that are known.
    pub covered: usize,
    /// All words.
    pub total: usize,
}

/// Clusters the known words; on the threads of the current rayon pool.
pub fn categorization(
    vectors: &UnitVectors,
    set: &Categories,
    resamples: usize,
    seed: u64,
) -> Categorization {
    let known: Vec<(u32, u32)> = set
        .words
        .iter()
        .filter_map(|(word, category)| Some((vectors.form(word)?, *category)))
        .collect();
    let right = right(vectors, &known, seed);
    let hits = right.iter().filter(|right| **right).count() as u64;
    let covered = known.len() as u64;
    let total = set.words.len();
    Categorization {
        purity: if covered == 0 { f64::NAN } else { hits as f64 / covered as f64 },
        interval: proportion(resamples, seed, hits, covered),
        oov_wrong: hits as f64 / total as f64,
        covered: known.len(),
        total,
    }
}

/// Compares two embeddings by the purity of the words that both know.
pub fn compare(
    [ours, theirs]: [&UnitVectors; 2],
    set: &Categories,
    resamples: usize,
    seed: u64,
) -> Comparison {
    let (mut known_ours, mut known_theirs) = (Vec::new(), Vec::new());
    for (word, category) in &set.words {
        if let (Some(our), Some(their)) = (ours.form(word), theirs.form(word)) {
            known_ours.push((our, *category));
            known_theirs.push((their, *category));
        }
    }
    let share = |right: bool| if right { 1.0 } else { 0.0 };
    let both = right(ours, &known_ours, seed).into_iter().zip(right(theirs, &known_theirs, seed));
    let values: Vec<(f64, f64)> = both.map(|(our, their)| (share(our), share(their))).collect();
    Comparison::of_means(&values, resamples, seed)
}

/// Clusters forms with their categories, and says which are of the most frequent category of their cluster.
fn right(vectors: &UnitVectors, known: &[(u32, u32)], seed: u64) -> Vec<bool> {
    // Categories of which no word is known would leave clusters too many.
    let mut categories: Vec<u32> = known.iter().map(|(_, category)| *category).collect();
    categories.sort_unstable();
    categories.dedup();
    let mut floats = Vec::with_capacity(known.len() * vectors.dim());
    known.iter().for_each(|(form, _)| floats.extend_from_slice(vectors.vector(*form)));
    let clusters = spherical_kmeans(&floats, vectors.dim(), categories.len(), seed);
    let places: Vec<(u32, u32)> =
        clusters.into_iter().zip(known.iter().map(|(_, category)| *category)).collect();
    of_most_frequent(&places)
}

/// Which of some clusters and categories have the most frequent category of their cluster; of equally
/// frequent ones the first.
fn of_most_frequent(places: &[(u32, u32)]) -> Vec<bool> {
    // Sorted, not in a matrix: thousands of categories would make one of millions.
    let mut sorted = places.to_vec();
    sorted.sort_unstable();
    let mut best = Vec::new();
    for cluster in sorted.chunk_by(|a, b| a.0 == b.0) {
        let sizes = cluster.chunk_by(|a, b| a.1 == b.1).map(|same| (same.len(), same[0]));
        let first = |best: Option<(usize, (u32, u32))>, size: (usize, (u32, u32))| match best {
            Some(best) if best.0 >= size.0 => Some(best),
            _ => Some(size),
        };
        best.extend(sizes.fold(None, first).map(|(_, place)| place));
    }
    places.iter().map(|place| best.binary_search(place).is_ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use lexmill_embeddings::Embeddings;
    use lexmill_vocab::Vocabulary;
    use proptest::prelude::*;

    fn toy() -> (UnitVectors, Categories) {
        let words = ["dog", "cat", "cow", "car", "bus", "odd"];
        let vectors = vec![1.0, 0.0, 1.0, 0.1, 1.0, 0.2, /**/ 0.0, 1.0, 0.1, 1.0, 0.2, 1.0];
        let vocabulary = Vocabulary::from_ordered(words.map(|word| (word, 1))).unwrap();
        let vectors = UnitVectors::new(Embeddings::new(vocabulary, 2, vectors).unwrap(), true);
        let words = [("dog", 0), ("Cat", 0), ("cow", 0), ("car", 1), ("bus", 1), ("odd", 0)];
        let mut words: Vec<(String, u32)> =
            words.iter().map(|&(word, category)| (word.to_owned(), category)).collect();
        words.push(("unknown".to_owned(), 2));
        let names = ["animal", "vehicle", "colour"].map(str::to_owned).to_vec();
        (vectors, Categories { words, names, skipped: 0 })
    }

    #[test]
    fn clusters_against_categories() {
        let (vectors, set) = toy();
        let found = categorization(&vectors, &set, 500, 1);
        // Two clusters of three; "odd" is the only word in the wrong one.
        assert_eq!(found.purity, 5.0 / 6.0);
        assert!((found.oov_wrong - 5.0 / 7.0).abs() < 1e-12);
        assert_eq!((found.covered, found.total), (6, 7));
        assert!(found.interval.0 < found.purity && found.interval.1 == 1.0, "{found:?}");
        let compared = compare([&vectors, &vectors], &set, 50, 1);
        assert_eq!((compared.common, compared.difference(), compared.p), (6, 0.0, 1.0));
        let nothing = Categories { words: vec![("x".to_owned(), 0)], ..Categories::default() };
        let found = categorization(&vectors, &nothing, 50, 1);
        assert!(found.purity.is_nan() && found.oov_wrong == 0.0 && found.interval.0.is_nan());
    }

    proptest! {
        #[test]
        fn purity_is_that_of_the_formula(
            places in proptest::collection::vec((0u32..4, 0u32..4), 1..30),
        ) {
            let mut matrix = [[0usize; 4]; 4];
            for &(cluster, category) in &places {
                matrix[cluster as usize][category as usize] += 1;
            }
            let right: usize = matrix.iter().map(|row| *row.iter().max().unwrap()).sum();
            let found = of_most_frequent(&places);
            prop_assert_eq!(found.iter().filter(|right| **right).count(), right);
        }

        /// Also where clusters have nothing to do with categories.
        #[test]
        fn the_score_is_within_its_interval(seed in 0u64..20) {
            let mut random = lexmill_vocab::Random::named(&[seed]);
            let words: Vec<String> = (0..120).map(|i| format!("w{i}")).collect();
            let vocabulary =
                Vocabulary::from_ordered(words.iter().map(|word| (word.as_str(), 1))).unwrap();
            let vectors = (0..120 * 5).map(|_| random.unit_f32() - 0.5).collect();
            let vectors = UnitVectors::new(Embeddings::new(vocabulary, 5, vectors).unwrap(), true);
            let words = words.into_iter().map(|word| (word, random.below(30))).collect();
            let set = Categories { words, ..Categories::default() };
            let found = categorization(&vectors, &set, 300, 1);
            let (low, high) = found.interval;
            prop_assert!(low <= found.purity && found.purity <= high, "{:?}", found);
        }
    }
}
