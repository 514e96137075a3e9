//! How strongly two words belong together.
//!
//! A pair is a word and the one right after it in the same document. All scores are computed in f64,
//! in the order of operations written here, with logarithms from `libm`: the same bits everywhere.

use serde::{Deserialize, Serialize};

/// A measure of collocation. Below, `pab` is how often the pair occurs, `pa` and `pb` how often its
/// words do, and N the tokens of the corpus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Score {
    /// `(pab − min_count) / (pa · pb) · N`, as word2phrase (Mikolov et al. 2013, equation 6, times N).
    Word2phrase,
    /// `(pab − min_count) / (pa · pb) · V`, as gensim's `Phrases`. What gensim takes for the
    /// size of the vocabulary, V, is the number of entries of its table of counts: all different words
    /// plus all different pairs, however rare. (Words and pairs of one spelling, `a_b`, are one entry
    /// there and two here.)
    Gensim,
    /// Normalized pointwise mutual information (Bouma 2009), from −1 to 1:
    /// `ln(p(ab) / (p(a) · p(b))) / −ln p(ab)`, with probabilities as shares of N.
    Npmi,
    /// Dunning's (1993) log-likelihood ratio G² of the 2 × 2 table of `pab`, `pa − pab`, `pb − pab` and
    /// what is left of N; 0 for pairs that are not more frequent than chance would have them.
    LogLikelihood,
}

/// What the scores need to know of the whole corpus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// Tokens.
    pub tokens: u64,
    /// Different words plus different pairs; only [`Score::Gensim`] looks at it.
    pub entries: u64,
    /// The setting.
    pub min_count: u64,
}

impl Score {
    /// The threshold where none is given: those of word2phrase and gensim for their scores, 0.5 for
    /// NPMI, and 1000 for G². G² grows with the corpus (this suits some ten million tokens) and puts
    /// frequent pairs such as `of the` first.
    pub fn default_threshold(self) -> f64 {
        match self {
            Score::Word2phrase => 100.0,
            Score::Gensim => 10.0,
            Score::Npmi => 0.5,
            Score::LogLikelihood => 1000.0,
        }
    }

    /// The score of a pair that occurs `pair` times, and its words `first` and `second` times.
    pub fn of(self, pair: u64, first: u64, second: u64, totals: &Totals) -> f64 {
        let (ab, a, b) = (pair as f64, first as f64, second as f64);
        let n = totals.tokens as f64;
        match self {
            Score::Word2phrase => (ab - totals.min_count as f64) / (a * b) * n,
            Score::Gensim => (ab - totals.min_count as f64) / (a * b) * totals.entries as f64,
            Score::Npmi => {
                let (p_a, p_b, p_ab) = (a / n, b / n, ab / n);
                libm::log(p_ab / (p_a * p_b)) / -libm::log(p_ab)
            }
            Score::LogLikelihood if ab * n > a * b => {
                // More frequent than chance, so no expected count below is 0.
                let term = |seen: f64, row: f64, column: f64| match seen > 0.0 {
                    true => seen * libm::log(seen * n / (row * column)),
                    false => 0.0,
                };
                let rest = n - a - b + ab;
                2.0 * (term(ab, a, b)
                    + term(a - ab, a, n - b)
                    + term(b - ab, n - a, b)
                    + term(rest, n - a, n - b))
            }
            Score::LogLikelihood => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pair of 20 among words of 50 and 40, in 1000 tokens.
    fn score(score: Score) -> f64 {
        score.of(20, 50, 40, &Totals { tokens: 1000, entries: 700, min_count: 5 })
    }

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-12 * expected.abs(), "{found} is not {expected}");
    }

    #[test]
    fn scores_by_hand() {
        near(score(Score::Word2phrase), 7.5); // 15 / 2000 · 1000
        near(score(Score::Gensim), 5.25); // 15 / 2000 · 700
        // ln(0.02 / (0.05 · 0.04)) / −ln 0.02 = ln 10 / ln 50
        near(score(Score::Npmi), std::f64::consts::LN_10 / 50f64.ln());
        // Cells 20, 30, 20, 930; expected 2, 48, 38, 912.
        let cells = [(20f64, 2f64), (30.0, 48.0), (20.0, 38.0), (930.0, 912.0)];
        let by_hand: f64 = 2.0 * cells.iter().map(|(k, e)| k * (k / e).ln()).sum::<f64>();
        near(score(Score::LogLikelihood), by_hand);
        near(by_hand, 74.581_979_213_846_35);
    }

    #[test]
    fn npmi_lies_between_its_ends() {
        let totals = Totals { tokens: 1000, entries: 0, min_count: 1 };
        near(Score::Npmi.of(7, 7, 7, &totals), 1.0);
        near(1.0 + Score::Npmi.of(20, 100, 200, &totals), 1.0);
        assert!(Score::Npmi.of(1, 900, 900, &totals) < -0.9);
    }

    #[test]
    fn only_attraction_counts() {
        let totals = Totals { tokens: 1000, entries: 0, min_count: 1 };
        assert_eq!(Score::LogLikelihood.of(20, 100, 200, &totals), 0.0);
        assert_eq!(Score::LogLikelihood.of(1, 100, 200, &totals), 0.0);
        // One word and nothing else, as in "a a a a".
        let totals = Totals { tokens: 4, entries: 2, min_count: 1 };
        assert_eq!(Score::LogLikelihood.of(3, 4, 4, &totals), 0.0);
        // A pair that is the whole corpus leaves no cell but two.
        let totals = Totals { tokens: 100, entries: 2, min_count: 1 };
        near(Score::LogLikelihood.of(50, 50, 50, &totals), 2.0 * 100.0 * 2f64.ln());
    }
}
