//! Duplicates, exact and near, dropped between text and counts.

use std::collections::{BTreeMap, HashSet};
use std::time::Instant;

use lexmill_store::table::TableReader;
use lexmill_vocab::Random;

use crate::errors::Mount;
use crate::lab::{Killing, Lab, Outcome, slow, text};

const CHAIN: &str = r#"
name = "deduplicated"

[stages.tokens]
kind = "tokenize"
input = ["corpus/*.txt"]
shard_bytes = "64KiB"

[stages.once]
kind = "deduplicate"
tokens = "tokens"

[stages.unique]
kind = "deduplicate"
tokens = "once"
method = "minhash"
shingle = 2
permutations = 64
threshold = 0.7
min_tokens = 4

[stages.phrases]
kind = "phrases"
tokens = "unique"
threshold = 5

[stages.words]
kind = "vocabulary"
tokens = "phrases"
min_count = 3

[stages.counts]
kind = "count"
tokens = "phrases"
vocabulary = "words"
window = 4

[stages.skipgram]
kind = "skipgram"
tokens = "unique"
vocabulary = "words"
dimensions = 4
epochs = 1
"#;

/// Lines of which some are there again in other files, as they are or with a word changed; two documents
/// of several shards that are the same, and one that is nearly so; short lines.
fn lab() -> Lab {
    let lab = Lab::new();
    lab.write("p.toml", CHAIN);
    let mut random = Random::named(&[12]);
    let first = text(1, 40_000);
    lab.write("corpus/a.txt", &first);
    let mut second = text(2, 20_000);
    for line in first.lines().filter(|line| !line.is_empty()) {
        if random.below(3) == 0 {
            let words: Vec<&str> = line.split(' ').collect();
            let changed = random.below(words.len() as u32) as usize;
            let word = |(i, word): (usize, &&str)| match i == changed {
                true => "other".to_owned(),
                false => (*word).to_owned(),
            };
            let words: Vec<String> = words.iter().enumerate().map(word).collect();
            second.push_str(&words.join(" "));
            second.push_str("\nyes\n");
        }
    }
    lab.write("corpus/b.txt", second);
    // Most of its shards lose everything.
    lab.write("corpus/c.txt", format!("something new\n{first}"));
    let long = text(4, 40_000).replace('\n', " ");
    lab.write("corpus/d.txt", format!("{long}\nbetween the two\n{long}\n{long} and more\n"));
    lab
}

/// Rows of a stage's table of duplicates: the place of what is dropped, of what is kept, similarity.
type Row = ((String, u32), (String, u32), f64);

fn duplicates(lab: &Lab, stage: &str) -> Vec<Row> {
    let path = lab.path(stage).join("duplicates.parquet");
    let mut rows = Vec::new();
    for batch in TableReader::open(&path, None, 1000).unwrap() {
        let batch = batch.unwrap();
        let (shards, kept) = (batch.text("shard").unwrap(), batch.text("kept_shard").unwrap());
        let (row, kept_row) = (batch.u32("row").unwrap(), batch.u32("kept_row").unwrap());
        let similarity = batch.f64("similarity").unwrap();
        rows.extend((0..batch.rows()).map(|i| {
            let dropped = (shards.get(i).to_owned(), row[i]);
            (dropped, (kept.get(i).to_owned(), kept_row[i]), similarity[i])
        }));
    }
    rows
}

