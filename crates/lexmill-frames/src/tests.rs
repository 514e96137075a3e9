//! Whole reports, of files and directories as the stages write them.

use polars::prelude::{DataFrame, IntoColumn, ListType, NamedFrom, ReshapeDimension, Series, df};
use serde_json::{Value as Json, json};

use super::*;
use crate::counts::tests::write_stage;
use crate::fixture::{Directory, write, write_manifest, write_parquet, write_parquet_with};

fn show(path: &Path, rows: usize, word: Option<&str>) -> Report {
    inspect(path, &Options { rows, word: word.map(str::to_owned) }).unwrap()
}

fn error(path: &Path, word: Option<&str>) -> Error {
    inspect(path, &Options { word: word.map(str::to_owned), ..Options::default() }).unwrap_err()
}

/// A section's body as JSON: its `values` or its `rows`.
fn section(report: &Report, title: &str) -> Json {
    let json = report.to_json();
    let sections = json["sections"].as_array().unwrap();
    let titles: Vec<&str> =
        sections.iter().map(|section| section["title"].as_str().unwrap()).collect();
    let place = titles.iter().position(|found| *found == title);
    let section = &sections[place.unwrap_or_else(|| panic!("{title:?} is not in {titles:?}"))];
    section.get("values").or(section.get("rows")).unwrap().clone()
}

fn vectors() -> DataFrame {
    let numbers: Vec<f32> = (0..300).map(|i| i as f32 / 10.0).collect();
    let flat = Series::new("vector".into(), numbers);
    let shape = [ReshapeDimension::new(3), ReshapeDimension::new(100)];
    let mut vectors = flat.reshape_array(&shape).unwrap();
    vectors.rename("vector".into());
    let words = Series::new("word".into(), ["the", "cat", "mat"]);
    let counts = Series::new("count".into(), [12_345u64, 50, 7]);
    DataFrame::new(3, vec![words.into_column(), vectors.into_column(), counts.into_column()])
        .unwrap()
}

fn tokens(documents: &[&[&str]]) -> DataFrame {
    let lists: Vec<Series> =
        documents.iter().map(|document| Series::new("".into(), document.to_vec())).collect();
    let tokens: Series = NamedFrom::<_, ListType>::new("tokens".into(), lists);
    let parts = Series::new("part".into(), vec![0u32; documents.len()]);
    DataFrame::new(documents.len(), vec![parts.into_column(), tokens.into_column()]).unwrap()
}

fn write_tokens(directory: &Directory, name: &str) {
    let long = ["word"; 3000];
    write_parquet(
        &directory.path(&format!("{name}/shards/0.parquet")),
        tokens(&[&["the", "cat"], &long]),
    );
    write_parquet(&directory.path(&format!("{name}/shards/1.parquet")), tokens(&[&["a", "mat"]]));
    for shard in 0..2u64 {
        let words = df!("word" => ["cat", "the"], "count" => [1 + shard, 5]).unwrap();
        write_parquet(&directory.path(&format!("{name}/words/{shard}.parquet")), words);
    }
    let files = [
        ("shards/0.parquet", 2),
        ("shards/1.parquet", 1),
        ("words/0.parquet", 2),
        ("words/1.parquet", 2),
    ];
    let manifest = json!({ "stage": "tokenize", "settings": { "lowercase": true } });
    write_manifest(&directory.root().join(name), manifest, &files);
}

#[test]
fn a_file_of_vectors() {
    let directory = Directory::new();
    let path = directory.path("vectors.parquet");
    write_parquet_with(
        &path,
        vectors(),
        2,
        Some(json!({ "dimensions": 100, "of": { "model": "glove" } })),
    );
    let report = show(&path, 2, None);
    assert_eq!(section(&report, "File")["rows"], 3);
    assert_eq!(section(&report, "Metadata")["of"]["model"], "glove");
    assert_eq!(section(&report, "Columns")[1]["type"], "vector of 100 f32");
    let rows = section(&report, "First rows");
    assert_eq!(rows.as_array().unwrap().len(), 2);
    assert_eq!(rows[0]["vector"].as_array().unwrap().len(), 100, "JSON has it whole");
    assert_eq!(rows[0]["vector"][3], 0.3);
    let text = report.to_text();
    assert!(text.contains("[0, 0.1, 0.2, 0.3, …]"), "{text}");
    assert!(text.contains("12,345") && text.contains("of.model"), "{text}");
    let rows = section(&show(&path, 2, Some("mat")), "file: rows of \"mat\"");
    assert_eq!((&rows[0]["word"], &rows[0]["vector"][0]), (&json!("mat"), &json!(20.0)));
    assert!(matches!(error(&path, Some("dog")), Error::UnknownWord { .. }));
}

#[test]
fn a_file_without_rows() {
    let directory = Directory::new();
    let path = directory.path("a.parquet");
    write_parquet(&path, df!("word" => ["a"], "count" => [1u64]).unwrap().clear());
    let report = show(&path, 10, None);
    assert_eq!(section(&report, "File")["rows"], 0);
    assert_eq!(section(&report, "Columns")[1]["type"], "u64");
    assert_eq!(section(&report, "First rows"), json!([]));
    assert!(matches!(error(&path, Some("a")), Error::UnknownWord { .. }));
}

