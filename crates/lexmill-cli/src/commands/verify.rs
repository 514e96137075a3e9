//! `lexmill verify`.

use std::path::Path;

use anyhow::{Result, bail};
use lexmill_pipeline::{Definition, Verification, VerifiedStage, verify, watch};
use lexmill_store::ByteSize;

use crate::args::{RunSettings, VerifyArgs};
use crate::observer::Reporter;
use crate::output::{print, table, tell, thousands};

/// Damaged files that are named for each stage, for people.
const NAMED: usize = 20;

/// Compares all that is in a directory with what was written; makes again what is damaged if asked to.
pub(crate) fn run(settings: &RunSettings, args: &VerifyArgs) -> Result<()> {
    let reporter = Reporter::stopping_on_signals(settings)?;
    let resources = settings.resources();
    let look = || {
        let found = watch("verify", &reporter, |progress| {
            verify(&args.directory, resources.threads, progress)
        });
        reporter.over();
        found
    };
    if let Some(file) = &args.repair {
        let definition = Definition::read(file, &args.set)?;
        let (found, ran) =
            lexmill_pipeline::repair(&definition, &args.directory, &resources, &reporter)?;
        if !settings.quiet {
            let damaged = thousands(found.damaged() as u64);
            tell(&format!("damaged files: {damaged}; stages made again: {ran}"));
        }
    }
    let found = look()?;
    match args.json {
        true => print(&format!("{:#}\n", serde_json::to_value(&found)?))?,
        false => print(&as_text(&args.directory, &found))?,
    }
    match found.damaged() {
        0 => Ok(()),
        damaged => bail!(
            "{} in {:?}; `lexmill verify {} --repair PIPELINE.toml` makes the stages again of which \
             something is damaged",
            match damaged {
                1 => "something is damaged".to_owned(),
                _ => format!("{} things are damaged", thousands(damaged as u64)),
            },
            args.directory,
            args.directory.display(),
        ),
    }
}

/// What was found, for people.
fn as_text(directory: &Path, found: &Verification) -> String {
    let state = |stage: &VerifiedStage| match (stage.damage.is_empty(), stage.finished) {
        (true, true) => "whole",
        (true, false) => "begun, whole so far",
        (false, true) => "DAMAGED",
        (false, false) => "begun, DAMAGED: a run makes it again",
    };
    let rows: Vec<Vec<String>> = found
        .stages
        .iter()
        .map(|stage| {
            vec![
                stage.stage.clone(),
                stage.kind.clone().unwrap_or_default(),
                thousands(stage.files as u64),
                ByteSize(stage.bytes).to_string(),
                state(stage).to_owned(),
            ]
        })
        .collect();
    let mut out = table(&["stage", "kind", "files", "bytes", ""], &rows, &[2, 3]);
    for stage in &found.stages {
        let place = |file: &str| stage.directory.join(file).display().to_string();
        for damage in stage.damage.iter().take(NAMED) {
            out += &format!("{}: {}\n", place(&damage.file), damage.problem);
        }
        if stage.damage.len() > NAMED {
            out += &format!("and {} more\n", thousands((stage.damage.len() - NAMED) as u64));
        }
        for file in stage.strangers.iter().take(NAMED) {
            out += &format!("{}: not made by lexmill; nothing reads it\n", place(file));
        }
    }
    for note in &found.notes {
        out += &format!("{}: {}\n", directory.join(&note.file).display(), note.problem);
    }
    out
}
