//! What is nearest: to a word, to a vector, to what an analogy asks for.
//!
//! `cos(q, v) = q · v / (|q| |v|)`. The lengths of all vectors are taken once. Answers are exact: every
//! word is looked at, on the threads of the current rayon pool, and ties go to the lower id. Many queries
//! at once are screened by matrix products; what passes is computed as it is for one query alone, so that
//! the answer does not depend on how many are asked, nor on the threads.
//!
//! ```
//! # use lexmill_embeddings::{Embeddings, Neighbors};
//! # use lexmill_vocab::Vocabulary;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let words = Vocabulary::from_ordered([("sun", 3), ("moon", 2), ("tax", 1)])?;
//! let embeddings = Embeddings::new(words, 2, vec![1.0, 0.1, 1.0, 0.3, -0.2, 1.0])?;
//! let nearest = Neighbors::new(&embeddings).by_word("sun", 1).ok_or("unknown")?;
//! assert_eq!(embeddings.vocabulary().word(nearest[0].0), "moon");
//! # Ok(())
//! # }
//! ```

use std::borrow::Cow;
use std::cmp::Ordering;
use std::ops::Range;

use lexmill_vocab::WordId;
use ndarray::{ArrayView2, linalg::general_mat_mul};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{Embeddings, dot, norm};

/// Words that one task looks at.
const BLOCK_WORDS: usize = 1024;
/// Queries that are multiplied with a block at a time: the products stay in a core's cache.
const GROUP_QUERIES: usize = 128;
/// From so many queries on, products of matrices are faster than dot products one by one.
const MANY_QUERIES: usize = 4;
/// More than the products of matrices differ from [`dot`]: about 2⁻²⁴ √dim in practice.
const SLACK: f32 = 1e-4;
/// 1 / |v| where neither it nor products with v leave the range of 32-bit floats.
const SENSIBLE: std::ops::RangeInclusive<f64> = 1e-30..=1e30;
/// More words that are within [`SLACK`] of the last are not kept for a query.
const MOST_TIES: usize = 4096;
/// What keeps the divisor of 3CosMul from 0.
const EPSILON: f64 = 0.001;

/// A word and its score.
pub type Scored = (WordId, f32);

/// What is asked for: the words nearest to a vector, but for some.
#[derive(Debug, Clone)]
pub struct Query {
    /// The vector; its length does not matter.
    pub vector: Vec<f32>,
    /// Words that are no answers.
    pub exclude: Vec<WordId>,
}

/// How the fourth word of an analogy "a is to b as c is to d" is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum AnalogyMethod {
    /// The largest cos(d, b − a + c), of vectors of length 1 (Mikolov et al. 2013).
    #[default]
    #[serde(rename = "3cosadd")]
    CosAdd,
    /// The largest cos(d, b) cos(d, c) / (cos(d, a) + 0.001), cosines shifted to 0..1 by (x + 1) / 2
    /// (Levy and Goldberg 2014).
    #[serde(rename = "3cosmul")]
    CosMul,
}

impl AnalogyMethod {
    /// Its name in settings.
    pub fn name(self) -> &'static str {
        match self {
            AnalogyMethod::CosAdd => "3cosadd",
            AnalogyMethod::CosMul => "3cosmul",
        }
    }

    /// The method of that name.
    pub fn named(name: &str) -> Option<AnalogyMethod> {
        [AnalogyMethod::CosAdd, AnalogyMethod::CosMul].into_iter().find(|m| m.name() == name)
    }
}

/// Embeddings with the lengths of their vectors.
#[derive(Debug, Clone)]
pub struct Neighbors<'a> {
    embeddings: Cow<'a, Embeddings>,
    /// 1 / |v|, and 0 for a vector of zeros, which thereby is at cosine 0 from everything; NaN for
    /// lengths of which a 32-bit product says nothing.
    inverse_norms: Vec<f32>,
    /// The words with such lengths, ascending.
    extreme: Vec<WordId>,
    /// Answers are among so many words, the first.
    words: usize,
}

