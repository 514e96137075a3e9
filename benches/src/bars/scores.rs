//! Final loss and scores at the reference's settings, for three seeds.
//!
//! Bar: within seed-to-seed noise of Stanford's GloVe, or better. Noise is the spread over the seeds,
//! and at least a point, which is what the reference moves by from seed to seed.

use anyhow::{Context, Result};
use lexmill_eval::{Score, evaluate::SCORES, read_scores};

use super::{COUNTS, GLOVE};
use crate::job::Job;
use crate::lab::Lab;
use crate::report::{Report, Spread, bar, say, seconds};

/// What Stanford's GloVe has: name, test set, section, words, score.
const REFERENCE: [(&str, &str, &str, &str, f64); 6] = [
    ("WS353", "EN-WS-353-ALL", "total", "all", 41.4),
    ("SimLex", "EN-SIMLEX-999", "total", "all", 17.4),
    ("MEN", "EN-MEN-TR-3k", "total", "all", 45.2),
    ("analogies, all", "questions-words", "total", "top 30000", 23.0),
    ("analogies, semantic", "questions-words", "semantic", "top 30000", 31.1),
    ("analogies, syntactic", "questions-words", "syntactic", "top 30000", 19.4),
];
const REFERENCE_LOSS: f64 = 0.0243;
/// How far a score, or the loss, may be off at least: seeds of the reference; its last digit.
const SCORE_NOISE: f64 = 1.0;
const LOSS_NOISE: f64 = 0.0001;

/// Measures it.
pub(crate) fn measure(lab: &Lab) -> Result<Report> {
    let job = Job::reference(lab, "scores")?.test_sets(lab)?;
    job.clear()?;
    job.clone().to(COUNTS).run()?;
    let (mut losses, mut scores): (Vec<f64>, Vec<Vec<Score>>) = (Vec::new(), Vec::new());
    let seeds = lab.runs(3);
    for seed in 1..=seeds {
        let cost = job.clone().set("stages.glove.seed", seed).run()?;
        let loss = job.manifest(GLOVE)?.report["loss"].as_f64();
        let loss = loss.context("the report of stage \"glove\" lacks \"loss\"")?;
        say(&format!("seed {seed}: loss {loss:.6}, {} wall", seconds(cost.wall)));
        losses.push(loss);
        scores.push(read_scores(&job.directory().join("scores").join(SCORES))?);
    }

    let mut report = Report::of_means();
    let loss = Spread::of(losses);
    let noise = LOSS_NOISE.max(loss.max() - loss.min());
    let text = format!("≤ {REFERENCE_LOSS} + {noise:.4}");
    let met = loss.mean() <= REFERENCE_LOSS + noise;
    report.spread("final loss", &loss, |x| format!("{x:.5}"), bar(&text, met));
    for (name, set, section, vocabulary, reference) in REFERENCE {
        let mut values = Vec::new();
        let mut covered = String::new();
        for scores in &scores {
            let row = scores.iter().find(|score| {
                (&*score.set, &*score.section, &*score.vocabulary) == (set, section, vocabulary)
            });
            let row = row.with_context(|| format!("no score of {set}, {section}, {vocabulary}"))?;
            values.push(row.score * 100.0);
            covered = format!("{} of {}", row.covered, row.total);
        }
        let values = Spread::of(values);
        let noise = SCORE_NOISE.max(values.max() - values.min());
        let text = format!("≥ {reference} − {noise:.1}");
        let met = values.mean() >= reference - noise;
        let name = format!("{name} ({covered})");
        report.spread(&name, &values, |x| format!("{x:.1}"), bar(&text, met));
    }
    report.note(format!(
        "Seeds 1 to {seeds}, 25 epochs. Bars: Stanford's GloVe, and the noise allowed (spread over the \
         seeds, at least a point). Similarity is Spearman × 100; analogies are among the 30,000 most \
         frequent words."
    ));
    job.clear()?;
    Ok(report)
}
