//! What the pipeline file says about GloVe.

use serde::{Deserialize, Serialize};

use crate::scoring::{Scoring, is_one, is_zero};

/// Settings of the `glove` stage. Defaults are the reference program's, with 100 dimensions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GloveSettings {
    /// Dimensions of the vectors.
    pub dimensions: usize,
    /// The count from which on a cell weighs 1.
    pub x_max: f64,
    /// The exponent of a smaller count's weight.
    pub alpha: f64,
    /// The initial learning rate of AdaGrad.
    pub learning_rate: f64,
    /// Passes over the counts.
    pub epochs: u32,
    /// A gradient's element is cut to plus or minus this.
    pub gradient_clip: f64,
    /// How biases step.
    pub bias_step: BiasStep,
    /// Seed of the initial parameters and of the order of cells.
    pub seed: u64,
    /// Files of word pairs that epochs are scored on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub score_similarity: Vec<String>,
    /// Analogies that epochs are scored on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub score_analogies: Vec<String>,
    /// Epochs from one scoring to the next.
    #[serde(skip_serializing_if = "is_one")]
    pub score_every: u32,
    /// Scorings in a row without improvement that end training; 0: none do.
    #[serde(skip_serializing_if = "is_zero")]
    pub patience: u32,
}

impl Default for GloveSettings {
    fn default() -> GloveSettings {
        GloveSettings {
            dimensions: 100,
            x_max: 100.0,
            alpha: 0.75,
            learning_rate: 0.05,
            epochs: 25,
            gradient_clip: 100.0,
            bias_step: BiasStep::Since2020,
            seed: 1,
            score_similarity: Vec::new(),
            score_analogies: Vec::new(),
            score_every: 1,
            patience: 0,
        }
    }
}

impl GloveSettings {
    /// What is wrong with the settings, field by field.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if !(1..=10_000).contains(&self.dimensions) {
            problems.push(("dimensions", "must be from 1 to 10000".to_owned()));
        }
        if !(self.x_max > 0.0 && self.x_max.is_finite()) {
            problems.push(("x_max", "must be more than 0".to_owned()));
        }
        if !(self.alpha >= 0.0 && self.alpha.is_finite()) {
            problems.push(("alpha", "must be 0 or more".to_owned()));
        }
        if !(self.learning_rate > 0.0 && self.learning_rate.is_finite()) {
            problems.push(("learning_rate", "must be more than 0".to_owned()));
        }
        if self.gradient_clip.is_nan() || self.gradient_clip <= 0.0 {
            problems.push(("gradient_clip", "must be more than 0".to_owned()));
        }
        if !(1..=100_000).contains(&self.epochs) {
            problems.push(("epochs", "must be from 1 to 100000".to_owned()));
        }
        problems.extend(self.scoring().problems());
        problems
    }

    /// What they say about scores.
    pub fn scoring(&self) -> Scoring<'_> {
        Scoring {
            similarity: &self.score_similarity,
            analogies: &self.score_analogies,
            every: self.score_every,
            patience: self.patience,
        }
    }
}

/// How biases step. Stanford's program changed it in January 2020 (its commit 5b4e03c); vectors
/// published before and after differ by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BiasStep {
    /// With the learning rate, like every other parameter, as in the paper.
    #[serde(rename = "2014")]
    Until2020,
    /// Without the learning rate and without clipping.
    #[serde(rename = "2020")]
    Since2020,
}
