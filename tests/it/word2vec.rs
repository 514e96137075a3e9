//! The stages `skipgram` and `cbow`: what they learn, the same bytes of it, and what they refuse.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::{Duration, Instant};

use lexmill_store::table::TableReader;
use lexmill_vocab::Random;
use serde_json::{Value, json};

use crate::lab::{Killing, Lab, slow, text};

/// Every kind of model, as fields of its stage.
const MODELS: [(&str, &str); 9] = [
    ("sg", "kind = \"skipgram\""),
    ("sg-hs", "kind = \"skipgram\"\nloss = \"hs\""),
    ("sg-sub", "kind = \"skipgram\"\nsubwords = true"),
    ("sg-hs-sub", "kind = \"skipgram\"\nloss = \"hs\"\nsubwords = true"),
    ("cbow", "kind = \"cbow\""),
    ("cbow-hs", "kind = \"cbow\"\nloss = \"hs\""),
    ("cbow-sub", "kind = \"cbow\"\nsubwords = true"),
    (
        "cbow-hs-sub",
        "kind = \"cbow\"\nloss = \"hs\"\nsubwords = true\ncbow_mean = false\nlearning_rate = 0.01",
    ),
    ("cbow-mean", "kind = \"cbow\"\ncbow_gradient = \"mean\""),
];

/// A pipeline of models on one corpus; `more` are fields that all of them have.
fn pipeline(models: &[(&str, &str)], min_count: u32, more: &str) -> String {
    let mut text = format!(
        "name = \"models\"\nseed = 3\n\n\
         [stages.tokens]\nkind = \"tokenize\"\ninput = [\"corpus/*.txt\"]\n\
         shard_bytes = \"64KiB\"\n\n\
         [stages.words]\nkind = \"vocabulary\"\ntokens = \"tokens\"\nmin_count = {min_count}\n"
    );
    for (name, fields) in models {
        write!(
            text,
            "\n[stages.{name}]\n{fields}\ntokens = \"tokens\"\nvocabulary = \"words\"\n{more}\n"
        )
        .unwrap();
    }
    text
}

/// A word of one of two topics; spelling does not tell which.
fn word(number: u32) -> String {
    let syllables = ["ba", "ke", "li", "mo"];
    [number / 16, number / 4, number].map(|i| syllables[i as usize % 4]).concat()
}

fn topic(number: u32) -> u32 {
    number.count_ones() % 2
}

const WORDS: u32 = 64;

/// Lines of words of one topic each.
fn topics(seed: u64, lines: usize) -> String {
    let mut random = Random::named(&[seed, 5]);
    let mut text = String::new();
    for line in 0..lines {
        let mut words = Vec::new();
        while words.len() < 8 {
            let number = random.below(WORDS);
            if topic(number) == line as u32 % 2 {
                words.push(word(number));
            }
        }
        writeln!(text, "{}", words.join(" ")).unwrap();
    }
    text
}

/// The vectors of a stage of models.
fn vectors(lab: &Lab, stage: &str) -> BTreeMap<String, Vec<f32>> {
    let path = lab.path(stage).join("parameters.parquet");
    let mut found = BTreeMap::new();
    for batch in TableReader::open(&path, Some(&["word", "vector"]), 1000).unwrap() {
        let batch = batch.unwrap();
        let (vectors, dim) = batch.vectors("vector").unwrap();
        for (word, vector) in batch.text("word").unwrap().iter().zip(vectors.chunks(dim)) {
            found.insert(word.to_owned(), vector.to_vec());
        }
    }
    found
}

/// The part of words whose nearest eight are of their own topic.
fn purity(lab: &Lab, stage: &str) -> f64 {
    let found = vectors(lab, stage);
    let vectors: Vec<&Vec<f32>> = (0..WORDS).map(|i| &found[&word(i)]).collect();
    let dot = |a: u32, b: u32| -> f32 {
        let (a, b) = (vectors[a as usize], vectors[b as usize]);
        let length = |v: &[f32]| v.iter().map(|x| x * x).sum::<f32>().sqrt();
        a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>() / length(a) / length(b)
    };
    let mut pure = 0;
    for a in 0..WORDS {
        let mut others: Vec<u32> = (0..WORDS).filter(|&b| b != a).collect();
        others.sort_by(|&b, &c| dot(a, c).total_cmp(&dot(a, b)));
        pure += others[..8].iter().filter(|&&b| topic(a) == topic(b)).count();
    }
    f64::from(pure as u32) / f64::from(8 * WORDS)
}

