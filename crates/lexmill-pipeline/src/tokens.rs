//! What text becomes, without running anything: previews, and the tests of a pipeline file.

use lexmill_store::Resources;
use lexmill_tokenize::TokenizeReport;
use lexmill_tokenize::preview::{Document, documents_of, preview};

use crate::definition::Definition;
use crate::error::{Error, Result};
use crate::kinds::{Kind, Settings};
use crate::run::stage_settings;

/// The first documents of the corpus of a `tokenize` stage with these settings, and what was counted
/// on the way.
///
/// # Errors
/// If a setting is wrong, or a file can't be read.
pub fn preview_stage(
    table: toml::Table,
    count: usize,
    resources: &Resources,
) -> Result<(Vec<Document>, TokenizeReport)> {
    let failed = |source| Error::Stage { stage: Kind::Tokenize.name().to_owned(), source };
    let Settings::Tokenize(settings) = stage_settings(Kind::Tokenize, table)? else {
        return Ok(Default::default());
    };
    preview(&settings, count, resources.threads).map_err(|e| failed(e.into()))
}

/// A test of a pipeline file and what came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestResult {
    /// The stage.
    pub stage: String,
    /// The text.
    pub text: String,
    /// The tokens it must become, document by document.
    pub expected: Vec<Vec<String>>,
    /// Those it becomes.
    pub found: Vec<Vec<String>>,
}

impl TestResult {
    /// Whether they are the same.
    pub fn passed(&self) -> bool {
        self.expected == self.found
    }
}

/// Runs the tests of a pipeline file. Documents without tokens are none, as in a run.
///
/// # Errors
/// If what a stage's settings name can't be read.
pub fn run_tests(definition: &Definition) -> Result<Vec<TestResult>> {
    let mut results = Vec::new();
    for stage in &definition.stages {
        let Settings::Tokenize(settings) = &stage.settings else { continue };
        let tests: Vec<_> = definition.tests.iter().filter(|test| test.stage == stage.id).collect();
        if tests.is_empty() {
            continue;
        }
        let texts: Vec<&str> = tests.iter().map(|test| test.text.as_str()).collect();
        let found = documents_of(settings, &texts)
            .map_err(|e| Error::Stage { stage: stage.id.clone(), source: e.into() })?;
        for (test, found) in tests.into_iter().zip(found) {
            results.push(TestResult {
                stage: stage.id.clone(),
                text: test.text.clone(),
                expected: test.documents.clone(),
                found: found.into_iter().map(|document| document.tokens).collect(),
            });
        }
    }
    Ok(results)
}
