//! Epochs that are scored while a model is trained, and training that stops by it.

use std::collections::BTreeMap;
use std::time::Instant;

use lexmill_store::table::TableReader;

use crate::lab::{Killing, Lab, slow, text};

/// The trainers of [`PIPELINE`].
const MODELS: [&str; 3] = ["glove", "sg", "cbow"];

const PIPELINE: &str = r#"
name = "scored"
seed = 3

[stages.tokens]
kind = "tokenize"
input = ["corpus/*.txt"]
shard_bytes = "64KiB"
lowercase = true

[stages.words]
kind = "vocabulary"
tokens = "tokens"
min_count = 3

[stages.counts]
kind = "count"
tokens = "tokens"
vocabulary = "words"
window = 4
blocks = 4

[stages.glove]
kind = "glove"
counts = "counts"
dimensions = 8
epochs = 8
SCORES

[stages.sg]
kind = "skipgram"
tokens = "tokens"
vocabulary = "words"
dimensions = 8
epochs = 6
portion_tokens = 5000
SCORES

[stages.cbow]
kind = "cbow"
tokens = "tokens"
vocabulary = "words"
dimensions = 8
epochs = 6
portion_tokens = 5000
subwords = true
bucket = 500
SCORES
"#;

const SETS: &str =
    "score_similarity = [\"sets/pairs.txt\"]\nscore_analogies = [\"sets/questions.txt\"]";

/// A lab with a corpus, test sets of its words, and a pipeline whose trainers have these fields.
fn lab(scores: &str) -> Lab {
    let lab = Lab::new();
    lab.write("corpus/a.txt", text(1, 12_000));
    lab.write("corpus/b.txt", text(2, 9_000));
    let words = ["ba", "ke", "li", "mo", "nu", "ré", "sta", "vy", "keba", "kemo"];
    let mut pairs = String::from("word word score\n");
    let mut questions = String::new();
    for (i, a) in words.iter().enumerate() {
        for (j, b) in words.iter().enumerate().skip(i + 1) {
            pairs += &format!("{} {b} {}\n", a.to_uppercase(), (i * 7 + j * 3) % 10);
            let (c, d) = (words[(i + 3) % 10], words[(j + 5) % 10]);
            questions += &format!("{a} {b} {c} {d}\n");
        }
    }
    lab.write("sets/pairs.txt", pairs + "ba nowhere 3\n");
    lab.write("sets/questions.txt", questions + "ba ke nowhere li\n");
    lab.write("p.toml", PIPELINE.replace("SCORES", scores));
    lab
}

/// The rows of a trainer's table of scores by epoch and set: kind, score, covered, total.
fn scores(lab: &Lab, stage: &str) -> BTreeMap<(u32, String), (String, f64, u64, u64)> {
    let mut found = BTreeMap::new();
    for batch in TableReader::open(&lab.path(stage).join("scores.parquet"), None, 1000).unwrap() {
        let batch = batch.unwrap();
        let (sets, kinds) = (batch.text("set").unwrap(), batch.text("kind").unwrap());
        for row in 0..batch.rows() {
            let number = |name: &str| batch.u64(name).unwrap()[row];
            let score = batch.f64("score").unwrap()[row];
            let row_of = (batch.u32("epoch").unwrap()[row], sets.get(row).to_owned());
            let kind = kinds.get(row).to_owned();
            found.insert(row_of, (kind, score, number("covered"), number("total")));
        }
    }
    found
}

