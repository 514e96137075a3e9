//! The words nearest to a vector, by cosine.
//!
//! `cos(q, v) = q · v / (|q| |v|)`. The lengths of all vectors are taken once; a query is then one dot
//! product a word. Ties go to the lower id, so the answer is always the same.
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

use lexmill_vocab::WordId;

use crate::{Embeddings, dot, norm};

/// Embeddings with the lengths of their vectors.
#[derive(Debug, Clone)]
pub struct Neighbors<'a> {
    embeddings: &'a Embeddings,
    /// 1 / |v|, and 0 for a vector of zeros, which thereby is at cosine 0 from everything.
    inverse_norms: Vec<f64>,
}

impl<'a> Neighbors<'a> {
    /// Takes the length of every vector.
    pub fn new(embeddings: &'a Embeddings) -> Neighbors<'a> {
        let inverse_norms =
            embeddings.vectors().chunks_exact(embeddings.dim()).map(inverse_norm).collect();
        Neighbors { embeddings, inverse_norms }
    }

    /// The `k` words nearest to `query` with their cosines, nearest first, without those in
    /// `exclude`.
    ///
    /// # Panics
    /// If `query.len()` is not the dimension of the embeddings.
    pub fn nearest(&self, query: &[f32], k: usize, exclude: &[WordId]) -> Vec<(WordId, f32)> {
        let dim = self.embeddings.dim();
        assert_eq!(query.len(), dim, "a query of the embeddings' dimension");
        let inverse = inverse_norm(query);
        let query: Vec<f32> = query.iter().map(|&x| (f64::from(x) * inverse) as f32).collect();
        let vectors = self.embeddings.vectors().chunks_exact(dim);
        let mut found: Vec<(WordId, f32)> = (0..)
            .zip(vectors.zip(&self.inverse_norms))
            .map(|(id, (vector, &inverse))| (id, (f64::from(dot(&query, vector)) * inverse) as f32))
            .filter(|(id, _)| !exclude.contains(id))
            .collect();
        let order =
            |a: &(WordId, f32), b: &(WordId, f32)| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0));
        if k < found.len() {
            found.select_nth_unstable_by(k, order);
            found.truncate(k);
        }
        found.sort_unstable_by(order);
        found
    }

    /// The `k` words nearest to `word`, without itself; `None` if it is not known.
    pub fn by_word(&self, word: &str, k: usize) -> Option<Vec<(WordId, f32)>> {
        let id = self.embeddings.vocabulary().id(word)?;
        Some(self.nearest(self.embeddings.vector(id), k, &[id]))
    }
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

    fn random(words: usize, dim: usize) -> Embeddings {
        let names: Vec<String> = (0..words).map(|i| format!("w{i}")).collect();
        let vocabulary = Vocabulary::from_ordered(names.iter().map(|w| (w.as_str(), 1))).unwrap();
        let mut random = Random::named(&[3]);
        let vectors = (0..words * dim).map(|_| random.unit_f32() - 0.5).collect();
        Embeddings::new(vocabulary, dim, vectors).unwrap()
    }

    #[test]
    fn agrees_with_sorting_everything() {
        let embeddings = random(200, 19);
        let neighbors = Neighbors::new(&embeddings);
        let cosine = |a: &[f32], b: &[f32]| {
            let (mut ab, mut aa, mut bb) = (0.0f64, 0.0f64, 0.0f64);
            for (&x, &y) in a.iter().zip(b) {
                let (x, y) = (f64::from(x), f64::from(y));
                ab += x * y;
                aa += x * x;
                bb += y * y;
            }
            ab / (aa * bb).sqrt()
        };
        for word in [0, 17, 199] {
            let mut naive: Vec<(WordId, f64)> = (0..200)
                .filter(|&id| id != word)
                .map(|id| (id, cosine(embeddings.vector(word), embeddings.vector(id))))
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
    fn ties_go_to_the_lower_id_and_zeros_are_far() {
        let vocabulary =
            Vocabulary::from_ordered([("a", 1), ("b", 1), ("c", 1), ("z", 1)]).unwrap();
        let vectors = vec![1.0, 1.0, 2.0, 2.0, 0.5, 0.5, 0.0, 0.0];
        let embeddings = Embeddings::new(vocabulary, 2, vectors).unwrap();
        let neighbors = Neighbors::new(&embeddings);
        let ids: Vec<WordId> =
            neighbors.nearest(&[1.0, 1.0], 9, &[1]).into_iter().map(|(id, _)| id).collect();
        assert_eq!(ids, [0, 2, 3]);
        assert_eq!(neighbors.nearest(&[1.0, 1.0], 1, &[]), [(0, 1.0)]);
        assert!(neighbors.nearest(&[0.0, 0.0], 2, &[]).iter().all(|&(_, cosine)| cosine == 0.0));
        assert_eq!(neighbors.by_word("nobody", 3), None);
        assert_eq!(neighbors.nearest(&[1.0, 0.0], 0, &[]), []);
    }
}
