//! `run` does what is missing, and nothing else.

use std::path::Path;
use std::time::Duration;

use lexmill_store::table::TableReader;
use serde_json::Value;

use crate::lab::{Lab, Outcome, SMALL, STAGES, Stamps, set_age};

const FRESH: [&str; 5] = ["fresh"; 5];

/// A lab whose pipeline is done.
fn finished() -> Lab {
    let lab = Lab::small();
    let outcome = lab.run("run p.toml --dir r").done();
    assert_eq!(outcome.ran(), STAGES);
    lab
}

fn toy() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines/toy.toml");
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn the_toy_ends_with_neighbours_and_tables() {
    let lab = Lab::new();
    lab.write("toy.toml", toy());
    let first = lab.run("run toy.toml").done();
    for part in ["Nearest words\nhello\n", "\ncat\n", "\nTables\n", "duckdb -c"] {
        assert!(first.stdout.contains(part), "{part:?} is not in\n{}", first.stdout);
    }
    // It has learned something: cats and dogs do the same things.
    let cat = first.stdout.split("\ncat\n").nth(1).unwrap();
    assert!(cat.lines().skip(1).take(3).any(|line| line.contains(" dog ")), "{cat}");
    assert!(first.stderr.contains("  epoch 100/100  loss 0.0"), "{}", first.stderr);
    // Every path it names is there.
    for line in first.stdout.split("\nTables\n").nth(1).unwrap().lines().take(5) {
        let (directory, _) = line.trim().split_once("/*").unwrap_or((line.trim(), ""));
        assert!(lab.path(directory).exists(), "{line}");
    }
    assert_eq!(lab.tables("runs/toy").len(), 10);
    let text =
        std::fs::read_to_string(lab.path("runs/toy/vectors/embeddings.word2vec.txt")).unwrap();
    assert!(text.starts_with("12 10\nthe "), "{text}");
    assert!(text.lines().skip(1).all(|line| line.split(' ').count() == 11), "{text}");

    let again = lab.run("run toy.toml").done();
    assert_eq!(again.stages().iter().map(|(_, what)| *what).collect::<Vec<_>>(), FRESH);
    assert_eq!(again.stdout, "");
}

#[test]
fn what_does_not_change_the_result_causes_no_work() {
    let lab = finished();
    let before = lab.stamps("r");
    let unchanged = |what: &str, args: &str| {
        assert_eq!(lab.conditions(&format!("p.toml --dir r {args}")), FRESH, "{what}");
        let outcome = lab.run(&format!("run p.toml --dir r {args}")).done();
        assert!(outcome.ran().is_empty(), "{what}: {}", outcome.stderr);
        assert_eq!(outcome.stages().len(), 5, "{what}: {}", outcome.stderr);
        assert_eq!(outcome.stdout, "", "{what}");
        assert_eq!(lab.stamps("r"), before, "{what}");
    };
    unchanged("nothing", "");
    for args in ["--threads 1", "--threads 3", "--memory 256MiB", "--checkpoint-every 1"] {
        unchanged(args, args);
    }
    set_age(&lab.path("corpus/a.txt"), 1000);
    unchanged("an older corpus file", "");
    set_age(&lab.path("corpus/a.txt"), 0);
    unchanged("a touched corpus file", "");
    // Its name and place are not its content.
    std::fs::rename(lab.path("corpus/a.txt"), lab.path("corpus/aa.txt")).unwrap();
    unchanged("a renamed corpus file", "");
    let more = SMALL.replace("[stages.words]", "# A comment.\n\n[stages.words] # Another.");
    lab.write("p.toml", more.replace("min_count = 3", "min_count   =   0x3"));
    unchanged("a comment", "");
    lab.write("p.toml", SMALL.replace("name = ", "neighbors = [\"ke\"]\nname = "));
    unchanged("words to show at the end", "");
    // A default that is written out is the same setting.
    unchanged("a default", "--set stages.counts.weighting=harmonic --set name=other");
}

