//! Other processes: a second run, somebody who looks, somebody who deletes.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::Outcome;
use super::lab::{Lab, one_clear_message, output, stderr};

/// What is done to a run in a directory of its own.
type Disturbance = fn(&Lab, &Path) -> Result<()>;

/// Does all of it.
pub(crate) fn torture(lab: &Lab) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let scenarios: [(&str, Disturbance); 5] = [
        ("two runs at once: the second is refused", second_run),
        ("a run that is watched", watched),
        ("inputs deleted while a run reads them", deleted),
        ("a file system without locks", without_locks),
        ("locks left by the dead, and what others left in the way", left_over),
    ];
    for (name, scenario) in scenarios {
        let run = lab.directory();
        outcome.check(name, scenario(lab, &run));
        outcome.did(name, 1);
        lab.forget(&run);
    }
    Ok(outcome)
}

fn start(lab: &Lab, run: &Path) -> Result<Child> {
    let mut command = lab.command(run, &["--threads", "2", "--checkpoint-every", "0"]);
    Ok(command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?)
}

/// Waits until something is there.
fn wait_for(path: &Path, child: &mut Child) -> Result<()> {
    let begun = Instant::now();
    while !path.exists() {
        ensure!(child.try_wait()?.is_none(), "the run ended before {} was there", path.display());
        ensure!(begun.elapsed() < Duration::from_secs(60), "no {}", path.display());
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

fn second_run(lab: &Lab, run: &Path) -> Result<()> {
    let mut first = start(lab, run)?;
    wait_for(&run.join("tokens.partial"), &mut first)?;
    let id = first.id();
    let second = lab.run(run, &[], &[])?;
    let said = stderr(&second);
    ensure!(second.status.code() == Some(1), "the second was not refused: {said}");
    ensure!(said.contains(&format!("in use by process {id}")), "it does not say by whom: {said}");
    let first = first.wait_with_output()?;
    ensure!(first.status.success(), "the first suffered: {}", stderr(&first));
    lab.is_whole(run)
}

fn watched(lab: &Lab, run: &Path) -> Result<()> {
    let mut child = start(lab, run)?;
    wait_for(&run.join("tokens.partial"), &mut child)?;
    let mut looked = 0;
    while child.try_wait()?.is_none() {
        for arguments in [&["status"][..], &["status", "--json"], &["plan"]] {
            let mut command = Command::new(lab.program());
            command.args(&arguments[..1]).args(["p.toml", "--dir"]).arg(run).args(&arguments[1..]);
            lab.ready(&mut command);
            let seen = output(&mut command)?;
            ensure!(seen.status.success(), "{arguments:?}: {}", stderr(&seen));
            looked += 1;
        }
    }
    ensure!(looked > 10, "looked only {looked} times");
    let done = child.wait_with_output()?;
    ensure!(done.status.success(), "the run suffered: {}", stderr(&done));
    lab.is_whole(run)
}

fn deleted(lab: &Lab, run: &Path) -> Result<()> {
    // While later stages are at work, and in each of the earlier ones.
    for (stage, at) in
        [("tokens", "unique"), ("joined", "counts"), ("counts", "glove"), ("joined", "cbow")]
    {
        let mut child = start(lab, run)?;
        wait_for(&run.join(format!("{at}.partial")), &mut child)?;
        let folder = if stage == "counts" { "cells" } else { "shards" };
        let gone = std::fs::remove_dir_all(run.join(stage).join(folder));
        gone.with_context(|| format!("deleting {stage}"))?;
        let disturbed = child.wait_with_output()?;
        one_clear_message(&disturbed)?;
        // What was deleted is made again, and with it what it takes.
        let again = lab.run(run, &["--threads", "2"], &[])?;
        ensure!(again.status.success(), "after {stage}: {}", stderr(&again));
        lab.is_whole(run).with_context(|| format!("after {stage} was deleted"))?;
        lab.forget(run);
    }
    Ok(())
}

fn without_locks(lab: &Lab, run: &Path) -> Result<()> {
    let environment = [
        ("LD_PRELOAD", lab.faults()?),
        ("LEXMILL_FAULTS_ROOT", run.to_string_lossy().into_owned()),
        // "No locks available", as from NFS without a lock daemon.
        ("LEXMILL_FAULTS", "flock:37".to_owned()),
    ];
    let start = || -> Result<Child> {
        let mut command = lab.command(run, &["--threads", "2", "--checkpoint-every", "0"]);
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        Ok(command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?)
    };
    let mut first = start()?;
    wait_for(&run.join("unique.partial"), &mut first)?;
    let second = start()?.wait_with_output()?;
    let said = stderr(&second);
    ensure!(second.status.code() == Some(1), "the second was not refused: {said}");
    ensure!(said.contains(&format!("in use by process {}", first.id())), "by whom? {said}");
    // It dies, and its lock with it.
    first.kill()?;
    first.wait()?;
    let again = start()?.wait_with_output()?;
    ensure!(again.status.success(), "{}", stderr(&again));
    lab.is_whole(run)
}

fn left_over(lab: &Lab, run: &Path) -> Result<()> {
    std::fs::create_dir_all(run.join("tokens.partial"))?;
    std::fs::write(run.join(".lock"), "process 1 on elsewhere\n")?;
    std::fs::write(run.join("tokens.partial/lock"), "process 1 on elsewhere\n")?;
    std::fs::write(run.join(".status.json"), "{\"half")?;
    std::fs::write(run.join(".corpus-hashes.json"), "nonsense")?;
    std::fs::write(run.join(".history.jsonl"), "no line")?;
    let done = lab.run(run, &["--threads", "2"], &[])?;
    ensure!(done.status.success(), "{}", stderr(&done));
    lab.is_whole(run)
}
