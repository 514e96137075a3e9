//! Proof by machines that nothing is lost, and nothing quietly wrong.
//!
//! A small pipeline with every kind of stage is run undisturbed; then again and again with something in
//! its way. After each: either the command failed with one clear message, or its result is right; what
//! was whole is still whole (`lexmill verify`); and a run that nothing disturbs any more ends with the
//! bytes of the first, every file of them.
//!
//! | scenario | what is in the way |
//! | --- | --- |
//! | [`kills`] | `SIGKILL`, `SIGTERM`, `SIGINT` at random moments |
//! | [`faults`] | an error in each storage call in turn; death before each; a power cut |
//! | [`limits`] | a full disk, few open files, little address space |
//! | [`flips`] | a bit that flips somewhere in a finished run |
//! | [`others`] | two runs at once, a run that is watched, an input that goes away |

mod faults;
mod flips;
mod kills;
mod lab;
mod limits;
mod others;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};

use self::lab::Lab;
use crate::say;

/// What is to be done, and how long.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// The short form, for continuous integration: a minute or two
    #[arg(long)]
    short: bool,
    /// Only these scenarios
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Scenario>,
    /// Runs that are killed at random moments [default: 500; 12 in the short form]
    #[arg(long, value_name = "N")]
    kills: Option<u32>,
    /// Bits that flip, one at a time [default: 2000; 150 in the short form]
    #[arg(long, value_name = "N")]
    flips: Option<u32>,
    /// Storage calls that fail, at most, of each kind of fault [default: all; 40 in the short form]
    #[arg(long, value_name = "N")]
    faults: Option<usize>,
    /// Faults to pass over, which an earlier go has had: it says how many
    #[arg(long, value_name = "N", default_value_t = 0)]
    faults_done: usize,
    /// The most minutes for each scenario [default: no end; 1 in the short form]
    #[arg(long, value_name = "N")]
    minutes: Option<u64>,
    /// Seed of everything random
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// The program [default: the one built beside this one]
    #[arg(long, value_name = "PATH")]
    lexmill: Option<PathBuf>,
    /// Where to work [default: a temporary directory]; what failed is kept there
    #[arg(long, value_name = "DIR")]
    work: Option<PathBuf>,
}

/// Something in the way of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Scenario {
    /// Signals at random moments
    Kills,
    /// Errors of storage calls, death before them, power cuts
    Faults,
    /// A full disk, few open files, little memory
    Limits,
    /// Bits that flip
    Flips,
    /// Other processes
    Others,
}

const ALL: [Scenario; 5] =
    [Scenario::Others, Scenario::Limits, Scenario::Flips, Scenario::Faults, Scenario::Kills];

/// How much of a scenario to do.
#[derive(Debug, Clone, Copy)]
struct Extent {
    seed: u64,
    until: Option<Instant>,
}

impl Extent {
    fn is_over(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }
}

/// What came of a scenario.
#[derive(Debug, Default)]
struct Outcome {
    /// What was done, how often.
    done: Vec<(String, usize)>,
    /// What is not as it must be.
    wrong: Vec<String>,
    /// What could not be done here, and why.
    skipped: Vec<String>,
}

impl Outcome {
    fn did(&mut self, what: impl Into<String>, times: usize) {
        self.done.push((what.into(), times));
    }

    /// Notes what is wrong, if something is.
    fn check(&mut self, name: &str, checked: Result<()>) {
        if let Err(error) = checked {
            say(&format!("WRONG: {name}: {error:#}"));
            self.wrong.push(format!("{name}: {error:#}"));
        }
    }
}

/// Does what is asked for; returns whether all is as it must be.
pub(crate) fn torture(options: &Options) -> Result<bool> {
    let lab = Lab::new(options.lexmill.clone(), options.work.clone())?;
    let short = options.short;
    let minutes = options.minutes.or(short.then_some(1));
    let scenarios = if options.only.is_empty() { &ALL[..] } else { &options.only };
    let mut right = true;
    let mut table = "| scenario | what | times | wrong |\n| --- | --- | --- | --- |\n".to_owned();
    for &scenario in scenarios {
        let begun = Instant::now();
        let until = minutes.map(|minutes| begun + Duration::from_secs(60 * minutes));
        let extent = Extent { seed: options.seed, until };
        let name = format!("{scenario:?}").to_lowercase();
        say(&format!("{name} ..."));
        let kills = options.kills.unwrap_or(if short { 12 } else { 500 });
        let flips = options.flips.unwrap_or(if short { 150 } else { 2000 });
        let most = options.faults.unwrap_or(if short { 40 } else { usize::MAX });
        let outcome = match scenario {
            Scenario::Kills => kills::torture(&lab, kills, extent),
            Scenario::Faults => faults::torture(&lab, most, options.faults_done, extent),
            Scenario::Limits => limits::torture(&lab, extent),
            Scenario::Flips => flips::torture(&lab, flips, extent),
            Scenario::Others => others::torture(&lab),
        };
        let outcome = outcome.with_context(|| name.clone())?;
        right &= outcome.wrong.is_empty();
        for (what, times) in &outcome.done {
            table += &format!("| {name} | {what} | {times} | |\n");
        }
        let wrong = outcome.wrong.len();
        let seconds = begun.elapsed().as_secs();
        table += &format!("| {name} | in all, {seconds} s | | {wrong} |\n");
        for what in &outcome.skipped {
            table += &format!("| {name} | skipped: {what} | | |\n");
        }
        for what in &outcome.wrong {
            table += &format!("| {name} | WRONG: {} | | |\n", what.replace('\n', " "));
        }
    }
    say(&table);
    if right {
        lab.clear();
    }
    Ok(right)
}