#[test]
fn a_changed_setting_runs_what_depends_on_it() {
    let lab = finished();
    let mut args = String::from("p.toml --dir r");
    for (set, first, reason) in [
        ("stages.vectors.vectors=word", 4, "vectors was \"auto\", is \"word\""),
        ("stages.glove.x_max=5", 3, "x_max was 10.0, is 5.0"),
        ("seed=4", 3, "seed was 3, is 4"),
        ("stages.glove.epochs=2", 3, "epochs was 3, is 2"),
        ("stages.counts.window=3", 2, "window was 4, is 3"),
        ("stages.counts.contexts=left", 2, "contexts was \"symmetric\", is \"left\""),
        ("stages.words.min_count=5", 1, "min_count was 3, is 5"),
        ("stages.words.max_words=900", 1, "max_words was null, is 900"),
        ("stages.tokens.lowercase=true", 0, "lowercase was false, is true"),
    ] {
        args += &format!(" --set {set}");
        let planned = lab.conditions(&args);
        let before = lab.tables("r");
        let outcome = lab.run(&format!("run {args}")).done();
        for (i, stage) in STAGES.iter().enumerate() {
            let condition = match i.cmp(&first) {
                std::cmp::Ordering::Less => "fresh",
                std::cmp::Ordering::Equal => "stale",
                std::cmp::Ordering::Greater => "stale?",
            };
            assert_eq!(planned[i], condition, "{set}: {stage}");
        }
        assert_eq!(outcome.ran(), STAGES[first..], "{set}");
        let (_, why) = outcome.stages()[first];
        assert_eq!(why, format!("again: {reason}"), "{set}");
        for (_, why) in &outcome.stages()[first + 1..] {
            assert!(why.contains("its input") && why.contains("has changed"), "{set}: {why}");
        }
        // It did make a difference.
        let after = lab.tables("r");
        for stage in &STAGES[first..] {
            let of = |tables: &std::collections::BTreeMap<String, String>| {
                let files =
                    tables.iter().filter(|(file, _)| file.starts_with(&format!("{stage}/")));
                files.map(|(file, hash)| (file.clone(), hash.clone())).collect::<Vec<_>>()
            };
            assert_ne!(of(&before), of(&after), "{set}: {stage} is the same");
        }
        assert_eq!(lab.conditions(&args), FRESH, "{set}");
    }
    // All of it in a fresh directory gives the same.
    lab.run(&format!("run {}", args.replace("--dir r", "--dir fresh"))).done();
    assert_eq!(lab.tables("r"), lab.tables("fresh"));
}

#[test]
fn the_same_output_leaves_what_depends_on_it_fresh() {
    let lab = finished();
    for (set, ran) in [
        // No word is that long: the shards stay what they are.
        ("stages.tokens.max_word_bytes=900", &["tokens"][..]),
        // Other shards, the same words; the counts are made again, and are what they were.
        ("stages.tokens.shard_bytes=128KiB", &["tokens", "counts"]),
        // More room than there are words for.
        ("stages.words.max_words=1_000_000", &["words"]),
    ] {
        lab.run("run p.toml --dir r").done();
        let args = format!("p.toml --dir r --set {set}");
        let first = STAGES.iter().position(|stage| *stage == ran[0]).unwrap();
        assert_eq!(lab.conditions(&args)[first + 1..], vec!["stale?"; 4 - first], "{set}");
        let models = (lab.stamps("r/glove"), lab.stamps("r/vectors"));
        let outcome = lab.run(&format!("run {args}")).done();
        // A table may carry its settings, so that the stage after it runs as well; it gives the same.
        let ran_in_full: Vec<&str> = ran.iter().copied().chain(["words", "counts"]).collect();
        assert!(outcome.ran().starts_with(&ran[..1]), "{set}: {}", outcome.stderr);
        assert!(outcome.ran().iter().all(|s| ran_in_full.contains(s)), "{set}: {}", outcome.stderr);
        assert_eq!((lab.stamps("r/glove"), lab.stamps("r/vectors")), models, "{set}");
        assert_eq!(lab.conditions(&args), FRESH, "{set}");
    }
}

