//! Text to a finished Parquet grid: tokenize, vocabulary and count, with one thread.
//!
//! Bars: at most 0.45 µs of CPU time a token (Stanford's vocab_count, cooccur and shuffle: 2.3 µs), and
//! at most 4 bytes of disk a cell (Stanford's: 16, twice).

use anyhow::Result;

use super::{COUNTS, REFERENCE_CELLS, REFERENCE_TOKENS, common_rows, expected, spread};
use crate::child::Cost;
use crate::job::Job;
use crate::lab::Lab;
use crate::report::{Report, bar, micros, say, seconds, thousands};

const TOKEN_MICROS: f64 = 0.45;
const CELL_BYTES: f64 = 4.0;

/// Measures it.
pub(crate) fn measure(lab: &Lab) -> Result<Report> {
    let job = Job::reference(lab, "counting")?.threads(1).to(COUNTS);
    let mut costs = Vec::new();
    // The first only brings text and program into memory.
    for run in 0..=lab.runs(5) {
        job.clear()?;
        let cost = job.run()?;
        if run > 0 {
            say(&format!("run {run}: {} CPU, {} wall", seconds(cost.cpu()), seconds(cost.wall)));
            costs.push(cost);
        }
    }
    let tokens = job.reported("tokens", "tokens")?;
    let cells = job.reported(COUNTS, "cells")?;
    let disk: u64 = job.manifest(COUNTS)?.entries("cells").map(|file| file.bytes).sum();

    let mut report = Report::new();
    let per_token = spread(&costs, |cost| cost.cpu() / tokens as f64);
    let met = per_token.median() * 1e6 <= TOKEN_MICROS;
    report.spread("CPU per token, user + sys", &per_token, micros, bar("≤ 0.45 µs", met));
    let user = spread(&costs, |cost: &Cost| cost.user / tokens as f64);
    report.spread("CPU per token, user", &user, micros, String::new());
    common_rows(&mut report, "", &costs);
    let per_cell = disk as f64 / cells as f64;
    let met = per_cell <= CELL_BYTES;
    report.fact("disk per cell", format!("{per_cell:.2} B"), bar("≤ 4 B", met));
    report.fact("tokens", thousands(tokens), expected(tokens, REFERENCE_TOKENS));
    report.fact("cells", thousands(cells), expected(cells, REFERENCE_CELLS));
    job.clear()?;
    Ok(report)
}
