//! What text becomes: `lexmill tokenize --preview` and `lexmill test`.

use anyhow::{Result, bail};
use lexmill_pipeline::{Definition, preview_stage, run_tests};
use serde_json::json;

use crate::args::{PipelineArgs, RunSettings};
use crate::output::print;

/// Characters of a document that are shown.
const SHOWN: usize = 300;

/// Shows the first documents of a corpus and their tokens.
pub(crate) fn preview(
    settings: &RunSettings,
    table: toml::Table,
    count: usize,
    json: bool,
) -> Result<()> {
    let (documents, report) = preview_stage(table, count, &settings.resources())?;
    if json {
        let rows = documents.iter().map(|d| json!({ "text": d.text, "tokens": d.tokens }));
        let value = json!({ "documents": rows.collect::<Vec<_>>(), "report": report });
        return print(&format!("{value:#}\n"));
    }
    let mut text = String::new();
    for (i, document) in documents.iter().enumerate() {
        let shown = match document.text.is_empty() {
            true => "(tokens)".to_owned(),
            false => shortened(&document.text.split_whitespace().collect::<Vec<_>>().join(" ")),
        };
        text +=
            &format!("{:>4}  {shown}\n      -> {}\n", i + 1, shortened(&joined(&document.tokens)));
    }
    if documents.is_empty() {
        text += "no document has tokens\n";
    }
    for notice in report.notices() {
        text += &format!("up to there: {notice}\n");
    }
    print(&text)
}

/// Runs the tests of a pipeline file; an error if one fails.
pub(crate) fn test(pipeline: &PipelineArgs, json: bool) -> Result<()> {
    let definition = Definition::read(&pipeline.file, &pipeline.set)?;
    let results = run_tests(&definition)?;
    let failed = results.iter().filter(|result| !result.passed()).count();
    if json {
        let rows = results.iter().map(|result| {
            json!({
                "stage": result.stage, "text": result.text, "expected": result.expected,
                "found": result.found, "passed": result.passed(),
            })
        });
        print(&format!("{:#}\n", json!(rows.collect::<Vec<_>>())))?;
    } else {
        let mut text = String::new();
        for result in results.iter().filter(|result| !result.passed()) {
            let all = |documents: &[Vec<String>]| {
                documents.iter().map(|tokens| joined(tokens)).collect::<Vec<_>>().join(" / ")
            };
            text += &format!(
                "FAILED  {}: {:?}\n  expected: {}\n  found:    {}\n",
                result.stage,
                result.text,
                all(&result.expected),
                all(&result.found)
            );
        }
        text += &format!("{} passed, {failed} failed\n", results.len() - failed);
        print(&text)?;
    }
    match failed {
        0 => Ok(()),
        1 => bail!("a test of {:?} failed", pipeline.file),
        n => bail!("{n} tests of {:?} failed", pipeline.file),
    }
}

/// Tokens between spaces; those with spaces, and empty ones, in quotes.
fn joined(tokens: &[String]) -> String {
    let quoted = |token: &String| match token.is_empty() || token.contains(char::is_whitespace) {
        true => format!("{token:?}"),
        false => token.clone(),
    };
    tokens.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}...", &text[..end]),
    }
}