#[test]
fn only_from_and_to_select_stages() {
    let lab = Lab::small();
    lab.run("run p.toml --dir r --only glove")
        .failed(&["stage \"glove\" needs stage \"counts\", which is not done"]);
    let outcome = lab.run("run p.toml --dir r --to words").done();
    assert_eq!(outcome.ran(), ["tokens", "words"]);
    assert_eq!(
        lab.conditions("p.toml --dir r"),
        ["fresh", "fresh", "missing", "missing", "missing"]
    );
    let outcome = lab.run("run p.toml --dir r --only counts --only tokens").done();
    assert_eq!(outcome.stages(), [("tokens", "fresh"), ("counts", "begins")]);
    let outcome = lab.run("run p.toml --dir r --from glove").done();
    assert_eq!(outcome.ran(), ["glove", "vectors"]);
    let outcome = lab.run("run p.toml --dir r --from words --to counts").done();
    assert_eq!(outcome.stages(), [("words", "fresh"), ("counts", "fresh")]);
    // What lies before the selection is taken as it is.
    let outcome = lab.run("run p.toml --dir r --only glove --set stages.words.min_count=9").done();
    assert_eq!(outcome.stages(), [("glove", "fresh")]);
    lab.run("run p.toml --dir r --from glvoe").failed(&[
        "there is no stage \"glvoe\"",
        "tokens, words, counts, glove, vectors",
        "did you mean \"glove\"?",
    ]);
}

#[test]
fn more_epochs_are_the_same_as_all_from_the_start() {
    let lab = finished();
    let more = lab.run("run p.toml --dir r --set stages.glove.epochs=7").done();
    assert_eq!(more.ran(), ["glove", "vectors"]);
    assert!(more.stderr.contains("  goes on after 3 epochs\n"), "{}", more.stderr);
    assert!(!more.stderr.contains("epoch 3/7"), "{}", more.stderr);
    assert!(more.stderr.contains("epoch 4/7"), "{}", more.stderr);
    let straight = lab.run("run p.toml --dir s --set stages.glove.epochs=7").done();
    assert!(straight.stderr.contains("epoch 1/7"), "{}", straight.stderr);
    let read = |run: &str| std::fs::read(lab.path(run).join("glove/parameters.parquet")).unwrap();
    assert!(read("r") == read("s"), "the parameters differ");
    assert_eq!(lab.tables("r"), lab.tables("s"));
    // The losses are of all epochs, and fall.
    let mut losses = Vec::new();
    for batch in TableReader::open(&lab.path("r/glove/metrics.parquet"), None, 100).unwrap() {
        losses.extend_from_slice(batch.unwrap().f64("loss").unwrap());
    }
    assert_eq!(losses.len(), 7);
    assert!(losses.is_sorted_by(|a, b| a > b), "{losses:?}");
    // Fewer can't be taken back: that is trained from the start, and equals the first result.
    let fewer = lab.run("run p.toml --dir r").done();
    assert!(fewer.stderr.contains("epoch 1/3"), "{}", fewer.stderr);
    lab.run("run p.toml --dir t").done();
    assert_eq!(lab.tables("r"), lab.tables("t"));
}

/// The files of `after` that are not those of `before`.
fn new_files<'a>(before: &Stamps, after: &'a Stamps, folder: &str) -> Vec<&'a str> {
    let old: Vec<_> = before.values().collect();
    let files = after.iter().filter(|(name, _)| name.starts_with(folder));
    files.filter(|(_, stamp)| !old.contains(stamp)).map(|(name, _)| name.as_str()).collect()
}

