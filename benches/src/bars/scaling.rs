//! Cost of a token (tokenize, vocabulary and count) and of a cell in an epoch of GloVe, as English
//! grows from 50 MB to all there is, and to its repetition.
//!
//! Bar: the dearest is within 1.25 times the cheapest. One thread. Every size has the same share of
//! each corpus, so that what a token costs does not change with the kind of text.

use anyhow::Result;

use super::{COUNTS, Epochs, epochs};
use crate::child::Cost;
use crate::corpus::{self, Text};
use crate::job::Job;
use crate::lab::Lab;
use crate::report::{Report, Spread, bar, markdown, mebibytes, micros, say, thousands, times};

/// Of all English (308 MB): 51, 103 and 205 MB, and all of it.
const PARTS: [u64; 4] = [1, 2, 4, 6];
const OF_PARTS: u64 = 6;
const MEMORY: &str = "4GiB";
const FLAT: f64 = 1.25;

/// What one size costs.
struct Size {
    bytes: u64,
    tokens: u64,
    words: u64,
    cells: u64,
    counting: Vec<Cost>,
    training: Vec<Epochs>,
}

impl Size {
    fn per_token(&self) -> f64 {
        Spread::of(self.counting.iter().map(Cost::cpu)).median() / self.tokens as f64
    }

    fn per_cell(&self) -> f64 {
        Spread::of(self.training.iter().map(|epochs| epochs.cpu)).median() / self.cells as f64
    }

    fn per_cell_of_run(&self) -> f64 {
        let runs = self.training.iter().map(|epochs| epochs.one.cpu());
        Spread::of(runs).median() / self.cells as f64
    }

    fn peak(costs: impl Iterator<Item = Cost>) -> String {
        mebibytes(Spread::of(costs.map(|cost| cost.peak_bytes as f64)).max())
    }
}

/// Measures it.
pub(crate) fn measure(lab: &Lab, largest: u64) -> Result<Report> {
    let mut texts = Vec::new();
    for part in PARTS {
        texts.push(corpus::english_part(lab, part, OF_PARTS)?);
    }
    let all = texts.last().map_or(0, |text| text.bytes);
    if largest > all {
        texts.push(corpus::english_repeated(lab, largest)?);
    }
    let sizes = texts.iter().map(|text| size(lab, text)).collect::<Result<Vec<_>>>()?;

    let mut report = Report::new();
    for (name, cost) in [
        ("CPU per token", Size::per_token as fn(&Size) -> f64),
        ("CPU per cell and epoch", Size::per_cell),
    ] {
        let costs = Spread::of(sizes.iter().map(cost));
        report.spread(name, &costs, micros, String::new());
        let ratio = costs.max() / costs.min();
        let met = bar("≤ 1.25 ×", ratio <= FLAT);
        report.fact(&format!("{name}, dearest / cheapest"), times(ratio), met);
    }
    let rows: Vec<Vec<String>> = sizes
        .iter()
        .map(|size| {
            vec![
                format!("{:.0} MB", size.bytes as f64 / 1e6),
                thousands(size.tokens),
                thousands(size.words),
                thousands(size.cells),
                micros(size.per_token()),
                micros(size.per_cell()),
                micros(size.per_cell_of_run()),
                Size::peak(size.counting.iter().copied()),
                Size::peak(size.training.iter().map(|epochs| epochs.many)),
            ]
        })
        .collect();
    let header = [
        "text",
        "tokens",
        "words",
        "cells",
        "CPU per token",
        "CPU per cell and epoch",
        "whole run of 1 epoch",
        "peak, counting",
        "peak, GloVe",
    ];
    report.note(markdown(&header, &rows));
    report.note(format!(
        "1 thread, --memory {MEMORY}; an epoch is a run of two epochs less a run of one. The median, \
         min and max above are over the sizes."
    ));
    Ok(report)
}

fn size(lab: &Lab, text: &Text) -> Result<Size> {
    let job = Job::english(lab, text, "scaling").threads(1).memory(MEMORY);
    let (mut counting, mut training) = (Vec::new(), Vec::new());
    for _ in 0..lab.runs(1) {
        job.clear()?;
        counting.push(job.clone().to(COUNTS).run()?);
        training.push(epochs(&job, 2)?);
    }
    let size = Size {
        bytes: text.bytes,
        tokens: job.reported("tokens", "tokens")?,
        words: job.reported(COUNTS, "words")?,
        cells: job.reported(COUNTS, "cells")?,
        counting,
        training,
    };
    job.clear()?;
    say(&format!(
        "{:.0} MB: {} a token, {} a cell",
        size.bytes as f64 / 1e6,
        micros(size.per_token()),
        micros(size.per_cell())
    ));
    Ok(size)
}
