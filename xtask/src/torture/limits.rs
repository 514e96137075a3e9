//! Too little of something: disk, file descriptors, address space.

use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};

use super::lab::{Lab, one_clear_message, output, stderr};
use super::{Extent, Outcome};

/// Descriptors that a process may have.
const DESCRIPTORS: [u32; 12] = [5, 7, 9, 11, 13, 16, 20, 26, 34, 48, 64, 128];
/// Address space that a process may have, in MiB.
const ADDRESS_SPACE: [u32; 10] = [40, 80, 120, 160, 220, 300, 400, 600, 900, 1400];
/// Of the space that all results take, in percent.
const DISK: [u64; 14] = [2, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 96, 100, 110];

/// Takes each away.
pub(crate) fn torture(lab: &Lab, extent: Extent) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    full_disk(lab, extent, &mut outcome)?;
    for (what, flag, amounts) in [
        ("descriptors", "-n", DESCRIPTORS.to_vec()),
        ("MiB of address space", "-v", ADDRESS_SPACE.to_vec()),
    ] {
        let (mut times, mut failed) = (0, 0);
        for &amount in amounts.iter().take_while(|_| !extent.is_over()) {
            let number = if flag == "-v" { u64::from(amount) << 10 } else { u64::from(amount) };
            let run = lab.directory();
            let disturbed = limited(lab, &run, flag, number)?;
            times += 1;
            failed += usize::from(!disturbed.status.success());
            let checked = match (flag, disturbed.status.code()) {
                // Rust ends a program that gets no memory.
                ("-v", None | Some(134)) => lab.goes_on(&run),
                _ => lab.recovers(&run, &disturbed),
            };
            outcome.check(&format!("{amount} {what}"), checked);
            lab.forget(&run);
        }
        outcome.did(format!("amounts of {what}, of which {failed} were too little"), times);
    }
    Ok(outcome)
}

/// Runs the pipeline with a limit of the shell's.
fn limited(lab: &Lab, run: &Path, flag: &str, amount: u64) -> Result<Output> {
    let mut command = Command::new("sh");
    let script = format!("ulimit {flag} {amount} && exec \"$0\" \"$@\"");
    command.args(["-c", &script]).arg(lab.program());
    command.args(["run", "p.toml", "--threads", "2", "--checkpoint-every", "0", "--dir"]).arg(run);
    lab.ready(&mut command);
    output(&mut command)
}

/// Runs the pipeline on a file system of its own that is too small, then larger.
fn full_disk(lab: &Lab, extent: Extent, outcome: &mut Outcome) -> Result<()> {
    let mut all = 0;
    let run = lab.directory();
    let undisturbed = lab.run(&run, &["--threads", "2"], &[])?;
    ensure!(undisturbed.status.success(), "{}", stderr(&undisturbed));
    for name in lab.expected().keys() {
        // A file system gives whole pages.
        all += std::fs::metadata(run.join(name))?.len().next_multiple_of(4096);
    }
    lab.forget(&run);
    let (mut times, mut full) = (0, 0);
    for part in DISK {
        if extent.is_over() {
            break;
        }
        let run = lab.directory();
        std::fs::create_dir_all(&run)?;
        let size = all * part / 100;
        if !mount(&run, &["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])? {
            outcome.skipped.push("full disk: file systems can't be mounted here".to_owned());
            return Ok(());
        }
        let checked = (|| {
            // What is begun is gone on with however small the disk; else it would be refused.
            std::fs::create_dir(run.join("tokens.partial"))?;
            let disturbed = lab.run(&run, &["--threads", "2"], &[])?;
            one_clear_message(&disturbed)?;
            if !disturbed.status.success() {
                full += 1;
                let said = stderr(&disturbed);
                ensure!(
                    said.contains("No space left") && said.contains("free some space"),
                    "it does not say what is wrong: {said}"
                );
            }
            // And no room to change anything: what is there can still be looked at.
            ensure!(mount(&run, &["-o", "remount,ro"])?, "could not remount");
            let refused = lab.run(&run, &["--threads", "2"], &[])?;
            one_clear_message(&refused)?;
            ensure!(
                mount(&run, &["-o", &format!("remount,rw,size={}", 3 * all)])?,
                "could not remount"
            );
            lab.goes_on(&run)
        })();
        times += 1;
        outcome.check(&format!("disk of {part} %"), checked);
        let unmounted = Command::new("umount").arg(&run).status().context("umount")?;
        ensure!(unmounted.success(), "could not unmount {}", run.display());
        lab.forget(&run);
    }
    outcome.did(format!("sizes of disk, of which {full} were too small"), times);
    Ok(())
}

/// Mounts something; returns whether that can be done here.
fn mount(place: &Path, arguments: &[&str]) -> Result<bool> {
    let done = Command::new("mount").args(arguments).arg(place).output().context("mount")?;
    Ok(done.status.success())
}
