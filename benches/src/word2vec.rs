//! The models of the word2vec family, at the settings of the reference page, and how `lexmill` is asked
//! for each.

pub(crate) mod peers;

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Result;
use clap::ValueEnum;

use crate::corpus::{self, Text};
use crate::job::Job;
use crate::lab::Lab;

/// The stages that come before training, in every pipeline of this package.
pub(crate) const TOKENS: &str = "tokens";
pub(crate) const WORDS: &str = "words";
/// The stage of `word2vec.toml` that exports, and the one that scores.
pub(crate) const VECTORS: &str = "vectors";
pub(crate) const SCORES: &str = "scores";

pub(crate) const DIMENSIONS: u32 = 100;
pub(crate) const WINDOW: u32 = 5;
pub(crate) const NEGATIVES: u32 = 5;
pub(crate) const SAMPLE: f64 = 1e-4;
pub(crate) const MIN_COUNT: u32 = 5;
/// Rows for n-grams where nothing else is said.
pub(crate) const BUCKET: u32 = 2_000_000;

/// A model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Model {
    /// Skip-gram with negative samples
    Skipgram,
    /// Skip-gram with hierarchical softmax
    SkipgramHs,
    /// Skip-gram with negative samples and n-grams of 3 to 6 characters
    SkipgramSubwords,
    /// CBOW with negative samples, every context word taking the whole gradient
    Cbow,
    /// The same with hierarchical softmax
    CbowHs,
    /// The same with n-grams of 3 to 6 characters
    CbowSubwords,
    /// CBOW with negative samples and the true gradient of the mean
    CbowMean,
}

impl Model {
    /// As the command line and files of vectors have it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Model::Skipgram => "skipgram",
            Model::SkipgramHs => "skipgram-hs",
            Model::SkipgramSubwords => "skipgram-subwords",
            Model::Cbow => "cbow",
            Model::CbowHs => "cbow-hs",
            Model::CbowSubwords => "cbow-subwords",
            Model::CbowMean => "cbow-mean",
        }
    }

    /// The kind of stage that trains it, which is also the stage's name in `word2vec.toml`.
    pub(crate) fn kind(self) -> &'static str {
        if self.is_cbow() { "cbow" } else { "skipgram" }
    }

    pub(crate) fn is_cbow(self) -> bool {
        matches!(self, Model::Cbow | Model::CbowHs | Model::CbowSubwords | Model::CbowMean)
    }

    /// Whether it predicts by hierarchical softmax.
    pub(crate) fn hierarchical(self) -> bool {
        matches!(self, Model::SkipgramHs | Model::CbowHs)
    }

    /// Whether words have n-grams.
    pub(crate) fn subwords(self) -> bool {
        matches!(self, Model::SkipgramSubwords | Model::CbowSubwords)
    }

    /// The learning rate that the reference page has it with; CBOW with the true gradient has no peer,
    /// and is measured at its own default.
    pub(crate) fn learning_rate(self) -> Option<f64> {
        match self {
            Model::Skipgram | Model::SkipgramHs => Some(0.025),
            Model::SkipgramSubwords | Model::Cbow | Model::CbowHs | Model::CbowSubwords => {
                Some(0.05)
            }
            Model::CbowMean => None,
        }
    }

    /// Settings of its stage, by their fields in a pipeline.
    fn settings(self) -> Vec<(&'static str, String)> {
        let mut settings = vec![
            ("dimensions", DIMENSIONS.to_string()),
            ("window", WINDOW.to_string()),
            ("sample", SAMPLE.to_string()),
        ];
        if self.hierarchical() {
            settings.push(("loss", "hs".to_owned()));
        } else {
            settings.push(("loss", "ns".to_owned()));
            settings.push(("negatives", NEGATIVES.to_string()));
        }
        if let Some(rate) = self.learning_rate() {
            settings.push(("learning_rate", rate.to_string()));
        }
        if self.subwords() {
            settings.push(("subwords", "true".to_owned()));
        }
        if self == Model::CbowMean {
            settings.push(("cbow_gradient", "mean".to_owned()));
        }
        settings
    }

    /// `lexmill skipgram` or `lexmill cbow` on what a pipeline in `prepared` left of [`TOKENS`] and
    /// [`WORDS`].
    pub(crate) fn command(self, lab: &Lab, prepared: &Path, output: &Path, how: &How) -> Command {
        let mut command = Command::new(lab.program());
        command.arg(self.kind());
        command.arg("--tokens").arg(prepared.join(TOKENS));
        command.arg("--vocabulary").arg(prepared.join(WORDS));
        command.arg("--output").arg(output);
        for (field, value) in self.settings() {
            command.arg(format!("--{}", field.replace('_', "-"))).arg(value);
        }
        if let Some(preset) = &how.preset {
            command.args(["--preset", preset]);
        }
        command.args(["--epochs", &how.epochs.to_string(), "--seed", &how.seed.to_string()]);
        command.args(["--threads", &how.threads.to_string(), "--quiet"]);
        command.env_remove("LEXMILL_LOG").stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    /// `lexmill run` on `word2vec.toml`, with this model as what is exported and scored.
    pub(crate) fn job(self, job: Job) -> Job {
        let stage = format!("stages.{}", self.kind());
        let job = job.set("stages.vectors.model", self.kind());
        self.settings()
            .into_iter()
            .fold(job, |job, (field, value)| job.set(&format!("{stage}.{field}"), value))
    }

    /// Bytes of its parameters: a word and a context vector a word, and the n-grams' rows, each padded
    /// to eight numbers.
    pub(crate) fn parameter_bytes(self, words: u64) -> u64 {
        let rows = 2 * words + if self.subwords() { u64::from(BUCKET) } else { 0 };
        rows * u64::from(DIMENSIONS).next_multiple_of(8) * 4
    }
}

