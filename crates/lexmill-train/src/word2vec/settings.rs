//! What the pipeline file says about skip-gram and CBOW.

use std::path::PathBuf;

use lexmill_vocab::Subwords;
use serde::{Deserialize, Serialize};

use super::matrix::Matrix;
use super::step::Saturation;
use crate::scoring::{Scoring, is_one, is_zero};

/// Which of the two word2vec models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// A word predicts each word of its context window.
    Skipgram,
    /// The mean of a context window predicts its center word.
    Cbow,
}

impl Architecture {
    /// The name of its stage kind.
    pub fn name(self) -> &'static str {
        match self {
            Architecture::Skipgram => "skipgram",
            Architecture::Cbow => "cbow",
        }
    }
}

/// Whose defaults, formulas and quirks a model has, where its fields say nothing else.
///
/// | field | `lexmill` | `word2vec-c` | `gensim` | `fasttext` |
/// | --- | --- | --- | --- | --- |
/// | `learning_rate`, skip-gram | 0.025 | 0.025 | 0.025 | 0.05 |
/// | `learning_rate`, CBOW | 0.05 | 0.05 | 0.025 | 0.05 |
/// | `min_learning_rate` | rate / 10⁴ | rate / 10⁴ | 0.0001 | 0 |
/// | `sample` | 0.0001 | 0.001 | 0.001 | 0.0001 |
/// | `noise_exponent` | 0.75; with n-grams 0.5 | 0.75 | 0.75 | 0.5 |
/// | `initial_range` | 1 | 0.5 | 1 | 1 |
/// | `sigmoid` | `exact` | `word2vec-c` | `gensim` | `fasttext` |
/// | `subwords` | false | false | false | true |
///
/// All else is the same in all of them: 100 dimensions, windows of 5 that shrink, 5 negatives,
/// 5 epochs, a learning rate that falls in a line, CBOW by the mean with word2vec's gradient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// word2vec's rates, fastText's subsampling, gensim's start.
    #[default]
    Lexmill,
    /// The original C program.
    #[serde(rename = "word2vec-c")]
    Word2vecC,
    /// gensim 4.
    Gensim,
    /// fastText.
    Fasttext,
}

/// How the output layer is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LossKind {
    /// Negative sampling.
    #[serde(rename = "ns", alias = "negative-sampling")]
    NegativeSampling,
    /// Hierarchical softmax over a Huffman tree.
    #[serde(rename = "hs", alias = "hierarchical-softmax")]
    HierarchicalSoftmax,
}

/// What CBOW adds to each of the n context vectors whose mean was the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CbowGradient {
    /// The whole gradient of the mean, as word2vec, gensim and fastText do.
    Mikolov,
    /// 1/n of it, which is the true gradient (İrsoy et al. 2020, arXiv 2012.15332). It wants a higher
    /// learning rate.
    Mean,
}

/// What becomes of scores that the programs' tables of the sigmoid do not reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sigmoid {
    /// Nothing special.
    Exact,
    /// From ±6 on: 0 or 1 with negative sampling, left out with hierarchical softmax.
    #[serde(rename = "word2vec-c")]
    Word2vecC,
    /// From ±6 on: left out.
    Gensim,
    /// From ±8 on: 0 or 1.
    Fasttext,
}

/// Settings of the `skipgram` stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "Given")]
pub struct SkipgramSettings(pub Word2vecSettings);

/// Settings of the `cbow` stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "Given")]
pub struct CbowSettings(pub Word2vecSettings);

/// Settings of both models.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Word2vecSettings {
    /// Which model.
    #[serde(skip)]
    pub architecture: Architecture,
    /// Whose defaults.
    pub preset: Preset,
    /// Dimensions of the vectors.
    pub dimensions: usize,
    /// The farthest a context word stands from the center word.
    pub window: u32,
    /// Whether each center draws its own window from 1 to `window`.
    pub shrink_windows: bool,
    /// How the output layer is trained.
    pub loss: LossKind,
    /// Negatives of an example.
    pub negatives: usize,
    /// Negatives are drawn by counts to this power.
    pub noise_exponent: f64,
    /// The threshold t of subsampling: an occurrence of a word of frequency f is kept with
    /// probability √(t/f) + t/f. 0: all are kept.
    pub sample: f64,
    /// The learning rate at the start.
    pub learning_rate: f64,
    /// The learning rate at the end.
    pub min_learning_rate: f64,
    /// Passes over the tokens.
    pub epochs: u32,
    /// Seed of everything random.
    pub seed: u64,
    /// Whether a word's vector is made of its character n-grams, too.
    pub subwords: bool,
    /// Characters of the shortest n-gram.
    pub minn: u32,
    /// Characters of the longest n-gram.
    pub maxn: u32,
    /// Buckets that n-grams are hashed to.
    pub bucket: u32,
    /// Numbers start uniform in plus or minus this, divided by the dimensions.
    pub initial_range: f64,
    /// What becomes of large scores.
    pub sigmoid: Sigmoid,
    /// What CBOW adds to its context vectors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cbow_gradient: Option<CbowGradient>,
    /// Whether CBOW's input is the mean of its window; otherwise the sum.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cbow_mean: Option<bool>,
    /// Vectors to start from: a model's stage directory, or a file of embeddings.
    pub initial_vectors: Option<PathBuf>,
    /// Blocks of the grid, a power of two.
    pub blocks: Option<u32>,
    /// Tokens that are cut into examples at a time.
    pub portion_tokens: Option<u64>,
    /// Windows between two looks at the input rows, where inputs are made of several rows.
    pub batch_windows: u32,
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

