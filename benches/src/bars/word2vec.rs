//! Training one epoch of each model, beside the programs people come from: words a CPU second.
//!
//! Bars: those of [`Program::gain`], at 1 and at 2 threads; and 2 threads at least 1.85 times as fast
//! on the clock as 1. Lexmill's figure is a whole process, from token shards to the written model;
//! the peers' are without reading the vocabulary (`word2vec/peers.rs` says how). Words are the text's
//! tokens times the epochs, for everyone.

use std::collections::BTreeMap;

use anyhow::{Result, bail};

use crate::child;
use crate::job::Job;
use crate::lab::{Lab, remove};
use crate::machine::{processors, round_trip};
use crate::report::{Report, Spread, bar, markdown, say, seconds, thousands, times};
use crate::word2vec::peers::{Peers, Program, Training};
use crate::word2vec::{Compared, How, Model, TOKENS, WORDS};

const GAIN: f64 = 1.85;

/// What to measure.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    compared: Compared,
    /// Numbers of threads
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1,2",
        value_parser = clap::value_parser!(u32).range(1..=256))]
    threads: Vec<u32>,
    /// Epochs to train
    #[arg(long, value_name = "N", default_value_t = 1,
        value_parser = clap::value_parser!(u32).range(1..=1000))]
    epochs: u32,
}

impl Options {
    /// As the command line has it.
    pub(crate) fn flags(&self) -> String {
        let threads: Vec<String> = self.threads.iter().map(u32::to_string).collect();
        let threads = threads.join(",");
        format!("{} --threads {threads} --epochs {}", self.compared.flags(), self.epochs)
    }
}

/// A program in the table: Lexmill, or a peer.
type Who = Option<Program>;

/// What one program did with one model and number of threads.
struct Line {
    model: Model,
    threads: u32,
    who: Who,
    runs: Vec<Training>,
}

impl Line {
    fn spread(&self, figure: impl Fn(&Training) -> f64) -> Spread {
        Spread::of(self.runs.iter().map(figure))
    }
}

/// Measures it.
pub(crate) fn measure(lab: &Lab, options: &Options) -> Result<Report> {
    let text = options.compared.text.prepare(lab)?;
    let peers = Peers::prepare(lab, &options.compared.peers, &text, "word2vec-peers")?;
    let mut lines: Vec<Line> = Vec::new();
    for &model in &options.compared.models {
        for &threads in &options.threads {
            let ours = (!options.compared.peers_only).then_some(None);
            let all = ours.into_iter().chain(peers.with(model).map(Some));
            lines.extend(all.map(|who| Line { model, threads, who, runs: Vec::new() }));
        }
    }
    if lines.is_empty() {
        bail!("nothing to measure: name a peer that has the models, or leave --peers-only away");
    }
    // Shards and vocabulary, which cost nothing here, as the vocabulary costs the others nothing.
    let job = Job::plain(lab, &text, "word2vec-lexmill");
    job.clear()?;
    job.clone().to(WORDS).run()?;
    let tokens = job.reported(TOKENS, "tokens")?;
    let output = lab.work("word2vec-model");

    // What two separate runs of one thread gain by running at once: more, the machine does not give.
    let mut machine: BTreeMap<Model, Vec<f64>> = BTreeMap::new();
    let mut distances = Vec::new();
    for run in 1..=lab.runs(1) {
        for line in &mut lines {
            // One processor would pass the line on only when the system takes it from a thread.
            if line.threads > 1 && processors() > 1 {
                distances.push(round_trip());
            }
            let how = How {
                threads: line.threads,
                epochs: options.epochs,
                seed: 1,
                preset: options.compared.preset.clone(),
            };
            let training = match line.who {
                Some(program) => peers.train(program, line.model, &how, None)?,
                None => {
                    remove(&output)?;
                    let mut command = line.model.command(lab, job.directory(), &output, &how);
                    child::measure(&mut command)?.into()
                }
            };
            say(&format!(
                "run {run}, {}, threads {}, {}: {} CPU, {} wall",
                line.model.name(),
                line.threads,
                name(line.who),
                seconds(training.cpu),
                seconds(training.wall)
            ));
            line.runs.push(training);
        }
        for &model in &options.compared.models {
            if let Some(alone) = alone(&lines, model) {
                let how = How {
                    threads: 1,
                    epochs: options.epochs,
                    seed: 1,
                    preset: options.compared.preset.clone(),
                };
                let outputs = [output.clone(), output.with_extension("beside")];
                outputs.iter().try_for_each(|output| remove(output))?;
                let mut both =
                    outputs.each_ref().map(|it| model.command(lab, job.directory(), it, &how));
                let gain = 2.0 * alone / child::together(&mut both)?;
                machine.entry(model).or_default().push(gain);
                outputs.iter().try_for_each(|output| remove(output))?;
            }
        }
    }

    let mut report = Report::new();
    for &model in &options.compared.models {
        if let Some(gain) = two_threads(&lines, model) {
            let met = bar("≥ 1.85 ×", gain.median() >= GAIN);
            let name = format!("{}: wall, 1 thread / 2 threads", model.name());
            report.spread(&name, &gain, times, met);
        }
        if let Some(gains) = machine.remove(&model) {
            let name = format!("{}: two 1-thread runs at once / one after the other", model.name());
            report.spread(&name, &Spread::of(gains), times, String::new());
        }
    }
    if !distances.is_empty() {
        let name = "round trip of a cache line between two threads, before runs with several";
        report.spread(name, &Spread::of(distances), |ns| format!("{ns:.0} ns"), String::new());
    }
    let words = tokens as f64 * f64::from(options.epochs);
    let rows: Vec<Vec<String>> = lines.iter().map(|line| row(&lines, line, words)).collect();
    report.note(markdown(
        &[
            "model",
            "threads",
            "program",
            "CPU",
            "wall",
            "words per CPU s",
            "CPU / Lexmill's",
            "min",
            "max",
            "wall / Lexmill's",
            "bar",
        ],
        &rows,
    ));
    report.note(format!(
        "Tokens: {}; epochs: {}; runs: {} (medians). Lexmill: the whole process, token shards to \
         written model. word2vec.c: the whole process, the vocabulary given. fastText: the process \
         less one with -epoch 0. gensim: its train().",
        thousands(tokens),
        options.epochs,
        lab.runs(1)
    ));
    if let Some(sentence) = peers.left_out() {
        report.note(sentence);
    }
    remove(peers.directory())?;
    remove(&output)?;
    job.clear()?;
    Ok(report)
}