/// Of a table of losses each row's epoch, tokens, examples, loss and mean loss of the epoch so far.
fn metrics(lab: &Lab, stage: &str) -> Vec<(u32, u64, u64, f64, f64)> {
    let path = lab.path(stage).join("metrics.parquet");
    let mut rows = Vec::new();
    for batch in TableReader::open(&path, None, 100_000).unwrap() {
        let batch = batch.unwrap();
        let (epochs, tokens) = (batch.u32("epoch").unwrap(), batch.u64("tokens").unwrap());
        let examples = batch.u64("examples").unwrap();
        let (loss, mean) = (batch.f64("loss").unwrap(), batch.f64("epoch_loss").unwrap());
        rows.extend(
            (0..epochs.len()).map(|i| (epochs[i], tokens[i], examples[i], loss[i], mean[i])),
        );
    }
    rows
}

fn near(a: &[f32], b: &[f32], tolerance: f32) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() <= tolerance)
}

/// What `vector --json` says of words.
fn asked(lab: &Lab, path: &str, words: &str) -> Vec<(bool, Vec<f32>)> {
    let answer = lab.run(&format!("vector {path} {words} --json")).done().stdout;
    let answer: Vec<Value> = serde_json::from_str(&answer).unwrap();
    let number = |value: &Value| value.as_f64().unwrap() as f32;
    let vector = |word: &Value| word["vector"].as_array().unwrap().iter().map(number).collect();
    answer.iter().map(|word| (word["known"] == true, vector(word))).collect()
}

#[test]
fn every_model_learns_which_words_go_together() {
    let lab = Lab::new();
    lab.write("corpus/a.txt", topics(1, 1200));
    lab.write("corpus/b.txt", topics(2, 1200));
    let fields = "dimensions = 16\nsample = 0\nepochs = 5\nportion_tokens = 1000\nbucket = 3000\n\
                  batch_windows = 32";
    lab.write("p.toml", pipeline(&MODELS, 1, fields));
    lab.run("run p.toml --dir r --threads 2").done();
    let tokens = lab.report("r/tokens", "tokens");
    assert_eq!(tokens, 2400 * 8);
    for (name, _) in MODELS {
        let stage = format!("r/{name}");
        let found = purity(&lab, &stage);
        assert!(found > 0.9, "{name}: {found} of the neighbours are of the same topic");
        let rows = metrics(&lab, &stage);
        let portions = tokens.div_ceil(1000) as usize;
        assert_eq!(rows.len(), 5 * portions, "{name}");
        let last = |epoch: usize| rows[epoch * portions - 1];
        assert!(last(5).4 < rows[0].3, "{name}: {} {}", rows[0].3, last(5).4);
        for (i, epoch) in rows.chunks(portions).enumerate() {
            assert!(epoch.iter().all(|row| row.0 as usize == i + 1), "{name}");
            assert_eq!(epoch[portions - 1].1, tokens, "{name}");
            let (examples, sum) = epoch.iter().fold((0, 0.0), |(examples, sum), row| {
                (examples + row.2, sum + row.3 * row.2 as f64)
            });
            let mean = epoch[portions - 1].4;
            assert!((sum / examples as f64 - mean).abs() < 1e-9, "{name}");
            // A window a token with CBOW; else as many pairs as shrinking windows have.
            let windows = examples as f64 / tokens as f64;
            let expected = if name.starts_with("cbow") { 1.0..=1.0 } else { 3.5..=5.0 };
            assert!(expected.contains(&windows), "{name}: {windows}");
        }
        let report = lab.manifest(&stage).report;
        let told = report["loss"].as_f64().unwrap();
        assert!((told - last(5).4).abs() < 1e-12, "{name}: {told} {}", last(5).4);
        assert_eq!(report["ngrams"].is_null(), !name.ends_with("sub"), "{name}");
    }
}

