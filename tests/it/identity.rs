//! The same bytes, whatever the threads, the memory and the interruptions.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::lab::{Killing, Lab, SMALL, slow};

#[test]
fn threads_do_not_show() {
    let lab = Lab::small();
    lab.run("run p.toml --dir one --threads 1").done();
    let one = lab.tables("one");
    // Tokens and words of four shards or more, 64 shards of counts and their words, and the rest.
    assert!(one.len() > 4 + 4 + 1 + 64 + 1 + 2 + 3, "{one:?}");
    for threads in [2, 3, 8] {
        lab.run(&format!("run p.toml --dir n{threads} --threads {threads}")).done();
        assert_eq!(lab.tables(&format!("n{threads}")), one, "{threads} threads");
    }
}

#[test]
fn memory_and_checkpoints_do_not_show() {
    let lab = Lab::small();
    lab.run("run p.toml --dir a --memory 64MiB").done();
    let tables = lab.tables("a");
    for (run, flags) in [
        ("b", "--memory 1GiB"),
        ("c", "--memory 4GiB --checkpoint-every 0"),
        ("d", "--checkpoint-epochs 1 --threads 3"),
    ] {
        lab.run(&format!("run p.toml --dir {run} {flags}")).done();
        assert_eq!(lab.tables(run), tables, "{flags}");
    }
}

/// Each thread writes 64 shards at once: on a machine of many processors that is more than a process may open.
#[test]
fn many_threads_do_with_few_open_files() {
    let lab = Lab::small();
    lab.run("run p.toml --dir one --to counts --threads 1").done();
    let mut limited = Command::new("sh");
    let script = "ulimit -n 256 && exec \"$0\" run p.toml --dir many --to counts --threads 24";
    limited.args(["-c", script, env!("CARGO_BIN_EXE_lexmill")]).current_dir(lab.path(""));
    assert!(limited.output().unwrap().status.success());
    assert_eq!(lab.tables("many"), lab.tables("one"));
}

/// So many tokens that little memory takes the corpus in several runs, written out and merged.
#[test]
fn counting_in_several_runs_does_not_show() {
    let lab = Lab::new();
    let pipeline = SMALL
        .replace("\"64KiB\"", "\"1MiB\"\nsegmenter = \"whitespace\"\nnormalization = \"none\"");
    lab.write("p.toml", pipeline);
    lab.corpus("corpus/a.txt", 1, 1_300_000);
    lab.corpus("corpus/b.txt", 2, 1_300_000);
    let to = if slow() { "vectors" } else { "counts" };
    let mut first = BTreeMap::new();
    for (memory, threads, spills) in [("64MiB", 2, true), ("64MiB", 1, true), ("4GiB", 2, false)] {
        let run = format!("m{memory}t{threads}");
        let args =
            format!("run p.toml --dir {run} --to {to} --memory {memory} --threads {threads}");
        let mut child = lab.start(&args, "log");
        let mut runs = 0;
        let status = loop {
            if let Ok(found) = std::fs::read_dir(lab.path(&format!("{run}/counts.partial/runs"))) {
                runs = runs.max(found.count());
            }
            match child.try_wait().unwrap() {
                Some(status) => break status,
                None => std::thread::sleep(Duration::from_millis(1)),
            }
        };
        assert!(status.success(), "{}", std::fs::read_to_string(lab.path("log")).unwrap());
        // The test is about something: there were runs exactly where memory was short.
        assert_eq!(runs > 1, spills, "{runs} runs with {memory}");
        assert!(lab.report(&format!("{run}/tokens"), "tokens") > 2_500_000);
        let tables = lab.tables(&run);
        if first.is_empty() {
            first = tables;
        } else {
            assert_eq!(tables, first, "{memory}, {threads} threads");
        }
    }
}

/// The threads and flags that killed runs are started with.
const THREADS: &[u32] = &[1, 2, 3, 8];
const FLAGS: &[&str] =
    &["--memory 64MiB --checkpoint-every 0", "--memory 1GiB --checkpoint-every 0"];

#[test]
fn kills_do_not_show() {
    let lab = Lab::small();
    // Half of the time is training, a checkpoint a stratum.
    lab.write("p.toml", SMALL.replace("epochs = 3", "epochs = 6"));
    let begun = Instant::now();
    lab.run("run p.toml --dir straight --checkpoint-every 0").done();
    let longest = begun.elapsed().mul_f32(0.7);
    let straight = lab.tables("straight");
    let kills = if slow() { 100 } else { 15 };
    let killing = Killing { lab: &lab, seed: 1, threads: THREADS, flags: FLAGS, longest, kills };
    let log = killing.until_done(
        |_| (),
        |run| {
            assert_eq!(lab.tables(run), straight, "{run}");
            let rest: Vec<_> = std::fs::read_dir(lab.path(run)).unwrap().flatten().collect();
            let rest = rest.iter().map(|entry| entry.file_name().to_string_lossy().into_owned());
            let rest: Vec<_> =
                rest.filter(|n| n.ends_with(".partial") || n.ends_with(".old")).collect();
            assert!(rest.is_empty(), "{rest:?}");
        },
    );
    // Work was taken up, also in the middle of training.
    assert!(log.contains(": goes on where it stopped\n"), "{log}");
    assert!(log.contains("  goes on after "), "{log}");
}

#[test]
fn kills_while_a_corpus_grows_do_not_show() {
    let lab = Lab::small();
    lab.run("run p.toml --dir base").done();
    lab.corpus("corpus/b.txt", 9, 4_000);
    let begun = Instant::now();
    lab.run("run p.toml --dir straight --checkpoint-every 0").done();
    let longest = begun.elapsed().mul_f32(0.7);
    let straight = lab.tables("straight");
    let begin = |run: &str| {
        let mut copy = Command::new("cp");
        let status = copy.args(["-a", "base", run]).current_dir(lab.path("")).status().unwrap();
        assert!(status.success());
    };
    // What is killed below is growth.
    begin("grown");
    let grown = lab.run("run p.toml --dir grown").done();
    assert!(grown.stderr.contains("took over the earlier counts"), "{}", grown.stderr);
    let kills = if slow() { 100 } else { 10 };
    let killing = Killing { lab: &lab, seed: 2, threads: THREADS, flags: FLAGS, longest, kills };
    killing.until_done(begin, |run| assert_eq!(lab.tables(run), straight, "{run}"));
}
