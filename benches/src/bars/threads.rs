//! Text to a finished Parquet grid, two threads against one: wall time.
//!
//! Bar: at least 1.8 times as fast. Runs alternate, so that what changes on the machine meanwhile
//! meets both. Two separate runs of one thread at the same time show what the machine itself gives:
//! processors that share a cache, a core or a memory bus do not give twice.

use anyhow::{Result, bail};

use super::{COUNTS, common_rows};
use crate::child;
use crate::job::Job;
use crate::lab::Lab;
use crate::machine::processors;
use crate::report::{Report, Spread, bar, say, seconds, times};

const GAIN: f64 = 1.8;

/// Measures it.
pub(crate) fn measure(lab: &Lab) -> Result<Report> {
    if processors() < 2 {
        bail!("two threads need two processors; there is one");
    }
    let job = |name: &str, threads| {
        Ok::<_, anyhow::Error>(Job::reference(lab, name)?.threads(threads).to(COUNTS))
    };
    let (one, two, beside) = (job("threads-1", 1)?, job("threads-2", 2)?, job("threads-1b", 1)?);
    let fresh = |job: &Job| {
        job.clear()?;
        job.run()
    };
    fresh(&one)?;
    let (mut ones, mut twos, mut gains, mut machine) = (vec![], vec![], vec![], vec![]);
    for pair in 1..=lab.runs(5) {
        let (a, b) = (fresh(&one)?, fresh(&two)?);
        one.clear()?;
        beside.clear()?;
        let both = child::together(&mut [one.command(), beside.command()])?;
        let (alone, gain) = (a.wall, a.wall / b.wall);
        say(&format!("pair {pair}: {} and {}, {}", seconds(alone), seconds(b.wall), times(gain)));
        ones.push(a);
        twos.push(b);
        gains.push(gain);
        machine.push(2.0 * alone / both);
    }
    let mut report = Report::new();
    let gains = Spread::of(gains);
    let met = gains.median() >= GAIN;
    report.spread("wall, 1 thread / 2 threads", &gains, times, bar("≥ 1.8 ×", met));
    let name = "two 1-thread runs at once / one after the other";
    report.spread(name, &Spread::of(machine), times, String::new());
    common_rows(&mut report, ", 1 thread", &ones);
    common_rows(&mut report, ", 2 threads", &twos);
    for job in [one, two, beside] {
        job.clear()?;
    }
    Ok(report)
}