impl<'a> Neighbors<'a> {
    /// Takes the length of every vector.
    pub fn new(embeddings: &'a Embeddings) -> Neighbors<'a> {
        Neighbors::of(Cow::Borrowed(embeddings))
    }

    /// Takes the length of every vector, and keeps the embeddings.
    pub fn owning(embeddings: Embeddings) -> Neighbors<'static> {
        Neighbors::of(Cow::Owned(embeddings))
    }

    fn of(embeddings: Cow<'a, Embeddings>) -> Neighbors<'a> {
        let vectors = embeddings.vectors().par_chunks_exact(embeddings.dim());
        let inverse_norms: Vec<f32> = vectors
            .map(|vector| match inverse_norm(vector) {
                0.0 => 0.0,
                inverse if SENSIBLE.contains(&inverse) => inverse as f32,
                _ => f32::NAN,
            })
            .collect();
        let extreme = (0..).zip(&inverse_norms).filter(|(_, inverse)| inverse.is_nan());
        let extreme = extreme.map(|(id, _)| id).collect();
        let words = embeddings.len();
        Neighbors { embeddings, inverse_norms, extreme, words }
    }

    /// The embeddings.
    pub fn embeddings(&self) -> &Embeddings {
        &self.embeddings
    }

    /// Looks for answers among the first `words` only: the most frequent ones, as files have them.
    pub fn among(mut self, words: usize) -> Neighbors<'a> {
        self.words = words.min(self.embeddings.len());
        self
    }

    /// The `k` words nearest to `query` with their cosines, nearest first, without those in
    /// `exclude`.
    ///
    /// # Panics
    /// If `query.len()` is not the dimension of the embeddings.
    pub fn nearest(&self, query: &[f32], k: usize, exclude: &[WordId]) -> Vec<Scored> {
        self.nearest_among(self.words, query, k, exclude)
    }

    /// As [`nearest`](Neighbors::nearest), but only of the first `words` words.
    ///
    /// # Panics
    /// If `query.len()` is not the dimension of the embeddings.
    pub fn nearest_among(
        &self,
        words: usize,
        query: &[f32],
        k: usize,
        exclude: &[WordId],
    ) -> Vec<Scored> {
        self.check(query);
        let (query, words) = (unit(query), words.min(self.words));
        let k = k.min(words);
        self.best(words, k, exclude, |id| self.cosine(&query, id))
    }

    /// The answers to many queries: each as [`nearest`](Neighbors::nearest) gives it, much faster.
    ///
    /// # Panics
    /// If a query's length is not the dimension of the embeddings.
    pub fn nearest_all(&self, queries: &[Query], k: usize) -> Vec<Vec<Scored>> {
        let k = k.min(self.words);
        if queries.len() < MANY_QUERIES {
            let answer = |query: &Query| self.nearest(&query.vector, k, &query.exclude);
            return queries.iter().map(answer).collect();
        }
        let mut answers = Vec::with_capacity(queries.len());
        for group in queries.chunks(GROUP_QUERIES) {
            let mut units = Vec::with_capacity(group.len() * self.embeddings.dim());
            for query in group {
                self.check(&query.vector);
                units.extend(unit(&query.vector));
            }
            answers.par_extend(self.screen(group, &units, k).into_par_iter().enumerate().map(
                |(index, passed)| {
                    let Some(passed) = passed else {
                        return self.nearest(&group[index].vector, k, &group[index].exclude);
                    };
                    let dim = self.embeddings.dim();
                    let query = &units[index * dim..(index + 1) * dim];
                    let mut top = Top::new(k, 0.0);
                    for (id, _) in passed {
                        top.push(id, self.cosine(query, id));
                    }
                    top.finish()
                },
            ));
        }
        answers
    }

    /// The `k` words nearest to `word`, without itself; `None` if it is not known.
    pub fn by_word(&self, word: &str, k: usize) -> Option<Vec<Scored>> {
        let id = self.embeddings.vocabulary().id(word)?;
        Some(self.nearest(self.embeddings.vector(id), k, &[id]))
    }