/// The fields as given.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    preset: Option<Preset>,
    dimensions: Option<usize>,
    window: Option<u32>,
    shrink_windows: Option<bool>,
    loss: Option<LossKind>,
    negatives: Option<usize>,
    noise_exponent: Option<f64>,
    sample: Option<f64>,
    learning_rate: Option<f64>,
    min_learning_rate: Option<f64>,
    epochs: Option<u32>,
    seed: Option<u64>,
    subwords: Option<bool>,
    minn: Option<u32>,
    maxn: Option<u32>,
    bucket: Option<u32>,
    initial_range: Option<f64>,
    sigmoid: Option<Sigmoid>,
    cbow_gradient: Option<CbowGradient>,
    cbow_mean: Option<bool>,
    initial_vectors: Option<PathBuf>,
    blocks: Option<u32>,
    portion_tokens: Option<u64>,
    batch_windows: Option<u32>,
    score_similarity: Option<Vec<String>>,
    score_analogies: Option<Vec<String>>,
    score_every: Option<u32>,
    patience: Option<u32>,
}

impl From<Given> for SkipgramSettings {
    fn from(given: Given) -> SkipgramSettings {
        SkipgramSettings(given.complete(Architecture::Skipgram))
    }
}

impl From<Given> for CbowSettings {
    fn from(given: Given) -> CbowSettings {
        CbowSettings(given.complete(Architecture::Cbow))
    }
}

impl Default for SkipgramSettings {
    fn default() -> SkipgramSettings {
        Given::default().into()
    }
}

impl Default for CbowSettings {
    fn default() -> CbowSettings {
        Given::default().into()
    }
}

impl Given {
    fn complete(self, architecture: Architecture) -> Word2vecSettings {
        let preset = self.preset.unwrap_or_default();
        let cbow = architecture == Architecture::Cbow;
        let gradient = cbow.then(|| self.cbow_gradient.unwrap_or(CbowGradient::Mikolov));
        let usual_rate = match preset {
            // The true gradient is a fraction of word2vec's.
            Preset::Lexmill if gradient == Some(CbowGradient::Mean) => 0.2,
            Preset::Lexmill | Preset::Word2vecC if cbow => 0.05,
            Preset::Lexmill | Preset::Word2vecC | Preset::Gensim => 0.025,
            Preset::Fasttext => 0.05,
        };
        let learning_rate = self.learning_rate.unwrap_or(usual_rate);
        let subwords = self.subwords.unwrap_or(preset == Preset::Fasttext);
        Word2vecSettings {
            architecture,
            preset,
            dimensions: self.dimensions.unwrap_or(100),
            window: self.window.unwrap_or(5),
            shrink_windows: self.shrink_windows.unwrap_or(true),
            loss: self.loss.unwrap_or(LossKind::NegativeSampling),
            negatives: self.negatives.unwrap_or(5),
            noise_exponent: self.noise_exponent.unwrap_or(match preset {
                Preset::Fasttext => 0.5,
                // Measured: better syntactic analogies, similarity no worse.
                Preset::Lexmill if subwords => 0.5,
                _ => 0.75,
            }),
            sample: self.sample.unwrap_or(match preset {
                Preset::Word2vecC | Preset::Gensim => 1e-3,
                Preset::Lexmill | Preset::Fasttext => 1e-4,
            }),
            learning_rate,
            min_learning_rate: self.min_learning_rate.unwrap_or(match preset {
                Preset::Lexmill | Preset::Word2vecC => learning_rate * 1e-4,
                Preset::Gensim => 1e-4,
                Preset::Fasttext => 0.0,
            }),
            epochs: self.epochs.unwrap_or(5),
            seed: self.seed.unwrap_or(1),
            subwords,
            minn: self.minn.unwrap_or(3),
            maxn: self.maxn.unwrap_or(6),
            bucket: self.bucket.unwrap_or(2_000_000),
            initial_range: self.initial_range.unwrap_or(match preset {
                Preset::Word2vecC => 0.5,
                Preset::Lexmill | Preset::Gensim | Preset::Fasttext => 1.0,
            }),
            sigmoid: self.sigmoid.unwrap_or(match preset {
                Preset::Lexmill => Sigmoid::Exact,
                Preset::Word2vecC => Sigmoid::Word2vecC,
                Preset::Gensim => Sigmoid::Gensim,
                Preset::Fasttext => Sigmoid::Fasttext,
            }),
            cbow_gradient: gradient,
            cbow_mean: cbow.then(|| self.cbow_mean.unwrap_or(true)),
            initial_vectors: self.initial_vectors,
            blocks: self.blocks,
            portion_tokens: self.portion_tokens,
            batch_windows: self.batch_windows.unwrap_or(1024),
            score_similarity: self.score_similarity.unwrap_or_default(),
            score_analogies: self.score_analogies.unwrap_or_default(),
            score_every: self.score_every.unwrap_or(1),
            patience: self.patience.unwrap_or(0),
        }
    }
}

