//! Phrases: two passes, from text to counts.

use std::time::Instant;

use lexmill_store::table::TableReader;

use crate::lab::{Killing, Lab, slow};

const CHAIN: &str = r#"
name = "phrases"

[stages.tokens]
kind = "tokenize"
input = ["corpus/*.txt"]
shard_bytes = "64KiB"

[stages.pairs]
kind = "phrases"
tokens = "tokens"
threshold = 5

[stages.phrases]
kind = "phrases"
tokens = "pairs"
score = "npmi"
threshold = 0.6

[stages.words]
kind = "vocabulary"
tokens = "phrases"
min_count = 3

[stages.counts]
kind = "count"
tokens = "phrases"
vocabulary = "words"
window = 4
"#;

/// A corpus in which a phrase of four words stands now and then.
fn lab() -> Lab {
    let lab = Lab::new();
    lab.write("p.toml", CHAIN);
    for (seed, name) in (1..).zip(["a", "b", "c"]) {
        let text = crate::lab::text(seed, 20_000);
        let text = text.replace(" ke ", " the new york times ");
        lab.write(&format!("corpus/{name}.txt"), text);
    }
    lab
}

fn phrases(lab: &Lab, stage: &str) -> Vec<String> {
    let path = lab.path(stage).join("phrases.parquet");
    let mut phrases = Vec::new();
    for batch in TableReader::open(&path, Some(&["phrase"]), 1000).unwrap() {
        phrases.extend(batch.unwrap().text("phrase").unwrap().iter().map(str::to_owned));
    }
    phrases
}

#[test]
fn two_passes_join_four_words() {
    let lab = lab();
    let outcome = lab.run("run p.toml --dir r").done();
    assert_eq!(outcome.ran(), ["tokens", "pairs", "phrases", "words", "counts"]);
    for part in ["times two words were joined; first come", " phrases, "] {
        assert!(outcome.stderr.contains(part), "{part:?} is not in\n{}", outcome.stderr);
    }
    assert!(outcome.stdout.contains("r/phrases/phrases.parquet\n"), "{}", outcome.stdout);
    let found = phrases(&lab, "r/phrases");
    assert!(found.contains(&"the_new_york_times".to_owned()), "{found:?}");
    // Nothing is lost: what was joined comes apart into the text that was there.
    let apart = |stage: &str| -> Vec<Vec<String>> {
        let whole = lab.documents(stage).into_iter();
        whole.map(|d| d.iter().flat_map(|w| w.split('_')).map(str::to_owned).collect()).collect()
    };
    let documents = lab.documents("r/tokens");
    assert_eq!(apart("r/pairs"), documents);
    assert_eq!(apart("r/phrases"), documents);
    let (before, after) = (lab.report("r/pairs", "tokens_before"), lab.report("r/pairs", "tokens"));
    assert_eq!(before, lab.report("r/tokens", "tokens"));
    assert_eq!(before - after, lab.report("r/pairs", "joined"));
    // Where counts came from can be told.
    let made = &lab.manifest("r/counts").report["made_from"]["tokens"];
    assert_eq!(made["stage"], "phrases");
    assert_eq!(made["made_from"]["made_from"]["stage"], "tokenize");
    // Nothing to do; then a setting that changes what is joined, and one that does not.
    assert!(lab.run("run p.toml --dir r").done().ran().is_empty());
    let again = lab.run("run p.toml --dir r --set stages.pairs.threshold=5.0001").done();
    assert_eq!(again.ran(), ["pairs"]);
    let again = lab.run("run p.toml --dir r --set stages.phrases.min_count=99999").done();
    assert_eq!(again.ran(), ["pairs", "phrases", "words", "counts"]);
}

#[test]
fn a_grown_corpus_gives_the_bytes_of_a_full_run() {
    let lab = lab();
    lab.run("run p.toml --dir r").done();
    lab.corpus("corpus/d.txt", 9, 4_000);
    lab.run("run p.toml --dir r").done();
    lab.run("run p.toml --dir fresh").done();
    assert_eq!(lab.tables("r"), lab.tables("fresh"));
}

#[test]
fn threads_memory_and_kills_do_not_show() {
    let lab = lab();
    let begun = Instant::now();
    lab.run("run p.toml --dir straight --threads 1").done();
    let longest = begun.elapsed();
    let straight = lab.tables("straight");
    lab.run("run p.toml --dir other --threads 3 --memory 1MiB").done();
    assert_eq!(lab.tables("other"), straight);
    let killing = Killing {
        lab: &lab,
        seed: 5,
        threads: &[1, 2, 3],
        flags: &["--memory 1MiB", "--memory 1GiB"],
        longest,
        kills: if slow() { 60 } else { 8 },
    };
    let check = |run: &str| {
        assert_eq!(lab.tables(run), straight, "{run}");
        for stage in ["pairs", "phrases"] {
            let left: Vec<_> =
                std::fs::read_dir(lab.path(&format!("{run}/{stage}"))).unwrap().collect();
            assert_eq!(left.len(), 4, "{left:?}");
        }
    };
    let log = killing.until_done(|_| (), check);
    assert!(log.contains(": goes on where it stopped\n"), "{log}");
}

#[test]
fn bad_settings_are_named() {
    let lab = lab();
    for (set, part) in [
        ("pairs.score=pmi", "score: unknown variant `pmi`"),
        ("pairs.threshold=-1", "threshold must be a number, 0 or more"),
        ("phrases.threshold=1", "threshold must be from -1 to below 1 for npmi"),
        ("pairs.min_count=0", "min_count must be at least 1"),
        ("pairs.delimiter=", "delimiter must not be empty"),
        ("pairs.delimeter=_", "did you mean \"delimiter\"?"),
        ("pairs.tokens=phrases", "stage \"pairs\" reads, by way of others or not, from itself"),
        (
            "pairs.tokens=words",
            "tokens takes a tokenize or deduplicate or phrases stage, but \"words\"",
        ),
    ] {
        lab.run(&format!("validate p.toml --set stages.{set}")).failed(&[part]);
    }
    lab.run("tokenize corpus/a.txt -o t").done();
    lab.run("phrases --tokens t --threshold -1 -o p").misused(&[]);
    lab.run("phrases --tokens t --threshold=-1 -o p").failed(&["threshold must be a number"]);
    lab.run("phrases --tokens corpus -o p")
        .failed(&["\"corpus\" is not a finished tokenize or deduplicate or phrases stage"]);
    // Nothing above the threshold is no error: the text stays as it is.
    let outcome = lab.run("phrases --tokens t --threshold 1e9 -o p").done();
    assert!(outcome.stderr.contains("nothing was joined"), "{}", outcome.stderr);
    assert_eq!(lab.documents("p"), lab.documents("t"));
}