    /// The `k` best fourth words of the analogy "a is to b as c is to" with their scores, of the three
    /// vectors `[a, b, c]`, without the words in `exclude`. Scores of [`AnalogyMethod::CosAdd`] are
    /// cosines.
    ///
    /// # Panics
    /// If a vector's length is not the dimension of the embeddings.
    pub fn analogy(
        &self,
        [a, b, c]: [&[f32]; 3],
        method: AnalogyMethod,
        k: usize,
        exclude: &[WordId],
    ) -> Vec<Scored> {
        match method {
            AnalogyMethod::CosAdd => self.nearest(&offset([a, b, c]), k, exclude),
            AnalogyMethod::CosMul => {
                let [a, b, c] = [a, b, c].map(|vector| {
                    self.check(vector);
                    unit(vector)
                });
                let near = |query: &[f32], id| (f64::from(self.cosine(query, id)) + 1.0) / 2.0;
                let k = k.min(self.words);
                self.best(self.words, k, exclude, |id| {
                    (near(&b, id) * near(&c, id) / (near(&a, id) + EPSILON)) as f32
                })
            }
        }
    }

    /// The cosine of a vector of length 1 with a word's.
    #[inline]
    fn cosine(&self, unit: &[f32], id: WordId) -> f32 {
        let inverse = self.inverse_norms[id as usize];
        if inverse.is_nan() {
            return dot(unit, &self::unit(self.embeddings.vector(id)));
        }
        dot(unit, self.embeddings.vector(id)) * inverse
    }

    fn check(&self, query: &[f32]) {
        assert_eq!(query.len(), self.embeddings.dim(), "a query of the embeddings' dimension");
    }

    fn blocks(words: usize) -> impl IndexedParallelIterator<Item = Range<usize>> {
        let block = move |block: usize| {
            let start = block * BLOCK_WORDS;
            start..words.min(start + BLOCK_WORDS)
        };
        (0..words.div_ceil(BLOCK_WORDS)).into_par_iter().map(block)
    }

    /// Of the first `words` words those with the largest scores.
    fn best(
        &self,
        words: usize,
        k: usize,
        exclude: &[WordId],
        score: impl Fn(WordId) -> f32 + Sync,
    ) -> Vec<Scored> {
        let top = Neighbors::blocks(words).fold(
            || Top::new(k, 0.0),
            |mut top, block| {
                for id in block.start as WordId..block.end as WordId {
                    if !exclude.contains(&id) {
                        top.push(id, score(id));
                    }
                }
                top
            },
        );
        top.reduce(|| Top::new(k, 0.0), Top::merge).finish()
    }

    /// For each query, words among which the nearest `k` are for certain; `None` if they would be too many.
    fn screen(&self, group: &[Query], units: &[f32], k: usize) -> Vec<Option<Vec<Scored>>> {
        let dim = self.embeddings.dim();
        let none = || -> Vec<Top> { group.iter().map(|_| Top::new(k, SLACK)).collect() };
        let queries = ArrayView2::from_shape((group.len(), dim), units).expect("whole vectors");
        let tops = Neighbors::blocks(self.words).fold(none, |mut tops, block| {
            let words = block.len();
            let vectors = &self.embeddings.vectors()[block.start * dim..block.end * dim];
            let vectors = ArrayView2::from_shape((words, dim), vectors).expect("whole vectors");
            let mut products = ndarray::Array2::zeros((group.len(), words));
            general_mat_mul(1.0, &queries, &vectors.t(), 0.0, &mut products);
            let products = products.into_raw_vec_and_offset().0;
            let inverse = &self.inverse_norms[block.clone()];
            let extreme = self.extreme.partition_point(|&id| (id as usize) < block.start);
            for &id in
                self.extreme[extreme..].iter().take_while(|&&id| block.contains(&(id as usize)))
            {
                for ((query, top), unit) in group.iter().zip(&mut tops).zip(units.chunks_exact(dim))
                {
                    if !query.exclude.contains(&id) {
                        top.push(id, self.cosine(unit, id));
                    }
                }
            }
            for ((query, top), products) in
                group.iter().zip(&mut tops).zip(products.chunks_exact(words))
            {
                for (place, (product, inverse)) in products.iter().zip(inverse).enumerate() {
                    let cosine = product * inverse;
                    if cosine >= top.floor {
                        let id = (block.start + place) as WordId;
                        if !query.exclude.contains(&id) {
                            top.push(id, cosine);
                        }
                    }
                }
            }
            tops
        });
        let merged = tops.reduce(none, |tops, others| {
            tops.into_iter().zip(others).map(|(top, other)| top.merge(other)).collect()
        });
        merged.into_iter().map(|top| (!top.gave_up).then_some(top.kept)).collect()
    }
}