#[test]
fn what_was_there_before_is_dropped_and_all_else_goes_on() {
    let lab = lab();
    let outcome = lab.run("run p.toml --dir r").done();
    let stages = ["tokens", "once", "unique", "phrases", "words", "counts", "skipgram"];
    assert_eq!(outcome.ran(), stages);
    for part in [
        "documents were there before and were dropped, with ",
        "documents were there before or nearly so and were dropped, with ",
        "tokens; duplicates.parquet lists them",
        " duplicates, ",
    ] {
        assert!(outcome.stderr.contains(part), "{part:?} is not in\n{}", outcome.stderr);
    }
    assert!(outcome.stdout.contains("r/unique/duplicates.parquet\n"), "{}", outcome.stdout);

    // Exactly: what is left is what a set has not seen.
    let documents = lab.documents("r/tokens");
    let mut seen = HashSet::new();
    let left: Vec<_> = documents.iter().filter(|d| seen.insert(*d)).cloned().collect();
    assert!(left.len() > 4096, "{}", left.len());
    assert_eq!(lab.documents("r/once"), left);
    let reported = |stage: &str, name: &str| lab.report(&format!("r/{stage}"), name) as usize;
    assert_eq!(reported("once", "documents_before"), documents.len());
    assert_eq!(reported("once", "duplicates"), documents.len() - left.len());
    let tokens = |documents: &[Vec<String>]| documents.iter().map(Vec::len).sum::<usize>();
    assert_eq!(reported("once", "tokens_dropped"), tokens(&documents) - tokens(&left));
    assert!(duplicates(&lab, "r/once").iter().all(|row| row.2 == 1.0));
    // Shards that lost all are there, and those that lost nothing are the same file.
    let (before, after) = (lab.manifest("r/tokens"), lab.manifest("r/once"));
    let shards = || before.entries("shards").zip(after.entries("shards"));
    assert!(shards().all(|(before, after)| before.path == after.path));
    assert!(shards().any(|(before, after)| before.rows > 0 && after.rows == 0));
    let stamps = (lab.stamps("r/tokens"), lab.stamps("r/once"));
    let mut same = 0;
    for (before, after) in shards().filter(|(before, after)| before.rows == after.rows) {
        assert_eq!(stamps.0[&before.path], stamps.1[&after.path]);
        same += 1;
    }
    assert!(same > 3);

    // Nearly: most lines with a word changed are gone, and none that has no like.
    let near = lab.documents("r/unique");
    let changed = |documents: &[Vec<String>]| {
        documents.iter().filter(|d| d.contains(&"other".to_owned())).count()
    };
    assert!(changed(&left) > 500 && 3 * changed(&near) < 2 * changed(&left));
    assert!(near.len() + changed(&left) > left.len());
    assert_eq!(near.iter().filter(|d| d[0] == "yes").count(), 1);
    let long = |documents: &[Vec<String>]| documents.iter().filter(|d| d.len() > 9000).count();
    assert_eq!([long(&documents), long(&left), long(&near)], [3, 2, 1]);
    let rows = duplicates(&lab, "r/unique");
    assert_eq!(rows.len(), left.len() - near.len());
    let dropped: HashSet<_> = rows.iter().map(|row| &row.0).collect();
    assert_eq!(dropped.len(), rows.len());
    assert!(rows.iter().all(|row| row.2 >= 0.7 && !dropped.contains(&row.1)));
    // Where counts came from can be told.
    let made = &lab.manifest("r/counts").report["made_from"]["tokens"];
    assert_eq!(made["made_from"]["stage"], "deduplicate");
    assert_eq!(made["made_from"]["made_from"]["made_from"]["stage"], "tokenize");

    // Nothing to do; then a setting that changes what is dropped, and one that does not.
    assert!(lab.run("run p.toml --dir r").done().ran().is_empty());
    let again = lab.run("run p.toml --dir r --set stages.once.threshold=0.9").done();
    assert_eq!(again.ran(), ["once"]);
    let set = "--set stages.once.threshold=0.9 --set stages.unique.threshold=1";
    let again = lab.run(&format!("run p.toml --dir r {set}")).done();
    assert_eq!(again.ran(), ["unique", "phrases", "words", "counts", "skipgram"]);
}

#[test]
fn a_grown_corpus_gives_the_bytes_of_a_full_run() {
    let lab = lab();
    lab.run("run p.toml --dir r").done();
    lab.write("corpus/e.txt", text(1, 3_000) + &text(9, 3_000));
    lab.run("run p.toml --dir r").done();
    lab.run("run p.toml --dir fresh").done();
    assert_eq!(lab.tables("r"), lab.tables("fresh"));
}

