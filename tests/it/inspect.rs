//! `inspect` shows the tables that stages write.

use serde_json::Value;

use crate::lab::{Lab, STAGES};

fn finished() -> Lab {
    let lab = Lab::small();
    lab.run("run p.toml --dir r").done();
    lab
}

/// What `inspect --json` says.
fn json(lab: &Lab, args: &str) -> Value {
    let outcome = lab.run(&format!("inspect --json {args}")).done();
    serde_json::from_str(&outcome.stdout).unwrap_or_else(|e| panic!("{e}: {}", outcome.stdout))
}

/// The section whose title starts so.
#[track_caller]
fn section<'a>(report: &'a Value, title: &str) -> &'a Value {
    let sections = report["sections"].as_array().unwrap();
    let found =
        sections.iter().find(|section| section["title"].as_str().unwrap().starts_with(title));
    found.unwrap_or_else(|| panic!("no section {title:?} in {report:#}"))
}

#[test]
fn a_token_shard() {
    let lab = finished();
    let shard = lab.manifest("r/tokens").files[0].clone();
    let path = format!("r/tokens/{}", shard.path);
    let text = lab.run(&format!("inspect {path} -n 3")).done().stdout;
    assert!(text.starts_with(&format!("{path}: Parquet file\n")), "{text}");
    let first = lab.documents("r/tokens")[0].join(" ");
    let start: String = first.chars().take(30).collect();
    assert!(text.contains(&start), "{start:?} is not in\n{text}");
    for part in ["part", "tokens", "zstd"] {
        assert!(text.to_lowercase().contains(part), "{part:?} is not in\n{text}");
    }
    let report = json(&lab, &format!("{path} -n 3"));
    let rows = section(&report, "First rows")["rows"].as_array().unwrap().clone();
    assert_eq!(rows.len(), 3);
    let words: Vec<&str> =
        rows[0]["tokens"].as_array().unwrap().iter().map(|w| w.as_str().unwrap()).collect();
    assert_eq!(words, lab.documents("r/tokens")[0]);
}

#[test]
fn counts_and_the_contexts_of_a_word() {
    let lab = finished();
    let text = lab.run("inspect r/counts --word ke -n 5").done().stdout;
    assert!(text.starts_with("r/counts: count stage\n"), "{text}");
    let report = json(&lab, "r/counts --word ke -n 5");
    let about = &section(&report, "The row of")["values"];
    assert_eq!((about["word"].as_str(), about["window"].as_u64()), (Some("ke"), Some(4)));
    let contexts = section(&report, "Strongest contexts")["rows"].as_array().unwrap();
    assert_eq!(contexts.len(), 5);
    let counts: Vec<f64> = contexts.iter().map(|row| row["count"].as_f64().unwrap()).collect();
    assert!(counts.is_sorted_by(|a, b| a >= b), "{counts:?}");
    // The same, from a count in memory of all documents.
    let mut expected = std::collections::HashMap::<String, f64>::new();
    let vocabulary: std::collections::HashSet<String> = {
        let path = lab.path("r/words/vocabulary.parquet");
        let read = lexmill_store::table::vocabulary::read_vocabulary(&path).unwrap();
        read.words().map(str::to_owned).collect()
    };
    for mut document in lab.documents("r/tokens") {
        document.retain(|word| vocabulary.contains(word));
        for (i, _) in document.iter().enumerate().filter(|(_, word)| *word == "ke") {
            for (j, other) in document.iter().enumerate() {
                let distance = i.abs_diff(j);
                if (1..=4).contains(&distance) {
                    *expected.entry(other.clone()).or_default() += 1.0 / distance as f64;
                }
            }
        }
    }
    for row in contexts {
        let (word, count) = (row["context"].as_str().unwrap(), row["count"].as_f64().unwrap());
        assert!((expected[word] - count).abs() < 1e-6, "{word}: {count}, not {}", expected[word]);
    }
    let most = expected.values().copied().fold(0.0, f64::max);
    assert!((counts[0] - most).abs() < 1e-6, "{counts:?}, {most}");

    // One shard of it, and all of the stage.
    let shard = "r/counts/cells/row_block=00/column_block=01/cells.parquet";
    assert!(lab.run(&format!("inspect {shard}")).done().stdout.contains("center"));
    let stage = lab.run("inspect r/counts").done().stdout;
    for part in ["window", "harmonic", "cells", "words.parquet"] {
        assert!(stage.contains(part), "{part:?} is not in\n{stage}");
    }
}

#[test]
fn a_run_and_each_of_its_stages() {
    let lab = finished();
    let report = json(&lab, "r");
    let stages = section(&report, "Stages")["rows"].as_array().unwrap().clone();
    let mut names: Vec<&str> = stages.iter().map(|row| row["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    let mut expected = STAGES;
    expected.sort_unstable();
    assert_eq!(names, expected);
    for row in &stages {
        let manifest = lab.manifest(&format!("r/{}", row["name"].as_str().unwrap()));
        let bytes: u64 = manifest.files.iter().map(|file| file.bytes).sum();
        assert_eq!(row["bytes"].as_u64(), Some(bytes), "{row}");
        assert_eq!(row["kind"].as_str(), Some(manifest.key.stage.as_str()));
    }
    let before = lab.stamps("r");
    for stage in STAGES {
        let report = json(&lab, &format!("r/{stage}"));
        assert!(report["title"].as_str().unwrap().ends_with(" stage"), "{report}");
        lab.run(&format!("inspect r/{stage}")).done();
    }
    // Looking changes nothing.
    assert_eq!(lab.stamps("r"), before);
    // A word in other tables: its rows.
    let text = lab.run("inspect r/vectors --word ke").done().stdout;
    assert!(text.contains("ke"), "{text}");
}

#[test]
fn what_is_not_there() {
    let lab = finished();
    lab.run("inspect r/counts --word kee").failed(&["does not have the word \"kee\"", "ke"]);
    lab.run("inspect nowhere").failed(&["there is no file or directory \"nowhere\""]);
    lab.run("inspect p.toml").failed(&["\"p.toml\" is not a Parquet file"]);
    lab.run("inspect corpus").failed(&["\"corpus\" holds no finished stage and no Parquet file"]);
    lab.run("inspect p.toml corpus").misused(&["unexpected argument"]);
    let whole = std::fs::read(lab.path("r/words/vocabulary.parquet")).unwrap();
    lab.write("cut.parquet", &whole[..whole.len() / 2]);
    lab.run("inspect cut.parquet").failed(&["cut.parquet"]);
    lab.write("r/glove/manifest.json", "{");
    lab.run("inspect r/glove").failed(&["r/glove/manifest.json"]);
}
