//! Words in the plane, near words near each other, by t-SNE (van der Maaten and Hinton 2008; with trees,
//! van der Maaten 2014).
//!
//! The most frequent words are placed, from their nearest neighbours by cosine among themselves, starting
//! at their first two principal components. It runs on one thread, since sums over points would else
//! depend on how threads share them: the same vectors give the same map. Other words are put among their
//! nearest mapped words.

use bhtsne::{Neighbor, tSNE};
use lexmill_embeddings::{Embeddings, Neighbors, Query, Scored, normalize, principal_components};
use lexmill_vocab::WordId;
use serde::Serialize;

use crate::{Error, Result};

/// How many neighbours count, in effect.
const PERPLEXITY: f32 = 20.0;
/// Neighbours looked at: three times that, as usual.
const NEIGHBORS: usize = 60;
/// Below this many words t-SNE has nothing to work with: their principal components are the map.
const FEWEST: usize = 8;
const STEPS: usize = 500;
/// How exactly the pull of far points is summed; the usual value.
const THETA: f32 = 0.5;
/// The spread to start at, along the first component.
const START: f64 = 1e-4;
/// Mapped words among which another is put.
pub(crate) const PLACING: usize = 5;

/// The first words of embeddings in the plane, `x` and `y` from 0 to 1, `y` downwards.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WordMap {
    /// From left to right, a number a word.
    pub x: Vec<f32>,
    /// From top to bottom.
    pub y: Vec<f32>,
}

impl WordMap {
    /// Places the first `words` words. `step` is told how much is done, from 0 to 1.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn new(
        embeddings: &Embeddings,
        words: usize,
        mut step: impl FnMut(f32) + Send,
    ) -> Result<WordMap> {
        let words = words.min(embeddings.len());
        let dim = embeddings.dim();
        let start = start(&embeddings.vectors()[..words * dim], dim);
        if words < FEWEST {
            return Ok(WordMap::scaled(&start));
        }
        let neighbors = neighbors(embeddings, words);
        step(0.1);
        let fit = || {
            let rows: Vec<()> = vec![(); words];
            let mut tsne = tSNE::<f32, (), 2>::new(&rows);
            let perplexity = PERPLEXITY.min((words - 1) as f32 / 3.0);
            tsne.perplexity(perplexity).epochs(STEPS).initial_embedding(start);
            tsne.epoch_callback(|epoch, _| step(0.1 + 0.9 * (epoch + 1) as f32 / STEPS as f32));
            tsne.barnes_hut_with_neighbors(THETA, &neighbors).embedding()
        };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
        let places = pool.map_err(|source| Error::Thread { source })?.install(fit);
        Ok(WordMap::scaled(&places))
    }

    /// Places `x, y, x, y, ...` moved and scaled into the unit square, with equal scales.
    fn scaled(places: &[f32]) -> WordMap {
        let (x, y): (Vec<f32>, Vec<f32>) =
            places.as_chunks::<2>().0.iter().map(|place| (place[0], place[1])).unzip();
        let range = |values: &[f32]| {
            let low = values.iter().copied().fold(f32::INFINITY, f32::min);
            let high = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            if low.is_finite() && high.is_finite() { (low, high) } else { (0.0, 0.0) }
        };
        let ((left, right), (low, high)) = (range(&x), range(&y));
        let size = (right - left).max(high - low).max(f32::MIN_POSITIVE);
        let scale = |values: Vec<f32>, middle: f32| {
            let unit = |value: f32| ((value - middle) / size + 0.5).clamp(0.0, 1.0);
            values.into_iter().map(|v| if v.is_finite() { unit(v) } else { 0.5 }).collect()
        };
        let (middle_x, middle_y) = (left.midpoint(right), low.midpoint(high));
        WordMap { x: scale(x, middle_x), y: scale(y, middle_y) }
    }

    /// The number of words on the map.
    pub fn len(&self) -> usize {
        self.x.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.x.is_empty()
    }

    /// Where a word is: on the map, or among the mapped words `nearest` to it, weighted by the square of
    /// their cosines.
    pub fn place(&self, word: WordId, nearest: impl FnOnce() -> Vec<Scored>) -> Option<(f32, f32)> {
        let word = word as usize;
        if let (Some(&x), Some(&y)) = (self.x.get(word), self.y.get(word)) {
            return Some((x, y));
        }
        self.among(&nearest())
    }

    /// Among some mapped words.
    pub fn among(&self, nearest: &[Scored]) -> Option<(f32, f32)> {
        let (mut x, mut y, mut weights) = (0.0, 0.0, 0.0);
        for &(id, cosine) in nearest.iter().take(PLACING) {
            let weight = cosine.max(1e-3).powi(2);
            x += weight * self.x.get(id as usize)?;
            y += weight * self.y.get(id as usize)?;
            weights += weight;
        }
        (weights > 0.0).then(|| (x / weights, y / weights))
    }
}

