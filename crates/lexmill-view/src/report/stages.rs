//! The table of stages.

use lexmill_store::ByteSize;
use serde_json::Value;

use super::gather::{Finished, Run};
use super::thousands;

/// A stage as the report shows it.
pub(super) struct StageRow {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) version: u32,
    pub(super) about: &'static str,
    pub(super) settings: Vec<(String, String)>,
    pub(super) result: String,
}

impl Run {
    pub(super) fn stages(&self) -> Vec<StageRow> {
        self.finished.iter().map(row).collect()
    }
}

fn row(stage: &Finished) -> StageRow {
    let key = &stage.manifest.key;
    let settings = key.settings.as_object().into_iter().flatten();
    let shown = settings.filter(|(_, value)| !value.is_null());
    StageRow {
        name: stage.name.clone(),
        kind: key.stage.clone(),
        version: key.version,
        about: about(&key.stage),
        settings: shown.map(|(name, value)| (name.clone(), setting(value))).collect(),
        result: result(stage),
    }
}

fn about(kind: &str) -> &'static str {
    match kind {
        "tokenize" => "Corpus files to tokens",
        "deduplicate" => "Tokens without documents that were there before",
        "phrases" => "Collocations joined",
        "vocabulary" => "The words that are kept, by frequency",
        "count" => "Co-occurrences counted within context windows",
        "glove" => "GloVe trained on the counts",
        "skipgram" => "Skip-gram trained on the tokens",
        "cbow" => "CBOW trained on the tokens",
        "export" => "Vectors written in the formats people use",
        "evaluate" => "Vectors scored on test sets",
        _ => "",
    }
}

/// A setting as one would write it, without the quotes of a string.
fn setting(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(setting).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// What came of a stage, in a few numbers of its report.
fn result(stage: &Finished) -> String {
    let known = [
        ("tokens", "tokens"),
        ("duplicates", "duplicates"),
        ("phrases", "phrases"),
        ("words", "words"),
        ("cells", "cells"),
        ("rows", "words"),
    ];
    let wanted: &[&str] = match stage.kind() {
        "tokenize" => &["tokens"],
        "vocabulary" => &["words"],
        "count" => &["cells"],
        "export" => &["rows"],
        _ => &["duplicates", "phrases"],
    };
    let count = |name: &&str| {
        let unit = known.iter().find(|(known, _)| known == name)?.1;
        Some(format!("{} {unit}", thousands(stage.number(name)?)))
    };
    let mut parts: Vec<String> = wanted.iter().filter_map(count).collect();
    if let Some(loss) = stage.manifest.report["loss"].as_f64() {
        parts.push(format!("loss {loss:.4}"));
    }
    parts.push(ByteSize(stage.bytes()).to_string());
    parts.join(", ")
}
