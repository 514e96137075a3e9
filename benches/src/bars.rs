//! The bars: a module for each, with a function that measures it.

pub(crate) mod build;
pub(crate) mod counting;
pub(crate) mod embeddings;
pub(crate) mod glove;
pub(crate) mod identity;
pub(crate) mod known_scores;
pub(crate) mod memory;
pub(crate) mod noop;
pub(crate) mod peers;
pub(crate) mod scaling;
pub(crate) mod scores;
pub(crate) mod soak;
pub(crate) mod threads;
pub(crate) mod tokenize;
pub(crate) mod word2vec;
pub(crate) mod word2vec_identity;
pub(crate) mod word2vec_memory;
pub(crate) mod word2vec_scores;

use anyhow::Result;

use crate::child::Cost;
use crate::job::Job;
use crate::report::{Report, Spread, mebibytes, seconds};

/// The stage at whose end counting has ended.
const COUNTS: &str = "counts";
/// The stage that trains.
const GLOVE: &str = "glove";

/// Cells of the reference text at the reference settings.
const REFERENCE_CELLS: u64 = 29_244_718;
/// Its tokens.
const REFERENCE_TOKENS: u64 = 8_173_464;

/// A figure of each of some costs.
fn spread(costs: &[Cost], figure: impl Fn(&Cost) -> f64) -> Spread {
    Spread::of(costs.iter().map(figure))
}

/// Adds the rows that every measured program has.
fn common_rows(report: &mut Report, of: &str, costs: &[Cost]) {
    let mut row = |name: &str, figure: fn(&Cost) -> f64, show: fn(f64) -> String| {
        report.spread(&format!("{name}{of}"), &spread(costs, figure), show, String::new());
    };
    row("CPU", Cost::cpu, seconds);
    row("wall", |cost| cost.wall, seconds);
    row("peak memory", |cost| cost.peak_bytes as f64, mebibytes);
}

/// What epochs of GloVe cost by themselves: a run of `more` epochs less one of a single epoch, without
/// what reading the words and writing the model takes. `counts` must be done in the job's directory.
fn epochs(job: &Job, more: u32) -> Result<Epochs> {
    let train = |epochs: u32| {
        // A model of fewer epochs would be gone on with.
        job.clear_stage(GLOVE)?;
        job.clone().set("stages.glove.epochs", epochs).only(GLOVE).run()
    };
    let (one, many) = (train(1)?, train(more)?);
    let each = |figure: fn(&Cost) -> f64| (figure(&many) - figure(&one)) / f64::from(more - 1);
    Ok(Epochs {
        cpu: each(Cost::cpu),
        user: each(|cost| cost.user),
        wall: each(|cost| cost.wall),
        one,
        many,
    })
}

/// What epochs cost.
#[derive(Debug, Clone, Copy)]
struct Epochs {
    /// CPU seconds of an epoch, user and system.
    cpu: f64,
    /// User seconds of an epoch.
    user: f64,
    /// Seconds on the clock of an epoch.
    wall: f64,
    /// The whole run of one epoch.
    one: Cost,
    /// The whole run of several.
    many: Cost,
}

/// A count beside what it should be.
fn expected(found: u64, expected: u64) -> String {
    crate::report::bar(&format!("= {}", crate::report::thousands(expected)), found == expected)
}