/// The words with the largest scores so far, and those that are below the last of them by no more than
/// `slack`.
struct Top {
    k: usize,
    slack: f32,
    /// Nothing below can be among them.
    floor: f32,
    kept: Vec<Scored>,
    /// So many are kept before the worst are thrown out.
    limit: usize,
    /// Too many words are as near as the last.
    gave_up: bool,
}

impl Top {
    fn new(k: usize, slack: f32) -> Top {
        let floor = if k == 0 { f32::INFINITY } else { f32::NEG_INFINITY };
        Top { k, slack, floor, kept: Vec::new(), limit: 2 * k + 64, gave_up: false }
    }

    #[inline]
    fn push(&mut self, id: WordId, score: f32) {
        if score >= self.floor && self.k > 0 {
            self.kept.push((id, score));
            if self.kept.len() >= self.limit {
                self.shrink();
            }
        }
    }

    fn shrink(&mut self) {
        if self.kept.len() > self.k && self.k > 0 {
            let (_, last, _) = self.kept.select_nth_unstable_by(self.k - 1, order);
            let floor = last.1 - self.slack;
            self.floor = floor;
            match self.slack {
                0.0 => self.kept.truncate(self.k),
                _ => self.kept.retain(|kept| kept.1 >= floor),
            }
        }
        if self.kept.len() > MOST_TIES.max(2 * self.k) {
            // So many are alike that they had better be looked at one by one.
            self.gave_up = true;
            self.floor = f32::INFINITY;
            self.kept = Vec::new();
        }
        self.limit = self.limit.max(2 * self.kept.len());
    }

    fn merge(mut self, other: Top) -> Top {
        if self.gave_up || other.gave_up {
            return if self.gave_up { self } else { other };
        }
        self.floor = self.floor.max(other.floor);
        self.kept.extend(other.kept);
        self.shrink();
        self
    }

    fn finish(mut self) -> Vec<Scored> {
        self.kept.sort_unstable_by(order);
        self.kept.truncate(self.k);
        self.kept
    }
}

/// The largest first, and of equal ones the lower id.
fn order(a: &Scored, b: &Scored) -> Ordering {
    b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0))
}

/// The vector that 3CosAdd is nearest to, of `[a, b, c]`: b − a + c, each of length 1.
pub fn offset([a, b, c]: [&[f32]; 3]) -> Vec<f32> {
    let [a, b, c] = [a, b, c].map(unit);
    a.iter().zip(&b).zip(&c).map(|((a, b), c)| b - a + c).collect()
}

/// Which of some vectors is least like the others: the one with the least cosine to the mean of all, each
/// of length 1, as gensim's `doesnt_match` has it. Of equal ones the first; `None` of none.
pub fn odd_one_out<V: AsRef<[f32]>>(vectors: &[V]) -> Option<usize> {
    let units: Vec<Vec<f32>> = vectors.iter().map(|vector| unit(vector.as_ref())).collect();
    let mut mean = vec![0.0f32; units.first()?.len()];
    for vector in &units {
        for (sum, value) in mean.iter_mut().zip(vector) {
            *sum += value;
        }
    }
    let cosines: Vec<f32> = units.iter().map(|vector| dot(vector, &mean)).collect();
    (0..units.len()).min_by(|&a, &b| cosines[a].total_cmp(&cosines[b]))
}