/// The text to train on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum On {
    /// The reference text, 8.2 million tokens
    En50,
    /// All English, cut into words
    Whole,
}

impl On {
    pub(crate) fn prepare(self, lab: &Lab) -> Result<Text> {
        match self {
            On::En50 => corpus::reference(lab),
            On::Whole => corpus::english_words(lab),
        }
    }
}

/// Which models are compared with which peers, on what.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Compared {
    /// The models
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "skipgram,skipgram-hs,cbow,skipgram-subwords"
    )]
    pub(crate) models: Vec<Model>,
    /// The text
    #[arg(long, value_enum, default_value = "en50")]
    pub(crate) text: On,
    /// Lexmill's preset [default: its own]
    #[arg(long, value_name = "NAME")]
    pub(crate) preset: Option<String>,
    /// Measure the peers alone
    #[arg(long)]
    pub(crate) peers_only: bool,
    #[command(flatten)]
    pub(crate) peers: peers::Places,
}

impl Compared {
    /// As the command line has it.
    pub(crate) fn flags(&self) -> String {
        let models: Vec<&str> = self.models.iter().map(|model| model.name()).collect();
        let preset =
            self.preset.as_ref().map_or_else(String::new, |name| format!(" --preset {name}"));
        let alone = if self.peers_only { " --peers-only" } else { "" };
        let text = match self.text {
            On::En50 => "en50",
            On::Whole => "whole",
        };
        let models = models.join(",");
        format!(" --models {models} --text {text}{preset}{alone}{}", self.peers.flags())
    }
}

/// How a model is trained.
#[derive(Debug, Clone)]
pub(crate) struct How {
    pub(crate) threads: u32,
    pub(crate) epochs: u32,
    pub(crate) seed: u32,
    /// Whose formulas Lexmill goes by.
    pub(crate) preset: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_called_what_the_command_line_calls_them() {
        for model in Model::value_variants() {
            let value = model.to_possible_value().unwrap();
            assert_eq!(value.get_name(), model.name());
        }
    }

    #[test]
    fn rows_are_padded_to_eight_numbers() {
        assert_eq!(Model::Skipgram.parameter_bytes(10), 2 * 10 * 104 * 4);
        assert_eq!(Model::CbowSubwords.parameter_bytes(10), 2_000_020 * 104 * 4);
    }
}
