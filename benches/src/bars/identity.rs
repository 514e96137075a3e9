//! The bytes of every output table: whatever the threads and the memory, and after being killed.
//!
//! Bar: identical. A pipeline is killed (`SIGKILL`) at seeded random moments, each time taken up again
//! with other threads and another budget, and compared whenever it reaches its end.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use lexmill_vocab::Random;

use crate::child;
use crate::job::Job;
use crate::lab::Lab;
use crate::report::{Report, bar, say, thousands};

pub(crate) const THREADS: [u32; 4] = [1, 2, 3, 8];
pub(crate) const BUDGETS: [&str; 2] = ["1GiB", "4GiB"];
/// A run between two kills gets no farther than this part of a whole run, and half of it on average.
const RUN_PART: f64 = 0.33;

pub(crate) type Tables = BTreeMap<String, String>;

/// Measures it.
pub(crate) fn measure(lab: &Lab, kills: u32, seed: u64) -> Result<Report> {
    let job = Job::reference(lab, "identity")?
        .test_sets(lab)?
        .set("stages.glove.epochs", 2)
        .set("stages.vectors.formats", r#"["parquet","word2vec-text","glove-text"]"#);
    let mut report = Report::new();
    let mut first: Option<(Tables, f64)> = None;
    let (mut runs, mut wrong) = (0, Vec::new());
    for threads in THREADS {
        for budget in BUDGETS {
            job.clear()?;
            let cost = job.clone().threads(threads).memory(budget).run()?;
            runs += 1;
            let tables = job.tables()?;
            let (expected, _) = first.get_or_insert_with(|| (tables.clone(), cost.wall));
            let differ = differences(expected, &tables);
            say(&format!(
                "{threads} threads, {budget}: {} of {} files differ",
                differ.len(),
                tables.len()
            ));
            wrong.extend(differ.first().map(|file| format!("{threads} threads, {budget}: {file}")));
        }
    }
    let Some((expected, whole)) = first else { return Ok(report) };
    report.fact("files compared", thousands(expected.len() as u64), String::new());
    let name = format!("{runs} runs: threads 1, 2, 3, 8 × memory 1 GiB, 4 GiB");
    report.fact(&name, verdict(&wrong), bar("identical", wrong.is_empty()));

    job.clear()?;
    let killing = Killing {
        job: &job,
        expected: &expected,
        longest: whole * RUN_PART,
        seed,
        clear: &|| job.clear(),
    };
    let outcome = killing.run(kills)?;
    let name = format!("{kills} kills, {} runs to the end", outcome.ends);
    let met = bar("identical", outcome.wrong.is_empty());
    report.fact(&name, verdict(&outcome.wrong), met);
    let places: Vec<String> =
        outcome.places.iter().map(|(place, times)| format!("{place} {times}")).collect();
    report.note(format!("Killed in: {}. Seed of the moments: {seed}.", places.join(", ")));
    for line in wrong.iter().chain(&outcome.wrong) {
        report.note(format!("Differs: {line}"));
    }
    job.clear()?;
    Ok(report)
}

/// How many differ, in words.
pub(crate) fn verdict(wrong: &[String]) -> String {
    match wrong.len() {
        0 => "all the same".to_owned(),
        n => format!("{n} differ"),
    }
}

/// A pipeline that is killed at random moments.
pub(crate) struct Killing<'a> {
    pub(crate) job: &'a Job,
    /// What is to be there at its end.
    pub(crate) expected: &'a Tables,
    /// Longest time between two kills, in seconds.
    pub(crate) longest: f64,
    /// Seed of the moments.
    pub(crate) seed: u64,
    /// Removes what is to be made anew after each end.
    pub(crate) clear: &'a dyn Fn() -> Result<()>,
}

/// What came of it.
#[derive(Default)]
pub(crate) struct Outcome {
    /// How often the pipeline came to its end.
    pub(crate) ends: u32,
    /// Ends with other tables.
    pub(crate) wrong: Vec<String>,
    /// How many kills fell into which stage.
    pub(crate) places: BTreeMap<String, u32>,
}

impl Killing<'_> {
    /// Kills it so many times, then lets it come to its end.
    pub(crate) fn run(&self, kills: u32) -> Result<Outcome> {
        let mut random = Random::named(&[self.seed]);
        let mut outcome = Outcome::default();
        let mut killed = 0;
        while killed < kills {
            let threads = THREADS[random.below(THREADS.len() as u32) as usize];
            let budget = BUDGETS[random.below(BUDGETS.len() as u32) as usize];
            let delay = Duration::from_secs_f64(f64::from(random.unit_f32()) * self.longest);
            let job = self.job.clone().threads(threads).memory(budget).checkpoint_every(1);
            if child::kill_after(&mut job.command(), delay)? {
                self.compare(&mut outcome)?;
                continue;
            }
            killed += 1;
            let place = self.begun()?;
            say(&format!("kill {killed} after {:.2} s: {place}", delay.as_secs_f64()));
            *outcome.places.entry(place).or_default() += 1;
        }
        self.job.run()?;
        self.compare(&mut outcome)?;
        Ok(outcome)
    }

    /// Compares a finished pipeline, and clears it for the next.
    fn compare(&self, outcome: &mut Outcome) -> Result<()> {
        outcome.ends += 1;
        let differ = differences(self.expected, &self.job.tables()?);
        say(&format!("end {}: {} files differ", outcome.ends, differ.len()));
        outcome.wrong.extend(differ.first().map(|file| format!("end {}: {file}", outcome.ends)));
        (self.clear)()
    }

    /// The stage that is begun and not done.
    fn begun(&self) -> Result<String> {
        let Ok(list) = std::fs::read_dir(self.job.directory()) else {
            return Ok("the start".to_owned());
        };
        let mut stages: Vec<String> = list
            .flatten()
            .filter_map(|entry| {
                let name = entry.file_name().to_string_lossy().into_owned();
                name.strip_suffix(".partial").map(str::to_owned)
            })
            .collect();
        stages.sort();
        Ok(if stages.is_empty() { "between stages".to_owned() } else { stages.join(" and ") })
    }
}

/// Files that are not the same in both, in words.
pub(crate) fn differences(expected: &Tables, found: &Tables) -> Vec<String> {
    let missing = expected.keys().filter(|path| !found.contains_key(*path));
    let mut out: Vec<String> = missing.map(|path| format!("{path} is missing")).collect();
    for (path, hash) in found {
        match expected.get(path) {
            None => out.push(format!("{path} is new")),
            Some(other) if other != hash => out.push(format!("{path} has other bytes")),
            Some(_) => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_named() {
        let tables = |files: &[(&str, &str)]| -> Tables {
            files.iter().map(|(path, hash)| ((*path).to_owned(), (*hash).to_owned())).collect()
        };
        let a = tables(&[("a", "1"), ("b", "2"), ("c", "3")]);
        assert_eq!(differences(&a, &a), Vec::<String>::new());
        let b = tables(&[("b", "2"), ("c", "4"), ("d", "5")]);
        assert_eq!(differences(&a, &b), ["a is missing", "c has other bytes", "d is new"]);
    }
}
