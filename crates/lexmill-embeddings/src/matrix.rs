//! Words with their vectors, in memory.
//!
//! The matrix is `(vocabulary, dim)`, row-major: the vector of word `i` is
//! `vectors[i * dim..(i + 1) * dim]`. What must stay true: `vectors.len() = vocabulary.len() × dim`,
//! `dim ≥ 1`, and every value is finite.
//!
//! ```
//! use lexmill_embeddings::Embeddings;
//! use lexmill_vocab::Vocabulary;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let words = Vocabulary::from_ordered([("sun", 7), ("moon", 3)])?;
//! let embeddings = Embeddings::new(words, 2, vec![1.0, 0.0, 0.6, 0.8])?;
//! assert_eq!(embeddings.vector_of("moon"), Some(&[0.6, 0.8][..]));
//! # Ok(())
//! # }
//! ```

use lexmill_vocab::{Vocabulary, WordId};

use crate::read::first_not_finite;
use crate::{Error, Result, normalize};

/// Words with their vectors.
#[derive(Debug, Clone)]
pub struct Embeddings {
    vocabulary: Vocabulary,
    dim: usize,
    vectors: Vec<f32>,
}

impl Embeddings {
    /// Puts words and vectors together: `vectors` is `(vocabulary, dim)`, row-major.
    ///
    /// # Errors
    /// If `vectors.len() ≠ vocabulary.len() × dim`, `dim` is 0, or a value is not finite.
    pub fn new(vocabulary: Vocabulary, dim: usize, vectors: Vec<f32>) -> Result<Embeddings> {
        if dim == 0 || vocabulary.len().checked_mul(dim) != Some(vectors.len()) {
            let (words, floats) = (vocabulary.len(), vectors.len());
            return Err(Error::Shape { words, dim, floats });
        }
        if let Some(place) = first_not_finite(&vectors) {
            let word = vocabulary.word((place / dim) as WordId).to_owned();
            return Err(Error::NotFinite { word, value: vectors[place] });
        }
        Ok(Embeddings { vocabulary, dim, vectors })
    }

    /// The words, in the order of the rows. Counts are 0 where the file had none.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// Floats of a vector.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The number of words.
    pub fn len(&self) -> usize {
        self.vocabulary.len()
    }

    /// Whether there are no words.
    pub fn is_empty(&self) -> bool {
        self.vocabulary.is_empty()
    }

    /// All vectors end to end, `(vocabulary, dim)`.
    pub fn vectors(&self) -> &[f32] {
        &self.vectors
    }

    /// The vector of a word by its id.
    ///
    /// # Panics
    /// If there is no such word.
    pub fn vector(&self, id: WordId) -> &[f32] {
        let start = id as usize * self.dim;
        &self.vectors[start..start + self.dim]
    }

    /// The vector of a word, if it is known.
    pub fn vector_of(&self, word: &str) -> Option<&[f32]> {
        self.vocabulary.id(word).map(|id| self.vector(id))
    }

    /// Scales every vector to length 1, in place. Vectors of zeros stay as they are.
    pub fn normalize(&mut self) {
        normalize(&mut self.vectors, self.dim);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vocabulary {
        Vocabulary::from_ordered(words.iter().map(|&word| (word, 1))).unwrap()
    }

    #[test]
    fn the_shape_is_checked() {
        assert!(Embeddings::new(words(&["a", "b"]), 2, vec![0.0; 4]).is_ok());
        for (dim, floats) in [(2, 3), (2, 5), (0, 0), (usize::MAX, 4)] {
            let error = Embeddings::new(words(&["a", "b"]), dim, vec![0.0; floats]).unwrap_err();
            assert!(matches!(error, Error::Shape { .. }), "{error}");
        }
    }

    #[test]
    fn what_is_not_finite_is_named() {
        let error = Embeddings::new(words(&["a", "b"]), 1, vec![0.0, f32::NAN]).unwrap_err();
        assert_eq!(error.to_string(), "the vector of \"b\" holds NaN");
    }

    #[test]
    fn unit_vectors_keep_their_direction() {
        let mut embeddings =
            Embeddings::new(words(&["a", "b", "c"]), 2, vec![3.0, 4.0, 0.0, 0.0, 3e38, -3e38])
                .unwrap();
        embeddings.normalize();
        assert_eq!(embeddings.vector_of("a"), Some(&[0.6, 0.8][..]));
        assert_eq!(embeddings.vector_of("b"), Some(&[0.0, 0.0][..]));
        let half = 0.5f32.sqrt();
        assert_eq!(embeddings.vector(2), [half, -half]);
        assert_eq!(embeddings.vector_of("d"), None);
    }
}
