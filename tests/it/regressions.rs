//! What once went wrong and must not again.

use std::process::Command;

use crate::lab::{Lab, Outcome, SMALL};

#[test]
fn a_directory_that_is_no_stage_is_not_replaced() {
    let lab = Lab::new();
    lab.write("corpus/a.txt", "a b c\n");
    lab.write("corpus/notes.md", "mine");
    lab.run("tokenize corpus/a.txt -o corpus").failed(&["\"corpus\""]);
    assert!(lab.path("corpus/a.txt").exists() && lab.path("corpus/notes.md").exists());
    lab.write("p.toml", "[stages.corpus]\nkind = \"tokenize\"\ninput = [\"corpus/*.txt\"]\n");
    lab.run("run p.toml --dir .").failed(&["corpus"]);
    assert!(lab.path("corpus/a.txt").exists() && lab.path("corpus/notes.md").exists());
}

#[test]
fn directories_of_other_people_beside_a_stage_are_left_alone() {
    let lab = Lab::new();
    lab.write("a.txt", "a b c\n");
    lab.write("t.old/notes.md", "mine");
    lab.write("t.partial/notes.md", "mine");
    let _either = lab.run("tokenize a.txt -o t");
    assert!(lab.path("t.old/notes.md").exists());
    assert!(lab.path("t.partial/notes.md").exists());
}

#[test]
fn a_pipe_is_read_or_refused_but_not_lost() {
    let lab = Lab::new();
    lab.write("a.txt", "four\n");
    let script =
        format!("{} tokenize <(echo one two three) a.txt -o t", env!("CARGO_BIN_EXE_lexmill"));
    let mut bash = Command::new("bash");
    let outcome = Outcome::of(bash.args(["-c", &script]).current_dir(lab.path("")));
    match lab.path("t").exists() {
        true => assert_eq!(lab.documents("t").concat(), ["one", "two", "three", "four"]),
        false => drop(outcome.failed(&["is not a file"])),
    }
}

#[test]
fn ill_formed_utf8_is_found_at_its_byte() {
    let lab = Lab::new();
    let text = "some words in a line of text\n".repeat(9000);
    let mut bytes = text.clone().into_bytes();
    bytes.extend(b"bad \xE9 here\n");
    lab.write("a.txt", &bytes);
    let offset = format!("byte {} of the text", text.len() + 4);
    lab.run("tokenize a.txt -o t --shard-bytes 64KiB --invalid-utf8 error").failed(&[&offset]);
}

#[test]
fn a_mistake_in_a_set_is_shown_as_one() {
    let lab = Lab::new();
    lab.write("p.toml", SMALL);
    for set in ["stages.words.min_cuont=2", "stages.words.min_count=many", "stages.counts.window=0"]
    {
        let outcome = lab.run(&format!("validate p.toml --set {set}")).failed(&["--set: "]);
        assert!(!outcome.stderr.contains("p.toml:"), "{}", outcome.stderr);
    }
}