#[test]
fn epochs_are_scored_as_an_evaluation_scores_their_export() {
    let lab = lab(SETS);
    let mut text = std::fs::read_to_string(lab.path("p.toml")).unwrap();
    for model in MODELS {
        text += &format!(
            "[stages.of-{model}]\nkind = \"export\"\nmodel = \"{model}\"\n\
             [stages.scores-{model}]\nkind = \"evaluate\"\nembeddings = \"of-{model}\"\n\
             similarity = [\"sets/pairs.txt\"]\nanalogies = [\"sets/questions.txt\"]\n"
        );
    }
    lab.write("p.toml", text);
    let outcome = lab.run("run p.toml --dir r").done();
    assert!(outcome.stderr.contains("  scores x 100  pairs "), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("pairs: 1 header line was skipped"), "{}", outcome.stderr);
    for model in MODELS {
        let found = scores(&lab, &format!("r/{model}"));
        let report = lab.manifest(&format!("r/{model}")).report;
        let last = report["scores"]["epochs"].as_u64().unwrap() as u32;
        assert_eq!(found.len() as u32, 2 * last, "{report}");
        assert_eq!(report["scores"]["stopped_early"], false, "{report}");
        assert_eq!(report["scores"]["model_epoch"], last, "{report}");
        let path = lab.path(&format!("r/scores-{model}/scores.parquet"));
        let expected = lexmill_eval::read_scores(&path).unwrap();
        for (set, vocabulary) in [("pairs", "all"), ("questions", "top 30000")] {
            let (kind, score, covered, total) = &found[&(last, set.to_owned())];
            let row = expected
                .iter()
                .find(|row| {
                    row.set == set && row.section == "total" && row.vocabulary == vocabulary
                })
                .unwrap();
            assert_eq!(*kind, row.kind.name());
            assert_eq!((*covered, *total), (row.covered, row.total), "{model} {set}");
            assert_eq!(
                score.to_bits(),
                row.score.to_bits(),
                "{model} {set}: {score} {}",
                row.score
            );
        }
    }

    // Test sets count by content, not by place.
    let trainers = ["glove", "sg", "cbow"];
    let more = |set: &str| {
        let sets: Vec<String> =
            trainers.iter().map(|s| format!("--set stages.{s}.{set}")).collect();
        format!("p.toml --dir r {}", sets.join(" "))
    };
    let pairs = std::fs::read_to_string(lab.path("sets/pairs.txt")).unwrap();
    lab.write("moved/pairs.txt", &pairs);
    let moved = more("score_similarity=[\"moved/pairs.txt\"]");
    assert!(lab.run(&format!("run {moved}")).done().ran().is_empty());
    lab.write("moved/pairs.txt", pairs.replacen(" 3\n", " 4\n", 1));
    let changed = lab.run(&format!("run {moved} --to glove")).done();
    assert_eq!(changed.ran(), ["glove"]);
    assert!(changed.stderr.contains("its input test sets has changed"), "{}", changed.stderr);
    // Other scores, the same model.
    let manifest = std::fs::read_to_string(lab.path("r/glove/manifest.json")).unwrap();
    assert!(manifest.contains("\"pairs\"") && !manifest.contains("moved"), "{manifest}");

    // Without test sets, nothing of it shows.
    lab.write("p.toml", PIPELINE.replace("SCORES", "score_every = 1\npatience = 0"));
    lab.run("run p.toml --dir plain --to glove").done();
    let plain = std::fs::read_to_string(lab.path("plain/glove/manifest.json")).unwrap();
    assert!(!plain.contains("score") && !plain.contains("patience"), "{plain}");
    lab.write("p.toml", PIPELINE.replace("SCORES", ""));
    assert!(lab.run("run p.toml --dir plain --to glove").done().ran().is_empty());
}

