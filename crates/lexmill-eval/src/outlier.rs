//! Outlier detection (Camacho-Collados and Navigli 2016): which word does not belong to the others?
//!
//! A question is the n words of a topic with one outlier. The compactness of word w is the mean cosine of
//! all pairs of the *other* words,
//!
//! c(w) = 1 / (n (n − 1)) Σ over u ≠ v, both ≠ w, of cos(u, v),
//!
//! so it is largest where the word that fits least is left out. The outlier's position OP is how many of the
//! other words have a smaller compactness, 0 to n: words that are level with the outlier count against it. The
//! accuracy is the share of questions with OP = n; the outlier position percentage, OPP, the mean of OP / n.
//!
//! A word may be a phrase ([`UnitVectors::phrase`]). A question is covered if all of its words are known.
//! (The authors' program gives unknown words a vector of zeros.)

use lexmill_embeddings::dot;

use crate::bootstrap::{POSITIONS, resampled};
use crate::test_sets::Topic;
use crate::{Comparison, Outliers, UnitVectors};

/// OP / n of each question of a set, topic by topic; of questions that are not covered nothing.
pub fn positions(vectors: &UnitVectors, set: &Outliers) -> Vec<Option<f64>> {
    set.topics.iter().flat_map(|topic| topic_positions(vectors, topic)).collect()
}

fn topic_positions(vectors: &UnitVectors, topic: &Topic) -> Vec<Option<f64>> {
    let cluster: Option<Vec<Vec<f32>>> =
        topic.cluster.iter().map(|word| vectors.phrase(word)).collect();
    let Some(cluster) = cluster else { return vec![None; topic.outliers.len()] };
    // The sum of cosines of each word with the others of its cluster: all that questions share.
    let cosine = |x: &[f32], y: &[f32]| f64::from(dot(x, y));
    let within: Vec<f64> = (0..cluster.len())
        .map(|i| {
            let others = (0..cluster.len()).filter(|&j| j != i);
            others.map(|j| cosine(&cluster[i], &cluster[j])).sum()
        })
        .collect();
    let position = |outlier: &String| {
        let outlier = vectors.phrase(outlier)?;
        let with: Vec<f64> = cluster.iter().map(|word| cosine(word, &outlier)).collect();
        // c(w) = (all pairs − 2 × those with w) / (n (n − 1)): it is larger where Σ cos(w, ·) is smaller.
        let outliers: f64 = with.iter().sum();
        let after = within.iter().zip(&with).filter(|(within, with)| *within + *with > outliers);
        Some(after.count() as f64 / cluster.len() as f64)
    };
    topic.outliers.iter().map(position).collect()
}

/// A share of questions, over what is covered and over all.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share {
    /// The mean over the covered questions; NaN if there are none.
    pub score: f64,
    /// Its 95 % bootstrap interval.
    pub interval: (f64, f64),
    /// Over all questions, those not covered at 0.
    pub oov_wrong: f64,
}

/// The accuracy and the OPP of positions.
pub fn shares(positions: &[Option<f64>], resamples: usize, seed: u64) -> [Share; 2] {
    let known: Vec<f64> = positions.iter().copied().flatten().collect();
    [right as fn(f64) -> f64, std::convert::identity].map(|value| {
        let sum: f64 = known.iter().map(|&position| value(position)).sum();
        let name = [seed, POSITIONS, known.len() as u64];
        let interval = resampled(known.len(), resamples, &name, |times| {
            let drawn = known.iter().zip(times);
            let sum: f64 = drawn.map(|(&x, &times)| value(x) * f64::from(times)).sum();
            Some(sum / known.len() as f64)
        });
        let score = if known.is_empty() { f64::NAN } else { sum / known.len() as f64 };
        // An empty sum is −0.
        Share { score, interval, oov_wrong: sum / positions.len() as f64 + 0.0 }
    })
}

/// 1 where the outlier was found.
fn right(position: f64) -> f64 {
    f64::from(u8::from(position >= 1.0))
}