#[test]
fn a_grown_corpus_is_done_where_it_has_grown() {
    let lab = finished();
    let before = lab.stamps("r/tokens");
    let shards = before.keys().filter(|name| name.starts_with("shards/")).count();
    assert!(shards >= 4, "{before:?}");
    // In the middle, by name.
    lab.corpus("corpus/b.txt", 9, 4_000);
    assert_eq!(lab.conditions("p.toml --dir r"), ["stale", "stale?", "stale?", "stale?", "stale?"]);
    let outcome = lab.run("run p.toml --dir r").done();
    assert_eq!(outcome.stages()[0], ("tokens", "again: the corpus files have changed"));
    assert_eq!(outcome.ran(), STAGES);
    let after = lab.stamps("r/tokens");
    for folder in ["shards/", "words/"] {
        let new = new_files(&before, &after, folder);
        assert!((1..=2).contains(&new.len()), "{new:?} of {after:?}");
    }
    // Counted on top of the earlier counts, not all over again.
    let notice = "  note: took over the earlier counts: ";
    assert!(outcome.stderr.contains(notice), "{}", outcome.stderr);
    let new_tokens: u64 = {
        let rest = outcome.stderr.split(notice).nth(1).unwrap();
        rest.split(" tokens are new").next().unwrap().parse().unwrap()
    };
    assert!((3_000..8_000).contains(&new_tokens), "{new_tokens}");
    lab.run("run p.toml --dir fresh").done();
    assert_eq!(lab.tables("r"), lab.tables("fresh"));

    // Once more, with words that no file had before, and without a change of the vocabulary.
    lab.write("corpus/e.txt", "Novum verbum novum verbum novum verbum.\n".repeat(2000));
    let outcome = lab.run("run p.toml --dir r").done();
    assert!(outcome.stderr.contains(notice), "{}", outcome.stderr);
    lab.run("run p.toml --dir fresh2 --threads 1").done();
    assert_eq!(lab.tables("r"), lab.tables("fresh2"));
    let grown = lab.stamps("r/tokens");

    // A file less is no growth: counted again, and right.
    std::fs::remove_file(lab.path("corpus/a.txt")).unwrap();
    let outcome = lab.run("run p.toml --dir r").done();
    assert!(!outcome.stderr.contains(notice), "{}", outcome.stderr);
    let after = lab.stamps("r/tokens");
    assert_eq!(new_files(&grown, &after, "shards/"), [""; 0]);
    assert!(after.len() < grown.len(), "{after:?}");
    lab.run("run p.toml --dir fresh3").done();
    assert_eq!(lab.tables("r"), lab.tables("fresh3"));
}

#[test]
fn a_lost_or_cut_table_is_made_again() {
    let lab = finished();
    let whole = lab.tables("r");
    std::fs::remove_file(lab.path("r/words/vocabulary.parquet")).unwrap();
    let outcome = lab.run("run p.toml --dir r").done();
    assert_eq!(outcome.stages()[1], ("words", "again: its file \"vocabulary.parquet\" is missing"));
    assert_eq!(outcome.ran(), ["words"]);
    let shards = lab.manifest("r/tokens").paths(&lab.path("r/tokens"), "shards");
    std::fs::File::options().write(true).open(&shards[1]).unwrap().set_len(1000).unwrap();
    let outcome = lab.run("run p.toml --dir r").done();
    assert_eq!(outcome.ran(), ["tokens"]);
    assert!(outcome.stages()[0].1.contains("has 1000 bytes instead of"), "{}", outcome.stderr);
    std::fs::remove_dir_all(lab.path("r/counts/cells/row_block=01")).unwrap();
    assert_eq!(lab.run("run p.toml --dir r").done().ran(), ["counts"]);
    assert_eq!(lab.tables("r"), whole);
}

