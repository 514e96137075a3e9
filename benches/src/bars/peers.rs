//! Stanford's GloVe beside Lexmill, on the reference text at the reference settings.
//!
//! No bar of its own: it shows that both figures come from the same machine in the same hour. Needs
//! a folder with the four programs that Stanford's makefile builds.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::{COUNTS, REFERENCE_CELLS, epochs, expected, spread};
use crate::child::{self, Cost};
use crate::corpus::{self, Text};
use crate::job::Job;
use crate::lab::{Lab, remove};
use crate::report::{Report, Spread, mebibytes, micros, say, seconds, thousands, times};

const PROGRAMS: [&str; 4] = ["vocab_count", "cooccur", "shuffle", "glove"];
/// A record of Stanford's: two 32-bit ids and a double.
const RECORD_BYTES: u64 = 16;
const EPOCHS: u32 = 3;

/// Measures it.
pub(crate) fn measure(lab: &Lab, programs: Option<&Path>) -> Result<Report> {
    let mut report = Report::new();
    let Some(programs) = programs else {
        report.note(
            "Skipped: give --glove DIR, the folder with vocab_count, cooccur, shuffle and glove \
             (`make` in a clone of github.com/stanfordnlp/GloVe leaves them in build/).",
        );
        return Ok(report);
    };
    for name in PROGRAMS {
        let path = programs.join(name);
        ensure!(path.is_file(), "there is no {}", path.display());
    }
    let programs = std::path::absolute(programs).context("no working directory")?;
    let directory = lab.fresh("peers-stanford")?;
    let stanford = Stanford { programs, directory, text: corpus::reference(lab)? };
    let job = Job::reference(lab, "peers-lexmill")?.threads(1);

    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    let (mut their_cells, mut our_cells) = (Vec::new(), Vec::new());
    let (mut records, mut cells) = (0, 0);
    for run in 1..=lab.runs(3) {
        let counting = stanford.count()?;
        records = stanford.records()?;
        job.clear()?;
        let counted = job.clone().to(COUNTS).run()?;
        cells = job.reported(COUNTS, "cells")?;
        let trained = stanford.epoch()?;
        let training = epochs(&job, EPOCHS)?.cpu;
        say(&format!(
            "run {run}: counting {} and {} CPU, an epoch {} and {}",
            seconds(counting.cpu()),
            seconds(counted.cpu()),
            seconds(trained),
            seconds(training)
        ));
        theirs.push(counting);
        ours.push(counted);
        their_cells.push(trained / records as f64);
        our_cells.push(training / cells as f64);
    }
    let tokens = job.reported("tokens", "tokens")? as f64;

    let plain = String::new;
    let gain = |theirs: &Spread, ours: &Spread| times(theirs.median() / ours.median());
    let per_token = |costs: &[Cost]| spread(costs, |cost| cost.cpu() / tokens);
    report.spread("counting, CPU per token: Stanford", &per_token(&theirs), micros, plain());
    report.spread("counting, CPU per token: Lexmill", &per_token(&ours), micros, plain());
    report.fact("ratio", gain(&per_token(&theirs), &per_token(&ours)), plain());
    let wall = |costs: &[Cost]| spread(costs, |cost| cost.wall);
    report.spread("counting, wall: Stanford", &wall(&theirs), seconds, plain());
    report.spread("counting, wall: Lexmill, 1 thread", &wall(&ours), seconds, plain());
    let peak = |costs: &[Cost]| spread(costs, |cost| cost.peak_bytes as f64);
    report.spread("counting, peak memory: Stanford", &peak(&theirs), mebibytes, plain());
    report.spread("counting, peak memory: Lexmill", &peak(&ours), mebibytes, plain());
    let (theirs, ours) = (Spread::of(their_cells), Spread::of(our_cells));
    report.spread("CPU per cell and epoch: Stanford", &theirs, micros, plain());
    report.spread("CPU per cell and epoch: Lexmill", &ours, micros, plain());
    report.fact("ratio", gain(&theirs, &ours), plain());
    report.fact("cells: Stanford", thousands(records), expected(records, REFERENCE_CELLS));
    report.fact("cells: Lexmill", thousands(cells), expected(cells, REFERENCE_CELLS));
    remove(&stanford.directory)?;
    job.clear()?;
    Ok(report)
}

/// Stanford's programs at work in a directory.
struct Stanford {
    programs: PathBuf,
    directory: PathBuf,
    text: Text,
}

impl Stanford {
    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.args(["-verbose", "0"]).args(arguments).current_dir(&self.directory);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    /// Runs a program that reads one file and writes another.
    fn filter(
        &self,
        program: &str,
        arguments: &[&str],
        input: &Path,
        output: &str,
    ) -> Result<Cost> {
        let read = File::open(input).with_context(|| format!("can't open {}", input.display()))?;
        let path = self.directory.join(output);
        let write = std::fs::OpenOptions::new().create(true).write(true).truncate(true).open(&path);
        let write = write.with_context(|| format!("can't write {}", path.display()))?;
        child::measure(self.command(program, arguments).stdin(read).stdout(write))
    }

    /// vocab_count, cooccur and shuffle.
    fn count(&self) -> Result<Cost> {
        let text = Path::new(&self.text.pattern);
        let words = self.filter("vocab_count", &["-min-count", "5"], text, "vocab.txt")?;
        let settings = ["-memory", "4.0", "-vocab-file", "vocab.txt", "-window-size", "10"];
        let cells = self.filter("cooccur", &settings, text, "cooccurrence.bin")?;
        let cooccurrences = self.directory.join("cooccurrence.bin");
        let settings = ["-memory", "4.0", "-seed", "1"];
        let shuffled = self.filter("shuffle", &settings, &cooccurrences, "shuffled.bin")?;
        Ok(words.and(&cells).and(&shuffled))
    }

    /// Cells of its table.
    fn records(&self) -> Result<u64> {
        let path = self.directory.join("shuffled.bin");
        let file = std::fs::metadata(&path)
            .with_context(|| format!("can't look at {}", path.display()))?;
        Ok(file.len() / RECORD_BYTES)
    }

    /// CPU seconds of one epoch: a run of several less a run of one.
    fn epoch(&self) -> Result<f64> {
        let train = |epochs: u32| {
            let epochs = epochs.to_string();
            let files = ["-input-file", "shuffled.bin", "-vocab-file", "vocab.txt"];
            let numbers = ["-x-max", "10", "-vector-size", "100", "-seed", "1", "-threads", "1"];
            let mut command = self.command("glove", &files);
            command.args(numbers).args(["-iter", &epochs, "-save-file", "vectors", "-binary", "1"]);
            child::measure(&mut command)
        };
        let (one, many) = (train(1)?, train(EPOCHS)?);
        Ok((many.cpu() - one.cpu()) / f64::from(EPOCHS - 1))
    }
}
