//! Analogies: a is to b as c is to ... ?
//!
//! Over unit vectors, 3CosAdd (Mikolov et al. 2013; Levy and Goldberg 2014, equation 1) answers
//!
//! d* = argmax over d ∉ {a, b, c} of  cos(d, b) − cos(d, a) + cos(d, c),
//!
//! and 3CosMul (Levy and Goldberg 2014, equation 4)
//!
//! d* = argmax over d ∉ {a, b, c} of  cos′(d, b) cos′(d, c) / (cos′(d, a) + ε),
//!
//! with cos′ = (cos + 1) / 2, so that no factor is negative, and ε = 0.001. Both answer
//! once over the whole vocabulary and once among the `restrict` most frequent words (as word2vec's own
//! program does, which flatters: there are fewer wrong answers to give). A question is covered if a, b, c
//! and an expected answer are in the vocabulary in question. Ties go to the more frequent word.
//!
//! The words of a test set are few (905 in Google's 19,544 questions), so their dot products with a
//! block of the vocabulary are taken once, as one matrix product, and a question then costs three loads
//! a candidate. Blocks go to threads; an answer does not depend on which thread saw which block. Memory
//! is a few MB a thread and some 100 bytes a question, whatever the vocabulary. (The matrix product
//! uses the processor's fused operations where it has them: on another kind of processor two candidates
//! closer than 10⁻⁷ could change places.)

use std::collections::HashMap;
use std::ops::Range;

use lexmill_embeddings::AnalogyMethod;
use ndarray::{Array2, ArrayView2, linalg::general_mat_mul};
use rayon::prelude::*;

use crate::{Analogies, UnitVectors};

/// What became of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// One of its words is unknown.
    NotCovered,
    /// Another word was nearer.
    Wrong,
    /// The expected word was nearest.
    Right,
}

/// What became of the questions of a set, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcomes {
    /// Over the whole vocabulary.
    pub all: Vec<Outcome>,
    /// Among the most frequent words.
    pub top: Vec<Outcome>,
}

/// A question whose words are known.
struct Question {
    /// Forms of the expected answers that are known; ascending, at least one.
    answers: Vec<u32>,
    /// Rows of a, b, c in the matrix of query words.
    queries: [usize; 3],
    /// The forms of a, b and c in ascending order.
    given: [u32; 3],
}

/// The best answer so far.
#[derive(Debug, Clone, Copy)]
struct Best {
    score: f32,
    form: u32,
}

impl Best {
    const NONE: Best = Best { score: f32::NEG_INFINITY, form: u32::MAX };

    fn or(self, other: Best) -> Best {
        let other_wins =
            other.score > self.score || (other.score == self.score && other.form < self.form);
        if other_wins { other } else { self }
    }
}

/// Answers the questions of a set over the whole vocabulary and among the first `restrict` words of
/// the embeddings, on the threads of the current rayon pool.
pub fn outcomes(
    vectors: &UnitVectors,
    set: &Analogies,
    method: AnalogyMethod,
    restrict: usize,
) -> Outcomes {
    answer(vectors, set, method, restrict, true)
}

/// What became of the questions of a set among the first `restrict` words alone: [`Outcomes::top`], without looking
/// at any other word.
pub fn top_outcomes(
    vectors: &UnitVectors,
    set: &Analogies,
    method: AnalogyMethod,
    restrict: usize,
) -> Vec<Outcome> {
    answer(vectors, set, method, restrict, false).top
}

/// Answers questions; those over the whole vocabulary only if it is `whole`.
fn answer(
    vectors: &UnitVectors,
    set: &Analogies,
    method: AnalogyMethod,
    restrict: usize,
    whole: bool,
) -> Outcomes {
    let mut rows = HashMap::new();
    let mut words = Vec::new();
    let questions: Vec<Option<Question>> = set
        .questions()
        .map(|question| {
            let mut given = [0; 3];
            for (form, word) in given.iter_mut().zip(&question.given) {
                *form = vectors.form(word)?;
            }
            let answers = question.answers.iter().filter_map(|word| vectors.form(word));
            let mut answers: Vec<u32> = answers.collect();
            answers.sort_unstable();
            answers.first()?;
            let queries = given.map(|form| {
                *rows.entry(form).or_insert_with(|| {
                    words.push(form);
                    words.len() - 1
                })
            });
            given.sort_unstable();
            Some(Question { answers, queries, given })
        })
        .collect();
    let covered: Vec<&Question> = questions.iter().flatten().collect();
    let in_top = vectors.forms_in_rows(restrict) as u32;
    let search = Search { vectors, queries: matrix(vectors, &words), questions: &covered };
    let best = |candidates| match method {
        AnalogyMethod::CosAdd => search.best(candidates, cos_add),
        AnalogyMethod::CosMul => search.best(candidates, cos_mul),
    };
    let top = best(0..in_top);
    let rest = best(in_top..if whole { vectors.len() as u32 } else { in_top });

    let mut answers = top.iter().zip(&rest);
    let mut outcomes = Outcomes { all: Vec::new(), top: Vec::new() };
    let judge = |found: Best, question: &Question| {
        let right = question.answers.contains(&found.form);
        if right { Outcome::Right } else { Outcome::Wrong }
    };
    for question in &questions {
        let (mut all, mut top) = (Outcome::NotCovered, Outcome::NotCovered);
        if let Some(question) = question {
            let (&in_top_best, &in_rest_best) =
                answers.next().expect("an answer for every covered question");
            all = judge(in_top_best.or(in_rest_best), question);
            if question.given[2] < in_top && question.answers[0] < in_top {
                top = judge(in_top_best, question);
            }
        }
        outcomes.all.push(all);
        outcomes.top.push(top);
    }
    outcomes
}

