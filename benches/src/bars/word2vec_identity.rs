//! The bytes of every model of the word2vec family: whatever the threads, and after being killed in the
//! middle of an epoch.
//!
//! Bar: identical. Only what comes after the vocabulary is killed, and checkpoints are as frequent as
//! they can be. Two epochs; n-grams have fewer rows than usual, so that a checkpoint every second is
//! not all that happens.

use anyhow::Result;

use super::identity::{BUDGETS, Killing, THREADS, Tables, differences, verdict};
use crate::corpus;
use crate::job::Job;
use crate::lab::Lab;
use crate::report::{Report, bar, say, thousands};
use crate::word2vec::{Model, VECTORS, WORDS};

const EPOCHS: u32 = 2;
const BUCKET: u32 = 200_000;
/// As for the other pipelines: a run between two kills gets no farther than this part of a whole one.
const RUN_PART: f64 = 0.33;

/// What to measure.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// The models
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "skipgram,skipgram-hs,skipgram-subwords,cbow,cbow-hs,cbow-subwords,cbow-mean"
    )]
    models: Vec<Model>,
    /// How often to kill each
    #[arg(long, value_name = "N", default_value_t = 20)]
    kills: u32,
    /// Seed of the moments
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

impl Options {
    /// As the command line has it.
    pub(crate) fn flags(&self) -> String {
        let models: Vec<&str> = self.models.iter().map(|model| model.name()).collect();
        format!(" --models {} --kills {} --seed {}", models.join(","), self.kills, self.seed)
    }
}

/// Measures it.
pub(crate) fn measure(lab: &Lab, options: &Options) -> Result<Report> {
    let text = corpus::reference(lab)?;
    let plain = Job::word2vec(lab, &text, "word2vec-identity");
    plain.clear()?;
    plain.clone().to(WORDS).run()?;
    let mut report = Report::new();
    for &model in &options.models {
        let stage = format!("stages.{}", model.kind());
        let mut job = model
            .job(plain.clone())
            .set(&format!("{stage}.epochs"), EPOCHS)
            .set("stages.vectors.formats", r#"["parquet","word2vec-text"]"#);
        if model.subwords() {
            job = job.set(&format!("{stage}.bucket"), BUCKET);
        }
        let job = job.to(VECTORS);
        let stages = [model.kind(), VECTORS];
        let clear = || stages.iter().try_for_each(|stage| job.clear_stage(stage));
        let mut first: Option<(Tables, f64)> = None;
        let mut wrong = Vec::new();
        for (threads, budget) in THREADS.into_iter().zip(BUDGETS.into_iter().cycle()) {
            clear()?;
            let cost = job.clone().threads(threads).memory(budget).run()?;
            let tables = job.tables()?;
            let (expected, _) = first.get_or_insert_with(|| (tables.clone(), cost.wall));
            let differ = differences(expected, &tables);
            say(&format!(
                "{}, {threads} threads, {budget}: {} of {} files differ",
                model.name(),
                differ.len(),
                tables.len()
            ));
            wrong.extend(differ.first().map(|file| format!("{threads} threads, {budget}: {file}")));
        }
        let Some((expected, whole)) = first else { continue };
        let files = thousands(expected.len() as u64);
        let name = format!("{}: threads 1, 2, 3, 8; {files} files", model.name());
        report.fact(&name, verdict(&wrong), bar("identical", wrong.is_empty()));

        clear()?;
        let killing = Killing {
            job: &job,
            expected: &expected,
            longest: whole * RUN_PART,
            seed: options.seed,
            clear: &clear,
        };
        let outcome = killing.run(options.kills)?;
        let name =
            format!("{}: {} kills, {} runs to the end", model.name(), options.kills, outcome.ends);
        let met = bar("identical", outcome.wrong.is_empty());
        report.fact(&name, verdict(&outcome.wrong), met);
        let places = outcome.places.iter().map(|(place, times)| format!("{place} {times}"));
        let places: Vec<String> = places.collect();
        report.note(format!("{}, killed in: {}.", model.name(), places.join(", ")));
        for line in wrong.iter().chain(&outcome.wrong) {
            report.note(format!("{} differs: {line}", model.name()));
        }
        clear()?;
    }
    report.note(format!(
        "{EPOCHS} epochs, n-grams in {} rows, --checkpoint-every 1; seed of the moments: {}.",
        thousands(u64::from(BUCKET)),
        options.seed
    ));
    plain.clear()?;
    Ok(report)
}