impl Word2vecSettings {
    /// What is wrong with the settings, field by field.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        let mut check = |good: bool, field: &'static str, text: &str| {
            if !good {
                problems.push((field, text.to_owned()));
            }
        };
        check((1..=10_000).contains(&self.dimensions), "dimensions", "must be from 1 to 10000");
        check((1..=1000).contains(&self.window), "window", "must be from 1 to 1000");
        check((1..=1000).contains(&self.negatives), "negatives", "must be from 1 to 1000");
        check(
            self.noise_exponent.abs() <= 10.0,
            "noise_exponent",
            "must be from -10 to 10 (0 draws all words alike)",
        );
        check(
            (0.0..1.0).contains(&self.sample),
            "sample",
            "must be 0 (off) or more, and less than 1",
        );
        check(
            self.learning_rate > 0.0 && self.learning_rate.is_finite(),
            "learning_rate",
            "must be more than 0",
        );
        check(
            (0.0..=self.learning_rate).contains(&self.min_learning_rate),
            "min_learning_rate",
            "must be from 0 to learning_rate",
        );
        check((1..=100_000).contains(&self.epochs), "epochs", "must be from 1 to 100000");
        check(
            self.initial_range >= 0.0 && self.initial_range.is_finite(),
            "initial_range",
            "must be 0 or more",
        );
        if self.subwords {
            let most = Subwords::MOST_CHARACTERS;
            check((1..=most).contains(&self.minn), "minn", "must be from 1 to 100");
            check(
                (self.minn..=most).contains(&self.maxn),
                "maxn",
                "must be from minn to 100 (subwords = false turns n-grams off)",
            );
            check(
                (1..=1 << 30).contains(&self.bucket),
                "bucket",
                "must be from 1 to 1073741824 (subwords = false turns n-grams off)",
            );
        }
        if let Some(blocks) = self.blocks {
            check(
                blocks.is_power_of_two() && blocks <= 256,
                "blocks",
                "must be a power of two up to 256",
            );
        }
        if let Some(tokens) = self.portion_tokens {
            check(
                (1000..=100_000_000).contains(&tokens),
                "portion_tokens",
                "must be from 1000 to 100000000",
            );
        }
        check(
            (1..=1 << 20).contains(&self.batch_windows),
            "batch_windows",
            "must be from 1 to 1048576",
        );
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

    pub(crate) fn hierarchical(&self) -> bool {
        self.loss == LossKind::HierarchicalSoftmax
    }

    /// Whether an input predicts a single output row, so that its group can be that row's block.
    pub(crate) fn one_target(&self) -> bool {
        self.architecture == Architecture::Cbow && !self.hierarchical()
    }

    /// Whether an input is made of several rows.
    pub(crate) fn composed(&self) -> bool {
        self.subwords || self.architecture == Architecture::Cbow
    }

    pub(crate) fn ngrams(&self) -> Option<Subwords> {
        self.subwords.then_some(Subwords { minn: self.minn, maxn: self.maxn, bucket: self.bucket })
    }

    pub(crate) fn saturation(&self) -> Saturation {
        match self.sigmoid {
            Sigmoid::Exact => Saturation { limit: f32::INFINITY, skip: false },
            Sigmoid::Word2vecC => Saturation { limit: 6.0, skip: self.hierarchical() },
            Sigmoid::Gensim => Saturation { limit: 6.0, skip: true },
            Sigmoid::Fasttext => Saturation { limit: 8.0, skip: false },
        }
    }

    /// Tokens that are cut into examples at a time: 12 million examples or so if subsampling leaves
    /// nothing out. It shows in the result, so it goes by settings alone. With hierarchical softmax the
    /// pieces of a path are trained one after the other, and vectors are worse the farther apart.
    pub(crate) fn portion(&self) -> u64 {
        self.portion_tokens.unwrap_or_else(|| match self.hierarchical() && !self.composed() {
            true => 1 << 16,
            false => {
                ((2u64 << 20) * 5 / u64::from(self.window) / self.pieces()).clamp(1 << 16, 4 << 20)
            }
        })
    }

    /// Examples of a prediction, at most.
    fn pieces(&self) -> u64 {
        if self.hierarchical() { 2 } else { 1 }
    }

    /// Contexts of a center on average, at most.
    fn contexts(&self) -> u64 {
        let window = u64::from(self.window);
        if self.shrink_windows { window + 1 } else { 2 * window }
    }

    /// Bytes of memory for a portion and, but for batches, its examples, if subsampling leaves nothing
    /// out.
    pub(crate) fn portion_bytes(&self) -> u64 {
        let pairs = if self.composed() { 0 } else { self.contexts() * self.pieces() };
        self.portion() * (8 + 8 * pairs)
    }

    /// Bytes of memory for a window in a batch, words having so many rows: measured, and rounded up.
    /// The fewer windows a batch has, the less they share: words, of which each has a list of its rows
    /// with n-grams, and `lists` where its parts start.
    pub(crate) fn window_bytes(&self, rows: u64, lists: u64) -> u64 {
        let (contexts, windows) = (self.contexts(), u64::from(self.batch_windows));
        // Of n tokens about n^0.8 are different words.
        let words = match self.architecture {
            Architecture::Skipgram => 1.0,
            Architecture::Cbow => (contexts as f64).powf(0.8) / (windows as f64).powf(0.2),
        };
        let words = (24 * rows) as f64 * words.max(1.0);
        60 + 20 * contexts * self.pieces() + words as u64 + 4 * lists / windows
    }

    /// Bytes of memory for the inputs of a batch of at most so many windows, with the sums of words, all
    /// of them twice.
    pub(crate) fn batch_bytes(&self, windows: usize) -> u64 {
        4 * Matrix::bytes(windows.min(self.batch_windows as usize), self.dimensions)
    }

    /// The learning rate when this part of all tokens of all epochs is done.
    pub(crate) fn rate(&self, done: f64) -> f32 {
        let (first, last) = (self.learning_rate, self.min_learning_rate);
        (first + (last - first) * done.clamp(0.0, 1.0)) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preset_gives_what_is_not_said() {
        let given = r#"{"preset": "gensim", "sample": 0.01}"#;
        let CbowSettings(cbow) = serde_json::from_str(given).unwrap();
        assert_eq!((cbow.learning_rate, cbow.sample, cbow.min_learning_rate), (0.025, 0.01, 1e-4));
        assert_eq!((cbow.sigmoid, cbow.initial_range), (Sigmoid::Gensim, 1.0));
        let SkipgramSettings(skipgram) = serde_json::from_str(r#"{"preset": "fasttext"}"#).unwrap();
        assert!(skipgram.subwords && skipgram.min_learning_rate == 0.0);
        assert_eq!(skipgram.noise_exponent, 0.5);
    }

    #[test]
    fn what_is_written_reads_back_the_same() {
        let SkipgramSettings(mut skipgram) = SkipgramSettings::default();
        skipgram.seed = 7;
        let text = serde_json::to_string(&skipgram).unwrap();
        assert!(!text.contains("cbow"), "{text}");
        assert_eq!(serde_json::from_str::<SkipgramSettings>(&text).unwrap().0, skipgram);
        let cbow = CbowSettings::default();
        let text = serde_json::to_string(&cbow).unwrap();
        assert_eq!(serde_json::from_str::<CbowSettings>(&text).unwrap(), cbow);
    }

    #[test]
    fn the_rate_falls_in_a_line() {
        let SkipgramSettings(settings) = SkipgramSettings::default();
        assert_eq!(settings.rate(0.0), 0.025);
        assert!((settings.rate(0.5) - 0.0125).abs() < 1e-5);
        assert_eq!(settings.rate(2.0), 0.025f32 * 1e-4);
    }
}
