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
//! The interval is from draws of the known words *in the clusters that were found*: it says how far purity
//! moves with the words of the set, not how far other clusters would move it. A comparison clusters the words
//! that both embeddings know anew, once for each, and draws of them.

use crate::bootstrap::{CLUSTERS, resampled};
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
    let table = Table::new(vectors, &known, seed);
    let mut counts = table.counts();
    let name = [seed, CLUSTERS, known.len() as u64];
    let purity = table.purity(&vec![1; known.len()], &mut counts);
    let total = set.words.len();
    Categorization {
        purity: purity.unwrap_or(f64::NAN),
        interval: resampled(known.len(), resamples, &name, |times| {
            table.purity(times, &mut counts)
        }),
        oov_wrong: purity.unwrap_or(0.0) * known.len() as f64 / total as f64,
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
    let first = Table::new(ours, &known_ours, seed);
    let second = Table::new(theirs, &known_theirs, seed);
    let mut counts = first.counts();
    Comparison::of(known_ours.len(), resamples, seed, |times| {
        Some((first.purity(times, &mut counts)?, second.purity(times, &mut counts)?))
    })
}

/// The cluster and the category of each word.
struct Table {
    places: Vec<(u32, u32)>,
    categories: usize,
}

impl Table {
    /// Clusters forms with their categories.
    fn new(vectors: &UnitVectors, known: &[(u32, u32)], seed: u64) -> Table {
        // Categories of which no word is known would leave clusters too many.
        let mut categories: Vec<u32> = known.iter().map(|(_, category)| *category).collect();
        categories.sort_unstable();
        categories.dedup();
        let mut floats = Vec::with_capacity(known.len() * vectors.dim());
        known.iter().for_each(|(form, _)| floats.extend_from_slice(vectors.vector(*form)));
        let clusters = spherical_kmeans(&floats, vectors.dim(), categories.len(), seed);
        let number = |category: u32| categories.partition_point(|&known| known < category) as u32;
        let of = known.iter().map(|(_, category)| number(*category));
        Table { places: clusters.into_iter().zip(of).collect(), categories: categories.len() }
    }

    /// Scratch space: there are as many clusters as categories, at most as many as words.
    fn counts(&self) -> Vec<(u32, u32, u32)> {
        Vec::with_capacity(self.places.len().max(self.categories))
    }

    /// Purity when word `i` is there `times[i]` times.
    fn purity(&self, times: &[u32], counts: &mut Vec<(u32, u32, u32)>) -> Option<f64> {
        // Sorted, not in a matrix: thousands of categories would make one of millions.
        counts.clear();
        let places = self.places.iter().zip(times).filter(|(_, times)| **times > 0);
        counts.extend(places.map(|(&(cluster, category), &times)| (cluster, category, times)));
        counts.sort_unstable();
        let (mut right, mut all) = (0u64, 0u64);
        for cluster in counts.chunk_by(|a, b| a.0 == b.0) {
            let sizes = cluster
                .chunk_by(|a, b| a.1 == b.1)
                .map(|category| category.iter().map(|(.., times)| u64::from(*times)).sum::<u64>());
            let (largest, sum) =
                sizes.fold((0, 0), |(largest, sum), size| (size.max(largest), sum + size));
            right += largest;
            all += sum;
        }
        (all > 0).then(|| right as f64 / all as f64)
    }
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
            times in proptest::collection::vec(0u32..3, 30),
        ) {
            let mut matrix = [[0u32; 4]; 4];
            for (&(cluster, category), &times) in places.iter().zip(&times) {
                matrix[cluster as usize][category as usize] += times;
            }
            let right: u32 = matrix.iter().map(|row| row.iter().max().unwrap()).sum();
            let all: u32 = matrix.iter().flatten().sum();
            let table = Table { places: places.clone(), categories: 4 };
            let found = table.purity(&times[..places.len()], &mut Vec::new());
            prop_assert_eq!(found, (all > 0).then(|| f64::from(right) / f64::from(all)));
        }
    }
}
