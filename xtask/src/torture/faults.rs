//! Errors of storage calls, death before each of them, and power cuts.
//!
//! Every call that opens, reads, writes, syncs, renames, links or removes something in the run directory
//! is counted (see `lexmill-faults`, which is preloaded into the unchanged program), then each is made to
//! fail in turn.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, ensure};

use super::lab::Lab;
use super::{Extent, Outcome};
use crate::say;

/// Runs at a time.
const AT_ONCE: usize = 2;
/// Faults between two lines that tell how many there were.
const TOLD: usize = 500;

/// A storage call, as it was noted.
#[derive(Debug, Clone)]
struct Call {
    number: u64,
    name: String,
    /// Where in the program it is made, as the preloaded library tells places apart.
    code: String,
    path: PathBuf,
    /// Where it goes, if it renames or links.
    to: Option<PathBuf>,
}

/// What is done to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    /// It fails as with a full disk.
    NoSpace,
    /// It fails as with a broken disk.
    Broken,
    /// It fails for want of file descriptors.
    NoDescriptors,
    /// It is not allowed.
    Denied,
    /// Half is written.
    Short,
    /// The process dies before it.
    Kill,
    /// The power fails before it: what was not synced has no content.
    PowerCutContent,
    /// The power fails before it: what was not synced has neither content nor name.
    PowerCutNames,
}

impl Fault {
    const ALL: [Fault; 8] = [
        Fault::NoSpace,
        Fault::Broken,
        Fault::NoDescriptors,
        Fault::Denied,
        Fault::Short,
        Fault::Kill,
        Fault::PowerCutContent,
        Fault::PowerCutNames,
    ];

    /// As the preloaded library takes it.
    fn code(self) -> &'static str {
        match self {
            Fault::NoSpace => "28",
            Fault::Broken => "5",
            Fault::NoDescriptors => "24",
            Fault::Denied => "13",
            Fault::Short => "short",
            Fault::Kill | Fault::PowerCutContent | Fault::PowerCutNames => "kill",
        }
    }

    /// Whether a call can end so.
    fn befalls(self, call: &str) -> bool {
        let reads = ["read", "pread64", "open"].contains(&call);
        match self {
            Fault::NoSpace => ["write", "pwrite64", "create", "mkdir", "rename", "fsync", "linkat"]
                .contains(&call),
            Fault::Broken => true,
            Fault::NoDescriptors => ["open", "create"].contains(&call),
            Fault::Denied => {
                ["open", "create", "mkdir", "rename", "unlink", "unlinkat", "rmdir", "flock"]
                    .contains(&call)
            }
            Fault::Short => call == "write",
            // Between two reads nothing has changed.
            Fault::Kill | Fault::PowerCutContent | Fault::PowerCutNames => !reads,
        }
    }
}

/// Has up to `most` calls fail with each kind of fault: first one at every site with every kind that befalls
/// it, then the last one at each, then those in between. `before` of them are passed over.
pub(crate) fn torture(lab: &Lab, most: usize, before: usize, extent: Extent) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let library = lab.faults()?;
    let calls = calls(lab, &library)?;
    outcome.did("storage calls of an undisturbed run", calls.len());
    let sites: HashSet<String> = calls.iter().map(site).collect();
    outcome.did("call sites among them", sites.len());
    let mut todo = Vec::new();
    let mut pairs = 0;
    for fault in Fault::ALL {
        let fit: Vec<&Call> = calls.iter().filter(|call| fault.befalls(&call.name)).collect();
        let rounds = rounds(&fit);
        pairs += rounds.iter().filter(|(round, _)| *round == 0).count();
        todo.extend(rounds.into_iter().take(most).map(|(round, call)| (round, fault, call)));
    }
    todo.sort_by_key(|&(round, ..)| round);
    let next = AtomicUsize::new(before);
    let found = Mutex::new((outcome, BTreeMap::<Fault, (usize, usize)>::new()));
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number > before && number.is_multiple_of(TOLD) {
                say(&format!("{number} of {} faults", todo.len()));
            }
            let Some(&(_, fault, call)) = todo.get(number).filter(|_| !extent.is_over()) else {
                return;
            };
            let disturbed = disturb(lab, &library, fault, call);
            let mut found = found.lock().expect("no holder panics");
            let (times, failed) = found.1.entry(fault).or_default();
            *times += 1;
            *failed += usize::from(*disturbed.as_ref().unwrap_or(&false));
            let name = format!("{fault:?} at {} {} {:?}", call.number, call.name, call.path);
            found.0.check(&name, disturbed.map(|_| ()));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(work);
        }
    });
    let (mut outcome, times) = found.into_inner().expect("no holder panics");
    let done: usize = before + times.values().map(|(times, _)| times).sum::<usize>();
    let met = todo.iter().take(done).filter(|(round, ..)| *round == 0).count();
    outcome.did(format!("of {pairs}: sites with a fault that can befall them, met"), met);
    outcome.did(format!("of {}: faults, those of earlier goes included", todo.len()), done);
    for (fault, (times, failed)) in times {
        outcome
            .did(format!("{fault:?}: {failed} did not end well, the others did without it"), times);
    }
    Ok(outcome)
}