#[test]
fn training_stops_at_the_same_epoch_whatever_is_killed() {
    let lab = lab(&format!("{SETS}\npatience = 1"));
    let begun = Instant::now();
    let outcome = lab.run("run p.toml --dir straight --threads 1").done();
    let longest = begun.elapsed();
    let straight = lab.tables("straight");
    let mut stopped = 0;
    for model in MODELS {
        let report = lab.manifest(&format!("straight/{model}")).report;
        let number = |name: &str| report["scores"][name].as_u64().unwrap();
        assert_eq!(number("model_epoch"), number("best_epoch"), "{report}");
        if report["scores"]["stopped_early"] == true {
            stopped += 1;
            assert_eq!(number("epochs"), number("best_epoch") + 1, "{report}");
            let notice = format!(
                "stopped early after epoch {} (patience); the model is that of epoch {}",
                number("epochs"),
                number("best_epoch")
            );
            assert!(outcome.stderr.contains(&notice), "{notice}\n{}", outcome.stderr);
        }
    }
    assert!(stopped > 0, "the test is about something: {}", outcome.stderr);
    for (threads, flags) in [(2, "--checkpoint-every 0"), (8, "--checkpoint-epochs 1"), (3, "")] {
        let run = format!("t{threads}");
        lab.run(&format!("run p.toml --dir {run} --threads {threads} {flags}")).done();
        assert_eq!(lab.tables(&run), straight, "{threads} threads");
    }
    // The command of a stage is no different.
    lab.run(
        "glove --counts straight/counts -o alone --dimensions 8 --epochs 8 --seed 3 --patience 1 \
         --score-similarity sets/pairs.txt --score-analogies sets/questions.txt",
    )
    .done();
    let files = |stage: &str| lab.manifest(stage).files;
    assert_eq!(files("alone"), files("straight/glove"));

    let killing = Killing {
        lab: &lab,
        seed: 7,
        threads: &[1, 2, 3, 8],
        flags: &["", "--checkpoint-every 0", "--checkpoint-every 0", "--checkpoint-epochs 1"],
        longest: longest.mul_f32(0.6),
        kills: if slow() { 100 } else { 12 },
    };
    let begin = |run: &str| {
        lab.run(&format!("run p.toml --dir {run} --to counts")).done();
    };
    let log = killing.until_done(begin, |run| {
        assert_eq!(lab.tables(run), straight, "{run}");
        for model in MODELS {
            let report = |run: &str| lab.manifest(&format!("{run}/{model}")).report;
            assert_eq!(report(run), report("straight"), "{run}");
            let left: Vec<_> = std::fs::read_dir(lab.path(&format!("{run}/{model}")))
                .unwrap()
                .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
                .collect();
            assert!(!left.iter().any(|file| file.starts_with("checkpoint")), "{left:?}");
        }
    });
    assert!(log.contains("  goes on after "), "{log}");
}

#[test]
fn mistakes_about_scores_are_named() {
    let without = lab("patience = 2");
    without.run("validate p.toml").failed(&["patience needs test sets", "score_similarity"]);
    let lab = lab(&format!("{SETS}\nscore_every = 0"));
    lab.run("validate p.toml").failed(&["score_every must be 1 or more"]);
    // Before the first stage runs, not after hours of counting.
    lab.write("p.toml", PIPELINE.replace("SCORES", "score_analogies = [\"no.txt\"]"));
    let outcome = lab.run("run p.toml --dir r").failed(&["stage \"glove\"", "no.txt"]);
    assert!(!outcome.stderr.contains("tokens: begins"), "{}", outcome.stderr);
    lab.write("bad.txt", "ba ke 1\nba ke\n");
    lab.write("p.toml", PIPELINE.replace("SCORES", "score_similarity = [\"bad.txt\"]"));
    lab.run("run p.toml --dir r").failed(&["\"bad.txt\", line 2"]);
    lab.write("other.txt", "hund katze 9\nhund haus 1\n");
    let fields = "score_similarity = [\"other.txt\"]\npatience = 1";
    lab.write("p.toml", PIPELINE.replace("SCORES", fields));
    lab.run("run p.toml --dir r --to glove").failed(&[
        "stage \"glove\": none of the test sets in score_similarity and score_analogies is covered",
        "patience",
    ]);
    // One that covers nothing is told, and left out.
    let fields = "score_similarity = [\"other.txt\", \"sets/pairs.txt\"]\nepochs = 2";
    let text = PIPELINE.replace("epochs = 8\nSCORES", fields).replace("SCORES", "");
    lab.write("p.toml", text);
    let outcome = lab.run("run p.toml --dir r --to glove").done();
    let note = "  note: other: the vocabulary covers nothing of this test set";
    assert!(outcome.stderr.contains(note), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("  scores x 100  other -, pairs "), "{}", outcome.stderr);
    let found = scores(&lab, "r/glove");
    assert!(found[&(1, "other".to_owned())].1.is_nan());
    let mean = lab.manifest("r/glove").report["scores"]["best_score"].as_f64().unwrap();
    assert!(found.values().any(|(.., score, _, _)| *score == mean), "{mean} {found:?}");
}
