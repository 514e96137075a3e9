//! Mistakes and how they are shown.

use super::*;

const GOOD: &str = r#"
name = "wiki"
seed = 7

[stages.vectors]
kind = "export"
model = "glove"

[stages.tokens]
kind = "tokenize"
input = ["corpus/*.txt"]

[stages.words]
kind = "vocabulary"
tokens = "tokens"
min_count = 2

[stages.counts]
kind = "count"
tokens = "tokens"
vocabulary = "words"

[stages.glove]
kind = "glove"
counts = "counts"
x_max = 10
"#;

fn shown(text: &str, overrides: &[&str]) -> String {
    let overrides: Vec<String> = overrides.iter().map(|s| (*s).to_owned()).collect();
    match Definition::parse(text, "file", &overrides) {
        Ok(_) => "fine".to_owned(),
        Err(problems) => render_problems("p.toml", text, &problems),
    }
}

#[test]
fn stages_come_after_what_they_read_from() {
    let definition = Definition::parse(GOOD, "file", &[]).unwrap();
    assert_eq!(definition.name, "wiki");
    let ids: Vec<&str> = definition.stages.iter().map(|stage| stage.id.as_str()).collect();
    assert_eq!(ids, ["tokens", "words", "counts", "glove", "vectors"]);
    assert_eq!(definition.stages[2].inputs, ["tokens", "words"]);
    let Settings::Glove(glove) = &definition.stages[3].settings else { panic!() };
    assert_eq!((glove.seed, glove.x_max), (7, 10.0));
}

const CHAIN: &str = r#"
[stages.words]
kind = "vocabulary"
tokens = "a-twice"

[stages.a-twice]
kind = "phrases"
tokens = "z-once"
threshold = 50

[stages.z-once]
kind = "phrases"
tokens = "tokens"
score = "npmi"

[stages.tokens]
kind = "tokenize"
input = ["corpus/*.txt"]
"#;

#[test]
fn phrases_come_after_the_phrases_they_read_from() {
    let definition = Definition::parse(CHAIN, "file", &[]).unwrap();
    let ids: Vec<&str> = definition.stages.iter().map(|stage| stage.id.as_str()).collect();
    assert_eq!(ids, ["tokens", "z-once", "a-twice", "words"]);
    let Settings::Phrases(phrases) = &definition.stages[2].settings else { panic!() };
    assert_eq!(phrases.threshold, Some(50.0));
    let circle = shown(&CHAIN.replace("\"tokens\"", "\"a-twice\""), &[]);
    for part in [
        "p.toml:6:9: stage \"a-twice\" reads, by way of others or not, from itself",
        "p.toml:11:9: stage \"z-once\" reads",
        "2 problems",
    ] {
        assert!(circle.contains(part), "{part}\n---\n{circle}");
    }
    let circle = shown(&CHAIN.replace("\"z-once\"", "\"a-twice\""), &[]);
    assert!(circle.contains("\"a-twice\" reads") && circle.ends_with("1 problem"), "{circle}");
    let wrong = shown(&CHAIN.replace("\"tokens\"", "\"words\""), &[]);
    assert!(
        wrong.contains("tokens takes a tokenize or deduplicate or phrases stage, but \"words\""),
        "{wrong}"
    );
}

#[test]
fn every_mistake_is_found_at_once_and_shown_in_its_line() {
    let text = GOOD
        .replace("min_count = 2", "min_cuont = 2")
        .replace("x_max = 10", "x_max = \"ten\"\nlearning_rate = -1")
        .replace("vocabulary = \"words\"", "vocabulary = \"wrods\"\nwindow = 5000")
        .replace("kind = \"export\"", "kind = \"exprot\"")
        .replace("seed = 7", "sead = 7");
    let shown = shown(&text, &[]);
    for part in [
        "p.toml:3:1: unknown field \"sead\"",
        "did you mean \"seed\"?",
        "p.toml:6:1: unknown kind \"exprot\"",
        "6 | kind = \"exprot\"",
        "did you mean \"export\"?",
        "unknown field \"min_cuont\"",
        "  | ^^^^^^^^^^^^^",
        "did you mean \"min_count\"?",
        "x_max: invalid type: string \"ten\", expected f64",
        "window must be from 1 to 1000",
        "there is no stage \"wrods\"",
        "did you mean \"words\"?",
    ] {
        assert!(shown.contains(part), "{part}\n---\n{shown}");
    }
}

