//! What the pipeline file says about counting.

use serde::{Deserialize, Serialize};

/// Settings of the `count` stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CountSettings {
    /// The farthest a context word stands from the center word, in words.
    pub window: u32,
    /// What a context at distance d weighs.
    pub weighting: Weighting,
    /// On which sides of the center word contexts are.
    pub contexts: Contexts,
    /// What a word outside the vocabulary does to distances.
    pub unknown: Unknown,
    /// Blocks of rows and of columns of the grid; chosen by the size of the vocabulary if not given.
    pub blocks: Option<u32>,
}

impl Default for CountSettings {
    fn default() -> CountSettings {
        CountSettings {
            window: 10,
            weighting: Weighting::Harmonic,
            contexts: Contexts::Symmetric,
            unknown: Unknown::Skip,
            blocks: None,
        }
    }
}

impl CountSettings {
    /// What is wrong with the settings, field by field.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if !(1..=1000).contains(&self.window) {
            problems.push(("window", "must be from 1 to 1000".to_owned()));
        }
        if self.blocks.is_some_and(|blocks| !(1..=256).contains(&blocks)) {
            problems.push(("blocks", "must be from 1 to 256".to_owned()));
        }
        problems
    }
}

/// What a context at distance d weighs in a window of w.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weighting {
    /// 1/d, as GloVe counts.
    Harmonic,
    /// 1.
    Flat,
    /// (w − d + 1)/w, what the shrinking window of word2vec means on average.
    Linear,
}

/// On which sides of the center word contexts are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Contexts {
    /// Before and after it.
    Symmetric,
    /// Before it.
    Left,
    /// After it.
    Right,
}

/// What a word outside the vocabulary does to distances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unknown {
    /// It is as if it were not there: windows reach over it, as in GloVe.
    Skip,
    /// It keeps its place, and windows do not reach farther for it.
    Gap,
}