/// Models that together have all there is to take up again, and what is in their way: many shards and
/// portions, documents cut over shards, a document of many shards.
fn interrupted(models: &[(&str, &str)]) -> Lab {
    let lab = Lab::new();
    lab.write("corpus/a.txt", text(1, 4_000));
    lab.write("corpus/b.txt", text(2, 25_000).replace('\n', " "));
    lab.write("corpus/c.txt", "alone\n\nalone\n");
    lab.write("corpus/d.txt", text(4, 2_000));
    let fields = "dimensions = 8\nsample = 0.01\nepochs = 2\nportion_tokens = 3000\nbucket = 500\n\
                  blocks = 4\nbatch_windows = 100";
    lab.write("p.toml", pipeline(models, 2, fields));
    lab
}

#[test]
fn threads_do_not_show_in_any_model() {
    let lab = interrupted(&MODELS);
    lab.run("run p.toml --dir t1 --threads 1").done();
    let one = lab.tables("t1");
    assert!(one.len() > 30, "{one:?}");
    assert!(one.keys().filter(|name| name.starts_with("tokens/shards/")).count() > 3, "{one:?}");
    for threads in [2, 3, 8] {
        let run = format!("t{threads}");
        lab.run(&format!("run p.toml --dir {run} --threads {threads}")).done();
        assert_eq!(lab.tables(&run), one, "{threads} threads");
    }
    // Two models differ; so do two seeds, and two sizes of portions.
    assert_ne!(one["sg/parameters.parquet"], one["cbow/parameters.parquet"]);
    for set in ["seed=4", "portion_tokens=2000", "blocks=1"] {
        let args = format!("run p.toml --dir other --to sg --set stages.sg.{set}");
        lab.run(&args).done();
        let other = lab.tables("other")["sg/parameters.parquet"].clone();
        assert_ne!(other, one["sg/parameters.parquet"], "{set}");
    }
}

#[test]
fn kills_in_the_middle_of_epochs_do_not_show() {
    let models: Vec<_> = MODELS
        .into_iter()
        .filter(|(name, _)| slow() || ["sg", "sg-hs-sub", "cbow-hs", "cbow-sub"].contains(name))
        .collect();
    let lab = interrupted(&models);
    lab.run("run p.toml --dir straight").done();
    let straight = lab.tables("straight");
    // What lies before training is done, so that all kills hit training.
    let begun = Instant::now();
    lab.run("run p.toml --dir timed --checkpoint-every 0 --threads 2").done();
    let longest = begun.elapsed();
    assert_eq!(lab.tables("timed"), straight);
    let killing = Killing {
        lab: &lab,
        seed: 6,
        threads: &[1, 2, 3, 8],
        flags: &[
            "--checkpoint-epochs 1",
            "--checkpoint-every 0",
            "--checkpoint-every 0",
            "--checkpoint-every 0",
        ],
        longest: longest.mul_f32(0.5),
        kills: if slow() { 100 } else { 12 },
    };
    let begin = |run: &str| {
        lab.run(&format!("run p.toml --dir {run} --to words")).done();
    };
    let check = |run: &str| {
        assert_eq!(lab.tables(run), straight, "{run}");
        for (name, _) in &models {
            let left: Vec<_> = std::fs::read_dir(lab.path(&format!("{run}/{name}")))
                .unwrap()
                .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
                .collect();
            assert!(!left.iter().any(|file| file.starts_with("checkpoint")), "{left:?}");
        }
    };
    let log = killing.until_done(begin, check);
    let resumed = log.lines().filter(|line| line.starts_with("  goes on after ")).count();
    let middle = |line: &&str| line.starts_with("  goes on after ") && line.ends_with(" portions");
    assert!(resumed > 0 && log.lines().any(|line| middle(&line)), "{log}");
}