#[test]
fn a_run_is_followed_from_outside_and_held_against_a_second() {
    let lab = Lab::small();
    let endless = "p.toml --dir r --set stages.glove.epochs=100000";
    let mut child = lab.start(&format!("run {endless}"), "log");
    let mut seen = Value::Null;
    for _ in 0..600 {
        std::thread::sleep(Duration::from_millis(50));
        let status = lab.run(&format!("status --json {endless}")).done();
        seen = serde_json::from_str(&status.stdout).unwrap();
        if seen["stages"][3]["state"] == "at work" && seen["running"]["done"].as_u64() > Some(0) {
            break;
        }
    }
    assert_eq!(seen["running"]["stage"], "glove", "{seen}");
    assert_eq!(seen["running"]["process"], child.id(), "{seen}");
    assert_eq!(seen["running"]["unit"], "cells", "{seen}");
    assert_eq!(seen["stages"][2]["state"], "done", "{seen}");
    assert_eq!(seen["stages"][4]["state"], "to do", "{seen}");
    let text = lab.run(&format!("status {endless}")).done().stdout;
    assert!(text.starts_with(&format!("process {} is at work on glove: ", child.id())), "{text}");

    let holder = format!("is in use by process {}", child.id());
    lab.run(&format!("run {endless}")).failed(&["\"r\"", &holder, "wait for it to end"]);
    // Another directory is free.
    lab.run("run p.toml --dir other --to words").done();

    child.kill().unwrap();
    child.wait().unwrap();
    let status = lab.run(&format!("status {endless}")).done().stdout;
    assert!(status.starts_with("no run is at work in r\n"), "{status}");
    assert!(status.contains("glove    glove       interrupted\n"), "{status}");
    // Few epochs instead: another purpose, so what was begun is dropped.
    lab.run("run p.toml --dir r").done();
    lab.run("run p.toml --dir fresh").done();
    assert_eq!(lab.tables("r"), lab.tables("fresh"));
}

#[test]
fn a_stage_with_other_settings_is_stale_whatever_its_inputs_will_be() {
    let lab = Lab::small();
    lab.run("run p.toml --dir r").done();
    let changed = "--set stages.words.min_count=2 --set stages.glove.epochs=5";
    let plan = lab.run(&format!("plan p.toml --dir r {changed}")).done().stdout;
    assert!(plan.contains("epochs was 3, is 5"), "{plan}");
    let conditions = lab.conditions(&format!("p.toml --dir r {changed}"));
    assert_eq!(conditions, ["fresh", "stale", "stale?", "stale", "stale?"]);
}