#[test]
fn a_stage_of_the_wrong_kind_is_named() {
    let shown = shown(&GOOD.replace("counts = \"counts\"", "counts = \"tokens\""), &[]);
    assert!(
        shown.contains("counts takes a count stage, but \"tokens\" is a tokenize stage"),
        "{shown}"
    );
}

#[test]
fn broken_toml_is_shown_where_it_breaks() {
    let shown = shown("name = \"x\"\n[stages\n", &[]);
    assert!(shown.starts_with("p.toml:2:"), "{shown}");
    assert!(Definition::parse("", "x", &[]).unwrap_err()[0].message.contains("no stages"));
}

#[test]
fn set_changes_a_field_and_is_checked_like_one() {
    let set = |text: &str| vec![text.to_owned()];
    let parse = |text: &str| Definition::parse(GOOD, "file", &set(text));
    let definition = parse("stages.glove.dimensions=30").unwrap();
    let Settings::Glove(glove) = &definition.stages[3].settings else { panic!() };
    assert_eq!(glove.dimensions, 30);
    let definition = parse("stages.counts.weighting=flat").unwrap();
    let Settings::Count(count) = &definition.stages[2].settings else { panic!() };
    assert_eq!(count.weighting, lexmill_cooccur::Weighting::Flat);
    for (wrong, part) in [
        ("stages.glvoe.dimensions=30", "did you mean \"glove\"?"),
        ("dimensions", "is not key=value"),
        ("stages.glove.dimension=30", "did you mean \"dimensions\"?"),
        ("stages.glove.dimensions=many", "dimensions"),
    ] {
        let shown = shown(GOOD, &[wrong]);
        assert!(shown.contains(part), "{wrong}: {shown}");
    }
}

#[test]
fn names_are_safe_as_directories() {
    for bad in ["../x", "", ".hidden", "a/b", "a b", "x.partial"] {
        assert!(!is_name(bad), "{bad:?}");
    }
    for good in ["wiki-en_2.0", "größe", "单词"] {
        assert!(is_name(good), "{good:?}");
    }
}

const TESTED: &str = r#"
[stages.tokens]
kind = "tokenize"
input = ["*.txt"]
lowercase = true

[[test]]
text = "It's HERE"
tokens = ["it's", "here"]

[[test]]
stage = "tokens"
text = "a\nb"
documents = [["a"], ["b"]]
"#;

#[test]
fn tests_of_tokens() {
    let definition = Definition::parse(TESTED, "file", &[]).unwrap();
    assert_eq!(definition.tests.len(), 2);
    assert_eq!(definition.tests[0].documents, [["it's", "here"]]);
    let results = crate::run_tests(&definition).unwrap();
    assert!(results.iter().all(crate::TestResult::passed), "{results:?}");
    let wrong = TESTED.replace("\"here\"", "\"HERE\"");
    let results = crate::run_tests(&Definition::parse(&wrong, "file", &[]).unwrap()).unwrap();
    assert_eq!(results.iter().filter(|result| !result.passed()).count(), 1);

    let changed = |from: &str, to: &str| shown(&TESTED.replace(from, to), &[]);
    assert!(changed("stage = \"tokens\"", "stage = \"words\"").contains("test 2: \"words\""));
    assert!(changed("tokens = [\"it's\"", "words = [\"it's\"").contains("unknown field `words`"));
    assert!(changed("documents = [[\"a\"], [\"b\"]]", "").contains("either tokens or documents"));
    let two = format!("{TESTED}\n[stages.more]\nkind = \"tokenize\"\ninput = [\"x\"]\n");
    assert!(shown(&two, &[]).contains("test 1 must name its stage"));
}