/// Compares two embeddings on the questions that both cover: by accuracy, and by OPP.
pub fn compare(
    [ours, theirs]: [&[Option<f64>]; 2],
    resamples: usize,
    seed: u64,
) -> [Comparison; 2] {
    let common: Vec<(f64, f64)> =
        ours.iter().zip(theirs).filter_map(|(ours, theirs)| Some(((*ours)?, (*theirs)?))).collect();
    let found: Vec<(f64, f64)> = common.iter().map(|&(x, y)| (right(x), right(y))).collect();
    [found, common].map(|values| Comparison::of_means(&values, resamples, seed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lexmill_embeddings::Embeddings;
    use lexmill_vocab::{Random, Vocabulary};

    /// The compactness of each word as the formula has it, and the outlier's (the last's) place in order.
    fn naive(words: &[Vec<f32>]) -> f64 {
        let n = words.len() - 1;
        let compactness = |left_out: usize| {
            let mut sum = 0.0;
            for u in (0..words.len()).filter(|&u| u != left_out) {
                for v in (0..words.len()).filter(|&v| v != left_out && v != u) {
                    let pairs = words[u].iter().zip(&words[v]);
                    sum += pairs.map(|(&x, &y)| f64::from(x) * f64::from(y)).sum::<f64>();
                }
            }
            sum / (n * (n - 1)) as f64
        };
        let outlier = compactness(n);
        (0..n).filter(|&w| compactness(w) < outlier).count() as f64 / n as f64
    }

    fn random_vectors(words: usize, seed: u64) -> UnitVectors {
        let mut random = Random::named(&[seed]);
        let floats = (0..words * 3).map(|_| random.unit_f32() - 0.2).collect();
        let names: Vec<String> = (0..words).map(|i| format!("w{i}")).collect();
        let names = names.iter().map(|name| (name.as_str(), 1));
        let vocabulary = Vocabulary::from_ordered(names).unwrap();
        UnitVectors::new(Embeddings::new(vocabulary, 3, floats).unwrap(), true)
    }

    fn set(words: usize) -> Outliers {
        let name = |i: usize| format!("W{i}");
        let topics = (0..words / 16).map(|topic| Topic {
            name: topic.to_string(),
            cluster: (0..8).map(|i| name(topic * 16 + i)).collect(),
            outliers: (8..16).map(|i| name(topic * 16 + i)).collect(),
        });
        Outliers { topics: topics.collect() }
    }

    #[test]
    fn positions_are_those_of_the_formula() {
        let (vectors, set) = (random_vectors(320, 5), set(320));
        let found = positions(&vectors, &set);
        let mut expected = Vec::new();
        for topic in &set.topics {
            for outlier in &topic.outliers {
                let words = topic.cluster.iter().chain([outlier]);
                let words: Vec<Vec<f32>> =
                    words.map(|word| vectors.phrase(word).unwrap()).collect();
                expected.push(Some(naive(&words)));
            }
        }
        assert_eq!(found, expected);
        let [accuracy, opp] = shares(&found, 200, 1);
        let known: Vec<f64> = expected.into_iter().flatten().collect();
        let mean = known.iter().sum::<f64>() / 160.0;
        assert!((opp.score - mean).abs() < 1e-12 && opp.oov_wrong == opp.score);
        let found = known.iter().filter(|&&position| position == 1.0).count();
        assert_eq!(accuracy.score, found as f64 / 160.0);
        assert!(accuracy.interval.0 < accuracy.score && accuracy.score < accuracy.interval.1);
        assert!(accuracy.score > 0.0 && accuracy.score < opp.score);
    }

    #[test]
    fn a_question_is_covered_if_all_of_its_words_are_known() {
        let vectors = random_vectors(40, 6);
        let found = positions(&vectors, &set(48));
        // Of the third topic the words are known, of its outliers none.
        let covered = |topic: usize| found[topic * 8..][..8].iter().flatten().count();
        assert_eq!([0, 1, 2].map(covered), [8, 8, 0]);
        let [accuracy, _] = shares(&found, 0, 1);
        assert!((accuracy.oov_wrong - accuracy.score * 16.0 / 24.0).abs() < 1e-12);
        let [accuracy, opp] = shares(&[None, None], 10, 1);
        assert!(accuracy.score.is_nan() && opp.oov_wrong == 0.0 && opp.interval.0.is_nan());
        let other = positions(&random_vectors(40, 7), &set(48));
        let [accuracy, opp] = compare([&found, &other], 50, 1);
        assert_eq!((accuracy.common, opp.common), (16, 16));
        assert_eq!(opp.scores.0, shares(&found, 0, 1)[1].score);
    }

    #[test]
    fn level_words_count_against_the_outlier() {
        let vectors = vec![1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0];
        let words = ["a", "b", "c", "x"].map(|word| (word, 1));
        let vocabulary = Vocabulary::from_ordered(words).unwrap();
        let vectors = UnitVectors::new(Embeddings::new(vocabulary, 2, vectors).unwrap(), true);
        let topic = |outlier: &str| Topic {
            name: String::new(),
            cluster: ["a", "b"].map(str::to_owned).to_vec(),
            outliers: vec![outlier.to_owned()],
        };
        let set = Outliers { topics: vec![topic("x"), topic("c")] };
        assert_eq!(positions(&vectors, &set), [Some(1.0), Some(0.0)]);
    }
}
