//! GloVe at 100 dimensions, streaming from Parquet included: CPU time of a cell in an epoch.
//!
//! Bar: at most 0.22 µs (Stanford's: 2.6 µs). A run of three epochs less one of a single epoch is two
//! epochs, without the start and the end of a run.

use anyhow::Result;

use super::{COUNTS, Epochs, REFERENCE_CELLS, common_rows, epochs, expected};
use crate::job::Job;
use crate::lab::Lab;
use crate::report::{Report, Spread, bar, micros, say, seconds, thousands, times};

const CELL_MICROS: f64 = 0.22;
const EPOCHS: u32 = 3;

/// Measures it.
pub(crate) fn measure(lab: &Lab) -> Result<Report> {
    let job = Job::reference(lab, "glove")?;
    job.clear()?;
    job.clone().to(COUNTS).run()?;
    let cells = job.reported(COUNTS, "cells")? as f64;
    let (mut ones, mut twos) = (Vec::new(), Vec::new());
    for run in 1..=lab.runs(3) {
        for (threads, results) in [(1, &mut ones), (2, &mut twos)] {
            let found = epochs(&job.clone().threads(threads), EPOCHS)?;
            say(&format!(
                "run {run}, threads {threads}: an epoch takes {} CPU, {} wall",
                seconds(found.cpu),
                seconds(found.wall)
            ));
            results.push(found);
        }
    }
    let of = |epochs: &[Epochs], figure: fn(&Epochs) -> f64| Spread::of(epochs.iter().map(figure));
    let per_cell = |epochs: &[Epochs]| Spread::of(epochs.iter().map(|epoch| epoch.cpu / cells));

    let mut report = Report::new();
    let cpu = per_cell(&ones);
    let met = cpu.median() * 1e6 <= CELL_MICROS;
    let name = "CPU per cell and epoch, user + sys, 1 thread";
    report.spread(name, &cpu, micros, bar("≤ 0.22 µs", met));
    let user = Spread::of(ones.iter().map(|epoch| epoch.user / cells));
    report.spread("CPU per cell and epoch, user, 1 thread", &user, micros, String::new());
    let name = "CPU per cell and epoch, user + sys, 2 threads";
    report.spread(name, &per_cell(&twos), micros, String::new());
    let wall = |epoch: &Epochs| epoch.wall;
    report.spread("wall per epoch, 1 thread", &of(&ones, wall), seconds, String::new());
    report.spread("wall per epoch, 2 threads", &of(&twos, wall), seconds, String::new());
    let gain = Spread::of(ones.iter().zip(&twos).map(|(one, two)| one.wall / two.wall));
    report.spread("wall per epoch, 1 thread / 2 threads", &gain, times, String::new());
    let whole: Vec<_> = ones.iter().map(|epochs| epochs.many).collect();
    common_rows(&mut report, ", whole run of 3 epochs, 1 thread", &whole);
    report.fact("cells", thousands(cells as u64), expected(cells as u64, REFERENCE_CELLS));
    job.clear()?;
    Ok(report)
}