/// The storage calls of a run on one thread.
fn calls(lab: &Lab, library: &str) -> Result<Vec<Call>> {
    let (run, log) = (lab.directory(), lab.path("calls"));
    let _gone = std::fs::remove_file(&log);
    let environment = environment(library, &run, &log, None);
    let environment: Vec<(&str, &str)> =
        environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let output = lab.run(&run, &["--threads", "1"], &environment)?;
    ensure!(output.status.success(), "{}", super::lab::stderr(&output));
    lab.is_whole(&run)?;
    lab.forget(&run);
    read_log(&log)
}

fn environment(
    library: &str,
    run: &Path,
    log: &Path,
    fault: Option<(u64, &str)>,
) -> Vec<(&'static str, String)> {
    let mut all = vec![
        ("LD_PRELOAD", library.to_owned()),
        ("LEXMILL_FAULTS_ROOT", run.to_string_lossy().into_owned()),
        ("LEXMILL_FAULTS_LOG", log.to_string_lossy().into_owned()),
    ];
    all.extend(fault.map(|(number, code)| ("LEXMILL_FAULTS", format!("{number}:{code}"))));
    all
}

fn read_log(log: &Path) -> Result<Vec<Call>> {
    let text = std::fs::read(log)?;
    let text = String::from_utf8_lossy(&text);
    let call = |line: &str| -> Option<Call> {
        let mut fields = line.split('\t');
        Some(Call {
            number: fields.next()?.parse().ok()?,
            name: fields.next()?.to_owned(),
            code: fields.next()?.to_owned(),
            path: PathBuf::from(fields.next()?),
            to: fields.next().map(PathBuf::from),
        })
    };
    let mut calls: Vec<Call> = text.lines().filter_map(call).collect();
    ensure!(!calls.is_empty(), "no storage call was seen: is {} read?", log.display());
    calls.sort_by_key(|call| call.number);
    Ok(calls)
}

/// A call site: the place in the program, and the kind of file.
fn site(call: &Call) -> String {
    let path = call.path.to_string_lossy();
    let below = path.split("/run-").nth(1).and_then(|rest| rest.split_once('/'));
    let kind: String = below
        .map_or("", |(_, rest)| rest)
        .split(|c: char| c.is_ascii_hexdigit())
        .filter(|part| !part.is_empty())
        .collect();
    format!("{} {} {kind}", call.name, call.code)
}

/// All calls in rounds: the first of each site, then the last, then those in between.
fn rounds<'a>(calls: &[&'a Call]) -> Vec<(usize, &'a Call)> {
    let mut sites: BTreeMap<String, Vec<&Call>> = BTreeMap::new();
    for &call in calls {
        sites.entry(site(call)).or_default().push(call);
    }
    let mut all = Vec::with_capacity(calls.len());
    let mut round = 0;
    while all.len() < calls.len() {
        for of_site in sites.values_mut().filter(|of_site| !of_site.is_empty()) {
            let place = match round {
                0 => 0,
                1 => of_site.len() - 1,
                _ => of_site.len() / 2,
            };
            all.push((round, of_site.remove(place)));
        }
        round += 1;
    }
    all
}

/// Disturbs one call; returns whether that kept the command from ending well.
fn disturb(lab: &Lab, library: &str, fault: Fault, call: &Call) -> Result<bool> {
    let run = lab.directory();
    let log = run.with_extension("calls");
    let environment = environment(library, &run, &log, Some((call.number, fault.code())));
    let environment: Vec<(&str, &str)> =
        environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let output = lab.run(&run, &["--threads", "1"], &environment)?;
    match fault {
        Fault::Kill => lab.goes_on(&run)?,
        Fault::PowerCutContent | Fault::PowerCutNames => {
            lose(&read_log(&log)?, fault == Fault::PowerCutNames)?;
            let again = lab.run(&run, &["--threads", "2"], &[])?;
            ensure!(
                again.status.success(),
                "going on after a power cut failed: {}",
                super::lab::stderr(&again)
            );
            lab.is_whole(&run)?;
        }
        _ => lab.recovers(&run, &output)?,
    }
    let _gone = std::fs::remove_file(&log);
    lab.forget(&run);
    Ok(!output.status.success())
}