/// The vectors of some forms, `(forms, dim)`.
fn matrix(vectors: &UnitVectors, forms: &[u32]) -> Array2<f32> {
    let mut floats = Vec::with_capacity(forms.len() * vectors.dim());
    for &form in forms {
        floats.extend_from_slice(vectors.vector(form));
    }
    Array2::from_shape_vec((forms.len(), vectors.dim()), floats).expect("whole vectors")
}

struct Search<'a> {
    vectors: &'a UnitVectors,
    /// The vectors of the words in the questions, `(words, dim)`.
    queries: Array2<f32>,
    questions: &'a [&'a Question],
}

/// Floats of a block of dot products, so that it stays in a core's cache.
const BLOCK_FLOATS: usize = 1 << 18;
/// Bounds for the candidates of a block: enough for the matrix product to be worth its while.
const BLOCK_WIDTH: Range<usize> = 64..4096;

impl Search<'_> {
    /// The best answer to each question among the candidates.
    fn best<S: Fn(f32, f32, f32) -> f32 + Copy + Sync>(
        &self,
        candidates: Range<u32>,
        score: S,
    ) -> Vec<Best> {
        let none = || vec![Best::NONE; self.questions.len()];
        if self.questions.is_empty() {
            return none();
        }
        let width = BLOCK_FLOATS / self.queries.nrows();
        let width = width.clamp(BLOCK_WIDTH.start, BLOCK_WIDTH.end) as u32;
        let blocks = candidates.len().div_ceil(width as usize) as u32;
        (0..blocks)
            .into_par_iter()
            .map(|block| {
                let start = candidates.start + block * width;
                start..candidates.end.min(start.saturating_add(width))
            })
            .fold(none, |mut best, block| {
                self.scan(block, &mut best, score);
                best
            })
            .reduce(none, |mut one, other| {
                for (one, other) in one.iter_mut().zip(other) {
                    *one = one.or(other);
                }
                one
            })
    }

    /// Improves on `best` with the candidates of a block.
    fn scan(
        &self,
        block: Range<u32>,
        best: &mut [Best],
        score: impl Fn(f32, f32, f32) -> f32 + Copy,
    ) {
        let forms: Vec<u32> = block.clone().collect();
        let candidates = matrix(self.vectors, &forms);
        let dots = products(self.queries.view(), candidates.view());
        let width = forms.len();
        let row = |query: usize| &dots[query * width..(query + 1) * width];
        for (question, best) in self.questions.iter().zip(best) {
            let [a, b, c] = question.queries.map(row);
            let mut start = 0;
            // The three given words cut the block into pieces that may hold the answer.
            let given = question.given.iter().filter(|form| block.contains(form));
            for end in given.map(|form| (form - block.start) as usize).chain([width]) {
                if start < end {
                    let (a, b, c) = (&a[start..end], &b[start..end], &c[start..end]);
                    if let Some((place, top)) = largest(a, b, c, best.score, score) {
                        *best = Best { score: top, form: block.start + (start + place) as u32 };
                    }
                }
                start = end + 1;
            }
        }
    }
}

/// All dot products of rows of `x` with rows of `y`, `(x rows, y rows)`, row-major.
fn products(x: ArrayView2<'_, f32>, y: ArrayView2<'_, f32>) -> Vec<f32> {
    let mut dots = Array2::zeros((x.nrows(), y.nrows()));
    general_mat_mul(1.0, &x, &y.t(), 0.0, &mut dots);
    dots.into_raw_vec_and_offset().0
}

#[inline]
fn cos_add(a: f32, b: f32, c: f32) -> f32 {
    b - a + c
}

#[inline]
fn cos_mul(a: f32, b: f32, c: f32) -> f32 {
    const EPSILON: f32 = 0.001;
    let shifted = |cosine: f32| (cosine + 1.0) * 0.5;
    shifted(b) * shifted(c) / (shifted(a) + EPSILON)
}

/// The first place where the score is largest, if it is larger than `floor`.
fn largest(
    a: &[f32],
    b: &[f32],
    c: &[f32],
    floor: f32,
    score_of: impl Fn(f32, f32, f32) -> f32,
) -> Option<(usize, f32)> {
    const LANES: usize = 16;
    let (a_chunks, a_rest) = a.as_chunks::<LANES>();
    let (b_chunks, b_rest) = b.as_chunks::<LANES>();
    let (c_chunks, c_rest) = c.as_chunks::<LANES>();
    let mut tops = [f32::NEG_INFINITY; LANES];
    for ((a, b), c) in a_chunks.iter().zip(b_chunks).zip(c_chunks) {
        for lane in 0..LANES {
            let score = score_of(a[lane], b[lane], c[lane]);
            tops[lane] = if score > tops[lane] { score } else { tops[lane] };
        }
    }
    for ((&a, &b), &c) in a_rest.iter().zip(b_rest).zip(c_rest) {
        let score = score_of(a, b, c);
        tops[0] = if score > tops[0] { score } else { tops[0] };
    }
    let top = tops.into_iter().fold(f32::NEG_INFINITY, |top, x| if x > top { x } else { top });
    if top > floor {
        // Seldom: a question's best answer improves a few times in a whole vocabulary.
        let place = (0..a.len()).find(|&i| score_of(a[i], b[i], c[i]) == top)?;
        return Some((place, top));
    }
    None
}

#[cfg(test)]
mod tests;
