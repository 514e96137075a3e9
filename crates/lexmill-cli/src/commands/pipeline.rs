//! `lexmill run`, `plan`, `validate` and `status`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use lexmill_embeddings::Embeddings;
use lexmill_pipeline::{
    Condition, Definition, Kind, Plan, Room, default_directory, needed, read_status,
    resolve_selection,
};
use lexmill_store::ByteSize;
use serde_json::json;

use crate::args::{PipelineArgs, RunSettings};
use crate::observer::Reporter;
use crate::output::{duration, print, table, thousands};

/// Neighbours shown for each word when a run has ended.
const NEIGHBORS: usize = 6;

fn open(args: &PipelineArgs) -> Result<(Definition, PathBuf)> {
    let definition = Definition::read(&args.file, &args.set)?;
    let directory = args.dir.clone().unwrap_or_else(|| default_directory(&definition));
    Ok((definition, directory))
}

/// Runs what is not done.
pub(crate) fn run(
    settings: &RunSettings,
    args: &PipelineArgs,
    only: &[String],
    from: Option<&str>,
    to: Option<&str>,
) -> Result<()> {
    let (definition, directory) = open(args)?;
    let selected = resolve_selection(&definition, only, from, to)?;
    let reporter = Reporter::stopping_on_signals(settings)?;
    let resources = settings.resources();
    let ran = lexmill_pipeline::run(&definition, &directory, &selected, &resources, &reporter)?;
    if settings.quiet || ran == 0 {
        return Ok(());
    }
    print(&summary(&definition, &directory, &selected)?)
}

/// What a run leaves: scores, neighbours, and where its tables are.
fn summary(definition: &Definition, directory: &Path, selected: &[String]) -> Result<String> {
    let mut out = String::new();
    let stages = definition.stages.iter().filter(|stage| selected.contains(&stage.id));
    for stage in stages {
        let path = directory.join(&stage.id);
        if stage.kind == Kind::Evaluate {
            out += &format!("\n{}", super::scores::as_text(&path)?);
        }
        if stage.kind == Kind::Export && !definition.neighbors.is_empty() {
            let embeddings = Embeddings::read(&path)?;
            let text = super::neighbors::as_text(&embeddings, &definition.neighbors, NEIGHBORS);
            out += &format!("\nNearest words\n{text}");
        }
    }
    out += "\nTables\n";
    let mut open_with = None;
    for stage in &definition.stages {
        let path = directory.join(&stage.id);
        let (tables, query) = match stage.kind {
            Kind::Tokenize => ("shards/*.parquet", None),
            Kind::Deduplicate => ("duplicates.parquet", None),
            Kind::Phrases => ("phrases.parquet", None),
            Kind::Vocabulary => ("vocabulary.parquet", None),
            Kind::Count => ("cells/*/*/cells.parquet", None),
            Kind::Glove | Kind::Skipgram | Kind::Cbow => ("parameters.parquet", None),
            Kind::Export => ("embeddings.parquet", Some("embeddings.parquet")),
            Kind::Evaluate => ("scores.parquet", None),
        };
        if path.is_dir() {
            out += &format!("  {}\n", path.join(tables).display());
        }
        if let Some(file) = query.filter(|file| path.join(file).exists()) {
            open_with = Some(path.join(file));
        }
    }
    if let Some(file) = open_with {
        out += &format!(
            "Open one with\n  duckdb -c \"SELECT word, count, vector[1:3] FROM '{}' LIMIT 5\"\n",
            file.display()
        );
    }
    Ok(out)
}