#[test]
fn a_token_stage() {
    let directory = Directory::new();
    write_tokens(&directory, "tokens");
    let report = show(&directory.root().join("tokens"), 10, None);
    assert!(report.title.ends_with("tokens: tokenize stage"), "{}", report.title);
    assert_eq!(section(&report, "Settings"), json!({ "lowercase": true }));
    assert_eq!(section(&report, "shards")["files"], 2);
    assert_eq!(section(&report, "shards")["rows"], 3);
    assert_eq!(section(&report, "shards: columns")[1]["type"], "list of text");
    let rows = section(&report, "shards: first rows");
    assert_eq!(rows[0]["tokens"], json!(["the", "cat"]));
    assert_eq!(rows[1]["tokens"]["length"], 3000);
    assert_eq!(rows[2]["tokens"], json!(["a", "mat"]));
    let text = report.to_text();
    assert!(text.contains("  the cat\n") && text.contains("word word wor"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() < 100), "{text}");
    let rows =
        section(&show(&directory.root().join("tokens"), 10, Some("cat")), "words: rows of \"cat\"");
    assert_eq!(rows, json!([{ "word": "cat", "count": 1 }, { "word": "cat", "count": 2 }]));
}

#[test]
fn a_count_stage() {
    let directory = Directory::new();
    write_stage(&directory, "counts");
    let path = directory.root().join("counts");
    let report = show(&path, 4, None);
    assert_eq!(section(&report, "Settings")["contexts"], "symmetric");
    assert_eq!(section(&report, "Report")["units_per_count"], 2520);
    assert_eq!(section(&report, "Report")["words"], 6);
    assert_eq!(section(&report, "Report")["cells"], section(&report, "cells")["rows"]);
    assert_eq!(section(&report, "cells")["files"], 4);
    let rows = section(&report, "cells: first rows");
    assert_eq!(rows.as_array().unwrap().len(), 4);
    let expected = json!({
        "center": 0, "center word": "the", "context": 4, "context word": "a", "count": 1.0,
    });
    assert_eq!(rows[0], expected);
    assert_eq!(section(&report, "words.parquet: first rows")[1]["word"], "cat");

    let report = show(&path, 2, Some("cat"));
    let row = section(&report, "The row of \"cat\"");
    assert_eq!((&row["id"], &row["contexts"]), (&json!(1), &json!("symmetric")));
    let contexts = section(&report, "Strongest contexts");
    assert_eq!(contexts.as_array().unwrap().len(), 2);
    // From a shard, and from the folder of them, the words are found too.
    let shard = path.join("cells/row_block=00/column_block=00/cells.parquet");
    assert_eq!(section(&show(&shard, 1, None), "First rows")[0], expected);
    assert_eq!(section(&show(&path.join("cells"), 1, None), "files: first rows")[0], expected);
}

#[test]
fn a_run() {
    let directory = Directory::new();
    write_tokens(&directory, "run/tokens");
    write_stage(&directory, "run/counts");
    directory.path("run/model.partial/journal.jsonl");
    let path = directory.root().join("run");
    let stages = section(&show(&path, 10, None), "Stages");
    let names: Vec<(&str, &str)> = stages
        .as_array()
        .unwrap()
        .iter()
        .map(|stage| (stage["name"].as_str().unwrap(), stage["kind"].as_str().unwrap()))
        .collect();
    assert_eq!(names, [("counts", "count"), ("tokens", "tokenize"), ("model", "(unfinished)")]);
    assert_eq!((&stages[1]["files"], &stages[1]["rows"]), (&json!(4), &json!(7)));
    let contexts = section(&show(&path, 1, Some("cat")), "counts: Strongest contexts");
    assert_eq!(contexts.as_array().unwrap().len(), 1);
    // The runs of a folder are found from above.
    let stages = section(&show(directory.root(), 10, None), "Stages");
    assert_eq!(stages[0]["name"], "run/counts");
}

#[test]
fn a_stage_with_a_file_away_says_which() {
    let directory = Directory::new();
    write_tokens(&directory, "tokens");
    let path = directory.root().join("tokens");
    std::fs::remove_file(path.join("shards/1.parquet")).unwrap();
    let problems =
        section(&show(&path, 10, None), "Problems: run the pipeline again to make it anew");
    assert_eq!(problems, json!([{ "problem": "shards/1.parquet is missing" }]));
}

#[test]
fn files_that_are_not_tables_are_listed() {
    let directory = Directory::new();
    write(&directory.path("export/vectors.txt"), b"the 0.1\n");
    let files = [("vectors.txt", 1)];
    write_manifest(&directory.root().join("export"), json!({ "stage": "export" }), &files);
    let report = show(&directory.root().join("export"), 10, None);
    assert_eq!(section(&report, "Other files"), json!([{ "file": "vectors.txt", "bytes": 8 }]));
}

#[test]
fn errors_name_the_path() {
    let directory = Directory::new();
    let check = |name: &str, word: Option<&str>, expected: fn(&Error) -> bool| {
        let error = error(&directory.root().join(name), word);
        assert!(expected(&error) && error.to_string().contains(name), "{error:?}");
    };
    check("absent", None, |error| matches!(error, Error::Missing { .. }));
    write(&directory.path("text.txt"), b"some words");
    check("text.txt", None, |error| matches!(error, Error::NotParquet { .. }));
    write(&directory.path("damaged.parquet"), b"PAR1 and then nothing of the kind");
    check("damaged.parquet", None, |error| matches!(error, Error::Damaged { .. }));
    directory.path("empty/x");
    check("empty", None, |error| matches!(error, Error::NothingToShow { .. }));
    write_parquet(&directory.path("numbers.parquet"), df!("a" => [1u32]).unwrap());
    check("numbers.parquet", Some("cat"), |error| matches!(error, Error::NoWords { .. }));
}