fn name(who: Who) -> &'static str {
    who.map_or("Lexmill", Program::name)
}

/// Lexmill's line with the same model and threads.
fn ours(lines: &[Line], model: Model, threads: u32) -> Option<&Line> {
    lines.iter().find(|line| (line.model, line.threads, line.who) == (model, threads, None))
}

/// The clock of the last run of one thread, if there was one of two threads as well.
fn alone(lines: &[Line], model: Model) -> Option<f64> {
    ours(lines, model, 2)?;
    Some(ours(lines, model, 1)?.runs.last()?.wall)
}

/// Runs of one thread over those of two.
fn two_threads(lines: &[Line], model: Model) -> Option<Spread> {
    let (one, two) = (ours(lines, model, 1)?, ours(lines, model, 2)?);
    Some(Spread::of(one.runs.iter().zip(&two.runs).map(|(one, two)| one.wall / two.wall)))
}

fn row(lines: &[Line], line: &Line, words: f64) -> Vec<String> {
    let cpu = line.spread(|run| run.cpu).median();
    let mut cells = vec![
        line.model.name().to_owned(),
        line.threads.to_string(),
        name(line.who).to_owned(),
        seconds(cpu),
        seconds(line.spread(|run| run.wall).median()),
        thousands((words / cpu).round() as u64),
    ];
    let ours = ours(lines, line.model, line.threads).filter(|_| line.who.is_some());
    let Some(ours) = ours else {
        cells.resize(11, String::new());
        return cells;
    };
    // Runs next to each other, so that what the machine did meanwhile met both.
    let ratio = |figure: fn(&Training) -> f64| {
        Spread::of(line.runs.iter().zip(&ours.runs).map(|(it, ours)| figure(it) / figure(ours)))
    };
    let gain = ratio(|run| run.cpu);
    cells.extend([gain.median(), gain.min(), gain.max()].map(times));
    cells.push(times(ratio(|run| run.wall).median()));
    let wanted = line.who.and_then(|program| program.gain(line.model));
    cells.push(
        wanted.map_or_else(String::new, |wanted| {
            bar(&format!("≥ {wanted} ×"), gain.median() >= wanted)
        }),
    );
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_of_neighbouring_runs() {
        let line = |threads, who, runs: &[(f64, f64)]| Line {
            model: Model::Cbow,
            threads,
            who,
            runs: runs.iter().map(|&(cpu, wall)| Training { cpu, wall }).collect(),
        };
        let lines = [
            line(1, None, &[(2.0, 2.0), (4.0, 4.0), (2.0, 2.0)]),
            line(1, Some(Program::Word2vec), &[(13.0, 10.0), (20.0, 20.0), (14.0, 10.0)]),
            line(2, None, &[(2.0, 1.0), (4.0, 2.5), (2.0, 1.0)]),
        ];
        let theirs = row(&lines, &lines[1], 1400.0);
        let expected =
            "cbow 1 word2vec.c 14.00_s 10.00_s 100 6.50_× 5.00_× 7.00_× 5.00_× ≥_6_×:_met";
        let expected: Vec<String> =
            expected.split(' ').map(|cell| cell.replace('_', " ")).collect();
        assert_eq!(theirs, expected);
        let ours = row(&lines, &lines[0], 1400.0);
        assert_eq!((ours.len(), &*ours[2], &*ours[6]), (11, "Lexmill", ""));
        assert_eq!(two_threads(&lines, Model::Cbow).unwrap().median(), 2.0);
        assert!(two_threads(&lines[1..], Model::Cbow).is_none());
        assert_eq!(alone(&lines, Model::Cbow), Some(2.0));
        assert_eq!(alone(&lines[..2], Model::Cbow), None);
    }
}
