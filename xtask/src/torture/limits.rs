//! Too little of something: disk, file descriptors, address space, memory.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};

use super::lab::{Lab, one_clear_message, output, stderr};
use super::{Extent, Outcome};

/// Descriptors that a process may have.
const DESCRIPTORS: [u64; 12] = [5, 7, 9, 11, 13, 16, 20, 26, 34, 48, 64, 128];
/// Address space that a process may have, in MiB.
const ADDRESS_SPACE: [u64; 10] = [40, 80, 120, 160, 220, 300, 400, 600, 900, 1400];
/// Memory that the control group of a process may have, in MiB.
const MEMORY: [u64; 10] = [4, 8, 16, 24, 32, 48, 64, 128, 256, 512];
/// MiB that the program takes before it has done anything, with room to spare.
const PROGRAM: u64 = 64;
/// Of the space that all results take, in percent.
const DISK: [u64; 14] = [2, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 96, 100, 110];

/// Takes each away.
pub(crate) fn torture(lab: &Lab, extent: Extent) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let all = size_of_results(lab)?;
    for kind in [FileSystem::Memory, FileSystem::Image] {
        full_disk(lab, kind, all, extent, &mut outcome)?;
    }
    amounts_of("descriptors", &DESCRIPTORS, false, lab, extent, &mut outcome, |run, amount| {
        limited(lab, run, &format!("ulimit -n {amount}"), &[])
    });
    let what = "MiB of address space";
    amounts_of(what, &ADDRESS_SPACE, true, lab, extent, &mut outcome, |run, amount| {
        limited(lab, run, &format!("ulimit -v {}", amount << 10), &[])
    });
    let Some(group) = ControlGroup::new() else {
        outcome.skipped.push("memory: control groups can't be made here".to_owned());
        return Ok(outcome);
    };
    let enter = format!("echo $$ > {}", group.directory.join("cgroup.procs").display());
    let what = "MiB of memory in a control group";
    amounts_of(what, &MEMORY, true, lab, extent, &mut outcome, |run, amount| {
        group.limit(amount << 20)?;
        let output = limited(lab, run, &enter, &[])?;
        // It knows, and does not begin what it has no room for.
        let code = output.status.code();
        ensure!(code.is_some() || amount < PROGRAM, "the kernel ended it at {amount} MiB");
        Ok(output)
    });
    let what = "MiB of memory in a control group, with leave to take more";
    amounts_of(what, &MEMORY, true, lab, extent, &mut outcome, |run, amount| {
        group.limit(amount << 20)?;
        limited(lab, run, &enter, &["--memory", "4GiB"])
    });
    Ok(outcome)
}

/// Runs with each amount of something, by `start`; `may_end` says whether the process may be ended for want
/// of it.
fn amounts_of(
    what: &str,
    amounts: &[u64],
    may_end: bool,
    lab: &Lab,
    extent: Extent,
    outcome: &mut Outcome,
    start: impl Fn(&Path, u64) -> Result<Output>,
) {
    let (mut times, mut failed) = (0, 0);
    for &amount in amounts.iter().take_while(|_| !extent.is_over()) {
        let run = lab.directory();
        let checked = start(&run, amount).and_then(|disturbed| {
            failed += usize::from(!disturbed.status.success());
            match disturbed.status.code() {
                // Rust ends a program that gets no memory, and so does the kernel.
                None | Some(134) if may_end => lab.goes_on(&run),
                _ => lab.recovers(&run, &disturbed),
            }
        });
        times += 1;
        outcome.check(&format!("{amount} {what}"), checked);
        lab.forget(&run);
    }
    outcome.did(format!("amounts of {what}, of which {failed} were too little"), times);
}

/// A control group with a limit of memory, of either version.
struct ControlGroup {
    directory: PathBuf,
    file: &'static str,
}

impl ControlGroup {
    /// None if there can be none.
    fn new() -> Option<ControlGroup> {
        let name = format!("lexmill-torture-{}", std::process::id());
        let places =
            [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")];
        places.into_iter().find_map(|(root, file)| {
            let directory = Path::new(root).join(&name);
            std::fs::create_dir(&directory).ok()?;
            let group = ControlGroup { directory, file };
            group.directory.join(file).exists().then_some(group)
        })
    }

    fn limit(&self, bytes: u64) -> Result<()> {
        let path = self.directory.join(self.file);
        std::fs::write(&path, bytes.to_string()).with_context(|| format!("{path:?}"))
    }
}

impl Drop for ControlGroup {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir(&self.directory);
    }
}

/// Runs the pipeline after a command of the shell that limits it.
fn limited(lab: &Lab, run: &Path, by: &str, arguments: &[&str]) -> Result<Output> {
    let mut command = Command::new("sh");
    let script = format!("{by} && exec \"$0\" \"$@\"");
    command.args(["-c", &script]).arg(lab.program());
    command.args(["run", "p.toml", "--threads", "2", "--checkpoint-every", "0", "--dir"]).arg(run);
    command.args(arguments);
    lab.ready(&mut command);
    output(&mut command)
}

