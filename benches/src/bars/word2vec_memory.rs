//! Peak memory of skip-gram and CBOW on much English, repeated to 1.2 GB: one epoch.
//!
//! Bar: at most the parameters (a word and a context vector a word, padded to whole cache lines) and
//! 300 MB. Training alone is looked at; shards and vocabulary are made before.

use anyhow::Result;
use lexmill_store::ByteSize;

use crate::child;
use crate::corpus;
use crate::job::Job;
use crate::lab::{Lab, remove};
use crate::machine::processors;
use crate::report::{Report, bar, mebibytes, say, seconds, thousands};
use crate::word2vec::{How, Model, TOKENS, WORDS};

const REST_BYTES: u64 = 300_000_000;

/// What to measure.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// The models
    #[arg(long, value_enum, value_delimiter = ',', default_value = "skipgram,cbow")]
    models: Vec<Model>,
    /// English is repeated to this length
    #[arg(long, value_name = "BYTES", default_value = "1.2GB")]
    largest: ByteSize,
}

impl Options {
    /// As the command line has it.
    pub(crate) fn flags(&self) -> String {
        let models: Vec<&str> = self.models.iter().map(|model| model.name()).collect();
        format!(" --models {} --largest {}", models.join(","), self.largest.0)
    }
}

/// Measures it.
pub(crate) fn measure(lab: &Lab, options: &Options) -> Result<Report> {
    let text = corpus::english_repeated(lab, options.largest.0)?;
    let job = Job::english(lab, &text, "word2vec-memory");
    job.clear()?;
    job.clone().to(WORDS).run()?;
    let (tokens, words) = (job.reported(TOKENS, "tokens")?, job.reported(WORDS, "words")?);
    let output = lab.work("word2vec-memory-model");
    let mut report = Report::new();
    report.fact("text", format!("{} B", thousands(text.bytes)), String::new());
    report.fact("tokens", thousands(tokens), String::new());
    report.fact("words", thousands(words), String::new());
    let threads = u32::try_from(processors()).unwrap_or(1);
    for &model in &options.models {
        remove(&output)?;
        let how = How { threads, epochs: 1, seed: 1, preset: None };
        let cost = child::measure(&mut model.command(lab, job.directory(), &output, &how))?;
        let name = model.name();
        let peak = mebibytes(cost.peak_bytes as f64);
        say(&format!("{name}: peak {peak}, {} CPU", seconds(cost.cpu())));
        let most = model.parameter_bytes(words) + REST_BYTES;
        let met = bar(&format!("≤ {}", mebibytes(most as f64)), cost.peak_bytes <= most);
        report.fact(&format!("{name}: peak memory"), peak, met);
        let parameters = mebibytes(model.parameter_bytes(words) as f64);
        report.fact(&format!("{name}: parameters"), parameters, String::new());
        report.fact(&format!("{name}: CPU"), seconds(cost.cpu()), String::new());
        report.fact(&format!("{name}: wall"), seconds(cost.wall), String::new());
    }
    report.note(format!("1 epoch, {threads} threads. Bar: parameters and 300 MB."));
    remove(&output)?;
    job.clear()?;
    Ok(report)
}