#[test]
fn threads_memory_and_kills_do_not_show() {
    let lab = lab();
    lab.run("run p.toml --dir straight --to tokens").done();
    let begun = Instant::now();
    lab.run("run p.toml --dir straight --to unique --threads 1").done();
    let longest = begun.elapsed();
    let straight = lab.tables("straight");
    for (threads, memory) in [(1, "1MiB"), (2, "1MiB"), (3, "1GiB"), (8, "1MiB"), (8, "4GiB")] {
        let run = format!("t{threads}m{memory}");
        let args =
            format!("run p.toml --dir {run} --to unique --threads {threads} --memory {memory}");
        let mut command = lab.command(&args);
        let outcome = Outcome::of(command.env("LEXMILL_LOG", "lexmill_deduplicate=debug")).done();
        assert_eq!(lab.tables(&run), straight, "{run}");
        // The test is about something: there were runs exactly where memory was short.
        let runs = outcome.stderr.matches("a sorted run went to the disk").count();
        let expected = if memory == "1MiB" { 10..1000 } else { 0..1 };
        assert!(expected.contains(&runs), "{run}: {runs} runs");
    }
    let killing = Killing {
        lab: &lab,
        seed: 7,
        threads: &[1, 2, 3, 8],
        flags: &["--to unique --memory 1MiB", "--to unique --memory 1GiB"],
        longest,
        kills: if slow() { 60 } else { 12 },
    };
    let begin = |run: &str| {
        lab.run(&format!("run p.toml --dir {run} --to tokens")).done();
    };
    let check = |run: &str| {
        assert_eq!(lab.tables(run), straight, "{run}");
        for stage in ["once", "unique"] {
            let mut left: BTreeMap<String, ()> = BTreeMap::new();
            for entry in std::fs::read_dir(lab.path(&format!("{run}/{stage}"))).unwrap() {
                left.insert(entry.unwrap().file_name().into_string().unwrap(), ());
            }
            let expected = ["duplicates.parquet", "manifest.json", "shards", "words"];
            assert!(left.keys().eq(expected), "{left:?}");
        }
    };
    let log = killing.until_done(begin, check);
    assert!(log.contains(": goes on where it stopped\n"), "{log}");
}

#[test]
fn a_full_disk_is_no_loss() {
    let lab = lab();
    lab.run("run p.toml --dir r --to tokens").done();
    let command = "deduplicate --tokens r/tokens --method minhash --memory 1MiB --threads 2 -o";
    lab.run(&format!("{command} straight")).done();
    let Some(mount) = Mount::new(lab.path("disk"), "size=16k") else { return };
    // Room for a little more each time.
    let mut runs = 0;
    for kib in (16..20_000).step_by(350) {
        mount.remount(&format!("size={kib}k"));
        let outcome = lab.run(&format!("{command} disk/d"));
        if !outcome.stderr.contains("error: ") {
            outcome.done();
            break;
        }
        let parts = ["\"disk/d", "No space left on device", "free some space and run again"];
        runs += usize::from(outcome.failed(&parts).stderr.contains("write a sorted run to"));
    }
    assert!(runs > 0);
    assert_eq!(lab.manifest("disk/d"), lab.manifest("straight"));
}

#[test]
fn bad_settings_are_named() {
    let lab = Lab::new();
    lab.write("p.toml", CHAIN);
    for (set, part) in [
        ("once.method=fuzzy", "method: unknown variant `fuzzy`"),
        ("once.shingle=0", "shingle must be from 1 to 1000"),
        ("once.permutations=0", "permutations must be from 1 to 10000"),
        ("once.threshold=0", "threshold must be more than 0 and at most 1"),
        ("once.threshold=1.5", "threshold must be more than 0 and at most 1"),
        ("once.min_tokens=-1", "min_tokens: invalid value"),
        ("once.mintokens=1", "did you mean \"min_tokens\"?"),
        ("once.tokens=phrases", "stage \"once\" reads, by way of others or not, from itself"),
        ("once.tokens=words", "tokens takes a tokenize or deduplicate or phrases stage"),
    ] {
        lab.run(&format!("validate p.toml --set stages.{set}")).failed(&[part]);
    }
    lab.write("a.txt", "yes\nno\nyes\n");
    lab.run("tokenize a.txt -o t").done();
    let outcome = lab.run("deduplicate --tokens t -o d --min-tokens 2").done();
    assert!(outcome.stderr.contains("no document was there before: nothing was dropped"));
    assert_eq!(lab.documents("d"), lab.documents("t"));
    lab.run("deduplicate --tokens t -o d").done();
    assert_eq!(lab.documents("d"), [["yes"], ["no"]]);
    lab.run("deduplicate --tokens d -o d2 --method minhash").done();
    assert_eq!(lab.documents("d2"), lab.documents("d"));
    lab.run("deduplicate --tokens nowhere -o x")
        .failed(&["\"nowhere\" is not a finished tokenize or deduplicate or phrases stage"]);
}
