//! What the pipeline file says about phrases.

use serde::{Deserialize, Serialize};

use crate::Score;

/// Settings of the `phrases` stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PhrasesSettings {
    /// How strongly two words belong together.
    pub score: Score,
    /// Pairs that score more are joined; [`Score::default_threshold`] if not given.
    pub threshold: Option<f64>,
    /// Words and pairs that occur less often are no candidates.
    pub min_count: u64,
    /// What stands between the words of a phrase.
    pub delimiter: String,
}

impl Default for PhrasesSettings {
    fn default() -> PhrasesSettings {
        PhrasesSettings {
            score: Score::Word2phrase,
            threshold: None,
            min_count: 5,
            delimiter: "_".to_owned(),
        }
    }
}

impl PhrasesSettings {
    /// The score above which a pair is joined.
    pub fn threshold(&self) -> f64 {
        self.threshold.unwrap_or(self.score.default_threshold())
    }

    /// What is wrong with the settings, field by field.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if self.score == Score::Npmi {
            if !(-1.0..1.0).contains(&self.threshold()) {
                let problem = "must be from -1 to below 1 for npmi, whose scores are at most 1";
                problems.push(("threshold", problem.to_owned()));
            }
        } else if !(self.threshold() >= 0.0 && self.threshold().is_finite()) {
            problems.push(("threshold", "must be a number, 0 or more".to_owned()));
        }
        if self.min_count == 0 {
            problems.push(("min_count", "must be at least 1".to_owned()));
        }
        if self.delimiter.is_empty() || self.delimiter.contains(char::is_whitespace) {
            let problem =
                "must not be empty or hold white space: files of vectors separate by that";
            problems.push(("delimiter", problem.to_owned()));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_goes_by_the_score() {
        let of = |score, threshold| {
            let settings = PhrasesSettings { score, threshold, ..PhrasesSettings::default() };
            settings.problems().len()
        };
        for score in [Score::Word2phrase, Score::Gensim, Score::Npmi, Score::LogLikelihood] {
            assert_eq!(of(score, None), 0);
            assert_eq!(of(score, Some(f64::NAN)), 1);
            assert_eq!(of(score, Some(f64::INFINITY)), 1);
        }
        assert_eq!(of(Score::Npmi, Some(-0.5)), 0);
        assert_eq!(of(Score::Npmi, Some(1.0)), 1);
        assert_eq!(of(Score::Word2phrase, Some(-0.5)), 1);
    }

    #[test]
    fn delimiters_are_checked() {
        for (delimiter, fine) in [("_", true), ("", false), (" ", false), ("·", true)] {
            let delimiter = delimiter.to_owned();
            let settings = PhrasesSettings { delimiter, ..PhrasesSettings::default() };
            assert_eq!(settings.problems().is_empty(), fine);
        }
    }
}