/// Starts a run, and kills it when a stage has a checkpoint after an epoch.
fn kill_after_an_epoch(lab: &Lab, run: &str, stage: &str) {
    let mut child = lab.start(&format!("run p.toml --dir {run} --checkpoint-epochs 1"), "log");
    let journal = lab.path(&format!("{run}/{stage}.partial/journal.jsonl"));
    let begun = Instant::now();
    let kept = || std::fs::read_to_string(&journal).is_ok_and(|j| j.contains("\"checkpoint\""));
    while !kept() && begun.elapsed().as_secs() < 60 {
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_shard_without_tokens_at_the_end_does_not_show_after_a_kill() {
    let lab = Lab::new();
    lab.write("corpus/a.txt", text(1, 20_000));
    lab.write("corpus/z.txt", "... !!!\n".repeat(100));
    let models = [("sg", "kind = \"skipgram\""), ("cbow", "kind = \"cbow\"")];
    // What is drawn for a part of a portion depends on which one it is.
    lab.write("p.toml", pipeline(&models, 2, "dimensions = 8\nepochs = 40\nsample = 0.01"));
    lab.run("run p.toml --dir straight").done();
    let straight = lab.tables("straight");
    let files = lab.manifest("straight/tokens").files;
    let last = files.iter().rfind(|file| file.path.starts_with("shards/")).unwrap();
    assert_eq!(last.rows, 0, "{last:?}");
    lab.run("run p.toml --dir killed --to words").done();
    for name in ["sg", "cbow"] {
        kill_after_an_epoch(&lab, "killed", name);
        assert!(!lab.path(&format!("killed/{name}")).exists(), "it was over before it was killed");
        let outcome = lab.run(&format!("run p.toml --dir killed --to {name}")).done();
        assert!(outcome.stderr.contains("  goes on after "), "{}", outcome.stderr);
    }
    assert_eq!(lab.tables("killed"), straight);
}

#[test]
fn what_was_begun_with_other_settings_is_said_to_be_dropped() {
    let lab = Lab::new();
    lab.write("corpus/a.txt", text(1, 20_000));
    let models = [("sg", "kind = \"skipgram\"")];
    lab.write("p.toml", pipeline(&models, 2, "dimensions = 8\nepochs = 2000\nsample = 0"));
    kill_after_an_epoch(&lab, "r", "sg");
    let said = |args: &str| lab.run(&format!("plan p.toml --dir r {args}")).done().stdout;
    assert!(said("").contains("begun: goes on where it stopped"), "{}", said(""));
    let other = "--set stages.sg.dimensions=9 --set stages.sg.epochs=2";
    assert!(!said(other).contains("goes on"), "{}", said(other));
    let outcome = lab.run(&format!("run p.toml --dir r {other}")).done();
    assert!(outcome.stderr.contains("has other settings or inputs"), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("goes on"), "{}", outcome.stderr);
}

#[test]
fn vocabularies_of_a_few_words() {
    let lab = Lab::new();
    let mut random = Random::named(&[8]);
    let letters = ["a", "c", "g", "t", "n"];
    let mut line = || {
        let word = |_| letters[random.below(5) as usize];
        (0..50).map(word).collect::<Vec<_>>().join(" ") + "\n"
    };
    lab.write("corpus/a.txt", (0..400).map(|_| line()).collect::<String>());
    // In batches, one word takes many gradients at once.
    let models = [("cbow", "kind = \"cbow\""), ("sg", "kind = \"skipgram\"")];
    lab.write("p.toml", pipeline(&models, 1, "dimensions = 8\nsample = 0"));
    lab.run("run p.toml --dir r").done();
    // More blocks than words would leave some without negatives to draw.
    let slow = "--set stages.sg.blocks=256 --set stages.sg.learning_rate=0.001";
    lab.run(&format!("run p.toml --dir r --to sg {slow}")).done();
}

#[test]
fn presets_give_what_fields_do_not_say() {
    let lab = Lab::new();
    lab.write("corpus/a.txt", topics(1, 100));
    let stage = |preset: &str, more: &str| {
        let fields = format!("kind = \"cbow\"\npreset = \"{preset}\"\n{more}");
        lab.write("p.toml", pipeline(&[("m", &fields)], 1, "dimensions = 4\nbucket = 100"));
        lab.run("run p.toml --dir r").done();
        lab.manifest("r/m").key.settings
    };
    for (preset, expected) in [
        ("lexmill", json!([0.05, 5e-6, 1e-4, 0.75, 1.0, "exact", false])),
        ("word2vec-c", json!([0.05, 5e-6, 1e-3, 0.75, 0.5, "word2vec-c", false])),
        ("gensim", json!([0.025, 1e-4, 1e-3, 0.75, 1.0, "gensim", false])),
        ("fasttext", json!([0.05, 0.0, 1e-4, 0.5, 1.0, "fasttext", true])),
    ] {
        let found = stage(preset, "");
        let names = [
            "learning_rate",
            "min_learning_rate",
            "sample",
            "noise_exponent",
            "initial_range",
            "sigmoid",
            "subwords",
        ];
        let values: Vec<&Value> = names.iter().map(|name| &found[*name]).collect();
        assert_eq!(json!(values), expected, "{preset}");
        assert_eq!(found["preset"], preset);
        assert_eq!(found["seed"], 3);
    }
    // Fields win; to write out what a preset says changes nothing.
    let found = stage("fasttext", "subwords = false\nsample = 0.01");
    assert_eq!((&found["subwords"], &found["sample"]), (&json!(false), &json!(0.01)));
    assert_eq!(found["noise_exponent"], 0.5);
    let again = lab.run("run p.toml --dir r --set stages.m.noise_exponent=0.5").done();
    assert!(again.ran().is_empty(), "{}", again.stderr);
    // Another preset with the same numbers is another setting.
    let again = lab.run("run p.toml --dir r --set stages.m.preset=gensim").done();
    assert_eq!(again.ran(), ["m"]);
}

#[test]
fn training_starts_from_vectors_that_are_there() {
    let lab = Lab::new();
    lab.write("corpus/a.txt", topics(1, 300));
    let fields = "dimensions = 8\nsample = 0\nbucket = 100\nminn = 2\nmaxn = 3";
    let models = [MODELS[0], MODELS[2]];
    let exports = "\n[stages.vectors]\nkind = \"export\"\nmodel = \"sg\"\n\
                   formats = [\"parquet\", \"word2vec-text\", \"word2vec-binary\", \"fasttext-bin\"]\n\
                   [stages.vectors-sub]\nkind = \"export\"\nmodel = \"sg-sub\"\n\
                   formats = [\"fasttext-bin\"]\n";
    lab.write("first.toml", pipeline(&models, 1, fields) + exports);
    lab.run("run first.toml --dir first").done();
    let earlier = vectors(&lab, "first/sg");
    let earlier_sub = vectors(&lab, "first/sg-sub");

    // A larger corpus with new words; a learning rate that hardly moves anything.
    lab.write("corpus/b.txt", topics(2, 300).replace("bababa", "newcomer"));
    let slow = format!("{fields}\nlearning_rate = 1e-9\nmin_learning_rate = 0\nepochs = 1");
    let start = |from: &str| format!("{slow}\ninitial_vectors = \"{from}\"");
    let mut hashes = Vec::new();
    for from in [
        "first/sg",
        "first/vectors",
        "first/vectors/embeddings.parquet",
        "first/vectors/embeddings.word2vec.txt",
        "first/vectors/embeddings.word2vec.bin",
        "first/vectors/embeddings.fasttext.bin",
    ] {
        lab.write("p.toml", pipeline(&[MODELS[0]], 1, &start(from)));
        if from == "first/vectors" {
            // Directories are those of models.
            lab.run("run p.toml --dir r").failed(&["first/vectors"]);
            continue;
        }
        let outcome = lab.run("run p.toml --dir r").done();
        let note = format!("  note: 64 of 65 words start with the vectors in {from}");
        assert!(outcome.stderr.contains(&note), "{note}\n{}", outcome.stderr);
        let found = vectors(&lab, "r/sg");
        assert_eq!(found.len(), 65);
        for (word, vector) in &earlier {
            assert!(near(&found[word], vector, 1e-6), "{from}: {word}");
        }
        assert!(found["newcomer"].iter().all(|x| x.abs() <= 1.0 / 8.0 + 1e-6 && *x != 0.0));
        hashes.push(lab.tables("r")["sg/parameters.parquet"].clone());
    }
    // All of these hold the same vectors, but only the model has those of contexts, too.
    assert!(hashes[1..].windows(2).all(|pair| pair[0] == pair[1]), "{hashes:?}");
    assert_ne!(hashes[0], hashes[1]);

    // Words with n-grams start where they were, from a model with the same n-grams or without.
    for (from, expected) in [
        ("first/sg-sub", &earlier_sub),
        ("first/vectors-sub/embeddings.fasttext.bin", &earlier_sub),
        ("first/sg", &earlier),
    ] {
        lab.write("p.toml", pipeline(&[MODELS[2]], 1, &start(from)));
        lab.run("run p.toml --dir r").done();
        let found = vectors(&lab, "r/sg-sub");
        let tolerance = if from == "first/sg-sub" { 1e-6 } else { 0.07 };
        for (word, vector) in expected {
            assert!(near(&found[word], vector, tolerance), "{from}: {word}");
        }
    }

    // The content counts, not the place; changed, the model is stale.
    let text = lab.path("first/vectors/embeddings.word2vec.txt");
    let content = std::fs::read_to_string(&text).unwrap();
    lab.write("start.txt", &content);
    lab.write("p.toml", pipeline(&[MODELS[0]], 1, &start("start.txt")));
    lab.run("run p.toml --dir r").done();
    lab.write("other.txt", &content);
    let moved = "p.toml --dir r --set stages.sg.initial_vectors=other.txt";
    assert_eq!(lab.conditions(moved), ["fresh"; 3]);
    lab.write("start.txt", content.replacen(" 0.", " 0.9", 1));
    assert_eq!(lab.conditions("p.toml --dir r"), ["fresh", "fresh", "stale"]);
    assert_eq!(lab.run("run p.toml --dir r").done().ran(), ["sg"]);

    // What can't be started from.
    lab.run("run p.toml --dir r --set stages.sg.dimensions=9").failed(&[
        "\"start.txt\" has vectors of 8 dimensions, but the model has 9",
        "set dimensions = 8",
    ]);
    lab.run("run p.toml --dir r --set stages.sg.initial_vectors=no.txt").failed(&["no.txt"]);
    lab.write("words.txt", "no vectors here\n");
    lab.run("run p.toml --dir r --set stages.sg.initial_vectors=words.txt").failed(&["words.txt"]);
}

#[test]
fn bad_settings_are_named_with_their_line() {
    let lab = Lab::new();
    for (field, value, message) in [
        ("preset", "\"glove\"", "unknown variant `glove`"),
        ("dimensions", "0", "dimensions must be from 1 to 10000"),
        ("window", "0", "window must be from 1 to 1000"),
        ("loss", "\"nce\"", "unknown variant `nce`"),
        ("negatives", "0", "negatives must be from 1 to 1000"),
        ("noise_exponent", "11", "noise_exponent must be from -10 to 10"),
        ("sample", "1", "sample must be 0 (off) or more, and less than 1"),
        ("sample", "-0.1", "sample must be 0 (off) or more"),
        ("learning_rate", "0", "learning_rate must be more than 0"),
        ("learning_rate", "nan", "learning_rate must be more than 0"),
        ("min_learning_rate", "0.5", "min_learning_rate must be from 0 to learning_rate"),
        ("epochs", "0", "epochs must be from 1 to 100000"),
        ("initial_range", "-1", "initial_range must be 0 or more"),
        ("minn", "0", "minn must be from 1 to 100"),
        ("maxn", "2", "maxn must be from minn to 100"),
        ("bucket", "0", "bucket must be from 1 to 1073741824"),
        ("blocks", "3", "blocks must be a power of two up to 256"),
        ("portion_tokens", "999", "portion_tokens must be from 1000"),
        ("batch_windows", "0", "batch_windows must be from 1 to 1048576"),
        ("vector_size", "100", "vector_size"),
        ("cbow_mean", "true", "cbow_mean"),
        ("sigmoid", "\"table\"", "unknown variant `table`"),
    ] {
        let text = pipeline(&[MODELS[2]], 1, &format!("{field} = {value}"));
        let line = text.lines().position(|line| line.starts_with(&format!("{field} ="))).unwrap();
        // min_count is a line of its own; fields of the model stand after it.
        let line = text
            .lines()
            .skip(line + 1)
            .position(|l| l.starts_with(&format!("{field} =")))
            .map_or(line, |more| line + 1 + more);
        lab.write("p.toml", &text);
        let outcome = lab.run("validate p.toml").failed(&[message, field]);
        let place = format!("p.toml:{}:", line + 1);
        assert!(outcome.stderr.contains(&place), "{place} is not in\n{}", outcome.stderr);
    }
}

#[test]
fn corpora_with_next_to_nothing_in_them() {
    let lab = Lab::new();
    lab.write("single/a.txt", "a\nb\na\nc\nb\na\n");
    lab.write("two/a.txt", "a b a b b a\n");
    lab.write("three/a.txt", "a b c a b a\n");
    lab.write("one/a.txt", "a a a a\n");
    // One line of many portions, with one word at its end that occurs nowhere else.
    lab.write("line/a.txt", "a b c d ".repeat(1500) + "e");
    // Four words over and over are more than CBOW with large batches can take at its usual rates.
    let fields = "dimensions = 3\nsample = 0\nportion_tokens = 1000\nbucket = 50\nepochs = 2\n\
                  batch_windows = 8";
    for corpus in ["single", "one", "two", "three", "line"] {
        for model in MODELS {
            let text = pipeline(&[model], 1, fields);
            lab.write("p.toml", text.replace("corpus/", &format!("{corpus}/")));
            let outcome = lab.run(&format!("run p.toml --dir {corpus}-{}", model.0));
            if corpus == "single" {
                outcome.failed(&["there is nothing to train on", "not single words"]);
                continue;
            }
            outcome.done();
            let found = vectors(&lab, &format!("{corpus}-{}/{}", model.0, model.0));
            assert!(found.values().flatten().all(|x| x.is_finite()), "{corpus} {model:?}");
            let losses = metrics(&lab, &format!("{corpus}-{}/{}", model.0, model.0));
            assert!(losses.iter().all(|row| row.4.is_finite()), "{corpus} {model:?} {losses:?}");
        }
    }
}

#[test]
fn too_little_memory_and_damaged_shards_are_named() {
    let lab = Lab::new();
    lab.write("corpus/a.txt", topics(1, 300));
    lab.write("p.toml", pipeline(&MODELS, 1, "dimensions = 8\nsample = 0\nbucket = 100"));
    lab.run("run p.toml --dir r --to words").done();
    let args = "run p.toml --dir r --from sg --memory 64MiB --set stages.sg.dimensions=10000";
    lab.run(args).failed(&[
        "stage \"sg\": a model of 64 words and 10000 dimensions takes",
        "but the memory is 64.0 MiB",
        "--memory",
    ]);
    let shards = lab.manifest("r/tokens").paths(&lab.path("r/tokens"), "shards");
    let shard = &shards[0];
    let whole = std::fs::read(shard).unwrap();
    let mut damaged = whole.clone();
    let half = damaged.len() / 2;
    damaged[4..half].fill(0xff);
    std::fs::write(shard, damaged).unwrap();
    let name = shard.file_name().unwrap().to_string_lossy().into_owned();
    for model in ["sg", "cbow-sub"] {
        lab.run(&format!("run p.toml --dir r --only {model}")).failed(&[&name]);
    }
    std::fs::write(shard, whole).unwrap();
    lab.run("run p.toml --dir r --only sg --only cbow-sub").done();
}

#[test]
fn fasttext_files_of_trained_models_give_their_vectors() {
    let lab = Lab::new();
    lab.write("corpus/a.txt", topics(1, 300));
    let mut text = pipeline(&MODELS, 1, "dimensions = 8\nsample = 0\nbucket = 300\nepochs = 2");
    for (name, _) in MODELS {
        write!(
            text,
            "\n[stages.of-{name}]\nkind = \"export\"\nmodel = \"{name}\"\n\
             formats = [\"fasttext-bin\", \"fasttext-vec\"]\n"
        )
        .unwrap();
    }
    lab.write("p.toml", text);
    lab.run("run p.toml --dir r").done();
    for (name, _) in MODELS {
        let found = vectors(&lab, &format!("r/{name}"));
        let words: Vec<&String> = found.keys().collect();
        let list = found.keys().map(String::as_str).collect::<Vec<_>>().join(" ");
        for path in [
            format!("r/{name}"),
            format!("r/of-{name}/embeddings.fasttext.bin"),
            format!("r/of-{name}/embeddings.vec"),
        ] {
            for ((known, vector), word) in asked(&lab, &path, &list).iter().zip(&words) {
                assert!(*known && near(vector, &found[*word], 1e-6), "{path}: {word}");
            }
        }
        let bin = format!("r/of-{name}/embeddings.fasttext.bin");
        let unseen = "bakelimoba unseen ba";
        if name.ends_with("sub") {
            let of_model = asked(&lab, &format!("r/{name}"), unseen);
            for ((known, vector), (_, other)) in asked(&lab, &bin, unseen).iter().zip(&of_model) {
                assert!(!known && near(vector, other, 1e-6), "{name}");
            }
            assert!(of_model[0].1.iter().any(|x| *x != 0.0), "{name}");
        } else {
            lab.run(&format!("vector {bin} {unseen}"))
                .failed(&["\"bakelimoba\" is not among the 64"]);
        }
    }
}

#[test]
fn a_chain_of_phrases_ends_in_vectors() {
    let lab = Lab::new();
    let text = topics(1, 600).replace(" bababe", " new york").replace("kelimo", "new york");
    lab.write("corpus/a.txt", text);
    let models = [MODELS[0], MODELS[6]];
    let text = pipeline(&models, 2, "dimensions = 8\nsample = 0\nepochs = 1\nbucket = 100")
        .replace(
            "[stages.words]\nkind = \"vocabulary\"\ntokens = \"tokens\"",
            "[stages.phrases]\nkind = \"phrases\"\ntokens = \"tokens\"\nthreshold = 1\n\n\
             [stages.words]\nkind = \"vocabulary\"\ntokens = \"phrases\"",
        )
        .replace("tokens = \"tokens\"\nvocabulary", "tokens = \"phrases\"\nvocabulary");
    lab.write("p.toml", text);
    let outcome = lab.run("run p.toml --dir r").done();
    assert_eq!(outcome.ran(), ["tokens", "phrases", "words", "sg", "cbow-sub"]);
    for model in ["sg", "cbow-sub"] {
        assert!(vectors(&lab, &format!("r/{model}")).contains_key("new_york"), "{model}");
        let path = lab.path(&format!("r/{model}/parameters.parquet"));
        let notes = TableReader::open(&path, None, 1).unwrap().metadata().clone();
        assert_eq!(notes["made_from"]["tokens"]["stage"], "phrases", "{notes}");
    }
}

/// The example of the tutorials: two sentences, 100 dimensions, a window of 5, every word.
#[test]
fn hello() {
    let lab = Lab::new();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../pipelines/hello.toml");
    lab.write("hello.toml", std::fs::read_to_string(path).unwrap());
    let first = lab.run("run hello.toml").done();
    assert!(first.stdout.contains("Nearest words\nhello\n"), "{}", first.stdout);
    let vector = lab.run("vector runs/hello hello").done().stdout;
    assert!(vector.starts_with("hello "), "{vector}");
    assert_eq!(vector.trim_end().split(' ').count(), 101, "{vector}");
    lab.run("run hello.toml --dir again --threads 3").done();
    assert_eq!(lab.run("vector again hello").done().stdout, vector);
    // Nothing but what the tutorials say, for each kind of model.
    for kind in ["skipgram", "cbow"] {
        let bare = format!(
            "[stages.tokens]\nkind = \"tokenize\"\n\
             sentences = [[\"hello\", \"world\"], [\"hello\", \"lexmill\"]]\n\
             [stages.words]\nkind = \"vocabulary\"\ntokens = \"tokens\"\nmin_count = 1\n\
             [stages.model]\nkind = \"{kind}\"\ntokens = \"tokens\"\nvocabulary = \"words\"\n\
             dimensions = 100\nwindow = 5\n"
        );
        lab.write(&format!("{kind}.toml"), bare);
        lab.run(&format!("run {kind}.toml")).done();
        let vector = lab.run(&format!("vector runs/{kind}/model hello")).done().stdout;
        assert!(vector.starts_with("hello "), "{vector}");
    }
}