/// Bytes on disk of all that a run leaves.
fn size_of_results(lab: &Lab) -> Result<u64> {
    let run = lab.directory();
    let undisturbed = lab.run(&run, &["--threads", "2"], &[])?;
    ensure!(undisturbed.status.success(), "{}", stderr(&undisturbed));
    let mut all = 0;
    for name in lab.expected().keys() {
        // A file system gives whole pages.
        all += std::fs::metadata(run.join(name))?.len().next_multiple_of(4096);
    }
    lab.forget(&run);
    Ok(all)
}

/// Runs the pipeline on a file system of its own that is too small, then larger.
fn full_disk(
    lab: &Lab,
    kind: FileSystem,
    all: u64,
    extent: Extent,
    outcome: &mut Outcome,
) -> Result<()> {
    let (mut times, mut full) = (0, 0);
    for part in DISK {
        if extent.is_over() {
            break;
        }
        let run = lab.directory();
        std::fs::create_dir_all(&run)?;
        let Some(disk) = Disk::new(kind, &run, all * part / 100)? else {
            outcome.skipped.push(format!("full disk: {kind:?} can't be mounted here"));
            return Ok(());
        };
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
            disk.remount("ro")?;
            let refused = lab.run(&run, &["--threads", "2"], &[])?;
            one_clear_message(&refused)?;
            disk.grow(3 * all)?;
            lab.goes_on(&run)
        })();
        times += 1;
        outcome.check(&format!("{kind:?}, disk of {part} %"), checked);
        disk.end()?;
        lab.forget(&run);
    }
    outcome.did(format!("sizes of disk ({kind:?}), of which {full} were too small"), times);
    Ok(())
}

/// What a file system of limited size is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FileSystem {
    /// Memory: tmpfs.
    Memory,
    /// A file, by a loop device: ext4.
    Image,
}

/// A file system, mounted.
struct Disk {
    place: PathBuf,
    /// Of [`FileSystem::Image`].
    image: Option<PathBuf>,
}

impl Disk {
    /// What ext4 takes for itself, about, with as many inodes as are needed.
    const OWN: u64 = 512 << 10;

    /// Mounts one with room for `size` bytes; none if that can't be done here.
    fn new(kind: FileSystem, place: &Path, size: u64) -> Result<Option<Disk>> {
        let place = place.to_owned();
        if kind == FileSystem::Memory {
            let options = format!("size={size}");
            let mounted = run("mount", &["-t", "tmpfs", "-o", &options, "tmpfs"], &place)?;
            return Ok(mounted.then_some(Disk { place, image: None }));
        }
        let image = place.with_extension("image");
        std::fs::File::create(&image)?.set_len(size + Disk::OWN)?;
        let options = ["-q", "-m", "0", "-b", "1024", "-N", "1024", "-O", "^has_journal"];
        let made = run("mkfs.ext4", &options, &image);
        // The program may not be there.
        if !made.unwrap_or(false) || !Disk::attach(&image, &place)? {
            std::fs::remove_file(&image)?;
            return Ok(None);
        }
        Ok(Some(Disk { place, image: Some(image) }))
    }

    fn attach(image: &Path, place: &Path) -> Result<bool> {
        run("mount", &["-o", "loop", &image.to_string_lossy()], place)
    }

    fn remount(&self, option: &str) -> Result<()> {
        let mounted = run("mount", &["-o", &format!("remount,{option}")], &self.place)?;
        ensure!(mounted, "could not remount {:?} {option}", self.place);
        Ok(())
    }

    /// Makes it larger, and lets it be written to.
    fn grow(&self, size: u64) -> Result<()> {
        let Some(image) = &self.image else { return self.remount(&format!("rw,size={size}")) };
        ensure!(run("umount", &[], &self.place)?, "could not unmount {:?}", self.place);
        std::fs::File::options().write(true).open(image)?.set_len(size + Disk::OWN)?;
        // Asked for before a file system may be made larger.
        ensure!(run("e2fsck", &["-f", "-y"], image)?, "e2fsck found errors in {image:?}");
        ensure!(run("resize2fs", &[], image)?, "could not resize {image:?}");
        ensure!(Disk::attach(image, &self.place)?, "could not mount {image:?}");
        Ok(())
    }

    /// Takes it away.
    fn end(self) -> Result<()> {
        // Where something failed before, it may be gone already.
        run("umount", &[], &self.place)?;
        self.image.map_or(Ok(()), |image| Ok(std::fs::remove_file(image)?))
    }
}

/// Runs a program on a path; returns whether it ended well.
fn run(program: &str, arguments: &[&str], path: &Path) -> Result<bool> {
    let done =
        Command::new(program).args(arguments).arg(path).output().context(program.to_owned())?;
    Ok(done.status.success())
}