#[test]
fn a_run_can_be_quiet_or_speak_json() {
    let lab = Lab::small();
    let quiet = lab.run("run p.toml --dir q --quiet").done();
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));

    let json = lab.run("run p.toml --dir j --log-format json").done();
    let lines: Vec<Value> =
        json.stderr.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let about = |stage: &str, message: &str| -> Vec<&Value> {
        lines.iter().filter(|l| l["stage"] == stage && l["message"] == message).collect()
    };
    for stage in STAGES {
        assert_eq!(about(stage, "begins").len(), 1, "{}", json.stderr);
        assert_eq!(about(stage, "ends").len(), 1, "{}", json.stderr);
    }
    let epochs = about("glove", "epoch");
    assert_eq!(epochs.iter().map(|e| e["epoch"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(epochs.iter().all(|epoch| epoch["loss"].as_f64() > Some(0.0)), "{epochs:?}");
    // So are errors, of which there is one.
    for args in ["run none.toml", "run p.toml --dir j --only none"] {
        let mut command = lab.command(&format!("{args} --log-format json"));
        let outcome = Outcome::of(command.env("LEXMILL_LOG", "off"));
        assert_eq!(outcome.code, Some(1));
        let lines: Vec<Value> =
            outcome.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((lines.len(), &lines[0]["level"]), (1, &"ERROR".into()), "{lines:?}");
        assert!(lines[0]["message"].as_str().unwrap().contains("none"), "{lines:?}");
    }
    let again = lab.run("run p.toml --dir j --log-format json").done();
    assert_eq!(again.stderr.matches("\"message\":\"fresh\"").count(), 5, "{}", again.stderr);
}

#[test]
fn stages_alone_give_what_the_pipeline_gives() {
    let lab = finished();
    for command in [
        "tokenize corpus/*.txt --shard-bytes 64KiB -o s/tokens",
        "vocabulary --tokens s/tokens --min-count 3 -o s/words",
        "count --tokens s/tokens --vocabulary s/words --window 4 -o s/counts",
        "glove --counts s/counts --dimensions 8 --x-max 10 --epochs 3 --seed 3 -o s/glove",
        "export --model s/glove --formats parquet --formats word2vec-text --formats glove-text \
         -o s/vectors",
    ] {
        let outcome = lab.run(command).done();
        assert_eq!(outcome.stdout, "", "{command}");
        let name = command.split(' ').next().unwrap();
        assert_eq!(outcome.stages(), [(name, "begins")], "{command}");
        assert_eq!(lab.run(command).done().stages(), [(name, "fresh")], "{command}");
    }
    assert_eq!(lab.tables("s"), lab.tables("r"));
}

#[test]
fn neighbors_are_found_in_every_format() {
    let lab = finished();
    let ask = |path: &str| lab.run(&format!("neighbors {path} ke li -n 3 --json")).done().stdout;
    let first = ask("r");
    let found: Value = serde_json::from_str(&first).unwrap();
    assert_eq!((found[0]["word"].as_str(), found[1]["word"].as_str()), (Some("ke"), Some("li")));
    assert_eq!(found[0]["neighbors"].as_array().unwrap().len(), 3);
    let cosines: Vec<f64> =
        (0..3).map(|i| found[1]["neighbors"][i]["cosine"].as_f64().unwrap()).collect();
    assert!(cosines.is_sorted_by(|a, b| a >= b) && cosines[0] <= 1.0, "{cosines:?}");
    assert_eq!(ask("r/vectors"), first);
    assert_eq!(ask("r/vectors/embeddings.parquet"), first);
    // Text formats hold no counts, but the same bits.
    for name in ["word2vec", "glove"] {
        let other: Value =
            serde_json::from_str(&ask(&format!("r/vectors/embeddings.{name}.txt"))).unwrap();
        for (word, i) in [(0, 0), (0, 2), (1, 1)] {
            let (a, b) = (&found[word]["neighbors"][i], &other[word]["neighbors"][i]);
            assert_eq!((&a["word"], &a["cosine"]), (&b["word"], &b["cosine"]), "{name}");
        }
    }
    let outcome = lab.run("neighbors r ke KE").failed(&["\"KE\" is not among the", "\"ke\" is"]);
    assert!(outcome.stdout.starts_with("ke\n  neighbor"), "{}", outcome.stdout);
}

#[test]
fn evaluation_belongs_to_the_pipeline() {
    let lab = finished();
    lab.write("sim.txt", "ke li 5\nmo nu 3\nvy sta 2\nnosuchword ke 1\n");
    lab.write("ana.txt", ": one\nke li mo nu\nvy ke li sta\n: gram2\nke li nosuchword nu\n");
    let with = "\n[stages.scores]\nkind = \"evaluate\"\nembeddings = \"vectors\"\n\
                similarity = [\"sim.txt\"]\nanalogies = [\"ana.txt\"]\n";
    lab.write("p.toml", format!("{SMALL}{with}"));
    let outcome = lab.run("run p.toml --dir r").done();
    assert_eq!(outcome.ran(), ["scores"]);
    for part in ["Word similarity", "3 of 4", "Analogies", "2 of 3", "gram2", "OOV wrong"] {
        assert!(outcome.stdout.contains(part), "{part:?} is not in\n{}", outcome.stdout);
    }
    set_age(&lab.path("sim.txt"), 500);
    assert!(lab.run("run p.toml --dir r").done().ran().is_empty());
    // A model is scored as what is exported of it, and so is each of its formats.
    let sets = "--similarity sim.txt --analogies ana.txt --seed 3";
    let table = |stage: &str| std::fs::read(lab.path(stage).join("scores.parquet")).unwrap();
    for (i, embeddings) in
        ["r/glove", "r/vectors", "r/vectors/embeddings.glove.txt"].into_iter().enumerate()
    {
        lab.run(&format!("evaluate --embeddings {embeddings} -o s{i} {sets}")).done();
        assert_eq!(table(&format!("s{i}")), table("r/scores"), "{embeddings}");
    }
    // Test sets count by content.
    lab.write("sim.txt", "ke li 5\nmo nu 3\nvy sta 4\n");
    let outcome = lab.run("run p.toml --dir r").done();
    assert_eq!(
        outcome.stages().last(),
        Some(&("scores", "again: its input test sets has changed"))
    );
    assert!(outcome.stdout.contains("3 of 3"), "{}", outcome.stdout);
}
