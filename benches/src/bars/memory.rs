//! Counting much English, repeated, window 10, within a small budget and a large one.
//!
//! Bar: the peak stays below the small budget, fewer than 256 files are open, and cells and every table are
//! the same.

use anyhow::Result;
use lexmill_store::ByteSize;

use super::COUNTS;
use crate::corpus;
use crate::job::Job;
use crate::lab::Lab;
use crate::report::{Report, bar, mebibytes, say, seconds, thousands};

/// Files that may be open at once.
const OPEN_FILES: usize = 256;

/// Measures it.
pub(crate) fn measure(lab: &Lab, largest: u64, budgets: &[ByteSize]) -> Result<Report> {
    let text = corpus::english_repeated(lab, largest)?;
    let mut report = Report::new();
    let mut results = Vec::new();
    for (number, budget) in budgets.iter().enumerate() {
        let job = Job::english(lab, &text, "memory")
            .memory(&budget.to_string().replace(' ', ""))
            .to(COUNTS);
        job.clear()?;
        let cost = job.run()?;
        let peak = mebibytes(cost.peak_bytes as f64);
        say(&format!(
            "{budget}: peak {peak}, {} CPU, {} wall",
            seconds(cost.cpu()),
            seconds(cost.wall)
        ));
        let verdict = match number {
            0 => bar(&format!("< {budget}"), cost.peak_bytes < budget.0),
            _ => String::new(),
        };
        report.fact(&format!("peak memory at --memory {budget}"), peak, verdict);
        let few = bar(&format!("< {OPEN_FILES}"), cost.open_files < OPEN_FILES);
        report.fact(&format!("open files at {budget}"), thousands(cost.open_files as u64), few);
        report.fact(&format!("CPU at {budget}"), seconds(cost.cpu()), String::new());
        report.fact(&format!("wall at {budget}"), seconds(cost.wall), String::new());
        let numbers = [job.reported("tokens", "tokens")?, job.reported(COUNTS, "words")?];
        results.push((job.reported(COUNTS, "cells")?, job.tables()?, numbers));
        job.clear()?;
    }
    if let [(few, few_tables, [tokens, words]), (many, many_tables, _)] = &results[..] {
        report.fact("text", format!("{} B", thousands(text.bytes)), String::new());
        report.fact("tokens", thousands(*tokens), String::new());
        report.fact("words", thousands(*words), String::new());
        let same = bar("the same", few == many);
        report.fact("cells", format!("{} and {}", thousands(*few), thousands(*many)), same);
        let differ = super::identity::differences(few_tables, many_tables);
        let same = bar("identical", differ.is_empty());
        report.fact("tables", format!("{} files", few_tables.len()), same);
        if let Some(first) = differ.first() {
            report.note(format!("{} files differ; the first: {first}", differ.len()));
        }
    }
    Ok(report)
}
