//! Stage directories and the run directories that hold them.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use crate::counts::Counts;
use crate::manifest::Stage;
use crate::report::{Section, Table, Value};
use crate::tables::{Group, word_sections};
use crate::{Error, Options, Result};

/// How deep in a run directory its stages may lie.
const DEPTH: usize = 2;
/// Directories whose names end so are stages being made.
const UNFINISHED: &str = ".partial";

/// What there is to see about a stage.
pub(crate) fn stage_sections(stage: &Stage, options: &Options) -> Result<Vec<Section>> {
    let counts = Counts::of(stage);
    let (groups, others) = Group::all(stage);
    if let Some(word) = &options.word {
        return match counts {
            Some(counts) => counts.contexts(word, options.rows),
            None => word_sections(&stage.directory, &groups, word, options),
        };
    }
    let mut facts = vec![("kind".to_owned(), Value::text(&stage.kind))];
    facts.extend(stage.version.map(|version| ("algorithm version".to_owned(), Value::Id(version))));
    facts.extend(
        stage.fingerprint.as_ref().map(|hash| ("fingerprint".to_owned(), Value::text(hash))),
    );
    facts.push(("files".to_owned(), Value::Count(stage.files.len() as u64)));
    facts.push(("rows".to_owned(), Value::Count(stage.rows())));
    facts.push(("bytes".to_owned(), Value::Bytes(stage.bytes())));
    let problems = stage.problems();
    let mut sections = vec![
        Section::pairs("Stage", facts),
        Section::pairs("Settings", fields(&stage.settings, |_, value| Value::Json(value.clone()))),
        Section::pairs("Inputs", fields(&stage.inputs, |_, value| Value::Json(value.clone()))),
        Section::pairs("Report", fields(&stage.report, Value::reported)),
    ];
    if !problems.is_empty() {
        // With a file away there is no table to rely on: the reader needs to know which.
        let mut table = Table::new(&["problem"]);
        table.rows.extend(problems.into_iter().map(|problem| vec![Value::text(problem)]));
        sections.push(Section::table("Problems: run the pipeline again to make it anew", table));
        return Ok(sections);
    }
    for group in &groups {
        sections.extend(group.sections(counts.as_ref(), options.rows)?);
    }
    if !others.is_empty() {
        let mut table = Table::new(&["file", "bytes"]);
        let rows =
            others.into_iter().map(|(name, bytes)| vec![Value::text(name), Value::Bytes(bytes)]);
        table.rows.extend(rows);
        sections.push(Section::table("Other files", table));
    }
    Ok(sections)
}

/// The fields of a manifest's object; anything else under the name `value`.
fn fields(object: &Json, value: impl Fn(&str, &Json) -> Value) -> Vec<(String, Value)> {
    match object {
        Json::Object(fields) => {
            fields.iter().map(|(name, field)| (name.clone(), value(name, field))).collect()
        }
        Json::Null => Vec::new(),
        other => vec![("value".to_owned(), value("value", other))],
    }
}

/// The stages of a run directory, and its unfinished ones by name.
pub(crate) struct Run {
    stages: Vec<(String, Stage)>,
    unfinished: Vec<String>,
}

impl Run {
    /// The run of a directory; with no stages if it isn't one.
    pub(crate) fn read(directory: &Path) -> Result<Run> {
        let mut run = Run { stages: Vec::new(), unfinished: Vec::new() };
        run.search(directory, "", DEPTH)?;
        Ok(run)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.stages.is_empty() && self.unfinished.is_empty()
    }

    fn search(&mut self, directory: &Path, prefix: &str, depth: usize) -> Result<()> {
        let mut names: Vec<(String, PathBuf)> = Vec::new();
        for entry in std::fs::read_dir(directory).map_err(Error::io("read", directory))? {
            let entry = entry.map_err(Error::io("read", directory))?;
            let (name, path) = (entry.file_name().to_string_lossy().into_owned(), entry.path());
            if path.is_dir() && !name.starts_with('.') {
                names.push((format!("{prefix}{name}"), path));
            }
        }
        names.sort();
        for (name, path) in names {
            if let Some(finished) = name.strip_suffix(UNFINISHED) {
                self.unfinished.push(finished.to_owned());
            } else if let Some(stage) = Stage::read(&path)? {
                self.stages.push((name, stage));
            } else if depth > 1 {
                self.search(&path, &format!("{name}/"), depth - 1)?;
            }
        }
        Ok(())
    }

    /// What there is to see about the run.
    pub(crate) fn sections(&self, directory: &Path, options: &Options) -> Result<Vec<Section>> {
        match &options.word {
            Some(word) => self.word_sections(directory, word, options),
            None => Ok(vec![Section::table("Stages", self.table())]),
        }
    }

    fn table(&self) -> Table {
        let mut table = Table::new(&["name", "kind", "files", "rows", "bytes"]);
        for (name, stage) in &self.stages {
            table.rows.push(vec![
                Value::text(name),
                Value::text(&stage.kind),
                Value::Count(stage.files.len() as u64),
                Value::Count(stage.rows()),
                Value::Bytes(stage.bytes()),
            ]);
        }
        for name in &self.unfinished {
            let mut row = vec![Value::text(name), Value::text("(unfinished)")];
            row.resize(table.columns.len(), Value::Missing);
            table.rows.push(row);
        }
        table
    }

    /// The word's contexts in the counts of the run.
    fn word_sections(
        &self,
        directory: &Path,
        word: &str,
        options: &Options,
    ) -> Result<Vec<Section>> {
        let mut sections = Vec::new();
        let mut counted = false;
        for (name, stage) in &self.stages {
            let Some(counts) = Counts::of(stage) else { continue };
            counted = true;
            for mut section in counts.contexts(word, options.rows)? {
                section.title = format!("{name}: {}", section.title);
                sections.push(section);
            }
        }
        if counted { Ok(sections) } else { Err(Error::NoWords { path: directory.to_owned() }) }
    }
}
