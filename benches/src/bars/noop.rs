//! `lexmill run` on a pipeline that is finished.
//!
//! Bar: less than 0.2 s on the clock.

use anyhow::Result;

use super::spread;
use crate::job::Job;
use crate::lab::Lab;
use crate::report::{Report, bar};

const WALL: f64 = 0.2;

/// Measures it.
pub(crate) fn measure(lab: &Lab) -> Result<Report> {
    let job = Job::reference(lab, "noop")?.test_sets(lab)?.set("stages.glove.epochs", 1);
    job.clear()?;
    job.run()?;
    // The hash of a text that was written a moment ago is not remembered at once.
    job.run()?;
    let costs = (0..lab.runs(20)).map(|_| job.run()).collect::<Result<Vec<_>>>()?;
    let milliseconds = |x: f64| format!("{:.0} ms", x * 1e3);
    let mut report = Report::new();
    let wall = spread(&costs, |cost| cost.wall);
    let met = bar("< 200 ms", wall.max() < WALL);
    report.spread("wall", &wall, milliseconds, met);
    // One run is over before its CPU clock ticks or its memory is looked at.
    let cpu = spread(&costs, |cost| cost.cpu()).mean();
    report.fact("CPU, mean", milliseconds(cpu), String::new());
    job.clear()?;
    Ok(report)
}