/// Shows how each stage stands, and why.
pub(crate) fn plan(settings: &RunSettings, args: &PipelineArgs, json: bool) -> Result<()> {
    let (definition, directory) = open(args)?;
    let resources = settings.resources();
    let plan = Plan::make(&definition, &directory, resources.threads)?;
    let describe = |condition: &Condition| match condition {
        Condition::Fresh => ("fresh", String::new()),
        Condition::Missing { begun: false } => ("missing", String::new()),
        Condition::Missing { begun: true } => ("missing", "begun: goes on where it stopped".into()),
        Condition::Stale { reasons } => ("stale", reasons.join("; ")),
        Condition::Blocked { problem } => ("blocked", problem.clone()),
        Condition::After { stages, present: true } => {
            ("stale?", format!("fresh if {} gives the same as before", stages.join(" and ")))
        }
        Condition::After { stages, present: false } => {
            ("missing", format!("after {}", stages.join(" and ")))
        }
    };
    let room = Room::of(&directory, resources.disk_bytes);
    let free = room.map(|room| room.bytes);
    if json {
        let stages: Vec<_> = plan
            .stages
            .iter()
            .map(|stage| {
                let (condition, why) = describe(&stage.condition);
                json!({
                    "stage": stage.id,
                    "kind": stage.kind,
                    "condition": condition,
                    "why": why,
                    "disk_bytes": stage.estimate.disk_bytes,
                    "scratch_bytes": stage.estimate.scratch_bytes,
                    "memory_bytes": stage.estimate.memory_bytes,
                })
            })
            .collect();
        let plan = json!({ "directory": directory, "free_bytes": free, "stages": stages });
        return print(&format!("{plan:#}\n"));
    }
    let rows: Vec<Vec<String>> = plan
        .stages
        .iter()
        .map(|stage| {
            let (condition, why) = describe(&stage.condition);
            let about = if stage.manifest.is_some() { "" } else { "~" };
            let disk = format!("{about}{}", ByteSize(stage.estimate.disk_bytes));
            let memory = format!("~{}", ByteSize(stage.estimate.memory_bytes));
            vec![stage.id.clone(), stage.kind.to_owned(), condition.to_owned(), disk, memory, why]
        })
        .collect();
    let header = ["stage", "kind", "", "disk", "memory", "why"];
    let scratch: u64 = plan
        .stages
        .iter()
        .filter(|stage| stage.manifest.is_none())
        .map(|stage| stage.estimate.scratch_bytes)
        .max()
        .unwrap_or(0);
    let mut out = table(&header, &rows, &[3, 4]);
    if scratch > 0 {
        out += &format!("up to ~{} more on disk while it runs\n", ByteSize(scratch));
    }
    if let Some(room) = room {
        let missing = plan.stages.iter().filter(|stage| stage.manifest.is_none());
        if needed(missing.map(|stage| &stage.estimate)) > room.bytes {
            out += &format!("{room}, which may not be enough\n");
        }
    }
    print(&out)
}

/// Checks a pipeline file.
pub(crate) fn validate(args: &PipelineArgs) -> Result<()> {
    let (definition, _) = open(args)?;
    let stages: Vec<&str> = definition.stages.iter().map(|stage| stage.id.as_str()).collect();
    print(&format!("{}: fine: {}\n", args.file.display(), stages.join(" -> ")))
}

/// Shows how a run stands.
pub(crate) fn status(args: &PipelineArgs, json: bool) -> Result<()> {
    let (definition, directory) = open(args)?;
    let status = read_status(&directory);
    let running = status.as_ref().filter(|status| status.running);
    let stand = |id: &str| {
        let at_work = running.is_some_and(|status| status.stage == id);
        match (directory.join(id).join("manifest.json").exists(), at_work) {
            (_, true) => "at work",
            (true, false) => "done",
            (false, false) if directory.join(format!("{id}.partial")).is_dir() => "interrupted",
            (false, false) => "to do",
        }
    };
    if json {
        let stages: Vec<_> = definition
            .stages
            .iter()
            .map(|stage| json!({ "stage": stage.id, "kind": stage.kind.name(), "state": stand(&stage.id) }))
            .collect();
        let value = json!({ "directory": directory, "running": running, "stages": stages });
        return print(&format!("{value:#}\n"));
    }
    let mut out = match running {
        None => format!("no run is at work in {}\n", directory.display()),
        Some(status) => {
            let mut text = format!("process {} is at work on {}", status.process, status.stage);
            if status.total > 0 {
                let share = status.done as f64 / status.total as f64;
                text += &format!(
                    ": {:.0}% of {} {}",
                    share * 100.0,
                    thousands(status.total),
                    status.unit
                );
                if status.rate > 0.0 && status.done < status.total {
                    let left = (status.total - status.done) as f64 / status.rate;
                    let rate = thousands(status.rate as u64);
                    text += &format!(", {rate} {}/s, about {} left", status.unit, duration(left));
                }
            }
            text + "\n"
        }
    };
    let rows: Vec<Vec<String>> = definition
        .stages
        .iter()
        .map(|stage| {
            vec![stage.id.clone(), stage.kind.name().to_owned(), stand(&stage.id).to_owned()]
        })
        .collect();
    out += &table(&["stage", "kind", "state"], &rows, &[]);
    print(&out)
}