/// The first two principal components of each vector of length 1, small, `x, y, x, y, ...`.
fn start(vectors: &[f32], dim: usize) -> Vec<f32> {
    let mut units = vectors.to_vec();
    normalize(&mut units, dim);
    let mut components = principal_components(&units, dim, 2);
    for component in &mut components {
        // The sign of a component is free: the largest part is made positive.
        let largest =
            component.iter().copied().fold(0.0, |a: f64, b| if b.abs() > a.abs() { b } else { a });
        component.iter_mut().for_each(|x| *x *= largest.signum());
    }
    let along = |unit: &[f32], component: Option<&Vec<f64>>| -> f64 {
        let component = component.map_or(&[][..], Vec::as_slice);
        unit.iter().zip(component).map(|(&x, u)| f64::from(x) * u).sum()
    };
    let places: Vec<[f64; 2]> = units
        .chunks_exact(dim)
        .map(|unit| [along(unit, components.first()), along(unit, components.get(1))])
        .collect();
    let rows = places.len().max(1) as f64;
    let mean = |axis: usize| places.iter().map(|place| place[axis]).sum::<f64>() / rows;
    let means = [mean(0), mean(1)];
    let variance = places.iter().map(|place| (place[0] - means[0]).powi(2)).sum::<f64>() / rows;
    let scale = START / variance.sqrt().max(f64::MIN_POSITIVE);
    places
        .iter()
        .flat_map(|place| [0, 1].map(|axis| ((place[axis] - means[axis]) * scale) as f32))
        .collect()
}

/// The nearest of the first `words` words to each of them, with the distances of unit vectors.
fn neighbors(embeddings: &Embeddings, words: usize) -> Vec<Vec<Neighbor<f32>>> {
    let queries: Vec<Query> = (0..words as WordId)
        .map(|id| Query { vector: embeddings.vector(id).to_vec(), exclude: vec![id] })
        .collect();
    let count = NEIGHBORS.min(words - 1);
    let nearest = Neighbors::new(embeddings).among(words).nearest_all(&queries, count);
    let distance = |cosine: f32| (2.0 - 2.0 * cosine).max(0.0).sqrt();
    let neighbor =
        |&(id, cosine): &Scored| Neighbor { index: id as usize, distance: distance(cosine) };
    nearest.iter().map(|nearest| nearest.iter().map(neighbor).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use lexmill_vocab::{Random, Vocabulary};

    /// Words in `groups` tight groups around directions of their own, one after another.
    fn grouped(words: usize, groups: usize) -> Embeddings {
        let dim = 20;
        let mut random = Random::named(&[4]);
        let mut noise = |scale: f32| (random.unit_f32() - 0.5) * scale;
        let centers: Vec<f32> = (0..groups * dim).map(|_| noise(2.0)).collect();
        let mut vectors = Vec::new();
        for word in 0..words {
            let center = &centers[word % groups * dim..][..dim];
            vectors.extend(center.iter().map(|x| x + noise(0.2)));
        }
        let names: Vec<String> = (0..words).map(|i| format!("w{i}")).collect();
        let words = Vocabulary::from_ordered(names.iter().map(|w| (w.as_str(), 1))).unwrap();
        Embeddings::new(words, dim, vectors).unwrap()
    }

    #[test]
    fn near_words_are_near_on_the_map() {
        let (words, groups) = (300, 5);
        let embeddings = grouped(words, groups);
        let mut told = Vec::new();
        let map = WordMap::new(&embeddings, words, |done| told.push(done)).unwrap();
        assert_eq!((map.len(), map.is_empty()), (words, false));
        assert!(told.is_sorted() && *told.last().unwrap() == 1.0);
        assert!(map.x.iter().chain(&map.y).all(|place| (0.0..=1.0).contains(place)));
        // The nearest other word on the map is of the same group.
        let nearest = |word: usize| {
            let distance =
                |other: &usize| (map.x[*other] - map.x[word]).hypot(map.y[*other] - map.y[word]);
            let others = (0..words).filter(|other| *other != word);
            others.min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap()
        };
        let right = (0..words).filter(|&word| nearest(word) % groups == word % groups).count();
        assert!(right > words * 95 / 100, "{right}");
    }

    #[test]
    fn threads_do_not_show() {
        let embeddings = grouped(400, 7);
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| WordMap::new(&embeddings, 400, |_| {})).unwrap()
        };
        assert_eq!(on(1), on(3));
    }

    #[test]
    fn few_words_and_equal_words_have_places() {
        for words in [1, 2, 7, 9] {
            let map = WordMap::new(&grouped(words, 2), words, |_| {}).unwrap();
            assert_eq!(map.len(), words);
            assert!(map.x.iter().chain(&map.y).all(|place| (0.0..=1.0).contains(place)));
        }
        let names: Vec<String> = (0..50).map(|i| format!("w{i}")).collect();
        let words = Vocabulary::from_ordered(names.iter().map(|w| (w.as_str(), 1))).unwrap();
        for dim in [1, 3] {
            let equal = Embeddings::new(words.clone(), dim, vec![0.5; 50 * dim]).unwrap();
            let map = WordMap::new(&equal, 50, |_| {}).unwrap();
            assert!(map.x.iter().chain(&map.y).all(|place| (0.0..=1.0).contains(place)));
        }
    }

    #[test]
    fn other_words_are_put_among_their_nearest() {
        let map = WordMap { x: vec![0.0, 1.0], y: vec![0.0, 0.5] };
        assert_eq!(map.place(1, Vec::new), Some((1.0, 0.5)));
        assert_eq!(map.place(9, || vec![(0, 0.5), (1, 0.5)]), Some((0.5, 0.25)));
        assert_eq!(map.place(9, Vec::new), None);
    }
}
