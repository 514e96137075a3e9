//! What an evaluation computes.

use serde::{Deserialize, Serialize};

use crate::Kind;
use lexmill_embeddings::AnalogyMethod;

/// Settings of the stage `evaluate`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluateSettings {
    /// Files of word pairs.
    pub similarity: Vec<String>,
    /// Files of analogies, and directories in the form of BATS.
    pub analogies: Vec<String>,
    /// Files of words and their categories.
    pub categorization: Vec<String>,
    /// Files of topics with outliers, and directories of such.
    pub outliers: Vec<String>,
    /// Files of labelled texts.
    pub classification: Vec<String>,
    /// Embeddings to compare with: a file in any format, an export, a trained model.
    pub baseline: Option<String>,
    /// Whether case is folded, in the test sets and in the vocabulary.
    pub lowercase: bool,
    /// How analogies are answered.
    pub analogy_method: AnalogyMethod,
    /// Analogies are also answered among this many most frequent words; 0: only among all.
    pub restrict: usize,
    /// Of labelled texts: the field of the text.
    pub text_field: String,
    /// Of labelled texts: the field of the label.
    pub label_field: String,
    /// Of labelled texts: the parts of cross-validation.
    pub folds: u32,
    /// Of labelled texts: the strength of the classifier's L2 regularization.
    pub l2: f64,
    /// Draws behind the 95 % intervals; 0: no intervals.
    pub bootstrap: usize,
    /// The seed of these draws, of the starts of k-means and of the parts of cross-validation.
    pub seed: u64,
}

impl Default for EvaluateSettings {
    fn default() -> EvaluateSettings {
        EvaluateSettings {
            similarity: Vec::new(),
            analogies: Vec::new(),
            categorization: Vec::new(),
            outliers: Vec::new(),
            classification: Vec::new(),
            baseline: None,
            lowercase: true,
            analogy_method: AnalogyMethod::CosAdd,
            restrict: 30_000,
            text_field: "text".to_owned(),
            label_field: "label".to_owned(),
            folds: 5,
            l2: 1.0,
            bootstrap: 1000,
            seed: 1,
        }
    }
}

/// The fields that name test sets.
pub const TEST_SETS: [&str; 5] =
    ["similarity", "analogies", "categorization", "outliers", "classification"];

/// Draws for an interval: more would add nothing but time, and each is remembered.
const MOST_DRAWS: usize = 1_000_000;

impl EvaluateSettings {
    /// The test sets, in the order in which they are scored.
    pub fn test_sets(&self) -> impl Iterator<Item = (Kind, &String)> {
        let all = [
            (Kind::Similarity, &self.similarity),
            (Kind::Analogy, &self.analogies),
            (Kind::Categorization, &self.categorization),
            (Kind::Outliers, &self.outliers),
            (Kind::Classification, &self.classification),
        ];
        all.into_iter().flat_map(|(kind, paths)| paths.iter().map(move |path| (kind, path)))
    }

    /// What is wrong with the settings, field by field.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        let mut say = |field, problem: &str| problems.push((field, problem.to_owned()));
        if self.test_sets().next().is_none() {
            say(
                "similarity",
                "name at least one test set here or in analogies, categorization, outliers, classification",
            );
        }
        if !(2..=100).contains(&self.folds) {
            say("folds", "must be from 2 to 100");
        }
        if !(self.l2.is_finite() && self.l2 >= 0.0) {
            say("l2", "must be 0 or more");
        }
        if self.bootstrap > MOST_DRAWS {
            say("bootstrap", "must be 1000000 at most");
        }
        if self.text_field.is_empty() {
            say("text_field", "must name a field");
        }
        if self.label_field.is_empty() {
            say("label_field", "must name a field");
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_have_defaults_and_refuse_other_names() {
        let settings: EvaluateSettings =
            serde_json::from_str(r#"{"similarity":["a"],"analogy_method":"3cosmul"}"#).unwrap();
        let expected = EvaluateSettings {
            similarity: vec!["a".to_owned()],
            analogy_method: AnalogyMethod::CosMul,
            ..EvaluateSettings::default()
        };
        assert_eq!(settings, expected);
        assert!(settings.problems().is_empty());
        assert!(serde_json::from_str::<EvaluateSettings>(r#"{"similarities":[]}"#).is_err());
        let wrong = EvaluateSettings {
            folds: 1,
            l2: f64::NAN,
            label_field: String::new(),
            bootstrap: usize::MAX,
            ..EvaluateSettings::default()
        };
        let fields: Vec<&str> = wrong.problems().iter().map(|(field, _)| *field).collect();
        assert_eq!(fields, ["similarity", "folds", "l2", "bootstrap", "label_field"]);
    }
}
