//! Bits that flip in a finished run.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};
use lexmill_vocab::Random;

use super::lab::{Lab, one_clear_message, stderr};
use super::{Extent, Outcome};

/// Every so many flips, a run with other settings is to make something of the damaged one.
const USED_EVERY: u32 = 20;
/// Fields that are changed for that: two trainers and what reads from them are made again.
const CHANGE: [&str; 4] = ["--set", "stages.glove.epochs=2", "--set", "stages.cbow.epochs=2"];

/// Flips so many bits, one at a time.
pub(crate) fn torture(lab: &Lab, flips: u32, extent: Extent) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let (run, other) = (lab.directory(), lab.directory());
    // Hashes of young files are not remembered.
    for entry in std::fs::read_dir(lab.path("corpus"))?.flatten() {
        let file = std::fs::File::options().write(true).open(entry.path())?;
        file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(60))?;
    }
    let done = lab.run(&run, &["--threads", "2"], &[])?;
    ensure!(done.status.success(), "{}", stderr(&done));
    copy(&run, &other)?;
    let changed = lab.run(&other, &CHANGE, &[])?;
    ensure!(changed.status.success(), "{}", stderr(&changed));
    let mut files = files_below(&run)?;
    // A lock that nobody holds has no bit that could flip.
    files.retain(|path| std::fs::metadata(path).is_ok_and(|found| found.len() > 0));
    let lengths: Vec<u64> =
        files.iter().map(|path| Ok(std::fs::metadata(path)?.len())).collect::<Result<_>>()?;
    let all: u64 = lengths.iter().sum();
    let mut random = Random::named(&[extent.seed, 2]);
    let (mut found, mut used) = (0, 0);
    for number in 0..flips {
        if extent.is_over() {
            break;
        }
        // Half by files, so that small ones have their share; half by bytes.
        let mut at = u64::from(random.below(u32::MAX)) * all / u64::from(u32::MAX);
        let by_bytes = lengths.iter().position(|&length| {
            let here = at < length;
            at = at.saturating_sub(length);
            here
        });
        let chosen = match number % 2 {
            0 => random.below(files.len() as u32) as usize,
            _ => by_bytes.unwrap_or(0),
        };
        let path = &files[chosen];
        let whole = std::fs::read(path)?;
        let mut bent = whole.clone();
        bent[random.below(whole.len() as u32) as usize] ^= 1 << random.below(8);
        std::fs::write(path, &bent)?;
        let checked = (|| {
            let verified = lab.verify(&run)?;
            let said = String::from_utf8_lossy(&verified.stdout).into_owned();
            ensure!(verified.status.code() == Some(1), "verify found nothing");
            let name = path.strip_prefix(&run)?.to_string_lossy();
            ensure!(said.contains(&*name), "verify does not name it: {said}");
            if number % USED_EVERY == 0 {
                used += 1;
                use_damaged(lab, &run, &other)?;
            }
            Ok(())
        })();
        found += usize::from(checked.is_ok());
        outcome.check(&format!("flip {number} in {path:?}"), checked);
        std::fs::write(path, &whole)?;
    }
    outcome.did("bits that flipped, and were found and named by verify", found);
    outcome.did("of these, runs that were to go on from the damage", used);
    outcome.did("files they were in", files.len());
    lab.forget(&run);
    lab.forget(&other);
    Ok(outcome)
}

/// A run that goes on from damage must fail, or end with what it would have without.
fn use_damaged(lab: &Lab, run: &Path, right: &Path) -> Result<()> {
    let copied = lab.directory();
    copy(run, &copied)?;
    let output = lab.run(&copied, &CHANGE, &[])?;
    one_clear_message(&output)?;
    if output.status.success() {
        // What was damaged and not made again is not used: compare what was.
        for stage in ["glove", "cbow", "vectors", "scores"] {
            for path in files_below(&right.join(stage))? {
                let name = path.strip_prefix(right)?;
                let there = std::fs::read(copied.join(name)).unwrap_or_default();
                ensure!(there == std::fs::read(&path)?, "{name:?} is another, and nobody said so");
            }
        }
    } else {
        let said = stderr(&output);
        ensure!(said.contains("damaged") || said.contains("can't be used"), "unclear: {said}");
    }
    lab.forget(&copied);
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let done = Command::new("cp").arg("-a").arg(from).arg(to).status()?;
    ensure!(done.success(), "could not copy {}", from.display());
    Ok(())
}

/// Every file below a directory, in order.
fn files_below(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => files.extend(files_below(&entry.path())?),
            false => files.push(entry.path()),
        }
    }
    files.sort();
    Ok(files)
}
