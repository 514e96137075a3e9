//! Signals at random moments.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use lexmill_vocab::Random;

use super::lab::{Lab, send};
use super::{Extent, Outcome};

/// Of ten signals: the system's, a scheduler's, a person's.
const SIGNALS: [&str; 10] =
    ["KILL", "KILL", "KILL", "KILL", "KILL", "KILL", "TERM", "TERM", "INT", "INT"];
/// Runs at a time.
const AT_ONCE: usize = 2;

/// Disturbs so many runs, each once to three times.
pub(crate) fn torture(lab: &Lab, runs: u32, extent: Extent) -> Result<Outcome> {
    let (next, done) = (AtomicU32::new(0), AtomicUsize::new(0));
    let outcome = Mutex::new(Outcome::default());
    let places: Mutex<BTreeMap<String, usize>> = Mutex::default();
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= runs || extent.is_over() {
                return;
            }
            match disturb(lab, extent.seed, number) {
                Ok(killed_in) => {
                    let mut places = places.lock().expect("no holder panics");
                    for place in killed_in {
                        *places.entry(place).or_default() += 1;
                    }
                    done.fetch_add(1, Ordering::Relaxed);
                }
                Err(error) => {
                    let mut outcome = outcome.lock().expect("no holder panics");
                    outcome.check(&format!("run {number}"), Err(error));
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(work);
        }
    });
    let mut outcome = outcome.into_inner().expect("no holder panics");
    let runs = done.into_inner();
    outcome.did("runs that were disturbed and came to the same end", runs);
    for (place, times) in places.into_inner().expect("no holder panics") {
        outcome.did(place, times);
    }
    Ok(outcome)
}

/// Disturbs one run; returns where.
fn disturb(lab: &Lab, seed: u64, number: u32) -> Result<Vec<String>> {
    let mut random = Random::named(&[seed, 1, u64::from(number)]);
    let run = lab.directory();
    let mut places = Vec::new();
    for _ in 0..1 + random.below(3) {
        let threads = ["1", "2", "3", "8"][random.below(4) as usize];
        let memory = ["600MiB", "2GiB"][random.below(2) as usize];
        let signal = SIGNALS[random.below(10) as usize];
        // Two at once take longer than one alone.
        let wait = lab.whole().mul_f32(1.5 * random.unit_f32());
        let mut command = lab.command(&run, &["--threads", threads, "--memory", memory]);
        // With and without checkpoints wherever there can be one.
        command.args(["--checkpoint-every", ["0", "600"][random.below(2) as usize]]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        std::thread::sleep(wait);
        send(child.id(), signal);
        if random.below(4) == 0 {
            std::thread::sleep(Duration::from_millis(u64::from(random.below(30))));
            send(child.id(), signal);
        }
        let output = child.wait_with_output()?;
        let said = super::lab::stderr(&output);
        ensure!(!said.contains("panicked"), "a panic: {said}");
        let code = output.status.code();
        let right = match signal {
            "KILL" => code.is_none() || code == Some(0),
            "TERM" => code == Some(143) || code == Some(0) || code.is_none(),
            _ => code == Some(130) || code == Some(0) || code.is_none(),
        };
        ensure!(right, "{signal}: it ended with {code:?}: {said}");
        if code != Some(0) {
            places.push(format!("{signal} in {}", place(&run)));
        }
    }
    lab.goes_on(&run)?;
    lab.forget(&run);
    Ok(places)
}

/// The stage that is being made.
fn place(run: &std::path::Path) -> String {
    let entries = std::fs::read_dir(run).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut begun: Vec<String> =
        names.filter_map(|name| name.strip_suffix(".partial").map(str::to_owned)).collect();
    begun.sort();
    begun.pop().unwrap_or_else(|| "between stages".to_owned())
}