/// The cosine of two vectors; 0 if one is all zeros.
///
/// # Panics
/// If their lengths differ.
pub fn cosine(a: &[f32], b: &[f32]) -> f32 {
    dot(&unit(a), &unit(b))
}

/// A vector at length 1; zeros stay zeros.
fn unit(vector: &[f32]) -> Vec<f32> {
    let inverse = inverse_norm(vector);
    vector.iter().map(|&x| (f64::from(x) * inverse) as f32).collect()
}

fn inverse_norm(vector: &[f32]) -> f64 {
    match norm(vector) {
        0.0 => 0.0,
        length => 1.0 / length,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lexmill_vocab::{Random, Vocabulary};
    use proptest::prelude::*;

    fn random(words: usize, dim: usize) -> Embeddings {
        let names: Vec<String> = (0..words).map(|i| format!("w{i}")).collect();
        let vocabulary = Vocabulary::from_ordered(names.iter().map(|w| (w.as_str(), 1))).unwrap();
        let mut random = Random::named(&[3]);
        let vectors = (0..words * dim).map(|_| random.unit_f32() - 0.5).collect();
        Embeddings::new(vocabulary, dim, vectors).unwrap()
    }

    fn naive_cosine(a: &[f32], b: &[f32]) -> f64 {
        let (mut ab, mut aa, mut bb) = (0.0f64, 0.0f64, 0.0f64);
        for (&x, &y) in a.iter().zip(b) {
            let (x, y) = (f64::from(x), f64::from(y));
            ab += x * y;
            aa += x * x;
            bb += y * y;
        }
        ab / (aa * bb).sqrt()
    }

    #[test]
    fn agrees_with_sorting_everything() {
        let embeddings = random(200, 19);
        let neighbors = Neighbors::new(&embeddings);
        for word in [0, 17, 199] {
            let mut naive: Vec<(WordId, f64)> = (0..200)
                .filter(|&id| id != word)
                .map(|id| (id, naive_cosine(embeddings.vector(word), embeddings.vector(id))))
                .collect();
            naive.sort_by(|a, b| b.1.total_cmp(&a.1));
            let found = neighbors.by_word(&format!("w{word}"), 10).unwrap();
            assert_eq!(found.len(), 10);
            for (found, naive) in found.iter().zip(&naive) {
                assert_eq!(found.0, naive.0);
                assert!((f64::from(found.1) - naive.1).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn many_queries_have_the_answers_of_one_on_any_number_of_threads() {
        let mut embeddings = random(15_000, 7);
        // Many words with the same vector, so that ties go beyond any block, and beyond what is kept.
        let mut vectors = embeddings.vectors().to_vec();
        for word in (0..15_000).step_by(3) {
            vectors.copy_within(0..7, word * 7);
        }
        embeddings = Embeddings::new(embeddings.vocabulary().clone(), 7, vectors).unwrap();
        let neighbors = Neighbors::new(&embeddings);
        let queries: Vec<Query> = (0..150)
            .map(|id| Query { vector: embeddings.vector(id).to_vec(), exclude: vec![id, 5] })
            .collect();
        for k in [0, 1, 40, 6000, usize::MAX] {
            let one = |query: &Query| neighbors.nearest(&query.vector, k, &query.exclude);
            let expected: Vec<Vec<Scored>> = queries.iter().map(one).collect();
            for threads in [1, 3] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let found = pool.install(|| neighbors.nearest_all(&queries, k));
                assert_eq!(found, expected, "{k} {threads}");
            }
        }
    }

    #[test]
    fn lengths_at_the_ends_of_the_range_have_cosines_too() {
        let names: Vec<String> = (0..40).map(|i| format!("w{i}")).collect();
        let words = Vocabulary::from_ordered(names.iter().map(|w| (w.as_str(), 1))).unwrap();
        let scales = [1e-40, 3e38, 1.0, 1e-20, 1e20];
        let vectors: Vec<f32> = (0..40)
            .flat_map(|i| [1.0, i as f32 / 40.0].map(|x| x * scales[i % scales.len()]))
            .collect();
        let embeddings = Embeddings::new(words, 2, vectors).unwrap();
        let neighbors = Neighbors::new(&embeddings);
        let queries: Vec<Query> = (0..40)
            .map(|id| Query { vector: embeddings.vector(id).to_vec(), exclude: vec![id] })
            .collect();
        for (query, found) in queries.iter().zip(neighbors.nearest_all(&queries, 39)) {
            assert_eq!(found, neighbors.nearest(&query.vector, 39, &query.exclude));
            for (id, cosine) in found {
                let expected = naive_cosine(&query.vector, embeddings.vector(id));
                assert!((f64::from(cosine) - expected).abs() < 1e-4, "{cosine} {expected}");
            }
        }
    }

    #[test]
    fn ties_go_to_the_lower_id_and_zeros_are_far() {
        let vocabulary =
            Vocabulary::from_ordered([("a", 1), ("b", 1), ("c", 1), ("z", 1)]).unwrap();
        let vectors = vec![1.0, 1.0, 2.0, 2.0, 0.5, 0.5, 0.0, 0.0];
        let embeddings = Embeddings::new(vocabulary, 2, vectors).unwrap();
        let neighbors = Neighbors::new(&embeddings);
        let ids: Vec<WordId> =
            neighbors.nearest(&[1.0, 1.0], 9, &[1]).into_iter().map(|(id, _)| id).collect();
        assert_eq!(ids, [0, 2, 3]);
        let nearest = neighbors.nearest(&[1.0, 1.0], 1, &[]);
        assert_eq!((nearest.len(), nearest[0].0), (1, 0));
        assert!(neighbors.nearest(&[0.0, 0.0], 2, &[]).iter().all(|&(_, cosine)| cosine == 0.0));
        assert_eq!(neighbors.by_word("nobody", 3), None);
        assert_eq!(neighbors.nearest(&[1.0, 0.0], 0, &[]), []);
        let first = neighbors.among(2).nearest(&[1.0, 1.0], 9, &[0]);
        assert_eq!((first.len(), first[0].0), (1, 1));
    }

    proptest! {
        #[test]
        fn analogies_follow_their_formulas(seed in 0u64..50) {
            let embeddings = random(60, 6);
            let neighbors = Neighbors::new(&embeddings);
            let [a, b, c] = [seed % 60, (seed * 7 + 1) % 60, (seed * 11 + 2) % 60].map(|i| i as u32);
            let vectors = [a, b, c].map(|id| embeddings.vector(id));
            let exclude = [a, b, c];
            let near = |id: u32, other: usize| naive_cosine(embeddings.vector(id), vectors[other]);
            let shifted = |id: u32, other: usize| (near(id, other) + 1.0) / 2.0;
            let best = |score: &dyn Fn(u32) -> f64| {
                let others = (0..60).filter(|id| !exclude.contains(id));
                others.max_by(|&x, &y| score(x).total_cmp(&score(y))).unwrap()
            };
            let add = best(&|id| near(id, 1) - near(id, 0) + near(id, 2));
            let found = neighbors.analogy(vectors, AnalogyMethod::CosAdd, 1, &exclude);
            prop_assert_eq!(found[0].0, add);
            let score = |id| shifted(id, 1) * shifted(id, 2) / (shifted(id, 0) + 0.001);
            let found = neighbors.analogy(vectors, AnalogyMethod::CosMul, 1, &exclude);
            prop_assert_eq!(found[0].0, best(&score));
            prop_assert!((f64::from(found[0].1) - score(found[0].0)).abs() < 1e-5);
        }
    }

    #[test]
    fn the_odd_one_is_far_from_the_mean() {
        let vectors = [[1.0, 0.1], [30.0, 0.0], [-0.1, 1.0], [1.0, -0.2]];
        assert_eq!(odd_one_out(&vectors), Some(2));
        assert_eq!(odd_one_out::<[f32; 2]>(&[]), None);
        assert!((cosine(&[2.0, 0.0], &[3.0, 3.0]) - 0.5f32.sqrt()).abs() < 1e-6);
        assert_eq!(cosine(&[0.0, 0.0], &[3.0, 3.0]), 0.0);
    }
}