/// Interrupted with little memory (so that it counted all anew), taken up with much (so that it grows
/// the earlier counts).
#[test]
fn growth_taken_up_with_other_memory_counts_once() {
    let lab = Lab::new();
    let words = |seed: u64, n: usize| crate::lab::text(seed, n).replace('\n', " ");
    lab.write("corpus/b.txt", format!("rare rare {}", words(1, 600_000)));
    lab.write("corpus/c.txt", words(2, 400_000));
    lab.write("corpus/d.txt", words(3, 450_000));
    let pipeline = SMALL.replace("\"64KiB\"", "\"1MiB\"\nlowercase = true\ndocuments = \"files\"");
    lab.write("p.toml", pipeline);
    lab.run("run p.toml --dir r --to counts").done();
    lab.write("corpus/a.txt", format!("rare {}", words(4, 20_000)));
    lab.run("run p.toml --dir fresh --to counts").done();
    let mut child = lab.start("run p.toml --dir r --to counts --memory 64MiB", "log");
    let journal = lab.path("r/counts.partial/journal.jsonl");
    while !std::fs::read_to_string(&journal).is_ok_and(|text| text.contains("\"run 00000000-")) {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it could be killed");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    lab.run("run p.toml --dir r --to counts --memory 4GiB").done();
    assert_eq!(lab.tables("r"), lab.tables("fresh"));
}

/// The notice survives an interruption.
#[test]
fn growth_says_what_it_took_over_after_an_interruption() {
    let lab = Lab::small();
    lab.run("run p.toml --dir r --to counts").done();
    lab.corpus("corpus/b.txt", 9, 4_000);
    let mut child = lab.start("run p.toml --dir r --to counts", "log");
    let journal = lab.path("r/counts.partial/journal.jsonl");
    while !std::fs::read_to_string(&journal).is_ok_and(|text| text.contains("\"growth\"")) {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it could be killed");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let outcome = lab.run("run p.toml --dir r --to counts").done();
    assert!(outcome.stderr.contains("took over the earlier counts"), "{}", outcome.stderr);
}

/// A long document whose first part holds no word still begins where it begins.
#[test]
fn a_document_that_begins_with_nothing_is_not_the_one_before() {
    let lab = Lab::new();
    let nothing = "- ".repeat(100_000);
    lab.write("a.txt", format!("hello world\n{nothing}foo bar\n"));
    lab.run("tokenize a.txt -o t --shard-bytes 64KiB").done();
    let documents: Vec<Vec<String>> =
        lab.documents("t").into_iter().filter(|document| !document.is_empty()).collect();
    assert_eq!(documents, [["hello", "world"], ["foo", "bar"]]);
    lab.run("vocabulary --tokens t -o w --min-count 1").done();
    lab.run("count --tokens t --vocabulary w -o c").done();
    assert_eq!(lab.report("c", "cells"), 4, "only hello-world and foo-bar stand together");
}

/// A test set that is missing is found before the first stage runs, and `plan` still shows the rest.
#[test]
fn a_missing_test_set_is_found_before_any_work() {
    let lab = Lab::small();
    let set =
        "--set stages.scores={kind=\"evaluate\",embeddings=\"vectors\",similarity=[\"no.txt\"]}";
    lab.run(&format!("run p.toml --dir r {set}")).failed(&["no.txt"]);
    assert!(!lab.path("r/tokens").exists());
    let plan = lab.run(&format!("plan p.toml --dir r {set}")).done();
    assert!(plan.stdout.contains("blocked") && plan.stdout.contains("tokens"), "{}", plan.stdout);
}

/// With a few words only, each in thousands of examples, what was predicted was once pushed down again
/// by all negatives at a time: the loss grew from epoch to epoch.
#[test]
fn a_few_words_are_learned_and_the_loss_falls() {
    let lab = Lab::new();
    let mut random = lexmill_vocab::Random::named(&[6]);
    let lines = (0..4000).map(|line| {
        let topic = if line % 2 == 0 { 'x' } else { 'y' };
        let words: Vec<String> = (0..6).map(|_| format!("{topic}{}", random.below(20))).collect();
        words.join(" ") + "\n"
    });
    lab.write("a.txt", lines.collect::<String>());
    lab.run("tokenize a.txt -o t").done();
    lab.run("vocabulary --tokens t -o w --min-count 1").done();
    for flags in ["", " --batch-windows 1"] {
        let rest = "--dimensions 10 --sample 0 --shrink-windows false --epochs 5";
        let command = format!("skipgram --tokens t --vocabulary w -o s{flags} {rest}");
        let told = lab.run(&command).done().stderr;
        let losses: Vec<f64> = told
            .lines()
            .filter_map(|line| line.split("loss ").nth(1)?.split(' ').next()?.parse().ok())
            .collect();
        assert_eq!(losses.len(), 5, "{told}");
        assert!(losses.is_sorted_by(|a, b| a > b), "{losses:?}");
        // As likely as chance is 6 ln 2 = 4.16; knowing the topic and no more is about 2.
        assert!(losses[4] > 1.0 && losses[4] < 2.6, "{losses:?}");
    }
    let near = lab.run("neighbors s x0 -n 19").done().stdout;
    let same = near.lines().skip(2).filter(|line| line.trim_start().starts_with('x')).count();
    assert_eq!(same, 19, "{near}");
}
