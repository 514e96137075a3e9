//! Embeddings made ready for scoring: vectors of length 1, and words found whatever their case.
//!
//! Where folding makes words fall together (`US`, `us`), the most frequent of them (the first row)
//! stands for all. These *forms* are numbered from 0 in the order of the rows, so that the most
//! frequent words are a prefix, and the others are no candidates for an answer.

use std::borrow::Cow;

use lexmill_embeddings::Embeddings;
use lexmill_vocab::{Interner, WordId};

/// Unit vectors by form.
#[derive(Debug, Clone)]
pub struct UnitVectors {
    embeddings: Embeddings,
    lowercase: bool,
    forms: Interner,
    /// The row of each form; ascending.
    rows: Vec<WordId>,
}

impl UnitVectors {
    /// Normalizes the vectors in place and indexes the words, lowercased or as they are.
    pub fn new(mut embeddings: Embeddings, lowercase: bool) -> UnitVectors {
        embeddings.normalize();
        let mut forms = Interner::new();
        let mut rows = Vec::new();
        for (row, word) in (0..).zip(embeddings.vocabulary().words()) {
            if forms.intern(&fold(word, lowercase)) as usize == rows.len() {
                rows.push(row);
            }
        }
        UnitVectors { embeddings, lowercase, forms, rows }
    }

    /// The form of a word, if it is known.
    pub fn form(&self, word: &str) -> Option<u32> {
        self.forms.get(&fold(word, self.lowercase))
    }

    /// The unit vector of a form.
    ///
    /// # Panics
    /// If there is no such form.
    pub fn vector(&self, form: u32) -> &[f32] {
        self.embeddings.vector(self.rows[form as usize])
    }

    /// The unit vector of a word or a phrase: of the phrase as it stands, with underscores or with spaces
    /// between its words; or else of the sum of the unit vectors of its known words, as the program that
    /// scores the set 8-8-8 has it. Nothing if no word is known.
    pub fn phrase(&self, text: &str) -> Option<Vec<f32>> {
        let spellings =
            [Cow::Borrowed(text), text.replace(' ', "_").into(), text.replace('_', " ").into()];
        if let Some(form) = spellings.iter().find_map(|spelling| self.form(spelling)) {
            return Some(self.vector(form).to_vec());
        }
        let mut sum = vec![0.0f64; self.dim()];
        let mut known = 0;
        for form in text.split([' ', '_']).filter_map(|word| self.form(word)) {
            known += 1;
            for (sum, &x) in sum.iter_mut().zip(self.vector(form)) {
                *sum += f64::from(x);
            }
        }
        let length = sum.iter().map(|x| x * x).sum::<f64>().sqrt();
        let scale = if length > 0.0 { length.recip() } else { 0.0 };
        (known > 0).then(|| sum.iter().map(|x| (x * scale) as f32).collect())
    }

    /// The number of words, before forms fell together.
    pub fn words(&self) -> usize {
        self.embeddings.len()
    }

    /// The number of forms.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are no words.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The number of forms among the first `rows` rows; they are the first forms.
    pub fn forms_in_rows(&self, rows: usize) -> usize {
        self.rows.partition_point(|&row| (row as usize) < rows)
    }

    /// Floats of a vector.
    pub fn dim(&self) -> usize {
        self.embeddings.dim()
    }
}

fn fold(word: &str, lowercase: bool) -> Cow<'_, str> {
    if lowercase { Cow::Owned(word.to_lowercase()) } else { Cow::Borrowed(word) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lexmill_vocab::Vocabulary;

    #[test]
    fn the_most_frequent_form_stands_for_all() {
        let words = ["the", "US", "us", "Ärger", "end"].map(|word| (word, 1));
        let vocabulary = Vocabulary::from_ordered(words).unwrap();
        let vectors = vec![0.0, 2.0, 3.0, 4.0, 9.0, 9.0, -1.0, 0.0, 0.0, 0.0];
        let embeddings = Embeddings::new(vocabulary, 2, vectors).unwrap();
        let folded = UnitVectors::new(embeddings.clone(), true);
        assert_eq!(folded.len(), 4);
        assert_eq!(folded.form("Us"), Some(1));
        assert_eq!(folded.vector(1), [0.6, 0.8]);
        assert_eq!(folded.form("ärger"), Some(2));
        assert_eq!([0, 1, 2, 3, 4, 9].map(|rows| folded.forms_in_rows(rows)), [0, 1, 2, 2, 3, 4]);
        assert_eq!(folded.phrase("US"), Some(vec![0.6, 0.8]));
        assert_eq!(folded.phrase("us_nowhere"), Some(vec![0.6, 0.8]), "the sum of those known");
        let sum = folded.phrase("us ärger").unwrap();
        assert!((sum[0] + 0.2f32.sqrt()).abs() < 1e-6 && (sum[1] - 0.8f32.sqrt()).abs() < 1e-6);
        assert_eq!((folded.phrase("no where"), folded.phrase("")), (None, None));
        let exact = UnitVectors::new(embeddings, false);
        assert_eq!((exact.len(), exact.form("ärger"), exact.form("us")), (5, None, Some(2)));
    }
}