/// Takes away what a power cut after these calls may take: the content of files that were not synced;
/// with `names` also the names that were given since their directory was synced.
fn lose(calls: &[Call], names: bool) -> Result<()> {
    let mut unsynced: BTreeSet<PathBuf> = BTreeSet::new();
    // A name, and of a renamed directory the name before.
    let mut given: Vec<(PathBuf, Option<PathBuf>)> = Vec::new();
    // The last call was not made.
    for call in &calls[..calls.len() - 1] {
        let path = &call.path;
        match (call.name.as_str(), &call.to) {
            ("write" | "pwrite64" | "ftruncate64", _) => _ = unsynced.insert(path.clone()),
            ("fsync" | "fdatasync", _) => {
                unsynced.remove(path);
                given.retain(|(name, _)| name.parent() != Some(path));
            }
            ("create" | "mkdir", _) => given.push((path.clone(), None)),
            ("linkat", Some(to)) => given.push((to.clone(), None)),
            ("rename", Some(to)) => {
                let moved = |name: &Path| match name.strip_prefix(path) {
                    Ok(rest) if rest.as_os_str().is_empty() => to.clone(),
                    Ok(rest) => to.join(rest),
                    Err(_) => name.to_owned(),
                };
                unsynced = unsynced.iter().map(|name| moved(name)).collect();
                given.retain(|(name, _)| name != path && name != to);
                for (name, _) in &mut given {
                    *name = moved(name);
                }
                given.push((to.clone(), to.is_dir().then(|| path.clone())));
            }
            ("unlink" | "unlinkat" | "rmdir", _) => {
                unsynced.remove(path);
                given.retain(|(name, _)| name != path);
            }
            _ => {}
        }
    }
    for path in unsynced.iter().filter(|path| path.is_file()) {
        let file = std::fs::File::options().write(true).open(path)?;
        file.set_len(0).with_context(|| format!("{path:?}"))?;
    }
    if !names {
        return Ok(());
    }
    // Names of files first: those of directories change what files are called.
    let (directories, files): (Vec<_>, Vec<_>) =
        given.into_iter().partition(|(name, _)| name.is_dir());
    for (name, _) in files.iter().filter(|(name, _)| name.exists()) {
        std::fs::remove_file(name)?;
    }
    for (name, before) in directories.into_iter().rev() {
        match before {
            Some(before) if name.is_dir() && !before.exists() => std::fs::rename(&name, before)?,
            _ if name.is_dir() => std::fs::remove_dir_all(&name)?,
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_power_cut_takes_what_was_not_synced_and_nothing_else() -> Result<()> {
        let base = std::env::temp_dir().join(format!("lexmill-power-cut-{}", std::process::id()));
        for names in [false, true] {
            let path = |name: &str| base.join(name);
            std::fs::create_dir_all(path("stage"))?;
            for name in ["stage/synced", "stage/unsynced", "stage/late"] {
                std::fs::write(path(name), "content")?;
            }
            let call = |name: &str, from: &str, to: Option<&str>| Call {
                number: 0,
                name: name.to_owned(),
                code: String::new(),
                path: path(from),
                to: to.map(path),
            };
            let calls = [
                call("mkdir", "stage.partial", None),
                call("fsync", "", None),
                call("create", "stage.partial/.synced.tmp", None),
                call("write", "stage.partial/.synced.tmp", None),
                call("fsync", "stage.partial/.synced.tmp", None),
                call("rename", "stage.partial/.synced.tmp", Some("stage.partial/synced")),
                call("create", "stage.partial/unsynced", None),
                call("write", "stage.partial/unsynced", None),
                call("fsync", "stage.partial", None),
                call("create", "stage.partial/late", None),
                call("write", "stage.partial/late", None),
                call("fsync", "stage.partial/late", None),
                call("rename", "stage.partial", Some("stage")),
                // Not made any more.
                call("fsync", "", None),
            ];
            // A joined empty name ends a path with a slash.
            let whole = |call: Call| Call { path: call.path.components().collect(), ..call };
            let calls: Vec<Call> = calls.into_iter().map(whole).collect();
            lose(&calls, names)?;
            let stage = if names { "stage.partial" } else { "stage" };
            let read = |name: &str| std::fs::read_to_string(path(&format!("{stage}/{name}")));
            assert_eq!(read("synced")?, "content");
            assert_eq!(read("unsynced")?, "");
            assert_eq!(read("late").ok().as_deref(), (!names).then_some("content"));
            std::fs::remove_dir_all(&base)?;
        }
        Ok(())
    }
}
