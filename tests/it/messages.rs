//! What people see, to the letter.

use crate::lab::Lab;

const PIPELINE: &str = r#"name = "tiny"

[stages.tokens]
kind = "tokenize"
sentences = [["a", "b", "a"], ["b", "a"], ["c", "a", "b"]]

[stages.words]
kind = "vocabulary"
tokens = "tokens"
min_count = 1

[stages.counts]
kind = "count"
tokens = "tokens"
vocabulary = "words"

[stages.glove]
kind = "glove"
counts = "counts"
dimensions = 4
epochs = 2

[stages.vectors]
kind = "export"
model = "glove"
"#;

fn lab() -> Lab {
    let lab = Lab::new();
    lab.write("p.toml", PIPELINE);
    lab
}

/// Checks what a command writes to standard output.
#[track_caller]
fn check(lab: &Lab, args: &str, expected: &str) {
    let outcome = lab.run(args).done();
    assert_eq!(outcome.stdout, expected);
    assert_eq!(outcome.stderr, "");
}

#[test]
fn before_a_run() {
    let lab = lab();
    check(
        &lab,
        "plan p.toml",
        "\
stage    kind                   disk     memory  why
tokens   tokenize    missing   ~19 B  ~64.0 MiB
words    vocabulary  missing   ~96 B     ~640 B  after tokens
counts   count       missing  ~204 B  ~57.2 MiB  after tokens and words
glove    glove       missing  ~768 B  ~95.4 MiB  after counts
vectors  export      missing  ~128 B  ~47.7 MiB  after glove
up to ~768 B more on disk while it runs
",
    );
    check(
        &lab,
        "status p.toml",
        "\
no run is at work in runs/tiny
stage    kind        state
tokens   tokenize    to do
words    vocabulary  to do
counts   count       to do
glove    glove       to do
vectors  export      to do
",
    );
    check(&lab, "validate p.toml", "p.toml: fine: tokens -> words -> counts -> glove -> vectors\n");
    assert!(!lab.path("runs").exists(), "looking leaves nothing behind");
}

#[test]
fn half_way() {
    let lab = lab();
    let outcome = lab.run("run p.toml --to counts").done();
    assert_eq!(
        outcome.stdout,
        "
Tables
  runs/tiny/tokens/shards/*.parquet
  runs/tiny/words/vocabulary.parquet
  runs/tiny/counts/cells/*/*/cells.parquet
"
    );
    check(
        &lab,
        "status p.toml",
        "\
no run is at work in runs/tiny
stage    kind        state
tokens   tokenize    done
words    vocabulary  done
counts   count       done
glove    glove       to do
vectors  export      to do
",
    );
    // Sizes of tables move with the libraries that write them: only what is told of conditions.
    let plan = |flags: &str| -> Vec<String> {
        let text = lab.run(&format!("plan p.toml {flags}")).done().stdout;
        let lines = text.lines().skip(1);
        let lines = lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        lines.map(|line| keep_words(&line)).collect()
    };
    assert_eq!(
        plan("--set stages.words.min_count=2 --set stages.glove.x_max=5"),
        [
            "tokens tokenize fresh",
            "words vocabulary stale min_count was 1, is 2",
            "counts count stale? fresh if words gives the same as before",
            "glove glove missing after counts",
            "vectors export missing after glove",
            "up to more on disk while it runs",
        ]
    );
    lab.run("run p.toml --quiet").done();
    assert_eq!(
        plan("--set stages.glove.x_max=5 --set stages.glove.seed=2"),
        [
            "tokens tokenize fresh",
            "words vocabulary fresh",
            "counts count fresh",
            "glove glove stale seed was 1, is 2; x_max was 100.0, is 5.0",
            "vectors export stale? fresh if glove gives the same as before",
        ]
    );
}

/// A line without its amounts of bytes.
fn keep_words(line: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for word in line.split(' ') {
        if ["B", "KiB", "MiB", "GiB"].contains(&word) {
            kept.pop();
        } else {
            kept.push(word);
        }
    }
    kept.join(" ")
}

#[test]
fn mistakes() {
    let lab = lab();
    lab.write(
        "p.toml",
        PIPELINE.replace("min_count", "min_cuont").replace("\"words\"", "\"wrods\""),
    );
    let outcome = lab.run("validate p.toml").failed(&[]);
    assert_eq!(outcome.stdout, "");
    assert_eq!(
        outcome.stderr,
        r#"error: p.toml:10:1: unknown field "min_cuont"
   |
10 | min_cuont = 1
   | ^^^^^^^^^^^^^
  help: did you mean "min_count"?
p.toml:15:1: there is no stage "wrods"
   |
15 | vocabulary = "wrods"
   | ^^^^^^^^^^^^^^^^^^^^
  help: did you mean "words"?
2 problems
"#
    );
}

#[test]
fn a_word_that_is_not_there() {
    let lab = lab();
    lab.run("run p.toml --quiet").done();
    let outcome = lab.run("neighbors runs/tiny A").failed(&[]);
    assert_eq!(outcome.stdout, "");
    assert_eq!(
        outcome.stderr,
        "error: \"A\" is not among the 3 words of \"runs/tiny\"; \"a\" is\n"
    );
}
