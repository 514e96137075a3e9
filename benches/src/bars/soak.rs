//! All the English of the data folder, from text to vectors within 1 GiB, killed again and again.
//!
//! Bar: it comes to its end, with the files of a run that nothing disturbed.

use std::time::Duration;

use anyhow::Result;

use super::identity::{differences, verdict};
use crate::child;
use crate::corpus;
use crate::job::Job;
use crate::lab::Lab;
use crate::report::{Report, bar, say, seconds, thousands};

/// Of the time between two kills, what a checkpoint may be late.
const CHECKPOINTS: u64 = 6;

/// Measures it.
pub(crate) fn measure(lab: &Lab, every: u64) -> Result<Report> {
    let text = corpus::english_part(lab, 1, 1)?;
    let job = Job::soak(lab, &text, "soak").memory("1GiB");
    job.clear()?;
    let undisturbed = job.run()?;
    let expected = job.tables()?;
    say(&format!("undisturbed: {} wall", seconds(undisturbed.wall)));
    job.clear()?;
    let checkpoint = u32::try_from(every / CHECKPOINTS).unwrap_or(u32::MAX);
    let disturbed = job.clone().checkpoint_every(checkpoint);
    let (mut kills, begun) = (0u64, std::time::Instant::now());
    while !child::kill_after(&mut disturbed.command(), Duration::from_secs(every))? {
        kills += 1;
        say(&format!("kill {kills}"));
    }
    let differ = differences(&expected, &job.tables()?);
    let mut report = Report::new();
    report.fact("text", format!("{} B", thousands(text.bytes)), String::new());
    report.fact("wall, undisturbed", seconds(undisturbed.wall), String::new());
    let wall = seconds(begun.elapsed().as_secs_f64());
    report.fact(&format!("wall, killed every {every} s, {kills} times"), wall, String::new());
    let name = format!("{} files compared", thousands(expected.len() as u64));
    report.fact(&name, verdict(&differ), bar("identical", differ.is_empty() && kills > 0));
    job.clear()?;
    Ok(report)
}
